#include "sentry/task/task.h"
#include "sentry/core/hostcall.h"
#include "sentry/fs/tmpfs/data.h"
#include "sentry/vfs/file.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define MAX_SIZE (INT64_MAX & ~(int64_t)(MEM_PAGE - 1))
// Sentry-side page tables are bounded too: a file without a descriptor ends here.
#define MAX_PAGED (1ull << 34)

// Between guest memory and a page or memfd; used under the kernel lock, never over a drop of it.
static unsigned char bounce[64 * 1024];
static unsigned max_fds = 256, nr_fds; // descriptors of all files together
static struct list_head with_fd = LIST_INIT(with_fd);
// What is looked at to free a descriptor, and the largest file that goes back to pages.
#define EVICT_LOOKS 64
#define EVICT_SIZE_MAX (64u * 1024 * 1024)

static uint64_t page_count(uint64_t bytes)
{
    return bytes / MEM_PAGE + (bytes % MEM_PAGE != 0);
}

uint64_t mem_ram_bytes(void)
{
    static uint64_t ram;
    struct sysinfo si;
    if (!ram)
        ram = sysinfo(&si) == 0 ? (uint64_t)si.totalram * si.mem_unit : 1ull << 30;
    return system_memory_limit && system_memory_limit < ram ? system_memory_limit : ram;
}

void mem_account_init(struct mem_account *a, uint64_t bytes, uint64_t inodes)
{
    uint64_t ram = mem_ram_bytes();
    a->pages = a->inodes = 0;
    a->max_pages = (bytes ? bytes : ram / 2) / MEM_PAGE;
    a->max_inodes = inodes ? inodes : (ram / 2 / MEM_PAGE < (1u << 20) ? ram / 2 / MEM_PAGE : 1u << 20);
}

void mem_data_init(struct mem_data *d, struct mem_account *account)
{
    memset(d, 0, sizeof(*d));
    d->account = account;
    d->fd = d->ro_fd = -1;
    list_init(&d->link);
}

static void drop_fds(struct mem_data *d)
{
    if (d->fd >= 0) {
        close(d->fd);
        nr_fds--;
    }
    if (d->ro_fd >= 0) {
        close(d->ro_fd);
        nr_fds--;
    }
    d->fd = d->ro_fd = -1;
    list_del(&d->link);
}

void mem_data_free(struct mem_data *d)
{
    for (size_t i = 0; i < d->nr_pages; i++)
        free(d->pages[i]);
    free(d->pages);
    drop_fds(d);
    mem_uncharge(d->account, d->charged);
    mem_data_init(d, d->account);
}

void mem_data_move(struct mem_data *to, struct mem_data *from)
{
    list_del(&from->link);
    *to = *from;
    list_init(&to->link);
    if (to->fd >= 0)
        list_add_tail(&to->link, &with_fd);
    mem_data_init(from, from->account);
}

// The account follows what the host really allocated: mappings fill holes without telling us.
static void recharge(struct mem_data *d)
{
    struct stat st;
    if (d->fd < 0 || host_fstat(d->fd, &st) < 0)
        return;
    uint64_t now = (uint64_t)st.st_blocks / (MEM_PAGE / 512);
    d->account->pages += now - d->charged;
    d->charged = now;
}

uint64_t mem_data_blocks(struct mem_data *d)
{
    recharge(d);
    return d->charged * (MEM_PAGE / 512);
}

// --- pages of our own

static int grow_table(struct mem_data *d, uint64_t pages)
{
    if (pages <= d->nr_pages)
        return 0;
    if (pages > MAX_PAGED / MEM_PAGE)
        return -LX_ENOSPC;
    size_t want = d->nr_pages ? d->nr_pages : 1;
    while (want < pages)
        want *= 2;
    unsigned char **table = realloc(d->pages, want * sizeof(*table));
    if (!table)
        return -LX_ENOMEM;
    memset(table + d->nr_pages, 0, (want - d->nr_pages) * sizeof(*table));
    d->pages = table;
    d->nr_pages = want;
    return 0;
}

static int need_page(struct mem_data *d, size_t index)
{
    if (d->pages[index])
        return 0;
    if (!mem_charge(d->account, 1))
        return -LX_ENOSPC;
    d->pages[index] = calloc(1, MEM_PAGE);
    if (!d->pages[index]) {
        mem_uncharge(d->account, 1);
        return -LX_ENOMEM;
    }
    d->charged++;
    return 0;
}

