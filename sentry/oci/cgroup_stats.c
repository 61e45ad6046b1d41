// What control groups tell of use: read into one structure, whichever version they have.
#include "sentry/oci/cgroup_internal.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_US 1000u
#define NS_PER_S 1000000000u

// cpuacct.usage_percpu and its kind: numbers with spaces between.
static unsigned read_list(const char *dir, const char *file, uint64_t *list, unsigned size)
{
    char text[OCI_STATS_CPUS * 21 + 2];
    unsigned n = 0;
    if (cgroup_read(dir, file, text, sizeof(text)) < 0)
        return 0;
    for (char *save = NULL, *word = strtok_r(text, " \n", &save); word && n < size;
         word = strtok_r(NULL, " \n", &save))
        list[n++] = strtoull(word, NULL, 10);
    return n;
}

// Lines of "name value".
static void read_details(const char *dir, struct oci_stats *s)
{
    char text[16384];
    if (cgroup_read(dir, "memory.stat", text, sizeof(text)) < 0)
        return;
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line && s->nr_details < OCI_STATS_DETAILS;
         line = strtok_r(NULL, "\n", &save)) {
        struct oci_detail *detail = &s->details[s->nr_details];
        char *space = strchr(line, ' ');
        if (!space || (size_t)(space - line) >= sizeof(detail->name))
            continue;
        memcpy(detail->name, line, (size_t)(space - line));
        detail->name[space - line] = 0;
        detail->value = strtoull(space + 1, NULL, 10);
        s->nr_details++;
    }
}

static uint64_t detail(const struct oci_stats *s, const char *name)
{
    for (unsigned i = 0; i < s->nr_details; i++)
        if (strcmp(s->details[i].name, name) == 0)
            return s->details[i].value;
    return 0;
}

static void add_io(struct oci_io_list *list, uint32_t major, uint32_t minor, const char *op, uint64_t value)
{
    if (list->count == OCI_STATS_IO)
        return;
    struct oci_io_entry *entry = &list->entries[list->count++];
    *entry = (struct oci_io_entry){.major = major, .minor = minor, .value = value};
    snprintf(entry->op, sizeof(entry->op), "%s", op);
}

// The file of each page size: "hugetlb.2MB.SUFFIX". `max` and `failcnt` may be NULL.
static void read_hugetlb(const char *dir, const char *usage, const char *max, const char *failcnt,
                         struct oci_stats *s)
{
    DIR *handle = opendir(dir);
    struct dirent *entry;
    char file[64];
    while (handle && (entry = readdir(handle)) && s->nr_hugetlb < OCI_STATS_HUGETLB) {
        const char *size = entry->d_name + strlen("hugetlb.");
        if (strncmp(entry->d_name, "hugetlb.", strlen("hugetlb.")) != 0)
            continue;
        size_t n = strcspn(size, ".");
        if (strcmp(size + n, usage) != 0 || n >= sizeof(s->hugetlb[0].page_size))
            continue;
        snprintf(s->hugetlb[s->nr_hugetlb].page_size, sizeof(s->hugetlb[0].page_size), "%.*s", (int)n, size);
        (void)cgroup_read_u64(dir, entry->d_name, &s->hugetlb[s->nr_hugetlb].usage);
        snprintf(file, sizeof(file), "hugetlb.%.*s%s", (int)n, size, max ? max : "");
        if (max)
            (void)cgroup_read_u64(dir, file, &s->hugetlb[s->nr_hugetlb].max);
        snprintf(file, sizeof(file), "hugetlb.%.*s%s", (int)n, size, failcnt ? failcnt : "");
        if (failcnt)
            (void)cgroup_read_u64(dir, file, &s->hugetlb[s->nr_hugetlb].failcnt);
        s->nr_hugetlb++;
    }
    if (handle)
        closedir(handle);
}

static void read_pids(const char *dir, struct oci_stats *s)
{
    (void)cgroup_read_u64(dir, "pids.current", &s->pids_current);
    (void)cgroup_read_u64(dir, "pids.max", &s->pids_limit);
    if (s->pids_limit == UINT64_MAX)
        s->pids_limit = 0;
    else if (s->pids_limit > OCI_CGROUP_OWN_TASKS)
        s->pids_limit -= OCI_CGROUP_OWN_TASKS;
}

// Version 1.

static void read_memory_v1(const char *dir, const char *kind, struct oci_memory_stat *m)
{
    char file[64];
    const struct {
        const char *suffix;
        uint64_t *value;
    } files[] = {{"usage_in_bytes", &m->usage},
                 {"max_usage_in_bytes", &m->max},
                 {"failcnt", &m->failcnt},
                 {"limit_in_bytes", &m->limit}};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(file, sizeof(file), "memory.%s%s", kind, files[i].suffix);
        (void)cgroup_read_u64(dir, file, files[i].value);
    }
}

// "8:0 Read 4096" for each device and operation.
static void read_io_v1(const char *dir, const char *file, struct oci_io_list *list)
{
    char text[32768], op[16];
    if (cgroup_read(dir, file, text, sizeof(text)) < 0)
        return;
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        unsigned major, minor;
        uint64_t value;
        if (sscanf(line, "%u:%u %15s %" SCNu64, &major, &minor, op, &value) == 4)
            add_io(list, major, minor, op, value);
    }
}

