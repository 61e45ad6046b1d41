// One client: bytes in, whole requests to the server, replies with descriptors out. It does no I/O itself: a
// loop asks what it wants, does that, and tells the result, so that the loops (gofer/loop.h) differ in
// nothing else.
#pragma once

#include <sys/socket.h>

#include "gofer/server.h"

enum connection_want { CONNECTION_RECEIVE, CONNECTION_SEND, CONNECTION_CLOSED };

struct connection {
    int fd;
    struct server server;
    uint8_t *input;
    size_t input_size, received;
    size_t reply_size, sent; // of server.reply; equal when there is nothing to send
    struct msghdr message;
    struct iovec vector;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    bool closed;
};

// Takes the socket over. 0 or -errno.
int connection_init(struct connection *connection, int fd, struct host *host, uint32_t message_limit,
                    uint32_t fid_limit);
void connection_destroy(struct connection *connection);

// What to do next; for RECEIVE and SEND connection->message is ready for recvmsg or sendmsg.
enum connection_want connection_next(struct connection *connection);
// The result of it: bytes, 0 for end of file, or -errno (-EAGAIN and -EINTR: nothing happened).
void connection_done(struct connection *connection, enum connection_want what, ssize_t result);