static void drop_page(struct mem_data *d, size_t index)
{
    if (index >= d->nr_pages || !d->pages[index])
        return;
    free(d->pages[index]);
    d->pages[index] = NULL;
    d->charged--;
    mem_uncharge(d->account, 1);
}

static int paged_put(struct mem_data *d, uint64_t pos, const unsigned char *src, size_t n, size_t *done)
{
    int err = grow_table(d, page_count(pos + n));
    *done = 0;
    while (err == 0 && *done < n) {
        size_t index = (pos + *done) / MEM_PAGE, at = (pos + *done) % MEM_PAGE;
        size_t part = MEM_PAGE - at < n - *done ? MEM_PAGE - at : n - *done;
        err = need_page(d, index);
        if (err == 0) {
            memcpy(d->pages[index] + at, src + *done, part);
            *done += part;
        }
    }
    return *done ? 0 : err;
}

static void paged_get(const struct mem_data *d, uint64_t pos, unsigned char *dst, size_t n)
{
    for (size_t done = 0; done < n;) {
        size_t index = (pos + done) / MEM_PAGE, at = (pos + done) % MEM_PAGE;
        size_t part = MEM_PAGE - at < n - done ? MEM_PAGE - at : n - done;
        if (index < d->nr_pages && d->pages[index])
            memcpy(dst + done, d->pages[index] + at, part);
        else
            memset(dst + done, 0, part);
        done += part;
    }
}

static void paged_zero(struct mem_data *d, uint64_t from, uint64_t to)
{
    while (from < to) {
        uint64_t end = (from / MEM_PAGE + 1) * MEM_PAGE;
        if (end > to)
            end = to;
        size_t index = from / MEM_PAGE;
        if (index >= d->nr_pages)
            return;
        if (from % MEM_PAGE == 0 && end % MEM_PAGE == 0)
            drop_page(d, index);
        else if (d->pages[index])
            memset(d->pages[index] + from % MEM_PAGE, 0, end - from);
        from = end;
    }
}

// --- the memfd

static int host_errno(void)
{
    switch (errno) {
    case EMFILE:
    case ENFILE:
        return -LX_ENFILE;
    case ENOSPC:
        return -LX_ENOSPC;
    case EFBIG:
        return -LX_EFBIG;
    case ENOMEM:
        return -LX_ENOMEM;
    case EINVAL:
        return -LX_EINVAL;
    default:
        return -LX_EIO;
    }
}

static bool write_all(int fd, const unsigned char *p, size_t n, uint64_t pos)
{
    while (n) {
        ssize_t put = pwrite(fd, p, n, (off_t)pos);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        p += put;
        n -= (size_t)put;
        pos += (uint64_t)put;
    }
    return true;
}

int (*mem_data_make_pair)(bool store, int *rw, int *ro);

void mem_data_limit_descriptors(uint64_t rlimit_nofile)
{
    max_fds = rlimit_nofile < 1u << 20 ? (unsigned)(rlimit_nofile * 3 / 8) : 3u << 17;
}

