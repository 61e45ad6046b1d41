// Compares the seccomp filter that a running process is bound by with a program of the build. Needs
// CAP_SYS_ADMIN.
//
//   loaded_filter PID PROGRAM    exit 0: equal and the only one; 1: not; 2: cannot tell
#include "seccomp_programs.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct seccomp_program *const programs[] = {
    &filter_guest,       &filter_guest_trace,     &filter_guest_second, &filter_sentry,
    &filter_sentry_trap, &filter_sentry_net_trap, &filter_gofer_files,  &filter_gofer_files_trap,
    &filter_gofer_proc,  &filter_gofer_proc_trap, &filter_gofer_net,    &filter_gofer_net_trap,
    &filter_sentry_net,
};

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 2;
}

int main(int argc, char **argv)
{
    static struct sock_filter code[BPF_MAXINSNS];
    const struct seccomp_program *program = NULL;
    int status;
    if (argc != 3)
        return 2;
    pid_t pid = atoi(argv[1]);
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        if (!strcmp(programs[i]->name, argv[2]))
            program = programs[i];
    if (!program) {
        fprintf(stderr, "no program %s\n", argv[2]);
        return 2;
    }
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) || ptrace(PTRACE_INTERRUPT, pid, 0, 0))
        return failed("ptrace");
    // It may sit in a call that only a kill interrupts.
    for (int i = 0; waitpid(pid, &status, __WALL | WNOHANG) == 0; i++) {
        if (i == 2000) {
            fprintf(stderr, "process %d does not stop\n", pid);
            return 2;
        }
        usleep(1000);
    }
    long n = ptrace((enum __ptrace_request)PTRACE_SECCOMP_GET_FILTER, pid, 0, code);
    if (n < 0)
        return failed("PTRACE_SECCOMP_GET_FILTER");
    long second = ptrace((enum __ptrace_request)PTRACE_SECCOMP_GET_FILTER, pid, 1, NULL);
    if (second >= 0) {
        printf("process %d has more than one filter\n", pid);
        return 1;
    }
    if (n != program->length || memcmp(code, program->code, (size_t)n * sizeof(code[0])) != 0) {
        printf("process %d runs under %ld instructions that are not %s\n", pid, n, program->name);
        return 1;
    }
    return 0;
}
