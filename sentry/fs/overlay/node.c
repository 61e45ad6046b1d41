// Overlay inodes: where their attributes and contents are, and copy-up.
#include "sentry/fs/overlay/node.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/vfs/acl.h"
#include <stdlib.h>
#include <string.h>

#define CHUNK (64u * 1024)

static struct ovl_node **bucket(struct ovl_super *s, const struct inode *lower)
{
    uint64_t h = (lower->attr.ino ^ (lower->attr.dev << 40)) * 0x9E3779B97F4A7C15ull;
    return &s->buckets[(h >> 40) % OVL_BUCKETS];
}

static void unhash(struct ovl_node *node)
{
    if (!node->lower)
        return;
    for (struct ovl_node **p = bucket(node->super, node->lower->inode); *p; p = &(*p)->hash_next)
        if (*p == node) {
            *p = node->hash_next;
            return;
        }
}

// The device shows as ours where it is the lower root's, so that a tree is one device as it is below.
static void take_attr(struct inode *i, const struct kstat *from)
{
    const struct ovl_super *s = ovl_node(i)->super;
    i->attr = *from;
    if (from->dev == s->lower_dev)
        i->attr.dev = i->sb->dev;
}

static void set_ops(struct inode *i)
{
    switch (i->attr.mode & LX_S_IFMT) {
    case LX_S_IFDIR:
        i->ops = &ovl_dir_ops;
        i->fops = &ovl_dir_file_ops;
        break;
    case LX_S_IFLNK:
        i->ops = &ovl_link_ops;
        break;
    case LX_S_IFREG:
        i->fops = &ovl_file_ops;
        break;
    }
}

static struct inode *alloc(struct super_block *sb)
{
    struct ovl_node *node = calloc(1, sizeof(*node));
    struct inode *i = node ? inode_alloc(sb, &ovl_file_inode_ops, NULL) : NULL;
    if (!i) {
        free(node);
        return NULL;
    }
    node->inode = i;
    node->super = sb->priv;
    mem_data_init(&node->data, &node->super->account);
    node->xattrs.account = &node->super->account;
    mem_dir_init(&node->names);
    i->priv = node;
    return i;
}

struct inode *ovl_get(struct super_block *sb, struct dentry *lower, uint64_t parent_ino)
{
    struct ovl_super *s = sb->priv;
    const struct kstat *a = &lower->inode->attr;
    struct ovl_node **b = bucket(s, lower->inode);
    for (struct ovl_node *n = *b; n; n = n->hash_next) {
        const struct kstat *o = &n->lower->inode->attr;
        if (o->ino == a->ino && o->dev == a->dev && ((o->mode ^ a->mode) & LX_S_IFMT) == 0)
            return inode_get(n->inode);
    }
    struct inode *i = alloc(sb);
    if (!i)
        return NULL;
    struct ovl_node *node = ovl_node(i);
    node->lower = dentry_get(lower);
    node->parent_ino = parent_ino;
    take_attr(i, a);
    set_ops(i);
    node->hash_next = *b;
    *b = node;
    return i;
}

struct inode *ovl_new(struct super_block *sb, uint32_t mode, uint64_t rdev, uint32_t uid, uint32_t gid,
                      int *err)
{
    struct ovl_super *s = sb->priv;
    if (s->account.inodes >= s->account.max_inodes) {
        *err = -LX_ENOSPC;
        return NULL;
    }
    struct inode *i = alloc(sb);
    if (!i) {
        *err = -LX_ENOMEM;
        return NULL;
    }
    struct ovl_node *node = ovl_node(i);
    s->account.inodes++;
    node->own_attr = node->own_data = node->own_xattrs = node->opaque = true;
    i->attr.ino = s->next_ino++;
    i->attr.mode = mode;
    i->attr.uid = uid;
    i->attr.gid = gid;
    i->attr.rdev = rdev;
    i->attr.nlink = LX_S_ISDIR(mode) ? 2 : 1;
    i->attr.size = LX_S_ISDIR(mode) ? 4096 : 0;
    i->attr.atime = i->attr.mtime = i->attr.ctime = i->attr.btime = vfs_now();
    set_ops(i);
    return i;
}

void ovl_evict(struct inode *i)
{
    struct ovl_node *node = ovl_node(i);
    unhash(node);
    if (node->own_attr)
        node->super->account.inodes -= 1 + node->extra_names;
    if (node->target && !node->lower)
        mem_uncharge(&node->super->account, mem_target_pages(strlen(node->target)));
    ovl_listing_free(node->listing);
    mem_data_free(&node->data);
    mem_dir_free(&node->names);
    mem_xattr_free(&node->xattrs);
    dentry_put(node->lower);
    free(node->target);
    free(node);
}

int ovl_refresh(struct inode *i)
{
    struct ovl_node *node = ovl_node(i);
    if (node->own_attr)
        return 0;
    struct kstat st;
    int err = vfs_getattr(node->lower->inode, &st);
    if (err)
        return err;
    if (!node->own_attr) // somebody may have copied it up while the lower was asked
        take_attr(i, &st);
    return 0;
}

