#pragma once
// The pieces of confinement that boot puts together: an empty root, Landlock, capabilities, limits.
// Every function returns 0 or -errno and reports nothing itself unless it says so.
#include <stdbool.h>
#include <stdint.h>

// Capabilities the kernel process keeps through its exec until the jail is closed.
#define JAIL_BOOT_CAPABILITIES ((1ull << 21) | (1ull << 24) | (1ull << 8)) // SYS_ADMIN, SYS_RESOURCE, SETPCAP

// Replaces the root of this mount namespace with an empty read-only tmpfs and lets go of the old one.
int jail_empty_root(void);

// A /proc of this process's pid namespace, mounted nowhere: a directory descriptor. -errno without one.
int jail_proc_mount(void);

// The Landlock version of the host, or -errno (-EOPNOTSUPP, -ENOSYS: none).
int jail_landlock_version(void);
// What a Landlock domain leaves allowed.
struct jail_allowed {
    bool execute;  // executing is not restricted
    int directory; // reading below it; -1: nothing
    bool write;    // and writing to files that are there
    int file;      // reading this file, as its execution does; -1: none
};
// Enters a Landlock domain that handles everything the host knows and allows nothing but `allowed` (NULL:
// nothing). Ports, abstract sockets and signals leave it for nobody.
int jail_landlock(const struct jail_allowed *allowed);

// Drops every capability from every set, the bounding set included, and checks that they are gone.
int jail_drop_capabilities(void);
// The two halves of it, for those who may not shrink the bounding set (-EPERM), which no_new_privs makes void.
int jail_drop_bounding(void);
int jail_clear_capabilities(void);
// Raises `mask` into the ambient set, so that it survives an exec of a user that is not root.
int jail_keep_capabilities(uint64_t mask);

// An anonymous session keyring of our own, empty. 0 also where the host has no keyrings.
int jail_empty_keyring(void);

// Sets soft and hard limit.
int jail_set_limit(int resource, uint64_t value);
// No core dump, and no core handler of the host: a limit of 1 says that, 0 only keeps files from being written. Where the hard
// limit is 0 already and cannot be raised, that is what remains: 1 is returned then, else 0 or -errno.
int jail_forbid_core(void);
// Raises the soft limit of descriptors to the hard one.
int jail_raise_nofile(void);
