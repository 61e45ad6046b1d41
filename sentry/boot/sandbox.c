#include "sentry/boot/sandbox.h"
#include "abi/mutate.h"
#include "sentry/boot/config_codec.h"
#include "sentry/boot/fail.h"
#include "sentry/boot/kernel_process.h"
#include "sentry/boot/memory_file.h"
#include "sentry/boot/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534u

static int open_self(void)
{
    int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    return fd < 0 ? boot_fail("cannot open", "/proc/self/exe", errno, "mount /proc") : fd;
}

// The gofer program lies beside ours.
static int open_gofer(void)
{
    char path[PATH_MAX + 8];
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
    if (n < 0)
        return boot_fail("cannot read", "/proc/self/exe", errno, "mount /proc");
    path[n] = 0;
    char *slash = strrchr(path, '/');
    strcpy(slash ? slash + 1 : path, "gofer");
    int fd = open(path, O_PATH | O_CLOEXEC);
    return fd < 0 ? boot_fail("cannot open", path, errno, "install the gofer program beside sentry") : fd;
}

static int gofer_config_fd(const struct sandbox_spec *spec, int connection)
{
    size_t size = sizeof(struct gofer_config) + spec->nr_exports * sizeof(struct gofer_export);
    uint8_t *bytes = calloc(1, size);
    if (!bytes)
        return -ENOMEM;
    struct gofer_config head = {
        .magic = GOFER_CONFIG_MAGIC,
        .size = sizeof(struct gofer_config),
        .connection_fd = connection,
        .loop = spec->config.disabled_features & FEATURE_IO_URING ? GOFER_LOOP_POLL : GOFER_LOOP_AUTO,
        .owner = spec->gofer_owner,
        .capabilities = spec->gofer_capabilities,
        .waive = (spec->config.disabled_features & FEATURE_LANDLOCK ? GOFER_WAIVE_LANDLOCK : 0) |
                 (spec->config.nested ? GOFER_WAIVE_MOUNTS : 0),
        .parent_death = !mutated("parent-death"),
        .export_count = spec->nr_exports,
        .run_uid = UINT32_MAX,
        .run_gid = UINT32_MAX,
        .self_uid = spec->gofer_shows_root ? 0 : geteuid(),
        .self_gid = spec->gofer_shows_root ? 0 : getegid(),
    };
    memcpy(bytes, &head, sizeof(head));
    if (spec->nr_exports)
        memcpy(bytes + sizeof(head), spec->exports, spec->nr_exports * sizeof(struct gofer_export));
    int fd = memory_file_sealed("gofer-config", bytes, size, 0);
    free(bytes);
    return fd;
}

static int start_gofer(const struct sandbox_spec *spec, int program, int connection, struct sandbox *sandbox)
{
    int config = gofer_config_fd(spec, connection);
    if (config < 0)
        return boot_fail("cannot make the memory file of the Gofer's configuration", NULL, -config, NULL);
    char number[16];
    snprintf(number, sizeof(number), "%d", config);
    const char *const argv[] = {"gofer", "--files", "--config-fd", number, NULL};
    const int keep[] = {config, connection};
    bool mapped = spec->gofer_uid_map;
    const struct id_map own = {geteuid(), geteuid(), getegid(), getegid(), NULL, NULL};
    const struct id_map given = {.uid_text = spec->gofer_uid_map, .gid_text = spec->gofer_gid_map};
    bool root = (geteuid() == 0 && !mapped) || spec->config.nested;
    const struct spawn spawn = {
        .name = "gofer",
        .namespaces = spec->config.nested ? 0
                                          : CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                                                (root ? 0 : CLONE_NEWUSER),
        .map = root     ? NULL
               : mapped ? &given
                        : &own,
        .keep_capabilities = root || mapped ? 0 : 1ull << 21 /* SYS_ADMIN */ | 1ull << 8 /* SETPCAP */,
        .program = program,
        .argv = argv,
        .keep = keep,
        .nr_keep = 2,
        .cgroup = spec->cgroup,
    };
    pid_t pid = spawn_program(&spawn, &sandbox->gofer_pidfd);
    close(config);
    if (pid < 0)
        return pid;
    sandbox->gofer_pid = pid;
    return 0;
}