int ovl_own_attr(struct inode *i)
{
    struct ovl_node *node = ovl_node(i);
    int err = ovl_refresh(i);
    if (err || node->own_attr)
        return err;
    struct mem_account *a = &node->super->account;
    if (a->inodes >= a->max_inodes)
        return -LX_ENOSPC;
    a->inodes++;
    node->own_attr = true;
    node->pinned = true;
    inode_get(i);
    return 0;
}

void ovl_unlinked(struct inode *i)
{
    struct ovl_node *node = ovl_node(i);
    if (LX_S_ISDIR(i->attr.mode))
        i->attr.nlink = 0;
    else if (i->attr.nlink)
        i->attr.nlink--;
    i->attr.ctime = vfs_now();
    if (node->extra_names) {
        node->extra_names--;
        node->super->account.inodes--;
    }
    if (i->attr.nlink == 0 && node->pinned) {
        node->pinned = false;
        inode_put(i);
    }
}

static bool all_zero(const unsigned char *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

// Page by page, so that holes and pages of zeroes stay holes.
static int put_chunk(struct mem_data *d, unsigned char *buf, size_t n, uint64_t pos)
{
    for (size_t at = 0; at < n;) {
        size_t part = n - at;
        if (n - at > MEM_PAGE && all_zero(buf + at, MEM_PAGE)) {
            at += MEM_PAGE;
            continue;
        }
        size_t run = 0;
        while (run < part && !(part - run > MEM_PAGE && all_zero(buf + at + run, MEM_PAGE)))
            run += part - run < MEM_PAGE ? part - run : MEM_PAGE;
        struct iov_iter it;
        iter_init_kernel(&it, buf + at, run);
        int64_t put = mem_data_write(d, &it, pos + at);
        if (put != (int64_t)run)
            return put < 0 ? (int)put : -LX_ENOSPC;
        at += run;
    }
    return 0;
}

static int copy_up(struct inode *i, uint64_t keep)
{
    struct ovl_node *node = ovl_node(i);
    struct path below = {node->super->lower, node->lower};
    struct mem_data data;
    struct file *f = NULL;
    mem_data_init(&data, &node->super->account);
    int err = ovl_own_attr(i);
    if (err)
        return err;
    uint64_t size = i->attr.size < keep ? i->attr.size : keep, pos = 0;
    unsigned char *buf = size ? malloc(CHUNK) : NULL;
    if (size && !buf)
        return -LX_ENOMEM;
    if (size)
        err = vfs_open_raw(&below, LX_O_RDONLY, &f);
    if (err == 0 && size > mem_data_inline_max(&data)) {
        mem_data_truncate(&data,
                          size); // a sparse file at first: its pages go where the first write puts them
    }
    while (err == 0 && pos < size) {
        int64_t n = kernel_read(f, buf, size - pos < CHUNK ? size - pos : CHUNK, (int64_t)pos);
        if (n <= 0) {
            err = (int)n;
            break;
        }
        err = put_chunk(&data, buf, (size_t)n, pos);
        pos += (uint64_t)n;
    }
    if (err == 0)
        err = mem_data_truncate(&data, size < pos ? size : pos);
    free(buf);
    file_put(f);
    if (err) {
        mem_data_free(&data);
        return err;
    }
    mem_data_move(&node->data, &data);
    node->own_data = true;
    i->attr.size = data.size;
    return 0;
}

int ovl_own_data(struct inode *i, uint64_t keep)
{
    struct ovl_node *node = ovl_node(i);
    if (node->own_data)
        return 0;
    vfs_mutex_lock(&i->lock);
    int err = node->own_data ? 0 : copy_up(i, keep);
    vfs_mutex_unlock(&i->lock);
    return err;
}

// Reads all xattrs from below once: afterwards nobody is asked for them any more.
int ovl_own_xattrs(struct inode *i)
{
    struct ovl_node *node = ovl_node(i);
    if (node->own_xattrs)
        return 0;
    struct inode *lower = node->lower->inode;
    struct mem_xattrs all = {.account = &node->super->account};
    char *list = NULL;
    void *value = NULL;
    int err = 0;
    int64_t n = 0;
    if (lower->ops && lower->ops->listxattr && lower->ops->getxattr) {
        list = malloc(LX_XATTR_LIST_MAX);
        value = malloc(LX_XATTR_SIZE_MAX);
        if (!list || !value)
            err = -LX_ENOMEM;
        else
            n = lower->ops->listxattr(lower, list, LX_XATTR_LIST_MAX);
        if (n == -LX_EOPNOTSUPP || n == -LX_EACCES || n == -LX_EPERM)
            n = 0;
    }
    if (n < 0)
        err = (int)n;
    for (int64_t at = 0; err == 0 && at < n;) {
        size_t len = strnlen(list + at, (size_t)(n - at));
        int64_t size =
            at + (int64_t)len < n ? lower->ops->getxattr(lower, list + at, value, LX_XATTR_SIZE_MAX) : -1;
        if (size >= 0)
            err = mem_xattr_set(&all, list + at, value, (size_t)size, 0);
        at += (int64_t)len + 1;
    }
    free(list);
    free(value);
    if (err || node->own_xattrs) { // failed, or somebody else was faster
        mem_xattr_free(&all);
        return err;
    }
    node->xattrs = all;
    node->own_xattrs = true;
    for (const struct mem_xattr *a = all.first; a; a = a->next)
        acl_note(i, a->name, a->value, a->size);
    return 0;
}
