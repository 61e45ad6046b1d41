// Limits as they are written, in directories with plain files in place of the kernel's: version 2 whole, and
// what of version 1 few hosts have.
#include "sentry/oci/cgroup_internal.h"
#include "sentry/oci/config.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static struct oci_cgroup_dir dirs[OCI_CGROUP_DIRS];
static struct oci_cgroup group = {.dirs = dirs};
static struct oci_error error;

static void set_up(void)
{
    strcpy(directory, "/tmp/sentry-cgroup-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    cr_assert_eq(system(command), 0);
}

TestSuite(cgroup_limits, .init = set_up, .fini = tear_down);

// Files with a text each, all in one directory.
static void files(enum oci_cgroup_layout layout, const char *controllers, const char *const (*list)[2])
{
    group.layout = layout;
    group.count = 1;
    snprintf(dirs[0].name, sizeof(dirs[0].name), "%s", controllers);
    strcpy(dirs[0].path, directory);
    for (; (*list)[0]; list++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", directory, (*list)[0]);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        cr_assert_geq(fd, 0);
        cr_assert_eq(write(fd, (*list)[1], strlen((*list)[1])), (ssize_t)strlen((*list)[1]));
        close(fd);
    }
}

static int apply(const char *resources)
{
    struct oci_resources_document d;
    error.text[0] = 0;
    cr_assert_eq(oci_resources_parse(resources, strlen(resources), &d, &error), 0, "%s", error.text);
    int failed = oci_cgroup_apply(&group, &d.resources, &error);
    oci_resources_free(&d);
    return failed;
}

static void expect(const char *file, const char *value)
{
    char text[256];
    cr_expect_eq(cgroup_read(directory, file, text, sizeof(text)), 0, "%s", file);
    cr_expect_str_eq(text, value, "%s is %s, not %s", file, text, value);
}

static const char *const v2_files[][2] = {{"memory.max", "max"},
                                          {"memory.low", "0"},
                                          {"memory.swap.max", "max"},
                                          {"memory.current", "5000\n"},
                                          {"memory.high", ""},
                                          {"cpu.weight", "100"},
                                          {"cpu.max", "max 100000\n"},
                                          {"cpu.max.burst", "0"},
                                          {"cpu.idle", "0"},
                                          {"cpuset.cpus", ""},
                                          {"cpuset.mems", ""},
                                          {"pids.max", "max"},
                                          {"io.weight", "default 100"},
                                          {"io.max", ""},
                                          {"hugetlb.2MB.max", "max"},
                                          {"hugetlb.2MB.rsvd.max", "max"},
                                          {"rdma.max", ""},
                                          {NULL, NULL}};

Test(cgroup_limits, version_2)
{
    files(OCI_CGROUP_V2, "", v2_files);
    cr_assert_eq(
        apply(
            "{\"memory\": {\"limit\": 1000000, \"reservation\": 500, \"swap\": 1500000,"
            "\"disableOOMKiller\": false}, \"cpu\": {\"shares\": 1024, \"quota\": 50000, \"period\": 100000,"
            "\"burst\": 7, \"cpus\": \"0-1\", \"mems\": \"0\", \"idle\": 0}, \"pids\": {\"limit\": 10},"
            "\"blockIO\": {\"weight\": 500, \"throttleReadBpsDevice\": [{\"major\": 8, \"minor\": 1, "
            "\"rate\": 9}]},"
            "\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 4194304}],"
            "\"rdma\": {\"mlx\": {\"hcaHandles\": 3, \"hcaObjects\": 4}},"
            "\"unified\": {\"memory.high\": \"900000\"}}"),
        0, "%s", error.text);
    char pids[16];
    snprintf(pids, sizeof(pids), "%d", 10 + OCI_CGROUP_OWN_TASKS);
    expect("memory.max", "1000000");
    expect("memory.low", "500");
    expect("memory.swap.max", "500000");
    expect("cpu.weight", "39");
    expect("cpu.max", "50000 100000");
    expect("cpu.max.burst", "7");
    expect("cpuset.cpus", "0-1");
    expect("cpuset.mems", "0");
    expect("pids.max", pids);
    expect("io.weight", "4950");
    expect("io.max", "8:1 rbps=9");
    expect("hugetlb.2MB.max", "4194304");
    expect("hugetlb.2MB.rsvd.max", "4194304");
    expect("rdma.max", "mlx hca_handle=3 hca_object=4");
    expect("memory.high", "900000");
}

Test(cgroup_limits, version_2_without_a_limit)
{
    files(OCI_CGROUP_V2, "", v2_files);
    cr_assert_eq(apply("{\"memory\": {\"limit\": -1, \"swap\": -1}, \"cpu\": {\"quota\": -1}, \"pids\": "
                       "{\"limit\": -1}}"),
                 0, "%s", error.text);
    expect("memory.max", "max");
    expect("memory.swap.max", "max");
    expect("cpu.max", "max 100000");
    expect("pids.max", "max");
    cr_assert_eq(apply("{\"cpu\": {\"period\": 50000}}"), 0);
    expect("cpu.max", "max 50000");
    cr_assert_eq(apply("{\"cpu\": {\"quota\": 1000}}"), 0);
    cr_assert_eq(apply("{\"cpu\": {\"period\": 20000}}"), 0);
    expect("cpu.max", "1000 20000");
}

Test(cgroup_limits, shares_become_weights)
{
    static const struct {
        unsigned long shares;
        const char *weight;
    } cases[] = {{2, "1"}, {1, "1"}, {1024, "39"}, {262144, "10000"}, {999999999, "10000"}};
    files(OCI_CGROUP_V2, "", v2_files);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];
        snprintf(text, sizeof(text), "{\"cpu\": {\"shares\": %lu}}", cases[i].shares);
        cr_assert_eq(apply(text), 0);
        expect("cpu.weight", cases[i].weight);
    }
}

