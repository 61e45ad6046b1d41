// The object `linux.resources`.
#include "sentry/oci/decode.h"
#include <string.h>

#define WEIGHT_MIN 10u
#define WEIGHT_MAX 1000u

static void decode_device_rules(struct decode *d, const struct json *object, struct oci_resources *r)
{
    size_t count;
    const struct json *item = decode_array(d, object, "devices", JSON_OBJECT, &count);
    r->devices = count ? decode_alloc(d, count, sizeof(*r->devices)) : NULL;
    for (; item && r->devices && !d->result; item = item->next) {
        struct oci_device_rule *rule = &r->devices[r->nr_devices++];
        const char *type = decode_string(d, item, "type"), *access = decode_string(d, item, "access");
        decode_required(d, item, "allow", JSON_BOOL);
        rule->allow = decode_bool(d, item, "allow");
        rule->type = type && type[0] ? type[0] : 'a';
        if (type && (strlen(type) > 1 || !strchr("abc", rule->type)))
            decode_fail(d, json_get(item, "type"), "one of a, b and c is expected");
        rule->major = decode_i64(d, item, "major", -1, UINT32_MAX); // -1: every one, as engines write it
        rule->minor = decode_i64(d, item, "minor", -1, UINT32_MAX);
        rule->major.set &= rule->major.value >= 0;
        rule->minor.set &= rule->minor.value >= 0;
        bool all = !access || !access[0];
        rule->read = all || strchr(access, 'r');
        rule->write = all || strchr(access, 'w');
        rule->mknod = all || strchr(access, 'm');
        if (!all && access[strspn(access, "rwm")])
            decode_fail(d, json_get(item, "access"), "only r, w and m are expected");
    }
}

static void decode_memory(struct decode *d, const struct json *object, struct oci_resources *r)
{
    r->memory_limit = decode_i64(d, object, "limit", -1, INT64_MAX);
    r->memory_reservation = decode_i64(d, object, "reservation", -1, INT64_MAX);
    r->memory_swap = decode_i64(d, object, "swap", -1, INT64_MAX);
    r->memory_kernel = decode_i64(d, object, "kernel", -1, INT64_MAX);
    r->memory_kernel_tcp = decode_i64(d, object, "kernelTCP", -1, INT64_MAX);
    r->memory_swappiness = decode_u64(d, object, "swappiness", UINT64_MAX);
    r->memory_disable_oom_killer = decode_optional_bool(d, object, "disableOOMKiller");
    r->memory_check_before_update = decode_optional_bool(d, object, "checkBeforeUpdate");
    decode_optional_bool(d, object, "useHierarchy"); // Linux has had no other way since 5.11
    if (r->memory_swappiness.set && r->memory_swappiness.value > 100)
        decode_fail(d, json_get(object, "swappiness"), "an integer from 0 to 100 is expected");
    if (r->memory_kernel.set && r->memory_kernel.value > 0)
        decode_warn(d, json_get(object, "kernel"),
                    "limits of kernel memory have no effect on Linux since 5.16");
}

// "0-3,7": the lists of cpuset(7).
static bool is_list(const char *text)
{
    while (*text) {
        size_t n = strspn(text, "0123456789");
        if (n == 0 || n > 6)
            return false;
        text += n;
        if (*text != '-' && *text != ',' && *text)
            return false;
        if (*text && !text[1])
            return false;
        text += *text != 0;
    }
    return true;
}

static const char *decode_list(struct decode *d, const struct json *object, const char *name)
{
    const char *text = decode_string(d, object, name);
    if (!text || !text[0])
        return NULL;
    if (!is_list(text))
        decode_fail(d, json_get(object, name), "a list like 0-3,7 is expected");
    return text;
}

