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
    MOUNT_CGROUP
};
struct mount_config {
    enum mount_kind kind;
    char *destination; // absolute guest path
    char *export_name; // MOUNT_GOFER: attach name at the Gofer
    bool readonly, nosuid, nodev, noexec;
    bool overlay;    // writes stay in memory
    bool shared;     // others change it too: revalidate
    unsigned server; // MOUNT_GOFER: 0 is the sandbox's own; N the N-th of boot_fds.servers
    uint64_t size;   // tmpfs: bytes, 0 = default
    uint32_t mode;   // tmpfs: mode of its root
};

// A symbolic link of the root that we compose ourselves (/bin -> usr/bin). Made in the root mount before
// anything else.
struct link_config {
    char *path;   // absolute guest path
    char *target; // what readlink gives
};

// A limit of the caller. Both zero in all of them: the first process has the limits of a login.
struct limit_config {
    uint64_t cur, max; // UINT64_MAX: none
};
#define CONFIG_LIMITS 16 // by RLIMIT_* number

struct sentry_config {
    char **argv, **envp; // NULL-terminated
    char *cwd;
    char *hostname, *domainname;
    uint32_t uid, gid;
    uint32_t umask;
    uint64_t ignored_signals; // bit N-1: the first process starts with signal N ignored
    struct limit_config limits[CONFIG_LIMITS];
    uint32_t *groups;
    size_t nr_groups;
    struct mount_config *mounts; // parents before children; [0] is "/"
    size_t nr_mounts;
    struct link_config *links; // only where [0] is a tmpfs
    size_t nr_links;
    uint64_t memory_limit; // bytes, 0 = none (informational: sysinfo, tmpfs sizes)
    unsigned cpus;         // 0 = host's
    unsigned max_tasks;
    bool network_host;
    bool strace;
    bool stats;
    int log_level;
    uint64_t disabled_features; // FEATURE_* bits
    uint32_t server_uid;        // whom file servers beside the Gofer are asked to serve: the caller
    bool stdio_tty[3];
};

// Kernel features with a fallback (--disable-feature NAME).
#define FEATURE_SYNC_WAKE_UP 1u
#define FEATURE_PIDFD_INFO 2u
#define FEATURE_NS_PID 4u
#define FEATURE_IO_URING 8u
#define FEATURE_LANDLOCK 16u
#define FEATURE_PIDFD_GETFD 32u
#define FEATURE_WAIT_KILLABLE 64u

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
_Noreturn void kernel_main(const struct sentry_config *config, const struct boot_fds *fds,
                           void (*lock_down)(void));
