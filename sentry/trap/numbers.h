#pragma once
// Translation of thread numbers from the Sentry's pid namespace to the guests'. Kernel lock.

// `zygote_pidfd` gives the guests' namespace once its first child exists. 
void numbers_init(int zygote_pidfd);
// The number that the guest sees for a host tid, or -errno.
int guest_number(int host_tid);
