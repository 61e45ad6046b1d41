#pragma once
// config.json of the OCI runtime specification 1.0.2 and 1.1, decoded.
//
// What oci_config_parse() returns is complete, bounded and valid by itself: names are known, paths absolute
// and clean where the specification wants them so, numbers in the range of the type they are decoded to. What
// the Sentry does not do is refused by name, unless the specification lets a runtime ignore it; docs/oci.md
// has a row for every field. Nothing of the host is looked at here: whether a path exists is for those who
// use it.
//
// null stands for an absent member, as the engines' encoders mean it. Unknown members are ignored, as the
// specification demands. Strings hold no NUL. Everything is freed at once and never changes.
#include "sentry/oci/error.h"
#include "sentry/oci/json.h"
#include "sentry/oci/resources.h"
#include "sentry/oci/seccomp.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OCI_VERSION "1.1.0" // of the specification that we follow

#define OCI_LIST_MAX 65536u // elements of any one list but args and env, which execve bounds

struct oci_strings {
    const char **list; // NULL-terminated; NULL where count is 0 and it was absent
    size_t count;
};

struct oci_rlimit {
    bool set;
    uint64_t soft, hard; // UINT64_MAX: none
};
#define OCI_RLIMITS 16 // by RLIMIT_* number

enum oci_capability_set {
    OCI_CAP_BOUNDING,
    OCI_CAP_EFFECTIVE,
    OCI_CAP_INHERITABLE,
    OCI_CAP_PERMITTED,
    OCI_CAP_AMBIENT,
    OCI_CAP_SETS
};

// process.scheduler: what sched_setattr(2) takes.
struct oci_scheduler {
    bool set;
    uint32_t policy; // SCHED_*; never SCHED_DEADLINE
    int32_t nice;
    uint32_t priority;
};

// process, and the document of `exec --process`.
struct oci_process {
    bool terminal;
    uint16_t console_height, console_width; // 0: not given
    uint32_t uid, gid;
    uint32_t *additional_gids;
    size_t nr_additional_gids;
    bool umask_set;
    uint32_t umask;
    struct oci_strings args;             // at least one
    struct oci_strings env;              // as given, also what has no '='
    const char *cwd;                     // absolute, clean
    bool capabilities_set;               // false: no capabilities at all
    uint64_t capabilities[OCI_CAP_SETS]; // bit N: capability N
    struct oci_rlimit rlimits[OCI_RLIMITS];
    bool no_new_privileges;
    struct oci_i64 oom_score_adj; // -1000 to 1000
    struct oci_scheduler scheduler;
    bool io_priority_set;
    int io_priority;              // as ioprio_set(2) takes it
    const char *apparmor_profile; // NULL: none. A profile of the host: it says nothing about guests
};

enum oci_mount_type {
    OCI_MOUNT_BIND,
    OCI_MOUNT_TMPFS,
    OCI_MOUNT_PROC,
    OCI_MOUNT_SYSFS,
    OCI_MOUNT_DEVPTS,
    OCI_MOUNT_MQUEUE,
    OCI_MOUNT_CGROUP // cgroup and cgroup2
};

struct oci_mount {
    enum oci_mount_type type;
    const char *destination; // absolute, clean; never "/" itself
    const char *source;      // OCI_MOUNT_BIND: as given; relative to the bundle
    bool recursive;          // rbind
    unsigned long
        flags; // MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME ... as the options leave them
    unsigned long cleared;          // the same, that an option took away by name ("exec", "dev", "rw")
    unsigned long recursive_flags;  // "rro", "rnosuid" ...: for what lies below, too
    unsigned long propagation;      // MS_PRIVATE and relatives with MS_REC, or 0
    bool copy_up;                   // tmpfs: starts with what the image has there ("tmpcopyup")
    struct oci_u64 size, nr_inodes; // tmpfs: bytes; a percentage of memory is resolved by oci_mount_size()
    unsigned size_percent;          // tmpfs: size=N%, or 0
    bool mode_set, uid_set, gid_set;
    uint32_t mode, uid, gid; // tmpfs and devpts (mode of the nodes there)
};

enum oci_hook_kind {
    OCI_HOOK_PRESTART,
    OCI_HOOK_CREATE_RUNTIME,
    OCI_HOOK_CREATE_CONTAINER,
    OCI_HOOK_START_CONTAINER, // the image's code: refused
    OCI_HOOK_POSTSTART,
    OCI_HOOK_POSTSTOP,
    OCI_HOOK_KINDS
};

