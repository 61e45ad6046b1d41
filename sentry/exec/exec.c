// The exec order: native exec of the stub's image, then loading through the fresh stub.
#include "sentry/exec/exec.h"
#include "abi/linux/fcntl.h"
#include "sentry/core/log.h"
#include "sentry/mm/filemap.h"
#include "sentry/mm/mm.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/trap/host_tid.h"
#include "sentry/trap/hypercall.h"
#include <linux/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define AT_EMPTY_PATH_FLAG 0x1000u
#define STACK_READY (64u * 1024)

enum exec_stage { EXEC_ORDERED, EXEC_NATIVE, EXEC_PROGRAM, EXEC_INTERP };

struct exec_order {
    struct stub_order base;
    struct exec_image *image;
    enum exec_stage stage;
    struct mm *mm; // the new one, referenced until it is the task's
    struct load_layout layout;
    uint64_t sp;
    uint8_t *stack; // bytes from sp upwards
    size_t stack_len;
};

static void exec_finish(struct task *t, const struct stub_op *ops, unsigned count, int host_fd);
static void exec_load_next(struct exec_order *e, int64_t result);

static int stub_fd = -1; // never changes after exec_init

void exec_init(int stub_image_fd)
{
    stub_fd = stub_image_fd;
}

static void exec_start(struct stub_order *o)
{
    struct task *t = o->task;
    struct stub_op op = {.flags = STUB_OP_EXEC | STUB_OP_MAY_FAIL};
    if (!donation_take(t))
        return;
    t->tg->exec_task = t;
    if (stub_do(t, &op, 1, stub_fd, THEN_REPORT))
        violation(t, "it takes no descriptor");
}

static bool exec_native(struct stub_order *o, const struct trap_notif *n)
{
    struct exec_order *e = container_of(o, struct exec_order, base);
    if (n->nr != SYS_execveat || e->stage != EXEC_ORDERED || (uint32_t)n->args[0] != STUB_DONATION_FD ||
        (uint32_t)n->args[4] != AT_EMPTY_PATH_FLAG)
        return false;
    e->stage = EXEC_NATIVE;
    // From here on the siblings' numbers may become this program's: none of their calls touches memory any more.
    list_for_each(other, &o->task->tg->threads, struct task, thread_link) if (other != o->task)
        other->mm_gone = true;
    return true;
}

// Only when the native exec failed.
static void exec_done(struct stub_order *o, uint32_t index, int64_t result)
{
    (void)index;
    struct exec_order *e = container_of(o, struct exec_order, base);
    struct task *t = o->task;
    if (e->stage != EXEC_NATIVE) {
        exec_load_next(e, result);
        return;
    }
    if (t->tg->nr_threads > 1) { // some may have been left without an answer
        violation(t, "the host cannot exec");
        return;
    }
    t->tg->exec_task = NULL;
    order_end(t);
    donation_release(t);
    t->trap.fixup = true;
    t->trap.fixup_result = result < 0 && result > -512 ? result : -LX_ENOMEM;
    trap_trace_result(t, t->trap.fixup_result);
    hypercall_return(t);
}

static void exec_drop(struct stub_order *o)
{
    struct exec_order *e = container_of(o, struct exec_order, base);
    if (e->mm)
        mm_put(e->mm);
    exec_image_free(e->image);
    free(e->stack);
    task_put(o->task);
    free(e);
}

static const struct stub_order_ops exec_ops = {
    .name = "execve", .start = exec_start, .done = exec_done, .native = exec_native, .drop = exec_drop};

static struct exec_order *order_new(struct task *t, struct exec_image *image)
{
    struct exec_order *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->mm = mm_alloc();
    if (!e->mm) {
        free(e);
        return NULL;
    }
    e->base.ops = &exec_ops;
    e->base.task = task_get(t);
    e->image = image;
    return e;
}

int64_t trap_exec(struct call *call, struct exec_image *image)
{
    struct exec_order *e = order_new(call->task, image);
    if (!e) {
        exec_image_free(image);
        return -LX_ENOMEM;
    }
    (void)task_blocked(call->task); // the new program's, and the old one's area may have it
    int r = task_exec_prepare(call->task);
    if (r) {
        exec_drop(&e->base);
        return r;
    }
    return order_begin(call, &e->base);
}

void exec_begin_launched(struct task *t, struct exec_image *image)
{
    struct exec_order *e = order_new(t, image);
    if (!e || t->trap.order) {
        log_error("no memory for the first program");
        violation(t, "no memory");
        return;
    }
    t->trap.order = &e->base;
    exec_start(&e->base);
}