static bool read_page(int fd, unsigned char *page, uint64_t pos)
{
    for (size_t n = 0; n < MEM_PAGE;) {
        ssize_t got = pread(fd, page + n, MEM_PAGE - n, (off_t)(pos + n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break; // the rest of the last page is zero already
        n += (size_t)got;
    }
    return true;
}

// The bytes go back from the memfd to pages of our own. False: nothing has changed.
static bool back_to_pages(struct mem_data *d)
{
    uint64_t found = 0;
    if (grow_table(d, page_count(d->size)))
        return false;
    off_t at = 0;
    bool good = true;
    while (good && (at = lseek(d->fd, at, SEEK_DATA)) >= 0) {
        off_t end = lseek(d->fd, at, SEEK_HOLE);
        for (at -= at % MEM_PAGE; good && at < end; at += MEM_PAGE) {
            unsigned char **page = &d->pages[(uint64_t)at / MEM_PAGE];
            *page = calloc(1, MEM_PAGE);
            good = *page && read_page(d->fd, *page, (uint64_t)at);
            found++;
        }
    }
    if (!good || (at < 0 && errno != ENXIO)) {
        for (size_t i = 0; i < d->nr_pages; i++)
            free(d->pages[i]);
        free(d->pages);
        d->pages = NULL;
        d->nr_pages = 0;
        return false;
    }
    drop_fds(d);
    d->account->pages += found - d->charged;
    d->charged = found;
    return true;
}

static bool evict_one(void)
{
    for (int i = 0; i < EVICT_LOOKS && !list_empty(&with_fd); i++) {
        struct mem_data *d = list_first(&with_fd, struct mem_data, link);
        if (!d->shared && !d->mapping_files && d->size <= EVICT_SIZE_MAX && back_to_pages(d))
            return true;
        list_del(&d->link);
        list_add_tail(&d->link, &with_fd);
    }
    return false;
}

static int need_fd(struct mem_data *d, unsigned limit)
{
    if (d->fd >= 0)
        return 0;
    while (limit == max_fds && nr_fds + 2 > limit)
        if (!evict_one())
            break;
    if (nr_fds + 2 > limit)
        return -LX_ENFILE;
    int fd, ro_fd = -1;
    if (mem_data_make_pair) {
        int err = mem_data_make_pair(d->account->store, &fd, &ro_fd);
        if (err)
            return err == -LX_EMFILE ? -LX_ENFILE : err;
    } else {
        fd = memfd_create("tmpfs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
            return host_errno();
    }
    bool good = ftruncate(fd, (off_t)d->size) == 0;
    for (size_t i = 0; good && i < d->nr_pages; i++) {
        if (!d->pages[i] || (uint64_t)i * MEM_PAGE >= d->size)
            continue;
        uint64_t n = d->size - (uint64_t)i * MEM_PAGE;
        good = write_all(fd, d->pages[i], n < MEM_PAGE ? n : MEM_PAGE, (uint64_t)i * MEM_PAGE);
    }
    if (!good) {
        int err = host_errno();
        close(fd);
        if (ro_fd >= 0)
            close(ro_fd);
        return err;
    }
    for (size_t i = 0; i < d->nr_pages; i++)
        free(d->pages[i]);
    free(d->pages);
    d->pages = NULL;
    d->nr_pages = 0;
    d->fd = fd;
    d->ro_fd = ro_fd;
    nr_fds += ro_fd >= 0 ? 2 : 1;
    list_add_tail(&d->link, &with_fd);
    recharge(d);
    return 0;
}

int mem_data_need_fd(struct mem_data *d)
{
    return need_fd(d, max_fds);
}

int mem_data_map_fd(struct mem_data *d, struct file *f, bool may_write, bool shared, int *fd)
{
    int err = mem_data_need_fd(d);
    if (err)
        return err;
    list_del(&d->link);
    list_add_tail(&d->link, &with_fd);
    d->shared |= shared;
    if (!(f->mode & FMODE_MAPPED)) {
        f->mode |= FMODE_MAPPED;
        d->mapping_files++;
    }
    *fd = may_write || d->ro_fd < 0 ? d->fd : d->ro_fd;
    return 0;
}

void mem_data_mapped_release(struct mem_data *d, const struct file *f)
{
    if (f->mode & FMODE_MAPPED)
        d->mapping_files--;
}

int mem_data_seal_write(struct mem_data *d)
{
    // Only the host knows whether a writable mapping is left. Without a descriptor there never was one.
    if (d->fd < 0 || fcntl(d->fd, F_ADD_SEALS, F_SEAL_WRITE) == 0)
        return 0;
    return errno == EBUSY ? -LX_EBUSY : -LX_EPERM;
}

// Pages of [pos, pos + n) that a write would newly allocate.
static uint64_t missing_pages(const struct mem_data *d, uint64_t pos, uint64_t n)
{
    uint64_t from = pos / MEM_PAGE, to = page_count(pos + n), have = 0;
    uint64_t at = from * MEM_PAGE, end = to * MEM_PAGE;
    while (at < end) {
        off_t data = lseek(d->fd, (off_t)at, SEEK_DATA);
        if (data < 0 || (uint64_t)data >= end)
            break;
        off_t hole = lseek(d->fd, data, SEEK_HOLE);
        if (hole <= data)
            break;
        uint64_t stop = (uint64_t)hole < end ? (uint64_t)hole : end;
        have += page_count(stop - (uint64_t)data);
        at = stop;
    }
    return to - from > have ? to - from - have : 0;
}

// How many of n bytes at pos the account has room for.
static size_t room_for(const struct mem_data *d, uint64_t pos, size_t n)
{
    const struct mem_account *a = d->account;
    uint64_t room = a->max_pages > a->pages ? a->max_pages - a->pages : 0;
    if (page_count(pos + n) - pos / MEM_PAGE <= room || missing_pages(d, pos, n) <= room)
        return n;
    // Page by page until it is full.
    size_t fit = 0;
    while (fit < n) {
        size_t part = MEM_PAGE - (pos + fit) % MEM_PAGE;
        if (part > n - fit)
            part = n - fit;
        uint64_t miss = missing_pages(d, pos + fit, part);
        if (miss > room)
            break;
        room -= miss;
        fit += part;
    }
    return fit;
}

// --- both

int64_t mem_data_read(struct mem_data *d, struct iov_iter *it, uint64_t pos)
{
    int64_t done = 0;
    while (it->count && pos < d->size) {
        size_t n = it->count < sizeof(bounce) ? it->count : sizeof(bounce);
        if (n > d->size - pos)
            n = d->size - pos;
        size_t at = pos % MEM_PAGE, index = pos / MEM_PAGE;
        const unsigned char *from = bounce;
        if (d->fd >= 0) {
            ssize_t got = pread(d->fd, bounce, n, (off_t)pos);
            if (got < 0)
                return done ? done : host_errno();
            if ((size_t)got < n)
                memset(bounce + got, 0, n - (size_t)got);
        } else if (at + n <= MEM_PAGE && index < d->nr_pages && d->pages[index]) {
            from = d->pages[index] + at;
        } else {
            paged_get(d, pos, bounce, n);
        }
        ssize_t moved = iter_copy_to(it, from, n);
        if (moved <= 0)
            return done ? done : moved;
        done += moved;
        pos += (uint64_t)moved;
        if ((size_t)moved < n)
            break;
    }
    return done;
}

static int put_bytes(struct mem_data *d, uint64_t pos, size_t n, size_t *put)
{
    if (d->fd < 0 && pos + n > mem_data_inline_max(d))
        (void)need_fd(d, max_fds / 2); // without a descriptor it stays where it is
    if (d->fd < 0)
        return paged_put(d, pos, bounce, n, put);
    size_t fit = room_for(d, pos, n);
    *put = 0;
    if (fit == 0)
        return -LX_ENOSPC;
    ssize_t done = pwrite(d->fd, bounce, fit, (off_t)pos);
    if (done < 0)
        return host_errno();
    *put = (size_t)done;
    recharge(d); // the next piece of the same write has what is left
    return 0;
}

int64_t mem_data_write(struct mem_data *d, struct iov_iter *it, uint64_t pos)
{
    int64_t done = 0;
    int err = 0;
    if (pos > (uint64_t)MAX_SIZE || it->count > (uint64_t)MAX_SIZE - pos)
        return -LX_EFBIG;
    while (it->count && err == 0) {
        size_t n = it->count < sizeof(bounce) ? it->count : sizeof(bounce);
        ssize_t got = iter_copy_from(it, bounce, n);
        if (got <= 0) {
            err = got < 0 ? (int)got : -LX_EFAULT;
            break;
        }
        size_t put = 0;
        err = put_bytes(d, pos, (size_t)got, &put);
        done += (int64_t)put;
        pos += put;
        if (put && pos > d->size)
            d->size = pos;
        if (put < (size_t)got || (size_t)got < n)
            break;
    }
    return done ? done : err;
}

int mem_data_clear_tail(struct mem_data *d)
{
    if (!d->shared || d->fd < 0 || d->size % MEM_PAGE == 0)
        return 0;
    uint64_t end = (d->size / MEM_PAGE + 1) * MEM_PAGE;
    // The page that has an end in it is cut off and comes back whole: the host clears the rest of it.
    if (ftruncate(d->fd, (off_t)end) < 0)
        return host_errno();
    if (fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)d->size, (off_t)(end - d->size)) <
        0)
        return host_errno();
    return 0;
}

int mem_data_truncate(struct mem_data *d, uint64_t size)
{
    if (size > (uint64_t)MAX_SIZE)
        return -LX_EFBIG;
    if (d->fd >= 0) {
        if (ftruncate(d->fd, (off_t)size) < 0)
            return host_errno();
        d->size = size;
        recharge(d);
        return 0;
    }
    if (size < d->size) {
        paged_zero(d, size,
                   (uint64_t)d->nr_pages * MEM_PAGE < d->size ? (uint64_t)d->nr_pages * MEM_PAGE
                                                              : page_count(d->size) * MEM_PAGE);
        if (size == 0) {
            free(d->pages);
            d->pages = NULL;
            d->nr_pages = 0;
        }
    }
    d->size = size;
    return 0;
}

static int reserve(struct mem_data *d, uint64_t offset, uint64_t len)
{
    uint64_t first = offset / MEM_PAGE, last = page_count(offset + len);
    if (last - first > d->account->max_pages)
        return -LX_ENOSPC;
    if (d->fd < 0 && offset + len > mem_data_inline_max(d))
        (void)need_fd(d, max_fds / 2);
    if (d->fd >= 0) {
        if (room_for(d, offset, len) < len)
            return -LX_ENOSPC;
        if (fallocate(d->fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len) < 0)
            return host_errno();
        recharge(d);
        return 0;
    }
    int err = grow_table(d, last);
    for (uint64_t i = first; err == 0 && i < last; i++)
        err = need_page(d, i);
    return err;
}

int mem_data_fallocate(struct mem_data *d, int mode, uint64_t offset, uint64_t len)
{
    uint64_t end;
    if (__builtin_add_overflow(offset, len, &end) || end > (uint64_t)MAX_SIZE)
        return -LX_EFBIG;
    if (mode & ~(LX_FALLOC_FL_KEEP_SIZE | LX_FALLOC_FL_PUNCH_HOLE | LX_FALLOC_FL_ZERO_RANGE))
        return -LX_EOPNOTSUPP;
    if (mode & (LX_FALLOC_FL_PUNCH_HOLE | LX_FALLOC_FL_ZERO_RANGE)) {
        bool punch = mode & LX_FALLOC_FL_PUNCH_HOLE;
        if (punch && (mode & LX_FALLOC_FL_ZERO_RANGE))
            return -LX_EOPNOTSUPP;
        if (punch && !(mode & LX_FALLOC_FL_KEEP_SIZE))
            return -LX_EOPNOTSUPP;
        uint64_t stop = end < d->size ? end : d->size;
        if (offset < stop) {
            // The page that holds the end of the file is dropped with it.
            uint64_t to = stop == d->size ? page_count(stop) * MEM_PAGE : stop;
            if (d->fd < 0)
                paged_zero(d, offset, to);
            else if (fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                               (off_t)(to - offset)) < 0)
                return host_errno();
            recharge(d);
        }
        if (punch)
            return 0;
    }
    int err = reserve(d, offset, len);
    if (err)
        return err;
    if (!(mode & LX_FALLOC_FL_KEEP_SIZE) && end > d->size) {
        if (d->fd >= 0 && ftruncate(d->fd, (off_t)end) < 0)
            return host_errno();
        d->size = end;
    }
    return 0;
}

int64_t mem_data_seek(struct mem_data *d, int64_t offset, int whence)
{
    if (offset < 0 || (uint64_t)offset >= d->size)
        return -LX_ENXIO;
    if (d->fd >= 0) {
        off_t at = lseek(d->fd, offset, whence == LX_SEEK_DATA ? SEEK_DATA : SEEK_HOLE);
        if (at < 0)
            return errno == ENXIO ? -LX_ENXIO : host_errno();
        return at;
    }
    bool want_data = whence == LX_SEEK_DATA;
    for (uint64_t at = (uint64_t)offset; at < d->size; at = (at / MEM_PAGE + 1) * MEM_PAGE) {
        size_t index = at / MEM_PAGE;
        bool data = index < d->nr_pages && d->pages[index];
        if (data == want_data)
            return (int64_t)at;
        if (!data && index >= d->nr_pages)
            break;
    }
    return want_data ? -LX_ENXIO : (int64_t)d->size;
}
