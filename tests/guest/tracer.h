// What guest programs share that trace others.
#ifndef TRACER_H
#define TRACER_H

#include "guest.h"
#include <linux/ptrace.h>

// ptrace(2) without the library's exceptions: the result, or -errno.
__attribute__((unused)) static long trace(long request, pid_t pid, uintptr_t address, uintptr_t data)
{
    long r = syscall(SYS_ptrace, request, pid, address, data);
    return r < 0 ? -errno : r;
}

// A child that runs `body` and ends with 7, traced and stopped before that.
__attribute__((unused)) static pid_t traced(void (*body)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid) {
        waitpid(pid, NULL, __WALL);
        return pid;
    }
    trace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    body();
    fflush(stdout);
    _exit(7);
}

#endif
