// Limits of control groups, version 2.
#include "sentry/oci/cgroup_internal.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PERIOD_DEFAULT 100000u

static int refuse(struct oci_error *error, const char *member)
{
    return oci_fail(error, EOPNOTSUPP, "linux.resources.%s: control groups of version 2 have nothing like it",
                    member);
}

// A limit, where everything below 0 is none.
static int set_max(const char *dir, const char *file, int64_t value, struct oci_error *error)
{
    return value < 0 ? cgroup_set(dir, file, error, "max") : cgroup_set(dir, file, error, "%" PRId64, value);
}

// The specification's limit of swap has memory in it, the file's has not.
static int apply_swap(const char *dir, const struct oci_resources *r, struct oci_error *error)
{
    int64_t limit = r->memory_limit.value, swap = r->memory_swap.value;
    if (swap == 0)
        return limit == -1 && cgroup_has(dir, "memory.swap.max") ? set_max(dir, "memory.swap.max", -1, error)
                                                                 : 0;
    if (swap == -1)
        return set_max(dir, "memory.swap.max", -1, error);
    if (limit <= 0)
        return oci_fail(error, EINVAL, "linux.resources.memory.swap: needs a limit of memory beside it");
    if (swap < limit)
        return oci_fail(error, EINVAL,
                        "linux.resources.memory.swap: below the limit of memory, which it includes");
    return set_max(dir, "memory.swap.max", swap - limit, error);
}

static int apply_memory(const char *dir, const struct oci_resources *r, struct oci_error *error)
{
    int64_t limit = r->memory_limit.value;
    uint64_t usage;
    if (r->memory_kernel_tcp.value > 0)
        return refuse(error, "memory.kernelTCP");
    if (r->memory_swappiness.set)
        return refuse(error, "memory.swappiness");
    if (r->memory_disable_oom_killer.value)
        return refuse(error, "memory.disableOOMKiller");
    if (limit > 0 && r->memory_check_before_update.value && cgroup_read_u64(dir, "memory.current", &usage) &&
        usage > (uint64_t)limit)
        return oci_fail(error, EBUSY,
                        "linux.resources.memory.limit: %" PRIu64 " bytes are in use, more than %" PRId64,
                        usage, limit);
    int failed = apply_swap(dir, r, error);
    if (!failed && limit)
        failed = set_max(dir, "memory.max", limit, error);
    if (!failed && r->memory_reservation.value)
        failed = set_max(dir, "memory.low", r->memory_reservation.value, error);
    return failed;
}

// Shares 2 to 262144 become weights 1 to 10000, as the engines convert them.
static uint64_t weight_of_shares(uint64_t shares)
{
    uint64_t in_range = shares < 2 ? 2 : shares > 262144 ? 262144 : shares;
    return 1 + (in_range - 2) * 9999 / 262142;
}

static int apply_bandwidth(const char *dir, const struct oci_resources *r, struct oci_error *error)
{
    uint64_t period = r->cpu_period.value ? r->cpu_period.value : PERIOD_DEFAULT;
    if (r->cpu_quota.value > 0)
        return cgroup_set(dir, "cpu.max", error, "%" PRId64 " %" PRIu64, r->cpu_quota.value, period);
    if (r->cpu_quota.value < 0)
        return cgroup_set(dir, "cpu.max", error, "max %" PRIu64, period);
    if (!r->cpu_period.value)
        return 0;
    char now[64], *end; // only the period: the quota stays
    if (cgroup_read(dir, "cpu.max", now, sizeof(now)) < 0)
        return cgroup_set(dir, "cpu.max", error, "max %" PRIu64, period);
    unsigned long long quota = strtoull(now, &end, 10);
    return end == now ? cgroup_set(dir, "cpu.max", error, "max %" PRIu64, period)
                      : cgroup_set(dir, "cpu.max", error, "%llu %" PRIu64, quota, period);
}

static int apply_cpu(const char *dir, const struct oci_resources *r, struct oci_error *error)
{
    if (r->cpu_rt_runtime.value || r->cpu_rt_period.value)
        return refuse(error, r->cpu_rt_runtime.value ? "cpu.realtimeRuntime" : "cpu.realtimePeriod");
    int failed = 0;
    if (r->cpu_idle.set && (r->cpu_idle.value || cgroup_has(dir, "cpu.idle")))
        failed = cgroup_set(dir, "cpu.idle", error, "%" PRId64, r->cpu_idle.value);
    if (!failed && r->cpu_shares.value && r->cpu_idle.value != 1)
        failed = cgroup_set(dir, "cpu.weight", error, "%" PRIu64, weight_of_shares(r->cpu_shares.value));
    if (!failed)
        failed = apply_bandwidth(dir, r, error);
    if (!failed && r->cpu_burst.set)
        failed = cgroup_set(dir, "cpu.max.burst", error, "%" PRIu64, r->cpu_burst.value);
    if (!failed && r->cpus)
        failed = cgroup_set(dir, "cpuset.cpus", error, "%s", r->cpus);
    if (!failed && r->mems)
        failed = cgroup_set(dir, "cpuset.mems", error, "%s", r->mems);
    return failed;
}

