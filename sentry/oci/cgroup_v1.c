// Limits of control groups, version 1.
#include "sentry/oci/cgroup_internal.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

// The directory of a controller that a limit needs; NULL after an error.
static const char *need(const struct oci_cgroup *group, const char *controller, struct oci_error *error)
{
    const char *dir = cgroup_dir(group, controller);
    if (!dir)
        (void)oci_fail(error, ENOENT, "the host has no controller \"%s\", which the limit needs", controller);
    return dir;
}

static int set_memory_limits(const char *dir, int64_t limit, int64_t swap, struct oci_error *error)
{
    uint64_t now = 0;
    // The limit with swap is never below the one without: the larger of the two is written first where they
    // grow.
    bool swap_first = swap == -1 || (swap > 0 && cgroup_read_u64(dir, "memory.memsw.limit_in_bytes", &now) &&
                                     now < (uint64_t)swap);
    int failed = 0;
    if (swap && swap_first)
        failed = cgroup_set(dir, "memory.memsw.limit_in_bytes", error, "%" PRId64, swap);
    if (!failed && limit)
        failed = cgroup_set(dir, "memory.limit_in_bytes", error, "%" PRId64, limit);
    if (!failed && swap && !swap_first)
        failed = cgroup_set(dir, "memory.memsw.limit_in_bytes", error, "%" PRId64, swap);
    return failed;
}

static int apply_memory(const struct oci_cgroup *group, const struct oci_resources *r,
                        struct oci_error *error)
{
    int64_t limit = r->memory_limit.value, swap = r->memory_swap.value;
    bool oom_off = r->memory_disable_oom_killer.set;
    if (!limit && !swap && !r->memory_reservation.value && !r->memory_kernel_tcp.value &&
        !r->memory_swappiness.set && !(oom_off && r->memory_disable_oom_killer.value))
        return 0;
    const char *dir = need(group, "memory", error);
    uint64_t usage;
    if (!dir)
        return -ENOENT;
    if (limit > 0 && r->memory_check_before_update.value &&
        cgroup_read_u64(dir, "memory.usage_in_bytes", &usage) && usage > (uint64_t)limit)
        return oci_fail(error, EBUSY,
                        "linux.resources.memory.limit: %" PRIu64 " bytes are in use, more than %" PRId64,
                        usage, limit);
    if (limit == -1 && !swap && cgroup_has(dir, "memory.memsw.limit_in_bytes"))
        swap = -1; // no memory without swap
    int failed = set_memory_limits(dir, limit, swap, error);
    if (!failed && r->memory_reservation.value)
        failed =
            cgroup_set(dir, "memory.soft_limit_in_bytes", error, "%" PRId64, r->memory_reservation.value);
    if (!failed && r->memory_kernel_tcp.value)
        failed =
            cgroup_set(dir, "memory.kmem.tcp.limit_in_bytes", error, "%" PRId64, r->memory_kernel_tcp.value);
    if (!failed && r->memory_swappiness.set)
        failed = cgroup_set(dir, "memory.swappiness", error, "%" PRIu64, r->memory_swappiness.value);
    if (!failed && oom_off && (r->memory_disable_oom_killer.value || cgroup_has(dir, "memory.oom_control")))
        failed = cgroup_set(dir, "memory.oom_control", error, "%d", r->memory_disable_oom_killer.value);
    return failed;
}

static int set_quota(const char *dir, const struct oci_resources *r, struct oci_error *error)
{
    int64_t quota = r->cpu_quota.value < 0 ? -1 : r->cpu_quota.value;
    return quota ? cgroup_set(dir, "cpu.cfs_quota_us", error, "%" PRId64, quota) : 0;
}

static int set_burst(const char *dir, const struct oci_resources *r, struct oci_error *error)
{
    return r->cpu_burst.set ? cgroup_set(dir, "cpu.cfs_burst_us", error, "%" PRIu64, r->cpu_burst.value) : 0;
}

static int set_period(const char *dir, const struct oci_resources *r, struct oci_error *error)
{
    return r->cpu_period.value ? cgroup_set(dir, "cpu.cfs_period_us", error, "%" PRIu64, r->cpu_period.value)
                               : 0;
}

// Each step must be valid by itself: which of period, quota and burst comes first depends on what is there.
static int set_bandwidth(const char *dir, const struct oci_resources *r, struct oci_error *error)
{
    int (*const orders[][3])(const char *, const struct oci_resources *,
                             struct oci_error *) = {{set_period, set_quota, set_burst},
                                                    {set_quota, set_period, set_burst},
                                                    {set_burst, set_period, set_quota},
                                                    {set_burst, set_quota, set_period}};
    int failed = 0;
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        failed = 0;
        for (int j = 0; j < 3 && !failed; j++)
            failed = orders[i][j](dir, r, error);
        if (failed != -EINVAL)
            return failed;
    }
    return failed;
}

