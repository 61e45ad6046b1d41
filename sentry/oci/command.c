#include "sentry/oci/command.h"
#include "sentry/boot/fail.h"
#include "sentry/oci/config.h"
#include "sentry/oci/container.h"
#include "sentry/oci/features.h"
#include "sentry/oci/install.h"
#include "sentry/oci/preserve.h"
#include "sentry/oci/report.h"
#include "sentry/oci/spec.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int oci_spec(const struct oci_globals *globals, int argc, char **argv);
static int oci_features(const struct oci_globals *globals, int argc, char **argv);
static int oci_install(const struct oci_globals *globals, int argc, char **argv);

const struct oci_command oci_commands[] = {
    {"create", "ID", "make a container whose program waits for `start`", oci_create},
    {"start", "ID", "start the program of a container that was created", oci_start},
    {"run", "ID", "create and start a container, wait for its end, delete it", oci_run},
    {"state", "ID", "print the state of a container", oci_state_command},
    {"kill", "ID [SIGNAL]", "send a signal to a container's first process (default SIGTERM)", oci_kill},
    {"delete", "ID", "remove what is left of a container", oci_delete},
    {"exec", "ID PROGRAM [ARG...]", "run another program in a container", oci_exec},
    {"list", "", "list containers", oci_list_command},
    {"ps", "ID [PS-OPTION...]", "list a container's processes", oci_ps},
    {"pause", "ID", "stop every process of a container", oci_pause},
    {"resume", "ID", "let the processes of a paused container go on", oci_resume},
    {"events", "ID", "print what a container uses", oci_events},
    {"update", "ID", "change a container's limits", oci_update},
    {"spec", "", "write a config.json to start from", oci_spec},
    {"features", "", "print what this runtime can do", oci_features},
    {"install", "", "add this runtime to Docker's configuration", oci_install},
    {"uninstall", "", "take it out again", oci_install},
    {"checkpoint", "ID", "not there yet", oci_not_yet},
    {"restore", "ID", "not there yet", oci_not_yet},
    {NULL, NULL, NULL, NULL},
};

static int list_add(struct oci_list *list, const char *item)
{
    const char **items = realloc(list->items, (list->count + 2) * sizeof(*items));
    if (!items)
        return -ENOMEM;
    items[list->count++] = item;
    items[list->count] = NULL;
    list->items = items;
    return 0;
}

static int join(const char **list, const char *value)
{
    char *joined = NULL;
    if (*list && asprintf(&joined, "%s,%s", *list, value) < 0)
        return -ENOMEM;
    *list = joined ? joined : value;
    return 0;
}

static int take(const struct oci_option *option, const char *value, struct oci_error *error)
{
    switch (option->kind) {
    case OCI_FLAG:
        if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return oci_fail(error, EINVAL, "option --%s takes true or false", option->name);
        *(bool *)option->value = !value || strcmp(value, "true") == 0;
        return 0;
    case OCI_TEXT:
        *(const char **)option->value = value;
        return 0;
    case OCI_JOINED:
        return join(option->value, value);
    case OCI_LIST:
        return list_add(option->value, value);
    default: {
        char *end;
        errno = 0;
        long long number = strtoll(value, &end, 10);
        if (!*value || *end || errno)
            return oci_fail(error, EINVAL, "option --%s takes a number", option->name);
        *(int64_t *)option->value = number;
        return 0;
    }
    }
}

static const struct oci_option *find_option(const struct oci_option *options, const char *word)
{
    size_t n = strcspn(word, "=");
    for (; options->name; options++) {
        if ((strlen(options->name) == n && strncmp(options->name, word, n) == 0) ||
            (n == 1 && options->letter == *word))
            return options;
    }
    return NULL;
}

static const struct oci_command *running;
static _Noreturn void show_help(const struct oci_option *options);

