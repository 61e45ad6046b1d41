// The plain loop: poll(2), then one recvmsg or sendmsg that does not wait.
#include "gofer/loop.h"

#include <errno.h>
#include <poll.h>

// One step of a connection whose socket is ready, or may be.
static void step(struct connection *connection, enum connection_want want)
{
    ssize_t result = want == CONNECTION_SEND
                         ? sendmsg(connection->fd, &connection->message, MSG_DONTWAIT | MSG_NOSIGNAL)
                         : recvmsg(connection->fd, &connection->message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    connection_done(connection, want, result < 0 ? -errno : result);
}

int loop_poll_run(struct loop *loop)
{
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
                step(connection, want);
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
                step(loop->connections[index[i]], wants[i]);
        }
        if (count > connections && ready[connections].revents)
            loop_accept(loop);
    }
}
