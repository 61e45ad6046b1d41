// The plain loop: poll(2), then one recvmsg or sendmsg that does not wait.
#include "gofer/loop.h"

#include <errno.h>
#include <poll.h>

// One step of a connection; with MSG_DONTWAIT in `flags` its socket is ready, or may be.
static void step(struct connection *connection, enum connection_want want, int flags)
{
    ssize_t result = want == CONNECTION_SEND
                         ? sendmsg(connection->fd, &connection->message, flags | MSG_NOSIGNAL)
                         : recvmsg(connection->fd, &connection->message, flags | MSG_CMSG_CLOEXEC);
    connection_done(connection, want, result < 0 ? -errno : result);
}

// The usual case, one client and nobody to come: it waits in recvmsg itself, which saves a call for each
// request.
static int serve_one(struct loop *loop, unsigned int index)
{
    struct connection *connection = loop->connections[index];
    enum connection_want want;
    while ((want = connection_next(connection)) != CONNECTION_CLOSED)
        step(connection, want, 0);
    loop_remove(loop, index);
    return 0;
}

int loop_poll_run(struct loop *loop)
{
    if (loop->listener < 0 && loop->connections[0] && !loop->connections[1])
        return serve_one(loop, 0);
    for (;;) {
        struct pollfd ready[LOOP_CONNECTIONS_MAX + 1];
        unsigned int index[LOOP_CONNECTIONS_MAX + 1];
        enum connection_want wants[LOOP_CONNECTIONS_MAX + 1];
        nfds_t count = 0;
        for (unsigned int i = 0; i < LOOP_CONNECTIONS_MAX; i++) {
            struct connection *connection = loop->connections[i];
            if (!connection)
                continue;
            enum connection_want want = connection_next(connection);
            if (want == CONNECTION_SEND) {
                // A reply nearly always fits: wait only when it does not.
                step(connection, want, MSG_DONTWAIT);
                want = connection_next(connection);
            }
            if (want == CONNECTION_CLOSED) {
                if (loop_remove(loop, i))
                    return 0;
                continue;
            }
            ready[count] =
                (struct pollfd){.fd = connection->fd, .events = want == CONNECTION_SEND ? POLLOUT : POLLIN};
            index[count] = i;
            wants[count++] = want;
        }
        nfds_t connections = count;
        if (loop->listener >= 0)
            ready[count++] = (struct pollfd){.fd = loop->listener, .events = POLLIN};
        if (!count)
            return 0;
        if (poll(ready, count, -1) < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        for (nfds_t i = 0; i < connections; i++) {
            if (ready[i].revents)
                step(loop->connections[index[i]], wants[i], MSG_DONTWAIT);
        }
        if (count > connections && ready[connections].revents)
            loop_accept(loop);
    }
}
