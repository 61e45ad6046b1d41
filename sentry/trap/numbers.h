#pragma once
// Translation of thread numbers from the Sentry's pid namespace to the guests'. Kernel lock.
#include <stdbool.h>

// `zygote_pidfd` gives the guests' namespace once its first child exists. Without `translate` the host is not asked.
void numbers_init(int zygote_pidfd, bool translate);
// Can numbers be asked for? False on kernels before 6.11: then clone(2) tells them with CLONE_PARENT_SETTID.
bool numbers_translated(void);
// May a number come a second time, because the host's have wrapped or are about to?
bool numbers_may_repeat(void);
// The number that the guest sees for a host tid, or -errno.
int guest_number(int host_tid);
