#include "sentry/cli/check.h"
#include "sentry/boot/fail.h"
#include "sentry/cli/probe.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct check {
    const char *name;
    int (*probe)(char *detail);
    enum { OPTIONAL, REQUIRED, ALWAYS } need; // REQUIRED: not with --nested
    const char *lost;                         // without it
    const char *remedy;                       // what to do
};

static const struct check checks[] = {
    {"Linux 6.1 or later", probe_release, ALWAYS, "no sandbox", "update the kernel"},
    {"user namespaces", probe_user_namespace, REQUIRED, "no sandbox",
     "set the sysctls user.max_user_namespaces above 0 and kernel.unprivileged_userns_clone to 1; on Ubuntu "
     "also "
     "kernel.apparmor_restrict_unprivileged_userns to 0; inside a chroot there are none"},
    {"mount, network, IPC, UTS, pid and cgroup namespaces", probe_namespaces, REQUIRED, "no sandbox",
     "set the sysctls user.max_*_namespaces above 0"},
    {"an empty root", probe_empty_root, REQUIRED, "no sandbox",
     "run outside of a container, in one that may mount, or with --nested"},
    {"a /proc of the sandbox's own", probe_proc_mount, REQUIRED, "no sandbox",
     "inside a container, use one whose /proc is not masked"},
    {"seccomp notification", probe_listener, ALWAYS, "no sandbox",
     "EBUSY means that another supervisor listens already: run outside of it"},
    {"pidfd_getfd", probe_pidfd_getfd, OPTIONAL,
     "with --disable-feature pidfd-getfd the listener comes from a child with shared descriptors",
     "the seccomp profile around this process must allow it"},
    {"process_vm_readv and process_vm_writev", probe_process_vm, REQUIRED,
     "guest memory is reached through /proc/PID/mem, slower, with --disable-feature process-vm or --nested",
     "the seccomp profile around this process must allow them"},
    {"executable memory files", probe_memfd_exec, ALWAYS, "no guest can start",
     "set the sysctl vm.memfd_noexec to 0 or 1"},
    {"prctl(PR_SET_MM_MAP)", probe_mm_map, OPTIONAL,
     "brk starts after the stub, and ps shows the stub's name", "needs CONFIG_CHECKPOINT_RESTORE"},
    {"openat2", probe_openat2, ALWAYS, "no file of the host can be shown safely",
     "the seccomp profile must allow it"},
    {"mount_setattr", probe_mount_setattr, REQUIRED, "nothing can be shown read-only",
     "the seccomp profile must allow it"},
    {"Landlock", probe_landlock, OPTIONAL,
     "a layer around guests; `sentry` refuses unless --disable-feature landlock is given, and --nested "
     "always",
     "boot with lsm=landlock,..."},
    {"killable receive of notifications", probe_wait_killable, OPTIONAL,
     "programs that preempt by signals may be slow", "Linux 5.19"},
    {"synchronous wake-up of notifications", probe_sync_wake_up, OPTIONAL, "calls cost several times as much",
     "Linux 6.6"},
    {"NS_GET_PID_IN_PIDNS", probe_ns_pid, OPTIONAL, "clone(2) tells the numbers of new processes",
     "Linux 6.11"},
    {"io_uring", probe_io_uring, OPTIONAL, "the Gofer polls", "set the sysctl kernel.io_uring_disabled to 0"},
    {"a cgroup to make groups in", probe_cgroup, OPTIONAL, "--memory and --cpus are refused",
     "as root with cgroups mounted, or in a delegated group: systemd-run --user --scope -p Delegate=yes ..."},
};

struct outcome {
    int result;
    char detail[PROBE_DETAIL];
};

// In a child, so that a probe may enter namespaces and filters.
static void run_probe(const struct check *check, struct outcome *outcome)
{
    memset(outcome, 0, sizeof(*outcome));
    outcome->result = -ECHILD;
    pid_t pid = fork();
    if (pid == 0) {
        outcome->result = check->probe(outcome->detail);
        _exit(0);
    }
    if (pid < 0)
        outcome->result = -errno;
    else
        waitpid(pid, NULL, 0);
}

static int check_host(void)
{
    struct outcome *outcome =
        mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcome == MAP_FAILED) {
        perror("sentry: mmap");
        return 1;
    }
    unsigned missing = 0, weaker = 0;
    bool nested = true;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        const struct check *check = &checks[i];
        run_probe(check, outcome);
        outcome->detail[PROBE_DETAIL - 1] = 0;
        if (outcome->result == 0) {
            printf("present  %s%s%s\n", check->name, outcome->detail[0] ? ": " : "", outcome->detail);
            continue;
        }
        check->need ? missing++ : weaker++;
        nested &= check->need != ALWAYS && check->probe != probe_landlock;
        printf("%s  %s: %s%s%s\n         lost: %s\n         to do: %s\n", check->need ? "MISSING" : "missing",
               check->name, strerror(-outcome->result), outcome->detail[0] ? ": " : "", outcome->detail,
               check->lost, check->remedy);
    }
    if (missing)
        printf("\nNo sandbox can be made here: %u necessary feature%s missing. %s\n", missing,
               missing == 1 ? " is" : "s are",
               nested ? "With --nested, which is weaker, one can." : "Nor can one with --nested.");
    else if (weaker)
        printf("\nA sandbox can be made here; %u feature%s missing.\n", weaker,
               weaker == 1 ? " is" : "s are");
    else
        printf("\nEverything is present.\n");
    return missing ? 1 : 0;
}

int check_main(int argc, char **argv)
{
    if (argc == 2)
        return check_host();
    if (argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
        puts("usage: sentry check\n\n"
             "Prints which features of the host's kernel are there, what is lost without each, and what to "
             "do about it.\n"
             "It has no options. Exit status: 0 when a sandbox can be made here, 1 when something necessary "
             "is missing.");
        return 0;
    }
    boot_say("usage: sentry check");
    return EXIT_SANDBOX;
}
