#pragma once
// Inodes over host descriptors: what stands behind a standard stream that is no terminal. Kernel lock.
#include "sentry/fs/hostfile/stream.h"
#include <sys/stat.h>

struct inode;

// An inode for `fd` (taken over; closed when the inode goes), NULL when out of memory. `st` is its fstat, `access` the
// access mode and status flags of fcntl(F_GETFL). uid and gid: whom to show as owner where the host's owner has no name in
// our user namespace.
struct inode *host_inode(int fd, const struct stat *st, uint32_t access, uint32_t uid, uint32_t gid);
// The name that /proc/self/fd shows for it.
void host_inode_name(const struct stat *st, char *buf, size_t size);
