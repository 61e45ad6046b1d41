// Copy-up: a file of a lower layer gets its like in the upper one, made in the work directory and then moved to its place
// (fs/overlayfs/copy_up.c of Linux).
#include "sentry/fs/overlay/merge.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (64u * 1024)

void merge_temporary_name(struct merge_super *s, char name[24])
{
    snprintf(name, 24, "#%x", s->next_temporary++);
}

static int64_t write_at(struct file *f, void *buf, size_t n, int64_t pos)
{
    struct iov_iter it;
    iter_init_kernel(&it, buf, n);
    while (it.count) {
        int64_t put = f->ops->write(f, &it, &pos);
        if (put <= 0)
            return put < 0 ? put : -LX_EIO;
    }
    return 0;
}

// What is data of the first `size` bytes; holes stay holes where the lower file knows them.
static int copy_data(struct file *from, struct file *to, uint64_t size)
{
    unsigned char *buf = malloc(CHUNK);
    int64_t err = buf ? 0 : -LX_ENOMEM;
    for (uint64_t pos = 0; !err && pos < size;) {
        int64_t data = from->ops->lseek ? from->ops->lseek(from, (int64_t)pos, LX_SEEK_DATA) : -LX_EINVAL;
        if (data == -LX_ENXIO)
            break;
        if (data > (int64_t)pos)
            pos = (uint64_t)data;
        if (pos >= size)
            break;
        int64_t n = kernel_read(from, buf, size - pos < CHUNK ? size - pos : CHUNK, (int64_t)pos);
        if (n <= 0) {
            err = n;
            break;
        }
        err = write_at(to, buf, (size_t)n, (int64_t)pos);
        pos += (uint64_t)n;
    }
    free(buf);
    return (int)err;
}

static int copy_contents(struct inode *i, struct dentry *made, uint64_t keep)
{
    const struct merge_super *s = merge_super(i);
    struct path from = merge_path(i, 0);
    const struct path to = {s->layers[0].mnt, made};
    uint64_t size = i->attr.size < keep ? i->attr.size : keep;
    struct file *in = NULL, *out = NULL;
    if (size == 0)
        return 0;
    path_get(&from);
    int err = vfs_open_raw(&from, LX_O_RDONLY, &in);
    path_put(&from);
    if (!err)
        err = vfs_open_raw(&to, LX_O_WRONLY, &out);
    if (!err)
        err = copy_data(in, out, size);
    file_put(in);
    file_put(out);
    const struct iattr end = {.valid = ATTR_SIZE, .size = size};
    return err ? err : made->inode->ops->setattr(made->inode, &end);
}

// Owner first: a change of it takes set-ID bits away.
static int set_attributes(const struct merge_super *s, struct inode *to, const struct kstat *st)
{
    const struct iattr owner = {.valid = ATTR_UID | ATTR_GID, .uid = st->uid, .gid = st->gid};
    const struct iattr rest = {.valid = (LX_S_ISLNK(st->mode) ? 0 : ATTR_MODE) | ATTR_ATIME | ATTR_MTIME,
                               .mode = st->mode & 07777,
                               .atime = st->atime,
                               .mtime = st->mtime};
    if (!to->ops->setattr)
        return -LX_EPERM;
    int err = merge_mounter_may_set(s, to, &owner);
    if (!err && (to->attr.uid != st->uid || to->attr.gid != st->gid))
        err = to->ops->setattr(to, &owner);
    return err ? err : to->ops->setattr(to, &rest);
}

