#include "sentry/boot/partners.h"
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"

static struct host_watch zygote; // kernel lock

static void zygote_ended(struct host_watch *w, uint32_t events)
{
    kernel_fatal("the zygote has ended");
}

int partners_watch(const struct boot_fds *fds)
{
    // A pidfd is readable when its process has ended.
    return host_watch_add(&zygote, fds->zygote_pidfd, EV_IN, zygote_ended);
}