static void load_failed(struct task *t)
{
    // As Linux does when loading fails after the old program is gone.
    group_exit(t->tg, SIGSEGV);
    trap_kill_group(t->tg);
}

// The context that the stub jumps into: the program's first instruction.
struct boot_data {
    uint64_t context[38];
    struct prctl_mm_map map;
};

static struct boot_data boot_data(const struct exec_order *e)
{
    struct boot_data d;
    const struct mm *m = e->base.task->mm;
    memset(&d, 0, sizeof(d));
    d.context[2] = area_address(0) + sizeof(struct stub_area); // uc_stack
    d.context[4] = STUB_AREA_SIZE - sizeof(struct stub_area);
    d.context[0] = 6; // UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS
    d.context[20] = e->sp;
    d.context[21] = e->layout.entry;
    d.context[22] = 0x202; // IF and the bit that is always set
    d.context[23] = 0x002b000000000033ull;
    d.map = (struct prctl_mm_map){.start_code = m->start_code,
                                  .end_code = m->end_code,
                                  .start_data = m->start_data,
                                  .end_data = m->end_data,
                                  .start_brk = m->start_brk,
                                  .brk = m->start_brk,
                                  .start_stack = m->start_stack,
                                  .arg_start = m->arg_start,
                                  .arg_end = m->arg_end,
                                  .env_start = m->env_start,
                                  .env_end = m->env_end,
                                  .exe_fd = (uint32_t)-1};
    return d;
}

static int order_file(struct task *t, struct file *f, const struct elf_image *elf, uint64_t base,
                      struct stub_op *ops, unsigned max, int *host_fd)
{
    struct host_map hm;
    if (!f->ops->map)
        return -LX_ENODEV;
    int r = f->ops->map(f, 0, elf->high - elf->low, PROT_READ | PROT_EXEC, MAP_PRIVATE, &hm);
    if (r)
        return r;
    *host_fd = hm.fd;
    filemap_add(t->mm, hm.fd, f);
    return load_ops(elf, base, hm.offset, ops, max);
}

// Orders the last operations: memory description, descriptor closed, jump. Behind the jump, where no operation is ever run, lies
// what they read, so that one copy brings it all. `at`: where in the array ops[0] will be.
#define DATA_OPS ((sizeof(struct boot_data) + sizeof(struct stub_op) - 1) / sizeof(struct stub_op))
#define FINAL_OPS (3 + DATA_OPS)
static unsigned final_ops(const struct exec_order *e, struct stub_op *ops, unsigned at)
{
    const struct boot_data d = boot_data(e);
    gaddr_t data = area_address(0) + offsetof(struct stub_area, ops) + (at + 3) * sizeof(*ops);
    ops[0] = (struct stub_op){.nr = SYS_close, .flags = STUB_OP_MAY_FAIL, .args = {STUB_DONATION_FD}};
    ops[1] = (struct stub_op){.nr = SYS_prctl,
                              .flags = STUB_OP_MAY_FAIL,
                              .args = {PR_SET_MM, PR_SET_MM_MAP, data + offsetof(struct boot_data, map),
                                       sizeof(struct prctl_mm_map)}};
    ops[2] = (struct stub_op){.flags = STUB_OP_JUMP, .args = {data}};
    memset(&ops[3], 0, DATA_OPS * sizeof(*ops));
    memcpy(&ops[3], &d, sizeof(d));
    return FINAL_OPS;
}

static void describe(struct mm *m, const struct exec_image *im, const struct load_layout *l)
{
    m->start_brk = l->start_brk;
    m->start_code = m->start_data = UINT64_MAX;
    for (unsigned i = 0; i < im->exe_elf.nr_segments; i++) {
        const struct elf_segment *s = &im->exe_elf.segments[i];
        uint64_t start = l->exe_base + s->vaddr, end = start + s->filesz;
        if (s->prot & PROT_EXEC) {
            m->start_code = start < m->start_code ? start : m->start_code;
            m->end_code = end > m->end_code ? end : m->end_code;
        } else if (s->prot & PROT_WRITE) {
            m->start_data = start < m->start_data ? start : m->start_data;
            m->end_data = end > m->end_data ? end : m->end_data;
        }
    }
    if (m->start_code == UINT64_MAX)
        m->start_code = m->end_code = l->entry;
    if (m->start_data == UINT64_MAX)
        m->start_data = m->end_data = m->end_code;
}

