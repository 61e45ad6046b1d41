#pragma once
// A root of tmpfs, a descriptor table and the credentials of root for tests of the file family. Calls are made as a guest
// makes them: path names and buffers lie in guest memory.
#include "tests/unit/fixture.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/task/user_ns.h"
#include "sentry/fs/tmpfs/tmpfs.h"
#include "syscall_handlers.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fs_struct vfs_fs;
static struct cred vfs_cred;

static inline void vfs_test_root(struct super_block *sb, struct dentry *root)
{
    struct mount *m = mount_alloc(sb, root, 0);
    vfs_fs.mnt_ns = mount_ns_alloc(m);
    vfs_fs.refs = 1;
    vfs_fs.umask = 022;
    vfs_fs.root = vfs_fs.pwd = (struct path){m, m->root};
    path_get(&vfs_fs.root);
    path_get(&vfs_fs.pwd);
    current->fs = &vfs_fs;
}

static inline void vfs_setup(void)
{
    fixture_setup();
    vfs_init();
    vfs_cred =
        (struct cred){.refs = 1, .cap_effective = ~0ull, .cap_permitted = ~0ull, .user_ns = &init_user_ns};
    current->cred = &vfs_cred;
    current->files = fdtable_alloc();
    struct super_block *sb;
    struct dentry *root;
    cr_assert_eq(tmpfs_create(64 << 20, 0755, 0, 0, &sb, &root), 0);
    vfs_test_root(sb, root);
}

// From now on the caller is an ordinary user.
static inline void become(uint32_t uid, uint32_t gid)
{
    vfs_cred.uid = vfs_cred.euid = vfs_cred.suid = vfs_cred.fsuid = uid;
    vfs_cred.gid = vfs_cred.egid = vfs_cred.sgid = vfs_cred.fsgid = gid;
    vfs_cred.cap_effective = vfs_cred.cap_permitted = uid == 0 ? ~0ull : 0;
}

// Two places for path names, one for data.
static inline gaddr_t str_at(size_t offset, const char *s)
{
    memcpy(fixture_guest + offset, s, strlen(s) + 1);
    return fixture_addr(offset);
}
#define PATH1(s) str_at(0, (s))
#define PATH2(s) str_at(8192, (s))
#define DATA_AT 16384
#define DATA fixture_addr(DATA_AT)
#define DATA_BYTES (fixture_guest + DATA_AT)

#define AS_ARG(x) ((uint64_t)(x))
#define CALL6(name, a, b, c, d, e, f, ...) \
    sys_##name(fixture_call(AS_ARG(a), AS_ARG(b), AS_ARG(c), AS_ARG(d), AS_ARG(e), AS_ARG(f)))
#define SYS(name, ...) CALL6(name, __VA_ARGS__, 0, 0, 0, 0, 0, 0)

static inline int64_t do_open(const char *path, uint32_t flags, uint32_t mode)
{
    return SYS(openat, LX_AT_FDCWD, PATH1(path), flags, mode);
}
static inline int64_t do_mkdir(const char *path, uint32_t mode)
{
    return SYS(mkdir, PATH1(path), mode);
}
static inline int64_t do_symlink(const char *target, const char *path)
{
    return SYS(symlink, PATH1(target), PATH2(path));
}
static inline int64_t do_stat(const char *path, struct lx_stat *st)
{
    int64_t r = SYS(stat, PATH1(path), DATA);
    memcpy(st, DATA_BYTES, sizeof(*st));
    return r;
}
static inline int64_t do_write(int64_t fd, const void *data, size_t n)
{
    memcpy(DATA_BYTES, data, n);
    return SYS(write, fd, DATA, n);
}
static inline void put_file(const char *path, const char *text)
{
    int64_t fd = do_open(path, LX_O_CREAT | LX_O_WRONLY | LX_O_TRUNC, 0644);
    cr_assert_geq(fd, 0, "%s: %ld", path, (long)fd);
    cr_assert_eq(do_write(fd, text, strlen(text)), (int64_t)strlen(text));
    cr_assert_eq(SYS(close, fd), 0);
}
// The file's contents as a string, or "errno N".
static inline const char *get_file(const char *path)
{
    static char text[4096];
    int64_t fd = do_open(path, LX_O_RDONLY, 0), n = fd;
    if (fd >= 0) {
        n = SYS(read, fd, DATA, sizeof(text) - 1);
        SYS(close, fd);
    }
    if (n < 0) {
        snprintf(text, sizeof(text), "errno %ld", (long)-n);
        return text;
    }
    memcpy(text, DATA_BYTES, (size_t)n);
    text[n] = 0;
    return text;
}
static inline int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}
// The names of a directory, sorted, separated by spaces; buffers of `size` bytes are asked for.
static inline const char *list_dir(const char *path, size_t size)
{
    static char text[65536];
    char *names[4096];
    size_t n = 0, len = 0;
    int64_t fd = do_open(path, LX_O_RDONLY | LX_O_DIRECTORY, 0), got;
    text[0] = 0;
    if (fd < 0)
        return "error";
    while ((got = SYS(getdents64, fd, DATA, size)) > 0)
        for (int64_t at = 0; at < got;) {
            struct lx_dirent64 d;
            memcpy(&d, DATA_BYTES + at, sizeof(d));
            names[n++] = strdup((char *)DATA_BYTES + at + LX_DIRENT64_NAME);
            at += d.reclen;
        }
    SYS(close, fd);
    if (got < 0)
        return "error";
    qsort(names, n, sizeof(*names), compare_names);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], ".") != 0 && strcmp(names[i], "..") != 0)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "", names[i]);
        free(names[i]);
    }
    return text;
}
