// --strace: hands finished calls to the formatter and its lines to the trace descriptor.
#include "sentry/trace/trace.h"
#include "sentry/trap/hypercall.h"
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
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

// A call that goes on in the stub: what is known of it before its result. Kernel lock.
struct trace_pending {
    struct trace_event event;
    char comm[TASK_COMM_LEN];
    uint64_t started_ns;
    gaddr_t native_ip; // not 0: the host runs it, and the next kick finds the result at this address
    char call[];
};

static void emit(const struct trace_event *e, const char *call)
{
    static char line[TRACE_LINE_MAX + 256]; // kernel lock
    put(line, trace_format_line(line, sizeof(line), e, call));
}

static void keep(struct call *c, const struct trace_event *e, const char *text, size_t length,
                 gaddr_t native_ip)
{
    struct task *t = c->task;
    free(t->trap.trace); // none is left, but a lost one would leak
    t->trap.trace = NULL;
    struct trace_pending *p = malloc(sizeof(*p) + length + 1);
    if (!p)
        return;
    p->event = *e;
    p->started_ns = c->started_ns;
    p->native_ip = native_ip;
    memcpy(p->comm, t->comm, sizeof(p->comm));
    memcpy(p->call, text, length + 1);
    t->trap.trace = p;
}

void trap_trace(struct call *c, int64_t result)
{
    if (trace_fd < 0)
        return;
    static char text[TRACE_LINE_MAX]; // kernel lock
    struct task *t = c->task;
    struct trace_reader reader = {read_guest, t};
    struct trace_event e = event_of(c);
    // What the host runs, and what is answered without a result.
    e.no_return = result == CALL_CONTINUE || result == -LX_ENOREPLY;
    e.result = e.no_return ? 0 : result;
    e.duration_ns = mono_now_ns() - c->started_ns;
    size_t length = trace_format_call(text, sizeof(text), &reader, &e);
    if (result == -LX_ENOREPLY && t->trap.order) {
        keep(c, &e, text, length, 0);
        return;
    }
    bool native = result == CALL_CONTINUE && syscall_table[c->nr].native;
    if (native && !native_may_wait(c->nr, c->args) && !t->trap.trace_no_kick) {
        keep(c, &e, text, length, c->ip);
        if (t->trap.trace) {
            trap_kick(t);
            return;
        }
    }
    emit(&e, text);
}

void trap_trace_kick(struct task *t)
{
    struct trace_pending *p = t->trap.trace;
    if (!p || !p->native_ip)
        return;
    if (t->trap.rip == p->native_ip) {
        trap_trace_result(t, (int64_t)t->trap.rax);
        return;
    }
    // A host that drops replies when a signal is pending (kernels before mid-2025) runs it again: without a
    // kick then.
    t->trap.trace_no_kick = true;
    free(p);
    t->trap.trace = NULL;
}

void trap_trace_result(struct task *t, int64_t result)
{
    struct trace_pending *p = t->trap.trace;
    if (!p)
        return;
    t->trap.trace = NULL;
    p->event.comm = p->comm;
    p->event.no_return = t->exiting || t->mm_gone;
    p->event.result = result;
    p->event.duration_ns = mono_now_ns() - p->started_ns;
    emit(&p->event, p->call);
    free(p);
}
