// The process, the identity of files, and what concerns the sandbox as a whole. Mounts are in plan_mounts.c.
#include "sentry/oci/plan.h"
#include "sentry/cli/features.h"
#include "sentry/core/log.h"
#include "sentry/oci/plan_mounts.h"
#include "sentry/oci/user_namespace.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_TASKS 4096
#define DEFAULT_UMASK 022

static int no_memory(struct oci_error *error)
{
    return oci_fail(error, ENOMEM, "out of memory");
}

static char **copy_words(const struct oci_strings *words)
{
    char **list = calloc(words->count + 1, sizeof(*list));
    for (size_t i = 0; list && i < words->count; i++)
        list[i] = (char *)(uintptr_t)words->list[i];
    return list;
}

static void plan_capabilities(const struct oci_process *process, struct capability_config *out)
{
    const uint64_t *sets = process->capabilities;
    *out = (struct capability_config){.given = true};
    if (!process->capabilities_set)
        return;
    out->bounding = sets[OCI_CAP_BOUNDING];
    out->effective = sets[OCI_CAP_EFFECTIVE];
    out->inheritable = sets[OCI_CAP_INHERITABLE];
    out->permitted = sets[OCI_CAP_PERMITTED];
    out->ambient = sets[OCI_CAP_AMBIENT];
}

int oci_plan_process(const struct oci_process *process, struct sentry_config *out, struct oci_error *error)
{
    out->argv = copy_words(&process->args);
    out->envp = copy_words(&process->env);
    if (!out->argv || !out->envp)
        return no_memory(error);
    out->cwd = (char *)(uintptr_t)process->cwd;
    out->uid = process->uid;
    out->gid = process->gid;
    out->groups = process->additional_gids;
    out->nr_groups = process->nr_additional_gids;
    out->umask = process->umask_set ? process->umask & 0777 : DEFAULT_UMASK;
    plan_capabilities(process, &out->capabilities);
    out->no_new_privs = process->no_new_privileges;
    if (process->oom_score_adj.set)
        out->oom_score_adj = (int)process->oom_score_adj.value;
    out->scheduler_given = process->scheduler.set;
    out->sched_policy = (int)process->scheduler.policy;
    out->sched_priority = (int)process->scheduler.priority;
    out->nice = process->scheduler.set ? process->scheduler.nice : getpriority(PRIO_PROCESS, 0);
    out->ioprio = process->io_priority_set ? process->io_priority : 0;
    for (int i = 0; i < CONFIG_LIMITS && i < OCI_RLIMITS; i++) {
        if (!process->rlimits[i].set)
            continue;
        out->limits[i] = (struct limit_config){process->rlimits[i].soft, process->rlimits[i].hard};
        out->limits_given |= 1u << i;
    }
    out->container = true;
    return 0;
}

static int plan_names(const struct oci_config *config, struct sentry_config *out)
{
    static char hostname[65];
    if (gethostname(hostname, sizeof(hostname) - 1) < 0 || !hostname[0])
        strcpy(hostname, "sentry");
    out->hostname = config->hostname ? (char *)(uintptr_t)config->hostname : hostname;
    out->domainname = (char *)(uintptr_t)(config->domainname ? config->domainname : "(none)");
    out->sysctls = calloc(config->nr_sysctls ? config->nr_sysctls : 1, sizeof(*out->sysctls));
    if (!out->sysctls)
        return -ENOMEM;
    for (size_t i = 0; i < config->nr_sysctls; i++) {
        if (strcmp(config->sysctls[i].name, "kernel.domainname") == 0) {
            out->domainname = (char *)(uintptr_t)config->sysctls[i].value;
            continue;
        }
        char *name = strdup(config->sysctls[i].name);
        if (!name)
            return -ENOMEM;
        for (char *c = name; *c; c++) // "net.ipv4.conf.eth0/1": the slash is a dot within a name
            *c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
        out->sysctls[out->nr_sysctls++] =
            (struct sysctl_config){name, (char *)(uintptr_t)config->sysctls[i].value};
    }
    return 0;
}

static char *map_text(const struct oci_id_map *maps, size_t count)
{
    char *text = calloc(count, 40), *at = text;
    for (size_t i = 0; text && i < count; i++)
        at += sprintf(at, "%u %u %u\n", maps[i].container, maps[i].host, maps[i].size);
    return text;
}

