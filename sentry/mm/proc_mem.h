#pragma once
// A backend of sentry/mm/uaccess.h for hosts that refuse process_vm_readv(2) (--nested, --disable-feature process-vm): one descriptor of
// /proc/PID/mem for each address space, and one of its maps, opened by gofer --proc at the first copy.
#include "sentry/mm/uaccess.h"

struct mm;

extern const struct uaccess_ops proc_mem_ops;
// Opens a file of a guest thread (enum gofer_proc_file): a descriptor or -errno. Set before the first guest. Called with the kernel lock.
extern int (*proc_mem_open)(int file, int host_tid);
// The host has no PROCMAP_QUERY, or is not to be asked: the text of maps is read for each copy. Kernel lock.
extern bool proc_mem_no_query;
// Closes what was opened for an address space.
void proc_mem_forget(struct mm *m);
