// Names and argument types of all calls, generated from syscall-tables/x86_64.tbl.
#include "sentry/trace/decode.h"

const struct trace_row trace_rows[] = {
#include "trace_table.inc"
};
const unsigned trace_rows_size = sizeof(trace_rows) / sizeof(trace_rows[0]);
