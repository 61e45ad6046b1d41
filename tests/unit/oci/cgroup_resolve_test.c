// Where the groups of a container lie, for each layout of the hierarchies.
#include "sentry/oci/cgroup_internal.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static const char v1[] =
    "30 20 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755\n"
    "31 30 0:27 / /sys/fs/cgroup/systemd rw,nosuid shared:9 - cgroup cgroup rw,xattr,name=systemd\n"
    "32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "34 30 0:29 / /mnt/memory\\040again rw - cgroup cgroup rw,memory\n"
    "35 30 0:30 / /sys/fs/cgroup/net_cls,net_prio rw - cgroup cgroup rw,net_cls,net_prio\n";
static const char v1_own[] =
    "9:name=systemd:/init.scope\n4:memory:/api/x\n3:cpu,cpuacct:/\n2:net_cls,net_prio:/n\n0::/u\n";
static const char unified[] = "40 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
static const char v2[] = "25 20 0:22 / /proc rw - proc proc rw\n"
                         "30 20 0:26 / /sys/fs/cgroup rw,nosuid,nodev - cgroup2 cgroup2 rw,nsdelegate\n";
static const char v2_own[] = "0::/user.slice/user-0.slice\n";

static struct oci_cgroup group;
static struct oci_error error;

static int resolve(const char *mounts, const char *own, const char *path)
{
    oci_cgroup_free(&group);
    error.text[0] = 0;
    return cgroup_resolve_text(mounts, own, path, "id", &group, &error);
}

static void free_group(void)
{
    oci_cgroup_free(&group);
}

TestSuite(cgroup_resolve, .fini = free_group);

Test(cgroup_resolve, version_1_has_a_group_in_each_hierarchy)
{
    cr_assert_eq(resolve(v1, v1_own, "/docker/abc"), 0, "%s", error.text);
    cr_expect_eq(group.layout, OCI_CGROUP_V1);
    cr_assert_eq(group.count, 4);
    cr_expect_str_eq(cgroup_dir(&group, "name=systemd"), "/sys/fs/cgroup/systemd/docker/abc");
    cr_expect_str_eq(cgroup_dir(&group, "cpu"), "/sys/fs/cgroup/cpu,cpuacct/docker/abc");
    cr_expect_str_eq(cgroup_dir(&group, "cpuacct"), "/sys/fs/cgroup/cpu,cpuacct/docker/abc");
    cr_expect_str_eq(cgroup_dir(&group, "memory"), "/sys/fs/cgroup/memory/docker/abc");
    cr_expect_str_eq(cgroup_dir(&group, "net_prio"), "/sys/fs/cgroup/net_cls,net_prio/docker/abc");
    cr_expect_null(cgroup_dir(&group, "pids"));
    cr_expect_null(cgroup_dir(&group, "mem"));
    cr_expect_null(cgroup_dir(&group, ""));
}

Test(cgroup_resolve, hybrid_has_the_unified_one_too)
{
    char both[2048];
    strcpy(both, unified);
    strcat(both, v1);
    cr_assert_eq(resolve(both, v1_own, "/a"), 0);
    cr_expect_eq(group.layout, OCI_CGROUP_V1);
    cr_expect_eq(group.count, 5);
    cr_expect_str_eq(cgroup_dir(&group, ""), "/sys/fs/cgroup/unified/a");
    cr_expect_str_eq(cgroup_dir(&group, "memory"), "/sys/fs/cgroup/memory/a");
}

Test(cgroup_resolve, version_2_has_one)
{
    cr_assert_eq(resolve(v2, v2_own, "/a//b/"), 0);
    cr_expect_eq(group.layout, OCI_CGROUP_V2);
    cr_assert_eq(group.count, 1);
    cr_expect_str_eq(group.dirs[0].path, "/sys/fs/cgroup/a//b");
    cr_expect_null(cgroup_dir(&group, "memory"));
}

