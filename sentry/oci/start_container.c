#include "sentry/oci/start_container.h"
#include "sentry/oci/annotations.h"
#include "sentry/oci/client.h"
#include "sentry/oci/console.h"
#include "sentry/oci/hooks.h"
#include "sentry/oci/pid_file.h"
#include "sentry/oci/preserve.h"
#include "sentry/oci/report.h"
#include "sentry/oci/supervise.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void container_state(const struct container *c, enum container_status status, struct oci_state *state)
{
    *state = (struct oci_state){.id = c->id,
                                .status = container_status_name(status),
                                .pid = status == CONTAINER_STOPPED ? 0 : c->pid,
                                .bundle = c->bundle,
                                .annotations = c->annotations,
                                .nr_annotations = c->nr_annotations};
}

static int load_bundle(const struct create_options *options, struct container *c, struct oci_config *config,
                       struct oci_error *error)
{
    char *text;
    size_t length;
    if (!realpath(options->bundle ? options->bundle : ".", c->bundle))
        return oci_fail_errno(error, errno, "--bundle %s", options->bundle);
    int dir = open(c->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = dir < 0 ? -errno : read_file_at(dir, "config.json", JSON_BYTES_MAX, &text, &length);
    if (dir >= 0)
        close(dir);
    if (failed == -ENOENT)
        return oci_fail(error, ENOENT, "JSON specification file config.json not found");
    if (failed)
        return oci_fail_errno(error, -failed, "cannot read %s/config.json", c->bundle);
    failed = oci_config_parse(text, length, config, error);
    if (failed)
        oci_error_prefix(error, "%s/config.json", c->bundle);
    else
        failed = container_write(c, "config.json", text, length, error);
    free(text);
    return failed;
}

static void describe(struct container *c, const struct oci_config *config, const struct oci_plan *plan)
{
    time_t now = time(NULL);
    struct tm utc;
    strftime(c->created, sizeof(c->created), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    snprintf(c->rootfs, sizeof(c->rootfs), "%s", plan->rootfs);
    c->owner = geteuid();
    c->annotations = config->annotations;
    c->nr_annotations = config->nr_annotations;
    c->status = CONTAINER_CREATING;
}

static enum oci_cgroup_need need_for_cgroups(const struct oci_globals *globals)
{
    if (globals->cgroup_manager && strcmp(globals->cgroup_manager, "disabled") == 0)
        return OCI_CGROUP_DISABLED;
    if (geteuid() != 0 || getenv("_CONTAINERS_USERNS_CONFIGURED") || getenv("_CONTAINERS_ROOTLESS_UID"))
        return OCI_CGROUP_IF_POSSIBLE;
    return OCI_CGROUP_REQUIRED;
}

// Whoever comes after a command that is killed here finds out from the state what there may be.
static int make_cgroups(struct container *c, enum oci_cgroup_need need, const struct oci_config *config,
                        struct oci_error *error)
{
    bool fresh = true;
    int failed = container_save(c, error);
    if (!failed)
        failed = oci_cgroup_create(&c->cgroup, need, config->resources, &fresh, error);
    c->cgroup_shared = !fresh;
    return failed;
}

// Hooks must find the monitor in its groups, and come before the sandbox is built. Without them nothing needs to wait for the
// groups, whose first process the host moves only after some milliseconds. An ordinary user may move none of another user.
static bool may_join_late(const struct container *c, enum oci_cgroup_need need,
                          const struct oci_config *config)
{
    return need == OCI_CGROUP_REQUIRED && c->cgroup.layout != OCI_CGROUP_NONE &&
           !config->hooks[OCI_HOOK_PRESTART].count && !config->hooks[OCI_HOOK_CREATE_RUNTIME].count &&
           !config->hooks[OCI_HOOK_CREATE_CONTAINER].count;
}

// The standard streams of the program: a terminal of the engine, our own terminal, or ours as they are.
static int plan_streams(const struct create_options *options, const struct oci_process *process,
                        struct sandbox_spec *spec, int *terminal, struct oci_error *error)
{
    *terminal = -1;
    if (process->terminal && options->console_socket) {
        int failed = console_make(options->console_socket, process, terminal, error);
        for (int fd = 0; fd < 3 && !failed; fd++) {
            spec->stdio[fd] = fcntl(*terminal, F_DUPFD_CLOEXEC, 3); // each is taken over by itself
            if (spec->stdio[fd] < 0)
                failed = oci_fail_errno(error, errno, "cannot duplicate the terminal");
        }
        return failed;
    }
    if (options->console_socket)
        return oci_fail(error, EINVAL, "--console-socket needs process.terminal");
    if (process->terminal && (!options->run || options->detach))
        return oci_fail(error, EINVAL, "process.terminal needs --console-socket here");
    for (int fd = 0; fd < 3; fd++)
        spec->stdio[fd] = fcntl(fd, F_GETFD) >= 0 ? fd : -1;
    if (process->terminal && !isatty(0))
        return oci_fail(error, EINVAL, "process.terminal: standard input is no terminal");
    for (int fd = 0; fd < 3; fd++)
        spec->config.stdio_tty[fd] = spec->stdio[fd] >= 0 && isatty(fd);
    return 0;
}

static int run_hooks(const struct container *c, const struct oci_config *config, enum oci_hook_kind kind,
                     struct oci_error *error)
{
    struct oci_state state;
    container_state(c, CONTAINER_CREATING, &state);
    const struct oci_hook_run run = {.state = &state};
    return oci_hooks_run(&config->hooks[kind], kind, &run, error);
}

static int tell_monitor(int sync, enum sync_kind kind, struct oci_error *error)
{
    return sync_send(sync, kind, "") ? oci_fail(error, ECHILD, "the container's monitor has ended") : 0;
}

static int join_then_build(const struct container *c, const struct oci_config *config, int sync,
                           struct oci_error *error)
{
    int failed = container_save(c, error);
    if (!failed && c->cgroup.layout != OCI_CGROUP_NONE)
        failed = oci_cgroup_add(&c->cgroup, &c->pid, 1, error);
    if (!failed)
        failed = tell_monitor(sync, SYNC_BEGIN, error);
    if (!failed)
        failed = sync_wait(sync, SYNC_ENTERED, error);
    if (!failed)
        failed = run_hooks(c, config, OCI_HOOK_PRESTART, error);
    if (!failed)
        failed = run_hooks(c, config, OCI_HOOK_CREATE_RUNTIME, error);
    return failed ? failed : tell_monitor(sync, SYNC_GO, error);
}

#define FAMILY_MAX 16 // the monitor, its Gofers, the kernel process, and what that has started

// Who has been moved. What such a process starts is where it is.
struct family {
    pid_t pids[FAMILY_MAX];
    size_t count;
};

// Moves those who have come since the last time.
static int move_family(const struct container *c, struct family *moved, struct oci_error *error)
{
    pid_t now[FAMILY_MAX], new[FAMILY_MAX];
    size_t fresh = 0;
    int count = container_family(c, now, FAMILY_MAX);
    if (count < 0)
        return oci_fail_errno(error, -count, "cannot list the processes of the sandbox");
    for (int i = 0; i < count; i++) {
        size_t k = 0;
        while (k < moved->count && moved->pids[k] != now[i])
            k++;
        if (k == moved->count)
            new[fresh++] = now[i];
    }
    int failed = fresh ? oci_cgroup_add(&c->cgroup, new, fresh, error) : 0;
    if (failed)
        return failed;
    for (size_t i = 0; i < fresh && moved->count < FAMILY_MAX; i++)
        moved->pids[moved->count++] = new[i];
    return 0;
}

// The kernel process waits at its jail's door: no guest is there, nothing is started any more, and next to no memory is in use, which
// would be accounted to the groups that they come from. Most are moved before: if one of them ends then, its reason comes below.
static int build_while_joining(struct container *c, const struct oci_config *config, int sync,
                               struct oci_error *error)
{
    struct family family = {.pids = {c->pid}, .count = 1};
    int failed = tell_monitor(sync, SYNC_BEGIN, error);
    if (!failed)
        failed = tell_monitor(sync, SYNC_GO, error);
    if (!failed)
        failed = make_cgroups(c, OCI_CGROUP_REQUIRED, config, error);
    if (!failed)
        failed = oci_cgroup_add(&c->cgroup, &c->pid, 1, error);
    if (!failed)
        (void)move_family(c, &family, NULL);
    if (!failed)
        failed = sync_wait(sync, SYNC_ENTERED, error);
    if (!failed)
        failed = sync_wait(sync, SYNC_BUILT, error);
    if (!failed)
        failed = move_family(c, &family, error);
    return failed ? failed : tell_monitor(sync, SYNC_JOINED, error);
}

// The monitor lives from here on: what it does is in supervise.c.
static int follow_monitor(struct container *c, const struct oci_config *config, int sync, bool joins_late,
                          bool begins, struct oci_error *error)
{
    int failed =
        joins_late ? build_while_joining(c, config, sync, error) : join_then_build(c, config, sync, error);
    if (!failed)
        failed = sync_wait(sync, SYNC_READY, error);
    c->status = begins ? CONTAINER_RUNNING : CONTAINER_CREATED;
    return failed ? failed : container_save(c, error);
}

static void undo(struct container *c)
{
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (c->cgroup.layout != OCI_CGROUP_NONE && !c->cgroup_shared) {
        (void)oci_cgroup_kill(&c->cgroup, SIGKILL, NULL);
        (void)oci_cgroup_delete(&c->cgroup, NULL);
    }
    (void)container_remove(NULL, c, NULL);
}

static int start_monitor(const struct oci_globals *globals, struct container *c,
                         const struct oci_config *config, struct oci_plan *plan, int terminal,
                         bool own_session, bool joins_late, int *sync, struct oci_error *error)
{
    int pair[2];
    struct oci_state state;
    int listener = client_listen(c, error);
    if (listener < 0)
        return listener;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        close(listener);
        return oci_fail_errno(error, errno, "cannot make a socket pair");
    }
    c->pid = fork();
    if (c->pid == 0) {
        close(pair[0]);
        c->pid = getpid();
        container_state(c, CONTAINER_CREATING, &state);
        close(c->fd); // with the lock on it
        preserve_close();
        struct supervision supervision = {.globals = globals,
                                          .config = config,
                                          .state = &state,
                                          .plan = plan,
                                          .sync = pair[1],
                                          .clients = listener,
                                          .terminal = terminal,
                                          .new_session = own_session,
                                          .joins_late = joins_late};
        supervise(&supervision);
    }
    int code = errno;
    close(pair[1]);
    close(listener);
    *sync = pair[0];
    if (c->pid < 0) {
        c->pid = 0;
        return oci_fail_errno(error, code, "cannot fork");
    }
    c->pid_start = process_start_time(c->pid);
    return 0;
}

static int give_descriptors(const struct container *c, struct oci_error *error)
{
    int connection = preserve_any() ? client_connect(c, error) : 0;
    if (connection <= 0)
        return connection;
    int failed = preserve_send(connection, CONTROL_PRESERVE, error);
    close(connection);
    preserve_close();
    return failed;
}

// What the operator allows a container's annotations to set, on top of what the engine was told.
static int annotated_options(const struct oci_globals *given, const struct oci_config *config,
                             struct oci_globals *out, struct oci_error *error)
{
    *out = *given;
    const struct oci_setting settings[] = {
        {"network", &out->network},       {"allow-connect", &out->allow_connect},
        {"allow-bind", &out->allow_bind}, {"overlay", &out->overlay},
        {"strace", &out->strace},         {"disable-feature", &out->disable_features},
    };
    int failed = oci_annotations_apply(config, given->allow_annotations, settings,
                                       sizeof(settings) / sizeof(settings[0]), report_warning, error);
    return failed ? failed : oci_check_globals(out, error);
}

int container_start(const struct oci_globals *given, const struct create_options *options, const char *id,
                    struct container *c, struct oci_config *config, struct oci_error *error)
{
    char root[PATH_MAX];
    static struct oci_plan plan;
    static struct oci_globals options_of_ours;
    const struct oci_globals *globals = &options_of_ours;
    int terminal = -1, sync = -1;
    int failed = container_root(given->root, root, sizeof(root), error);
    if (!failed)
        failed = container_make(root, id, c, error);
    if (failed)
        return failed;
    failed = load_bundle(options, c, config, error);
    if (!failed)
        failed = annotated_options(given, config, &options_of_ours, error);
    if (!failed && config->process)
        failed = preserve_environment(config->process, error);
    if (!failed)
        failed = oci_plan(config, c->bundle, globals, &plan, error);
    if (!failed) {
        describe(c, config, &plan);
        failed = plan_streams(options, config->process, &plan.spec, &terminal, error);
    }
    enum oci_cgroup_need need = need_for_cgroups(globals);
    if (!failed)
        failed = oci_cgroup_resolve(config->cgroups_path, c->id, need, &c->cgroup, error);
    // `run` asks for nothing between the two, unless there is something to do.
    plan.spec.config.begins =
        options->run && !preserve_any() && !config->hooks[OCI_HOOK_START_CONTAINER].count;
    bool joins_late = !failed && may_join_late(c, need, config);
    if (!failed && !joins_late)
        failed = make_cgroups(c, need, config, error);
    bool own_session = !(config->process && config->process->terminal && terminal < 0);
    if (!failed)
        failed = start_monitor(globals, c, config, &plan, terminal, own_session, joins_late, &sync, error);
    if (!failed)
        failed = follow_monitor(c, config, sync, joins_late, plan.spec.config.begins, error);
    if (!failed)
        failed = give_descriptors(c, error);
    if (!failed)
        failed = write_pid_file(options->pid_file, c->pid, error);
    if (sync >= 0)
        close(sync);
    if (terminal >= 0)
        close(terminal);
    if (failed)
        undo(c);
    return failed;
}
