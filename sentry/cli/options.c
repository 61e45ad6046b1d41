#include "sentry/cli/options.h"
#include "sentry/boot/config.h"
#include "sentry/boot/fail.h"
#include "sentry/cli/features.h"
#include "sentry/core/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_name {
    OPTION_ROOTFS,
    OPTION_OVERLAY,
    OPTION_OWNERS,
    OPTION_HOST_NODES,
    OPTION_BIND,
    OPTION_TMPFS,
    OPTION_MOUNT_9P,
    OPTION_CWD,
    OPTION_ENV,
    OPTION_CLEAR_ENV,
    OPTION_USER,
    OPTION_HOSTNAME,
    OPTION_NETWORK,
    OPTION_ALLOW_CONNECT,
    OPTION_ALLOW_BIND,
    OPTION_MEMORY,
    OPTION_CPUS,
    OPTION_PIDS,
    OPTION_TIMEOUT,
    OPTION_STRACE,
    OPTION_LOG,
    OPTION_LOG_LEVEL,
    OPTION_STATS,
    OPTION_DISABLE_FEATURE,
    OPTION_NESTED,
    OPTION_VERSION,
    OPTION_HELP,
};
enum option_value { VALUE_NONE, VALUE_REQUIRED, VALUE_OPTIONAL };

static const struct {
    const char *name;
    enum option_name id;
    enum option_value value;
    const char *form; // what a value looks like, for messages and help
    const char *help;
} table[] = {
    {"rootfs", OPTION_ROOTFS, VALUE_REQUIRED, "DIR",
     "the program's root directory (default: the host's /usr, /etc read-only)"},
    {"overlay", OPTION_OVERLAY, VALUE_REQUIRED, "memory|file=DIR|none",
     "writes stay in memory (default), in nameless files of DIR (both: [,size=N]), or reach the root"},
    {"owners", OPTION_OWNERS, VALUE_REQUIRED, "self|set",
     "files made on the host are the caller's (default), or get the owner the program gives them (root "
     "only)"},
    {"host-nodes", OPTION_HOST_NODES, VALUE_REQUIRED, "none|fifos|sockets|all",
     "named pipes and sockets that may be made in directories of the host (default: none)"},
    {"bind", OPTION_BIND, VALUE_REQUIRED, "SRC:DST[:ro|rw]",
     "show SRC at DST, an absolute path, read-only unless :rw"},
    {"tmpfs", OPTION_TMPFS, VALUE_REQUIRED, "DST[:size=N,mode=N,noexec]",
     "an empty directory in memory at DST, an absolute path"},
    {"mount-9p", OPTION_MOUNT_9P, VALUE_REQUIRED, "SOCKET:NAME:DST[:ro|rw]",
     "show what the 9P2000.L server at a Unix socket exports as NAME"},
    {"cwd", OPTION_CWD, VALUE_REQUIRED, "DIR", "working directory in the sandbox, an absolute path"},
    {"env", OPTION_ENV, VALUE_REQUIRED, "NAME=VALUE", "set an environment variable; NAME alone removes it"},
    {"clear-env", OPTION_CLEAR_ENV, VALUE_NONE, NULL, "start from an empty environment"},
    {"user", OPTION_USER, VALUE_REQUIRED, "UID[:GID]",
     "the program's user and group (default: the caller's)"},
    {"hostname", OPTION_HOSTNAME, VALUE_REQUIRED, "NAME", "host name in the sandbox"},
    {"network", OPTION_NETWORK, VALUE_REQUIRED, "none|host", "no network (default), or the caller's"},
    {"allow-connect", OPTION_ALLOW_CONNECT, VALUE_REQUIRED, NET_RULES_FORM,
     "with --network host: connect and send to these only, such as tcp:10.0.0.0/8:443, or none"},
    {"allow-bind", OPTION_ALLOW_BIND, VALUE_REQUIRED, NET_RULES_FORM,
     "with --network host: listen and be sent to at these only, such as tcp:*:8080, or none"},
    {"memory", OPTION_MEMORY, VALUE_REQUIRED, "SIZE", "memory limit, such as 512m (needs a cgroup)"},
    {"cpus", OPTION_CPUS, VALUE_REQUIRED, "N", "CPU limit, such as 1.5 (needs a cgroup)"},
    {"pids", OPTION_PIDS, VALUE_REQUIRED, "N", "most processes and threads at a time (default 4096)"},
    {"timeout", OPTION_TIMEOUT, VALUE_REQUIRED, "TIME", "end the program after TIME, such as 10s, 2m, 1h"},
    {"strace", OPTION_STRACE, VALUE_OPTIONAL, "FILE", "write every system call to FILE or standard error"},
    {"log", OPTION_LOG, VALUE_REQUIRED, "FILE",
     "append the sandbox's own log to FILE (default: standard error)"},
    {"log-level", OPTION_LOG_LEVEL, VALUE_REQUIRED, "LEVEL",
     "error, warn (default), info (default with --log) or debug"},
    {"stats", OPTION_STATS, VALUE_OPTIONAL, "FILE",
     "write counters to FILE or standard error at the end (calls that the host runs natively are in none)"},
    {"disable-feature", OPTION_DISABLE_FEATURE, VALUE_REQUIRED, "NAME,...",
     "do without features of the host kernel; `list` names them; may be repeated"},
    {"nested", OPTION_NESTED, VALUE_NONE, NULL,
     "run inside an ordinary container, without namespaces: weaker; says which invariants it waives"},
    {"version", OPTION_VERSION, VALUE_NONE, NULL, "print the version"},
    {"help", OPTION_HELP, VALUE_NONE, NULL, "print this text"},
};
#define MEMORY_MIN (8ull << 20)
#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

