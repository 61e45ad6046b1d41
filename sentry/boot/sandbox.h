#pragma once
// The set of processes of one sandbox, and the monitor that ends with it.
#include "abi/gofer_config.h"
#include "sentry/boot/config.h"
#include "sentry/boot/net_rules.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup;

// What the command line decided. Everything is borrowed and must live until sandbox_start() returns.
struct sandbox_spec {
    struct sentry_config config;
    const struct net_rules
        *net_rules; // of the network policy, where config.network_policy says that there is one
    struct gofer_export *exports;
    uint32_t nr_exports;
    uint32_t gofer_capabilities; // GOFER_CAP_*
    uint32_t gofer_owner;        // enum gofer_owner
    // The Gofer is root of a user namespace with these maps (spawn.h); NULL: as the caller's user decides.
    const char *gofer_uid_map, *gofer_gid_map;
    bool gofer_shows_root;         // GOFER_OWNER_SINGLE: the caller's own files show as root's
    int stdio[3];                  // -1: closed
    int log, strace, stats;        // -1: nowhere
    int servers[FILE_SERVERS_MAX]; // connected 9P servers beside the Gofer
    unsigned nr_servers;
    bool waits;                  // the kernel process goes no further than its jail until CONTROL_GO
    const struct cgroup *cgroup; // for the Gofer, the kernel process and the guests; NULL: none
};

struct sandbox {
    int control; // SOCK_SEQPACKET to the kernel process
    pid_t kernel_pid, gofer_pid, gofer_net_pid;
    int kernel_pidfd, gofer_pidfd, gofer_net_pidfd; // of gofer --net: -1 without a network
};

// Starts the Gofer and the kernel process. 0, or -errno after a message; nothing is left running then.
int sandbox_start(const struct sandbox_spec *spec, struct sandbox *sandbox);
// Kills what is left and waits for it.
void sandbox_kill(struct sandbox *sandbox);
