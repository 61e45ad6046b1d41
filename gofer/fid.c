#include "gofer/fid.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static struct fid **slot(struct fid_table *table, uint32_t number)
{
    struct fid **place = &table->bucket[number % FID_BUCKETS];
    while (*place && (*place)->number != number)
        place = &(*place)->next;
    return place;
}

struct fid *fid_find(const struct fid_table *table, uint32_t number)
{
    struct fid *fid = table->bucket[number % FID_BUCKETS];
    while (fid && fid->number != number)
        fid = fid->next;
    return fid;
}

int fid_add(struct fid_table *table, uint32_t number, struct node *node, struct fid **out)
{
    if (number == NP_NOFID)
        return -EBADF;
    struct fid **place = slot(table, number);
    if (*place)
        return -EEXIST;
    if (table->count >= table->limit)
        return -EMFILE;
    struct fid *fid = malloc(sizeof(*fid));
    if (!fid)
        return -ENOMEM;
    *fid = (struct fid){.number = number, .node = node_get(node), .open_fd = -1, .dir_fd = -1};
    *place = fid;
    table->count++;
    if (out)
        *out = fid;
    return 0;
}

static void close_contents(struct fid_table *table, struct fid *fid)
{
    if (fid->open_fd >= 0)
        close(fid->open_fd);
    if (fid->dir_fd >= 0)
        close(fid->dir_fd);
    if (fid->xattr)
        table->xattr_count--;
    free(fid->xattr);
    node_put(fid->node);
    fid->open_fd = fid->dir_fd = -1;
    fid->xattr = NULL;
}

void fid_move(struct fid_table *table, struct fid *fid, struct node *node)
{
    node_get(node);
    close_contents(table, fid);
    fid->node = node;
}

void fid_remove(struct fid_table *table, struct fid *fid)
{
    *slot(table, fid->number) = fid->next;
    close_contents(table, fid);
    free(fid);
    table->count--;
}

void fid_remove_all(struct fid_table *table)
{
    for (unsigned int i = 0; i < FID_BUCKETS; i++) {
        while (table->bucket[i])
            fid_remove(table, table->bucket[i]);
    }
}