int oci_options(int argc, char **argv, const struct oci_option *options, struct oci_error *error)
{
    int i = 0;
    while (i < argc && argv[i][0] == '-' && argv[i][1]) {
        const char *word = argv[i] + (argv[i][1] == '-' ? 2 : 1);
        if (!*word)
            return i + 1; // "--"
        const struct oci_option *option = find_option(options, word);
        if (!option && running && (strcmp(word, "help") == 0 || strcmp(word, "h") == 0))
            show_help(options);
        if (!option)
            return oci_fail(error, EINVAL, "unknown option %s", argv[i]);
        const char *value = strchr(word, '=');
        i++;
        if (value)
            value++;
        else if (option->kind != OCI_FLAG && i < argc)
            value = argv[i++];
        else if (option->kind != OCI_FLAG)
            return oci_fail(error, EINVAL, "option --%s needs a value", option->name);
        int failed = take(option, value, error);
        if (failed)
            return failed;
    }
    return i;
}

#define GLOBALS 18 // with the end

static void describe_globals(struct oci_globals *g, struct oci_option options[GLOBALS])
{
    const struct oci_option list[GLOBALS] = {
        {"root", 0, OCI_TEXT, &g->root, "DIR", "where the state of containers lies"},
        {"log", 0, OCI_TEXT, &g->log, "FILE", "write messages to FILE too"},
        {"log-format", 0, OCI_TEXT, &g->log_format, "text|json", "form of its lines"},
        {"debug", 0, OCI_FLAG, &g->debug, NULL, "accepted"},
        {"rootless", 0, OCI_TEXT, &g->rootless, "auto|true|false", "accepted: it is found out"},
        {"systemd-cgroup", 0, OCI_FLAG, &g->systemd_cgroup, NULL, "refused: use the cgroupfs driver"},
        {"criu", 0, OCI_TEXT, &g->criu, "PATH", "accepted, without effect"},
        {"cgroup-manager", 0, OCI_TEXT, &g->cgroup_manager, "cgroupfs|disabled",
         "with or without control groups"},
        {"network", 0, OCI_TEXT, &g->network, "none|host",
         "a loopback of the sandbox, or the container's network namespace"},
        {"allow-connect", 0, OCI_JOINED, &g->allow_connect, "RULES", "connect and send to these only"},
        {"allow-bind", 0, OCI_JOINED, &g->allow_bind, "RULES", "listen and be sent to at these only"},
        {"overlay", 0, OCI_TEXT, &g->overlay, "none|memory",
         "writes reach the root (default), or stay in memory"},
        {"strace", 0, OCI_TEXT, &g->strace, "FILE", "write every system call to FILE"},
        {"disable-feature", 0, OCI_JOINED, &g->disable_features, "NAME,...",
         "go without features of the host's kernel; `list` names them; may be repeated"},
        {"allow-annotations", 0, OCI_JOINED, &g->allow_annotations, "NAME,...",
         "options that annotations of a container may set"},
        {"help", 'h', OCI_FLAG, &g->help, NULL, "print help"},
        {"version", 'v', OCI_FLAG, &g->version, NULL, "print the version"},
        OCI_OPTIONS_END,
    };
    memcpy(options, list, sizeof(list));
}

static int read_globals(int argc, char **argv, struct oci_globals *g, struct oci_error *error)
{
    struct oci_option options[GLOBALS];
    memset(g, 0, sizeof(*g));
    describe_globals(g, options);
    return oci_options(argc, argv, options, error);
}

static _Noreturn void show_help(const struct oci_option *options)
{
    struct oci_globals unused;
    struct oci_option globals[GLOBALS];
    describe_globals(&unused, globals);
    oci_print_help(running, options, globals);
    exit(finish_output(0));
}