// Makes the copy in the work directory. 0 and a reference in *out.
static int make_copy(struct inode *i, uint64_t keep, struct dentry **out)
{
    struct merge_super *s = merge_super(i);
    struct inode *real = merge_top(i);
    struct raw_new new = {.mode = i->attr.mode & ~07777u,
                          .rdev = i->attr.rdev,
                          .uid = merge_mounter_fsuid(s),
                          .gid = merge_mounter_fsgid(s)};
    char name[24], target[VFS_PATH_MAX];
    int err = LX_S_ISREG(i->attr.mode) ? merge_mounter_may(s, real, MAY_READ) : 0;
    if (!err && LX_S_ISLNK(i->attr.mode)) {
        int64_t n = real->ops->readlink ? real->ops->readlink(real, target, sizeof(target) - 1) : -LX_EINVAL;
        err = n < 0 ? (int)n : 0;
        target[n < 0 ? 0 : n] = 0;
        new.target = target;
        new.mode |= 0777;
    }
    merge_temporary_name(s, name);
    if (!err)
        err = vfs_make_raw(s->work, name, &new, out);
    if (err)
        return err;
    struct inode *made = (*out)->inode;
    if (LX_S_ISREG(i->attr.mode))
        err = copy_contents(i, *out, keep);
    if (!err)
        err = merge_copy_xattrs(s, real, made);
    if (!err)
        err = set_attributes(s, made, &i->attr);
    if (err) {
        (void)vfs_remove_raw(*out);
        dentry_put(*out);
    }
    return err;
}

// To its place, whose directory keeps its times.
static int put_in_place(struct inode *i, struct dentry *made)
{
    struct merge_node *node = merge_node(i);
    if (node->orphan) // only who has it open knows it
        return vfs_remove_raw(made);
    struct dentry *place = dentry_get(merge_top_dentry(node->parent));
    struct inode *dir = place->inode;
    const struct iattr times = {
        .valid = ATTR_ATIME | ATTR_MTIME, .atime = dir->attr.atime, .mtime = dir->attr.mtime};
    char *name = strdup(node->name); // a rename may change it meanwhile
    int err = name ? merge_mounter_may(merge_super(i), dir, MAY_WRITE | MAY_EXEC) : -LX_ENOMEM;
    if (!err)
        err = vfs_rename_raw(made, place, name, LX_RENAME_NOREPLACE);
    if (!err && dir->ops->setattr)
        err = dir->ops->setattr(dir, &times);
    free(name);
    dentry_put(place);
    return err;
}

// Its directory is in the upper layer.
static int copy_one(struct inode *i, uint64_t keep)
{
    struct merge_node *node = merge_node(i);
    struct dentry *made;
    vfs_mutex_lock(&node->copying);
    int err = merge_in_upper(i) ? 0 : merge_getattr(i);
    if (!err && !merge_in_upper(i)) {
        err = make_copy(i, keep, &made);
        if (!err) {
            err = put_in_place(i, made);
            if (err)
                (void)vfs_remove_raw(made);
            if (err)
                dentry_put(made);
            else
                merge_now_upper(i, made);
        }
    }
    vfs_mutex_unlock(&node->copying);
    return err;
}

// The directories from `i` up that are not in the upper layer, `i` first; references. Their count, or -LX_ENOMEM.
static long chain_of(struct inode *i, struct inode ***out)
{
    long count = 0, max = 0;
    struct inode **chain = NULL;
    for (struct inode *at = i; at && !merge_in_upper(at); at = merge_node(at)->parent) {
        if (count == max) {
            max = max ? max * 2 : 16;
            struct inode **grown = realloc(chain, (size_t)max * sizeof(*grown));
            if (!grown) {
                while (count)
                    inode_put(chain[--count]);
                free(chain);
                return -LX_ENOMEM;
            }
            chain = grown;
        }
        chain[count++] = inode_get(at);
        if (merge_node(at)->orphan)
            break;
    }
    *out = chain;
    return count;
}

int merge_copy_up(struct inode *i, uint64_t keep)
{
    if (!merge_super(i)->has_upper)
        return -LX_EROFS;
    struct inode **chain = NULL;
    long count = chain_of(i, &chain);
    int err = count < 0 ? (int)count : 0;
    while (count > 0) {
        struct inode *at = chain[--count];
        if (!err)
            err = copy_one(at, at == i ? keep : UINT64_MAX);
        inode_put(at);
    }
    free(chain);
    return err;
}
