// sendfile and copy_file_range: bytes from file to file through a buffer of ours.
#include "sentry/core/wait.h"
#include "sentry/sys/path.h"
#include <stdlib.h>

#define CHUNK (64u * 1024)
#define ATOMIC 4096u // a pipe takes this much whole or not at all

struct copy {
    struct file *in, *out;
    int64_t in_pos, out_pos;
    unsigned char *buf;
};

// Writes n bytes of the buffer. A stream is written without waiting; when it is full and nothing has moved yet, a
// piece that it takes whole waits for room, so that no byte can be taken twice.
static int64_t write_chunk(struct copy *k, size_t n, bool may_wait)
{
    struct iov_iter it;
    struct file *f = k->out;
    bool stream = !(f->mode & FMODE_SEEKABLE);
    bool blocking = stream && !(f->flags & LX_O_NONBLOCK);
    iter_init_kernel(&it, k->buf, n);
    if (blocking)
        f->flags |= LX_O_NONBLOCK;
    int64_t put = file_write(f, &it, &k->out_pos);
    if (blocking)
        f->flags &= ~LX_O_NONBLOCK;
    if (put != -LX_EAGAIN || !blocking || !may_wait)
        return put;
    iter_init_kernel(&it, k->buf, n < ATOMIC ? n : ATOMIC);
    return file_write(f, &it, &k->out_pos);
}

static int64_t copy_bytes(struct copy *k, uint64_t count)
{
    int64_t total = 0;
    if (count > GUEST_RW_MAX)
        count = GUEST_RW_MAX;
    k->buf = malloc(CHUNK);
    if (!k->buf)
        return -LX_ENOMEM;
    int64_t err = 0;
    while (count && err == 0) {
        size_t n = count < CHUNK ? count : CHUNK;
        struct iov_iter it;
        int64_t from = k->in_pos;
        iter_init_kernel(&it, k->buf, n);
        int64_t got = file_read(k->in, &it, &from);
        if (got <= 0) {
            err = got;
            break;
        }
        int64_t put = write_chunk(k, (size_t)got, total == 0);
        if (put < 0) {
            err = put;
            break;
        }
        k->in_pos += put;
        total += put;
        count -= (uint64_t)put;
        if (put < got)
            break;
    }
    free(k->buf);
    return total ? total : err;
}

static int64_t check_pair(const struct file *in, const struct file *out)
{
    if (!in || !out || !(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
        return -LX_EBADF;
    return 0;
}

int64_t sys_sendfile(struct call *c)
{
    struct copy k = {.out = fd_lookup(current->files, arg_int(c, 0)),
                     .in = fd_lookup(current->files, arg_int(c, 1))};
    int64_t err = check_pair(k.in, k.out);
    if (err)
        return err;
    if (!(k.in->mode & FMODE_SEEKABLE) && c->args[2])
        return -LX_ESPIPE;
    if (!(k.in->mode & FMODE_SEEKABLE) || !k.in->ops || !k.in->ops->read || !k.out->ops ||
        !k.out->ops->write || (k.out->flags & LX_O_APPEND))
        return -LX_EINVAL;
    k.in_pos = file_pos(k.in);
    if (c->args[2] && get_user(k.in_pos, c->args[2]))
        return -LX_EFAULT;
    if (k.in_pos < 0 || (int64_t)c->args[3] < 0)
        return -LX_EINVAL;
    k.out_pos = file_pos(k.out);
    file_get(k.in);
    file_get(k.out);
    int64_t n = copy_bytes(&k, c->args[3]);
    if (n >= 0) {
        if (c->args[2]) {
            if (put_user(k.in_pos, c->args[2]))
                n = -LX_EFAULT;
        } else {
            file_set_pos(k.in, k.in_pos);
        }
        if (k.out->mode & FMODE_SEEKABLE)
            file_set_pos(k.out, k.out_pos);
    }
    file_put(k.in);
    file_put(k.out);
    return n;
}

int64_t sys_copy_file_range(struct call *c)
{
    struct copy k = {.in = fd_lookup(current->files, arg_int(c, 0)),
                     .out = fd_lookup(current->files, arg_int(c, 2))};
    gaddr_t in_at = c->args[1], out_at = c->args[3];
    if (!k.in || !k.out)
        return -LX_EBADF;
    k.in_pos = file_pos(k.in);
    k.out_pos = file_pos(k.out);
    if (in_at && get_user(k.in_pos, in_at))
        return -LX_EFAULT;
    if (out_at && get_user(k.out_pos, out_at))
        return -LX_EFAULT;
    if (arg_uint(c, 5))
        return -LX_EINVAL;
    if (LX_S_ISDIR(k.in->inode->attr.mode) || LX_S_ISDIR(k.out->inode->attr.mode))
        return -LX_EISDIR;
    if (!LX_S_ISREG(k.in->inode->attr.mode) || !LX_S_ISREG(k.out->inode->attr.mode))
        return -LX_EINVAL;
    int64_t err = check_pair(k.in, k.out);
    if (err)
        return err;
    if (k.out->flags & LX_O_APPEND)
        return -LX_EBADF;
    uint64_t len = c->args[4];
    if (k.in_pos < 0 || k.out_pos < 0)
        return -LX_EINVAL;
    int64_t end;
    if (len > INT64_MAX || __builtin_add_overflow(k.in_pos, (int64_t)len, &end) ||
        __builtin_add_overflow(k.out_pos, (int64_t)len, &end))
        return -LX_EOVERFLOW;
    struct kstat st;
    err = vfs_getattr(k.in->inode, &st);
    if (err)
        return err;
    // No more than there is, before ranges are compared.
    uint64_t left = (uint64_t)k.in_pos < st.size ? st.size - (uint64_t)k.in_pos : 0;
    if (len > left)
        len = left;
    if (k.in->inode == k.out->inode && k.in_pos < k.out_pos + (int64_t)len &&
        k.out_pos < k.in_pos + (int64_t)len)
        return -LX_EINVAL;
    file_get(k.in);
    file_get(k.out);
    int64_t n = copy_bytes(&k, len);
    if (n >= 0) {
        if (!in_at)
            file_set_pos(k.in, k.in_pos);
        else if (put_user(k.in_pos, in_at))
            n = -LX_EFAULT;
        if (!out_at)
            file_set_pos(k.out, k.out_pos);
        else if (put_user(k.out_pos, out_at))
            n = -LX_EFAULT;
    }
    file_put(k.in);
    file_put(k.out);
    return n;
}
