// The object `linux`, but for resources and seccomp.
#include "sentry/oci/decode.h"
#include <string.h>
#include <sys/mount.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ID_MAPS_MAX 340 // the kernel's limit

static void decode_namespaces(struct decode *d, const struct json *object, struct oci_config *config)
{
    static const struct decode_name types[] = {
        {"pid", OCI_NS_PID}, {"network", OCI_NS_NETWORK}, {"mount", OCI_NS_MOUNT},   {"ipc", OCI_NS_IPC},
        {"uts", OCI_NS_UTS}, {"user", OCI_NS_USER},       {"cgroup", OCI_NS_CGROUP}, {"time", OCI_NS_TIME}};
    size_t count;
    const struct json *item = decode_array(d, object, "namespaces", JSON_OBJECT, &count);
    for (; item && !d->result; item = item->next) {
        const struct json *name = decode_required(d, item, "type", JSON_STRING);
        const char *path = decode_string(d, item, "path");
        uint32_t type = 0;
        if (!name || d->result)
            return;
        if (!decode_lookup(types, COUNT(types), decode_text(d, name), &type))
            decode_fail(d, name, "%s is no type of namespace", name->text);
        else if (config->namespaces[type].listed)
            decode_fail(d, name, "the namespace %s is given twice", name->text);
        else if (path && path[0] && path[0] != '/')
            decode_fail(d, json_get(item, "path"), "an absolute path is expected");
        config->namespaces[type].listed = true;
        config->namespaces[type].path = path && path[0] ? path : NULL;
    }
    if (config->namespaces[OCI_NS_TIME].path)
        decode_fail(d, object, "a time namespace of somebody else cannot be joined");
}

static struct oci_id_map *decode_id_maps(struct decode *d, const struct json *object, const char *name,
                                         size_t *nr)
{
    size_t count;
    const struct json *item = decode_array(d, object, name, JSON_OBJECT, &count);
    *nr = 0;
    if (count > ID_MAPS_MAX)
        decode_fail(d, json_get(object, name), "more than %u ranges", ID_MAPS_MAX);
    struct oci_id_map *maps = count ? decode_alloc(d, count, sizeof(*maps)) : NULL;
    for (; item && maps && !d->result; item = item->next) {
        struct oci_id_map *map = &maps[(*nr)++];
        map->container = decode_required_u32(d, item, "containerID");
        map->host = decode_required_u32(d, item, "hostID");
        map->size = decode_required_u32(d, item, "size");
        if (map->size == 0 || map->container > UINT32_MAX - map->size || map->host > UINT32_MAX - map->size)
            decode_fail(d, item, "an empty range, or one that reaches beyond the last number");
        for (size_t i = 0; i + 1 < *nr; i++) {
            bool inside = map->container < maps[i].container + maps[i].size &&
                          maps[i].container < map->container + map->size;
            bool outside = map->host < maps[i].host + maps[i].size && maps[i].host < map->host + map->size;
            if (inside || outside)
                decode_fail(d, item, "the range overlaps with another");
        }
    }
    return maps;
}