Test(cgroup_limits, what_is_not_set_is_not_written)
{
    files(OCI_CGROUP_V2, "", v2_files);
    cr_assert_eq(apply("{\"memory\": {\"limit\": 0}, \"cpu\": {}, \"pids\": {\"limit\": 0}}"), 0);
    for (size_t i = 0; v2_files[i][0]; i++)
        expect(v2_files[i][0], v2_files[i][1]);
}

static void refused(const char *resources, int code, const char *message)
{
    cr_expect_eq(apply(resources), -code, "%s", resources);
    cr_expect_str_eq(error.text, message, "%s\n  says  %s\n  wants %s", resources, error.text, message);
}

Test(cgroup_limits, what_version_2_has_not)
{
    files(OCI_CGROUP_V2, "", v2_files);
#define NOTHING ": control groups of version 2 have nothing like it"
    refused("{\"memory\": {\"swappiness\": 10}}", EOPNOTSUPP, "linux.resources.memory.swappiness" NOTHING);
    refused("{\"memory\": {\"kernelTCP\": 10}}", EOPNOTSUPP, "linux.resources.memory.kernelTCP" NOTHING);
    refused("{\"memory\": {\"disableOOMKiller\": true}}", EOPNOTSUPP,
            "linux.resources.memory.disableOOMKiller" NOTHING);
    refused("{\"cpu\": {\"realtimeRuntime\": 10}}", EOPNOTSUPP,
            "linux.resources.cpu.realtimeRuntime" NOTHING);
    refused("{\"cpu\": {\"realtimePeriod\": 10}}", EOPNOTSUPP, "linux.resources.cpu.realtimePeriod" NOTHING);
    refused("{\"blockIO\": {\"leafWeight\": 10}}", EOPNOTSUPP, "linux.resources.blockIO.leafWeight" NOTHING);
    refused("{\"network\": {\"classID\": 10}}", EOPNOTSUPP, "linux.resources.network.classID" NOTHING);
    refused("{\"network\": {\"priorities\": [{\"name\": \"lo\", \"priority\": 1}]}}", EOPNOTSUPP,
            "linux.resources.network.priorities" NOTHING);
    refused("{\"memory\": {\"swap\": 10}}", EINVAL,
            "linux.resources.memory.swap: needs a limit of memory beside it");
    refused("{\"memory\": {\"swap\": 10, \"limit\": 20}}", EINVAL,
            "linux.resources.memory.swap: below the limit of memory, which it includes");
    refused("{\"memory\": {\"limit\": 4000, \"checkBeforeUpdate\": true}}", EBUSY,
            "linux.resources.memory.limit: 5000 bytes are in use, more than 4000");
    refused("{\"hugepageLimits\": [{\"pageSize\": \"1GB\", \"limit\": 1}]}", ENOENT,
            "the host's control groups have no hugetlb.1GB.max, which the limit needs");
    refused("{\"unified\": {\"memory.nothing\": \"1\"}}", ENOENT,
            "the host's control groups have no memory.nothing, which the limit needs");
}

