#pragma once
// Between the files of the client. The client's lock is taken by gofer_begin() and given back by
// gofer_finish().
#include "sentry/fs/gofer/client.h"

// Locks the client and returns the request to be filled in.
struct np_message *gofer_begin(struct gofer_client *client, uint8_t type);
// Sends client->request, receives client->reply. With `host_fd` a successful reply must bring one descriptor
// of a regular file opened with the access mode of `flags`; without, none.
int gofer_rpc(struct gofer_client *client, int *host_fd, uint32_t flags);
// Unlocks; returns `error`.
int gofer_finish(struct gofer_client *client, int error);
// gofer_rpc and gofer_finish, for requests without results.
int gofer_simple(struct gofer_client *client);
// A name that a directory may hold: what a hostile server could send else must not reach the VFS.
bool gofer_is_component(struct np_str name);

// --- client_plain.c: requests in plain 9P2000.L. With the client's lock held.
int plain_attach(struct gofer_client *client, uint32_t fid, const char *name, struct np_attr *attr);
int plain_walk(struct gofer_client *client, uint32_t fid, uint32_t newfid, const struct np_str *names,
               uint16_t count, struct gofer_walk *walk);
int plain_stat(struct gofer_client *client, uint32_t fid, struct np_attr *attr);
int plain_open(struct gofer_client *client, uint32_t fid, uint32_t newfid, const struct np_str *names,
               uint16_t count, uint32_t flags, struct np_attr *attr);
int plain_create(struct gofer_client *client, uint32_t dfid, uint32_t newfid, struct np_str name,
                 uint32_t flags, uint32_t mode, uint32_t gid, struct np_attr *attr);
int plain_make(struct gofer_client *client, uint32_t dfid, uint32_t newfid, const struct gofer_make *make,
               struct np_attr *attr);
int plain_clunk(struct gofer_client *client, const uint32_t *fids, uint16_t count);
int plain_readdir(struct gofer_client *client, uint32_t fid, const struct np_str *names, uint16_t count,
                  uint64_t offset, uint32_t size, gofer_entry_fn *entry, void *context, bool *end);
int plain_sync_dir(struct gofer_client *client, uint32_t fid, bool datasync);
int plain_change(struct gofer_client *client, const struct np_tsetattrget *change, struct np_attr *attr);
int plain_rename(struct gofer_client *client, uint32_t old_dfid, struct np_str old_name, uint32_t new_dfid,
                 struct np_str new_name, uint32_t flags);
int plain_unlink(struct gofer_client *client, uint32_t dfid, struct np_str name, bool directory);
int64_t plain_getxattr(struct gofer_client *client, uint32_t fid, struct np_str name, void *value,
                       size_t size);
int plain_setxattr(struct gofer_client *client, uint32_t fid, struct np_str name, const void *value,
                   size_t size, uint32_t flags);
