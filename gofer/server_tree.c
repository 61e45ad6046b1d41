// Reading several directories with one message: those that a client names, each followed by what lies below it, in the
// order in which programs walk trees.
#include "gofer/server.h"

#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORIES_MAX 64 // of one reply
#define DEPTH_MAX 16       // below the named ones: each level holds a descriptor

struct tree {
    struct server *server;
    struct np_cursor cursor;
    uint16_t count;
    bool full;
};

static void put_subtree(struct tree *tree, const struct node *parent, uint16_t parent_index,
                        struct np_str name, unsigned int depth);

static void put_subdirectories(struct tree *tree, const struct node *node, uint16_t index,
                               struct np_cursor entries, unsigned int depth)
{
    while (entries.position < entries.size && !tree->full) {
        struct np_dirent entry;
        struct np_attr attr;
        np_get_dirent(&entries, &entry);
        np_get_attr(&entries, &attr);
        if (S_ISDIR(attr.mode))
            put_subtree(tree, node, index, entry.name, depth);
    }
}

// A directory that cannot be read is left out: who asks for it by itself gets the errno. One that does not fit whole
// ends the reply.
static void put_subtree(struct tree *tree, const struct node *parent, uint16_t parent_index,
                        struct np_str name, unsigned int depth)
{
    struct np_cursor *cursor = &tree->cursor, before = *cursor;
    struct node *node;
    tree->full = tree->count == DIRECTORIES_MAX;
    if (tree->full || node_walk(tree->server->host, parent, name, &node) < 0)
        return;
    int fd = S_ISDIR(node->type) ? node_reopen(tree->server->host, node, 0) : -1;
    if (fd < 0) {
        node_put(node);
        return;
    }
    np_put(cursor, parent_index, 2);
    np_put(cursor, name.length, 2);
    uint8_t *copy = np_take(cursor, name.length);
    if (copy)
        memcpy(copy, name.bytes, name.length);
    uint8_t *size = np_take(cursor, 4);
    size_t start = cursor->position;
    int result = cursor->overflow ? 0 : server_put_directory(tree->server, node, fd, cursor);
    close(fd);
    if (result == 1) {
        uint32_t bytes = (uint32_t)(cursor->position - start);
        memcpy(size, &bytes, sizeof(bytes));
        uint16_t index = tree->count++;
        if (depth < DEPTH_MAX)
            put_subdirectories(tree, node, index, np_cursor_over(cursor->data + start, bytes), depth + 1);
    } else {
        *cursor = before;
        tree->full = result == 0;
    }
    node_put(node);
}

int server_readdirtree(struct server *server)
{
    const struct np_treaddirtree *in = &server->in.treaddirtree;
    struct fid *fid;
    struct node *node;
    int error = server_fid(server, in->fid, &fid);
    if (!error)
        error = server_walk_to(server, fid->node, &in->names, &node);
    if (error)
        return error;
    uint8_t *place = server->reply + NP_HEADER_SIZE + 4;
    struct tree tree = {.server = server, .cursor = np_cursor_over(place, server_room(server, in->count, 4))};
    for (uint16_t i = 0; i < in->below.count && !tree.full; i++)
        put_subtree(&tree, node, UINT16_MAX, in->below.name[i], 0);
    node_put(node);
    server->out.rreaddirtree.data = (struct np_data){.bytes = place, .count = (uint32_t)tree.cursor.position};
    return 0;
}