static int apply_cpu(const struct oci_cgroup *group, const struct oci_resources *r, struct oci_error *error)
{
    if (!r->cpu_shares.value && !r->cpu_quota.value && !r->cpu_period.value && !r->cpu_burst.set &&
        !r->cpu_rt_runtime.value && !r->cpu_rt_period.value && !r->cpu_idle.set)
        return 0;
    const char *dir = need(group, "cpu", error);
    if (!dir)
        return -ENOENT;
    int failed = 0;
    if (r->cpu_idle.set && (r->cpu_idle.value || cgroup_has(dir, "cpu.idle")))
        failed = cgroup_set(dir, "cpu.idle", error, "%" PRId64, r->cpu_idle.value);
    if (!failed && r->cpu_shares.value && r->cpu_idle.value != 1) // an idle group has no shares
        failed = cgroup_set(dir, "cpu.shares", error, "%" PRIu64, r->cpu_shares.value);
    if (!failed)
        failed = set_bandwidth(dir, r, error);
    if (!failed && r->cpu_rt_period.value)
        failed = cgroup_set(dir, "cpu.rt_period_us", error, "%" PRIu64, r->cpu_rt_period.value);
    if (!failed && r->cpu_rt_runtime.value)
        failed = cgroup_set(dir, "cpu.rt_runtime_us", error, "%" PRId64, r->cpu_rt_runtime.value);
    return failed;
}

static int apply_cpuset(const struct oci_cgroup *group, const struct oci_resources *r,
                        struct oci_error *error)
{
    if (!r->cpus && !r->mems)
        return 0;
    const char *dir = need(group, "cpuset", error);
    int failed = dir ? 0 : -ENOENT;
    if (!failed && r->cpus)
        failed = cgroup_set(dir, "cpuset.cpus", error, "%s", r->cpus);
    if (!failed && r->mems)
        failed = cgroup_set(dir, "cpuset.mems", error, "%s", r->mems);
    return failed;
}

static int apply_pids(const struct oci_cgroup *group, const struct oci_resources *r, struct oci_error *error)
{
    if (!r->pids_limit.value)
        return 0;
    const char *dir = need(group, "pids", error);
    if (!dir)
        return -ENOENT;
    if (r->pids_limit.value < 0)
        return cgroup_set(dir, "pids.max", error, "max");
    return cgroup_set(dir, "pids.max", error, "%" PRIu64,
                      (uint64_t)r->pids_limit.value + OCI_CGROUP_OWN_TASKS);
}

static int apply_weights(const char *dir, const struct oci_resources *r, struct oci_error *error)
{
    bool bfq = cgroup_has(dir, "blkio.bfq.weight");
    const char *weight = bfq ? "blkio.bfq.weight" : "blkio.weight";
    const char *device = bfq ? "blkio.bfq.weight_device" : "blkio.weight_device";
    int failed = 0;
    if (r->io_weight.set)
        failed = cgroup_set(dir, weight, error, "%" PRIu64, r->io_weight.value);
    if (!failed && r->io_leaf_weight.set)
        failed = cgroup_set(dir, "blkio.leaf_weight", error, "%" PRIu64, r->io_leaf_weight.value);
    for (size_t i = 0; i < r->nr_io_weights && !failed; i++) {
        const struct oci_weight *w = &r->io_weights[i];
        if (w->weight.set)
            failed = cgroup_set(dir, device, error, "%u:%u %" PRIu64, w->major, w->minor, w->weight.value);
        if (!failed && w->leaf_weight.set)
            failed = cgroup_set(dir, "blkio.leaf_weight_device", error, "%u:%u %" PRIu64, w->major, w->minor,
                                w->leaf_weight.value);
    }
    return failed;
}

static int apply_io(const struct oci_cgroup *group, const struct oci_resources *r, struct oci_error *error)
{
    static const char *const files[OCI_THROTTLES] = {[OCI_READ_BPS] = "blkio.throttle.read_bps_device",
                                                     [OCI_WRITE_BPS] = "blkio.throttle.write_bps_device",
                                                     [OCI_READ_IOPS] = "blkio.throttle.read_iops_device",
                                                     [OCI_WRITE_IOPS] = "blkio.throttle.write_iops_device"};
    size_t throttles = 0;
    for (int kind = 0; kind < OCI_THROTTLES; kind++)
        throttles += r->nr_io_throttles[kind];
    if (!r->io_weight.set && !r->io_leaf_weight.set && !r->nr_io_weights && !throttles)
        return 0;
    const char *dir = need(group, "blkio", error);
    int failed = dir ? apply_weights(dir, r, error) : -ENOENT;
    for (int kind = 0; kind < OCI_THROTTLES; kind++) {
        for (size_t i = 0; i < r->nr_io_throttles[kind] && !failed; i++) {
            const struct oci_throttle *t = &r->io_throttles[kind][i];
            failed = cgroup_set(dir, files[kind], error, "%u:%u %" PRIu64, t->major, t->minor, t->rate);
        }
    }
    return failed;
}

