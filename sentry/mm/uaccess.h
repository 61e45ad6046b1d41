#pragma once
// Guest memory. Every copy is checked and may fail: the guest can unmap or protect anything at any time.
// A copy belongs to the running call and holds good only while that call is open: after a copy in, the call's
// notification is checked again, so bytes of a process that reused the id are never taken for the caller's.
// All run under the kernel lock; exec and exit take an address space away under the same lock.
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>

typedef uint64_t gaddr_t; // an address in the guest

#define must_check __attribute__((warn_unused_result))
#define GUEST_IOV_MAX 1024
#define GUEST_RW_MAX 0x7ffff000ul // MAX_RW_COUNT: one call never moves more

struct task;

// 0 or -LX_EFAULT; a partial copy is a failure.
int must_check copy_in(void *dst, gaddr_t src, size_t n);
int must_check copy_out(gaddr_t dst, const void *src, size_t n);
// Copies up to n bytes, stops at the first bad page. Returns bytes copied or -LX_EFAULT when none.
ssize_t must_check copy_in_part(void *dst, gaddr_t src, size_t n);
ssize_t must_check copy_out_part(gaddr_t dst, const void *src, size_t n);
// Copies a string of at most size-1 bytes and its NUL. Returns its length, -LX_ENAMETOOLONG or -LX_EFAULT.
ssize_t must_check copy_in_str(char *dst, gaddr_t src, size_t size);
int must_check clear_user(gaddr_t dst, size_t n);
// The same on another task's memory (ptrace, process_vm_readv, boot of a new image).
int must_check task_copy_in(struct task *t, void *dst, gaddr_t src, size_t n);
// The same as far as the memory goes: bytes copied, or -LX_EFAULT when there is none.
ssize_t must_check task_copy_in_part(struct task *t, void *dst, gaddr_t src, size_t n);
int must_check task_copy_out(struct task *t, gaddr_t dst, const void *src, size_t n);

#define get_user(var, addr) copy_in(&(var), (addr), sizeof(var))
#define put_user(var, addr) copy_out((addr), &(var), sizeof(var))

struct guest_iov {
    gaddr_t base;
    uint64_t len;
};

// A cursor over a sequence of buffers, in guest memory or in our own (include/linux/uio.h).
struct iov_iter {
    const struct guest_iov *iov; // segments; guest addresses
    unsigned nr_segs;
    size_t seg_offset;    // consumed of iov[0]
    size_t count;         // bytes left in total
    void *kernel;         // not NULL: one buffer of our own instead of iov
    struct guest_iov one; // storage for iter_init_one
};

void iter_init_one(struct iov_iter *it, gaddr_t base, size_t len);
void iter_init_kernel(struct iov_iter *it, void *buf, size_t len);
// Copies the guest's struct iovec array into `iov` (room for GUEST_IOV_MAX, or a malloc'ed one freed by iter_free),
// checks lengths as import_iovec() does. Returns total bytes or -LX_EINVAL, -LX_EFAULT, -LX_ENOMEM.
ssize_t must_check iter_init_iovec(struct iov_iter *it, gaddr_t iov, uint64_t nr, struct guest_iov **storage);
// Move at most n bytes and advance. Return bytes moved (short when memory ends early), or -LX_EFAULT when none.
ssize_t must_check iter_copy_to(struct iov_iter *it, const void *src,
                                size_t n); // data flows to the reader's buffer
ssize_t must_check iter_copy_from(struct iov_iter *it, void *dst,
                                  size_t n); // data flows from the writer's buffer
ssize_t must_check iter_zero(struct iov_iter *it, size_t n);
void iter_advance(struct iov_iter *it, size_t n);

// How bytes reach a guest: process_vm_readv/writev in production, a fake in unit tests. Set once at start.
struct uaccess_ops {
    // Return bytes moved from the start (maybe fewer than n), or -errno when none. `tid` is the host's number.
    ssize_t (*read)(struct task *t, void *dst, gaddr_t src, size_t n);
    ssize_t (*write)(struct task *t, gaddr_t dst, const void *src, size_t n);
    // Is the running call of `t` still open? (SECCOMP_IOCTL_NOTIF_ID_VALID)
    bool (*valid)(struct task *t);
};
extern const struct uaccess_ops *uaccess_ops;
