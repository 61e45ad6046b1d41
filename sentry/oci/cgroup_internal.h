#pragma once
// What the files of the control groups share among themselves.
#include "sentry/oci/cgroup.h"

// The directory of the hierarchy with that controller; `name` "" is the unified one. NULL: none.
const char *cgroup_dir(const struct oci_cgroup *group, const char *controller);

// A whole file of a group. 0 or -errno.
int cgroup_write(const char *directory, const char *file, const char *value);
int cgroup_read(const char *directory, const char *file, char *text, size_t size);
// A number, "max" as UINT64_MAX. False: not there, or none.
bool cgroup_read_u64(const char *directory, const char *file, uint64_t *value);
// The number behind a key of a flat file ("oom_kill 3"). False: not there.
bool cgroup_read_key(const char *directory, const char *file, const char *key, uint64_t *value);
bool cgroup_has(const char *directory, const char *file);

// One limit: writes it and says which in `error`. 0 or -errno.
int cgroup_set(const char *directory, const char *file, struct oci_error *error, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

int cgroup_apply_v1(const struct oci_cgroup *group, const struct oci_resources *r, struct oci_error *error);
int cgroup_apply_v2(const struct oci_cgroup *group, const struct oci_resources *r, struct oci_error *error);

// The same file in both versions. 0 or -errno.
int cgroup_apply_rdma(const struct oci_cgroup *group, const struct oci_resources *r, struct oci_error *error);

// Rules for devices, with those appended that every container may use (as runc has it). The caller frees it.
struct oci_device_rule *cgroup_device_rules(const struct oci_resources *r, size_t *count);
// Version 2 has no files for devices: a program decides. 0 or -errno.
int cgroup_attach_devices(const char *directory, const struct oci_device_rule *rules, size_t count,
                          struct oci_error *error);

// oci_cgroup_resolve() on the texts of /proc/self/mountinfo and /proc/self/cgroup.
int cgroup_resolve_text(const char *mountinfo, const char *own, const char *cgroups_path, const char *id,
                        struct oci_cgroup *group, struct oci_error *error);
