// The fids of one connection: numbers the client chose, each standing on a node.
#pragma once

#include "gofer/host.h"

#define FID_BUCKETS 1024
#define XATTR_SIZE_MAX 65536
#define XATTR_FIDS_MAX 16 // fids of one connection that hold an attribute's bytes

struct xattr_state {
    bool writing; // Txattrcreate: set when the fid is clunked
    bool failed;
    int flags;
    char name[NP_NAME_MAX + 1];
    uint32_t size; // of data
    uint32_t filled;
    uint8_t data[];
};

struct fid {
    uint32_t number;
    struct fid *next;
    struct node *node;
    int open_fd;               // what Tlopen or Tlcreate opened, or -1
    int dir_fd;                // what Treaddirattr reads, or -1
    struct xattr_state *xattr; // Txattrwalk, Txattrcreate: the fid is an attribute, not a file
};

struct fid_table {
    struct fid *bucket[FID_BUCKETS];
    uint32_t count, limit;
    uint32_t xattr_count;
};

struct fid *fid_find(const struct fid_table *table, uint32_t number);
// A new fid on `node` (a reference is taken). -EBADF for NOFID, -EEXIST when the number is in use, -EMFILE at
// the limit.
int fid_add(struct fid_table *table, uint32_t number, struct node *node, struct fid **out);
// Moves a fid to another node, closing what it had open.
void fid_move(struct fid_table *table, struct fid *fid, struct node *node);
void fid_remove(struct fid_table *table, struct fid *fid);
void fid_remove_all(struct fid_table *table);
