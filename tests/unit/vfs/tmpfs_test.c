#include "tests/unit/vfs/vfs_fixture.h"
#include "sentry/fs/tmpfs/data.h"
#include <unistd.h>

TestSuite(tmpfs, .init = vfs_setup);

static int64_t fill(int64_t fd, int64_t at, unsigned char byte, size_t n)
{
    memset(DATA_BYTES, byte, n);
    return SYS(pwrite64, fd, DATA, n, at);
}
static int byte_at(int64_t fd, int64_t at)
{
    return SYS(pread64, fd, DATA, 1, at) == 1 ? DATA_BYTES[0] : -1;
}

Test(tmpfs, data_survives_growth_into_a_memfd)
{
    int64_t fd = do_open("/f", LX_O_CREAT | LX_O_RDWR, 0644);
    for (int i = 0; i < 24; i++)
        cr_assert_eq(fill(fd, i * 50000, (unsigned char)(i + 1), 50000), 50000);
    struct lx_stat st;
    do_stat("/f", &st);
    cr_assert_eq(st.size, 1200000);
    cr_assert_geq(st.blocks, 1200000 / 512);
    for (int i = 0; i < 24; i++) {
        cr_assert_eq(byte_at(fd, i * 50000), i + 1);
        cr_assert_eq(byte_at(fd, i * 50000 + 49999), i + 1);
    }
    cr_assert_eq(byte_at(fd, 1200000), -1);
}

Test(tmpfs, holes_read_as_zero_and_are_found)
{
    for (int big = 0; big < 2; big++) {
        int64_t base = big ? 2 << 20 : 8192;
        int64_t fd = do_open(big ? "/big" : "/small", LX_O_CREAT | LX_O_RDWR, 0644);
        cr_assert_eq(fill(fd, base, 9, 4096), 4096);
        cr_assert_eq(byte_at(fd, 0), 0);
        cr_assert_eq(byte_at(fd, base), 9);
        cr_assert_eq(SYS(lseek, fd, 0, LX_SEEK_DATA), base);
        cr_assert_eq(SYS(lseek, fd, 0, LX_SEEK_HOLE), 0);
        cr_assert_eq(SYS(lseek, fd, base, LX_SEEK_HOLE), base + 4096);
        cr_assert_eq(SYS(lseek, fd, base + 4096, LX_SEEK_DATA), -LX_ENXIO);
        cr_assert_eq(fill(fd, base + 4096, 8, 8192), 8192);
        cr_assert_eq(SYS(fallocate, fd, LX_FALLOC_FL_PUNCH_HOLE | LX_FALLOC_FL_KEEP_SIZE, base, 4196), 0);
        cr_assert_eq(byte_at(fd, base), 0);
        cr_assert_eq(byte_at(fd, base + 4096 + 99), 0);
        cr_assert_eq(byte_at(fd, base + 4096 + 100), 8);
        cr_assert_eq(SYS(fallocate, fd, LX_FALLOC_FL_PUNCH_HOLE, 0, 4096), -LX_EOPNOTSUPP);
    }
}

Test(tmpfs, truncation_forgets_what_was_cut)
{
    for (int big = 0; big < 2; big++) {
        int64_t size = big ? 1300000 : 10000;
        int64_t fd = do_open(big ? "/big" : "/small", LX_O_CREAT | LX_O_RDWR, 0644);
        for (int64_t at = 0; at < size; at += 10000)
            cr_assert_eq(fill(fd, at, 5, 10000), 10000);
        cr_assert_eq(SYS(ftruncate, fd, 5000), 0);
        cr_assert_eq(SYS(ftruncate, fd, 10000), 0);
        cr_assert_eq(byte_at(fd, 4999), 5);
        cr_assert_eq(byte_at(fd, 5000), 0);
        cr_assert_eq(byte_at(fd, 9999), 0);
        cr_assert_eq(SYS(ftruncate, fd, -1), -LX_EINVAL);
    }
}

