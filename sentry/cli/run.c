#include "sentry/cli/run.h"
#include "abi/mutate.h"
#include "sentry/boot/cgroup.h"
#include "sentry/boot/debug_socket.h"
#include "sentry/boot/fail.h"
#include "sentry/boot/jail.h"
#include "sentry/boot/monitor.h"
#include "sentry/boot/nested.h"
#include "sentry/boot/sandbox.h"
#include "sentry/cli/root.h"
#include "sentry/mm/process_vm.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_TASKS 4096

// Closed streams stay closed for the program; here /dev/null holds their numbers.
static int check_streams(struct sandbox_spec *spec)
{
    static const char *const names[3] = {"standard input", "standard output", "standard error"};
    for (int fd = 0; fd < 3; fd++) {
        struct stat st;
        spec->stdio[fd] = fd;
        if (fstat(fd, &st) < 0) {
            spec->stdio[fd] = -1;
            if (open("/dev/null", O_RDWR) != fd)
                return boot_fail("cannot open", "/dev/null", errno, NULL);
        } else if (S_ISDIR(st.st_mode)) {
            return boot_fail("a directory cannot be", names[fd], EISDIR, "redirect it from a file");
        }
        spec->config.stdio_tty[fd] = spec->stdio[fd] >= 0 && isatty(fd);
    }
    return 0;
}

// Opens where a log goes: a file, or a copy of standard error.
static int open_output(const char *option, const char *file, bool append, int standard_error, int *fd)
{
    if (file)
        *fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (append ? O_APPEND : O_TRUNC), 0666);
    else
        *fd = standard_error < 0 ? -1 : fcntl(standard_error, F_DUPFD_CLOEXEC, 3);
    return *fd < 0 && file ? boot_fail(option, file, errno, NULL) : 0;
}

static int open_outputs(const struct options *options, struct sandbox_spec *spec)
{
    spec->log = spec->strace = spec->stats = -1;
    int error = open_output("--log: cannot open", options->log_file, true, spec->stdio[2], &spec->log);
    if (!error && options->strace)
        error =
            open_output("--strace: cannot open", options->strace_file, false, spec->stdio[2], &spec->strace);
    if (!error && options->stats)
        error = open_output("--stats: cannot open", options->stats_file, false, spec->stdio[2], &spec->stats);
    return error;
}

// Connects to the file servers that the caller named, with the caller's rights.
static int connect_servers(const struct options *options, struct sandbox_spec *spec)
{
    if (options->nr_servers > FILE_SERVERS_MAX)
        return boot_fail("--mount-9p: too many servers", NULL, E2BIG, NULL);
    for (size_t i = 0; i < options->nr_servers; i++) {
        const char *path = options->servers[i].socket;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        if (strlen(path) >= sizeof(address.sun_path))
            return boot_fail("--mount-9p: cannot use", path, ENAMETOOLONG, NULL);
        strcpy(address.sun_path, path);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
            return boot_fail("--mount-9p: cannot connect to", path, errno,
                             "a server of 9P2000.L must listen there");
        spec->servers[spec->nr_servers++] = fd;
    }
    return 0;
}

// The environment of the caller, changed by --clear-env and --env.
static char **plan_environment(const struct options *options)
{
    size_t inherited = 0;
    while (!options->clear_environment && environ[inherited])
        inherited++;
    char **list = calloc(inherited + options->nr_environment + 1, sizeof(*list));
    if (!list)
        return NULL;
    size_t used = 0;
    for (; used < inherited; used++)
        list[used] = environ[used];
    for (size_t i = 0; i < options->nr_environment; i++) {
        char *entry = options->environment[i];
        size_t name = strcspn(entry, "=");
        size_t at = 0;
        while (at < used && (strncmp(list[at], entry, name) != 0 || list[at][name] != '='))
            at++;
        if (entry[name]) {
            list[at] = entry;
            used += at == used;
        } else if (at < used) {
            memmove(&list[at], &list[at + 1], (used - at) * sizeof(*list));
            used--;
        }
    }
    list[used] = NULL;
    return list;
}

