// What only a tracee itself can do for its tracer: read and set its segment bases, and write to memory that is protected. It sits
// in an open hypercall, so it gets operations; the tracer's call waits for their end.
#include "sentry/ptrace/ptrace.h"
#include "abi/gofer_proc.h"
#include "sentry/trap/hypercall.h"
#include "sentry/fs/proc/proc.h"
#include <asm/prctl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE 4096ull
#define RESULT_OFFSET 8192u // in the thread's area, behind the operations

enum kind { READ_BASES, WRITE_BASES, WRITE_MEMORY };

struct ptrace_order {
    struct stub_order base;
    struct ptrace *link;       // NULL: nobody waits any more
    const struct task *caller; // compared only
    enum kind kind;
    gaddr_t addr, value; // of memory; or the two bases
    size_t n;
    uint8_t bytes[PAGE];
    uint64_t first, length; // pages
    int protection;
    bool writable; // the pages are, for a moment
    bool finished;
    int64_t result;
};

static void finish(struct ptrace_order *o, int64_t result)
{
    struct task *t = o->base.task;
    o->finished = true;
    o->result = result;
    t->trap.order = NULL;
    if (o->link) {
        wake_up(&o->link->wait, EV_IN);
    } else {
        o->base.ops->drop(&o->base);
        task_resume(t); // what its former tracer left it to
    }
}

static void give(struct ptrace_order *o, const struct stub_op *ops, unsigned n)
{
    if (stub_do(o->base.task, ops, n, -1, THEN_REPORT))
        violation(o->base.task, "its stub area is gone");
}

static void protect(struct ptrace_order *o, int protection)
{
    struct stub_op op = {.nr = SYS_mprotect, .args = {o->first, o->length, (uint64_t)protection}};
    give(o, &op, 1);
}

static void start(struct stub_order *base)
{
    struct ptrace_order *o = container_of(base, struct ptrace_order, base);
    gaddr_t out = area_address(base->task->trap.area) + RESULT_OFFSET;
    struct stub_op ops[2] = {{.nr = SYS_arch_prctl}, {.nr = SYS_arch_prctl}};
    switch (o->kind) {
    case READ_BASES:
        ops[0].args[0] = ARCH_GET_FS, ops[0].args[1] = out;
        ops[1].args[0] = ARCH_GET_GS, ops[1].args[1] = out + 8;
        give(o, ops, 2);
        break;
    case WRITE_BASES:
        ops[0].args[0] = ARCH_SET_FS, ops[0].args[1] = o->addr;
        ops[1].args[0] = ARCH_SET_GS, ops[1].args[1] = o->value;
        give(o, ops, 2);
        break;
    case WRITE_MEMORY:
        protect(o, o->protection | PROT_WRITE);
        break;
    }
}

static void done(struct stub_order *base, uint32_t index, int64_t result)
{
    struct ptrace_order *o = container_of(base, struct ptrace_order, base);
    struct task *t = base->task;
    uint64_t words[2];
    (void)index;
    if (o->kind == WRITE_MEMORY) {
        if (o->writable) {
            finish(o, o->result);
        } else if (result < 0) {
            finish(o, -LX_EIO);
        } else {
            o->writable = true;
            o->result = task_copy_out(t, o->addr, o->bytes, o->n) ? -LX_EIO : 0;
            protect(o, o->protection);
        }
        return;
    }
    if (result >= 0 && o->kind == READ_BASES) {
        if (task_copy_in(t, words, area_address(t->trap.area) + RESULT_OFFSET, sizeof(words)))
            result = -LX_EIO;
        else if (o->link)
            o->link->fs_base = words[0], o->link->gs_base = words[1];
    }
    finish(o, result < 0 ? -LX_EIO : 0);
}

// Under --strace the filter has no native rows.
static bool native(struct stub_order *base, const struct trap_notif *n)
{
    (void)base;
    return (n->nr == SYS_arch_prctl || n->nr == SYS_mprotect) && syscall_table[n->nr].native &&
           syscall_table[n->nr].native(n->args);
}

static void drop(struct stub_order *base)
{
    struct ptrace_order *o = container_of(base, struct ptrace_order, base);
    if (o->link) {
        o->link->order = NULL;
        wake_up(&o->link->wait, EV_IN);
    }
    task_put(base->task);
    free(o);
}

