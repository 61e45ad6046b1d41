// Reading ahead for programs that walk a tree: find, du, git status, rm -r. They read a directory, then those below it, one after
// the other. Once that is seen, one message brings what they will read next: the directory in hand, those that stand
// behind it in the one above, and what lies below each.
#include "sentry/fs/gofer/listing.h"
#include <stdlib.h>
#include <string.h>

#define TREE_AFTER 3           // directories in a row, each below one that was read, before this begins
#define TREE_BYTES (96u << 10) // of a reply
#define TREE_DIRECTORIES 64    // taken from a reply
#define AHEAD_BYTES (2u << 20) // of all listings that nobody has asked for yet
#define NAMED_BYTES (NP_NAMES_MAX * VFS_NAME_MAX)

static struct list_head all_ahead = LIST_INIT(all_ahead); // oldest first
static size_t ahead_bytes;

struct tree_reply {
    struct tree_directory {
        uint16_t parent; // among these, or UINT16_MAX
        uint16_t name_len;
        char name[VFS_NAME_MAX];
        struct listing *listing;
        struct dentry *dentry; // a reference; NULL: not to be had
    } directories[TREE_DIRECTORIES];
    unsigned count;
};

static size_t size_of(const struct listing *listing)
{
    return sizeof(*listing) + listing->capacity * sizeof(listing->entries[0]) + listing->names_capacity;
}

static struct listing *detach(struct gofer_inode *node)
{
    struct listing *listing = node->ahead;
    if (listing) {
        list_del(&listing->ahead_link);
        ahead_bytes -= size_of(listing);
        node->ahead = NULL;
    }
    return listing;
}

void gofer_ahead_forget(struct gofer_inode *node)
{
    gofer_listing_free(detach(node));
}

static void keep_ahead(struct gofer_inode *node, struct listing *listing)
{
    gofer_ahead_forget(node);
    node->ahead = listing;
    listing->ahead_of = node;
    list_add_tail(&listing->ahead_link, &all_ahead);
    ahead_bytes += size_of(listing);
    while (ahead_bytes > AHEAD_BYTES)
        gofer_ahead_forget(list_first(&all_ahead, struct listing, ahead_link)->ahead_of);
}

struct listing *gofer_ahead_take(struct inode *dir)
{
    struct listing *listing = detach(gofer_inode(dir));
    if (listing && listing->seq == dir->dir_seq) {
        gofer_inode(dir)->listed = true;
        return listing;
    }
    gofer_listing_free(listing);
    return NULL;
}

// Runs without the kernel lock, on the reply alone, as the next one.
static bool take_directory(void *context, uint16_t parent, struct np_str name)
{
    struct tree_reply *reply = context;
    struct listing *listing = reply->count < TREE_DIRECTORIES ? calloc(1, sizeof(*listing)) : NULL;
    if (!listing)
        return false;
    struct tree_directory *d = &reply->directories[reply->count++];
    *d = (struct tree_directory){.parent = parent, .name_len = name.length, .listing = listing};
    memcpy(d->name, name.bytes, name.length);
    return true;
}

static bool take_entry(void *context, const struct np_dirent *dirent, const struct np_attr *attr)
{
    struct tree_reply *reply = context;
    struct listing *listing = reply->directories[reply->count - 1].listing;
    if (!listing->full) // else it is of no use
        (void)gofer_listing_take(listing, dirent, attr);
    return true;
}

// Into the name cache, and kept for who reads the directory next.
static void use(struct tree_reply *reply, struct tree_directory *d, struct dentry *top)
{
    struct dentry *parent = d->parent == UINT16_MAX ? top : reply->directories[d->parent].dentry;
    d->dentry = parent && !parent->unhashed ? dentry_find(parent, d->name, d->name_len) : NULL;
    struct inode *dir = d->dentry ? d->dentry->inode : NULL;
    if (!dir || dir->sb != top->inode->sb || !LX_S_ISDIR(dir->attr.mode) || dir->dead || d->listing->full) {
        dentry_put(d->dentry);
        d->dentry = NULL;
        return;
    }
    uint32_t lost = dir->names_lost;
    d->listing->first = AFTER_DOTS;
    d->listing->end = true;
    d->listing->seq = dir->dir_seq;
    if (gofer_listing_cache(d->dentry, d->listing))
        gofer_set_whole(d->dentry, lost);
    keep_ahead(gofer_inode(dir), d->listing);
    d->listing = NULL;
}

static void ask(struct dentry *top, const struct np_names *below)
{
    struct gofer_connection *c = gofer_connection_of(top->inode);
    struct tree_reply *reply = calloc(1, sizeof(*reply));
    struct gofer_reach reach;
    if (!reply || gofer_reach(top->inode, 0, &reach)) {
        free(reply);
        return;
    }
    uint64_t seq = c->change_seq;
    int err = GOFER_BLOCKING(gofer_readdir_tree(&c->client, reach.fid, reach.names, reach.count, below,
                                                TREE_BYTES, take_directory, take_entry, reply));
    gofer_reach_end(&reach);
    // The last one may not have come whole when the reply makes no sense; and names may have changed meanwhile.
    for (unsigned i = 0; !err && i < reply->count && seq == c->change_seq; i++)
        use(reply, &reply->directories[i], top);
    for (unsigned i = 0; i < reply->count; i++) {
        gofer_listing_free(reply->directories[i].listing);
        dentry_put(reply->directories[i].dentry);
    }
    free(reply);
}

static bool is_walked(const struct dentry *d)
{
    struct gofer_connection *c = gofer_connection_of(d->inode);
    if (gofer_fs_of(d->inode)->shared || c->plain)
        return false;
    bool below = d->parent != d && !list_empty(&d->hash_link) && d->parent->inode &&
                 gofer_inode(d->parent->inode)->listed;
    c->tree_walk = !below ? 0 : c->tree_walk < TREE_AFTER ? c->tree_walk + 1 : TREE_AFTER;
    return c->tree_walk == TREE_AFTER;
}

// Copies: a rename may change the names while they are sent.
static void add_name(struct np_names *names, char *text, const struct dentry *d)
{
    char *copy = text + (size_t)names->count * VFS_NAME_MAX;
    memcpy(copy, d->name, d->name_len);
    names->name[names->count++] = (struct np_str){.bytes = copy, .length = d->name_len};
}

void gofer_read_ahead(struct file *f)
{
    struct dentry *d = f->path.dentry;
    if (!is_walked(d))
        return;
    struct np_names *names = calloc(1, sizeof(*names) + NAMED_BYTES);
    if (!names)
        return;
    char *text = (char *)(names + 1);
    struct dentry *top = dentry_get(d->parent);
    add_name(names, text, d);
    // What was read later stands nearer to the head of the list.
    for (struct list_head *l = d->sibling.prev; l != &top->children && names->count < NP_NAMES_MAX;
         l = l->prev) {
        const struct dentry *next = list_entry(l, struct dentry, sibling);
        if (next->inode && next->inode->sb == d->inode->sb && LX_S_ISDIR(next->inode->attr.mode) &&
            !gofer_inode(next->inode)->listed && !gofer_inode(next->inode)->ahead)
            add_name(names, text, next);
    }
    ask(top, names);
    dentry_put(top);
    free(names);
}
