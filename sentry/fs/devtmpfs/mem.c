// The devices of major 1: null, zero, full, random, urandom (drivers/char/mem.c and random.c).
#include "sentry/fs/devtmpfs/mem.h"
#include "abi/linux/errno.h"
#include "sentry/vfs/chrdev.h"
#include "sentry/vfs/file.h"
#include <errno.h>
#include <sys/random.h>

static int64_t read_nothing(struct file *f, struct iov_iter *it, int64_t *pos)
{
    return 0;
}

static int64_t write_away(struct file *f, struct iov_iter *it, int64_t *pos)
{
    return (int64_t)it->count;
}

static int64_t read_zeroes(struct file *f, struct iov_iter *it, int64_t *pos)
{
    return it->count ? iter_zero(it, it->count) : 0;
}

static int64_t write_full(struct file *f, struct iov_iter *it, int64_t *pos)
{
    return -LX_ENOSPC;
}

// The host's pool is ours: guests cannot tell random from urandom, as on Linux since 5.6.
static int64_t read_random(struct file *f, struct iov_iter *it, int64_t *pos)
{
    unsigned char buf[4096];
    int64_t done = 0;
    while (it->count) {
        size_t n = it->count < sizeof(buf) ? it->count : sizeof(buf);
        ssize_t got = getrandom(buf, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return done ? done : -LX_EAGAIN;
        ssize_t moved = iter_copy_to(it, buf, (size_t)got);
        if (moved <= 0)
            return done ? done : moved;
        done += moved;
        if (moved < got)
            break;
    }
    return done;
}

static int64_t ioctl_random(struct file *f, uint32_t cmd, uint64_t arg)
{
    const uint32_t rndgetentcnt = 0x80045200u;
    int32_t bits = 256;
    if (cmd == rndgetentcnt)
        return put_user(bits, arg);
    return -LX_EINVAL;
}

static int64_t lseek_nowhere(struct file *f, int64_t offset, int whence)
{
    return f->pos = 0;
}

static int map_anonymous(struct file *f, uint64_t offset, uint64_t len, int prot, int flags,
                         struct host_map *out)
{
    *out = (struct host_map){.fd = -1, .shared_write_ok = true};
    return 0;
}

static const struct file_ops null_ops = {.read = read_nothing, .write = write_away, .lseek = lseek_nowhere};
static const struct file_ops zero_ops = {
    .read = read_zeroes, .write = write_away, .lseek = lseek_nowhere, .map = map_anonymous};
static const struct file_ops full_ops = {.read = read_zeroes, .write = write_full, .lseek = lseek_nowhere};
static const struct file_ops random_ops = {
    .read = read_random, .write = write_away, .ioctl = ioctl_random, .lseek = lseek_nowhere};

static int open_mem(struct inode *inode, struct file *f)
{
    switch (inode->attr.rdev & 0xff) {
    case 3:
        f->ops = &null_ops;
        break;
    case 5:
        f->ops = &zero_ops;
        break;
    case 7:
        f->ops = &full_ops;
        break;
    case 8:
    case 9:
        f->ops = &random_ops;
        break;
    default:
        return -LX_ENXIO;
    }
    f->mode |= FMODE_SEEKABLE;
    return 0;
}

int mem_devices_init(void)
{
    return chrdev_register(1, CHRDEV_ANY_MINOR, open_mem);
}