static int apply_pids(const char *dir, const struct oci_resources *r, struct oci_error *error)
{
    if (r->pids_limit.value < 0)
        return cgroup_set(dir, "pids.max", error, "max");
    if (r->pids_limit.value == 0)
        return 0;
    return cgroup_set(dir, "pids.max", error, "%" PRIu64,
                      (uint64_t)r->pids_limit.value + OCI_CGROUP_OWN_TASKS);
}

// Weights 10 to 1000 become 1 to 10000 where the file is not bfq's own.
static uint64_t io_weight(uint64_t weight, bool bfq)
{
    return bfq ? weight : 1 + (weight - 10) * 9999 / 990;
}

static int apply_io(const char *dir, const struct oci_resources *r, struct oci_error *error)
{
    static const char *const keys[OCI_THROTTLES] = {[OCI_READ_BPS] = "rbps",
                                                    [OCI_WRITE_BPS] = "wbps",
                                                    [OCI_READ_IOPS] = "riops",
                                                    [OCI_WRITE_IOPS] = "wiops"};
    bool bfq = cgroup_has(dir, "io.bfq.weight");
    const char *file = bfq ? "io.bfq.weight" : "io.weight";
    int failed = r->io_leaf_weight.set ? refuse(error, "blockIO.leafWeight") : 0;
    if (!failed && r->io_weight.set)
        failed = cgroup_set(dir, file, error, "%" PRIu64, io_weight(r->io_weight.value, bfq));
    for (size_t i = 0; i < r->nr_io_weights && !failed; i++) {
        const struct oci_weight *w = &r->io_weights[i];
        if (w->leaf_weight.set)
            failed = refuse(error, "blockIO.weightDevice.leafWeight");
        else if (w->weight.set)
            failed = cgroup_set(dir, file, error, "%u:%u %" PRIu64, w->major, w->minor,
                                io_weight(w->weight.value, bfq));
    }
    for (int kind = 0; kind < OCI_THROTTLES; kind++) {
        for (size_t i = 0; i < r->nr_io_throttles[kind] && !failed; i++) {
            const struct oci_throttle *t = &r->io_throttles[kind][i];
            failed = t->rate
                         ? cgroup_set(dir, "io.max", error, "%u:%u %s=%" PRIu64, t->major, t->minor,
                                      keys[kind], t->rate)
                         : cgroup_set(dir, "io.max", error, "%u:%u %s=max", t->major, t->minor, keys[kind]);
        }
    }
    return failed;
}

static int apply_hugepages(const char *dir, const struct oci_resources *r, struct oci_error *error)
{
    int failed = 0;
    for (size_t i = 0; i < r->nr_hugepages && !failed; i++) {
        char file[64];
        snprintf(file, sizeof(file), "hugetlb.%s.max", r->hugepages[i].page_size);
        failed = cgroup_set(dir, file, error, "%" PRIu64, r->hugepages[i].limit);
        snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", r->hugepages[i].page_size);
        if (!failed && cgroup_has(dir, file))
            failed = cgroup_set(dir, file, error, "%" PRIu64, r->hugepages[i].limit);
    }
    return failed;
}

int cgroup_apply_rdma(const struct oci_cgroup *group, const struct oci_resources *r, struct oci_error *error)
{
    const char *dir = cgroup_dir(group, group->layout == OCI_CGROUP_V2 ? "" : "rdma");
    int failed = 0;
    if (r->nr_rdma && !dir)
        return oci_fail(error, ENOENT, "the host has no controller \"rdma\", which the limit needs");
    for (size_t i = 0; i < r->nr_rdma && !failed; i++) {
        const struct oci_rdma_limit *limit = &r->rdma[i];
        char handles[32] = "", objects[32] = "";
        if (limit->handles.set)
            snprintf(handles, sizeof(handles), " hca_handle=%" PRIu64, limit->handles.value);
        if (limit->objects.set)
            snprintf(objects, sizeof(objects), " hca_object=%" PRIu64, limit->objects.value);
        failed = cgroup_set(dir, "rdma.max", error, "%s%s%s", limit->device, handles, objects);
    }
    return failed;
}

int cgroup_apply_v2(const struct oci_cgroup *group, const struct oci_resources *r, struct oci_error *error)
{
    const char *dir = cgroup_dir(group, "");
    size_t count;
    int failed = r->net_class_id.value  ? refuse(error, "network.classID")
                 : r->nr_net_priorities ? refuse(error, "network.priorities")
                                        : 0;
    if (!failed && r->nr_devices) {
        struct oci_device_rule *rules = cgroup_device_rules(r, &count);
        failed = rules ? cgroup_attach_devices(dir, rules, count, error)
                       : oci_fail_errno(error, ENOMEM, "cannot set rules for devices");
        free(rules);
    }
    int (*const parts[])(const char *, const struct oci_resources *, struct oci_error *) = {
        apply_memory, apply_cpu, apply_pids, apply_io, apply_hugepages};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !failed; i++)
        failed = parts[i](dir, r, error);
    if (!failed)
        failed = cgroup_apply_rdma(group, r, error);
    for (size_t i = 0; i < r->nr_unified && !failed; i++)
        failed = cgroup_set(dir, r->unified[i].name, error, "%s", r->unified[i].value);
    return failed;
}