static void decode_cpu(struct decode *d, const struct json *object, struct oci_resources *r)
{
    r->cpu_shares = decode_u64(d, object, "shares", UINT64_MAX);
    r->cpu_quota = decode_i64(d, object, "quota", INT64_MIN, INT64_MAX);
    r->cpu_burst = decode_u64(d, object, "burst", UINT64_MAX);
    r->cpu_period = decode_u64(d, object, "period", UINT64_MAX);
    r->cpu_rt_runtime = decode_i64(d, object, "realtimeRuntime", INT64_MIN, INT64_MAX);
    r->cpu_rt_period = decode_u64(d, object, "realtimePeriod", UINT64_MAX);
    r->cpu_idle = decode_i64(d, object, "idle", 0, 1);
    r->cpus = decode_list(d, object, "cpus");
    r->mems = decode_list(d, object, "mems");
}

static void decode_device_number(struct decode *d, const struct json *object, uint32_t *major,
                                 uint32_t *minor)
{
    decode_required(d, object, "major", JSON_NUMBER);
    decode_required(d, object, "minor", JSON_NUMBER);
    *major = (uint32_t)decode_i64(d, object, "major", 0, UINT32_MAX).value;
    *minor = (uint32_t)decode_i64(d, object, "minor", 0, UINT32_MAX).value;
}

// 0 says that nothing was asked for.
static struct oci_u64 decode_weight(struct decode *d, const struct json *object, const char *name)
{
    struct oci_u64 weight = decode_u64(d, object, name, UINT16_MAX);
    if (weight.value && (weight.value < WEIGHT_MIN || weight.value > WEIGHT_MAX))
        decode_fail(d, json_get(object, name), "an integer from %u to %u is expected", WEIGHT_MIN,
                    WEIGHT_MAX);
    weight.set = weight.value != 0;
    return weight;
}

static void decode_block_io(struct decode *d, const struct json *object, struct oci_resources *r)
{
    static const char *const throttles[OCI_THROTTLES] = {[OCI_READ_BPS] = "throttleReadBpsDevice",
                                                         [OCI_WRITE_BPS] = "throttleWriteBpsDevice",
                                                         [OCI_READ_IOPS] = "throttleReadIOPSDevice",
                                                         [OCI_WRITE_IOPS] = "throttleWriteIOPSDevice"};
    size_t count;
    r->io_weight = decode_weight(d, object, "weight");
    r->io_leaf_weight = decode_weight(d, object, "leafWeight");
    const struct json *item = decode_array(d, object, "weightDevice", JSON_OBJECT, &count);
    r->io_weights = count ? decode_alloc(d, count, sizeof(*r->io_weights)) : NULL;
    for (; item && r->io_weights && !d->result; item = item->next) {
        struct oci_weight *weight = &r->io_weights[r->nr_io_weights++];
        decode_device_number(d, item, &weight->major, &weight->minor);
        weight->weight = decode_weight(d, item, "weight");
        weight->leaf_weight = decode_weight(d, item, "leafWeight");
    }
    for (unsigned kind = 0; kind < OCI_THROTTLES; kind++) {
        item = decode_array(d, object, throttles[kind], JSON_OBJECT, &count);
        struct oci_throttle *list = count ? decode_alloc(d, count, sizeof(*list)) : NULL;
        r->io_throttles[kind] = list;
        for (; item && list && !d->result; item = item->next) {
            struct oci_throttle *throttle = &list[r->nr_io_throttles[kind]++];
            decode_device_number(d, item, &throttle->major, &throttle->minor);
            throttle->rate = decode_u64(d, item, "rate", UINT64_MAX).value;
        }
    }
}

// "2MB", "64KB", "1GB".
static bool is_page_size(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return text[0] != '0' && n > 0 && n < 8 && text[n] && strchr("KMG", text[n]) && text[n + 1] == 'B' &&
           !text[n + 2];
}

static void decode_hugepages(struct decode *d, const struct json *object, struct oci_resources *r)
{
    size_t count;
    const struct json *item = decode_array(d, object, "hugepageLimits", JSON_OBJECT, &count);
    r->hugepages = count ? decode_alloc(d, count, sizeof(*r->hugepages)) : NULL;
    for (; item && r->hugepages && !d->result; item = item->next) {
        struct oci_hugepage_limit *limit = &r->hugepages[r->nr_hugepages++];
        const struct json *size = decode_required(d, item, "pageSize", JSON_STRING);
        decode_required(d, item, "limit", JSON_NUMBER);
        limit->page_size = size ? decode_text(d, size) : "";
        limit->limit = decode_u64(d, item, "limit", UINT64_MAX).value;
        if (size && !is_page_size(limit->page_size))
            decode_fail(d, size, "a size like 2MB is expected");
    }
}