Test(tmpfs, a_full_filesystem_says_so)
{
    cr_assert_eq(vfs_mount_at(&vfs_fs.root, "tmpfs", "t", "size=600k,nr_inodes=4", 0, "/t"), 0);
    int64_t fd = do_open("/t/f", LX_O_CREAT | LX_O_RDWR, 0644);
    int64_t total = 0, n;
    while ((n = fill(fd, total, 1, 60000)) > 0)
        total += n;
    cr_assert_eq(n, -LX_ENOSPC);
    cr_assert_geq(total, 590 * 1024);
    cr_assert_leq(total, 600 * 1024);
    cr_assert_eq(fill(fd, 0, 2, 100), 100, "what is there can be written again");
    int64_t g = do_open("/t/g", LX_O_CREAT | LX_O_RDWR, 0644);
    cr_assert_eq(fill(g, 0, 1, 1), -LX_ENOSPC);
    cr_assert_eq(SYS(ftruncate, fd, 0), 0);
    cr_assert_eq(fill(g, 0, 1, 1), 1);
    cr_assert_eq(SYS(fallocate, g, 0, 0, 10 << 20), -LX_ENOSPC);
    cr_assert_eq(do_mkdir("/t/d", 0755), 0);
    cr_assert_eq(do_mkdir("/t/e", 0755), -LX_ENOSPC);
    cr_assert_eq(SYS(rmdir, PATH1("/t/d")), 0);
    cr_assert_eq(do_mkdir("/t/e", 0755), 0);
    cr_assert_eq(vfs_mount_at(&vfs_fs.root, "tmpfs", "t", "size=x", 0, "/u"), -LX_EINVAL);
}

Test(tmpfs, unlinked_files_live_while_open)
{
    put_file("/f", "still here");
    int64_t fd = do_open("/f", LX_O_RDWR, 0);
    cr_assert_eq(SYS(unlink, PATH1("/f")), 0);
    cr_assert_eq(do_open("/f", LX_O_RDONLY, 0), -LX_ENOENT);
    cr_assert_eq(SYS(pread64, fd, DATA, 100, 0), 10);
    cr_assert_eq(SYS(fstat, fd, DATA), 0);
    struct lx_stat st;
    memcpy(&st, DATA_BYTES, sizeof(st));
    cr_assert_eq(st.nlink, 0);
    char name[100];
    struct file *f = fd_lookup(current->files, (int)fd);
    cr_assert_gt(path_name(&f->path, name, sizeof(name)), 0);
    cr_assert_str_eq(name, "/f (deleted)");
}

Test(tmpfs, links_count)
{
    put_file("/a", "one");
    do_mkdir("/d", 0755);
    cr_assert_eq(SYS(link, PATH1("/a"), PATH2("/d/b")), 0);
    struct lx_stat a, b;
    do_stat("/a", &a);
    do_stat("/d/b", &b);
    cr_assert_eq(a.nlink, 2);
    cr_assert_eq(a.ino, b.ino);
    put_file("/d/b", "two");
    cr_assert_str_eq(get_file("/a"), "two");
    cr_assert_eq(SYS(link, PATH1("/d"), PATH2("/e")), -LX_EPERM);
    cr_assert_eq(SYS(link, PATH1("/a"), PATH2("/d/b")), -LX_EEXIST);
    cr_assert_eq(SYS(rename, PATH1("/a"), PATH2("/d/b")), 0, "two names of one file: nothing happens");
    cr_assert_eq(do_stat("/a", &a), 0);
    SYS(unlink, PATH1("/a"));
    do_stat("/d/b", &b);
    cr_assert_eq(b.nlink, 1);
    do_stat("/d", &a);
    cr_assert_eq(a.nlink, 2);
    do_mkdir("/d/sub", 0755);
    do_stat("/d", &a);
    cr_assert_eq(a.nlink, 3);
}

