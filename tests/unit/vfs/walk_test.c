#include "tests/unit/vfs/vfs_fixture.h"

TestSuite(walk, .init = vfs_setup);

static int look(const char *name, unsigned flags)
{
    struct path p;
    int err = path_lookup(LX_AT_FDCWD, name, flags, &p);
    if (err == 0)
        path_put(&p);
    return err;
}

static void tree(void)
{
    do_mkdir("/a", 0755);
    do_mkdir("/a/b", 0755);
    put_file("/a/b/f", "deep");
    do_symlink("b/f", "/a/rel");
    do_symlink("/a/b", "/abs");
    do_symlink("loop2", "/loop1");
    do_symlink("loop1", "/loop2");
    do_symlink("a/b/", "/slash");
    do_symlink("nowhere", "/dangling");
}

Test(walk, follows_relative_and_absolute_links)
{
    tree();
    cr_assert_str_eq(get_file("/a/rel"), "deep");
    cr_assert_str_eq(get_file("/abs/f"), "deep");
    cr_assert_str_eq(get_file("/abs/../rel"), "deep");
    cr_assert_str_eq(get_file("/../../a//b/./f"), "deep");
    cr_assert_str_eq(get_file("/slash/f"), "deep");
}

Test(walk, errors_are_those_of_linux)
{
    tree();
    cr_assert_eq(look("", 0), -LX_ENOENT);
    cr_assert_eq(look("/none", 0), -LX_ENOENT);
    cr_assert_eq(look("/none/", 0), -LX_ENOENT);
    cr_assert_eq(look("/a/b/f/", 0), -LX_ENOTDIR);
    cr_assert_eq(look("/a/b/f/x", 0), -LX_ENOTDIR);
    cr_assert_eq(look("/loop1", LOOKUP_FOLLOW), -LX_ELOOP);
    cr_assert_eq(look("/loop1", 0), 0);
    cr_assert_eq(look("/loop1/", 0), -LX_ELOOP);
    cr_assert_eq(look("/dangling", LOOKUP_FOLLOW), -LX_ENOENT);
    cr_assert_eq(look("/dangling", 0), 0);
    cr_assert_eq(look("/a/b/f", LOOKUP_DIRECTORY), -LX_ENOTDIR);
    char name[300];
    memset(name, 'x', sizeof(name));
    name[255] = 0;
    cr_assert_eq(look(name, 0), -LX_ENOENT);
    name[255] = 'x';
    name[256] = 0;
    cr_assert_eq(look(name, 0), -LX_ENAMETOOLONG);
    static char path[5000];
    memset(path, '/', sizeof(path) - 1);
    cr_assert_eq(look(path, 0), -LX_ENAMETOOLONG);
    path[4095] = 0;
    cr_assert_eq(look(path, 0), 0);
}

Test(walk, forty_links_are_allowed_and_no_more)
{
    char name[16], target[16];
    put_file("/l0", "end");
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof(name), "/l%d", i);
        snprintf(target, sizeof(target), "l%d", i - 1);
        do_symlink(target, name);
    }
    cr_assert_str_eq(get_file("/l40"), "end");
    cr_assert_eq(do_open("/l41", LX_O_RDONLY, 0), -LX_ELOOP);
}

Test(walk, resolve_limits_hold)
{
    tree();
    cr_assert_eq(look("abs/f", LOOKUP_NO_SYMLINKS), -LX_ELOOP);
    cr_assert_eq(look("a/b/f", LOOKUP_NO_SYMLINKS), 0);
    struct path start, p;
    cr_assert_eq(path_lookup(LX_AT_FDCWD, "/a", 0, &start), 0);
    cr_assert_eq(path_lookup_from(&start, "../a", LOOKUP_BENEATH, &p), -LX_EXDEV);
    cr_assert_eq(path_lookup_from(&start, "/b", LOOKUP_BENEATH, &p), -LX_EXDEV);
    cr_assert_eq(path_lookup_from(&start, "b/..", LOOKUP_BENEATH, &p), 0);
    cr_assert_eq(p.dentry, start.dentry);
    path_put(&p);
    cr_assert_eq(path_lookup_from(&start, "/../b", LOOKUP_IN_ROOT, &p), 0);
    cr_assert_str_eq(p.dentry->name, "b");
    path_put(&p);
    path_put(&start);
}