static int plan_user(const struct options *options, struct sentry_config *config)
{
    config->umask = umask(022);
    umask(config->umask);
    config->nice = getpriority(PRIO_PROCESS, 0);
    if (options->user_given) {
        config->uid = options->uid;
        config->gid = options->gid;
        return 0;
    }
    config->uid = getuid();
    config->gid = getgid();
    int n = getgroups(0, NULL);
    gid_t *groups = n > 0 ? calloc((size_t)n, sizeof(*groups)) : NULL;
    if (n > 0 && !groups)
        return boot_fail("cannot read the caller's groups", NULL, ENOMEM, NULL);
    n = n > 0 ? getgroups(n, groups) : n;
    if (n < 0)
        return boot_fail("cannot read the caller's groups", NULL, errno, NULL);
    config->groups = groups;
    config->nr_groups = (size_t)n;
    return 0;
}

// What a program inherits besides: limits, and signals that are ignored (nohup).
static void plan_inherited(struct sentry_config *config)
{
    for (int i = 0; i < CONFIG_LIMITS; i++) {
        struct rlimit limit;
        if (getrlimit((__rlimit_resource_t)i, &limit) == 0)
            config->limits[i] = (struct limit_config){limit.rlim_cur, limit.rlim_max},
            config->limits_given |= 1u << i;
    }
    for (int sig = 1; sig < NSIG; sig++) {
        struct sigaction action;
        if (sigaction(sig, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            config->ignored_signals |= 1ull << (sig - 1);
    }
}

static void say_waived(int log, const char *text)
{
    ssize_t unused = log >= 0 ? write(log, text, strlen(text)) : 0;
    (void)unused;
}

// Whoever gives up a protection by name is told what it was. In the log, which may lead to a file.
static void report_waived(const struct options *options, uint64_t disabled, int log)
{
    if (disabled & FEATURE_LANDLOCK)
        say_waived(log,
                   "sentry: waived by --disable-feature landlock: the second layer of invariants 3 and 5 "
                   "(guests, the kernel "
                   "process and the Gofer are held by namespaces, an empty root and their filters alone)\n");
    if (options->nested)
        say_waived(
            log,
            "sentry: waived by --nested: invariant 3 in part (guests and the kernel process are in the "
            "container's namespaces "
            "and root, where Landlock lets them open nothing), invariant 5 in part (what is read-only is so "
            "by the Gofer's "
            "check, not by a mount), invariant 7 in part (no pid namespace: a guard kills what remains)\n");
    if (disabled & FEATURE_PROCESS_VM)
        say_waived(log, "sentry: waived without process_vm_readv: invariant 4 in part (the kernel process "
                        "holds a descriptor of "
                        "/proc/PID/mem for each guest's memory)\n");
}

static bool may_take_descriptors(void)
{
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int copy = self < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, self, self, 0);
    if (copy >= 0)
        close(copy);
    if (self >= 0)
        close(self);
    return copy >= 0;
}

static bool only_parents_trace(void)
{
    char scope = '0';
    int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool restricted = read(fd, &scope, 1) == 1 && scope != '0';
    close(fd);
    return restricted;
}

// What the profile around us refuses, and --nested can do without.
static int plan_nested(const struct options *options, struct sentry_config *config)
{
    config->nested = options->nested;
    if (!config->nested)
        return 0;
    if (config->disabled_features & FEATURE_LANDLOCK)
        return boot_fail("--nested needs Landlock, which is all that keeps guests from the container's files",
                         NULL, EINVAL, NULL);
    if (options->network == NETWORK_HOST || options->owners_set)
        return boot_fail("--nested goes with neither --network host nor --owners set", NULL, EINVAL, NULL);
    if (!may_take_descriptors())
        config->disabled_features |= FEATURE_PIDFD_GETFD;
    if (process_vm_check())
        config->disabled_features |= FEATURE_PROCESS_VM;
    if (config->disabled_features & FEATURE_PROCESS_VM && only_parents_trace())
        return boot_fail("--nested cannot reach the memory of guests", NULL, EPERM,
                         "start the container with --cap-add=SYS_PTRACE, or set the host's sysctl "
                         "kernel.yama.ptrace_scope to 0");
    return 0;
}

static int plan(const struct options *options, struct sandbox_spec *spec)
{
    struct sentry_config *config = &spec->config;
    struct root_plan root;
    int error = check_streams(spec);
    if (!error)
        error = open_outputs(options, spec);
    config->disabled_features = options->disabled_features;
    if (!error)
        error = plan_nested(options, config);
    if (!error)
        report_waived(options, config->disabled_features, spec->log);
    if (!error)
        error = plan_user(options, config);
    if (!error)
        error = connect_servers(options, spec);
    if (!error)
        error = root_plan(options, &root);
    if (error)
        return error;
    plan_inherited(config);
    static char hostname[65];
    if (gethostname(hostname, sizeof(hostname) - 1) < 0 || !hostname[0])
        strcpy(hostname, "sentry");
    static char no_domain[] = "(none)";
    config->argv = options->argv;
    config->envp = plan_environment(options);
    if (!config->envp)
        return boot_fail("cannot copy the environment", NULL, ENOMEM, NULL);
    config->cwd = root.cwd;
    config->hostname = options->hostname ? options->hostname : hostname;
    config->domainname = no_domain;
    config->mounts = root.mounts;
    config->nr_mounts = root.nr_mounts;
    config->links = root.links;
    config->nr_links = root.nr_links;
    config->memory_limit = options->memory;
    config->cpus = (unsigned)((options->cpus_milli + 999) / 1000);
    config->max_tasks = options->pids ? options->pids : DEFAULT_TASKS;
    config->network_host = options->network == NETWORK_HOST;
    config->network_policy = options->net_rules.given;
    spec->net_rules = &options->net_rules;
    config->strace = options->strace;
    config->stats = options->stats;
    config->log_level = options->log_level;
    config->server_uid = geteuid();
    spec->exports = root.exports;
    spec->nr_exports = root.nr_exports;
    spec->gofer_owner = geteuid() == 0 ? GOFER_OWNER_SELF : GOFER_OWNER_SINGLE;
    if (options->owners_set) {
        if (geteuid() != 0)
            return boot_fail("--owners set: cannot give files to others", NULL, EPERM,
                             "start the sandbox as root");
        spec->gofer_owner = GOFER_OWNER_SET;
        spec->gofer_capabilities = GOFER_CAP_ALL;
    }
    return 0;
}

static int start_and_monitor(const struct options *options, const struct sandbox_spec *spec)
{
    struct sandbox sandbox;
    struct nested_guard guard;
    (void)jail_forbid_core(); // root may raise a hard limit of 0 here, and not later
    if (sandbox_start(spec, &sandbox))
        return EXIT_SANDBOX;
    const pid_t session = sandbox.kernel_pid;
    if (options->nested && nested_guard_start(session, &guard)) {
        sandbox_kill(&sandbox);
        return EXIT_SANDBOX;
    }
    const int outputs[] = {spec->log, spec->strace, spec->stats};
    for (size_t i = 0; i < 3; i++)
        if (outputs[i] >= 0)
            close(outputs[i]);
    for (unsigned i = 0; i < spec->nr_servers; i++)
        close(spec->servers[i]);
    int debug_listener = debug_listen(); // a sandbox that cannot be asked still runs
    if (monitor_drop_privileges()) {
        sandbox_kill(&sandbox);
        return EXIT_SANDBOX;
    }
    const struct monitor_options monitor = {
        .debug_listener = debug_listener < 0 ? -1 : debug_listener,
        .timeout_ns = options->timeout_ns,
    };
    int status = monitor_run(&sandbox, &monitor);
    if (options->nested)
        nested_end(session, &guard);
    return status;
}

int run_sandbox(const struct options *options)
{
    // Nothing that the caller left open reaches any process of the sandbox.
    if (!mutated("descriptors") && close_range(3, ~0u, 0) < 0) {
        (void)boot_fail("cannot close inherited descriptors", NULL, errno, NULL);
        return EXIT_SANDBOX;
    }
    struct sandbox_spec spec = {0};
    if (plan(options, &spec) || monitor_prepare())
        return EXIT_SANDBOX;
    const struct cgroup_limits limits = {.memory = options->memory, .cpus_milli = options->cpus_milli};
    struct cgroup cgroup = {.keeper = -1, .keeper_pipe = -1};
    if (limits.memory || limits.cpus_milli) {
        if (cgroup_make(&limits, &cgroup))
            return EXIT_SANDBOX;
        spec.cgroup = &cgroup;
    }
    int status = start_and_monitor(options, &spec);
    cgroup_end(&cgroup);
    return status;
}
