#pragma once
// Advisory locks: POSIX (owned by a descriptor table), OFD and flock (owned by an open file). Kernel lock.
#include "sentry/vfs/file.h"
#include <stdbool.h>
#include <stdint.h>

enum lock_class { LOCK_POSIX, LOCK_OFD, LOCK_FLOCK };
struct lock_request {
    enum lock_class class;
    const void *owner;  // fdtable or file
    int type;           // LX_F_RDLCK, LX_F_WRLCK, LX_F_UNLCK
    int64_t start, end; // end inclusive, INT64_MAX for "to the end"
    int pid;            // what F_GETLK tells others
};

// Takes or drops a lock. 0, -LX_EAGAIN when somebody else holds it, -LX_ENOLCK, -LX_EDEADLK is not detected here.
int lock_set(struct inode *i, const struct lock_request *r);
// Finds what would block `r`: true and the holder in *out.
bool lock_conflict(struct inode *i, const struct lock_request *r, struct lock_request *out);
// The running call waits for a lock on this inode to go: returns as block_on().
int64_t lock_wait(struct inode *i, const struct lock_request *r);
// Would waiting for `r` close a circle of POSIX owners?
bool lock_deadlock(struct inode *i, const struct lock_request *r);
// The owner's wait has ended, however it did.
void locks_wait_done(const void *owner);
// The inode goes: nobody holds a lock any more, who waits is sent on.
void locks_free(struct inode *i);
