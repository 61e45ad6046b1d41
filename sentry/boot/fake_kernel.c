// Stands in for the kernel until there is one, so that the processes around it can be started and tested:
// every symbol is weak. It goes with the commit that brings kernel_main().
#include "sentry/boot/config.h"
#include "sentry/boot/control.h"
#include "sentry/core/kernel.h"
#include "sentry/trap/call.h"
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

__attribute__((weak)) __thread struct task *current;
__attribute__((weak)) void kernel_lock(void) {}
__attribute__((weak)) void kernel_unlock(void) {}
__attribute__((weak)) _Noreturn void kernel_fatal(const char *fmt, ...)
{
    _exit(125);
}

// Waits for the zygote's first call and gives the status in argv[1] after argv[2] seconds.
__attribute__((weak)) _Noreturn void kernel_main(const struct sentry_config *config,
                                                 const struct boot_fds *fds, void (*lock_down)(void))
{
    lock_down();
    struct seccomp_notif call = {0};
    int error = ioctl(fds->listener, SECCOMP_IOCTL_NOTIF_RECV, &call);
    char line[64];
    int n = snprintf(line, sizeof(line), "first call: %#x, result %d\n", (unsigned)call.data.nr, error);
    ssize_t unused = write(2, line, (size_t)n);
    (void)unused;
    if (config->argv[1] && config->argv[2]) {
        struct timespec pause = {.tv_sec = atoi(config->argv[2])};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    struct control_record record = {.kind = CONTROL_EXIT,
                                    .value = config->argv[1] ? atoi(config->argv[1]) << 8 : 0};
    struct iovec part = {&record, sizeof(record)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    sendmsg(fds->control, &message, 0);
    _exit(0);
}