Test(cgroup_resolve, a_relative_path_is_below_our_own_group)
{
    cr_assert_eq(resolve(v1, v1_own, "a/b"), 0);
    cr_expect_str_eq(cgroup_dir(&group, "memory"), "/sys/fs/cgroup/memory/api/x/a/b");
    cr_expect_str_eq(cgroup_dir(&group, "cpu"), "/sys/fs/cgroup/cpu,cpuacct/a/b");
    cr_expect_str_eq(cgroup_dir(&group, "net_cls"), "/sys/fs/cgroup/net_cls,net_prio/n/a/b");
    cr_assert_eq(resolve(v2, v2_own, "a"), 0);
    cr_expect_str_eq(group.dirs[0].path, "/sys/fs/cgroup/user.slice/user-0.slice/a");
}

Test(cgroup_resolve, no_path_is_the_id_below_our_own_group)
{
    cr_assert_eq(resolve(v1, v1_own, NULL), 0);
    cr_expect_str_eq(cgroup_dir(&group, "memory"), "/sys/fs/cgroup/memory/api/x/id");
    cr_expect_str_eq(cgroup_dir(&group, "cpu"), "/sys/fs/cgroup/cpu,cpuacct/id");
}

// In a container the mount shows a part of the hierarchy.
Test(cgroup_resolve, a_mount_that_begins_below_the_root)
{
    static const char part[] = "33 30 0:29 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    cr_assert_eq(resolve(part, "4:memory:/docker/x/y\n", "a"), 0);
    cr_expect_str_eq(group.dirs[0].path, "/sys/fs/cgroup/memory/y/a");
    cr_assert_eq(resolve(part, "4:memory:/docker/x\n", "a"), 0);
    cr_expect_str_eq(group.dirs[0].path, "/sys/fs/cgroup/memory/a");
    cr_assert_eq(resolve(part, "4:memory:/docker/xyz\n", "a"), 0);
    cr_expect_str_eq(group.dirs[0].path, "/sys/fs/cgroup/memory/a");
    cr_assert_eq(resolve(part, "4:memory:/../other\n", "a"), 0);
    cr_expect_str_eq(group.dirs[0].path, "/sys/fs/cgroup/memory/a");
}

Test(cgroup_resolve, a_mount_point_with_a_space)
{
    cr_assert_eq(resolve("34 30 0:29 / /mnt/a\\040b rw - cgroup cgroup rw,memory\n", "4:memory:/\n", "/x"),
                 0);
    cr_expect_str_eq(group.dirs[0].path, "/mnt/a b/x");
}

Test(cgroup_resolve, what_is_refused)
{
    static const char *const paths[] = {"/a/../b", "..", "../x", "/..", "system.slice:docker:abc",
                                        "/",       "",   "."};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        cr_expect_eq(resolve(v1, v1_own, paths[i]), -EINVAL, "%s", paths[i]);
        cr_expect(strstr(error.text, "linux.cgroupsPath"), "%s", error.text);
        cr_expect_null(group.dirs);
    }
    cr_expect_eq(resolve(v1, v1_own, "/..a/b..:c"), 0);
    cr_expect_eq(resolve("25 20 0:22 / /proc rw - proc proc rw\n", v1_own, "/a"), -ENOENT);
    cr_expect_str_eq(error.text, "no hierarchy of control groups is mounted");
    cr_expect_eq(resolve("", "", "/a"), -ENOENT);
    cr_expect_eq(resolve("garbage\n - cgroup\n1 2 3 - cgroup2 x\n", "", "/a"), -ENOENT);
}

Test(cgroup_resolve, without_groups_there_are_none)
{
    cr_assert_eq(oci_cgroup_resolve("/a/../b", "id", OCI_CGROUP_DISABLED, &group, &error), 0);
    cr_expect_eq(group.layout, OCI_CGROUP_NONE);
    cr_expect_eq(group.count, 0);
}