// The policy for gofer --net; -1 where there is none. 0 or -errno.
static int net_policy_fd(const struct sandbox_spec *spec, int *fd)
{
    *fd = -1;
    if (!spec->config.network_policy)
        return 0;
    int made = memory_file_sealed("network-policy", spec->net_rules->rule,
                                  spec->net_rules->count * sizeof(spec->net_rules->rule[0]), 0);
    *fd = made < 0 ? -1 : made;
    return made < 0 ? made : 0;
}

// In the caller's network namespace; everything else is its own.
static int start_net_gofer(const struct sandbox_spec *spec, int program, int connection,
                           struct sandbox *sandbox)
{
    char number[16], policy_number[16];
    const char *argv[9] = {"gofer", "--net", "--connection-fd", number};
    int words = 4, policy;
    int error = net_policy_fd(spec, &policy);
    if (error)
        return boot_fail("cannot make the memory file of the network policy", NULL, -error, NULL);
    snprintf(number, sizeof(number), "%d", connection);
    snprintf(policy_number, sizeof(policy_number), "%d", policy);
    if (spec->config.disabled_features & FEATURE_LANDLOCK) {
        argv[words++] = "--no-landlock";
        argv[words++] = "1";
    }
    if (policy >= 0) {
        argv[words++] = "--policy-fd";
        argv[words++] = policy_number;
    }
    const int keep[] = {connection, policy};
    const struct id_map map = {geteuid(), geteuid(), getegid(), getegid(), NULL, NULL};
    bool root = geteuid() == 0;
    const struct spawn spawn = {
        .name = "gofer --net",
        .namespaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (root ? 0 : CLONE_NEWUSER),
        .map = root ? NULL : &map,
        .keep_capabilities = root ? 0 : 1ull << 21 /* SYS_ADMIN */ | 1ull << 8 /* SETPCAP */,
        .program = program,
        .argv = argv,
        .keep = keep,
        .nr_keep = 2,
        .cgroup = spec->cgroup,
    };
    pid_t pid = spawn_program(&spawn, &sandbox->gofer_net_pidfd);
    if (policy >= 0)
        close(policy);
    if (pid < 0)
        return pid;
    sandbox->gofer_net_pid = pid;
    return 0;
}

// What the kernel process inherits.
struct kernel_channels {
    int gofer, gofer_net, control; // sockets
    int gofer_program;
};

// The standard streams of our own process are inherited anyway.
static int stream_to_keep(const struct sandbox_spec *spec, int i)
{
    return spec->stdio[i] > 2 ? spec->stdio[i] : -1;
}

