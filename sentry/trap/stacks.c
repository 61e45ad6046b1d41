#include "sentry/trap/stacks.h"
#include "sentry/core/log.h"
#include "sentry/trap/trap.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *state_of(const struct task *t)
{
    if (t->trap.parked || t->stopped)
        return "stopped";
    if (t->trap.stage == STAGE_STUB)
        return t->trap.order ? "in the stub, by our order" : "in the stub";
    switch (t->call.phase) {
    case CALL_BLOCKED:
        return "waits";
    case CALL_RUNNING:
        return "runs a call";
    case CALL_RUNNABLE:
        return "about to go on";
    default:
        return "runs its program";
    }
}

static void write_task(const struct task *t, uint64_t now, void (*emit)(const char *, size_t))
{
    char line[400], comm[TASK_COMM_LEN * 4 + 1];
    const struct call *c = &t->call;
    int n = snprintf(line, sizeof(line), "%d/%d %s: %s", t->tg->pid, t->tid,
                     log_escape(comm, sizeof(comm), t->comm, strnlen(t->comm, TASK_COMM_LEN)), state_of(t));
    if (c->phase != CALL_IDLE) {
        const char *name = c->nr < syscall_table_size ? syscall_table[c->nr].name : NULL;
        n += snprintf(line + n, sizeof(line) - (size_t)n, " in %s(%#" PRIx64 ", %#" PRIx64 ", %#" PRIx64 ")",
                      name ? name : "?", c->args[0], c->args[1], c->args[2]);
        if (c->started_ns && now > c->started_ns)
            n += snprintf(line + n, sizeof(line) - (size_t)n, " since %" PRIu64 " ms",
                          (now - c->started_ns) / 1000000);
        if (c->phase == CALL_BLOCKED)
            n += snprintf(line + n, sizeof(line) - (size_t)n, ", on %u queue%s%s", c->nr_waiters,
                          c->nr_waiters == 1 ? "" : "s",
                          c->deadline_ns != KTIMER_NEVER ? ", with a deadline" : "");
    }
    n += snprintf(line + n, sizeof(line) - (size_t)n, "\n");
    emit(line, (size_t)n);
}

void stacks_write(void (*emit)(const char *text, size_t length))
{
    uint64_t now = mono_now_ns();
    list_for_each(tg, &all_groups, struct thread_group, all_link)
        list_for_each(t, &tg->threads, struct task, thread_link) write_task(t, now, emit);
}
