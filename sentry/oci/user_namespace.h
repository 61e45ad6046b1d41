#pragma once
// A user namespace that somebody else has made.
#include "sentry/oci/error.h"

// Its maps, as /proc/PID/uid_map and gid_map have them for a process of ours; the caller frees both. They are read from outside of a
// child that joins it, so nothing of ours is in it afterwards. 0 or -errno.
int user_namespace_maps(const char *path, char **uid_map, char **gid_map, struct oci_error *error);
