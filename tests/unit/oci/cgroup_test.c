// Control groups of the host: made, filled, limited, emptied and removed. What the host has not is skipped.
#include "sentry/oci/cgroup_internal.h"
#include "sentry/oci/config.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static struct oci_cgroup group;
static struct oci_error error;
static char id[64];

static void set_up(void)
{
    snprintf(id, sizeof(id), "sentry-test-%d", (int)getpid());
    if (geteuid() != 0 || oci_cgroup_resolve(NULL, id, OCI_CGROUP_REQUIRED, &group, &error) < 0)
        cr_skip_test("needs root and control groups");
}

static void tear_down(void)
{
    if (group.count) {
        (void)oci_cgroup_kill(&group, SIGKILL, NULL);
        while (waitpid(-1, NULL, 0) > 0)
            ;
        cr_expect_eq(oci_cgroup_delete(&group, &error), 0, "%s", error.text);
        for (unsigned i = 0; i < group.count; i++)
            cr_expect_eq(access(group.dirs[i].path, F_OK), -1, "%s is left", group.dirs[i].path);
    }
    oci_cgroup_free(&group);
}

TestSuite(cgroup_host, .init = set_up, .fini = tear_down, .timeout = 50);

static const char *need(const char *controller)
{
    const char *dir = cgroup_dir(&group, controller);
    if (!dir || group.layout != OCI_CGROUP_V1)
        cr_skip_test("needs the controller %s of version 1", controller);
    return dir;
}

static int create(const char *resources, bool *fresh)
{
    struct oci_resources_document d;
    cr_assert_eq(oci_resources_parse(resources, strlen(resources), &d, &error), 0, "%s", error.text);
    int failed = oci_cgroup_create(&group, OCI_CGROUP_REQUIRED, &d.resources, fresh, &error);
    oci_resources_free(&d);
    return failed;
}

static int apply(const char *resources)
{
    struct oci_resources_document d;
    cr_assert_eq(oci_resources_parse(resources, strlen(resources), &d, &error), 0, "%s", error.text);
    int failed = oci_cgroup_apply(&group, &d.resources, &error);
    oci_resources_free(&d);
    return failed;
}

static uint64_t number(const char *dir, const char *file)
{
    uint64_t value = 0;
    cr_expect(cgroup_read_u64(dir, file, &value), "%s", file);
    return value;
}

// A child of the group that runs `body` and exits with what it returns.
static pid_t child(int (*body)(void))
{
    int gate[2];
    char byte;
    cr_assert_eq(pipe(gate), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(gate[1]);
        if (read(gate[0], &byte, 1) != 0) // its end is the sign
            _exit(99);
        _exit(body());
    }
    close(gate[0]);
    cr_assert_gt(pid, 0);
    cr_assert_eq(oci_cgroup_add(&group, &pid, 1, &error), 0, "%s", error.text);
    close(gate[1]);
    return pid;
}

