#include "sentry/cli/root.h"
#include <criterion/criterion.h>
#include <string.h>

Test(root, project_directories_are_shown)
{
    cr_assert(root_shows_cwd("/home/me/project", "/home/me"));
    cr_assert(root_shows_cwd("/root/project", "/root"));
    cr_assert(root_shows_cwd("/tmp/x", "/home/me"));
    cr_assert(root_shows_cwd("/var/tmp/x", NULL));
    cr_assert(root_shows_cwd("/home2", "/home/me"));
}

Test(root, homes_and_shared_directories_are_not)
{
    static const char *const hidden[] = {"/",           "/home",    "/home/me",    "/home/other", "/root",
                                         "/var",        "/run",     "/tmp",        "/proc",       "/proc/1",
                                         "/sys/kernel", "/dev/shm", "/data/homes", "/data"};
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        cr_assert(!root_shows_cwd(hidden[i], "/data/homes/me"), "%s", hidden[i]);
    cr_assert(!root_shows_cwd("/data/homes/me", "/data/homes/me"));
}

static const struct mount_config *find(const struct root_plan *plan, const char *destination, size_t *index)
{
    for (size_t i = plan->nr_mounts; i-- > 0;) {
        if (strcmp(plan->mounts[i].destination, destination) == 0) {
            *index = i;
            return &plan->mounts[i];
        }
    }
    return NULL;
}

Test(root, default_root_has_the_system_read_only_and_the_rest_private)
{
    struct options o = {0};
    struct root_plan plan;
    size_t at;
    cr_assert_eq(root_plan(&o, &plan), 0);
    cr_assert_eq(plan.mounts[0].kind, MOUNT_TMPFS);
    cr_assert_str_eq(plan.mounts[0].destination, "/");
    const struct mount_config *usr = find(&plan, "/usr", &at);
    cr_assert(usr && usr->kind == MOUNT_GOFER && usr->readonly);
    cr_assert_eq(find(&plan, "/tmp", &at)->kind, MOUNT_TMPFS);
    cr_assert_eq(find(&plan, "/proc", &at)->kind, MOUNT_PROC);
    cr_assert_null(find(&plan, "/home", &at));
    cr_assert_null(find(&plan, "/var", &at));
    for (uint32_t i = 0; i < plan.nr_exports; i++)
        cr_assert(plan.exports[i].flags & GOFER_EXPORT_RO, "%s", plan.exports[i].path);
}

Test(root, parents_come_before_children_and_later_wishes_cover)
{
    struct bind_option binds[] = {{(char *)(uintptr_t) "/usr", (char *)(uintptr_t) "/a/b/c", true},
                                  {(char *)(uintptr_t) "/etc", (char *)(uintptr_t) "/a", false},
                                  {(char *)(uintptr_t) "/usr", (char *)(uintptr_t) "/tmp", true}};
    struct options o = {.binds = binds, .nr_binds = 3};
    struct root_plan plan;
    size_t deep, shallow, tmp;
    cr_assert_eq(root_plan(&o, &plan), 0);
    find(&plan, "/a/b/c", &deep);
    cr_assert(!find(&plan, "/a", &shallow)->readonly);
    cr_assert_lt(shallow, deep);
    cr_assert_eq(find(&plan, "/tmp", &tmp)->kind, MOUNT_GOFER);
}
