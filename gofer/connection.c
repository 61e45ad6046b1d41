#include "gofer/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int connection_init(struct connection *connection, int fd, struct host *host, uint32_t message_limit,
                    uint32_t fid_limit)
{
    *connection = (struct connection){.fd = fd};
    int error = server_init(&connection->server, host, message_limit, fid_limit);
    if (error)
        return error;
    connection->input_size = connection->server.message_limit;
    connection->input = malloc(connection->input_size);
    return connection->input ? 0 : -ENOMEM;
}

void connection_destroy(struct connection *connection)
{
    if (connection->server.donated >= 0)
        close(connection->server.donated);
    if (connection->fd >= 0)
        close(connection->fd);
    free(connection->input);
    server_destroy(&connection->server);
    connection->fd = -1;
}

// Handles the first request when all of it is there.
static void handle_one(struct connection *connection)
{
    if (connection->received < 4)
        return;
    uint32_t size = np_announced_size(connection->input);
    if (size < NP_HEADER_SIZE || size > connection->server.message_size) {
        // Out of step or over the settled size: there is no way to find the next request.
        fprintf(stderr, "gofer: request of %u bytes refused, closing the connection\n", size);
        connection->closed = true;
        return;
    }
    if (connection->received < size)
        return;
    connection->reply_size = server_handle(&connection->server, connection->input, size);
    connection->sent = 0;
    connection->received -= size;
    memmove(connection->input, connection->input + size, connection->received);
}

enum connection_want connection_next(struct connection *connection)
{
    struct msghdr *message = &connection->message;
    if (!connection->closed && connection->sent == connection->reply_size)
        handle_one(connection);
    if (connection->closed)
        return CONNECTION_CLOSED;
    *message = (struct msghdr){.msg_iov = &connection->vector, .msg_iovlen = 1};
    if (connection->sent == connection->reply_size) {
        // No room for control data: descriptors that a client sends are dropped by the kernel.
        connection->vector = (struct iovec){.iov_base = connection->input + connection->received,
                                            .iov_len = connection->input_size - connection->received};
        return CONNECTION_RECEIVE;
    }
    connection->vector = (struct iovec){.iov_base = connection->server.reply + connection->sent,
                                        .iov_len = connection->reply_size - connection->sent};
    if (connection->server.donated >= 0) {
        message->msg_control = &connection->control;
        message->msg_controllen = sizeof(connection->control);
        struct cmsghdr *header = CMSG_FIRSTHDR(message);
        *header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(header), &connection->server.donated, sizeof(int));
    }
    return CONNECTION_SEND;
}

void connection_done(struct connection *connection, enum connection_want what, ssize_t result)
{
    if (result == -EAGAIN || result == -EINTR)
        return;
    if (result <= 0) {
        connection->closed = true;
        return;
    }
    if (what == CONNECTION_RECEIVE) {
        connection->received += (size_t)result;
        return;
    }
    connection->sent += (size_t)result;
    // It went with the first byte.
    if (connection->server.donated >= 0)
        close(connection->server.donated);
    connection->server.donated = -1;
}
