#include "sentry/boot/lock_down.h"
#include "abi/mutate.h"
#include "seccomp_programs.h"
#include "sentry/boot/fail.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#ifdef SENTRY_SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static int report_fd = -1;
static bool with_network;

#define EXIT_VIOLATION (128 + SIGSYS)

static char *put_text(char *at, const char *text)
{
    while (*text)
        *at++ = *text++;
    return at;
}

static char *put_number(char *at, uint64_t value)
{
    at = put_text(at, "0x");
    int digits = 1;
    while (digits < 16 && value >> (4 * digits))
        digits++;
    while (digits--)
        *at++ = "0123456789abcdef"[(value >> (4 * digits)) & 15];
    return at;
}

// Async-signal-safe: the thread may hold any lock.
static void violation(int signo, siginfo_t *info, void *context)
{
    const greg_t *regs = ((const ucontext_t *)context)->uc_mcontext.gregs;
    static const int arguments[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
    char line[256];
    char *at = put_text(line, "sentry: the kernel process made a call that its filter refuses: ");
    at = put_number(at, (uint64_t)info->si_syscall);
    for (int i = 0; i < 6; i++) {
        at = put_text(at, i ? ", " : "(");
        at = put_number(at, (uint64_t)regs[arguments[i]]);
    }
    at = put_text(at, ") at ");
    at = put_number(at, (uint64_t)regs[REG_RIP]);
    *at++ = '\n';
    if (report_fd >= 0) {
        ssize_t unused = write(report_fd, line, (size_t)(at - line));
        (void)unused;
    }
    for (;;)
        syscall(SYS_exit_group, EXIT_VIOLATION);
}

void lock_down_prepare(int log_fd, bool donated_sockets)
{
    report_fd = log_fd;
#ifdef SENTRY_SANITIZED
    __sanitizer_set_report_fd((void *)(intptr_t)log_fd);
#endif
    with_network = donated_sockets;
    struct sigaction action = {.sa_sigaction = violation, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSYS, &action, NULL);
}

void lock_down(void)
{
#ifdef SENTRY_SANITIZED
    const struct seccomp_program *program = &filter_sentry_sanitizer;
#else
    const struct seccomp_program *program = with_network ? &filter_sentry_net_trap : &filter_sentry_trap;
#endif
    if (mutated("sentry-filter"))
        return;
    struct sock_fprog prog = {.len = program->length,
                              .filter = (struct sock_filter *)(uintptr_t)program->code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) != 0) {
        (void)boot_fail("cannot install the filter of the kernel process", NULL, errno, NULL);
        _exit(EXIT_SANDBOX);
    }
}
