// --strace: hands finished calls to the formatter and its lines to the trace descriptor.
#include "sentry/trace/trace.h"
#include "sentry/trap/hypercall.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static int trace_fd = -1; // never changes after trace_init

void trace_init(int fd)
{
    trace_fd = fd;
}

static ssize_t read_guest(void *ctx, void *dst, uint64_t src, size_t n)
{
    struct task *t = ctx;
    ssize_t r = t->mm_gone ? 0 : uaccess_ops->read(t, dst, src, n);
    return r < 0 ? 0 : r;
}

static struct trace_event event_of(const struct call *c)
{
    struct trace_event e = {.pid = c->task->tid, .comm = c->task->comm, .nr = c->nr};
    memcpy(e.args, c->args, sizeof(e.args));
    return e;
}

static void put(const char *line, size_t length)
{
    while (length) {
        ssize_t n = write(trace_fd, line, length);
        if (n < 0 && errno != EINTR)
            return; // a reader that went away ends the trace, not the guest
        if (n > 0)
            line += n, length -= (size_t)n;
    }
}

void trap_trace(struct call *c, int64_t result)
{
    if (trace_fd < 0)
        return;
    static char line[TRACE_LINE_MAX]; // kernel lock
    struct task *t = c->task;
    struct trace_reader reader = {read_guest, t};
    struct trace_event e = event_of(c);
    e.result = result == CALL_CONTINUE ? 0 : result;
    e.no_return = c->nr == 60 || c->nr == 231;
    e.duration_ns = mono_now_ns() - c->started_ns;
    put(line, trace_format(line, sizeof(line), &reader, &e));
}
