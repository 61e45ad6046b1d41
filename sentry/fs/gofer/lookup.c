// Finding names. One message walks as far as the path in hand goes, and what it brings goes into the name
// cache.
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/gofer/fs.h"

#define REST_MAX 15 // names after the first that one message asks for

struct names {
    unsigned count;
    struct np_str name[REST_MAX];
};

// The names after the component in hand, up to one that the host must not see ("." and "..").
static void split_rest(const char *rest, struct names *names)
{
    names->count = 0;
    while (names->count < REST_MAX) {
        while (*rest == '/')
            rest++;
        size_t length = strcspn(rest, "/");
        if (!length || length > NP_NAME_MAX ||
            (rest[0] == '.' && (length == 1 || (length == 2 && rest[1] == '.'))))
            return;
        names->name[names->count++] = (struct np_str){.bytes = rest, .length = (uint16_t)length};
        rest += length;
    }
}

// Walks dentry's name below `dir` and what follows it. *first: index of that name in the walk.
static int ask(struct inode *dir, const struct dentry *dentry, struct names *names, struct gofer_walk *walk,
               unsigned *first)
{
    struct gofer_reach reach;
    names->count = 0;
    if (!gofer_connection_of(dir)->plain) // there each name's attributes are one more message
        split_rest(walk_rest(), names);
    int err = gofer_reach(dir, 1 + names->count, &reach);
    if (err)
        return err;
    *first = reach.count;
    gofer_reach_add(&reach, dentry->name, dentry->name_len);
    for (unsigned i = 0; i < names->count; i++)
        gofer_reach_add(&reach, names->name[i].bytes, names->name[i].length);
    err =
        GOFER_BLOCKING(gofer_walk(gofer_client_of(dir), reach.fid, NP_NOFID, reach.names, reach.count, walk));
    gofer_reach_end(&reach);
    if (err)
        return err;
    if (walk->count < *first)
        return -LX_ESTALE; // what led here is gone
    if (*first && walk->attr[*first - 1].qid.path != gofer_inode(dir)->qid_path)
        return -LX_ESTALE; // or is something else by now
    return 0;
}

static struct inode *inode_of(struct inode *dir, const struct np_str *name, const struct gofer_walk *walk,
                              unsigned index)
{
    const struct np_attr *attr = &walk->attr[index];
    bool last = index + 1 == walk->count && LX_S_ISLNK(attr->mode);
    struct inode *inode = gofer_inode_get(dir->sb, dir, name->bytes, name->length, attr,
                                          last ? walk->target : NULL, last ? walk->target_length : 0);
    if (inode)
        gofer_inode(inode)->validated = gofer_current_call();
    return inode;
}

static void mark_negative(struct dentry *dentry)
{
    dentry->priv = (void *)(uintptr_t)gofer_current_call();
}

// Puts what the walk brought beyond `dentry` into the cache.
static void add_rest(struct dentry *dentry, const struct names *names, const struct gofer_walk *walk,
                     unsigned first)
{
    struct dentry *parent = dentry_get(dentry);
    for (unsigned i = 0; i < names->count && parent->inode && LX_S_ISDIR(parent->inode->attr.mode); i++) {
        unsigned index = first + 1 + i;
        struct inode *inode = NULL;
        if (index < walk->count) {
            inode = inode_of(parent->inode, &names->name[i], walk, index);
            if (!inode)
                break;
        } else if (index > walk->count || walk->stop != LX_ENOENT) {
            break;
        }
        struct dentry *child = dentry_add(parent, names->name[i].bytes, names->name[i].length, inode);
        if (!child)
            break;
        if (!child->inode)
            mark_negative(child);
        dentry_put(parent);
        parent = child;
    }
    dentry_put(parent);
}