static const char *const v1_files[][2] = {{"blkio.weight", "500"},
                                          {"blkio.leaf_weight", "500"},
                                          {"blkio.weight_device", ""},
                                          {"blkio.leaf_weight_device", ""},
                                          {"blkio.throttle.read_bps_device", ""},
                                          {"blkio.throttle.write_bps_device", ""},
                                          {"blkio.throttle.read_iops_device", ""},
                                          {"blkio.throttle.write_iops_device", ""},
                                          {"hugetlb.2MB.limit_in_bytes", ""},
                                          {"hugetlb.2MB.rsvd.limit_in_bytes", ""},
                                          {"hugetlb.1GB.limit_in_bytes", ""},
                                          {"net_cls.classid", "0"},
                                          {"net_prio.ifpriomap", ""},
                                          {"rdma.max", ""},
                                          {"memory.limit_in_bytes", "-1"},
                                          {"memory.memsw.limit_in_bytes", "100"},
                                          {"memory.soft_limit_in_bytes", "-1"},
                                          {"memory.kmem.tcp.limit_in_bytes", "-1"},
                                          {"memory.swappiness", "60"},
                                          {"memory.oom_control", "0"},
                                          {"cpu.rt_period_us", ""},
                                          {"cpu.rt_runtime_us", ""},
                                          {NULL, NULL}};

Test(cgroup_limits, version_1)
{
    files(OCI_CGROUP_V1, "blkio,hugetlb,net_cls,net_prio,rdma,memory,cpu", v1_files);
    cr_assert_eq(
        apply("{\"blockIO\": {\"weight\": 20, \"leafWeight\": 30, \"weightDevice\": [{\"major\": 8, "
              "\"minor\": 0,"
              "\"weight\": 40, \"leafWeight\": 50}],"
              "\"throttleReadBpsDevice\": [{\"major\": 8, \"minor\": 1, \"rate\": 1}],"
              "\"throttleWriteBpsDevice\": [{\"major\": 8, \"minor\": 2, \"rate\": 2}],"
              "\"throttleReadIOPSDevice\": [{\"major\": 8, \"minor\": 3, \"rate\": 3}],"
              "\"throttleWriteIOPSDevice\": [{\"major\": 8, \"minor\": 4, \"rate\": 18446744073709551615}]},"
              "\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 5}, {\"pageSize\": \"1GB\", "
              "\"limit\": 6}],"
              "\"network\": {\"classID\": 1048577, \"priorities\": [{\"name\": \"eth0\", \"priority\": 5}]},"
              "\"rdma\": {\"mlx\": {\"hcaObjects\": 4}},"
              "\"memory\": {\"limit\": 1000, \"swap\": 2000, \"reservation\": 900, \"kernelTCP\": 800,"
              "\"swappiness\": 0, \"disableOOMKiller\": true},"
              "\"cpu\": {\"realtimePeriod\": 1000, \"realtimeRuntime\": 500}}"),
        0, "%s", error.text);
    expect("blkio.weight", "20");
    expect("blkio.leaf_weight", "30");
    expect("blkio.weight_device", "8:0 40");
    expect("blkio.leaf_weight_device", "8:0 50");
    expect("blkio.throttle.read_bps_device", "8:1 1");
    expect("blkio.throttle.write_bps_device", "8:2 2");
    expect("blkio.throttle.read_iops_device", "8:3 3");
    expect("blkio.throttle.write_iops_device", "8:4 18446744073709551615");
    expect("hugetlb.2MB.limit_in_bytes", "5");
    expect("hugetlb.2MB.rsvd.limit_in_bytes", "5");
    expect("hugetlb.1GB.limit_in_bytes", "6");
    expect("net_cls.classid", "1048577");
    expect("net_prio.ifpriomap", "eth0 5");
    expect("rdma.max", "mlx hca_object=4");
    expect("memory.limit_in_bytes", "1000");
    expect("memory.memsw.limit_in_bytes", "2000");
    expect("memory.soft_limit_in_bytes", "900");
    expect("memory.kmem.tcp.limit_in_bytes", "800");
    expect("memory.swappiness", "0");
    expect("memory.oom_control", "1");
    expect("cpu.rt_period_us", "1000");
    expect("cpu.rt_runtime_us", "500");
    cr_assert_eq(apply("{\"memory\": {\"limit\": -1}}"), 0);
    expect("memory.memsw.limit_in_bytes", "-1");
}