static void order_program(struct exec_order *e)
{
    struct task *t = e->base.task;
    const struct exec_image *im = e->image;
    struct stub_op ops[STUB_OP_MAX];
    unsigned n = 0;
    if (e->stack_len > STACK_READY)
        ops[n++] = (struct stub_op){.flags = STUB_OP_TOUCH, .args = {e->sp + e->stack_len, e->sp & ~4095ull}};
    int host_fd = -1;
    int r = order_file(t, im->exe, &im->exe_elf, e->layout.exe_base, ops + n, STUB_OP_MAX - FINAL_OPS - n,
                       &host_fd);
    if (r < 0) {
        load_failed(t);
        return;
    }
    n += (unsigned)r;
    bool last = !im->interp && e->stack_len <= STACK_READY;
    if (last) {
        if (task_copy_out(t, e->sp, e->stack, e->stack_len)) {
            load_failed(t);
            return;
        }
        n += final_ops(e, ops + n, n);
    }
    if (last)
        exec_finish(t, ops, n, host_fd);
    else if (stub_do(t, ops, n, host_fd, THEN_REPORT))
        load_failed(t);
}

static void order_interp(struct exec_order *e)
{
    struct task *t = e->base.task;
    const struct exec_image *im = e->image;
    struct stub_op ops[STUB_OP_MAX];
    int n = 0, host_fd = -1;
    if (im->interp)
        n = order_file(t, im->interp, &im->interp_elf, e->layout.interp_base, ops, STUB_OP_MAX - FINAL_OPS,
                       &host_fd);
    if (n < 0 || task_copy_out(t, e->sp, e->stack, e->stack_len)) {
        load_failed(t);
        return;
    }
    n += (int)final_ops(e, ops + n, (unsigned)n);
    exec_finish(t, ops, (unsigned)n, host_fd);
}

static void exec_finish(struct task *t, const struct stub_op *ops, unsigned count, int host_fd)
{
    t->trap.booted = true;
    trap_trace_result(t, 0);
    if (ptrace_work_pending(t))
        trap_kick_ahead(t);
    if (stub_do(t, ops, count, host_fd, THEN_RETURN)) {
        load_failed(t);
        return;
    }
    order_end(t);
    donation_release(t);
    if (signal_work(t) || t->stopped)
        trap_kick(t);
}

static void exec_load_next(struct exec_order *e, int64_t result)
{
    if (e->stage != EXEC_PROGRAM || (result < 0 && result >= -4095)) {
        load_failed(e->base.task);
        return;
    }
    e->stage = EXEC_INTERP;
    order_interp(e);
}

static struct task *find_execing(int host_pid)
{
    list_for_each(tg, &all_groups, struct thread_group,
                  all_link) if (tg->host_pid == host_pid && tg->exec_task) return tg->exec_task;
    return NULL;
}

void exec_boot_hello(struct task *t, const struct trap_notif *n)
{
    struct task *x = t && t->tg->exec_task ? t->tg->exec_task : find_execing(n->tid);
    struct exec_order *e = x && x->trap.order && x->trap.order->ops == &exec_ops
                               ? container_of(x->trap.order, struct exec_order, base)
                               : NULL;
    if (!e || e->stage != EXEC_NATIVE || x->trap.host_tgid != n->tid) {
        if (t)
            violation(t, "a fresh image that was not ordered");
        else
            kill_unknown(n->tid);
        return;
    }
    uint64_t top = n->args[0] & ~15ull;
    struct exec_image *im = e->image;
    struct thread_group *tg = x->tg;
    tg->exec_task = NULL;
    // The other threads are gone on the host; x has the leader's number there.
    list_for_each(other, &tg->threads, struct task, thread_link) host_tid_remove(other);
    struct trap_state *trap = &x->trap;
    trap->host_tid = trap->host_tgid;
    unsigned old_area = trap->area;
    trap->area = 0;
    trap->hypercall_id = n->id;
    trap->ucontext = 0;
    trap->kick_sent = false;
    trap->fixup = false;
    trap->hypercall_due = false;
    x->mask_local = x->mask_changed = x->mask_untold = false; // of the old program's area
    trap->regs_known = true;                                  // there are none
    struct mm *m = e->mm;
    e->mm = NULL;
    m->vdso = n->args[1];
    m->exe = file_get(im->exe);
    m->dumpable = im->dumpable && !im->unreadable;
    m->unreadable = im->unreadable;
    mm_area_free(x->mm, old_area);
    task_exec_commit(x, m, im->comm);
    host_tid_insert(x);
    cred_put(x->cred);
    x->cred = cred_get(im->cred);
    if (im->doomed || load_choose(im, x->personality, &e->layout) ||
        stack_build(im, &e->layout, m, top, &e->sp, &e->stack, &e->stack_len)) {
        load_failed(x);
        return;
    }
    describe(m, im, &e->layout);
    e->stage = EXEC_PROGRAM;
    order_program(e);
}
