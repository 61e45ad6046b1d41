// Reading directories; working directory and root.
#include "sentry/sys/path.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/capability.h"
#include <stdlib.h>
#include <string.h>

struct getdents {
    struct dir_context ctx;
    unsigned char *buf;
    size_t size, used;
    bool old; // struct linux_dirent: the type is the record's last byte
    bool too_small;
};

static bool emit(struct dir_context *ctx, const char *name, size_t len, int64_t next_pos, uint64_t ino,
                 unsigned type)
{
    struct getdents *g = (struct getdents *)(void *)ctx;
    size_t head = g->old ? 18 : LX_DIRENT64_NAME;
    size_t need = (head + len + (g->old ? 2 : 1) + 7) & ~(size_t)7;
    if (need > g->size - g->used) {
        g->too_small = g->used == 0;
        return false;
    }
    unsigned char *p = g->buf + g->used;
    uint16_t reclen = (uint16_t)need;
    memset(p, 0, need);
    memcpy(p, &ino, 8);
    memcpy(p + 8, &next_pos, 8);
    memcpy(p + 16, &reclen, 2);
    if (g->old)
        p[need - 1] = (unsigned char)type;
    else
        p[18] = (unsigned char)type;
    memcpy(p + head, name, len);
    g->used += need;
    return true;
}

static int64_t getdents(struct call *c, bool old)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    if (!f->ops || !f->ops->iterate || !LX_S_ISDIR(f->inode->attr.mode))
        return -LX_ENOTDIR;
    if (f->inode->dead)
        return -LX_ENOENT;
    uint32_t count = arg_uint(c, 2);
    struct getdents g = {
        .ctx = {.emit = emit, .pos = f->pos}, .size = count < 65536 ? count : 65536, .old = old};
    g.buf = malloc(g.size ? g.size : 1);
    if (!g.buf)
        return -LX_ENOMEM;
    file_get(f);
    int64_t r = f->ops->iterate(f, &g.ctx);
    if (g.used) {
        r = (int64_t)g.used;
        if (copy_out(c->args[1], g.buf, g.used))
            r = -LX_EFAULT;
    } else if (r == 0 && g.too_small) {
        r = -LX_EINVAL;
    }
    if (r >= 0)
        f->pos = g.ctx.pos;
    file_put(f);
    free(g.buf);
    return r;
}

int64_t sys_getdents(struct call *c)
{
    return getdents(c, true);
}

int64_t sys_getdents64(struct call *c)
{
    return getdents(c, false);
}

// Takes over the references of p.
static void set_pwd(struct path *p)
{
    struct path old = current->fs->pwd;
    current->fs->pwd = *p;
    path_put(&old);
}

static int check_dir(const struct path *p)
{
    if (!LX_S_ISDIR(p->dentry->inode->attr.mode))
        return -LX_ENOTDIR;
    return inode_permission(p->dentry->inode, MAY_EXEC);
}

int64_t sys_chdir(struct call *c)
{
    struct path p;
    int err = lookup_user(LX_AT_FDCWD, c->args[0], 0, true, &p);
    if (err)
        return err;
    err = check_dir(&p);
    if (err)
        path_put(&p);
    else
        set_pwd(&p);
    return err;
}

int64_t sys_fchdir(struct call *c)
{
    struct file *f = fd_lookup_path(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    int err = check_dir(&f->path);
    if (err)
        return err;
    struct path p = f->path;
    path_get(&p);
    set_pwd(&p);
    return 0;
}

int64_t sys_chroot(struct call *c)
{
    struct path p;
    int err = lookup_user(LX_AT_FDCWD, c->args[0], 0, true, &p);
    if (err)
        return err;
    err = check_dir(&p);
    if (err == 0 && !ns_capable(current->cred->user_ns, LX_CAP_SYS_CHROOT))
        err = -LX_EPERM;
    if (err) {
        path_put(&p);
        return err;
    }
    struct path old = current->fs->root;
    current->fs->root = p;
    path_put(&old);
    return 0;
}

int64_t sys_getcwd(struct call *c)
{
    char text[VFS_PATH_MAX];
    const struct path *pwd = &current->fs->pwd;
    if (pwd->dentry->unhashed)
        return -LX_ENOENT;
    int n = path_name(pwd, text, sizeof(text));
    if (n < 0)
        return n;
    if ((uint64_t)n + 1 > c->args[1])
        return -LX_ERANGE;
    if (copy_out(c->args[0], text, (size_t)n + 1))
        return -LX_EFAULT;
    return n + 1;
}