Test(tmpfs, rename_replaces_and_refuses)
{
    put_file("/a", "A");
    put_file("/b", "B");
    do_mkdir("/d", 0755);
    do_mkdir("/e", 0755);
    put_file("/e/x", "X");
    cr_assert_eq(SYS(renameat2, LX_AT_FDCWD, PATH1("/a"), LX_AT_FDCWD, PATH2("/b"), LX_RENAME_NOREPLACE),
                 -LX_EEXIST);
    cr_assert_eq(SYS(rename, PATH1("/a"), PATH2("/b")), 0);
    cr_assert_str_eq(get_file("/b"), "A");
    cr_assert_str_eq(get_file("/a"), "errno 2");
    cr_assert_eq(SYS(rename, PATH1("/b"), PATH2("/d")), -LX_EISDIR);
    cr_assert_eq(SYS(rename, PATH1("/d"), PATH2("/b")), -LX_ENOTDIR);
    cr_assert_eq(SYS(rename, PATH1("/d"), PATH2("/e")), -LX_ENOTEMPTY);
    cr_assert_eq(SYS(rename, PATH1("/e"), PATH2("/e/x/y")), -LX_ENOTDIR);
    cr_assert_eq(SYS(rename, PATH1("/e"), PATH2("/e/y")), -LX_EINVAL);
    cr_assert_eq(SYS(rename, PATH1("/e"), PATH2("/d")), 0);
    cr_assert_str_eq(get_file("/d/x"), "X");
    cr_assert_eq(SYS(rename, PATH1("/d/."), PATH2("/z")), -LX_EBUSY);
    cr_assert_eq(SYS(renameat2, LX_AT_FDCWD, PATH1("/b"), LX_AT_FDCWD, PATH2("/d/x"), LX_RENAME_EXCHANGE), 0);
    cr_assert_str_eq(get_file("/b"), "X");
    cr_assert_str_eq(get_file("/d/x"), "A");
    cr_assert_eq(SYS(renameat2, LX_AT_FDCWD, PATH1("/b"), LX_AT_FDCWD, PATH2("/d"), LX_RENAME_EXCHANGE), 0);
    cr_assert_str_eq(get_file("/b/x"), "A");
    cr_assert_str_eq(get_file("/d"), "X");
}

Test(tmpfs, replaced_files_keep_their_name)
{
    put_file("/a", "A");
    put_file("/b", "B");
    int64_t a = do_open("/a", LX_O_RDONLY, 0), b = do_open("/b", LX_O_RDONLY, 0);
    cr_assert_eq(SYS(rename, PATH1("/a"), PATH2("/b")), 0);
    char name[100];
    cr_assert_gt(path_name(&fd_lookup(current->files, (int)a)->path, name, sizeof(name)), 0);
    cr_assert_str_eq(name, "/b");
    cr_assert_gt(path_name(&fd_lookup(current->files, (int)b)->path, name, sizeof(name)), 0);
    cr_assert_str_eq(name, "/b (deleted)");
}

Test(tmpfs, removed_directories_are_freed_with_the_answers_below_them)
{
    struct lx_stat st;
    do_mkdir("/a", 0755);
    do_mkdir("/b", 0755);
    do_mkdir("/c", 0755);
    do_stat("/b/none", &st);
    do_stat("/c/none", &st);
    cr_assert_eq(SYS(rename, PATH1("/a"), PATH2("/b")), 0);
    cr_assert_eq(SYS(rmdir, PATH1("/b")), 0);
    cr_assert_eq(SYS(rmdir, PATH1("/c")), 0);
    cr_assert_eq(SYS(statfs, PATH1("/"), DATA), 0);
    struct lx_statfs s;
    memcpy(&s, DATA_BYTES, sizeof(s));
    cr_assert_eq(s.files - s.ffree, 1);
}

Test(tmpfs, removal_errors)
{
    do_mkdir("/d", 0755);
    put_file("/d/f", "x");
    cr_assert_eq(SYS(unlink, PATH1("/d")), -LX_EISDIR);
    cr_assert_eq(SYS(rmdir, PATH1("/d")), -LX_ENOTEMPTY);
    cr_assert_eq(SYS(rmdir, PATH1("/d/f")), -LX_ENOTDIR);
    cr_assert_eq(SYS(rmdir, PATH1("/d/.")), -LX_EINVAL);
    cr_assert_eq(SYS(rmdir, PATH1("/d/..")), -LX_ENOTEMPTY);
    cr_assert_eq(SYS(rmdir, PATH1("/")), -LX_EBUSY);
    cr_assert_eq(SYS(unlink, PATH1("/d/f/")), -LX_ENOTDIR);
    cr_assert_eq(SYS(unlinkat, LX_AT_FDCWD, PATH1("/d/f"), 1), -LX_EINVAL);
    cr_assert_eq(SYS(unlinkat, LX_AT_FDCWD, PATH1("/d/f"), 0), 0);
    cr_assert_eq(SYS(unlinkat, LX_AT_FDCWD, PATH1("/d"), LX_AT_REMOVEDIR), 0);
}

