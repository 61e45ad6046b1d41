// Fids, and names that lead to what has none.
#include <stdlib.h>
#include <string.h>

#include "sentry/core/log.h"
#include "sentry/fs/gofer/fs.h"

#define CHAIN_MAX (1u << 20) // more directories below one another than any tree has

static void pin(struct gofer_inode *node)
{
    if (node->fid_pins++ == 0)
        list_del(&node->fid_link);
}

static void unpin(struct gofer_inode *node)
{
    if (--node->fid_pins == 0 && node->fid != NP_NOFID && node->parent)
        list_add_tail(&node->fid_link, &gofer_connection_of(node->inode)->fid_lru);
}

void gofer_unpin(struct inode *inode)
{
    unpin(gofer_inode(inode));
}

void gofer_fid_forget(struct gofer_inode *node)
{
    if (node->fid == NP_NOFID)
        return;
    struct gofer_connection *c = gofer_connection_of(node->inode);
    gofer_fid_give_back(c, node->fid, true);
    list_del(&node->fid_link);
    node->fid = NP_NOFID;
    c->nr_fids--;
}

void gofer_fid_give_back(struct gofer_connection *c, uint32_t fid, bool bound)
{
    // Neither is ever full: there are no more fids than their size.
    if (bound)
        c->dead_fids[c->nr_dead++] = fid;
    else
        c->free_fids[c->nr_free++] = fid;
}

// Clunks what was forgotten, when there is enough of it for one message or numbers run out.
static int clunk_dead(struct gofer_connection *c, unsigned at_least)
{
    while (c->nr_dead >= at_least && c->nr_dead) {
        uint32_t batch[NP_FIDS_MAX];
        unsigned count = c->nr_dead < NP_FIDS_MAX ? c->nr_dead : NP_FIDS_MAX;
        c->nr_dead -= count;
        memcpy(batch, c->dead_fids + c->nr_dead, count * sizeof(batch[0]));
        int err = GOFER_BLOCKING(gofer_clunk(&c->client, batch, (uint16_t)count));
        if (err)
            return err;
        memcpy(c->free_fids + c->nr_free, batch, count * sizeof(batch[0]));
        c->nr_free += count;
    }
    return 0;
}

// Forgets the least recently used fids until fewer than `limit` are left. Orphans keep theirs: they have no
// other name.
static void evict_fids(struct gofer_connection *c, unsigned limit)
{
    list_for_each_safe(node, &c->fid_lru, struct gofer_inode, fid_link)
    {
        if (c->nr_fids < limit)
            return;
        if (!node->orphan)
            gofer_fid_forget(node);
    }
}

void gofer_fids_forget_all(struct gofer_connection *c)
{
    evict_fids(c, 0);
}

int gofer_fid_take(struct gofer_connection *c, uint32_t *fid)
{
    if (c->nr_fids >= c->max_fids)
        evict_fids(c, c->max_fids - c->max_fids / 8);
    int err = clunk_dead(c, NP_FIDS_MAX / 2);
    if (!err && !c->nr_free && c->next_fid >= GOFER_FIDS_MAX)
        err = clunk_dead(c, 1);
    if (err)
        return err;
    if (c->nr_free)
        *fid = c->free_fids[--c->nr_free];
    else if (c->next_fid < GOFER_FIDS_MAX)
        *fid = c->next_fid++;
    else
        return -LX_ENFILE;
    return 0;
}

// Copies the names from the nearest ancestor with a fid to `inode`. When there are too many, *deep is one
// that is to be bound first.
static int collect(struct inode *inode, unsigned most, struct gofer_reach *reach, struct inode **deep)
{
    struct gofer_inode *node = gofer_inode(inode);
    unsigned count = 0;
    size_t size = 0;
    *deep = NULL;
    for (; node->fid == NP_NOFID; node = gofer_inode(node->parent)) {
        // The count: replies that make no sense could have closed the chain to a circle.
        if (node->orphan || !node->parent || count > CHAIN_MAX)
            return -LX_ESTALE;
        size += strlen(node->name);
        count++;
    }
    if (count > most) {
        struct inode *at = inode;
        for (; count > most; count--)
            at = gofer_inode(at)->parent;
        *deep = at;
        return 0;
    }
    reach->base = node;
    reach->fid = node->fid;
    reach->count = (uint16_t)count;
    reach->text = size ? malloc(size) : NULL;
    if (size && !reach->text)
        return -LX_ENOMEM;
    char *to = reach->text + size;
    for (struct gofer_inode *at = gofer_inode(inode); count--; at = gofer_inode(at->parent)) {
        size_t length = strlen(at->name);
        to -= length;
        memcpy(to, at->name, length);
        reach->names[count] = (struct np_str){.bytes = to, .length = (uint16_t)length};
    }
    pin(node);
    return 0;
}

