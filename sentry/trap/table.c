// The dispatch table, generated from syscall-tables/x86_64.tbl.
#include "sentry/trap/call.h"
#include "syscall-tables/constants.h"
#include "syscall_handlers.h"

#include "syscall_dispatch.inc"

const unsigned syscall_table_size = sizeof(syscall_table) / sizeof(syscall_table[0]);