Test(cgroup_limits, bfq_has_names_of_its_own)
{
    static const char *const bfq[][2] = {
        {"blkio.bfq.weight", ""}, {"blkio.bfq.weight_device", ""}, {NULL, NULL}};
    files(OCI_CGROUP_V1, "blkio", bfq);
    cr_assert_eq(apply("{\"blockIO\": {\"weight\": 20, \"weightDevice\": [{\"major\": 8, \"minor\": 0, "
                       "\"weight\": 40}]}}"),
                 0);
    expect("blkio.bfq.weight", "20");
    expect("blkio.bfq.weight_device", "8:0 40");
}

Test(cgroup_limits, a_controller_that_the_host_has_not_is_named)
{
    static const char *const none[][2] = {{NULL, NULL}};
    static const struct {
        const char *resources, *controller;
    } cases[] = {{"{\"memory\": {\"limit\": 1}}", "memory"},
                 {"{\"cpu\": {\"shares\": 5}}", "cpu"},
                 {"{\"cpu\": {\"cpus\": \"0\"}}", "cpuset"},
                 {"{\"pids\": {\"limit\": 5}}", "pids"},
                 {"{\"blockIO\": {\"weight\": 50}}", "blkio"},
                 {"{\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 1}]}", "hugetlb"},
                 {"{\"network\": {\"classID\": 5}}", "net_cls"},
                 {"{\"network\": {\"priorities\": [{\"name\": \"lo\", \"priority\": 1}]}}", "net_prio"},
                 {"{\"rdma\": {\"mlx\": {\"hcaObjects\": 4}}}", "rdma"},
                 {"{\"devices\": [{\"allow\": false}]}", "devices"}};
    files(OCI_CGROUP_V1, "name=systemd", none);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char message[128];
        snprintf(message, sizeof(message), "the host has no controller \"%s\", which the limit needs",
                 cases[i].controller);
        refused(cases[i].resources, ENOENT, message);
    }
    refused("{\"unified\": {\"memory.high\": \"1\"}}", EOPNOTSUPP,
            "linux.resources.unified: the host has control groups of version 1");
}

