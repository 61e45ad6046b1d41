#include "sentry/mm/uaccess.h"
#include "abi/linux/errno.h"
#include "sentry/task/task.h"
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define GUEST_TOP 0x7ffffffff000ull

const struct uaccess_ops *uaccess_ops;

// Is [a, a+n) inside the guest's half of the address space? (access_ok)
static bool range_ok(gaddr_t a, size_t n)
{
    return n <= GUEST_TOP && a <= GUEST_TOP - n;
}

static ssize_t read_part(struct task *t, void *dst, gaddr_t src, size_t n)
{
    if (n == 0)
        return 0;
    if (!range_ok(src, n))
        return -LX_EFAULT;
    ssize_t done = uaccess_ops->read(t, dst, src, n);
    // Bytes count only while the call is open: its thread may be gone and its number another's.
    if (done > 0 && !uaccess_ops->valid(t))
        return -LX_EFAULT;
    return done <= 0 ? -LX_EFAULT : done;
}

static ssize_t write_part(struct task *t, gaddr_t dst, const void *src, size_t n)
{
    if (n == 0)
        return 0;
    if (!range_ok(dst, n) || !uaccess_ops->valid(t))
        return -LX_EFAULT;
    ssize_t done = uaccess_ops->write(t, dst, src, n);
    return done <= 0 ? -LX_EFAULT : done;
}

ssize_t copy_in_part(void *dst, gaddr_t src, size_t n)
{
    return read_part(current, dst, src, n);
}

ssize_t copy_out_part(gaddr_t dst, const void *src, size_t n)
{
    return write_part(current, dst, src, n);
}

int copy_in(void *dst, gaddr_t src, size_t n)
{
    return read_part(current, dst, src, n) == (ssize_t)n ? 0 : -LX_EFAULT;
}

int copy_out(gaddr_t dst, const void *src, size_t n)
{
    return write_part(current, dst, src, n) == (ssize_t)n ? 0 : -LX_EFAULT;
}

int task_copy_in(struct task *t, void *dst, gaddr_t src, size_t n)
{
    if (n == 0)
        return 0;
    return range_ok(src, n) && uaccess_ops->read(t, dst, src, n) == (ssize_t)n ? 0 : -LX_EFAULT;
}

ssize_t task_copy_in_part(struct task *t, void *dst, gaddr_t src, size_t n)
{
    if (src >= GUEST_TOP)
        return -LX_EFAULT;
    if (n > GUEST_TOP - src)
        n = GUEST_TOP - src;
    ssize_t done = uaccess_ops->read(t, dst, src, n);
    return done <= 0 ? -LX_EFAULT : done;
}

int task_copy_out(struct task *t, gaddr_t dst, const void *src, size_t n)
{
    if (n == 0)
        return 0;
    return range_ok(dst, n) && uaccess_ops->write(t, dst, src, n) == (ssize_t)n ? 0 : -LX_EFAULT;
}

ssize_t copy_in_str(char *dst, gaddr_t src, size_t size)
{
    size_t done = 0;
    while (done < size) {
        // Page by page, so that a string at the end of a mapping is not a fault; most strings need one copy.
        size_t n = PAGE - (src + done) % PAGE;
        if (n > size - done)
            n = size - done;
        if (done == 0 && n > 256)
            n = 256;
        ssize_t r = read_part(current, dst + done, src + done, n);
        if (r < 0)
            return -LX_EFAULT;
        const char *nul = memchr(dst + done, 0, (size_t)r);
        if (nul)
            return nul - dst;
        done += (size_t)r;
    }
    return -LX_ENAMETOOLONG;
}

int clear_user(gaddr_t dst, size_t n)
{
    static const char zeros[PAGE];
    while (n) {
        size_t part = n < PAGE ? n : PAGE;
        if (copy_out(dst, zeros, part))
            return -LX_EFAULT;
        dst += part;
        n -= part;
    }
    return 0;
}

void iter_init_one(struct iov_iter *it, gaddr_t base, size_t len)
{
    *it = (struct iov_iter){.nr_segs = 1, .count = len > GUEST_RW_MAX ? GUEST_RW_MAX : len};
    it->one = (struct guest_iov){.base = base, .len = it->count};
    it->iov = NULL; // `one`: the iterator may be copied, so no pointer into itself
}