Test(tmpfs, directories_can_be_emptied_while_they_are_read)
{
    char name[32];
    do_mkdir("/d", 0755);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "/d/file%d", i);
        put_file(name, "");
    }
    int64_t fd = do_open("/d", LX_O_RDONLY, 0), n;
    int seen = 0;
    while ((n = SYS(getdents64, fd, DATA, 300)) > 0) {
        char names[16][40];
        int k = 0;
        for (int64_t at = 0; at < n;) {
            struct lx_dirent64 d;
            memcpy(&d, DATA_BYTES + at, sizeof(d));
            snprintf(names[k++], 40, "/d/%s", (char *)DATA_BYTES + at + LX_DIRENT64_NAME);
            at += d.reclen;
        }
        for (int i = 0; i < k; i++)
            if (strstr(names[i], "file")) {
                cr_assert_eq(SYS(unlink, PATH1(names[i])), 0);
                seen++;
            }
    }
    cr_assert_eq(n, 0);
    cr_assert_eq(seen, 500);
    cr_assert_eq(SYS(rmdir, PATH1("/d")), 0);
    cr_assert_eq(SYS(getdents64, fd, DATA, 300), -LX_ENOENT);
}

Test(tmpfs, small_directory_buffers_are_an_error)
{
    int64_t fd = do_open("/", LX_O_RDONLY, 0);
    cr_assert_eq(SYS(getdents64, fd, DATA, 20), -LX_EINVAL);
    cr_assert_eq(SYS(getdents64, fd, DATA, 24), 24);
    put_file("/f", "");
    cr_assert_eq(SYS(getdents64, do_open("/f", LX_O_RDONLY, 0), DATA, 100), -LX_ENOTDIR);
}

Test(tmpfs, extended_attributes)
{
    put_file("/f", "x");
    memcpy(DATA_BYTES, "value", 5);
    cr_assert_eq(SYS(setxattr, PATH1("/f"), PATH2("user.one"), DATA, 5, 0), 0);
    cr_assert_eq(SYS(setxattr, PATH1("/f"), PATH2("user.one"), DATA, 5, LX_XATTR_CREATE), -LX_EEXIST);
    cr_assert_eq(SYS(setxattr, PATH1("/f"), PATH2("user.two"), DATA, 5, LX_XATTR_REPLACE), -LX_ENODATA);
    cr_assert_eq(SYS(getxattr, PATH1("/f"), PATH2("user.one"), 0, 0), 5);
    cr_assert_eq(SYS(getxattr, PATH1("/f"), PATH2("user.one"), DATA, 4), -LX_ERANGE);
    cr_assert_eq(SYS(getxattr, PATH1("/f"), PATH2("user.none"), DATA, 4), -LX_ENODATA);
    cr_assert_eq(SYS(getxattr, PATH1("/f"), PATH2("system.posix_acl_access"), DATA, 4), -LX_ENODATA);
    cr_assert_eq(SYS(getxattr, PATH1("/f"), PATH2("system.other"), DATA, 4), -LX_EOPNOTSUPP);
    cr_assert_eq(SYS(listxattr, PATH1("/f"), DATA, 100), 9);
    cr_assert_str_eq((char *)DATA_BYTES, "user.one");
    cr_assert_eq(SYS(removexattr, PATH1("/f"), PATH2("user.one")), 0);
    cr_assert_eq(SYS(listxattr, PATH1("/f"), DATA, 100), 0);
    become(1000, 1000);
    cr_assert_eq(SYS(setxattr, PATH1("/f"), PATH2("user.one"), DATA, 5, 0), -LX_EACCES);
    cr_assert_eq(SYS(setxattr, PATH1("/f"), PATH2("trusted.x"), DATA, 5, 0), -LX_EPERM);
}

