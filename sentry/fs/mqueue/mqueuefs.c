#include "sentry/fs/mqueue/mqueuefs.h"
#include "abi/linux/errno.h"
#include "abi/linux/signal.h"
#include "abi/linux/stat.h"
#include "sentry/fs/tmpfs/dir.h"
#include "sentry/task/task.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIR_ENTRY_SIZE 20 // what a name adds to st_size of the directory, as on Linux
#define QUEUE_SIZE 80     // st_size of a queue

struct mq_super {       // super_block.priv
    struct mq_ns *ns;   // NULL: gone
    struct mem_dir dir; // of the root, which has no other directories
};

static const struct inode_ops root_ops, queue_ops;
static const struct file_ops root_fops, queue_fops;
static const struct super_ops super_ops;

struct mqueue *file_mqueue(const struct file *f)
{
    return f->ops == &queue_fops ? f->inode->priv : NULL;
}

static void fill(struct inode *i, uint32_t mode, uint32_t uid, uint32_t gid)
{
    i->attr.mode = mode;
    i->attr.uid = uid;
    i->attr.gid = gid;
    i->attr.atime = i->attr.mtime = i->attr.ctime = vfs_now();
}

// --- names

static int op_lookup(struct inode *dir, struct dentry *d)
{
    const struct mq_super *s = dir->sb->priv;
    struct mem_entry *e = mem_dir_find(&s->dir, d->name, d->name_len);
    if (e)
        dentry_attach(d, inode_get(e->inode));
    return 0;
}

int mqueuefs_make(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t uid, uint32_t gid,
                  const void *attr)
{
    struct mq_super *s = dir->sb->priv;
    if (!s->ns)
        return -LX_EACCES;
    struct inode *i = inode_alloc(dir->sb, &queue_ops, &queue_fops);
    if (!i)
        return -LX_ENOMEM;
    struct mqueue *q;
    int err = mq_create(s->ns, attr, i, &q);
    if (err) {
        inode_put(i);
        return err;
    }
    i->priv = q;
    s->ns->queues++;
    fill(i, LX_S_IFREG | mode, uid, gid);
    i->attr.size = QUEUE_SIZE;
    err = mem_dir_add(&s->dir, d->name, d->name_len, i);
    if (err) {
        inode_put(i);
        return err;
    }
    dir->attr.size += DIR_ENTRY_SIZE;
    dir->attr.atime = dir->attr.mtime = dir->attr.ctime = vfs_now();
    dentry_attach(d, inode_get(i));
    return 0;
}

static int op_create(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t uid, uint32_t gid,
                     bool excl)
{
    return mqueuefs_make(dir, d, mode, uid, gid, NULL);
}

static int op_unlink(struct inode *dir, struct dentry *d)
{
    struct mq_super *s = dir->sb->priv;
    struct mem_entry *e = mem_dir_find(&s->dir, d->name, d->name_len);
    if (!e)
        return -LX_ENOENT;
    struct inode *i = mem_dir_remove(&s->dir, e);
    i->attr.nlink = 0;
    dir->attr.size -= DIR_ENTRY_SIZE;
    dir->attr.atime = dir->attr.mtime = dir->attr.ctime = vfs_now();
    inode_put(i);
    return 0;
}

static int root_iterate(struct file *f, struct dir_context *ctx)
{
    const struct mq_super *s = f->inode->sb->priv;
    return mem_dir_iterate(&s->dir, ctx, f->inode->attr.ino, f->inode->attr.ino);
}

// --- attributes (simple_setattr, simple_statfs)

static int op_setattr(struct inode *i, const struct iattr *a)
{
    if (a->valid & ATTR_SIZE)
        i->attr.size = a->size; // shown, and nothing else
    setattr_copy(i, a);
    return 0;
}

static int op_statfs(struct inode *i, struct kstatfs *out)
{
    *out = (struct kstatfs){.type = LX_MQUEUE_MAGIC, .bsize = 4096, .namelen = VFS_NAME_MAX};
    return 0;
}

static void evict_queue(struct inode *i)
{
    struct mq_super *s = i->sb->priv;
    if (!i->priv)
        return; // it was never made
    if (s->ns)
        s->ns->queues--;
    mq_destroy(i->priv);
}

static void evict_root(struct inode *i)
{
    struct mq_super *s = i->sb->priv;
    mem_dir_free(&s->dir);
}

// --- queues as files

