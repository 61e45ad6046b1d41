// Mounts: random calls against what must always hold, and what is left at the end.
#include "tests/unit/vfs/vfs_fixture.h"
#include "abi/linux/mount.h"
#include "sentry/vfs/internal.h"
#include <stdlib.h>
#include <ucontext.h>

#define PATH3(s) str_at(12288, (s))

static uint64_t seed;

static unsigned pick(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static const char *const places[] = {"/a",   "/b",   "/c",     "/a/x",   "/a/y",
                                     "/b/x", "/c/x", "/a/x/x", "/b/x/y", "/c/x/y/x"};

static void check(void)
{
    const struct mount_ns *ns = vfs_fs.mnt_ns;
    unsigned count = 0, children = 0;
    list_for_each(m, &ns->mounts, struct mount, link)
    {
        count++;
        cr_assert_eq(m->ns, ns);
        cr_assert_geq(m->refs, m->nr_children + 1);
        unsigned own = 0;
        list_for_each(child, &m->children, struct mount, sibling)
        {
            own++;
            cr_assert_eq(child->parent, m);
            cr_assert_eq(child->ns, ns);
            cr_assert(dentry_is_ancestor(m->root, child->mountpoint));
            list_for_each(other, &m->children, struct mount, sibling)
                cr_assert(other == child || other->mountpoint != child->mountpoint);
        }
        cr_assert_eq(own, m->nr_children);
        children += own;
        list_for_each(p, &m->peers, struct mount, peers) cr_assert_eq(p->peer_group, m->peer_group);
        cr_assert(list_empty(&m->peers) || m->peer_group);
        list_for_each(s, &m->slaves, struct mount, slave_link) cr_assert_eq(s->master, m);
    }
    cr_assert_eq(count, ns->nr_mounts);
    cr_assert_eq(children, count - 1);
}

static void make_directories(void)
{
    static const char *const below[] = {"x", "y", "x/x", "x/y", "x/y/x"};
    static const char *const tops[] = {"/a", "/b", "/c"};
    char name[32];
    for (size_t t = 0; t < 3; t++) {
        do_mkdir(tops[t], 0755);
        for (size_t i = 0; i < sizeof(below) / sizeof(*below); i++) {
            snprintf(name, sizeof(name), "%s/%s", tops[t], below[i]);
            do_mkdir(name, 0755);
        }
    }
}

static void one_call(void)
{
    static const uint32_t types[] = {LX_MS_SHARED, LX_MS_PRIVATE, LX_MS_SLAVE, LX_MS_UNBINDABLE};
    const char *a = places[pick(sizeof(places) / sizeof(*places))],
               *b = places[pick(sizeof(places) / sizeof(*places))];
    switch (pick(8)) {
    case 0:
    case 1:
        SYS(mount, PATH2("t"), PATH1(a), PATH3("tmpfs"), 0, 0);
        make_directories();
        break;
    case 2:
    case 3:
        SYS(mount, PATH2(b), PATH1(a), 0, LX_MS_BIND | (pick(2) ? LX_MS_REC : 0), 0);
        break;
    case 4:
        SYS(mount, PATH2(b), PATH1(a), 0, LX_MS_MOVE, 0);
        break;
    case 5:
        SYS(mount, 0, PATH1(pick(4) ? a : "/"), 0, types[pick(4)] | (pick(2) ? LX_MS_REC : 0), 0);
        break;
    case 6:
        SYS(umount2, PATH1(a), 0);
        break;
    case 7:
        SYS(umount2, PATH1(a), LX_MNT_DETACH);
        break;
    }
}

Test(mounts, random_calls_leave_whole_trees, .init = vfs_setup)
{
    make_directories();
    for (seed = 1; seed < 40; seed = 1 + seed) {
        uint64_t this_seed = seed;
        for (int i = 0; i < 60 && vfs_fs.mnt_ns->nr_mounts < 400; i++) {
            one_call();
            check();
        }
        for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
            for (int tries = 0; tries < 500 && SYS(umount2, PATH1(places[i]), LX_MNT_DETACH) == 0; tries++)
                ;
        SYS(mount, 0, PATH1("/"), 0, LX_MS_PRIVATE | LX_MS_REC, 0);
        check();
        seed = this_seed;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        while (SYS(umount2, PATH1(places[i]), LX_MNT_DETACH) == 0)
            ;
    cr_assert_eq(vfs_fs.mnt_ns->nr_mounts, 1);
}

static struct mount *tree;

static void let_tree_go(void)
{
    mount_put(tree);
}

// A worker's stack has 256 KiB; one of 64 KiB and thousands of mounts, each on the one before it, show that none is taken for each.
Test(mounts, a_deep_tree_goes_on_a_small_stack, .init = vfs_setup)
{
    const unsigned before = vfs_fs.mnt_ns->nr_mounts;
    do_mkdir("/a", 0755);
    for (int i = 0; i < 5000; i++)
        cr_assert_eq(SYS(mount, PATH2("t"), PATH1("/a"), PATH3("tmpfs"), 0, 0), 0);
    cr_assert_eq(vfs_fs.mnt_ns->nr_mounts, before + 5000);
    struct mount *root = vfs_fs.mnt_ns->root;
    cr_assert_eq(mount_copy(root, root->root, COPY_RECURSIVE | COPY_ALL, &tree), 0);
    static char stack[64 * 1024];
    ucontext_t back, there;
    cr_assert_eq(getcontext(&there), 0);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof(stack);
    there.uc_link = &back;
    makecontext(&there, let_tree_go, 0);
    cr_assert_eq(swapcontext(&back, &there), 0);
    for (int i = 0; i < 5000; i++)
        cr_assert_eq(SYS(umount2, PATH1("/a"), 0), 0);
    cr_assert_eq(vfs_fs.mnt_ns->nr_mounts, before);
}