void iter_init_kernel(struct iov_iter *it, void *buf, size_t len)
{
    *it = (struct iov_iter){.kernel = buf, .count = len};
}

ssize_t iter_init_iovec(struct iov_iter *it, gaddr_t iov, uint64_t nr, struct guest_iov **storage)
{
    *storage = NULL;
    *it = (struct iov_iter){0};
    if (nr > GUEST_IOV_MAX)
        return -LX_EINVAL;
    if (nr == 0)
        return 0;
    struct guest_iov *v = malloc(nr * sizeof(*v));
    if (!v)
        return -LX_ENOMEM;
    if (copy_in(v, iov, nr * sizeof(*v))) {
        free(v);
        return -LX_EFAULT;
    }
    size_t total = 0;
    for (uint64_t i = 0; i < nr; i++) {
        if ((int64_t)v[i].len < 0) {
            free(v);
            return -LX_EINVAL;
        }
        if (v[i].len && !range_ok(v[i].base, v[i].len)) {
            free(v);
            return -LX_EFAULT;
        }
        if (v[i].len > GUEST_RW_MAX - total)
            v[i].len = GUEST_RW_MAX - total;
        total += v[i].len;
    }
    it->iov = v;
    it->nr_segs = (unsigned)nr;
    it->count = total;
    *storage = v;
    return (ssize_t)total;
}

static const struct guest_iov *segment(const struct iov_iter *it)
{
    return it->iov ? it->iov : &it->one;
}

void iter_advance(struct iov_iter *it, size_t n)
{
    if (n > it->count)
        n = it->count;
    it->count -= n;
    if (it->kernel) {
        it->kernel = (char *)it->kernel + n;
        return;
    }
    while (n > 0) {
        size_t left = segment(it)->len - it->seg_offset;
        if (n < left) {
            it->seg_offset += n;
            return;
        }
        n -= left;
        it->seg_offset = 0;
        it->nr_segs--;
        if (it->iov)
            it->iov++;
        else
            it->one.len = 0;
    }
}

static ssize_t iter_move(struct iov_iter *it, void *buf, size_t n, bool to_guest)
{
    if (n > it->count)
        n = it->count;
    if (it->kernel) {
        memcpy(to_guest ? it->kernel : buf, to_guest ? buf : it->kernel, n);
        iter_advance(it, n);
        return (ssize_t)n;
    }
    size_t done = 0;
    while (done < n) {
        size_t part = segment(it)->len - it->seg_offset;
        if (part == 0) {
            it->seg_offset = 0;
            it->nr_segs--;
            it->iov++;
            continue;
        }
        if (part > n - done)
            part = n - done;
        gaddr_t at = segment(it)->base + it->seg_offset;
        char *local = (char *)buf + done;
        ssize_t r = to_guest ? write_part(current, at, local, part) : read_part(current, local, at, part);
        if (r <= 0)
            break;
        iter_advance(it, (size_t)r);
        done += (size_t)r;
        if ((size_t)r < part)
            break;
    }
    return done || n == 0 ? (ssize_t)done : -LX_EFAULT;
}

ssize_t iter_copy_to(struct iov_iter *it, const void *src, size_t n)
{
    return iter_move(it, (void *)(uintptr_t)src, n, true);
}

ssize_t iter_copy_from(struct iov_iter *it, void *dst, size_t n)
{
    return iter_move(it, dst, n, false);
}

ssize_t iter_zero(struct iov_iter *it, size_t n)
{
    static char zeros[16 * PAGE]; // never written: costs no memory
    size_t done = 0;
    if (n > it->count)
        n = it->count;
    while (done < n) {
        size_t part = n - done < sizeof(zeros) ? n - done : sizeof(zeros);
        ssize_t r = iter_copy_to(it, zeros, part);
        if (r < 0)
            return done ? (ssize_t)done : r;
        done += (size_t)r;
        if ((size_t)r < part)
            break;
    }
    return (ssize_t)done;
}