void options_usage(void)
{
    puts("usage: sentry [OPTION...] -- PROGRAM [ARGUMENT...]\n"
         "       sentry check\n"
         "       sentry debug --stacks [PID|CONTAINER]\n"
         "       sentry [OPTION...] "
         "create|start|run|state|kill|delete|exec|list|ps|pause|resume|events|update\n"
         "              ...   as an OCI runtime, like runc; sentry spec|features|install|uninstall "
         "(docs/oci.md)\n\n"
         "Runs a program that you do not trust. Its system calls are answered by a kernel in user space.\n");
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s%s", table[i].name,
                 table[i].value == VALUE_OPTIONAL   ? "[="
                 : table[i].value == VALUE_REQUIRED ? " "
                                                    : "",
                 table[i].form ? table[i].form : "", table[i].value == VALUE_OPTIONAL ? "]" : "");
        printf("  %-36s %s\n", left, table[i].help);
    }
    puts("\nExit status: the program's; 128+N when signal N ended it; 125 when the sandbox failed; 126 when "
         "the program\n"
         "cannot be executed; 127 when it was not found.");
}

static int bad_value(size_t index, const char *value)
{
    boot_say("--%s: `%s` is not of the form %s: %s", table[index].name, value, table[index].form,
             table[index].help);
    return -EINVAL;
}

// Makes room for one more element. NULL after a message.
static void *grow(void *list, size_t count, size_t size)
{
    void *p = realloc(list, (count + 1) * size);
    if (!p)
        boot_say("out of memory");
    return p;
}

void options_free(struct options *o)
{
    for (size_t i = 0; i < o->nr_binds; i++)
        free(o->binds[i].source);
    for (size_t i = 0; i < o->nr_tmpfs; i++)
        free(o->tmpfs[i].destination);
    free(o->binds);
    free(o->tmpfs);
    free(o->environment);
    *o = (struct options){0};
}

static int add_bind(struct options *o, size_t index, const char *value)
{
    struct bind_option *binds = grow(o->binds, o->nr_binds, sizeof(*binds));
    char *text = strdup(value);
    if (!binds || !text)
        return -ENOMEM;
    o->binds = binds;
    return option_bind(text, &binds[o->nr_binds++]) ? 0 : bad_value(index, value);
}

