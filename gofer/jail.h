// What a Gofer gives up before it answers the first request. In the order of the calls; each returns 0 or
// -errno after a message on standard error that names what was tried.
#pragma once

#include "gofer/config.h"
#include "gofer/host.h"

// Closes every descriptor but 0, 1, 2 and those in `keep` (-1 is skipped); 0 and 1 become /dev/null, where
// there is one.
int jail_close_others(const int *keep, unsigned int count);

// Makes the exports detached mounts, read-only where they are, nosuid and nodev all; fills host->exports.
int jail_exports(const struct gofer_config *config, const struct gofer_export *exports, struct host *host);

// Replaces the root by an empty, read-only tmpfs and lets the old one go.
int jail_empty_root(void);

// Session, limits, user, Landlock, capabilities, no_new_privs, not dumpable. `host` NULL: no export is
// reachable, but `readable` (or -1) is a directory below which files may be read. `config` NULL: nothing
// waived, nothing kept.
int jail_confine(const struct gofer_config *config, const struct host *host, int readable);

struct seccomp_program;
// Installs the filter: the last step. A violation is logged with the call and its arguments, and ends the
// process.
int jail_filter(const struct seccomp_program *program);
