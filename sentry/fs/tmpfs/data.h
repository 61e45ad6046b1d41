#pragma once
// The bytes of a regular file in memory. Kernel lock; nothing here drops it.
//
// Up to DATA_INLINE_MAX bytes, and until somebody maps the file, they are pages of the Sentry's own memory: host
// descriptors are few and most files are small. Beyond that they are one memfd, whose descriptor a mapping needs.
// Where no descriptor is left a file stays in our own memory at any size. Memory files take at most three eighths of the
// descriptors this process may have, half of that for files that nobody has mapped. When a mapping needs one more, a file
// that has been mapped privately only, through files that are closed, goes back to pages: such a mapping keeps the bytes it
// has (whether it would see later writes is unspecified, mmap(2)). Where none can, mapping fails with ENFILE.
#include "sentry/core/list.h"
#include "sentry/fs/tmpfs/account.h"
#include "sentry/mm/uaccess.h"
#include <stdint.h>

#define DATA_INLINE_MAX (1024u * 1024)
#define DATA_INLINE_STORE (64u * 1024) // the same where the account has a store on the host

struct file;
struct mem_data {
    struct mem_account *account;
    uint64_t size;         // bytes
    unsigned char **pages; // NULL entries are holes; unused once fd >= 0
    size_t nr_pages;       // entries of `pages`
    uint64_t charged;      // pages taken from the account
    int fd;                // memfd, or -1
    int ro_fd; // the same open for reading only, for mappings that may not write; -1: there is none
    struct list_head link;  // of those with a descriptor, the longest unused first
    unsigned mapping_files; // open files through which it has been mapped
    bool shared;            // it has been mapped MAP_SHARED: the bytes stay in the memfd
};
void mem_data_init(struct mem_data *d, struct mem_account *account);
void mem_data_free(struct mem_data *d);
// `to`, which holds nothing, becomes what `from` was.
void mem_data_move(struct mem_data *to, struct mem_data *from);
static inline uint64_t mem_data_inline_max(const struct mem_data *d)
{
    return d->account->store ? DATA_INLINE_STORE : DATA_INLINE_MAX;
}
// Move bytes between the file and an iterator. Bytes, 0 at the end, -LX_EFAULT, -LX_ENOSPC, -LX_ENOMEM, -LX_EFBIG.
int64_t mem_data_read(struct mem_data *d, struct iov_iter *it, uint64_t pos);
int64_t mem_data_write(struct mem_data *d, struct iov_iter *it, uint64_t pos);
// What a mapping wrote behind the end, in the last page, is forgotten before the file grows. 0 or -errno.
int mem_data_clear_tail(struct mem_data *d);
int mem_data_truncate(struct mem_data *d, uint64_t size);
// As fallocate(2): LX_FALLOC_FL_KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE. -LX_EOPNOTSUPP for other modes.
int mem_data_fallocate(struct mem_data *d, int mode, uint64_t offset, uint64_t len);
// SEEK_DATA or SEEK_HOLE: the position found or -LX_ENXIO.
int64_t mem_data_seek(struct mem_data *d, int64_t offset, int whence);
// Makes sure the bytes are in d->fd. 0, -LX_ENFILE, -LX_ENOSPC or -LX_ENOMEM.
int mem_data_need_fd(struct mem_data *d);
// How many descriptors all files together may hold. Once at start.
void mem_data_limit_descriptors(uint64_t rlimit_nofile);
// No byte changes any more. -LX_EBUSY while somebody has the file mapped to write it.
int mem_data_seal_write(struct mem_data *d);
// The descriptor for a mapping through an open file: one that can write only for a shared mapping of a file opened for
// writing. It stays as long as that file is open; its release calls mem_data_mapped_release(). As mem_data_need_fd.
int mem_data_map_fd(struct mem_data *d, struct file *f, bool may_write, bool shared, int *fd);
void mem_data_mapped_release(struct mem_data *d, const struct file *f);
// Makes a memfd and a second description of it that only reads. Set by who can open paths; NULL: no such second one.
extern int (*mem_data_make_pair)(bool store, int *rw, int *ro);
// Allocated blocks of 512 bytes.
uint64_t mem_data_blocks(struct mem_data *d);
