// The array `mounts` and the options of mount(8) in it.
#include "sentry/oci/decode.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct option {
    const char *name;
    unsigned long set, clear;
};

static const struct option flag_options[] = {
    {"defaults", 0, 0},
    {"ro", MS_RDONLY, 0},
    {"rw", 0, MS_RDONLY},
    {"nosuid", MS_NOSUID, 0},
    {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV, 0},
    {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC, 0},
    {"exec", 0, MS_NOEXEC},
    {"symfollow", 0, MS_NOSYMFOLLOW},
    {"async", 0, MS_SYNCHRONOUS},
    {"noatime", MS_NOATIME, 0},
    {"atime", 0, MS_NOATIME},
    {"nodiratime", MS_NODIRATIME, 0},
    {"diratime", 0, MS_NODIRATIME},
    {"relatime", MS_RELATIME, 0},
    {"norelatime", 0, MS_RELATIME},
    {"strictatime", MS_STRICTATIME, 0},
    {"nostrictatime", 0, MS_STRICTATIME},
    {"lazytime", MS_LAZYTIME, 0},
    {"nolazytime", 0, MS_LAZYTIME},
    {"silent", MS_SILENT, 0},
    {"loud", 0, MS_SILENT},
    // Linux has had no mandatory locks since 5.15, inode versions are each filesystem's own, and there are no
    // access control lists here.
    {"mand", 0, 0},
    {"nomand", 0, 0},
    {"noacl", 0, 0},
    {"iversion", 0, 0},
    {"noiversion", 0, 0},
};

static const struct option recursive_options[] = {
    {"rro", MS_RDONLY, 0},
    {"rrw", 0, MS_RDONLY},
    {"rnosuid", MS_NOSUID, 0},
    {"rsuid", 0, MS_NOSUID},
    {"rnodev", MS_NODEV, 0},
    {"rdev", 0, MS_NODEV},
    {"rnoexec", MS_NOEXEC, 0},
    {"rexec", 0, MS_NOEXEC},
    {"rsymfollow", 0, MS_NOSYMFOLLOW},
    {"rnoatime", MS_NOATIME, 0},
    {"ratime", 0, MS_NOATIME},
    {"rnodiratime", MS_NODIRATIME, 0},
    {"rdiratime", 0, MS_NODIRATIME},
    {"rrelatime", MS_RELATIME, 0},
    {"rnorelatime", 0, MS_RELATIME},
    {"rstrictatime", MS_STRICTATIME, 0},
    {"rnostrictatime", 0, MS_STRICTATIME},
};

static const struct option propagation_options[] = {
    {"private", MS_PRIVATE, 0},       {"rprivate", MS_PRIVATE | MS_REC, 0},
    {"shared", MS_SHARED, 0},         {"rshared", MS_SHARED | MS_REC, 0},
    {"slave", MS_SLAVE, 0},           {"rslave", MS_SLAVE | MS_REC, 0},
    {"unbindable", MS_UNBINDABLE, 0}, {"runbindable", MS_UNBINDABLE | MS_REC, 0},
};