static void read_cpu_v1(const struct oci_cgroup *group, struct oci_stats *s)
{
    const char *dir = cgroup_dir(group, "cpuacct");
    uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK), ticks = 0;
    if (dir) {
        (void)cgroup_read_u64(dir, "cpuacct.usage", &s->cpu_total);
        if (cgroup_read_key(dir, "cpuacct.stat", "user", &ticks))
            s->cpu_user = ticks * (NS_PER_S / hz);
        if (cgroup_read_key(dir, "cpuacct.stat", "system", &ticks))
            s->cpu_kernel = ticks * (NS_PER_S / hz);
        s->nr_percpu = read_list(dir, "cpuacct.usage_percpu", s->percpu, OCI_STATS_CPUS);
        read_list(dir, "cpuacct.usage_percpu_user", s->percpu_user, OCI_STATS_CPUS);
        read_list(dir, "cpuacct.usage_percpu_sys", s->percpu_kernel, OCI_STATS_CPUS);
    }
    dir = cgroup_dir(group, "cpu");
    if (dir) {
        (void)cgroup_read_key(dir, "cpu.stat", "nr_periods", &s->throttle_periods);
        (void)cgroup_read_key(dir, "cpu.stat", "nr_throttled", &s->throttled_periods);
        (void)cgroup_read_key(dir, "cpu.stat", "throttled_time", &s->throttled_time);
    }
}

static void read_v1(const struct oci_cgroup *group, struct oci_stats *s)
{
    read_cpu_v1(group, s);
    const char *dir = cgroup_dir(group, "memory");
    if (dir) {
        read_memory_v1(dir, "", &s->memory);
        read_memory_v1(dir, "memsw.", &s->swap);
        read_memory_v1(dir, "kmem.", &s->kernel);
        read_memory_v1(dir, "kmem.tcp.", &s->kernel_tcp);
        read_details(dir, s);
        s->memory_cache = detail(s, "cache");
    }
    if ((dir = cgroup_dir(group, "pids")))
        read_pids(dir, s);
    if ((dir = cgroup_dir(group, "blkio"))) {
        read_io_v1(dir, "blkio.throttle.io_service_bytes_recursive", &s->io_bytes);
        read_io_v1(dir, "blkio.throttle.io_serviced_recursive", &s->io_operations);
    }
    if ((dir = cgroup_dir(group, "hugetlb")))
        read_hugetlb(dir, ".usage_in_bytes", ".max_usage_in_bytes", ".failcnt", s);
}

// Version 2.

// "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6"
static void read_io_v2(const char *dir, struct oci_stats *s)
{
    static const struct {
        const char *key, *op;
        bool bytes;
    } keys[] = {{"rbytes=", "Read", true}, {"wbytes=", "Write", true},   {"rios=", "Read", false},
                {"wios=", "Write", false}, {"dbytes=", "Discard", true}, {"dios=", "Discard", false}};
    char text[32768];
    if (cgroup_read(dir, "io.stat", text, sizeof(text)) < 0)
        return;
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        unsigned major, minor;
        if (sscanf(line, "%u:%u", &major, &minor) != 2)
            continue;
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            const char *at = strstr(line, keys[i].key);
            if (at)
                add_io(keys[i].bytes ? &s->io_bytes : &s->io_operations, major, minor, keys[i].op,
                       strtoull(at + strlen(keys[i].key), NULL, 10));
        }
    }
}

static void read_v2(const char *dir, struct oci_stats *s)
{
    static const struct {
        const char *key;
        size_t offset;
    } cpu[] = {{"usage_usec", offsetof(struct oci_stats, cpu_total)},
               {"user_usec", offsetof(struct oci_stats, cpu_user)},
               {"system_usec", offsetof(struct oci_stats, cpu_kernel)},
               {"throttled_usec", offsetof(struct oci_stats, throttled_time)}};
    for (size_t i = 0; i < sizeof(cpu) / sizeof(cpu[0]); i++) {
        uint64_t value = 0;
        if (cgroup_read_key(dir, "cpu.stat", cpu[i].key, &value)) {
            value *= NS_PER_US;
            memcpy((char *)s + cpu[i].offset, &value, sizeof(value));
        }
    }
    (void)cgroup_read_key(dir, "cpu.stat", "nr_periods", &s->throttle_periods);
    (void)cgroup_read_key(dir, "cpu.stat", "nr_throttled", &s->throttled_periods);
    (void)cgroup_read_u64(dir, "memory.current", &s->memory.usage);
    (void)cgroup_read_u64(dir, "memory.max", &s->memory.limit);
    (void)cgroup_read_u64(dir, "memory.peak", &s->memory.max);
    (void)cgroup_read_key(dir, "memory.events", "max", &s->memory.failcnt);
    (void)cgroup_read_u64(dir, "memory.swap.current", &s->swap.usage);
    (void)cgroup_read_u64(dir, "memory.swap.max", &s->swap.limit);
    s->swap.usage += s->memory.usage; // with memory, as in version 1
    if (s->swap.limit != UINT64_MAX)
        s->swap.limit = s->memory.limit == UINT64_MAX ? UINT64_MAX : s->swap.limit + s->memory.limit;
    read_details(dir, s);
    s->memory_cache = detail(s, "file");
    read_pids(dir, s);
    read_io_v2(dir, s);
    read_hugetlb(dir, ".current", NULL, NULL, s);
}

int oci_cgroup_stats(const struct oci_cgroup *group, struct oci_stats *stats, struct oci_error *error)
{
    memset(stats, 0, sizeof(*stats));
    if (group->layout == OCI_CGROUP_NONE)
        return oci_fail(error, ENOENT, "the container has no control group that could tell of its use");
    if (access(group->dirs[0].path, F_OK) < 0)
        return oci_fail_errno(error, errno, "cannot read the control group %s", group->dirs[0].path);
    if (group->layout == OCI_CGROUP_V1)
        read_v1(group, stats);
    else
        read_v2(cgroup_dir(group, ""), stats);
    return 0;
}
