#include "sentry/boot/cgroup.h"
#include <criterion/criterion.h>

static const char text[] = "9:name=systemd:/init.scope\n4:memory:/a/b\n3:cpu,cpuacct:/c\n0::/user.slice/x\n";

Test(cgroup, the_own_path_is_found_by_controller)
{
    char path[64];
    cr_assert(cgroup_own_path(text, "memory", path, sizeof(path)));
    cr_assert_str_eq(path, "/a/b");
    cr_assert(cgroup_own_path(text, "cpu", path, sizeof(path)));
    cr_assert_str_eq(path, "/c");
    cr_assert(cgroup_own_path(text, "cpuacct", path, sizeof(path)));
    cr_assert(cgroup_own_path(text, "", path, sizeof(path)));
    cr_assert_str_eq(path, "/user.slice/x");
}

Test(cgroup, what_is_not_there_is_not_found)
{
    char path[64], small[4];
    cr_assert(!cgroup_own_path(text, "mem", path, sizeof(path)));
    cr_assert(!cgroup_own_path(text, "pids", path, sizeof(path)));
    cr_assert(!cgroup_own_path("", "", path, sizeof(path)));
    cr_assert(!cgroup_own_path("x", "cpu", path, sizeof(path)));
    cr_assert(!cgroup_own_path(text, "memory", small, sizeof(small)));
}