static const struct stub_order_ops ptrace_ops = {
    .name = "ptrace", .start = start, .done = done, .native = native, .drop = drop};

// Nobody waits for it any more; one that is at work frees itself.
static void forget(struct ptrace_order *o)
{
    o->link = NULL;
    if (o->finished)
        o->base.ops->drop(&o->base);
}

static bool same(const struct ptrace_order *a, const struct ptrace_order *b)
{
    return a->caller == b->caller && a->kind == b->kind && a->addr == b->addr && a->value == b->value &&
           a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

// Runs the order for the calling handler; see ptrace.h.
static int64_t run(struct task *t, const struct ptrace_order *like)
{
    struct ptrace *p = t->ptrace;
    struct ptrace_order *o = p->order;
    if (o && !o->finished)
        return block_on(&p->wait, EV_IN);
    if (o) {
        bool mine = same(o, like);
        int64_t result = o->result;
        p->order = NULL;
        forget(o);
        if (mine)
            return result;
    }
    if (t->trap.order || !t->trap.parked || !t->trap.hypercall_id)
        return -LX_EIO;
    o = malloc(sizeof(*o));
    if (!o)
        return -LX_ENOMEM;
    *o = *like;
    o->base.ops = &ptrace_ops;
    o->base.task = task_get(t);
    o->link = p;
    p->order = o;
    p->forget_order = forget;
    t->trap.order = &o->base;
    start(&o->base);
    return block_on(&p->wait, EV_IN);
}

int64_t ptrace_read_bases(struct task *t)
{
    if (t->ptrace->bases_known)
        return 0;
    const struct ptrace_order like = {.caller = current, .kind = READ_BASES};
    int64_t r = run(t, &like);
    if (r == 0)
        t->ptrace->bases_known = true;
    return r;
}

int64_t ptrace_write_bases(struct task *t, uint64_t fs, uint64_t gs)
{
    const struct ptrace_order like = {.caller = current, .kind = WRITE_BASES, .addr = fs, .value = gs};
    int64_t r = run(t, &like);
    if (r == 0)
        t->ptrace->fs_base = fs, t->ptrace->gs_base = gs;
    return r;
}

// The protection of the private mapping that holds [first, first + length). Drops the kernel lock.
static int find_protection(struct task *t, uint64_t first, uint64_t length)
{
    struct out_text in = {NULL, 0, 0, false};
    int found = -LX_EIO;
    char *save = NULL;
    if (!t->mm || proc_host_read(GOFER_PROC_MAPS, t->tg->host_pid, 0, &in))
        return found;
    out_add(&in, "", 1);
    for (char *line = in.failed ? NULL : strtok_r(in.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        uint64_t from, to;
        char bits[5];
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, bits) == 3 && from <= first &&
            to > first) {
            if (to - first >= length && bits[3] == 'p')
                found = (bits[0] == 'r' ? PROT_READ : 0) | (bits[1] == 'w' ? PROT_WRITE : 0) |
                        (bits[2] == 'x' ? PROT_EXEC : 0);
            break;
        }
    }
    out_free(&in);
    return found;
}

int64_t ptrace_write_memory(struct task *t, gaddr_t addr, const void *bytes, size_t n)
{
    struct ptrace_order *like = calloc(1, sizeof(*like));
    if (!like)
        return -LX_ENOMEM;
    int64_t r = -LX_EIO;
    bool known = t->ptrace->order != NULL;
    if (n == 0 || n > PAGE || addr + n < n || (addr < STUB_RANGE_END && addr + n > STUB_BASE))
        goto out;
    like->caller = current;
    like->kind = WRITE_MEMORY;
    like->addr = addr;
    like->n = n;
    memcpy(like->bytes, bytes, n);
    like->first = addr & ~(PAGE - 1);
    like->length = ((addr + n + PAGE - 1) & ~(PAGE - 1)) - like->first;
    if (!known) {
        task_get(t);
        like->protection = find_protection(t, like->first, like->length);
        bool still = ptrace_stopped(t) && t->ptrace->tracer == current;
        task_put(t);
        if (like->protection < 0 || !still)
            goto out;
    }
    r = run(t, like);
out:
    free(like);
    return r;
}
