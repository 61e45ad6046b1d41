// The "data" of `events`, in the form that runc gives it.
#include "sentry/oci/cgroup.h"
#include "sentry/oci/json_write.h"
#include <stdlib.h>

static void put_array(struct json_writer *w, const char *name, const uint64_t *list, unsigned count)
{
    if (!count)
        return;
    json_put_array(w, name);
    for (unsigned i = 0; i < count; i++)
        json_put_u64(w, NULL, list[i]);
    json_put_end(w, ']');
}

static void put_cpu(struct json_writer *w, const struct oci_stats *s)
{
    json_put_object(w, "cpu");
    json_put_object(w, "usage");
    json_put_u64(w, "total", s->cpu_total);
    put_array(w, "percpu", s->percpu, s->nr_percpu);
    put_array(w, "percpu_kernel", s->percpu_kernel, s->nr_percpu);
    put_array(w, "percpu_user", s->percpu_user, s->nr_percpu);
    json_put_u64(w, "kernel", s->cpu_kernel);
    json_put_u64(w, "user", s->cpu_user);
    json_put_end(w, '}');
    json_put_object(w, "throttling");
    json_put_u64(w, "periods", s->throttle_periods);
    json_put_u64(w, "throttledPeriods", s->throttled_periods);
    json_put_u64(w, "throttledTime", s->throttled_time);
    json_put_end(w, '}');
    json_put_end(w, '}');
}

static void put_memory_kind(struct json_writer *w, const char *name, const struct oci_memory_stat *m)
{
    json_put_object(w, name);
    json_put_u64(w, "limit", m->limit);
    json_put_u64(w, "usage", m->usage);
    json_put_u64(w, "max", m->max);
    json_put_u64(w, "failcnt", m->failcnt);
    json_put_end(w, '}');
}

static void put_memory(struct json_writer *w, const struct oci_stats *s)
{
    json_put_object(w, "memory");
    json_put_u64(w, "cache", s->memory_cache);
    put_memory_kind(w, "usage", &s->memory);
    put_memory_kind(w, "swap", &s->swap);
    put_memory_kind(w, "kernel", &s->kernel);
    put_memory_kind(w, "kernelTCP", &s->kernel_tcp);
    json_put_object(w, "raw");
    for (unsigned i = 0; i < s->nr_details; i++)
        json_put_u64(w, s->details[i].name, s->details[i].value);
    json_put_end(w, '}');
    json_put_end(w, '}');
}

static void put_io(struct json_writer *w, const char *name, const struct oci_io_list *list)
{
    if (!list->count)
        return;
    json_put_array(w, name);
    for (unsigned i = 0; i < list->count; i++) {
        const struct oci_io_entry *entry = &list->entries[i];
        json_put_object(w, NULL);
        json_put_u64(w, "major", entry->major);
        json_put_u64(w, "minor", entry->minor);
        json_put_string(w, "op", entry->op);
        json_put_u64(w, "value", entry->value);
        json_put_end(w, '}');
    }
    json_put_end(w, ']');
}

char *oci_stats_json(const struct oci_stats *s)
{
    struct json_writer w = {0};
    json_put_object(&w, NULL);
    put_cpu(&w, s);
    put_memory(&w, s);
    json_put_object(&w, "pids");
    json_put_u64(&w, "current", s->pids_current);
    if (s->pids_limit)
        json_put_u64(&w, "limit", s->pids_limit);
    json_put_end(&w, '}');
    json_put_object(&w, "blkio");
    put_io(&w, "ioServiceBytesRecursive", &s->io_bytes);
    put_io(&w, "ioServicedRecursive", &s->io_operations);
    json_put_end(&w, '}');
    json_put_object(&w, "hugetlb");
    for (unsigned i = 0; i < s->nr_hugetlb; i++) {
        json_put_object(&w, s->hugetlb[i].page_size);
        json_put_u64(&w, "usage", s->hugetlb[i].usage);
        json_put_u64(&w, "max", s->hugetlb[i].max);
        json_put_u64(&w, "failcnt", s->hugetlb[i].failcnt);
        json_put_end(&w, '}');
    }
    json_put_end(&w, '}');
    json_put_object(&w, "intel_rdt");
    json_put_end(&w, '}');
    json_put_null(&w, "network_interfaces");
    json_put_end(&w, '}');
    if (w.error) {
        free(w.text);
        return NULL;
    }
    return w.text;
}