Test(tmpfs, times_are_set)
{
    put_file("/f", "x");
    struct lx_timespec t[2] = {{100, 5}, {200, LX_UTIME_OMIT}};
    struct lx_stat before, st;
    do_stat("/f", &before);
    memcpy(DATA_BYTES, t, sizeof(t));
    cr_assert_eq(SYS(utimensat, LX_AT_FDCWD, PATH1("/f"), DATA, 0), 0);
    do_stat("/f", &st);
    cr_assert_eq(st.atime, 100);
    cr_assert_eq(st.atime_nsec, 5);
    cr_assert_eq(st.mtime, before.mtime);
    t[0].nsec = 1000000000;
    memcpy(DATA_BYTES, t, sizeof(t));
    cr_assert_eq(SYS(utimensat, LX_AT_FDCWD, PATH1("/f"), DATA, 0), -LX_EINVAL);
    become(1000, 1000);
    t[0].nsec = 0;
    memcpy(DATA_BYTES, t, sizeof(t));
    cr_assert_eq(SYS(utimensat, LX_AT_FDCWD, PATH1("/f"), DATA, 0), -LX_EPERM);
    cr_assert_eq(SYS(utimensat, LX_AT_FDCWD, PATH1("/f"), 0, 0), -LX_EACCES);
}

Test(tmpfs, memfds_are_sealed)
{
    int64_t fd = SYS(memfd_create, PATH1("m"), LX_MFD_ALLOW_SEALING);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fill(fd, 0, 1, 100), 100);
    cr_assert_eq(SYS(fcntl, fd, LX_F_GET_SEALS), 0);
    cr_assert_eq(SYS(fcntl, fd, LX_F_ADD_SEALS, LX_F_SEAL_GROW | LX_F_SEAL_SHRINK), 0);
    cr_assert_eq(SYS(ftruncate, fd, 99), -LX_EPERM);
    cr_assert_eq(SYS(ftruncate, fd, 101), -LX_EPERM);
    cr_assert_eq(fill(fd, 0, 2, 100), 100);
    cr_assert_eq(SYS(fcntl, fd, LX_F_ADD_SEALS, LX_F_SEAL_WRITE | LX_F_SEAL_SEAL), 0);
    cr_assert_eq(fill(fd, 0, 2, 1), -LX_EPERM);
    cr_assert_eq(SYS(fcntl, fd, LX_F_ADD_SEALS, 0), -LX_EPERM);
    int64_t plain = SYS(memfd_create, PATH1("m"), 0);
    cr_assert_eq(SYS(fcntl, plain, LX_F_GET_SEALS), LX_F_SEAL_SEAL);
    cr_assert_eq(SYS(memfd_create, PATH1("m"), 0x8000), -LX_EINVAL);
}

Test(tmpfs, mapping_gives_a_descriptor_with_the_bytes)
{
    int64_t fd = do_open("/f", LX_O_CREAT | LX_O_RDWR, 0644);
    cr_assert_eq(fill(fd, 0, 3, 5000), 5000);
    struct file *f = fd_lookup(current->files, (int)fd);
    struct host_map map;
    cr_assert_eq(f->ops->map(f, 0, 5000, 3, 1, &map), 0);
    unsigned char byte = 0;
    cr_assert_eq(pread(map.fd, &byte, 1, 4999), 1);
    cr_assert_eq(byte, 3);
    byte = 4;
    cr_assert_eq(pwrite(map.fd, &byte, 1, 10), 1);
    cr_assert_eq(byte_at(fd, 10), 4);
    cr_assert(map.shared_write_ok);
}

Test(tmpfs, copies_between_files)
{
    int64_t a = do_open("/a", LX_O_CREAT | LX_O_RDWR, 0644), b = do_open("/b", LX_O_CREAT | LX_O_RDWR, 0644);
    for (int i = 0; i < 4; i++)
        fill(a, i * 50000, (unsigned char)(i + 1), 50000);
    cr_assert_eq(SYS(copy_file_range, a, 0, b, 0, 150000, 0), 150000);
    cr_assert_eq(byte_at(b, 149999), 3);
    cr_assert_eq(SYS(sendfile, b, a, 0, 1000000), 50000);
    cr_assert_eq(byte_at(b, 199999), 4);
    cr_assert_eq(SYS(copy_file_range, a, 0, b, 0, 10, 1), -LX_EINVAL);
    int64_t d = do_open("/", LX_O_RDONLY, 0);
    cr_assert_eq(SYS(copy_file_range, a, 0, d, 0, 10, 0), -LX_EISDIR);
    cr_assert_eq(SYS(sendfile, d, a, 0, 10), -LX_EBADF);
}

