#include "sentry/fs/tmpfs/xattrs.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include <stdlib.h>
#include <string.h>

static struct mem_xattr **find(struct mem_xattrs *x, const char *name)
{
    struct mem_xattr **p = &x->first;
    while (*p && strcmp((*p)->name, name) != 0)
        p = &(*p)->next;
    return p;
}

// Attributes are no way round the size of the filesystem.
static bool set_bytes(struct mem_xattrs *x, size_t bytes)
{
    uint64_t had = (x->bytes + MEM_PAGE - 1) / MEM_PAGE, want = (bytes + MEM_PAGE - 1) / MEM_PAGE;
    if (want > had && !mem_charge(x->account, want - had))
        return false;
    if (want < had)
        mem_uncharge(x->account, had - want);
    x->bytes = bytes;
    return true;
}

static void drop(struct mem_xattrs *x, struct mem_xattr **p)
{
    struct mem_xattr *a = *p;
    *p = a->next;
    set_bytes(x, x->bytes - (strlen(a->name) + 1 + a->size));
    free(a);
}

int64_t mem_xattr_get(const struct mem_xattrs *x, const char *name, void *value, size_t size)
{
    for (const struct mem_xattr *a = x->first; a; a = a->next) {
        if (strcmp(a->name, name) != 0)
            continue;
        if (size && a->size > size)
            return -LX_ERANGE;
        if (size)
            memcpy(value, a->value, a->size);
        return (int64_t)a->size;
    }
    return -LX_ENODATA;
}

int mem_xattr_set(struct mem_xattrs *x, const char *name, const void *value, size_t size, int flags)
{
    struct mem_xattr **old = find(x, name);
    if (*old && (flags & LX_XATTR_CREATE))
        return -LX_EEXIST;
    if (!*old && (flags & LX_XATTR_REPLACE))
        return -LX_ENODATA;
    size_t len = strlen(name) + 1;
    size_t freed = *old ? len + (*old)->size : 0;
    if (x->bytes - freed + len + size > MEM_XATTRS_MAX)
        return -LX_ENOSPC;
    struct mem_xattr *a = malloc(sizeof(*a) + len + size);
    if (!a)
        return -LX_ENOMEM;
    if (!set_bytes(x, x->bytes + len + size)) {
        free(a);
        return -LX_ENOSPC;
    }
    memcpy(a->name, name, len);
    a->value = a->name + len;
    a->size = size;
    if (size)
        memcpy(a->value, value, size);
    if (*old)
        drop(x, old); // after the new one is paid for: nothing is lost when it does not fit
    a->next = x->first;
    x->first = a;
    return 0;
}

int64_t mem_xattr_list(const struct mem_xattrs *x, char *list, size_t size)
{
    size_t total = 0;
    for (const struct mem_xattr *a = x->first; a; a = a->next) {
        size_t len = strlen(a->name) + 1;
        if (size && total + len > size)
            return -LX_ERANGE;
        if (size)
            memcpy(list + total, a->name, len);
        total += len;
    }
    return (int64_t)total;
}

int mem_xattr_remove(struct mem_xattrs *x, const char *name)
{
    struct mem_xattr **p = find(x, name);
    if (!*p)
        return -LX_ENODATA;
    drop(x, p);
    return 0;
}

void mem_xattr_free(struct mem_xattrs *x)
{
    while (x->first)
        drop(x, &x->first);
}