static int add_tmpfs(struct options *o, size_t index, const char *value)
{
    struct tmpfs_option *tmpfs = grow(o->tmpfs, o->nr_tmpfs, sizeof(*tmpfs));
    char *text = strdup(value);
    if (!tmpfs || !text)
        return -ENOMEM;
    o->tmpfs = tmpfs;
    return option_tmpfs(text, &tmpfs[o->nr_tmpfs++]) ? 0 : bad_value(index, value);
}

static int add_server(struct options *o, size_t index, const char *value)
{
    struct server_option *servers = grow(o->servers, o->nr_servers, sizeof(*servers));
    char *text = strdup(value);
    if (!servers || !text)
        return -ENOMEM;
    o->servers = servers;
    return option_server(text, &servers[o->nr_servers++]) ? 0 : bad_value(index, value);
}

static int add_environment(struct options *o, size_t index, char *value)
{
    if (!*value || *value == '=')
        return bad_value(index, value);
    char **environment = grow(o->environment, o->nr_environment, sizeof(*environment));
    if (!environment)
        return -ENOMEM;
    o->environment = environment;
    environment[o->nr_environment++] = value;
    return 0;
}

static int add_rules(struct options *o, size_t index, enum gofer_net_direction direction, const char *value)
{
    int error = net_rules_add(&o->net_rules, direction, value);
    if (error == -E2BIG)
        boot_say("--%s: at most %d rules in all", table[index].name, GOFER_NET_RULES_MAX);
    return error == -EINVAL ? bad_value(index, value) : error;
}

static int set_log_level(struct options *o, size_t index, const char *value)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(value, names[i]) == 0) {
            o->log_level = i;
            return 0;
        }
    }
    return bad_value(index, value);
}

static int disable_feature(struct options *o, const char *value)
{
    char unknown[FEATURE_NAME_MAX];
    if (strcmp(value, "list") == 0)
        o->list_features = true;
    else if (!features_by_list(value, &o->disabled_features, unknown)) {
        boot_say("--disable-feature: there is no feature `%s`; `--disable-feature list` names them", unknown);
        return -EINVAL;
    }
    return 0;
}

static bool choice(const char *value, const char *first, const char *second, bool *is_second)
{
    *is_second = strcmp(value, second) == 0;
    return *is_second || strcmp(value, first) == 0;
}

static int set_host_nodes(struct options *o, size_t index, const char *value)
{
    bool all = strcmp(value, "all") == 0;
    o->host_fifos = all || strcmp(value, "fifos") == 0;
    o->host_sockets = all || strcmp(value, "sockets") == 0;
    return o->host_fifos || o->host_sockets || strcmp(value, "none") == 0 ? 0 : bad_value(index, value);
}