// Names that belong to a namespace of their own; everything else would be the host's.
static bool sysctl_of(const char *name, enum oci_namespace_type *type)
{
    static const char *const ipc[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                      "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                      "kernel.shmmni", "kernel.shm_rmid_forced"};
    for (size_t i = 0; i < COUNT(ipc); i++) {
        if (strcmp(name, ipc[i]) == 0) {
            *type = OCI_NS_IPC;
            return true;
        }
    }
    *type = strncmp(name, "fs.mqueue.", 10) == 0 ? OCI_NS_IPC
            : strncmp(name, "net.", 4) == 0      ? OCI_NS_NETWORK
                                                 : OCI_NS_UTS;
    return *type != OCI_NS_UTS || strcmp(name, "kernel.domainname") == 0;
}

// As sysctl(8): where the first separator is a slash, slashes and dots mean each other. NULL for a bad name.
static const char *sysctl_name(struct decode *d, const char *given)
{
    char *name = arena_copy(d->memory, given, strlen(given));
    size_t first = strcspn(given, "./");
    if (!name || !given[first] || first == 0)
        return NULL;
    bool slashes = given[first] == '/';
    bool separator = true;
    for (char *c = name; *c; c++) {
        if (slashes && (*c == '/' || *c == '.'))
            *c = *c == '/' ? '.' : '/';
        if (*c == '.' && separator)
            return NULL;
        separator = *c == '.';
    }
    return separator ? NULL : name;
}

static void decode_sysctls(struct decode *d, const struct json *object, struct oci_config *config)
{
    const struct json *map = json_get(object, "sysctl");
    config->sysctls = decode_pairs(d, object, "sysctl", &config->nr_sysctls);
    for (size_t i = 0; i < config->nr_sysctls && !d->result; i++) {
        struct oci_pair *pair = &config->sysctls[i];
        const struct json *at = json_get(map, pair->name);
        enum oci_namespace_type type;
        pair->name = sysctl_name(d, pair->name);
        if (!pair->name)
            decode_fail(d, at, "no name of a kernel parameter");
        else if (strcmp(pair->name, "kernel.hostname") == 0)
            decode_fail(d, at, "\"hostname\" is the member for this");
        else if (!sysctl_of(pair->name, &type))
            decode_fail(d, at, "the parameter is not one of a namespace");
        else if (!config->namespaces[type].listed)
            decode_fail(d, at, "the parameter belongs to a namespace that the container has not");
    }
}

static void decode_devices(struct decode *d, const struct json *object, struct oci_config *config)
{
    size_t count;
    const struct json *item = decode_array(d, object, "devices", JSON_OBJECT, &count);
    config->devices = count ? decode_alloc(d, count, sizeof(*config->devices)) : NULL;
    for (; item && config->devices && !d->result; item = item->next) {
        struct oci_device *device = &config->devices[config->nr_devices++];
        const struct json *type = decode_required(d, item, "type", JSON_STRING);
        const struct json *path = decode_required(d, item, "path", JSON_STRING);
        if (d->result)
            return;
        if (strlen(decode_text(d, type)) != 1 || !strchr("cubp", type->text[0]))
            decode_fail(d, type, "one of c, u, b and p is expected");
        device->type = type->text[0] == 'u' ? 'c' : type->text[0];
        device->path = decode_clean_path(d, decode_text(d, path));
        if (path->text[0] != '/' || (device->path && strcmp(device->path, "/") == 0))
            decode_fail(d, path, "an absolute path is expected");
        if (device->type != 'p') {
            decode_required(d, item, "major", JSON_NUMBER);
            decode_required(d, item, "minor", JSON_NUMBER);
        }
        device->major = (uint32_t)decode_i64(d, item, "major", 0, 0xfff).value;
        device->minor = (uint32_t)decode_i64(d, item, "minor", 0, 0xfffff).value;
        struct oci_u64 mode = decode_u64(d, item, "fileMode", UINT32_MAX);
        device->mode_set = mode.set;
        device->mode = mode.value & 0777; // some write the type of the file into it, too
        device->uid = decode_u32(d, item, "uid");
        device->gid = decode_u32(d, item, "gid");
    }
}

static void decode_personality(struct decode *d, const struct json *object)
{
    size_t count;
    if (!object)
        return;
    const struct json *domain = decode_required(d, object, "domain", JSON_STRING);
    if (domain && strcmp(decode_text(d, domain), "LINUX") != 0)
        decode_fail(d, domain, "the personality %s is not supported", domain->text);
    const struct json *flag = decode_array(d, object, "flags", JSON_STRING, &count);
    if (flag)
        decode_fail(d, flag, "flags of a personality are not supported");
}

static void decode_time_offsets(struct decode *d, const struct json *object)
{
    const struct json *offsets = decode_member(d, object, "timeOffsets", JSON_OBJECT);
    for (const struct json *clock = offsets ? offsets->first : NULL; clock && !d->result;
         clock = clock->next) {
        if (clock->type == JSON_NULL)
            continue;
        int64_t seconds = decode_i64(d, clock, "secs", INT64_MIN, INT64_MAX).value;
        uint64_t nanoseconds = decode_u64(d, clock, "nanosecs", 999999999).value;
        if (clock->type != JSON_OBJECT || seconds || nanoseconds)
            decode_fail(d, clock, "offsets of clocks are not supported");
    }
}

static void refuse(struct decode *d, const struct json *object, const char *name, const char *reason)
{
    const struct json *member = json_get(object, name);
    if (member && member->type != JSON_NULL && !(member->type == JSON_STRING && member->length == 0))
        decode_fail(d, member, "%s", reason);
}

static void decode_propagation(struct decode *d, const struct json *object, struct oci_config *config)
{
    static const struct decode_name modes[] = {
        {"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
        {"shared", MS_SHARED},         {"rshared", MS_SHARED | MS_REC},
        {"slave", MS_SLAVE},           {"rslave", MS_SLAVE | MS_REC},
        {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC}};
    const char *name = decode_string(d, object, "rootfsPropagation");
    uint32_t value = 0;
    if (name && name[0] && !decode_lookup(modes, COUNT(modes), name, &value))
        decode_fail(d, json_get(object, "rootfsPropagation"), "%s is no propagation of mounts", name);
    if (value & MS_SHARED)
        decode_fail(d, json_get(object, "rootfsPropagation"), "%s: the host does not see what guests mount",
                    name);
    config->rootfs_propagation = value;
}

// What contradicts itself, as runc refuses it.
static void check_namespaces(struct decode *d, const struct json *object, const struct json *root,
                             const struct oci_config *config)
{
    const struct oci_namespace *ns = config->namespaces;
    if (ns[OCI_NS_USER].listed && !ns[OCI_NS_USER].path && (!config->nr_uid_maps || !config->nr_gid_maps))
        decode_fail(d, object, "a new user namespace needs uidMappings and gidMappings");
    if (!ns[OCI_NS_MOUNT].listed && (config->masked_paths.count || config->readonly_paths.count))
        decode_fail(d, object, "maskedPaths and readonlyPaths need a mount namespace in \"namespaces\"");
    const struct json *host = config->hostname ? json_get(root, "hostname") : json_get(root, "domainname");
    if (!ns[OCI_NS_UTS].listed && (config->hostname || config->domainname))
        decode_fail(d, host, "a name of its own needs a uts namespace in \"linux.namespaces\"");
}

void decode_linux(struct decode *d, const struct json *root, struct oci_config *config)
{
    const struct json *object = decode_member(d, root, "linux", JSON_OBJECT);
    decode_namespaces(d, object, config);
    config->uid_maps = decode_id_maps(d, object, "uidMappings", &config->nr_uid_maps);
    config->gid_maps = decode_id_maps(d, object, "gidMappings", &config->nr_gid_maps);
    if ((config->nr_uid_maps || config->nr_gid_maps) && !config->namespaces[OCI_NS_USER].listed) {
        decode_warn(d, object, "id mappings without a user namespace say nothing");
        config->nr_uid_maps = config->nr_gid_maps = 0;
    }
    decode_sysctls(d, object, config);
    decode_devices(d, object, config);
    config->cgroups_path = decode_string(d, object, "cgroupsPath");
    if (config->cgroups_path && !config->cgroups_path[0])
        config->cgroups_path = NULL;
    decode_propagation(d, object, config);
    decode_paths(d, object, "maskedPaths", &config->masked_paths);
    decode_paths(d, object, "readonlyPaths", &config->readonly_paths);
    decode_personality(d, decode_member(d, object, "personality", JSON_OBJECT));
    decode_time_offsets(d, object);
    refuse(d, object, "mountLabel", "SELinux labels are not supported");
    refuse(d, object, "intelRdt", "resource control of Intel processors is not supported");
    check_namespaces(d, object ? object : root, root, config);
    config->resources = decode_alloc(d, 1, sizeof(*config->resources));
    if (config->resources)
        decode_resources(d, decode_member(d, object, "resources", JSON_OBJECT), config->resources);
    config->seccomp = decode_seccomp(d, object);
}
