#pragma once
// What the program sees as its root: mounts and links for the kernel, exports for the Gofer.
#include "abi/gofer_config.h"
#include "sentry/boot/config.h"
#include "sentry/cli/options.h"

struct root_plan {
    struct mount_config *mounts; // parents before children
    size_t nr_mounts;
    struct link_config *links;
    size_t nr_links;
    struct gofer_export *exports;
    uint32_t nr_exports;
    char *cwd; // guest path
};

// Plans it from the options and the caller's directory. 0, or -errno after a message. Never freed.
int root_plan(const struct options *options, struct root_plan *plan);

// May the directory `cwd` be shown without being asked for? `home` may be NULL. False for "/", home
// directories and what holds them, /var, /run, /tmp (which is private), and what is below /proc, /sys, /dev.
bool root_shows_cwd(const char *cwd, const char *home);