// What can be said of a name without asking for it: there is none where all names of the directory are cached. A
// directory that is asked again and again is read whole. True when `dentry` needs no message.
static bool answered(struct inode *dir, struct dentry *dentry)
{
    struct gofer_inode *node = gofer_inode(dir);
    if (gofer_fs_of(dir)->shared || gofer_connection_of(dir)->plain || dentry->parent->inode != dir)
        return false;
    struct gofer_inode *above = node->parent ? gofer_inode(node->parent) : NULL;
    unsigned after = above && above->read_below == 2 ? GOFER_PREFETCH_SOON : GOFER_PREFETCH_AFTER;
    if (node->misses < GOFER_PREFETCH_AFTER && ++node->misses >= after) {
        node->misses = GOFER_PREFETCH_AFTER; // once
        if (above && above->read_below < 2)
            above->read_below++;
        gofer_prefetch(dentry->parent);
    }
    struct dentry *found = dentry_find(dentry->parent, dentry->name, dentry->name_len);
    dentry_put(found);
    return found || gofer_is_whole(dentry->parent); // the caller of lookup finds it itself
}

int gofer_lookup(struct inode *dir, struct dentry *dentry)
{
    if (answered(dir, dentry)) {
        mark_negative(dentry);
        return 0;
    }
    struct gofer_walk *walk = malloc(sizeof(*walk));
    struct names names;
    unsigned first = 0;
    uint64_t seq = gofer_connection_of(dir)->change_seq;
    int err = walk ? ask(dir, dentry, &names, walk, &first) : -LX_ENOMEM;
    if (!err && walk->count > first) {
        struct np_str name = {.bytes = dentry->name, .length = dentry->name_len};
        struct inode *inode = inode_of(dir, &name, walk, first);
        if (inode) {
            dentry_attach(dentry, inode);
            // Only while nobody has changed a name since: what the reply says of deeper names may be old.
            if (seq == gofer_connection_of(dir)->change_seq)
                add_rest(dentry, &names, walk, first);
        } else {
            err = -LX_EIO;
        }
    } else if (!err && walk->stop == LX_ENOENT) {
        mark_negative(dentry);
    } else if (!err) {
        err = walk->stop ? -(int)walk->stop : -LX_EIO;
    }
    free(walk);
    return err;
}

// Compares one cached name with what the walk found at it. True when it is still right.
static bool still_right(struct dentry *dentry, const struct gofer_walk *walk, unsigned index)
{
    struct inode *inode = dentry->inode;
    if (index >= walk->count) {
        if (inode || index > walk->count || walk->stop != LX_ENOENT)
            return false;
        mark_negative(dentry);
        return true;
    }
    const struct np_attr *attr = &walk->attr[index];
    if (!inode || gofer_inode(inode)->qid_path != attr->qid.path ||
        (inode->attr.mode & LX_S_IFMT) != (attr->mode & LX_S_IFMT))
        return false;
    gofer_set_attr(inode, attr);
    gofer_inode(inode)->validated = gofer_current_call();
    if (gofer_connection_of(inode)->plain) // one of its other names may be gone, and a fid with it
        gofer_set_place(inode, dentry->parent->inode, dentry->name, dentry->name_len);
    return true;
}

int gofer_revalidate(struct inode *dir, struct dentry *dentry)
{
    uint64_t call = gofer_current_call();
    uint64_t seen = dentry->inode ? gofer_inode(dentry->inode)->validated : (uint64_t)(uintptr_t)dentry->priv;
    if (call && seen == call)
        return 1;
    struct gofer_walk *walk = malloc(sizeof(*walk));
    struct names names;
    unsigned first = 0;
    uint64_t seq = gofer_connection_of(dir)->change_seq;
    int err = walk ? ask(dir, dentry, &names, walk, &first) : -LX_ENOMEM;
    bool right = !err && still_right(dentry, walk, first);
    if (!err && !right && seq != gofer_connection_of(dir)->change_seq)
        right = true; // a change of our own overtook the reply; the directory's lock has settled it
    struct dentry *parent = dentry_get(dentry);
    for (unsigned i = 0; right && !err && seq == gofer_connection_of(dir)->change_seq && i < names.count;
         i++) {
        struct dentry *child = dentry_find(parent, names.name[i].bytes, names.name[i].length);
        if (!child)
            break;
        bool good = child->inode == NULL || child->inode->sb == dir->sb;
        if (good && !still_right(child, walk, first + 1 + i)) {
            if (child->mounts == 0)
                dentry_drop(child);
            good = false;
        }
        dentry_put(parent);
        parent = child;
        if (!good)
            break;
    }
    dentry_put(parent);
    free(walk);
    if (err == -LX_ESTALE)
        return 0;
    return err ? err : right;
}
