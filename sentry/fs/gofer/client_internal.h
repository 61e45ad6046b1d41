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
