#pragma once
// Extended attributes in memory: a short list for each inode. Kernel lock.
#include "sentry/fs/tmpfs/account.h"
#include <stddef.h>
#include <stdint.h>

struct mem_xattr {
    struct mem_xattr *next;
    size_t size;
    char *value; // after the name, in the same allocation
    char name[];
};
struct mem_xattrs {
    struct mem_account *account; // pays for whole pages of bytes; set by the owner before the first use
    struct mem_xattr *first;
    size_t bytes; // names and values together
};
// Names and values of one inode together; beyond it ENOSPC.
#define MEM_XATTRS_MAX (128u * 1024)

// As getxattr(2) and its relatives: sizes, -LX_ENODATA, -LX_ERANGE, -LX_EEXIST, -LX_ENOSPC, -LX_ENOMEM.
int64_t mem_xattr_get(const struct mem_xattrs *x, const char *name, void *value, size_t size);
int mem_xattr_set(struct mem_xattrs *x, const char *name, const void *value, size_t size, int flags);
int64_t mem_xattr_list(const struct mem_xattrs *x, char *list, size_t size);
int mem_xattr_remove(struct mem_xattrs *x, const char *name);
void mem_xattr_free(struct mem_xattrs *x);