extern const char *const oci_hook_names[OCI_HOOK_KINDS]; // in config.json

struct oci_hook {
    const char *path;        // absolute
    struct oci_strings args; // args[0] included; count 0: the path alone
    struct oci_strings env;  // list NULL: absent, which is told from empty
    unsigned timeout;        // seconds, 0: none
};

struct oci_hooks {
    struct oci_hook *list;
    size_t count;
};

enum oci_namespace_type {
    OCI_NS_PID,
    OCI_NS_NETWORK,
    OCI_NS_MOUNT,
    OCI_NS_IPC,
    OCI_NS_UTS,
    OCI_NS_USER,
    OCI_NS_CGROUP,
    OCI_NS_TIME,
    OCI_NS_TYPES
};

struct oci_namespace {
    bool listed;      // false: the runtime's own
    const char *path; // absolute; NULL: a new one
};

struct oci_id_map {
    uint32_t container, host, size;
};

struct oci_device {
    char type;        // 'c', 'b' or 'p'; 'u' is given as 'c'
    const char *path; // absolute, clean
    uint32_t major, minor;
    bool mode_set; // else 0666
    uint32_t mode;
    uint32_t uid, gid;
};

struct oci_pair {
    const char *name, *value;
};

struct oci_config {
    const char *version;
    struct oci_process *process; // NULL: absent, which `create` and `run` refuse
    const char *root_path;       // as given; relative to the bundle
    bool root_readonly;
    const char *hostname, *domainname; // NULL: absent
    struct oci_mount *mounts;          // in the order of the document
    size_t nr_mounts;
    struct oci_hooks hooks[OCI_HOOK_KINDS];
    struct oci_pair *annotations; // sorted by name
    size_t nr_annotations;

    struct oci_namespace namespaces[OCI_NS_TYPES];
    struct oci_id_map *uid_maps, *gid_maps;
    size_t nr_uid_maps, nr_gid_maps;
    struct oci_pair *sysctls; // names with dots, as sysctl(8) takes them
    size_t nr_sysctls;
    struct oci_device *devices;
    size_t nr_devices;
    const char *cgroups_path;                        // NULL: absent
    struct oci_resources *resources;                 // never NULL; everything unset where absent
    struct oci_seccomp *seccomp;                     // NULL: absent
    unsigned long rootfs_propagation;                // MS_* with MS_REC, or 0
    struct oci_strings masked_paths, readonly_paths; // absolute, clean

    struct oci_strings warnings;   // what is there and has no effect: a sentence each, for the log
    struct json_document document; // owns all of it
};

// Decodes a whole config.json. 0; -EINVAL with "line N: PATH: REASON"; -ENOMEM. On failure nothing is kept.
int oci_config_parse(const char *text, size_t length, struct oci_config *config, struct oci_error *error);
void oci_config_free(struct oci_config *config);

// The document of `exec --process`: an object like `process`. Freed with oci_process_free().
struct oci_process_document {
    struct oci_process process;
    struct oci_strings warnings;
    struct json_document document;
};
int oci_process_parse(const char *text, size_t length, struct oci_process_document *out,
                      struct oci_error *error);
void oci_process_free(struct oci_process_document *out);

// The document of `update --resources`: an object like linux.resources.
struct oci_resources_document {
    struct oci_resources resources;
    struct oci_strings warnings;
    struct json_document document;
};
int oci_resources_parse(const char *text, size_t length, struct oci_resources_document *out,
                        struct oci_error *error);
void oci_resources_free(struct oci_resources_document *out);

// Names, shared with the command line.
int oci_capability_number(const char *name);      // "CAP_CHOWN"; -1: unknown
const char *oci_capability_name(unsigned number); // NULL: unknown
int oci_rlimit_number(const char *name);          // "RLIMIT_NOFILE"; -1: unknown
// The value of an annotation, or NULL.
const char *oci_annotation(const struct oci_config *config, const char *name);
// The options that mounts of any type may have, at most `max`. Returns how many.
size_t oci_mount_options(const char **names, size_t max);
// The size of a tmpfs in bytes for a machine or container of that much memory; 0: not given.
uint64_t oci_mount_size(const struct oci_mount *mount, uint64_t memory);