static int wait_for(pid_t pid)
{
    int status = -1;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static int sleep_on(void)
{
    for (;;)
        pause();
    return 0;
}

Test(cgroup_host, a_process_is_in_every_group_and_leaves_them_by_death)
{
    bool fresh = false;
    pid_t *pids = NULL;
    size_t count = 0;
    cr_assert_eq(create("{}", &fresh), 0, "%s", error.text);
    cr_expect(fresh);
    pid_t pid = child(sleep_on);
    for (unsigned i = 0; i < group.count; i++) {
        char text[64];
        cr_expect_eq(cgroup_read(group.dirs[i].path, "cgroup.procs", text, sizeof(text)), 0);
        cr_expect_eq(atoi(text), pid, "%s", group.dirs[i].path);
    }
    cr_assert_eq(oci_cgroup_pids(&group, &pids, &count, &error), 0, "%s", error.text);
    cr_assert_eq(count, 1);
    cr_expect_eq(pids[0], pid);
    free(pids);
    cr_assert_eq(create("{}", &fresh), 0);
    cr_expect_not(fresh, "there is a process in it");
    cr_expect_eq(oci_cgroup_kill(&group, SIGTERM, &error), 0);
    cr_expect_eq(WTERMSIG(wait_for(pid)), SIGTERM);
    cr_assert_eq(oci_cgroup_pids(&group, &pids, &count, &error), 0);
    cr_expect_eq(count, 0);
    free(pids);
}

// SIGKILL goes on until nobody is left, also where new ones are made meanwhile; groups below count.
static int forks(void)
{
    if (fork() == 0)
        for (;;)
            if (fork() == 0)
                _exit(0);
    sleep_on();
    return 0;
}

Test(cgroup_host, everybody_is_killed_also_below)
{
    bool fresh;
    char below[PATH_MAX + 8];
    cr_assert_eq(create("{\"pids\": {\"limit\": 20}}", &fresh), 0, "%s", error.text);
    pid_t pid = child(forks), other = child(sleep_on);
    snprintf(below, sizeof(below), "%s/below", group.dirs[0].path);
    cr_assert_eq(mkdir(below, 0755), 0);
    char text[16];
    snprintf(text, sizeof(text), "%d", (int)other);
    (void)cgroup_write(below, "cgroup.procs", text);
    cr_expect_eq(oci_cgroup_kill(&group, SIGKILL, &error), 0, "%s", error.text);
    cr_expect_eq(WTERMSIG(wait_for(pid)), SIGKILL);
    cr_expect_eq(WTERMSIG(wait_for(other)), SIGKILL);
}

Test(cgroup_host, limits_are_in_force)
{
    bool fresh;
    need("cpuset");
    const char *memory = need("memory"), *cpu = need("cpu"), *pids = need("pids");
    cr_assert_eq(create("{\"memory\": {\"limit\": 33554432, \"swap\": 67108864, \"reservation\": 16777216},"
                        "\"cpu\": {\"shares\": 512, \"quota\": 20000, \"period\": 50000, \"cpus\": \"0\"},"
                        "\"pids\": {\"limit\": 5}}",
                        &fresh),
                 0, "%s", error.text);
    cr_expect_eq(number(memory, "memory.limit_in_bytes"), 33554432);
    cr_expect_eq(number(memory, "memory.memsw.limit_in_bytes"), 67108864);
    cr_expect_eq(number(memory, "memory.soft_limit_in_bytes"), 16777216);
    cr_expect_eq(number(cpu, "cpu.shares"), 512);
    cr_expect_eq(number(cpu, "cpu.cfs_quota_us"), 20000);
    cr_expect_eq(number(cpu, "cpu.cfs_period_us"), 50000);
    cr_expect_eq(number(pids, "pids.max"), 5 + OCI_CGROUP_OWN_TASKS);
    char text[64];
    cr_expect_eq(cgroup_read(cgroup_dir(&group, "cpuset"), "cpuset.cpus", text, sizeof(text)), 0);
    cr_expect_str_eq(text, "0\n");
}

// Limits up and down again, each step of which the kernel takes only in the right order.
Test(cgroup_host, limits_change_in_an_order_that_the_kernel_takes)
{
    bool fresh;
    const char *memory = need("memory"), *cpu = need("cpu");
    cr_assert_eq(create("{\"memory\": {\"limit\": 33554432, \"swap\": 33554432}}", &fresh), 0, "%s",
                 error.text);
    static const unsigned mb[] = {64, 16, 128, 32};
    for (size_t i = 0; i < sizeof(mb) / sizeof(mb[0]); i++) {
        char resources[128];
        snprintf(resources, sizeof(resources), "{\"memory\": {\"limit\": %u, \"swap\": %u}}", mb[i] << 20,
                 mb[i] << 20);
        cr_expect_eq(apply(resources), 0, "%u MB: %s", mb[i], error.text);
        cr_expect_eq(number(memory, "memory.memsw.limit_in_bytes"), (uint64_t)mb[i] << 20);
    }
    cr_expect_eq(apply("{\"memory\": {\"limit\": -1}}"), 0, "%s", error.text);
    cr_expect_gt(number(memory, "memory.limit_in_bytes"), 1ull << 50);
    static const char *const bandwidth[] = {
        "{\"cpu\": {\"quota\": 100000, \"period\": 100000, \"burst\": 50000}}",
        "{\"cpu\": {\"quota\": 10000, \"period\": 10000, \"burst\": 0}}",
        "{\"cpu\": {\"quota\": 900000, \"period\": 1000000, \"burst\": 800000}}",
        "{\"cpu\": {\"quota\": 1000, \"period\": 1000, \"burst\": 500}}"};
    for (size_t i = 0; i < sizeof(bandwidth) / sizeof(bandwidth[0]); i++)
        cr_expect_eq(apply(bandwidth[i]), 0, "%s: %s", bandwidth[i], error.text);
    cr_expect_eq(number(cpu, "cpu.cfs_quota_us"), 1000);
    cr_expect_eq(apply("{\"cpu\": {\"quota\": -1}}"), 0);
    cr_expect_eq(number(cpu, "cpu.cfs_quota_us"), UINT64_MAX); // -1
}

static int eat(void)
{
    for (size_t used = 0; used < 64u << 20; used += 1u << 20) {
        char *piece = mmap(NULL, 1u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED)
            return 1;
        memset(piece, 1, 1u << 20);
    }
    return 0;
}

Test(cgroup_host, the_oom_killer_is_counted)
{
    bool fresh;
    need("memory");
    cr_assert_eq(create("{\"memory\": {\"limit\": 16777216, \"swap\": 16777216}}", &fresh), 0, "%s",
                 error.text);
    cr_expect_eq(oci_cgroup_oom_kills(&group), 0);
    int status = wait_for(child(eat));
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    cr_expect_eq(oci_cgroup_oom_kills(&group), 1);
    cr_expect_eq(wait_for(child(eat)), SIGKILL);
    cr_expect_eq(oci_cgroup_oom_kills(&group), 2);
}

static int burn(void)
{
    volatile unsigned long x = 0;
    for (unsigned long i = 0; i < 100000000ul; i++)
        x += i;
    return 0;
}

Test(cgroup_host, statistics_tell_of_use)
{
    bool fresh;
    need("cpuacct");
    struct oci_stats *s = calloc(1, sizeof(*s));
    cr_assert_eq(create("{\"memory\": {\"limit\": 33554432}, \"pids\": {\"limit\": 9}}", &fresh), 0, "%s",
                 error.text);
    pid_t pid = child(sleep_on);
    cr_expect_eq(wait_for(child(burn)), 0);
    cr_assert_eq(oci_cgroup_stats(&group, s, &error), 0, "%s", error.text);
    cr_expect_gt(s->cpu_total, 10000000);
    cr_expect_gt(s->nr_percpu, 0);
    cr_expect_eq(s->pids_current, 1);
    cr_expect_eq(s->pids_limit, 9);
    cr_expect_eq(s->memory.limit, 33554432);
    cr_expect_gt(s->memory.max, 0);
    cr_expect_gt(s->nr_details, 0);
    kill(pid, SIGKILL);
    free(s);
}

Test(cgroup_host, what_fails_leaves_nothing)
{
    bool fresh;
    need("memory");
    cr_expect_eq(create("{\"cpu\": {\"cpus\": \"4000\"}}", &fresh) < 0, true);
    cr_expect(strstr(error.text, "cpuset.cpus"), "%s", error.text);
    for (unsigned i = 0; i < group.count; i++)
        cr_expect_eq(access(group.dirs[i].path, F_OK), -1, "%s is left", group.dirs[i].path);
    cr_expect_eq(oci_cgroup_delete(&group, &error), 0, "what is not there is removed");
    cr_expect_eq(oci_cgroup_kill(&group, SIGKILL, &error), 0);
}

Test(cgroup_host, parents_are_made_with_what_they_need)
{
    bool fresh;
    char path[128];
    oci_cgroup_free(&group);
    snprintf(path, sizeof(path), "/%s/a/b", id);
    cr_assert_eq(oci_cgroup_resolve(path, id, OCI_CGROUP_REQUIRED, &group, &error), 0, "%s", error.text);
    int failed = create("{}", &fresh);
    pid_t pid = failed ? -1 : child(sleep_on); // which fails where a cpuset is empty
    if (pid > 0)
        kill(pid, SIGKILL);
    for (unsigned i = 0; i < group.count; i++) // the test's own parents, too
        group.dirs[i].path[strlen(group.dirs[i].path) - strlen("/a/b")] = 0;
    cr_assert_eq(failed, 0, "%s", error.text);
}

// 0 when the device of that number cannot be opened for lack of permission, 1 when it can.
static int opens(const char *kind, unsigned major, unsigned minor)
{
    char path[64];
    snprintf(path, sizeof(path), "/tmp/sentry-device-%d-%s", (int)getpid(), kind);
    if (mknod(path, S_IFCHR | 0600, makedev(major, minor)) < 0)
        return 2;
    int fd = open(path, O_RDONLY);
    int refused = fd < 0 && errno == EPERM;
    unlink(path);
    return !refused;
}

static int try_devices(void)
{
    return opens("null", 1, 3) * 1 + opens("kmsg", 1, 11) * 2 + opens("mem", 1, 2) * 4;
}

// null may always be used, kmsg is allowed by name, everything else is denied.
Test(cgroup_host, device_rules_of_version_1)
{
    bool fresh;
    need("devices");
    cr_assert_eq(
        create("{\"devices\": [{\"allow\": false, \"access\": \"rwm\"},"
               "{\"allow\": true, \"type\": \"c\", \"major\": 1, \"minor\": 11, \"access\": \"rw\"},"
               "{\"allow\": true, \"type\": \"c\", \"major\": 1, \"minor\": 2, \"access\": \"rw\"},"
               "{\"allow\": false, \"type\": \"c\", \"major\": 1, \"minor\": 2, \"access\": \"r\"}]}",
               &fresh),
        0, "%s", error.text);
    cr_expect_eq(WEXITSTATUS(wait_for(child(try_devices))), 1 | 2);
}

// Version 2 takes a part back, too.
static const char device_rules[] =
    "{\"devices\": [{\"allow\": false, \"access\": \"rwm\"},"
    "{\"allow\": true, \"type\": \"c\", \"major\": 1, \"access\": \"rw\"},"
    "{\"allow\": false, \"type\": \"c\", \"major\": 1, \"minor\": 2, \"access\": \"r\"}]}";

Test(cgroup_host, device_rules_of_version_2)
{
    bool fresh;
    if (!cgroup_dir(&group, ""))
        cr_skip_test("needs the unified hierarchy");
    struct oci_resources_document d;
    size_t count;
    cr_assert_eq(create("{}", &fresh), 0, "%s", error.text);
    cr_assert_eq(oci_resources_parse(device_rules, strlen(device_rules), &d, &error), 0);
    struct oci_device_rule *rules = cgroup_device_rules(&d.resources, &count);
    int failed = cgroup_attach_devices(cgroup_dir(&group, ""), rules, count, &error);
    free(rules);
    oci_resources_free(&d);
    if (failed == -EPERM)
        cr_skip_test("may not load programs");
    cr_assert_eq(failed, 0, "%s", error.text);
    cr_expect_eq(WEXITSTATUS(wait_for(child(try_devices))), 1 | 2);
}

// An ordinary user, in a child.
static int as_user(enum oci_cgroup_need how, const char *resources, enum oci_cgroup_layout *layout)
{
    int ends[2], result[2] = {1, 0};
    cr_assert_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool fresh;
        struct oci_resources_document d;
        if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ||
            oci_resources_parse(resources, strlen(resources), &d, &error) < 0)
            _exit(1);
        result[0] = oci_cgroup_create(&group, how, &d.resources, &fresh, &error);
        result[1] = (int)group.layout;
        _exit(write(ends[1], result, sizeof(result)) != sizeof(result));
    }
    cr_assert_eq(read(ends[0], result, sizeof(result)), (ssize_t)sizeof(result));
    wait_for(pid);
    *layout = (enum oci_cgroup_layout)result[1];
    return result[0];
}

Test(cgroup_host, an_ordinary_user_goes_without_unless_limits_are_asked_for)
{
    enum oci_cgroup_layout layout;
    cr_expect_eq(as_user(OCI_CGROUP_IF_POSSIBLE, "{}", &layout), 0);
    cr_expect_eq(layout, OCI_CGROUP_NONE);
    cr_expect_eq(as_user(OCI_CGROUP_IF_POSSIBLE, "{\"devices\": [{\"allow\": false}]}", &layout), 0);
    cr_expect_eq(layout, OCI_CGROUP_NONE);
    cr_expect_lt(as_user(OCI_CGROUP_IF_POSSIBLE, "{\"memory\": {\"limit\": 1000000}}", &layout), 0);
    cr_expect_lt(as_user(OCI_CGROUP_REQUIRED, "{}", &layout), 0);
}

Test(cgroup_host, without_a_group_limits_are_refused)
{
    bool fresh;
    oci_cgroup_free(&group);
    cr_expect_eq(create("{}", &fresh), 0);
    cr_expect_eq(create("{\"pids\": {\"limit\": 10}}", &fresh), -EOPNOTSUPP);
    cr_expect_str_eq(error.text, "linux.resources: limits need a control group, and there is none");
}
