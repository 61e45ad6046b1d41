#include "sentry/boot/kernel_process.h"
#include "abi/mutate.h"
#include "seccomp_programs.h"
#include "sentry/boot/config_codec.h"
#include "sentry/boot/control_kernel.h"
#include "sentry/boot/fail.h"
#include "sentry/boot/jail.h"
#include "sentry/boot/lock_down.h"
#include "sentry/boot/memory_file.h"
#include "sentry/boot/spawn.h"
#include "sentry/boot/zygote.h"
#include "sentry/core/log.h"
#include "sentry/stub/image.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GUEST_OOM_RAISE 300 // how much sooner than the Sentry a guest is chosen by the host's OOM killer
#define OOM_SCORE_MAX 1000

// A sanitizer build is linked dynamically: gofer --proc starts while there is a root to find its libraries in, keeps that in
// a mount namespace of its own, and is outside of the Landlock domains.
#ifdef SENTRY_SANITIZED
#define GOFER_NEEDS_LIBRARIES true
#else
#define GOFER_NEEDS_LIBRARIES false
#endif

// Everything opened below /proc before Landlock closes it.
struct proc_files {
    int root; // a proc of our pid namespace
    int oom_score_adj;
    int namespace_limits[8];
};

static const char *const namespace_limits[8] = {
    "sys/user/max_user_namespaces",   "sys/user/max_pid_namespaces",  "sys/user/max_mnt_namespaces",
    "sys/user/max_net_namespaces",    "sys/user/max_ipc_namespaces",  "sys/user/max_uts_namespaces",
    "sys/user/max_cgroup_namespaces", "sys/user/max_time_namespaces",
};

static int open_proc_files(struct proc_files *proc, bool nested)
{
    proc->root = nested ? open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC) : jail_proc_mount();
    if (proc->root < 0)
        return nested ? boot_fail("cannot open", "/proc", errno, NULL)
                      : boot_fail("cannot mount /proc for the sandbox", NULL, -proc->root,
                                  "inside a container use one whose /proc is not masked, or --nested");
    proc->oom_score_adj = openat(proc->root, "self/oom_score_adj", O_RDWR | O_CLOEXEC);
    if (proc->oom_score_adj < 0)
        return boot_fail("cannot open", "/proc/self/oom_score_adj", errno, NULL);
    for (int i = 0; i < 8 && !nested; i++) {
        proc->namespace_limits[i] = openat(proc->root, namespace_limits[i], O_WRONLY | O_CLOEXEC);
        if (proc->namespace_limits[i] < 0)
            return boot_fail("cannot open /proc/", namespace_limits[i], errno, NULL);
    }
    return 0;
}

static int write_number(int fd, int number)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d", number);
    return pwrite(fd, text, (size_t)n, 0) < 0 ? -errno : 0;
}

static int read_number(int fd)
{
    char text[16] = "";
    return pread(fd, text, sizeof(text) - 1, 0) < 0 ? 0 : atoi(text);
}

// No namespace of any kind can be made in our user namespace from here on.
static int forbid_namespaces(struct proc_files *proc)
{
    for (int i = 0; i < 8; i++) {
        int error = mutated("namespace-limits") ? 0 : write_number(proc->namespace_limits[i], 0);
        if (error)
            return boot_fail("cannot write /proc/", namespace_limits[i], -error, NULL);
        close(proc->namespace_limits[i]);
    }
    return 0;
}

// The zygote inherits a higher score; ours goes back to what it was.
static int start_zygote(const struct sentry_config *config, const struct proc_files *proc, int image,
                        struct zygote *z)
{
    bool ask = config->strace || (config->seccomp.length && !config->seccomp.native_rows);
    const struct seccomp_program *program = ask ? &filter_guest_trace : &filter_guest;
    int score = read_number(proc->oom_score_adj);
    int raised = score + GUEST_OOM_RAISE > OOM_SCORE_MAX ? OOM_SCORE_MAX : score + GUEST_OOM_RAISE;
    int error = write_number(proc->oom_score_adj, mutated("oom") ? score : raised);
    const struct zygote_plan plan = {
        .image = image,
        .filter = program->code,
        .instructions = program->length,
        .killable = !(config->disabled_features & FEATURE_WAIT_KILLABLE),
        .landlock = !(config->disabled_features & FEATURE_LANDLOCK),
        .shared = config->disabled_features & FEATURE_PIDFD_GETFD,
        .nested = config->nested,
    };
    if (!error)
        error = zygote_start(&plan, z);
    else
        (void)boot_fail("cannot raise the OOM score of guests", NULL, -error, NULL);
    if (!error) {
        error = write_number(proc->oom_score_adj, score);
        if (error)
            (void)boot_fail("cannot restore the OOM score", NULL, -error, NULL);
    }
    return error;
}

