#pragma once
// A path walk in progress. Internal to sentry/vfs.
#include "sentry/vfs/internal.h"

// The text of the path, and of each symlink met, is a frame of a stack; a component is the last one when nothing but slashes
// is left in any frame.
struct walk {
    struct path at;   // where the walk stands (a reference)
    struct path root; // where "/" and ".." end (a reference)
    unsigned flags;   // LOOKUP_*
    unsigned links;   // symlinks followed
    unsigned depth;   // frames in use
    struct {
        char *text;      // owned by the frame; NULL for the caller's string
        const char *pos; // what is left
    } stack[VFS_SYMLINKS_MAX + 2];
    enum last_type type;
    bool slash; // slashes follow the last component
    size_t len;
    char name[VFS_NAME_MAX + 1];
};

// Starts at dirfd or at `start`. `name` must live as long as the walk. 0 or -errno; walk_end() in both cases.
int walk_begin(struct walk *w, int dirfd, const char *name, unsigned flags);
int walk_begin_at(struct walk *w, const struct path *start, const char *name, unsigned flags);
// Walks to the parent of the last component, which is then in name, len, type and slash.
int walk_parent(struct walk *w);
// Looks the last component up below w->at, without following anything.
int walk_last(struct walk *w, struct dentry **out);
// Goes on behind a symlink: w->at stays its directory. `link` is positive and a symlink.
int walk_follow(struct walk *w, struct dentry *link);
// w->at becomes `d` (reference taken over) and whatever is mounted on it.
int walk_step(struct walk *w, struct dentry *d);
int walk_dotdot(struct walk *w);
void walk_end(struct walk *w);
