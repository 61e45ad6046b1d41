#include "gofer/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int loop_add(struct loop *loop, int fd)
{
    for (unsigned int i = 0; i < LOOP_CONNECTIONS_MAX; i++) {
        if (loop->connections[i])
            continue;
        struct connection *connection = malloc(sizeof(*connection));
        int error = -ENOMEM;
        if (connection)
            error = connection_init(connection, fd, loop->host, loop->message_limit, loop->fid_limit);
        if (!error) {
            loop->connections[i] = connection;
            return 0;
        }
        if (connection)
            connection_destroy(connection);
        else
            close(fd);
        free(connection);
        return error;
    }
    close(fd);
    return -EMFILE;
}

void loop_accept(struct loop *loop)
{
    int fd = accept4(loop->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        loop_add(loop, fd);
}

bool loop_remove(struct loop *loop, unsigned int index)
{
    connection_destroy(loop->connections[index]);
    free(loop->connections[index]);
    loop->connections[index] = NULL;
    if (loop->listener >= 0)
        return false;
    for (unsigned int i = 0; i < LOOP_CONNECTIONS_MAX; i++) {
        if (loop->connections[i])
            return false;
    }
    return true;
}