int gofer_reach(struct inode *inode, unsigned extra, struct gofer_reach *reach)
{
    struct gofer_inode *node = gofer_inode(inode);
    *reach = (struct gofer_reach){.base = NULL};
    bool bound = false;
    // A directory that is used again and again gets a fid: the Gofer then need not walk to it each time.
    if (node->fid == NP_NOFID && LX_S_ISDIR(inode->attr.mode) && ++node->uses >= GOFER_BIND_AFTER) {
        node->uses = 0;
        bound = gofer_bind(inode) == 0;
    }
    int err;
    for (;;) {
        struct inode *deep;
        err = collect(inode, NP_NAMES_MAX - extra, reach, &deep);
        if (err || !deep)
            break;
        inode_get(deep);
        err = gofer_bind(deep);
        if (!err)
            gofer_unpin(deep);
        inode_put(deep);
        if (err)
            break;
    }
    if (bound)
        gofer_unpin(inode);
    return err;
}

void gofer_reach_end(struct gofer_reach *reach)
{
    if (reach->base)
        unpin(reach->base);
    free(reach->text);
    *reach = (struct gofer_reach){.base = NULL};
}

// One try to walk a new fid to the inode.
static int try_bind(struct inode *inode, struct gofer_walk *walk)
{
    struct gofer_inode *node = gofer_inode(inode);
    struct gofer_connection *c = gofer_connection_of(inode);
    struct gofer_reach reach = {.base = NULL};
    struct inode *deep;
    uint32_t fid;
    int err = gofer_fid_take(c, &fid);
    if (err)
        return err;
    while ((err = collect(inode, NP_NAMES_MAX, &reach, &deep)) == 0 && deep) {
        inode_get(deep);
        err = gofer_bind(deep);
        if (!err)
            gofer_unpin(deep);
        inode_put(deep);
        if (err)
            break;
    }
    if (err || node->fid != NP_NOFID) { // another call was faster
        gofer_reach_end(&reach);
        gofer_fid_give_back(c, fid, false);
        return err;
    }
    err = GOFER_BLOCKING(gofer_walk(&c->client, reach.fid, fid, reach.names, reach.count, walk));
    gofer_reach_end(&reach);
    if (!err && !walk->bound)
        err = -(int)walk->stop;
    if (err) {
        gofer_fid_give_back(c, fid, false);
        return err == -LX_ENOENT || err == -LX_ENOTDIR ? -LX_ESTALE : err;
    }
    if (node->fid != NP_NOFID || walk->attr[walk->count - 1].qid.path != node->qid_path) {
        err = node->fid != NP_NOFID ? 0 : -LX_ESTALE;
        gofer_fid_give_back(c, fid, true);
        return err;
    }
    node->fid = fid;
    c->nr_fids++;
    if (node->fid_pins == 0)
        list_add_tail(&node->fid_link, &c->fid_lru);
    return 0;
}

int gofer_bind(struct inode *inode)
{
    struct gofer_inode *node = gofer_inode(inode);
    inode_get(inode);
    int err = 0;
    struct gofer_walk *walk = NULL;
    for (int attempt = 0; node->fid == NP_NOFID && attempt < 4; attempt++) {
        if (!walk)
            walk = malloc(sizeof(*walk));
        err = walk ? try_bind(inode, walk) : -LX_ENOMEM;
        if (err == -LX_EMFILE) {
            // The Gofer holds fewer than we hoped.
            struct gofer_connection *c = gofer_connection_of(inode);
            c->max_fids = c->nr_fids > 64 ? c->nr_fids - c->nr_fids / 4 : 48;
            log_info("gofer: at most %u fids", c->max_fids);
            evict_fids(c, c->max_fids);
            err = clunk_dead(c, 1);
        } else if (err && err != -LX_ESTALE) {
            break;
        }
    }
    free(walk);
    if (node->fid != NP_NOFID) {
        pin(node);
        err = 0;
    } else if (!err) {
        err = -LX_ESTALE;
    }
    inode_put(inode);
    return err;
}