static const struct oci_command *find_command(const char *name)
{
    for (const struct oci_command *c = oci_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

bool oci_is_command_line(int argc, char **argv)
{
    struct oci_globals globals;
    int used = read_globals(argc - 1, argv + 1, &globals, NULL);
    if (used < 0 || 1 + used >= argc || (used > 0 && strcmp(argv[used], "--") == 0))
        return false;
    return find_command(argv[1 + used]) != NULL;
}

int oci_arguments(int argc, int used, int least, int most, const char *command, struct oci_error *error)
{
    int left = argc - used;
    if (left >= least && (most < 0 || left <= most))
        return 0;
    return oci_fail(error, EINVAL, "%s: %s arguments; see `sentry %s --help`", command,
                    left < least ? "too few" : "too many", command);
}

int oci_fail_command(const struct oci_error *error)
{
    const char *name = container_name();
    report_error_of(strstr(error->text, name) ? "" : name, error->text);
    return 1;
}

static int oci_spec(const struct oci_globals *globals, int argc, char **argv)
{
    (void)globals;
    return spec_main(argc, argv);
}

static int oci_features(const struct oci_globals *globals, int argc, char **argv)
{
    (void)globals;
    return features_main(argc, argv);
}

static int oci_install(const struct oci_globals *globals, int argc, char **argv)
{
    (void)globals;
    return install_main(argc, argv);
}

int oci_not_yet(const struct oci_globals *globals, int argc, char **argv)
{
    (void)globals;
    struct oci_error error;
    const struct oci_option options[] = {OCI_OPTIONS_END};
    (void)oci_options(argc - 1, argv + 1, options, &error);
    (void)oci_fail(&error, ENOSYS, "%s is not there yet: a container cannot be written to disk", argv[0]);
    return oci_fail_command(&error);
}

int oci_net_rules(const struct oci_globals *g, struct net_rules *rules, struct oci_error *error)
{
    static const char *const names[] = {[GOFER_NET_OUT] = "connect", [GOFER_NET_IN] = "bind"};
    const char *const texts[] = {[GOFER_NET_OUT] = g->allow_connect, [GOFER_NET_IN] = g->allow_bind};
    *rules = (struct net_rules){0};
    for (unsigned i = 0; i < 2; i++)
        if (texts[i] && net_rules_add(rules, i, texts[i]))
            return oci_fail(error, EINVAL, "--allow-%s takes none or at most %d times %s", names[i],
                            GOFER_NET_RULES_MAX, NET_RULES_FORM);
    return 0;
}

int oci_check_globals(const struct oci_globals *g, struct oci_error *error)
{
    if (g->log_format && strcmp(g->log_format, "text") != 0 && strcmp(g->log_format, "json") != 0)
        return oci_fail(error, EINVAL, "--log-format takes text or json");
    if (g->systemd_cgroup)
        return oci_fail(error, EINVAL,
                        "--systemd-cgroup is not supported: use the cgroupfs driver of the engine "
                        "(native.cgroupdriver=cgroupfs, cgroup_manager = \"cgroupfs\")");
    if (g->cgroup_manager && strcmp(g->cgroup_manager, "cgroupfs") != 0 &&
        strcmp(g->cgroup_manager, "disabled") != 0)
        return oci_fail(error, EINVAL, "--cgroup-manager takes cgroupfs or disabled");
    if (g->rootless && strcmp(g->rootless, "auto") != 0 && strcmp(g->rootless, "true") != 0 &&
        strcmp(g->rootless, "false") != 0)
        return oci_fail(error, EINVAL, "--rootless takes auto, true or false");
    if (g->network && strcmp(g->network, "none") != 0 && strcmp(g->network, "host") != 0)
        return oci_fail(error, EINVAL, "--network takes none or host");
    if (g->overlay && strcmp(g->overlay, "none") != 0 && strcmp(g->overlay, "memory") != 0)
        return oci_fail(error, EINVAL, "--overlay takes none or memory");
    static struct net_rules rules;
    return oci_net_rules(g, &rules, error);
}

int oci_main(int argc, char **argv)
{
    struct oci_globals globals;
    struct oci_error error;
    int used = read_globals(argc - 1, argv + 1, &globals, &error);
    if (used < 0)
        return oci_fail_command(&error);
    // Nothing else that the engine left open reaches any process of a container, or is kept open by its monitor.
    if (preserve_keep(argc - 1 - used, argv + 1 + used, &error) ||
        report_open(globals.log, globals.log_format && strcmp(globals.log_format, "json") == 0, &error) ||
        oci_check_globals(&globals, &error))
        return oci_fail_command(&error);
    running = find_command(argv[1 + used]);
    return finish_output(running->run(&globals, argc - 1 - used, argv + 1 + used));
}