Test(walk, search_permission_is_asked_of_every_directory)
{
    tree();
    SYS(chmod, PATH1("/a"), 0700);
    become(1000, 1000);
    cr_assert_eq(look("/a", 0), 0);
    cr_assert_eq(look("/a/b", 0), -LX_EACCES);
    cr_assert_eq(look("/abs/f", LOOKUP_FOLLOW), -LX_EACCES);
    become(0, 0);
    SYS(chmod, PATH1("/a"), 0711);
    become(1000, 1000);
    cr_assert_eq(look("/a/b", 0), 0);
}

static int64_t guest_mount(const char *source, const char *target, uint32_t flags, const char *options)
{
    strcpy((char *)DATA_BYTES, options);
    strcpy((char *)DATA_BYTES + 4096, "tmpfs");
    return SYS(mount, PATH1(source), PATH2(target), fixture_addr(DATA_AT + 4096), flags, DATA);
}

Test(walk, mounts_of_the_sandbox_are_locked)
{
    cr_assert_eq(vfs_mount_at(&vfs_fs.root, "tmpfs", "t", "", MNT_NOSUID | MNT_NOEXEC, "/boot"), 0);
    cr_assert_eq(SYS(umount2, PATH1("/boot"), 0), -LX_EINVAL);
    cr_assert_eq(SYS(umount2, PATH1("/boot"), 2), -LX_EINVAL);
    cr_assert_eq(guest_mount("t", "/boot", 32 | MNT_NOSUID, ""), -LX_EPERM);
    cr_assert_eq(guest_mount("t", "/boot", 32 | MNT_NOSUID | MNT_NOEXEC | MNT_RDONLY, ""), 0);
    cr_assert_eq(do_mkdir("/boot/d", 0755), -LX_EROFS);
    cr_assert_eq(guest_mount("t", "/boot", 32 | MNT_NOSUID | MNT_NOEXEC, ""), 0);
    cr_assert_eq(do_mkdir("/boot/d", 0755), 0);
    do_mkdir("/again", 0755);
    cr_assert_eq(guest_mount("/boot/d", "/again", 4096, ""), 0);
    cr_assert_eq(guest_mount("t", "/again", 32 | 4096, ""), -LX_EPERM, "a bind mount keeps the locks");
    put_file("/again/f", "x");
    cr_assert_str_eq(get_file("/boot/d/f"), "x");
    cr_assert_eq(SYS(umount2, PATH1("/again"), 0), 0);
    cr_assert_str_eq(get_file("/again/f"), "errno 2");
    become(1000, 1000);
    cr_assert_eq(guest_mount("t", "/boot", 0, ""), -LX_EPERM);
    cr_assert_eq(SYS(umount2, PATH1("/boot"), 0), -LX_EPERM);
}

