#pragma once
// What the command line tells the kernel process. Trusted; fixed after start.
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

enum mount_kind {
    MOUNT_GOFER,
    MOUNT_TMPFS,
    MOUNT_PROC,
    MOUNT_SYSFS,
    MOUNT_DEV,
    MOUNT_DEVPTS,
    MOUNT_MQUEUE,
    MOUNT_CGROUP,
    MOUNT_MASK,   // hides what is there: an empty read-only directory, or /dev/null
    MOUNT_REMOUNT // what is there once more, with other flags: read-only paths
};
struct mount_config {
    enum mount_kind kind;
    char *destination; // absolute guest path
    char *export_name; // MOUNT_GOFER: attach name at the Gofer
    bool readonly, nosuid, nodev, noexec;
    bool overlay;    // writes stay in memory
    bool store;      // ...or, of larger files, in the operator's store
    bool shared;     // others change it too: revalidate
    unsigned server; // MOUNT_GOFER: 0 is the sandbox's own; N the N-th of boot_fds.servers
    uint64_t size;   // tmpfs, overlay: bytes, 0 = default
    uint32_t mode;   // tmpfs: mode of its root
    char *options;   // tmpfs: more options, as mount(2) takes them; NULL: none
    bool copy_up;    // tmpfs: shows what is there before, and keeps what is changed
};

// A device node below the guest's /dev, beside those that every sandbox has.
struct device_config {
    char *path;    // absolute guest path
    uint32_t mode; // with its type
    uint32_t major, minor, uid, gid;
};

// A file below the guest's /proc/sys that is written before the first program starts.
struct sysctl_config {
    char *name; // with slashes: "net/core/somaxconn"
    char *value;
};

// The capability sets of the first process, where they are not those of its user.
struct capability_config {
    bool given;
    uint64_t bounding, effective, inheritable, permitted, ambient;
};

// A symbolic link of the root that we compose ourselves (/bin -> usr/bin). Made in the root mount before
// anything else.
struct link_config {
    char *path;   // absolute guest path
    char *target; // what readlink gives
};

// A limit of the first process. One that is not given is that of a login.
struct limit_config {
    uint64_t cur, max; // UINT64_MAX: none
};
#define CONFIG_LIMITS 16 // by RLIMIT_* number

// A seccomp profile of the operator, for every guest process.
struct seccomp_config {
    void *code;      // instructions of classic BPF, 8 bytes each; NULL: none
    uint32_t length; // instructions
    bool log;
    bool native_rows; // it lets through what the host runs natively, so that nobody needs to ask
};

struct sentry_config {
    char **argv, **envp; // NULL-terminated
    char *program;       // what is executed; NULL: argv[0]
    char *cwd;
    char *hostname, *domainname;
    uint32_t uid, gid;
    uint32_t umask;
    uint64_t ignored_signals; // bit N-1: the first process starts with signal N ignored
    struct limit_config limits[CONFIG_LIMITS];
    uint32_t limits_given; // bit N: limits[N]
    struct capability_config capabilities;
    bool no_new_privs;
    bool scheduler_given; // else the policy of a login
    int sched_policy, sched_priority;
    int nice;
    int ioprio; // as ioprio_set(2) takes it; 0: none
    struct seccomp_config seccomp;
    int oom_score_adj;
    uint32_t *groups;
    size_t nr_groups;
    struct mount_config *mounts; // parents before children; [0] is "/"
    size_t nr_mounts;
    struct link_config *links; // only where [0] is a tmpfs
    size_t nr_links;
    struct device_config *devices;
    size_t nr_devices;
    struct sysctl_config *sysctls;
    size_t nr_sysctls;
    bool container; // of an engine: no shell stands behind it, and the first program waits for CONTROL_START
    bool begins;    // a container's that does not wait
    bool nested;    // inside an ordinary container: nothing has namespaces of its own (--nested)
    uint64_t memory_limit; // bytes, 0 = none (informational: sysinfo, tmpfs sizes)
    unsigned cpus;         // 0 = host's
    unsigned max_tasks;
    bool network_host;
    bool network_policy; // the operator gave one: the broker keeps all sockets
    bool strace;
    bool stats;
    int log_level;
    uint64_t disabled_features; // FEATURE_* bits
    uint32_t server_uid;        // whom file servers beside the Gofer are asked to serve: the caller
    bool stdio_tty[3];
};

// Kernel features with a fallback (--disable-feature NAME).
#define FEATURE_SYNC_WAKE_UP 1u
#define FEATURE_NS_PID 2u
#define FEATURE_IO_URING 4u
#define FEATURE_LANDLOCK 8u
#define FEATURE_PIDFD_GETFD 16u
#define FEATURE_WAIT_KILLABLE 32u
#define FEATURE_PROCESS_VM 64u
#define FEATURE_PROCMAP_QUERY 128u

#define FILE_SERVERS_MAX 8 // beside the Gofer

// Descriptors the kernel process starts with, all others closed.
struct boot_fds {
    int listener;                  // of the guests' filter
    int gofer;                     // connected to gofer --files
    int servers[FILE_SERVERS_MAX]; // connected to 9P servers that the operator named (--mount-9p), or -1
    int gofer_net;                 // connected to gofer --net, or -1 (--network=none)
    int gofer_proc;                // connected to gofer --proc, or -1
    int zygote_pidfd;
    int guest_pidns; // namespace descriptor of the guests, or -1
    int control;     // to the monitor: final status, forwarded signals, debug requests
    int stdio[3];
    int log, strace, stats; // or -1
    int stub_image;         // sealed memfd
};

// Runs the kernel until the first process has ended. Called by the kernel process after jail and zygote are
// up, with its filter still to be installed by the callback `lock_down` once all threads' resources exist.
// Never returns.
_Noreturn void kernel_main(struct sentry_config *config, const struct boot_fds *fds, void (*lock_down)(void));
