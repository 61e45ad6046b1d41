// create, run, start: commands that bring a container to life.
#include "sentry/oci/client.h"
#include "sentry/oci/delete_container.h"
#include "sentry/oci/guest_hooks.h"
#include "sentry/oci/hooks.h"
#include "sentry/oci/preserve.h"
#include "sentry/oci/report.h"
#include "sentry/oci/start_container.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int read_create_options(const char *command, int argc, char **argv, struct create_options *o,
                               const char **id, struct oci_error *error)
{
    const struct oci_option options[] = {
        {"bundle", 'b', OCI_TEXT, &o->bundle, "DIR", "directory with config.json (default: the current one)"},
        {"pid-file", 0, OCI_TEXT, &o->pid_file, "FILE",
         "write the number of the process that stands for the container"},
        {"console-socket", 0, OCI_TEXT, &o->console_socket, "PATH",
         "Unix socket that gets the master end of the terminal"},
        {"no-pivot", 0, OCI_FLAG, &o->no_pivot, NULL, "accepted: there is no pivot_root here"},
        {"no-new-keyring", 0, OCI_FLAG, &o->no_new_keyring, NULL, "accepted: the sandbox has one of its own"},
        {"preserve-fds", 0, OCI_NUMBER, &o->preserve_fds, "N", "pass the descriptors 3 to 2+N on"},
        {o->run ? "detach" : "", 'd', OCI_FLAG, &o->detach, NULL, "do not wait for the program's end"},
        {o->run ? "keep" : "", 0, OCI_FLAG, &o->keep, NULL, "do not delete the container at its end"},
        {o->run ? "no-subreaper" : "", 0, OCI_FLAG, &o->no_subreaper, NULL, "accepted, without effect"},
        OCI_OPTIONS_END,
    };
    int used = oci_options(argc - 1, argv + 1, options, error);
    int failed = used < 0 ? used : oci_arguments(argc - 1, used, 1, 1, command, error);
    if (failed)
        return failed;
    *id = argv[1 + used];
    return preserve_check(o->preserve_fds, error);
}

int oci_create(const struct oci_globals *globals, int argc, char **argv)
{
    struct create_options options = {.run = false};
    struct oci_error error = {""};
    struct container c;
    struct oci_config config;
    const char *id;
    if (read_create_options("create", argc, argv, &options, &id, &error) ||
        container_start(globals, &options, id, &c, &config, &error))
        return oci_fail_command(&error);
    for (size_t i = 0; i < config.warnings.count; i++)
        report_warning(config.warnings.list[i]);
    return 0;
}

static void warn(void *context, const char *text)
{
    (void)context;
    report_warning(text);
}

// From created to running, where it is not, and the poststart hooks. The container is locked.
static int begin(struct container *c, const struct oci_config *config, struct oci_error *error)
{
    if (c->status != CONTAINER_RUNNING) {
        int failed = client_request(c, CONTROL_START, 0, "start", error);
        if (failed)
            return failed;
        c->status = CONTAINER_RUNNING;
        failed = container_save(c, error);
        if (failed)
            return failed;
    }
    struct oci_state state;
    container_state(c, CONTAINER_RUNNING, &state);
    const struct oci_hook_run run = {.state = &state, .warn = warn};
    return oci_hooks_run(&config->hooks[OCI_HOOK_POSTSTART], OCI_HOOK_POSTSTART, &run, error);
}

int oci_start(const struct oci_globals *globals, int argc, char **argv)
{
    struct oci_error error = {""};
    struct container c;
    struct oci_config config;
    char root[PATH_MAX];
    const struct oci_option options[] = {OCI_OPTIONS_END};
    int used = oci_options(argc - 1, argv + 1, options, &error);
    if (used < 0 || oci_arguments(argc - 1, used, 1, 1, "start", &error) ||
        container_root(globals->root, root, sizeof(root), &error) ||
        container_open(root, argv[1 + used], true, &c, &error))
        return oci_fail_command(&error);
    int failed = 0;
    switch (container_status_now(&c)) {
    case CONTAINER_CREATED:
        failed = container_config(&c, &config, &error);
        if (failed)
            break;
        failed = guest_hooks_run(&c, &config, &error);
        if (failed)
            (void)container_delete(&c, &config, NULL); // as the specification has it
        else
            failed = begin(&c, &config, &error);
        break;
    case CONTAINER_STOPPED:
        failed = oci_fail(&error, EINVAL, "cannot start a container that has stopped");
        break;
    case CONTAINER_CREATING:
        failed = oci_fail(&error, EINVAL, "cannot start a container that is not created yet");
        break;
    default:
        failed = oci_fail(&error, EINVAL, "cannot start an already running container");
    }
    return failed ? oci_fail_command(&error) : 0;
}

static volatile pid_t forward_to;

static void forward(int signo)
{
    int code = errno;
    kill(forward_to, signo);
    errno = code;
}

// What ends this command, or tells it something, is for the container. Its terminal tells the monitor by itself.
static void forward_signals(pid_t pid, bool terminal)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM};
    forward_to = pid;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct sigaction action = {.sa_handler = terminal ? SIG_IGN : forward, .sa_flags = SA_RESTART};
        sigaction(signals[i], &action, NULL);
    }
}

static int wait_for_monitor(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 255;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int oci_run(const struct oci_globals *globals, int argc, char **argv)
{
    struct create_options options = {.run = true};
    struct oci_error error = {""};
    struct container c;
    struct oci_config config;
    const char *id;
    if (read_create_options("run", argc, argv, &options, &id, &error) ||
        container_start(globals, &options, id, &c, &config, &error))
        return oci_fail_command(&error);
    for (size_t i = 0; i < config.warnings.count; i++)
        report_warning(config.warnings.list[i]);
    if (!options.detach)
        forward_signals(c.pid, config.process->terminal && !options.console_socket);
    if (guest_hooks_run(&c, &config, &error) || begin(&c, &config, &error)) {
        (void)kill(c.pid, SIGKILL);
        (void)wait_for_monitor(c.pid);
        (void)container_delete(&c, &config, NULL);
        return oci_fail_command(&error);
    }
    if (options.detach)
        return 0;
    container_unlock(&c); // others may kill, pause or look at it meanwhile
    int status = wait_for_monitor(c.pid);
    if (options.keep)
        return status;
    if (container_lock(&c, NULL) == 0 && container_delete(&c, &config, &error))
        return oci_fail_command(&error);
    return status;
}