Test(walk, mounts_are_entered_and_left)
{
    tree();
    do_mkdir("/mnt", 0755);
    do_mkdir("/mnt/deep", 0755);
    cr_assert_eq(guest_mount("tmpfs", "/mnt/deep", 0, "size=1m,mode=755"), 0);
    put_file("/mnt/deep/x", "inside");
    cr_assert_str_eq(get_file("/mnt/deep/x"), "inside");
    cr_assert_str_eq(get_file("/mnt/deep/../../a/rel"), "deep");
    cr_assert_eq(look("/mnt/deep", LOOKUP_NO_XDEV), -LX_EXDEV);
    struct lx_stat above, in;
    do_stat("/mnt", &above);
    do_stat("/mnt/deep", &in);
    cr_assert_neq(above.dev, in.dev);
    cr_assert_eq(SYS(rename, PATH1("/mnt/deep/x"), PATH2("/x")), -LX_EXDEV);
    cr_assert_eq(SYS(rmdir, PATH1("/mnt/deep")), -LX_EBUSY);
    int64_t fd = do_open("/mnt/deep/x", LX_O_RDONLY, 0);
    cr_assert_eq(SYS(umount2, PATH1("/mnt/deep"), 0), -LX_EBUSY);
    SYS(close, fd);
    cr_assert_eq(SYS(umount2, PATH1("/mnt/deep"), 0), 0);
    cr_assert_eq(look("/mnt/deep/x", 0), -LX_ENOENT);
    cr_assert_eq(SYS(rmdir, PATH1("/mnt/deep")), 0);
}

Test(walk, read_only_mounts_refuse_changes)
{
    cr_assert_eq(vfs_mount_at(&vfs_fs.root, "tmpfs", "t", "", 0, "/ro"), 0);
    put_file("/ro/f", "x");
    struct path p;
    path_lookup(LX_AT_FDCWD, "/ro", 0, &p);
    p.mnt->flags |= MNT_RDONLY;
    path_put(&p);
    cr_assert_eq(do_open("/ro/f", LX_O_WRONLY, 0), -LX_EROFS);
    cr_assert_eq(do_open("/ro/new", LX_O_WRONLY | LX_O_CREAT, 0644), -LX_EROFS);
    cr_assert_eq(do_mkdir("/ro/d", 0755), -LX_EROFS);
    cr_assert_eq(do_mkdir("/ro/f", 0755), -LX_EEXIST);
    cr_assert_eq(SYS(unlink, PATH1("/ro/f")), -LX_EROFS);
    cr_assert_eq(SYS(chmod, PATH1("/ro/f"), 0600), -LX_EROFS);
    cr_assert_eq(SYS(truncate, PATH1("/ro/f"), 0), -LX_EROFS);
    cr_assert_eq(SYS(access, PATH1("/ro/f"), 2), -LX_EROFS);
    cr_assert_str_eq(get_file("/ro/f"), "x");
}

Test(walk, working_directory_has_a_name_until_it_is_removed)
{
    tree();
    cr_assert_eq(SYS(chdir, PATH1("/a/b")), 0);
    cr_assert_eq(SYS(getcwd, DATA, 100), 5);
    cr_assert_str_eq((char *)DATA_BYTES, "/a/b");
    cr_assert_eq(SYS(getcwd, DATA, 4), -LX_ERANGE);
    cr_assert_str_eq(get_file("f"), "deep");
    SYS(unlink, PATH1("f"));
    cr_assert_eq(SYS(rename, PATH1("/a/b"), PATH2("/moved")), 0);
    cr_assert_eq(SYS(getcwd, DATA, 100), 7);
    cr_assert_str_eq((char *)DATA_BYTES, "/moved");
    cr_assert_eq(SYS(rmdir, PATH1("/moved")), 0);
    cr_assert_eq(SYS(getcwd, DATA, 100), -LX_ENOENT);
    cr_assert_eq(do_open("new", LX_O_CREAT | LX_O_WRONLY, 0644), -LX_ENOENT);
    cr_assert_eq(look("..", 0), 0);
}

Test(walk, chroot_is_the_end_of_dotdot)
{
    tree();
    cr_assert_eq(SYS(chroot, PATH1("/a")), 0);
    cr_assert_eq(SYS(chdir, PATH1("/b")), 0);
    cr_assert_str_eq(get_file("../../b/f"), "deep");
    cr_assert_eq(look("/../a", 0), -LX_ENOENT);
    become(1000, 1000);
    cr_assert_eq(SYS(chroot, PATH1("/b")), -LX_EPERM);
}