// A monitor that died before PR_SET_PDEATHSIG was in force has closed its end.
static int follow_monitor(int control)
{
    if (!mutated("parent-death") && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return boot_fail("cannot follow the monitor", NULL, errno, NULL);
    struct pollfd peer = {.fd = control, .events = POLLIN};
    if (poll(&peer, 1, 0) > 0 && (peer.revents & (POLLHUP | POLLERR)))
        return -ESRCH;
    return 0;
}

static bool core_handler_stays; // said once the log is open

// Does the host pipe core dumps into a program?
static bool has_core_handler(int proc)
{
    char first = 0;
    int fd = openat(proc, "sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
    bool pipes = fd < 0 || (read(fd, &first, 1) == 1 && first == '|');
    if (fd >= 0)
        close(fd);
    return pipes;
}

static int enter_jail(const struct sentry_config *config, int gofer_program, struct proc_files *proc)
{
    if (!mutated("session") && setsid() < 0)
        return boot_fail("cannot start a session", NULL, errno, NULL);
    if (signal(SIGCHLD, SIG_IGN) == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return boot_fail("cannot set signal dispositions", NULL, errno, NULL);
    int error = jail_raise_nofile();
    if (!error)
        error = jail_forbid_core();
    bool no_limit = error == 1;
    if (error < 0)
        return boot_fail("cannot set limits", NULL, -error, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return boot_fail("cannot set no_new_privs", NULL, errno, NULL);
    error = jail_empty_keyring();
    if (error &&
        !(config->nested && error == -EPERM)) // a container's profile refuses keyrings, to guests too
        return boot_fail("cannot join an empty session keyring", NULL, -error,
                         error == -EDQUOT ? "raise the sysctl kernel.keys.maxkeys" : NULL);
    // Guests whose parent has ended become ours, and are reaped.
    if (config->nested && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return boot_fail("cannot become the reaper of guests", NULL, errno, NULL);
    error = open_proc_files(proc, config->nested);
    if (error)
        return error;
    core_handler_stays = no_limit && has_core_handler(proc->root);
    return 0;
}

// The root goes, then what Landlock still leaves open.
static int close_root(const struct sentry_config *config, int gofer_program, const struct proc_files *proc)
{
    int error = config->nested ? 0 : jail_empty_root();
    if (error)
        return boot_fail("cannot make an empty root", NULL, -error, "see `sentry check`");
    if (config->disabled_features & FEATURE_LANDLOCK)
        return 0;
    const struct jail_allowed outer = {.execute = true,
                                       .directory = proc->root,
                                       .write = config->disabled_features & FEATURE_PROCESS_VM,
                                       .file = gofer_program};
    error = jail_landlock(&outer);
    if (error)
        return boot_fail(
            "cannot enter a Landlock domain", NULL, -error,
            "boot the host with lsm=landlock,... or give up that layer with --disable-feature landlock");
    return 0;
}

// gofer --proc stays in the outer Landlock domain, which encloses those of the guests: only so procfs shows
// it their files.
static int start_proc_gofer(const struct sentry_config *config, int program, int proc, int *connection,
                            struct spawning *child)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return boot_fail("cannot make a socket pair", NULL, errno, NULL);
    char numbers[4][16];
    snprintf(numbers[0], sizeof(numbers[0]), "%d", pair[1]);
    snprintf(numbers[1], sizeof(numbers[1]), "%d", proc);
    // Where others are in our pid namespace, those of our session are guests.
    snprintf(numbers[2], sizeof(numbers[2]), "%d", config->disabled_features & FEATURE_PROCESS_VM ? 1 : 0);
    snprintf(numbers[3], sizeof(numbers[3]), "%d", config->nested ? (int)getpid() : 0);
    const char *const argv[] = {"gofer",    "--proc",   "--connection-fd", numbers[0],  "--proc-fd",
                                numbers[1], "--memory", numbers[2],        "--session", numbers[3],
                                NULL};
    const int keep[] = {pair[1], proc};
    const struct spawn spawn = {
        .name = "gofer --proc",
        .namespaces = GOFER_NEEDS_LIBRARIES && !config->nested ? CLONE_NEWNS : 0,
        .program = program,
        .argv = argv,
        .keep = keep,
        .nr_keep = 2,
    };
    int error = spawn_begin(&spawn, child);
    close(pair[1]);
    if (error)
        close(pair[0]);
    else
        *connection = pair[0];
    return error;
}

// Its exec has had time while the zygote was started.
static int finish_proc_gofer(struct spawning *child)
{
    int error = spawn_finish(child);
    if (!error)
        close(child->pidfd);
    return error;
}

static int close_jail(const struct sentry_config *config)
{
    if (config->disabled_features & FEATURE_LANDLOCK)
        return 0;
    int error = jail_landlock(NULL);
    return error ? boot_fail("cannot enter the inner Landlock domain", NULL, -error, NULL) : 0;
}

// Closes what the kernel does not use, so that a taken-over Sentry finds only what boot_fds names.
static void keep_only(const struct boot_fds *fds)
{
    int keep[14 + FILE_SERVERS_MAX] = {fds->gofer_net,    fds->listener,    fds->gofer,   fds->gofer_proc,
                                       fds->zygote_pidfd, fds->guest_pidns, fds->control, fds->stdio[0],
                                       fds->stdio[1],     fds->stdio[2],    fds->log,     fds->strace,
                                       fds->stats,        fds->stub_image};
    memcpy(keep + 14, fds->servers, sizeof(fds->servers));
    int from = 0;
    for (;;) {
        int next = INT32_MAX;
        for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++) {
            if (keep[i] >= from && keep[i] < next)
                next = keep[i];
        }
        if (next > from && !mutated("descriptors"))
            close_range((unsigned)from, next == INT32_MAX ? ~0u : (unsigned)next - 1, 0);
        if (next == INT32_MAX)
            return;
        from = next + 1;
    }
}

int kernel_process_main(int argc, char **argv)
{
    static struct sentry_config config;
    static struct boot_fds fds;
    struct kernel_params params;
    int config_fd = argc == 2 ? atoi(argv[1]) : -1;
    int error = config_fd < 3 ? -EINVAL : config_read(config_fd, &config, &params);
    if (error) {
        (void)boot_fail("cannot read the configuration of the kernel process", NULL, -error,
                        "start the sandbox with `sentry`");
        return EXIT_SANDBOX;
    }
    close(config_fd);
    struct proc_files proc = {.root = -1, .oom_score_adj = -1};
    struct zygote zygote = {.listener = -1};
    struct spawning proc_gofer;
    int proc_connection = -1;
    int image = config.nested ? memory_file_sealed("stub", stub_image_nested, stub_image_nested_size, 1)
                              : memory_file_sealed("stub", stub_image, stub_image_size, 1);
    if (image < 0)
        error = boot_fail("cannot make the memory file of the stub", NULL, -image, NULL);
    if (!error)
        error = follow_monitor(params.control);
    if (!error)
        error = enter_jail(&config, params.gofer_program, &proc);
    if (!error && GOFER_NEEDS_LIBRARIES)
        error = start_proc_gofer(&config, params.gofer_program, proc.root, &proc_connection, &proc_gofer);
    if (!error)
        error = close_root(&config, params.gofer_program, &proc);
    if (!error && !GOFER_NEEDS_LIBRARIES)
        error = start_proc_gofer(&config, params.gofer_program, proc.root, &proc_connection, &proc_gofer);
    if (!error)
        error = close_jail(&config);
    if (!error)
        error = start_zygote(&config, &proc, image, &zygote);
    if (!error)
        error = finish_proc_gofer(&proc_gofer);
    if (!error && !config.nested)
        error = forbid_namespaces(&proc);
    if (!error && (error = config.nested ? jail_clear_capabilities() : jail_drop_capabilities()) != 0)
        (void)boot_fail("cannot drop capabilities", NULL, -error, NULL);
    if (!error && !mutated("dumpable") && prctl(PR_SET_DUMPABLE, 0) < 0)
        error = boot_fail("cannot become undumpable", NULL, errno, NULL);
    if (error)
        return EXIT_SANDBOX;
    fds = (struct boot_fds){.listener = zygote.listener,
                            .gofer = params.gofer,
                            .gofer_net = params.gofer_net,
                            .gofer_proc = proc_connection,
                            .zygote_pidfd = zygote.pidfd,
                            .guest_pidns = zygote.guest_pidns,
                            .control = params.control,
                            .stdio = {params.stdio[0], params.stdio[1], params.stdio[2]},
                            .log = params.log,
                            .strace = params.strace,
                            .stats = params.stats,
                            .stub_image = image};
    memcpy(fds.servers, params.servers, sizeof(fds.servers));
    keep_only(&fds);
    log_open(fds.log, (enum log_level)config.log_level);
    if (core_handler_stays)
        log_warn("the limit of core dumps is 0 and cannot be raised to 1: a core handler of the host may see "
                 "guests that die");
    if (params.waits && (error = control_wait_for_go(fds.control)) != 0) {
        log_error("the monitor did not let the kernel process go on: %s", strerror(-error));
        return EXIT_SANDBOX;
    }
    lock_down_prepare(fds.log, config.network_host && !config.network_policy);
    kernel_main(&config, &fds, lock_down);
}