static int apply(struct options *o, size_t index, char *value)
{
    bool second;
    char *end;
    switch (table[index].id) {
    case OPTION_ROOTFS:
        o->rootfs = value;
        return 0;
    case OPTION_OVERLAY:
        return option_overlay(value, o) ? 0 : bad_value(index, value);
    case OPTION_OWNERS:
        return choice(value, "self", "set", &o->owners_set) ? 0 : bad_value(index, value);
    case OPTION_HOST_NODES:
        return set_host_nodes(o, index, value);
    case OPTION_BIND:
        return add_bind(o, index, value);
    case OPTION_TMPFS:
        return add_tmpfs(o, index, value);
    case OPTION_MOUNT_9P:
        return add_server(o, index, value);
    case OPTION_CWD:
        o->cwd = value;
        return *value == '/' ? 0 : bad_value(index, value);
    case OPTION_ENV:
        return add_environment(o, index, value);
    case OPTION_CLEAR_ENV:
        o->clear_environment = true;
        return 0;
    case OPTION_USER:
        o->user_given = true;
        return option_user(value, &o->uid, &o->gid) ? 0 : bad_value(index, value);
    case OPTION_HOSTNAME:
        o->hostname = value;
        return *value && strlen(value) <= 64 ? 0 : bad_value(index, value);
    case OPTION_NETWORK:
        if (!choice(value, "none", "host", &second))
            return bad_value(index, value);
        o->network = second ? NETWORK_HOST : NETWORK_NONE;
        return 0;
    case OPTION_ALLOW_CONNECT:
        return add_rules(o, index, GOFER_NET_OUT, value);
    case OPTION_ALLOW_BIND:
        return add_rules(o, index, GOFER_NET_IN, value);
    case OPTION_MEMORY:
        if (!option_size(value, &o->memory))
            return bad_value(index, value);
        if (o->memory < MEMORY_MIN) {
            boot_say("--memory: %s is less than the sandbox itself needs; give 8m or more", value);
            return -EINVAL;
        }
        return 0;
    case OPTION_CPUS:
        return option_cpus(value, &o->cpus_milli) ? 0 : bad_value(index, value);
    case OPTION_PIDS:
        o->pids = (unsigned)strtoul(value, &end, 10);
        return *value >= '0' && *value <= '9' && !*end && o->pids > 0 && o->pids <= 4194304
                   ? 0
                   : bad_value(index, value);
    case OPTION_TIMEOUT:
        return option_duration(value, &o->timeout_ns) ? 0 : bad_value(index, value);
    case OPTION_STRACE:
        o->strace = true;
        o->strace_file = value;
        return 0;
    case OPTION_LOG:
        o->log_file = value;
        return 0;
    case OPTION_LOG_LEVEL:
        return set_log_level(o, index, value);
    case OPTION_STATS:
        o->stats = true;
        o->stats_file = value;
        return 0;
    case OPTION_DISABLE_FEATURE:
        return disable_feature(o, value);
    case OPTION_NESTED:
        o->nested = true;
        return 0;
    case OPTION_VERSION:
        o->version = true;
        return 0;
    case OPTION_HELP:
        o->help = true;
        return 0;
    }
    return -EINVAL;
}

static int unknown_option(const char *word)
{
    boot_say("there is no option `%s`; `sentry --help` lists them", word);
    return -EINVAL;
}

int options_parse(int argc, char **argv, struct options *options)
{
    *options = (struct options){.log_level = -1};
    int i = 1;
    for (; i < argc; i++) {
        char *word = argv[i];
        if (strcmp(word, "--") == 0) {
            i++;
            break;
        }
        if (word[0] != '-' || !word[1])
            break; // the program
        if (strcmp(word, "-h") == 0) {
            options->help = true;
            continue;
        }
        if (word[1] != '-')
            return unknown_option(word);
        char *equals = strchr(word, '=');
        size_t length = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
        size_t index = 0;
        while (index < TABLE_SIZE &&
               (strncmp(table[index].name, word + 2, length) != 0 || table[index].name[length]))
            index++;
        if (index == TABLE_SIZE)
            return unknown_option(word);
        char *value = equals ? equals + 1 : NULL;
        if (value && table[index].value == VALUE_NONE) {
            boot_say("--%s takes no value", table[index].name);
            return -EINVAL;
        }
        if (!value && table[index].value == VALUE_REQUIRED) {
            if (++i == argc) {
                boot_say("--%s needs a value: %s", table[index].name, table[index].form);
                return -EINVAL;
            }
            value = argv[i];
        }
        int error = apply(options, index, value);
        if (error)
            return error;
    }
    // A log of its own may say more than what is mixed with the program's standard error.
    if (options->log_level < 0)
        options->log_level = options->log_file ? LOG_INFO : LOG_WARN;
    if (options->help || options->version || options->list_features)
        return 0;
    if (options->net_rules.given && options->network != NETWORK_HOST) {
        boot_say(
            "--allow-connect and --allow-bind need --network host: without it there is no network to allow");
        return -EINVAL;
    }
    if (i >= argc) {
        boot_say("no program was given; usage: sentry [OPTION...] -- PROGRAM [ARGUMENT...]");
        return -EINVAL;
    }
    options->argv = &argv[i];
    return 0;
}