static int64_t queue_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    const struct mqueue *q = f->inode->priv;
    const struct mq_notification *n = &q->notify;
    char text[96];
    int len = snprintf(text, sizeof(text), "QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
                       (unsigned long long)q->bytes, n->owner ? n->how : 0,
                       n->owner && n->how == LX_SIGEV_SIGNAL ? n->signo : 0, n->owner ? n->owner->pid : 0);
    if (*pos < 0)
        return -LX_EINVAL;
    if (*pos >= len || it->count == 0)
        return 0;
    size_t left = (size_t)(len - *pos), moved = it->count < left ? it->count : left;
    ssize_t done = iter_copy_to(it, text + *pos, moved);
    if (done <= 0)
        return -LX_EFAULT;
    *pos += done;
    f->inode->attr.atime = f->inode->attr.ctime = vfs_now();
    return done;
}

static uint32_t queue_poll(struct file *f, struct poll_table *pt)
{
    struct mqueue *q = f->inode->priv;
    poll_wait(pt, &q->wait);
    return (q->count ? EV_IN | EV_RDNORM : 0) | (q->count < q->maxmsg ? EV_OUT | EV_WRNORM : 0);
}

// A process that closes the queue wants to know no more of it.
static void queue_flush(struct file *f, struct fdtable *t)
{
    if (current && current->files == t)
        mq_notify_clear(f->inode->priv, current->tg);
}

static const struct inode_ops root_ops = {
    .lookup = op_lookup,
    .create = op_create,
    .unlink = op_unlink,
    .setattr = op_setattr,
    .statfs = op_statfs,
    .evict = evict_root,
};
static const struct inode_ops queue_ops = {.setattr = op_setattr, .statfs = op_statfs, .evict = evict_queue};
static const struct file_ops root_fops = {.iterate = root_iterate, .lseek = dir_lseek};
static const struct file_ops queue_fops = {
    .read = queue_read, .poll = queue_poll, .lseek = generic_lseek, .flush = queue_flush};

// --- the filesystem

static void put_super(struct super_block *sb)
{
    free(sb->priv);
}

static const struct super_ops super_ops = {.put_super = put_super};

static int create_super(struct mq_ns *ns, struct super_block **out, struct dentry **root)
{
    struct mq_super *s = calloc(1, sizeof(*s));
    struct super_block *sb = s ? sb_alloc("mqueue", &super_ops, s) : NULL;
    if (!sb) {
        free(s);
        return -LX_ENOMEM;
    }
    s->ns = ns;
    mem_dir_init(&s->dir);
    sb->flags |= SB_SINGLE;
    struct inode *i = inode_alloc(sb, &root_ops, &root_fops);
    *root = NULL;
    if (i) {
        fill(i, LX_S_IFDIR | 01777, current ? current->cred->fsuid : 0, current ? current->cred->fsgid : 0);
        i->attr.nlink = 2;
        i->attr.size = 2 * DIR_ENTRY_SIZE;
        *root = dentry_alloc_root(i);
    }
    if (!*root) {
        sb_put(sb);
        return -LX_ENOMEM;
    }
    *out = sb;
    return 0;
}

int mqueuefs_root(struct mq_ns *ns, struct path *out)
{
    if (!ns->mnt) {
        struct super_block *sb;
        struct dentry *root;
        int err = create_super(ns, &sb, &root);
        if (err)
            return err;
        ns->mnt = mount_alloc(sb, root, MNT_NOSUID | MNT_NODEV | MNT_NOEXEC);
        if (ns->mnt)
            ns->mnt->internal = true;
        else
            ((struct mq_super *)sb->priv)->ns = NULL;
        dentry_put(root);
        sb_put(sb);
    }
    *out = (struct path){ns->mnt, ns->mnt ? ns->mnt->root : NULL};
    return ns->mnt ? 0 : -LX_ENOMEM;
}

void mqueuefs_forget_ns(struct mq_ns *ns)
{
    if (!ns->mnt)
        return;
    ((struct mq_super *)ns->mnt->sb->priv)->ns = NULL;
    // Cached names would keep the queues.
    list_for_each_safe(d, &ns->mnt->root->children, struct dentry, sibling) if (d->refs == 0) dentry_drop(d);
    mount_put(ns->mnt);
    ns->mnt = NULL;
}

static int mqueuefs_mount(const struct fs_type *t, const char *source, const char *options,
                          struct super_block **sb, struct dentry **root)
{
    struct path p;
    if (options && *options)
        return -LX_EINVAL;
    int err = mqueuefs_root(mq_current(), &p);
    if (err)
        return err;
    *sb = p.mnt->sb;
    (*sb)->refs++;
    *root = dentry_get(p.dentry);
    return 0;
}

void mqueuefs_init(void)
{
    static struct fs_type type = {.name = "mqueue", .mount = mqueuefs_mount, .guest_may_mount = true};
    if (!fs_type_find("mqueue"))
        fs_type_register(&type);
}
