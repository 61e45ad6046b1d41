// Files without a name: pipes, sockets, eventfds and the like live on one internal mount.
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include <stdio.h>
#include <stdlib.h>

static struct mount *anon_mount;
static const struct inode_ops anon_inode_ops;

static int anon_setattr(struct inode *i, const struct iattr *a)
{
    if (a->valid & ATTR_SIZE)
        return -LX_EINVAL;
    setattr_copy(i, a);
    return 0;
}

static const struct inode_ops anon_inode_ops = {.setattr = anon_setattr};

void anon_init(void)
{
    if (anon_mount)
        return;
    struct super_block *sb = sb_alloc("anon_inodefs", NULL, NULL);
    if (!sb)
        return;
    sb->flags = SB_ANON;
    struct inode *root = inode_alloc(sb, &anon_inode_ops, NULL);
    struct dentry *top = root ? dentry_alloc_root(root) : NULL;
    if (top)
        anon_mount = mount_alloc(sb, top, MNT_RELATIME);
    dentry_put(top);
    sb_put(sb);
}

// A file on `i` below `mnt`, named `name`, which is constant if `numbered`; takes over the inode reference.
static struct file *nameless(struct mount *mnt, struct inode *i, const char *name, bool numbered)
{
    struct file *f = file_alloc();
    struct dentry *d = !f         ? NULL
                       : numbered ? dentry_alloc_static(name)
                                  : dentry_alloc(NULL, name, strlen(name));
    if (!d) {
        inode_put(i);
        file_put(f);
        return NULL;
    }
    d->inode = i;
    f->path.dentry = d;
    f->path.mnt = mount_get(mnt);
    f->inode = i;
    return f;
}

struct file *anon_file(const struct file_ops *ops, void *priv, uint32_t fmode, uint32_t flags,
                       const char *name, uint32_t inode_mode)
{
    anon_init();
    if (!anon_mount)
        return NULL;
    struct inode *i = inode_alloc(anon_mount->sb, &anon_inode_ops, ops);
    if (!i)
        return NULL;
    i->attr.mode = inode_mode;
    i->attr.uid = current ? current->cred->fsuid : 0;
    i->attr.gid = current ? current->cred->fsgid : 0;
    i->attr.atime = i->attr.mtime = i->attr.ctime = vfs_now();
    // "pipe:" and "socket:" show their number, as the file systems of that name do.
    size_t len = strlen(name);
    struct file *f = nameless(anon_mount, i, name, len && name[len - 1] == ':');
    if (!f)
        return NULL;
    f->mode = fmode;
    f->flags = flags;
    f->ops = ops;
    f->priv = priv;
    return f;
}

struct file *inode_file(struct inode *i, uint32_t fmode, uint32_t flags, const char *name)
{
    anon_init();
    if (!anon_mount) {
        inode_put(i);
        return NULL;
    }
    struct file *f = nameless(anon_mount, i, name, false);
    if (!f)
        return NULL;
    f->path.dentry->unhashed = true;
    f->mode = fmode;
    f->flags = flags;
    f->ops = i->fops;
    if (fmode & FMODE_WRITE)
        file_is_writer(f);
    return f;
}
