#include "tests/unit/vfs/vfs_fixture.h"

TestSuite(open_file, .init = vfs_setup);

Test(open_file, creation_flags)
{
    cr_assert_eq(do_open("/f", LX_O_RDONLY, 0), -LX_ENOENT);
    int64_t fd = do_open("/f", LX_O_CREAT | LX_O_EXCL | LX_O_RDWR, 0666);
    cr_assert_eq(fd, 0);
    struct lx_stat st;
    do_stat("/f", &st);
    cr_assert_eq(st.mode, LX_S_IFREG | 0644, "umask applies");
    cr_assert_eq(do_open("/f", LX_O_CREAT | LX_O_EXCL | LX_O_RDWR, 0666), -LX_EEXIST);
    cr_assert_eq(do_write(fd, "hello", 5), 5);
    cr_assert_eq(do_open("/f", LX_O_RDONLY | LX_O_TRUNC, 0), 1);
    do_stat("/f", &st);
    cr_assert_eq(st.size, 0);
}

Test(open_file, directories)
{
    do_mkdir("/d", 0755);
    put_file("/f", "x");
    cr_assert_eq(do_open("/d", LX_O_WRONLY, 0), -LX_EISDIR);
    cr_assert_eq(do_open("/d", LX_O_RDONLY | LX_O_CREAT, 0644), -LX_EISDIR);
    cr_assert_eq(do_open("/f", LX_O_RDONLY | LX_O_DIRECTORY, 0), -LX_ENOTDIR);
    cr_assert_eq(do_open("/f/", LX_O_RDONLY, 0), -LX_ENOTDIR);
    cr_assert_eq(do_open("/new/", LX_O_RDWR | LX_O_CREAT, 0644), -LX_EISDIR);
    int64_t fd = do_open("/d", LX_O_RDONLY, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(SYS(read, fd, DATA, 10), -LX_EISDIR);
    cr_assert_eq(SYS(openat, fd, PATH1("../f"), LX_O_RDONLY, 0), fd + 1);
    cr_assert_eq(SYS(openat, fd + 1, PATH1("x"), LX_O_RDONLY, 0), -LX_ENOTDIR);
    cr_assert_eq(SYS(openat, 99, PATH1("x"), LX_O_RDONLY, 0), -LX_EBADF);
    cr_assert_eq(SYS(openat, 99, PATH1("/f"), LX_O_RDONLY, 0), fd + 2);
}

Test(open_file, links_at_the_end)
{
    put_file("/f", "x");
    do_symlink("f", "/l");
    do_symlink("later", "/to_new");
    cr_assert_eq(do_open("/l", LX_O_RDONLY | LX_O_NOFOLLOW, 0), -LX_ELOOP);
    cr_assert_eq(do_open("/l", LX_O_RDWR | LX_O_CREAT | LX_O_EXCL, 0644), -LX_EEXIST);
    cr_assert_geq(do_open("/to_new", LX_O_RDWR | LX_O_CREAT, 0644), 0);
    struct lx_stat st;
    cr_assert_eq(do_stat("/later", &st), 0);
    int64_t fd = do_open("/l", LX_O_PATH | LX_O_NOFOLLOW, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(SYS(readlinkat, fd, PATH1(""), DATA, 100), 1);
    cr_assert_eq(SYS(read, fd, DATA, 1), -LX_EBADF);
    cr_assert_eq(SYS(fstat, fd, DATA), 0);
    cr_assert_eq(SYS(fchmod, fd, 0600), -LX_EBADF);
}

Test(open_file, append_writes_at_the_end)
{
    put_file("/f", "one");
    int64_t fd = do_open("/f", LX_O_WRONLY | LX_O_APPEND, 0);
    cr_assert_eq(SYS(lseek, fd, 0, LX_SEEK_SET), 0);
    cr_assert_eq(do_write(fd, "two", 3), 3);
    cr_assert_str_eq(get_file("/f"), "onetwo");
}

Test(open_file, access_mode_is_kept)
{
    put_file("/f", "abc");
    int64_t r = do_open("/f", LX_O_RDONLY, 0), w = do_open("/f", LX_O_WRONLY, 0);
    cr_assert_eq(do_write(r, "x", 1), -LX_EBADF);
    cr_assert_eq(SYS(read, w, DATA, 1), -LX_EBADF);
    cr_assert_eq(SYS(ftruncate, r, 0), -LX_EINVAL);
    cr_assert_eq(SYS(fcntl, r, LX_F_GETFL), LX_O_LARGEFILE);
    cr_assert_eq(SYS(fcntl, w, LX_F_SETFL, LX_O_APPEND | LX_O_NONBLOCK), 0);
    cr_assert_eq(SYS(fcntl, w, LX_F_GETFL), LX_O_LARGEFILE | LX_O_WRONLY | LX_O_APPEND | LX_O_NONBLOCK);
}

Test(open_file, running_programs_are_busy)
{
    put_file("/prog", "x");
    struct path p;
    path_lookup(LX_AT_FDCWD, "/prog", 0, &p);
    cr_assert_eq(inode_deny_write(p.dentry->inode), 0);
    cr_assert_eq(do_open("/prog", LX_O_WRONLY, 0), -LX_ETXTBSY);
    cr_assert_eq(do_open("/prog", LX_O_RDONLY | LX_O_TRUNC, 0), -LX_ETXTBSY);
    cr_assert_geq(do_open("/prog", LX_O_RDONLY, 0), 0);
    inode_allow_write(p.dentry->inode);
    int64_t fd = do_open("/prog", LX_O_RDWR, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(inode_deny_write(p.dentry->inode), -LX_ETXTBSY);
    SYS(close, fd);
    cr_assert_eq(inode_deny_write(p.dentry->inode), 0);
    path_put(&p);
}

Test(open_file, unnamed_files_get_a_name_by_link)
{
    do_mkdir("/d", 0755);
    cr_assert_eq(do_open("/d", LX_O_TMPFILE | LX_O_RDONLY, 0600), -LX_EINVAL);
    int64_t fd = do_open("/d", LX_O_TMPFILE | LX_O_RDWR, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(do_write(fd, "tmp", 3), 3);
    cr_assert_str_eq(list_dir("/d", 1000), "");
    cr_assert_eq(SYS(linkat, fd, PATH1(""), LX_AT_FDCWD, PATH2("/d/named"), LX_AT_EMPTY_PATH), 0);
    cr_assert_str_eq(get_file("/d/named"), "tmp");
}

Test(open_file, permissions_of_owner_group_and_others)
{
    put_file("/f", "x");
    SYS(chown, PATH1("/f"), 1000, 2000);
    SYS(chmod, PATH1("/f"), 0460);
    become(1000, 1000);
    cr_assert_geq(do_open("/f", LX_O_RDONLY, 0), 0);
    cr_assert_eq(do_open("/f", LX_O_WRONLY, 0), -LX_EACCES, "the owner's bits decide, not the group's");
    become(1001, 2000);
    cr_assert_geq(do_open("/f", LX_O_RDWR, 0), 0);
    become(1001, 1001);
    cr_assert_eq(do_open("/f", LX_O_RDONLY, 0), -LX_EACCES);
    cr_assert_eq(SYS(chmod, PATH1("/f"), 0777), -LX_EPERM);
    cr_assert_eq(do_open("/new", LX_O_CREAT | LX_O_WRONLY, 0644), -LX_EACCES);
    vfs_cred.cap_effective = 1ull << LX_CAP_DAC_READ_SEARCH;
    cr_assert_geq(do_open("/f", LX_O_RDONLY, 0), 0);
    cr_assert_eq(do_open("/f", LX_O_WRONLY, 0), -LX_EACCES);
    vfs_cred.cap_effective = 1ull << LX_CAP_DAC_OVERRIDE;
    cr_assert_geq(do_open("/f", LX_O_RDWR, 0), 0);
}

Test(open_file, sticky_directories_protect_names)
{
    do_mkdir("/tmp", 0);
    SYS(chmod, PATH1("/tmp"), 01777);
    become(1000, 1000);
    put_file("/tmp/mine", "x");
    become(1001, 1001);
    cr_assert_eq(SYS(unlink, PATH1("/tmp/mine")), -LX_EPERM);
    cr_assert_eq(SYS(rename, PATH1("/tmp/mine"), PATH2("/tmp/other")), -LX_EPERM);
    become(1000, 1000);
    cr_assert_eq(SYS(unlink, PATH1("/tmp/mine")), 0);
}

Test(open_file, setgid_directories_give_their_group)
{
    do_mkdir("/d", 0777);
    SYS(chown, PATH1("/d"), 0, 2000);
    SYS(chmod, PATH1("/d"), 02777);
    become(1000, 1000);
    put_file("/d/f", "x");
    do_mkdir("/d/sub", 0755);
    struct lx_stat st;
    do_stat("/d/f", &st);
    cr_assert_eq(st.gid, 2000);
    do_stat("/d/sub", &st);
    cr_assert_eq(st.gid, 2000);
    cr_assert(st.mode & LX_S_ISGID);
}

Test(open_file, writing_and_chown_clear_setuid)
{
    put_file("/f", "x");
    SYS(chown, PATH1("/f"), 1000, 1000);
    SYS(chmod, PATH1("/f"), 06777);
    become(1000, 1000);
    int64_t fd = do_open("/f", LX_O_WRONLY, 0);
    do_write(fd, "y", 1);
    struct lx_stat st;
    do_stat("/f", &st);
    cr_assert_eq(st.mode & 07777, 0777);
    become(0, 0);
    SYS(chmod, PATH1("/f"), 06777);
    SYS(chown, PATH1("/f"), 5, 5);
    do_stat("/f", &st);
    cr_assert_eq(st.mode & 07777, 0777);
}

Test(open_file, access_asks_with_the_real_user)
{
    put_file("/f", "x");
    SYS(chmod, PATH1("/f"), 0600);
    vfs_cred.uid = 1000; // a set-user-ID program
    vfs_cred.gid = 1000;
    cr_assert_eq(SYS(access, PATH1("/f"), 4), -LX_EACCES);
    cr_assert_eq(SYS(faccessat2, LX_AT_FDCWD, PATH1("/f"), 4, LX_AT_EACCESS), 0);
    cr_assert_eq(SYS(access, PATH1("/f"), 8), -LX_EINVAL);
    cr_assert_eq(SYS(access, PATH1("/f"), 0), 0);
}

Test(open_file, devices_answer)
{
    cr_assert_eq(vfs_mount_at(&vfs_fs.root, "devtmpfs", "dev", "", MNT_NOSUID, "/dev"), 0);
    int64_t fd = do_open("/dev/zero", LX_O_RDWR, 0);
    memset(DATA_BYTES, 7, 16);
    cr_assert_eq(SYS(read, fd, DATA, 8), 8);
    cr_assert_eq(DATA_BYTES[7], 0);
    cr_assert_eq(DATA_BYTES[8], 7);
    cr_assert_eq(do_write(do_open("/dev/full", LX_O_RDWR, 0), "x", 1), -LX_ENOSPC);
    cr_assert_str_eq(get_file("/dev/null"), "");
    cr_assert_eq(SYS(read, do_open("/dev/urandom", LX_O_RDONLY, 0), DATA, 5000), 5000);
    cr_assert_eq(SYS(mknod, PATH1("/none"), LX_S_IFCHR | 0666, 0xfe01), 0);
    cr_assert_eq(do_open("/none", LX_O_RDONLY, 0), -LX_ENXIO);
    become(1000, 1000);
    cr_assert_eq(SYS(mknod, PATH1("/dev/shm/x"), LX_S_IFCHR | 0666, 0x0103), -LX_EPERM);
    cr_assert_eq(SYS(mknod, PATH1("/dev/shm/x"), LX_S_IFIFO | 0666, 0), 0);
}

Test(open_file, openat2_checks_its_struct)
{
    put_file("/f", "x");
    do_symlink("/f", "/l");
    struct lx_open_how how = {.flags = LX_O_RDONLY, .resolve = LX_RESOLVE_NO_SYMLINKS};
    memcpy(DATA_BYTES, &how, sizeof(how));
    cr_assert_eq(SYS(openat2, LX_AT_FDCWD, PATH1("/l"), DATA, 24), -LX_ELOOP);
    cr_assert_geq(SYS(openat2, LX_AT_FDCWD, PATH1("/f"), DATA, 24), 0);
    cr_assert_eq(SYS(openat2, LX_AT_FDCWD, PATH1("/f"), DATA, 23), -LX_EINVAL);
    DATA_BYTES[30] = 1;
    cr_assert_eq(SYS(openat2, LX_AT_FDCWD, PATH1("/f"), DATA, 32), -LX_E2BIG);
    how.mode = 0644;
    memcpy(DATA_BYTES, &how, sizeof(how));
    cr_assert_eq(SYS(openat2, LX_AT_FDCWD, PATH1("/f"), DATA, 24), -LX_EINVAL);
}