Test(tmpfs, file_size_limit_raises_a_signal)
{
    int64_t fd = do_open("/f", LX_O_CREAT | LX_O_RDWR, 0644);
    current->sighand = sighand_alloc();
    current->blocked = SIGBIT(25); // SIGXFSZ
    fixture_group.rlim[1].cur = 1000;
    cr_assert_eq(fill(fd, 0, 1, 2000), 1000);
    cr_assert_eq(current->pending.set, 0);
    cr_assert_eq(fill(fd, 1000, 1, 1), -LX_EFBIG);
    cr_assert_eq(current->pending.set, SIGBIT(25));
    cr_assert_eq(SYS(ftruncate, fd, 2000), -LX_EFBIG);
}

Test(tmpfs, without_descriptors_files_stay_in_memory)
{
    mem_data_limit_descriptors(16); // six for all: one pair may be for files that nobody maps
    int64_t fd[5];
    char name[32];
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof(name), "/f%d", i);
        fd[i] = do_open(name, LX_O_CREAT | LX_O_RDWR, 0644);
        for (int k = 0; k < 40; k++)
            cr_assert_eq(fill(fd[i], k * 50000, (unsigned char)(i * 40 + k), 50000), 50000);
        for (int k = 0; k < 40; k++)
            cr_assert_eq(byte_at(fd[i], k * 50000 + 7), i * 40 + k);
    }
    struct host_map map;
    int mapped = 0, refused = 0;
    for (int i = 0; i < 5; i++) {
        struct file *f = fd_lookup(current->files, (int)fd[i]);
        int err = f->ops->map(f, 0, 4096, 1, 2, &map);
        mapped += err == 0;
        refused += err == -LX_ENFILE;
    }
    cr_assert_eq(mapped, 5, "%d refused", refused);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(SYS(close, fd[i]), 0);
}

Test(tmpfs, names_links_and_attributes_count)
{
    cr_assert_eq(vfs_mount_at(&vfs_fs.root, "tmpfs", "t", "size=64k,nr_inodes=6", 0, "/t"), 0);
    put_file("/t/f", "x");
    char name[32], target[3000];
    int made = 0;
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "/t/l%d", i);
        made += SYS(link, PATH1("/t/f"), PATH2(name)) == 0;
    }
    cr_assert_eq(made, 4);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "/t/l%d", i);
        cr_assert_eq(SYS(unlink, PATH1(name)), 0);
    }
    cr_assert_eq(SYS(setxattr, PATH1("/t/f"), PATH2("user.big"), DATA, 50000, 0), 0);
    cr_assert_eq(SYS(setxattr, PATH1("/t/f"), PATH2("user.more"), DATA, 20000, 0), -LX_ENOSPC);
    memset(target, 'a', sizeof(target) - 1);
    target[sizeof(target) - 1] = 0;
    cr_assert_eq(do_symlink(target, "/t/s1"), 0);
    cr_assert_eq(do_symlink(target, "/t/s2"), 0);
    cr_assert_eq(do_symlink(target, "/t/s3"), -LX_ENOSPC);
    cr_assert_eq(SYS(removexattr, PATH1("/t/f"), PATH2("user.big")), 0);
    cr_assert_eq(do_symlink(target, "/t/s3"), 0);
    for (int i = 1; i <= 3; i++) {
        snprintf(name, sizeof(name), "/t/s%d", i);
        cr_assert_eq(SYS(unlink, PATH1(name)), 0);
    }
    cr_assert_eq(SYS(unlink, PATH1("/t/f")), 0);
    cr_assert_eq(SYS(statfs, PATH1("/t"), DATA), 0);
    struct lx_statfs s;
    memcpy(&s, DATA_BYTES, sizeof(s));
    cr_assert_eq(s.files - s.ffree, 1);
    cr_assert_eq(s.blocks, s.bfree);
}
