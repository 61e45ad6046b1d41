#pragma once
// Nonblocking use of a host descriptor that is itself blocking: pipe, socket, terminal, character device. Kernel lock.
#include "sentry/core/event.h"
#include "sentry/core/wait.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct file;
struct iov_iter;

enum stream_kind { STREAM_PIPE, STREAM_SOCKET, STREAM_OTHER };

struct host_stream {
    int fd;                // owned by the holder
    enum stream_kind kind; // never changes
    bool pollable;         // else always ready (/dev/null); never changes
    bool no_nowait;        // RWF_NOWAIT is not supported here
    bool reading, writing; // a worker is inside read(2) or write(2) with the kernel lock dropped
    struct host_watch watch;
    struct wait_queue *wait; // who waits for it; shared by the two streams of a terminal
};

// What a guest's events are for the host's poll and epoll, and back.
uint32_t host_events(uint32_t events);
uint32_t guest_events(uint32_t host);
// What those who wait on a queue want, as events of the host.
uint32_t wanted_events(const struct wait_queue *queue);
// Registers with the event loop. 0 or -errno.
int host_stream_init(struct host_stream *s, int fd, enum stream_kind kind, struct wait_queue *wait);
void host_stream_release(struct host_stream *s); // before the descriptor is closed
// One host read or write of at most n bytes. Bytes, -errno; -LX_EAGAIN when it would block. May drop the kernel lock.
ssize_t host_stream_recv(struct host_stream *s, void *buf, size_t n);
ssize_t host_stream_send(struct host_stream *s, const void *buf, size_t n);
// Events out of `mask` that hold now.
uint32_t host_stream_ready(const struct host_stream *s, uint32_t mask);
// Arms the event loop for what the waiters on the queue want.
void host_stream_arm(struct host_stream *s);
// EAGAIN, or blocks until `events`, as the file's flags say.
int64_t host_stream_block(struct host_stream *s, struct file *f, uint32_t events);
// The operations of a file on a stream.
int64_t host_stream_read(struct host_stream *s, struct file *f, struct iov_iter *it);
int64_t host_stream_write(struct host_stream *s, struct file *f, struct iov_iter *it);
uint32_t host_stream_poll(struct host_stream *s, struct poll_table *pt);
