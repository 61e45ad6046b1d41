#pragma once
// Shared by the files of sentry/vfs only.
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"
#include <string.h>

// Most cached names that nobody uses; a name and its inode take about half a KiB.
#define DENTRY_UNUSED_MAX 16384u

// A name without a directory, which is not copied: for anonymous files, of which there may be very many.
struct dentry *dentry_alloc_static(const char *name);
void dentry_unhash(struct dentry *d);
void dentry_hash(struct dentry *d);
// Takes the inode away from a name that was removed: negative and still cached, or unhashed while in use.
void dentry_removed(struct dentry *d);
// After a successful rename: `d` takes the place of `target`, which becomes what is left of the old name.
void dentry_move(struct dentry *d, struct dentry *target);
void dentry_exchange(struct dentry *a, struct dentry *b);
bool dentry_is_ancestor(const struct dentry *ancestor, const struct dentry *d);
void dentry_cache_init(void);
void walk_rest_set(const char *rest);

// Propagation (propagation.c). Copies of `m` for every other mount that hears of changes at `at`; attached after the caller
// has attached `m` itself. On failure nothing is left behind.
struct mount_copies {
    struct mount_copy_to {
        struct mount *copy, *to; // both references
    } * list;
    unsigned count;
};
int propagate_prepare(struct mount *m, const struct path *at, struct mount_copies *out);
void propagate_attach(struct mount_copies *copies, struct dentry *mountpoint);
void propagate_drop(struct mount_copies *copies);
// The copies of `m` elsewhere in the group of its parent: may they go, and let them go.
bool propagate_busy(struct mount *m);
void propagate_detach(struct mount *parent, struct dentry *mountpoint);
// The mount leaves its group; its slaves go to another of it or to its master.
void propagation_leave(struct mount *m);
void propagation_copy(struct mount *copy, struct mount *of, unsigned copy_flags);

void mount_link(struct mount *m, struct mount *parent, struct dentry *at); // takes over m's reference
void mount_unlink(struct mount *m);                                        // drops it

struct mount *mount_find(const struct mount *parent, const struct dentry *at); // topmost, borrowed
void path_follow_mounts(struct path *p);
// To the parent of the mount root; false at the top.
bool path_follow_up(struct path *p);
void anon_init(void);

// The file counts as a writer of its inode, superblock and mount, or no longer.
void file_is_writer(struct file *f);
void file_no_writer(struct file *f);

// Locks one or two directories of a filesystem, always in the same order, and with two its tree; unlocking them says that their
// names have changed.
void dirs_lock(struct inode *a, struct inode *b);
void dirs_unlock(struct inode *a, struct inode *b);
int may_create(const struct path *dir);
int may_delete(const struct path *dir, struct dentry *victim, bool is_dir);
// Opens an inode that has been checked, as vfs_open's last step.
int open_resolved(const struct path *p, uint32_t flags, uint32_t mode, struct file **out);
// Owner and mode of a new object in a directory, as setgid directories ask for.
void new_object_owner(const struct inode *dir, uint32_t *mode, uint32_t *uid, uint32_t *gid);
static inline bool dentry_is_dir(const struct dentry *d)
{
    return d->inode && (d->inode->attr.mode & 0170000u) == 0040000u;
}
