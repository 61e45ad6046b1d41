// The loops that move a Gofer's bytes. Both serve a set of connections, and optionally a listening socket,
// until the last connection has ended and nothing listens.
#pragma once

#include "gofer/connection.h"

#define LOOP_CONNECTIONS_MAX 64

struct loop {
    struct host *host;
    uint32_t message_limit, fid_limit;
    int listener; // or -1
    struct connection *connections[LOOP_CONNECTIONS_MAX];
    void *ring; // struct io_uring of the io_uring loop
};

// Adds a connected socket; takes it over even when it fails. 0 or -errno.
int loop_add(struct loop *loop, int fd);
// Accepts one connection and adds it, or turns it away.
void loop_accept(struct loop *loop);
// Frees a connection that has ended. True when nothing is left to serve.
bool loop_remove(struct loop *loop, unsigned int index);

int loop_poll_run(struct loop *loop);

// Makes the ring, restricts it to receiving, sending and polling, and enables it. Before the filter. 0 or
// -errno: -EPERM or -ENOSYS where io_uring is forbidden or too old.
int loop_uring_prepare(struct loop *loop);
int loop_uring_run(struct loop *loop);