static const struct option *find(const struct option *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

// A number to the base, at most 32 bits.
static bool small_number(const char *text, int base, uint32_t *out)
{
    char *end;
    unsigned long long value = strtoull(text, &end, base);
    if (!isdigit((unsigned char)text[0]) || *end || value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

// A number with k, m, g, t, p or e as memparse() of the kernel takes it.
static bool size_number(const char *text, uint64_t *out)
{
    static const char units[] = "kmgtpe";
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    uint64_t value = strtoull(text, &end, 0);
    const char *unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
    unsigned shift = unit ? (unsigned)(unit - units + 1) * 10 : 0;
    if ((unit ? end[1] : end[0]) || (shift && value >> (64 - shift)))
        return false;
    *out = value << shift;
    return true;
}

static bool tmpfs_size(const char *text, struct oci_mount *mount)
{
    size_t n = strlen(text);
    uint32_t percent;
    if (n == 0 || text[n - 1] != '%') {
        mount->size.set = size_number(text, &mount->size.value);
        mount->size_percent = 0;
        return mount->size.set;
    }
    char digits[8];
    if (n > sizeof(digits))
        return false;
    memcpy(digits, text, n - 1);
    digits[n - 1] = 0;
    if (!small_number(digits, 10, &percent) || percent == 0 || percent > 1000)
        return false;
    mount->size = (struct oci_u64){0};
    mount->size_percent = percent;
    return true;
}

static bool owner_option(const char *name, const char *value, struct oci_mount *mount)
{
    if (strcmp(name, "mode") == 0)
        return mount->mode_set = small_number(value, 8, &mount->mode) && mount->mode <= 07777;
    if (strcmp(name, "uid") == 0)
        return mount->uid_set = small_number(value, 10, &mount->uid);
    return mount->gid_set = small_number(value, 10, &mount->gid);
}

// Options of the filesystem. `good` is false for a bad value. Returns false for an option that is not known.
static bool filesystem_option(const char *name, const char *value, struct oci_mount *mount, bool *good)
{
    bool tmpfs = mount->type == OCI_MOUNT_TMPFS, devpts = mount->type == OCI_MOUNT_DEVPTS;
    if (strcmp(name, "mode") == 0 || strcmp(name, "uid") == 0 || strcmp(name, "gid") == 0) {
        *good = owner_option(name, value, mount);
        return tmpfs || devpts;
    }
    if (tmpfs && strcmp(name, "size") == 0) {
        *good = tmpfs_size(value, mount);
        return true;
    }
    if (tmpfs && strcmp(name, "nr_blocks") == 0) {
        *good = size_number(value, &mount->size.value) && mount->size.value <= UINT64_MAX / 4096;
        mount->size = (struct oci_u64){*good, mount->size.value * 4096};
        return true;
    }
    if (tmpfs && strcmp(name, "nr_inodes") == 0) {
        *good = mount->nr_inodes.set = size_number(value, &mount->nr_inodes.value);
        return true;
    }
    if (tmpfs && strcmp(name, "tmpcopyup") == 0)
        return mount->copy_up = true;
    if (devpts && strcmp(name, "ptmxmode") == 0) {
        uint32_t mode;
        *good = small_number(value, 8, &mode) && mode == 0666; // what every node of ours has
        return true;
    }
    return devpts && strcmp(name, "newinstance") == 0;
}

static void decode_option(struct decode *d, const struct json *at, struct oci_mount *mount)
{
    const char *text = decode_text(d, at);
    const struct option *option = find(flag_options, COUNT(flag_options), text);
    if (option) {
        mount->flags = (mount->flags & ~option->clear) | option->set;
        mount->cleared = (mount->cleared & ~option->set) | option->clear;
        return;
    }
    if ((option = find(recursive_options, COUNT(recursive_options), text))) {
        mount->recursive_flags = (mount->recursive_flags & ~option->clear) | option->set;
        mount->flags = (mount->flags & ~option->clear) | option->set;
        return;
    }
    if ((option = find(propagation_options, COUNT(propagation_options), text))) {
        if (mount->type == OCI_MOUNT_BIND && option->set & (MS_SHARED | MS_SLAVE))
            decode_fail(d, at, "%s: what the host mounts later is not shown, so only private is supported",
                        text);
        mount->propagation = option->set;
        return;
    }
    if (strcmp(text, "bind") == 0 || strcmp(text, "rbind") == 0)
        return; // decode_type() has seen it
    char name[32] = "";
    size_t n = strcspn(text, "=");
    if (n < sizeof(name))
        memcpy(name, text, n);
    bool good = true;
    if (!filesystem_option(name, text[n] ? text + n + 1 : "", mount, &good))
        decode_fail(d, at, "the mount option \"%s\" is not supported for this type of mount", text);
    else if (!good)
        decode_fail(d, at, "the mount option \"%s\" has a bad value", text);
}

static void decode_type(struct decode *d, const struct json *object, struct oci_mount *mount)
{
    static const struct decode_name types[] = {{"bind", OCI_MOUNT_BIND},     {"tmpfs", OCI_MOUNT_TMPFS},
                                               {"proc", OCI_MOUNT_PROC},     {"sysfs", OCI_MOUNT_SYSFS},
                                               {"devpts", OCI_MOUNT_DEVPTS}, {"mqueue", OCI_MOUNT_MQUEUE},
                                               {"cgroup", OCI_MOUNT_CGROUP}, {"cgroup2", OCI_MOUNT_CGROUP}};
    const struct json *at = decode_member(d, object, "type", JSON_STRING);
    const char *type = at ? decode_text(d, at) : "";
    size_t count;
    const struct json *option = decode_array(d, object, "options", JSON_STRING, &count);
    bool bind = false;
    for (; option; option = option->next) {
        mount->recursive |= strcmp(option->text, "rbind") == 0;
        bind |= mount->recursive || strcmp(option->text, "bind") == 0;
    }
    uint32_t value = OCI_MOUNT_BIND;
    // With these options the type says nothing.
    if (!bind && !decode_lookup(types, COUNT(types), type, &value))
        decode_fail(d, at ? at : object, "mounts of type \"%s\" are not supported", type);
    mount->type = (enum oci_mount_type)value;
}

// Below /proc only a few files may be covered: those that tell of the machine (as runc has it).
static bool covers_proc(const struct oci_mount *mount)
{
    static const char *const may_be_covered[] = {"/proc/cpuinfo", "/proc/diskstats",
                                                 "/proc/meminfo", "/proc/stat",
                                                 "/proc/swaps",   "/proc/uptime",
                                                 "/proc/loadavg", "/proc/slabinfo",
                                                 "/proc/net/dev", "/proc/sys/kernel/ns_last_pid"};
    if (strcmp(mount->destination, "/proc") == 0)
        return mount->type != OCI_MOUNT_PROC;
    if (strncmp(mount->destination, "/proc/", 6) != 0)
        return false;
    for (size_t i = 0; i < COUNT(may_be_covered); i++)
        if (strcmp(mount->destination, may_be_covered[i]) == 0)
            return false;
    return true;
}

static void decode_mount(struct decode *d, const struct json *object, struct oci_mount *mount)
{
    size_t count;
    const struct json *destination = decode_required(d, object, "destination", JSON_STRING);
    decode_type(d, object, mount);
    mount->source = decode_string(d, object, "source");
    // A relative one is taken from the root (deprecated, but the specification wants it so).
    mount->destination = destination ? decode_clean_path(d, decode_text(d, destination)) : NULL;
    if (d->result)
        return;
    if (strcmp(mount->destination, "/") == 0)
        decode_fail(d, destination, "the root cannot be covered by a mount");
    else if (covers_proc(mount))
        decode_fail(d, destination, "%s is the sandbox's own and cannot be covered", mount->destination);
    if (mount->type == OCI_MOUNT_BIND && (!mount->source || !mount->source[0]))
        decode_fail(d, object, "a bind mount needs a \"source\"");
    decode_array(d, object, "uidMappings", JSON_OBJECT, &count);
    if (count)
        decode_fail(d, json_get(object, "uidMappings"), "id-mapped mounts are not supported");
    decode_array(d, object, "gidMappings", JSON_OBJECT, &count);
    if (count)
        decode_fail(d, json_get(object, "gidMappings"), "id-mapped mounts are not supported");
    const struct json *option = decode_array(d, object, "options", JSON_STRING, &count);
    for (; option && !d->result; option = option->next)
        decode_option(d, option, mount);
}

void decode_mounts(struct decode *d, const struct json *root, struct oci_config *config)
{
    size_t count;
    const struct json *item = decode_array(d, root, "mounts", JSON_OBJECT, &count);
    config->mounts = count ? decode_alloc(d, count, sizeof(*config->mounts)) : NULL;
    for (; item && config->mounts && !d->result; item = item->next)
        decode_mount(d, item, &config->mounts[config->nr_mounts++]);
}

size_t oci_mount_options(const char **names, size_t max)
{
    static const struct option others[] = {{"bind", 0, 0}, {"rbind", 0, 0}, {"tmpcopyup", 0, 0}};
    static const struct {
        const struct option *table;
        size_t count;
    } tables[] = {{flag_options, COUNT(flag_options)},
                  {recursive_options, COUNT(recursive_options)},
                  {propagation_options, COUNT(propagation_options)},
                  {others, COUNT(others)}};
    size_t n = 0;
    for (size_t t = 0; t < COUNT(tables); t++)
        for (size_t i = 0; i < tables[t].count && n < max; i++)
            names[n++] = tables[t].table[i].name;
    return n;
}

uint64_t oci_mount_size(const struct oci_mount *mount, uint64_t memory)
{
    if (mount->size_percent)
        return memory / 100 * mount->size_percent;
    return mount->size.set ? mount->size.value : 0;
}
