// The io_uring loop: one system call sends a reply and waits for the next request.
//
// The ring is made disabled, restricted to recvmsg, sendmsg and poll, and then enabled; the filter that
// follows leaves only io_uring_enter(2), so nothing can open, connect or execute through it.
#include "gofer/loop.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1u << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1u << 13)
#endif
#define ENTRIES 128
#define LISTENER_DATA UINT64_MAX

int loop_uring_prepare(struct loop *loop)
{
    static const uint8_t allowed[] = {IORING_OP_RECVMSG, IORING_OP_SENDMSG, IORING_OP_POLL_ADD};
    struct io_uring_restriction restrictions[sizeof(allowed) + 1] = {0};
    unsigned int count = 0;
    for (; count < sizeof(allowed); count++) {
        restrictions[count].opcode = IORING_RESTRICTION_SQE_OP;
        restrictions[count].sqe_op = allowed[count];
    }
    restrictions[count].opcode = IORING_RESTRICTION_REGISTER_OP;
    restrictions[count++].register_op = IORING_REGISTER_ENABLE_RINGS;
    struct io_uring *ring = calloc(1, sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    // Completions are worked off when this thread asks for them, not by interrupting it (since 6.1).
    int error = io_uring_queue_init(
        ENTRIES, ring, IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    if (error == -EINVAL)
        error = io_uring_queue_init(ENTRIES, ring, IORING_SETUP_R_DISABLED);
    if (error) {
        free(ring);
        return error;
    }
    error = io_uring_register_restrictions(ring, restrictions, count);
    if (!error)
        error = io_uring_enable_rings(ring);
    if (error) {
        io_uring_queue_exit(ring);
        free(ring);
        return error;
    }
    loop->ring = ring;
    return 0;
}

// Queues what the connection wants. False when it has ended.
static bool submit(struct io_uring *ring, struct connection *connection, unsigned int index, uint8_t *pending)
{
    enum connection_want want = connection_next(connection);
    if (want == CONNECTION_CLOSED)
        return false;
    // Never NULL: each connection and the listener have at most one entry in flight.
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    if (want == CONNECTION_SEND)
        io_uring_prep_sendmsg(sqe, connection->fd, &connection->message, MSG_NOSIGNAL);
    else
        io_uring_prep_recvmsg(sqe, connection->fd, &connection->message, MSG_CMSG_CLOEXEC);
    sqe->user_data = (uint64_t)index << 8 | (uint64_t)want;
    pending[index] = 1;
    return true;
}

int loop_uring_run(struct loop *loop)
{
    struct io_uring *ring = loop->ring;
    uint8_t pending[LOOP_CONNECTIONS_MAX] = {0};
    bool listening = false;
    for (;;) {
        bool any = false;
        for (unsigned int i = 0; i < LOOP_CONNECTIONS_MAX; i++) {
            if (!loop->connections[i])
                continue;
            if (!pending[i] && !submit(ring, loop->connections[i], i, pending)) {
                if (loop_remove(loop, i))
                    return 0;
                continue;
            }
            any = true;
        }
        if (loop->listener >= 0 && !listening) {
            struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
            io_uring_prep_poll_add(sqe, loop->listener, POLLIN);
            sqe->user_data = LISTENER_DATA;
            listening = true;
        }
        if (!any && loop->listener < 0)
            return 0;
        int error = io_uring_submit_and_wait(ring, 1);
        if (error < 0 && error != -EINTR)
            return error;
        struct io_uring_cqe *cqe;
        while (io_uring_peek_cqe(ring, &cqe) == 0) {
            if (cqe->user_data == LISTENER_DATA) {
                listening = false;
                loop_accept(loop);
            } else {
                unsigned int index = (unsigned int)(cqe->user_data >> 8);
                pending[index] = 0;
                connection_done(loop->connections[index], (enum connection_want)(cqe->user_data & 0xff),
                                cqe->res);
            }
            io_uring_cqe_seen(ring, cqe);
        }
    }
}