static int apply_hugepages(const struct oci_cgroup *group, const struct oci_resources *r,
                           struct oci_error *error)
{
    const char *dir = r->nr_hugepages ? need(group, "hugetlb", error) : NULL;
    int failed = r->nr_hugepages && !dir ? -ENOENT : 0;
    for (size_t i = 0; i < r->nr_hugepages && !failed; i++) {
        const struct oci_hugepage_limit *limit = &r->hugepages[i];
        char file[64];
        snprintf(file, sizeof(file), "hugetlb.%s.limit_in_bytes", limit->page_size);
        failed = cgroup_set(dir, file, error, "%" PRIu64, limit->limit);
        snprintf(file, sizeof(file), "hugetlb.%s.rsvd.limit_in_bytes", limit->page_size);
        if (!failed && cgroup_has(dir, file)) // since Linux 5.7
            failed = cgroup_set(dir, file, error, "%" PRIu64, limit->limit);
    }
    return failed;
}

static int apply_network(const struct oci_cgroup *group, const struct oci_resources *r,
                         struct oci_error *error)
{
    int failed = 0;
    if (r->net_class_id.set && r->net_class_id.value) {
        const char *dir = need(group, "net_cls", error);
        failed = dir ? cgroup_set(dir, "net_cls.classid", error, "%" PRIu64, r->net_class_id.value) : -ENOENT;
    }
    for (size_t i = 0; i < r->nr_net_priorities && !failed; i++) {
        const char *dir = need(group, "net_prio", error);
        failed = dir ? cgroup_set(dir, "net_prio.ifpriomap", error, "%s %u", r->net_priorities[i].name,
                                  r->net_priorities[i].priority)
                     : -ENOENT;
    }
    return failed;
}

static bool overlap(struct oci_i64 a, struct oci_i64 b)
{
    return !a.set || !b.set || a.value == b.value;
}

static bool same(struct oci_i64 a, struct oci_i64 b)
{
    return a.set == b.set && (!a.set || a.value == b.value);
}

// The kernel keeps a list of exceptions from "everything" or "nothing", and takes back only an exception that
// is written just so. A rule that should take back a part of one, or more than one, would say nothing.
static int check_rules(const struct oci_device_rule *rules, size_t count, struct oci_error *error)
{
    bool allowed = true;
    size_t first = 0; // exception
    for (size_t i = 0; i < count; i++) {
        if (rules[i].type == 'a') {
            allowed = rules[i].allow;
            first = i + 1;
        }
        for (size_t j = first; j < i && rules[i].allow == allowed; j++) {
            const struct oci_device_rule *other = &rules[j];
            if (other->allow != allowed && other->type == rules[i].type &&
                overlap(other->major, rules[i].major) && overlap(other->minor, rules[i].minor) &&
                !(same(other->major, rules[i].major) && same(other->minor, rules[i].minor)))
                return oci_fail(
                    error, EOPNOTSUPP,
                    "linux.resources.devices[%zu]: control groups of version 1 cannot take back a part of "
                    "rule %zu",
                    i, j);
        }
    }
    return 0;
}

static int apply_devices(const struct oci_cgroup *group, const struct oci_resources *r,
                         struct oci_error *error)
{
    size_t count;
    if (!r->nr_devices)
        return 0;
    const char *dir = need(group, "devices", error);
    struct oci_device_rule *rules = cgroup_device_rules(r, &count);
    int failed = !dir     ? -ENOENT
                 : !rules ? oci_fail_errno(error, ENOMEM, "cannot set rules for devices")
                          : check_rules(rules, count, error);
    for (size_t i = 0; i < count && !failed; i++) {
        const struct oci_device_rule *rule = &rules[i];
        const char *file = rule->allow ? "devices.allow" : "devices.deny";
        char major[16] = "*", minor[16] = "*", access[4];
        if (rule->major.set)
            snprintf(major, sizeof(major), "%" PRId64, rule->major.value);
        if (rule->minor.set)
            snprintf(minor, sizeof(minor), "%" PRId64, rule->minor.value);
        snprintf(access, sizeof(access), "%s%s%s", rule->read ? "r" : "", rule->write ? "w" : "",
                 rule->mknod ? "m" : "");
        failed = rule->type == 'a'
                     ? cgroup_set(dir, file, error, "a")
                     : cgroup_set(dir, file, error, "%c %s:%s %s", rule->type, major, minor, access);
    }
    free(rules);
    return failed;
}

int cgroup_apply_v1(const struct oci_cgroup *group, const struct oci_resources *r, struct oci_error *error)
{
    if (r->nr_unified)
        return oci_fail(error, EOPNOTSUPP,
                        "linux.resources.unified: the host has control groups of version 1");
    int (*const parts[])(const struct oci_cgroup *, const struct oci_resources *, struct oci_error *) = {
        apply_devices, apply_memory,    apply_cpu,     apply_cpuset,     apply_pids,
        apply_io,      apply_hugepages, apply_network, cgroup_apply_rdma};
    int failed = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !failed; i++)
        failed = parts[i](group, r, error);
    return failed;
}