Test(cgroup_limits, version_1_does_not_take_back_a_part_of_a_rule)
{
    static const char *const list[][2] = {{"devices.allow", ""}, {"devices.deny", ""}, {NULL, NULL}};
    files(OCI_CGROUP_V1, "devices", list);
    refused("{\"devices\": [{\"allow\": false}, {\"allow\": true, \"type\": \"c\", \"major\": 1},"
            "{\"allow\": false, \"type\": \"c\", \"major\": 1, \"minor\": 2}]}",
            EOPNOTSUPP,
            "linux.resources.devices[2]: control groups of version 1 cannot take back a part of rule 1");
    refused(
        "{\"devices\": [{\"allow\": true}, {\"allow\": false, \"type\": \"b\", \"major\": 1, \"minor\": 2},"
        "{\"allow\": true, \"type\": \"b\"}]}",
        EOPNOTSUPP,
        "linux.resources.devices[2]: control groups of version 1 cannot take back a part of rule 1");
    cr_expect_eq(
        apply("{\"devices\": [{\"allow\": false}, {\"allow\": true, \"type\": \"c\", \"major\": 1},"
              "{\"allow\": false, \"type\": \"b\"}, {\"allow\": false, \"type\": \"c\", \"major\": 1},"
              "{\"allow\": false, \"type\": \"c\", \"major\": 4, \"minor\": 2}]}"),
        0, "%s", error.text);
    expect("devices.deny", "c 4:2 rwm");
    expect("devices.allow", "c 136:* rwm");
}

// What statistics are read from, in version 2.
Test(cgroup_limits, statistics_of_version_2)
{
    static const char *const list[][2] = {
        {"cpu.stat",
         "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 3\nnr_throttled 2\nthrottled_usec 1\n"},
        {"memory.current", "4096\n"},
        {"memory.max", "max\n"},
        {"memory.peak", "8192\n"},
        {"memory.events", "low 0\nhigh 0\nmax 5\noom 1\noom_kill 2\n"},
        {"memory.swap.current", "100\n"},
        {"memory.swap.max", "1000\n"},
        {"memory.stat", "anon 1\nfile 2\n"},
        {"pids.current", "7\n"},
        {"pids.max", "100\n"},
        {"io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n"},
        {"hugetlb.2MB.current", "6\n"},
        {NULL, NULL}};
    struct oci_stats *s = calloc(1, sizeof(*s));
    files(OCI_CGROUP_V2, "", list);
    cr_assert_eq(oci_cgroup_stats(&group, s, &error), 0, "%s", error.text);
    cr_expect(s->cpu_total == 30000 && s->cpu_user == 20000 && s->cpu_kernel == 10000);
    cr_expect(s->throttle_periods == 3 && s->throttled_periods == 2 && s->throttled_time == 1000);
    cr_expect(s->memory.usage == 4096 && s->memory.limit == UINT64_MAX && s->memory.max == 8192);
    cr_expect(s->memory.failcnt == 5 && s->swap.usage == 4196 && s->swap.limit == UINT64_MAX);
    cr_expect(s->memory_cache == 2 && s->nr_details == 2);
    cr_expect(s->pids_current == 7 && s->pids_limit == 100 - OCI_CGROUP_OWN_TASKS);
    cr_expect(s->io_bytes.count == 3 && s->io_bytes.entries[1].value == 2);
    cr_expect(s->io_operations.count == 3 && s->io_operations.entries[2].value == 6);
    cr_expect(s->nr_hugetlb == 1 && s->hugetlb[0].usage == 6);
    cr_expect_str_eq(s->hugetlb[0].page_size, "2MB");
    cr_expect_eq(oci_cgroup_oom_kills(&group), 2);
    char *text = oci_stats_json(s);
    struct json_document d;
    cr_assert_eq(json_parse(text, strlen(text), &d, &error), 0, "%s", error.text);
    uint64_t value = 0;
    const struct json *memory = json_get(d.root, "memory");
    cr_expect(json_u64(json_get(json_get(memory, "usage"), "max"), UINT64_MAX, &value) && value == 8192);
    cr_expect(json_u64(json_get(json_get(memory, "raw"), "file"), UINT64_MAX, &value) && value == 2);
    cr_expect(json_u64(json_get(json_get(d.root, "pids"), "limit"), UINT64_MAX, &value) &&
              value == 100 - OCI_CGROUP_OWN_TASKS);
    json_free(&d);
    free(text);
    free(s);
}
