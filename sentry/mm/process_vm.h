#pragma once
// The production backend of sentry/mm/uaccess.h.
#include "sentry/mm/uaccess.h"
extern const struct uaccess_ops process_vm_ops;
// Does the host allow it at all? 0 or -errno.
int process_vm_check(void);