static void decode_network(struct decode *d, const struct json *object, struct oci_resources *r)
{
    size_t count;
    r->net_class_id = decode_u64(d, object, "classID", UINT32_MAX);
    const struct json *item = decode_array(d, object, "priorities", JSON_OBJECT, &count);
    r->net_priorities = count ? decode_alloc(d, count, sizeof(*r->net_priorities)) : NULL;
    for (; item && r->net_priorities && !d->result; item = item->next) {
        struct oci_interface_priority *priority = &r->net_priorities[r->nr_net_priorities++];
        const struct json *name = decode_required(d, item, "name", JSON_STRING);
        priority->name = name ? decode_text(d, name) : "";
        priority->priority = decode_required_u32(d, item, "priority");
        if (!priority->name[0] || strpbrk(priority->name, " \n/"))
            decode_fail(d, item, "no name of an interface");
    }
}

static void decode_rdma(struct decode *d, const struct json *map, struct oci_resources *r)
{
    r->rdma = map && map->count ? decode_alloc(d, map->count, sizeof(*r->rdma)) : NULL;
    for (const struct json *m = r->rdma ? map->first : NULL; m && !d->result; m = m->next) {
        struct oci_rdma_limit *limit = &r->rdma[r->nr_rdma++];
        if (m->type != JSON_OBJECT)
            decode_fail(d, m, "an object is expected");
        limit->device = m->name;
        if (!m->name[0] || strpbrk(m->name, " \n/"))
            decode_fail(d, m, "no name of a device");
        limit->handles = decode_u64(d, m, "hcaHandles", UINT32_MAX);
        limit->objects = decode_u64(d, m, "hcaObjects", UINT32_MAX);
        if (!limit->handles.set && !limit->objects.set)
            decode_fail(d, m, "one of \"hcaHandles\" and \"hcaObjects\" is required");
    }
}

static void decode_unified(struct decode *d, const struct json *object, struct oci_resources *r)
{
    size_t count;
    const struct json *map = json_get(object, "unified");
    const struct oci_pair *pairs = decode_pairs(d, object, "unified", &count);
    r->unified = count ? decode_alloc(d, count, sizeof(*r->unified)) : NULL;
    for (size_t i = 0; i < count && r->unified && !d->result; i++) {
        const char *name = pairs[i].name;
        if (strchr(name, '/') || name[0] == '.' || !strchr(name, '.'))
            decode_fail(d, json_get(map, name), "no name of a file in a control group");
        if (strncmp(name, "cgroup.", 7) == 0)
            decode_fail(d, json_get(map, name), "the files of the group itself are the runtime's");
        r->unified[r->nr_unified++] = (struct oci_unified){name, pairs[i].value};
    }
}

void decode_resources(struct decode *d, const struct json *object, struct oci_resources *r)
{
    memset(r, 0, sizeof(*r));
    decode_device_rules(d, object, r);
    decode_memory(d, decode_member(d, object, "memory", JSON_OBJECT), r);
    decode_cpu(d, decode_member(d, object, "cpu", JSON_OBJECT), r);
    const struct json *pids = decode_member(d, object, "pids", JSON_OBJECT);
    r->pids_limit = decode_i64(d, pids, "limit", INT64_MIN, INT64_MAX);
    if (pids && !r->pids_limit.set)
        decode_fail(d, pids, "\"limit\" is required");
    decode_block_io(d, decode_member(d, object, "blockIO", JSON_OBJECT), r);
    decode_hugepages(d, object, r);
    decode_network(d, decode_member(d, object, "network", JSON_OBJECT), r);
    decode_rdma(d, decode_member(d, object, "rdma", JSON_OBJECT), r);
    decode_unified(d, object, r);
}