// Whose files the Gofer shows and makes. Root keeps the five file capabilities; with mappings it is root of a user namespace that
// has them; an ordinary user has no id but his own.
static int plan_owners(const struct oci_config *config, struct sandbox_spec *spec, struct oci_error *error)
{
    const struct oci_namespace *user = &config->namespaces[OCI_NS_USER];
    if (geteuid() != 0) {
        spec->gofer_owner = GOFER_OWNER_SINGLE;
        spec->gofer_shows_root = config->nr_uid_maps > 0 && config->uid_maps[0].container == 0;
        return 0;
    }
    spec->gofer_owner = GOFER_OWNER_SET;
    spec->gofer_capabilities = GOFER_CAP_ALL;
    if (!user->listed)
        return 0;
    if (user->path) { // guests are in none of the host's: one with its maps is as good
        char *uid_map, *gid_map;
        int failed = user_namespace_maps(user->path, &uid_map, &gid_map, error);
        spec->gofer_uid_map = uid_map;
        spec->gofer_gid_map = gid_map;
        return failed;
    }
    if (!config->nr_uid_maps || !config->nr_gid_maps)
        return oci_fail(error, EINVAL,
                        "linux.namespaces: a user namespace needs uidMappings and gidMappings");
    spec->gofer_uid_map = map_text(config->uid_maps, config->nr_uid_maps);
    spec->gofer_gid_map = map_text(config->gid_maps, config->nr_gid_maps);
    return spec->gofer_uid_map && spec->gofer_gid_map ? 0 : no_memory(error);
}

static int plan_features(const struct oci_globals *globals, struct sentry_config *out,
                         struct oci_error *error)
{
    char unknown[FEATURE_NAME_MAX];
    if (!globals->disable_features ||
        features_by_list(globals->disable_features, &out->disabled_features, unknown))
        return 0;
    return oci_fail(
        error, EINVAL,
        "--disable-feature: there is no feature \"%s\"; `sentry --disable-feature list` names them", unknown);
}

// What the host runs natively is asked about only where the profile does not let it through anyway.
static int plan_seccomp(const struct oci_config *config, struct seccomp_config *out, struct oci_error *error)
{
    struct oci_seccomp_program program;
    if (!config->seccomp)
        return 0;
    int failed = oci_seccomp_compile(config->seccomp, &program, error);
    if (failed)
        return failed;
    *out = (struct seccomp_config){.code = program.filter,
                                   .length = program.length,
                                   .log = config->seccomp->log,
                                   .native_rows = program.native_rows};
    return 0;
}

static int plan_root(const struct oci_config *config, const char *bundle, struct oci_plan *plan,
                     struct oci_error *error)
{
    char path[PATH_MAX];
    struct stat st;
    if (!config->root_path)
        return oci_fail(error, EINVAL, "config.json: root.path is missing");
    bool absolute = config->root_path[0] == '/';
    int n = snprintf(path, sizeof(path), "%s%s%s", absolute ? "" : bundle, absolute ? "" : "/",
                     config->root_path);
    if (n < 0 || (size_t)n >= sizeof(path))
        return oci_fail(error, ENAMETOOLONG, "rootfs: the path is too long");
    if (lstat(path, &st) < 0)
        return oci_fail_errno(error, errno, "rootfs (%s) does not exist", path);
    if (!realpath(path, plan->rootfs))
        return oci_fail_errno(error, errno, "rootfs %s", path);
    if (stat(plan->rootfs, &st) < 0 || !S_ISDIR(st.st_mode))
        return oci_fail(error, ENOTDIR, "rootfs %s is not a directory", path);
    if (strcmp(plan->rootfs, "/") == 0)
        return oci_fail(error, EINVAL, "rootfs is the host's root directory");
    // As runc does: what is checked is what is used.
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        path[--length] = 0;
    if (absolute && strcmp(path, plan->rootfs) != 0)
        return oci_fail(error, EINVAL, "rootfs %s is not an absolute path without symlinks", path);
    return 0;
}

int oci_plan(const struct oci_config *config, const char *bundle, const struct oci_globals *globals,
             struct oci_plan *plan, struct oci_error *error)
{
    memset(plan, 0, sizeof(*plan));
    struct sandbox_spec *spec = &plan->spec;
    if (!config->process)
        return oci_fail(error, EINVAL, "config.json: process is missing");
    int failed = plan_root(config, bundle, plan, error);
    if (!failed)
        failed = oci_plan_process(config->process, &spec->config, error);
    if (!failed)
        failed = plan_owners(config, spec, error);
    if (!failed)
        failed = plan_seccomp(config, &spec->config.seccomp, error);
    if (!failed)
        failed = plan_features(globals, &spec->config, error);
    if (!failed && plan_names(config, &spec->config))
        failed = no_memory(error);
    if (!failed)
        failed = oci_plan_mounts(config, bundle, plan->rootfs,
                                 globals->overlay && strcmp(globals->overlay, "memory") == 0, spec, error);
    if (failed)
        return failed;
    const struct oci_resources *resources = config->resources;
    if (resources->memory_limit.set && resources->memory_limit.value > 0)
        spec->config.memory_limit = (uint64_t)resources->memory_limit.value;
    spec->config.max_tasks = DEFAULT_TASKS;
    if (resources->pids_limit.set && resources->pids_limit.value > 0 &&
        resources->pids_limit.value < INT32_MAX)
        spec->config.max_tasks = (unsigned)resources->pids_limit.value;
    spec->config.log_level = globals->debug ? LOG_DEBUG : LOG_WARN;
    spec->config.strace = globals->strace != NULL;
    spec->log = spec->strace = spec->stats = -1;
    for (int i = 0; i < 3; i++)
        spec->stdio[i] = -1;
    return 0;
}
