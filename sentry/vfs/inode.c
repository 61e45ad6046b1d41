// Life cycles of inodes and superblocks, and what is asked of an inode whatever its filesystem.
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/core/timer.h"
#include "sentry/vfs/acl.h"
#include "sentry/vfs/locks.h"
#include <stdlib.h>

struct list_head fs_types = LIST_INIT(fs_types);
static uint64_t next_ino = 1;
static uint32_t next_dev_minor = 1;

void fs_type_register(struct fs_type *t)
{
    list_add_tail(&t->link, &fs_types);
}

struct fs_type *fs_type_find(const char *name)
{
    list_for_each(t, &fs_types, struct fs_type, link) if (strcmp(t->name, name) == 0) return t;
    return NULL;
}

struct super_block *sb_alloc(const char *fstype, const struct super_ops *ops, void *priv)
{
    struct super_block *sb = calloc(1, sizeof(*sb));
    if (!sb)
        return NULL;
    sb->refs = 1;
    sb->fstype = fstype;
    strncpy(sb->source, fstype, sizeof(sb->source) - 1);
    sb->ops = ops;
    sb->priv = priv;
    sb->dev = lx_makedev(0, next_dev_minor++);
    return sb;
}

void sb_put(struct super_block *sb)
{
    if (!sb || --sb->refs > 0)
        return;
    if (sb->ops && sb->ops->put_super)
        sb->ops->put_super(sb);
    free(sb);
}

uint64_t inode_next_ino(void)
{
    return next_ino++;
}

struct timespec64 vfs_now(void)
{
    uint64_t ns = clock_now_ns(0); // CLOCK_REALTIME
    return (struct timespec64){(int64_t)(ns / 1000000000u), (uint32_t)(ns % 1000000000u)};
}

struct inode *inode_alloc(struct super_block *sb, const struct inode_ops *ops, const struct file_ops *fops)
{
    struct inode *i = calloc(1, sizeof(*i));
    if (!i)
        return NULL;
    i->refs = 1;
    i->sb = sb;
    sb->refs++;
    i->ops = ops;
    i->fops = fops;
    i->attr.dev = sb->dev;
    i->attr.ino = inode_next_ino();
    i->attr.nlink = 1;
    i->attr.blksize = 4096;
    return i;
}

struct inode *inode_get(struct inode *i)
{
    i->refs++;
    return i;
}

void inode_put(struct inode *i)
{
    if (!i || --i->refs > 0)
        return;
    if (i->ops && i->ops->evict)
        i->ops->evict(i);
    locks_free(i);
    acl_forget(i);
    sb_put(i->sb);
    free(i);
}

int inode_deny_write(struct inode *i)
{
    if (i->write_count > 0)
        return -LX_ETXTBSY;
    i->write_count--;
    return 0;
}

void inode_allow_write(struct inode *i)
{
    i->write_count++;
}

int vfs_getattr(struct inode *i, struct kstat *out)
{
    if (i->ops && i->ops->getattr) {
        int err = i->ops->getattr(i);
        if (err)
            return err;
    }
    *out = i->attr;
    return 0;
}

int vfs_statfs(const struct path *p, struct kstatfs *out)
{
    memset(out, 0, sizeof(*out));
    struct inode *i = p->dentry->inode;
    if (i->ops && i->ops->statfs) {
        int err = i->ops->statfs(i, out);
        if (err)
            return err;
    } else {
        out->type = LX_ANON_INODE_FS_MAGIC;
        out->bsize = 4096;
        out->namelen = VFS_NAME_MAX;
    }
    out->flags = LX_ST_VALID;
    if (p->mnt) {
        uint32_t f = p->mnt->flags;
        out->flags |= f & (MNT_RDONLY | MNT_NOSUID | MNT_NODEV | MNT_NOEXEC | MNT_NOATIME | MNT_NODIRATIME);
        if (f & MNT_RELATIME)
            out->flags |= LX_ST_RELATIME;
        if (f & MNT_NOSYMFOLLOW)
            out->flags |= LX_ST_NOSYMFOLLOW;
    }
    if (i->sb->flags & SB_RDONLY)
        out->flags |= LX_ST_RDONLY;
    return 0;
}