static int begin_kernel(const struct sandbox_spec *spec, const struct kernel_channels *channels,
                        struct sandbox *sandbox, struct spawning *child)
{
    int config = memfd_create("sentry-config", MFD_CLOEXEC);
    if (config < 0)
        return boot_fail("cannot make the memory file of the configuration", NULL, errno, NULL);
    struct kernel_params params = {
        .control = channels->control,
        .gofer = channels->gofer,
        .gofer_net = channels->gofer_net,
        .gofer_program = channels->gofer_program,
        .log = spec->log,
        .strace = spec->strace,
        .stats = spec->stats,
        .stdio = {spec->stdio[0], spec->stdio[1], spec->stdio[2]},
        .monitor_pid = (uint32_t)getpid(),
        .waits = spec->waits,
    };
    for (unsigned i = 0; i < FILE_SERVERS_MAX; i++)
        params.servers[i] = i < spec->nr_servers ? spec->servers[i] : -1;
    int error = config_write(config, &spec->config, &params);
    int program = error ? -1 : open_self();
    if (error || program < 0) {
        close(config);
        return error ? boot_fail("cannot write the configuration", NULL, -error, NULL) : program;
    }
    char number[16];
    snprintf(number, sizeof(number), "%d", config);
    const char *const argv[] = {KERNEL_PROCESS_NAME, number, NULL};
    int keep[11 + FILE_SERVERS_MAX] = {config,
                                       channels->control,
                                       channels->gofer,
                                       channels->gofer_net,
                                       channels->gofer_program,
                                       spec->log,
                                       spec->strace,
                                       spec->stats,
                                       stream_to_keep(spec, 0),
                                       stream_to_keep(spec, 1),
                                       stream_to_keep(spec, 2)};
    for (unsigned i = 0; i < FILE_SERVERS_MAX; i++)
        keep[11 + i] = params.servers[i];
    bool root = geteuid() == 0, nested = spec->config.nested;
    const struct id_map map = {nested && !root ? geteuid() : NOBODY,
                               root ? NOBODY : geteuid(),
                               nested && !root ? getegid() : NOBODY,
                               root ? NOBODY : getegid(),
                               NULL,
                               NULL};
    const struct spawn spawn = {
        .name = "the kernel process",
        .namespaces =
            nested ? 0
                   : CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWCGROUP |
                         (mutated("kernel-namespaces") ? 0 : CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS),
        .map = &map,
        .host_ids = nested,
        .keep_capabilities =
            nested ? 0 : 1ull << 21 /* SYS_ADMIN */ | 1ull << 24 /* SYS_RESOURCE */ | 1ull << 8 /* SETPCAP */,
        .program = program,
        .argv = argv,
        .keep = keep,
        .nr_keep = sizeof(keep) / sizeof(keep[0]),
        .cgroup = spec->cgroup,
    };
    error = spawn_begin(&spawn, child);
    close(program);
    close(config);
    if (error)
        return error;
    sandbox->kernel_pid = child->pid;
    sandbox->kernel_pidfd = child->pidfd;
    return 0;
}

static int finish_kernel(struct sandbox *sandbox, struct spawning *child)
{
    int error = spawn_finish(child);
    if (error)
        sandbox->kernel_pid = sandbox->kernel_pidfd = -1;
    return error;
}

int sandbox_start(const struct sandbox_spec *spec, struct sandbox *sandbox)
{
    *sandbox = (struct sandbox){.control = -1,
                                .kernel_pid = -1,
                                .gofer_pid = -1,
                                .gofer_net_pid = -1,
                                .kernel_pidfd = -1,
                                .gofer_pidfd = -1,
                                .gofer_net_pidfd = -1};
    int channel[2] = {-1, -1}, control[2] = {-1, -1}, network[2] = {-1, -1};
    struct spawning kernel;
    int error = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0 ||
        (spec->config.network_host && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, network) < 0))
        error = boot_fail("cannot make a socket pair", NULL, errno, NULL);
    int gofer_program = error ? -1 : open_gofer();
    if (!error && gofer_program < 0)
        error = gofer_program;
    const struct kernel_channels ours = {
        .gofer = channel[1], .gofer_net = network[1], .control = control[1], .gofer_program = gofer_program};
    if (!error) // first: it takes longest, and asks the Gofers when its jail is closed
        error = begin_kernel(spec, &ours, sandbox, &kernel);
    if (!error)
        error = start_gofer(spec, gofer_program, channel[0], sandbox);
    if (!error && spec->config.network_host)
        error = start_net_gofer(spec, gofer_program, network[0], sandbox);
    if (!error)
        error = finish_kernel(sandbox, &kernel);
    sandbox->control = control[0];
    const int done[] = {gofer_program, channel[0], channel[1], control[1], network[0], network[1]};
    for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++)
        if (done[i] >= 0)
            close(done[i]);
    if (error)
        sandbox_kill(sandbox);
    return error;
}

static void kill_and_wait(pid_t *pid, int *pidfd)
{
    if (*pid <= 0)
        return;
    kill(*pid, SIGKILL);
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *pid = -1;
    close(*pidfd);
    *pidfd = -1;
}

void sandbox_kill(struct sandbox *sandbox)
{
    kill_and_wait(&sandbox->kernel_pid, &sandbox->kernel_pidfd);
    kill_and_wait(&sandbox->gofer_pid, &sandbox->gofer_pidfd);
    kill_and_wait(&sandbox->gofer_net_pid, &sandbox->gofer_net_pidfd);
    if (sandbox->control >= 0)
        close(sandbox->control);
    sandbox->control = -1;
}
