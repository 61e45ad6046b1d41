// Requests on directories.
#include <errno.h>
#include <string.h>

#include "sentry/fs/gofer/client_internal.h"

static void set_names(struct np_names *to, const struct np_str *names, uint16_t count)
{
    to->count = count;
    for (uint16_t i = 0; i < count; i++)
        to->name[i] = names[i];
}

// Entries up to the end of the cursor. 1, 0 when one was not wanted, -EIO when they make no sense.
static int take_entries(struct np_cursor *cursor, gofer_entry_fn *entry, void *context)
{
    while (cursor->position < cursor->size) {
        struct np_dirent dirent;
        struct np_attr attr;
        np_get_dirent(cursor, &dirent);
        np_get_attr(cursor, &attr);
        if (cursor->overflow || !gofer_is_component(dirent.name) || dirent.offset > INT64_MAX)
            return -EIO;
        if (!entry(context, &dirent, &attr))
            return 0;
    }
    return 1;
}

int gofer_readdir(struct gofer_client *client, uint32_t fid, const struct np_str *names, uint16_t count,
                  uint64_t offset, uint32_t size, gofer_entry_fn *entry, void *context, bool *end)
{
    if (count > NP_NAMES_MAX)
        return -EINVAL;
    if (client->plain) {
        gofer_begin(client, np_type_of_treaddir);
        return gofer_finish(client,
                            plain_readdir(client, fid, names, count, offset, size, entry, context, end));
    }
    struct np_treaddirattr *request = &gofer_begin(client, np_type_of_treaddirattr)->treaddirattr;
    request->fid = fid;
    request->offset = offset;
    request->count = size;
    set_names(&request->names, names, count);
    int error = gofer_rpc(client, NULL, 0);
    if (error)
        return gofer_finish(client, error);
    const struct np_rreaddirattr *reply = &client->reply.rreaddirattr;
    struct np_cursor cursor = np_cursor_over((void *)(uintptr_t)reply->data.bytes, reply->data.count);
    *end = reply->end;
    int more = take_entries(&cursor, entry, context);
    if (more == 0)
        *end = false;
    return gofer_finish(client, more < 0 ? more : 0);
}

static int take_directory(struct np_cursor *cursor, uint16_t seen, gofer_directory_fn *directory,
                          gofer_entry_fn *entry, void *context)
{
    uint16_t parent = (uint16_t)np_get(cursor, 2);
    struct np_str name = {.length = (uint16_t)np_get(cursor, 2)};
    name.bytes = (const char *)np_take(cursor, name.length);
    uint32_t size = (uint32_t)np_get(cursor, 4);
    uint8_t *bytes = np_take(cursor, size);
    if (cursor->overflow || !gofer_is_component(name) || (parent >= seen && parent != UINT16_MAX))
        return -EIO;
    if (!directory(context, parent, name))
        return 0;
    struct np_cursor entries = np_cursor_over(bytes, size);
    return take_entries(&entries, entry, context);
}

int gofer_readdir_tree(struct gofer_client *client, uint32_t fid, const struct np_str *names, uint16_t count,
                       const struct np_names *below, uint32_t size, gofer_directory_fn *directory,
                       gofer_entry_fn *entry, void *context)
{
    if (count > NP_NAMES_MAX || client->plain)
        return -EINVAL;
    struct np_treaddirtree *request = &gofer_begin(client, np_type_of_treaddirtree)->treaddirtree;
    request->fid = fid;
    request->count = size;
    set_names(&request->names, names, count);
    request->below = *below;
    int error = gofer_rpc(client, NULL, 0);
    if (error)
        return gofer_finish(client, error);
    const struct np_data *data = &client->reply.rreaddirtree.data;
    struct np_cursor cursor = np_cursor_over((void *)(uintptr_t)data->bytes, data->count);
    int more = 1;
    for (uint16_t seen = 0; more == 1 && cursor.position < cursor.size; seen++)
        more = take_directory(&cursor, seen, directory, entry, context);
    return gofer_finish(client, more < 0 ? more : 0);
}
