// Making threads and processes: the clone order, the child's first hypercall, and launches through the zygote.
//
// One clone is under way in the sandbox at a time, so a thread that we do not know yet should be its child. It may also be
// what remains of a clone whose parent was killed meanwhile: a random token, handed out with the order and said by the child,
// tells them apart.
#include "sentry/core/kernel.h"
#include "sentry/core/log.h"
#include "sentry/exec/exec.h"
#include "sentry/mm/mm.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/trap/host_tid.h"
#include "sentry/trap/hypercall.h"
#include "sentry/trap/numbers.h"
#include "abi/linux/sched.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHILD_HELLO_NS 10000000000ull // a child that was made and says nothing for this long ends the process

struct clone_order {
    struct stub_order base;
    struct task *child; // referenced; published once it said hello
    struct clone_request req;
    uint64_t host_flags; // what the native clone must carry
    uint32_t token;      // what the child says
    unsigned child_area;
    bool vfork_held;   // the parent waits in the stub for its vfork child, not in clone(2)
    bool detached;     // the parent does not wait in the stub; the slot owns this order once the clone runs
    bool ordered;      // the operations have been handed out
    bool hello;        // the child is there
    bool parent_waits; // the parent's operations ended first
    bool again;        // the number is still taken in the guest: this child ends and another is made
    struct ktimer timeout;
};

#define TOLD_NUMBER_OFFSET \
    8192u // in the parent's area: where clone(2) writes the child's number when nobody else tells

static const struct stub_order_ops clone_ops;
static struct clone_order *slot; // the clone under way; kernel lock
#define STRANGERS_AHEAD 4096
static int last_host_tid;           // largest number that has registered; kernel lock
static int doomed_tid;              // host thread that was told to end before it ran guest code; kernel lock
static struct wait_queue slot_wait; // calls that wait for the slot

void clone_init(void)
{
    wait_queue_init(&slot_wait);
}

// Flags that the host sees. What only the Sentry keeps (parent, untraced, pidfd, SysV undo) stays out; descriptor tables and
// working directories of the host are shared exactly among threads.
static uint64_t host_clone_flags(const struct clone_request *req)
{
    const uint64_t direct = LX_CLONE_VM | LX_CLONE_VFORK | LX_CLONE_SETTLS | LX_CLONE_PARENT_SETTID |
                            LX_CLONE_CHILD_SETTID | LX_CLONE_CHILD_CLEARTID;
    uint64_t flags = req->flags & direct;
    if (req->flags & LX_CLONE_THREAD)
        return flags | LX_CLONE_THREAD | LX_CLONE_SIGHAND | LX_CLONE_FS | LX_CLONE_FILES;
    return flags | SIGCHLD;
}

static void slot_free(struct clone_order *c)
{
    ktimer_cancel(&c->timeout);
    if (slot == c) {
        slot = NULL;
        wake_up(&slot_wait, EV_ALL);
    }
}

static uint32_t clone_token(void)
{
    static uint32_t tokens[64]; // kernel lock
    static unsigned left;
    if (left == 0) {
        if (getrandom(tokens, sizeof(tokens), 0) != (ssize_t)sizeof(tokens))
            kernel_fatal("no random numbers: %s", strerror(errno));
        left = sizeof(tokens) / sizeof(tokens[0]);
    }
    return tokens[--left];
}

static void clone_start(struct stub_order *o)
{
    struct clone_order *c = container_of(o, struct clone_order, base);
    struct task *t = o->task;
    struct stub_op ops[2] = {0};
    unsigned n = 0;
    if ((c->req.flags & LX_CLONE_VM) && c->child_area >= t->mm->areas_mapped) {
        ops[n++] = (struct stub_op){
            .nr = SYS_mmap,
            .args = {area_address(c->child_area), STUB_AREA_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0},
        };
        t->mm->areas_mapped = c->child_area + 1;
    }
    struct stub_op *op = &ops[n++];
    op->nr = c->token = clone_token();
    op->flags = STUB_OP_RESULT;
    bool told = !numbers_translated();
    if (told)
        c->host_flags |= LX_CLONE_PARENT_SETTID;
    op->args[0] = c->host_flags;
    op->args[1] = c->req.stack;
    op->args[2] = told ? area_address(t->trap.area) + TOLD_NUMBER_OFFSET : c->req.parent_tid;
    op->args[3] = c->req.child_tid;
    op->args[4] = c->req.tls;
    if (c->req.flags & LX_CLONE_VM) {
        op->flags |= STUB_OP_CLONE_VM;
        op->args[5] = area_address(c->child_area);
        if (!(c->req.flags & LX_CLONE_THREAD))
            op->flags |= STUB_OP_CLOSE_FILES;
    } else {
        op->flags |= STUB_OP_CLONE;
    }
    // A number that is still in use in the guest can only come again after the host's numbers have wrapped. From then on the
    // parent waits in the stub for its child; before, only its next call waits (clone_pending). A pidfd has to be there first.
    c->detached = !numbers_may_repeat() && !trap_tracing && !t->ptrace && !(c->req.flags & LX_CLONE_PIDFD);
    c->ordered = true;
    if (stub_do(t, ops, n, -1, c->detached ? THEN_CALL : THEN_REPORT))
        violation(t, "its stub area is gone");
}

static bool clone_native(struct stub_order *o, const struct trap_notif *n)
{
    struct clone_order *c = container_of(o, struct clone_order, base);
    if (n->nr != SYS_clone || !c->ordered || c->hello || slot != c || n->args[0] != c->host_flags)
        return false;
    (void)ktimer_arm(&c->timeout,
                     mono_now_ns() + CHILD_HELLO_NS); // without memory the wait ends with the process
    if (c->detached) {
        struct task *t = o->task;
        t->trap.order = NULL;  // the slot keeps it
        t->trap.fixup = false; // the stub puts the result where it belongs
        t->trap.stage = STAGE_GUEST;
        if (signal_work(t) || t->stopped)
            trap_kick(t);
    }
    return true;
}

bool clone_pending(const struct task *t)
{
    return slot && slot->detached && slot->base.task == t;
}

bool clone_child_known(const struct task *t)
{
    struct stub_order *o = t->trap.order;
    return o && o->ops == &clone_ops && container_of(o, struct clone_order, base)->hello;
}

int64_t clone_wait_child(struct call *call)
{
    call->interrupted = -LX_ERESTARTNOINTR;
    return block_on(&slot_wait, EV_ALL);
}

bool clone_failed(struct task *t, const struct trap_notif *n)
{
    if (!clone_pending(t) || slot->hello || t->trap.stage != STAGE_GUEST || (int64_t)n->args[2] >= 0)
        return false;
    slot->base.ops->drop(&slot->base);
    t->trap.stage = STAGE_STUB;
    t->trap.hypercall_id = n->id;
    hypercall_return_after_ops(t);
    return true;
}

void clone_parent_gone(const struct task *t)
{
    if (clone_pending(t))
        slot->base.ops->drop(&slot->base);
}

static void clone_done(struct stub_order *o, uint32_t index, int64_t result)
{
    (void)index;
    struct clone_order *c = container_of(o, struct clone_order, base);
    struct task *t = o->task;
    if (c->again) {
        c->again = c->ordered = false;
        clone_start(o);
    } else if (result < 0 || c->hello) {
        order_end(t);
        hypercall_return_after_ops(t);
    } else {
        c->parent_waits = true; // until the child has said hello, else two clones could be confused
    }
}

static void clone_drop(struct stub_order *o)
{
    struct clone_order *c = container_of(o, struct clone_order, base);
    slot_free(c);
    if (!c->hello) {
        if (c->req.flags & LX_CLONE_VM)
            mm_area_free(o->task->mm, c->child_area);
        task_abandon(c->child);
    } else {
        task_put(c->child);
    }
    task_put(o->task);
    free(c);
}

// Ends processes of the guests' namespace that no task stands for: a child whose stub was overwritten runs without having
// said hello. Numbers of the namespace are given out in order, so it is not far above the last one that registered.
static void kill_strangers(void)
{
    for (int tid = 2; tid < last_host_tid + STRANGERS_AHEAD; tid++)
        if (!host_tid_find(tid) && guest_number(tid) > 0)
            kill_unknown(tid);
}

static void clone_timeout(struct ktimer *timer)
{
    struct clone_order *c = container_of(timer, struct clone_order, timeout);
    violation(c->base.task, "a child that never came");
    kill_strangers();
}

static const struct stub_order_ops clone_ops = {
    .name = "clone", .start = clone_start, .done = clone_done, .native = clone_native, .drop = clone_drop};

int64_t trap_clone(struct call *call, const struct clone_request *req)
{
    struct task *t = call->task;
    int err;
    if (slot) {
        call->interrupted = -LX_ERESTARTNOINTR;
        return block_on(&slot_wait, EV_ALL);
    }
    struct clone_order *c = calloc(1, sizeof(*c));
    if (!c)
        return -LX_ENOMEM;
    c->child = task_copy(t, req->flags, req->exit_signal, &err);
    if (!c->child) {
        free(c);
        return err;
    }
    c->child_area = t->trap.area;
    if (req->flags & LX_CLONE_VM) {
        int area = mm_area_alloc(t->mm);
        if (area < 0) {
            task_abandon(c->child);
            free(c);
            return area;
        }
        c->child_area = (unsigned)area;
    }
    c->base.ops = &clone_ops;
    c->base.task = task_get(t);
    c->req = *req;
    c->host_flags = host_clone_flags(req);
    if (t->ptrace &&
        req->flags & LX_CLONE_VFORK) { // the tracer hears of the child before the wait for it is over
        c->vfork_held = true;
        c->host_flags &= ~LX_CLONE_VFORK;
    }
    c->timeout.fire = clone_timeout;
    slot = c;
    return order_begin(call, &c->base);
}

// --- the host process of a thread group ---

static void host_process_gone(struct host_watch *w, uint32_t events)
{
    (void)events;
    struct thread_group *tg = container_of(w, struct thread_group, death_watch);
    host_watch_del(w);
    close(tg->host_pidfd);
    tg->host_pidfd = -1;
    tg->dead = true;
    if (!tg->zombie)
        group_found_dead(tg);
    trap_run_queue();
    tg_put(tg);
}

static int watch_process(struct thread_group *tg, int host_pid)
{
    tg->host_pid = host_pid;
    tg->host_pidfd = (int)syscall(SYS_pidfd_open, host_pid, 0);
    if (tg->host_pidfd < 0)
        return -errno;
    int r = host_watch_add(&tg->death_watch, tg->host_pidfd, EV_IN, host_process_gone);
    if (r == 0)
        tg_get(tg); // the watch's
    return r;
}

static void unwatch_process(struct thread_group *tg)
{
    if (tg->host_pidfd < 0)
        return;
    host_watch_del(&tg->death_watch);
    close(tg->host_pidfd);
    tg->host_pidfd = -1;
    tg_put(tg);
}

// Makes the child of a clone or a launch a known thread with the guest's number. 0 or -errno; then nothing is kept.
static int child_register(struct task *child, const struct trap_notif *n, bool thread, unsigned area,
                          int number)
{
    struct trap_state *trap = &child->trap;
    if (number <= 0)
        return number ? number : -LX_ESRCH;
    trap->host_tid = n->tid;
    trap->host_tgid = thread ? child->tg->host_pid : n->tid;
    trap->area = area;
    trap->stage = STAGE_STUB;
    trap->hypercall_id = n->id;
    trap->ucontext = n->args[0];
    int r = thread ? 0 : watch_process(child->tg, n->tid);
    if (r)
        return r;
    if (n->tid > last_host_tid)
        last_host_tid = n->tid;
    host_tid_insert(child);
    r = task_publish(child, number, thread ? child->tg->pid : number);
    if (r) {
        host_tid_remove(child);
        trap->hypercall_id = 0;
        if (!thread)
            unwatch_process(child->tg);
    }
    return r;
}

// The number of the child that says hello: asked of the host, or what clone(2) wrote into its parent's memory. That memory is
// the guest's, but the number is checked against all others when the child is published.
static int child_number(const struct clone_order *c, const struct trap_notif *n)
{
    struct task *parent = c->base.task;
    int number = guest_number(n->tid);
    if (number != -ENOSYS)
        return number;
    gaddr_t told = area_address(parent->trap.area) + TOLD_NUMBER_OFFSET;
    if (task_copy_in(parent, &number, told, sizeof(number)))
        return -LX_EFAULT;
    if ((c->req.flags & LX_CLONE_PARENT_SETTID) &&
        task_copy_out(parent, c->req.parent_tid, &number, sizeof(number)))
        log_debug("the child's number cannot be written");
    return number;
}

// --- launches ---
struct launch {
    struct list_head link;
    struct task *task; // referenced
    struct exec_image *image;
};
static struct list_head launches = LIST_INIT(launches); // kernel lock
static struct task zygote;  // its trap state and memory are used, to copy into its area
static bool launch_ordered; // the zygote has been told to clone for the first of `launches`
static bool launch_cloned;
static struct ktimer launch_timer; // until the clone of a launch has said hello
static uint32_t launch_token;      // what the child of the launch says; kernel lock

void (*launch_hook)(struct task *t, int err);

#define LAUNCH_FLAGS ((uint64_t)SIGCHLD)

static void launch_next(void)
{
    if (list_empty(&launches) || !zygote.trap.hypercall_id || launch_ordered)
        return;
    launch_token = clone_token();
    struct stub_op op = {
        .nr = launch_token, .flags = STUB_OP_CLONE | STUB_OP_MAY_FAIL, .args = {LAUNCH_FLAGS}};
    launch_ordered = true;
    launch_cloned = false;
    if (stub_do(&zygote, &op, 1, -1, THEN_REPORT))
        kernel_fatal("the zygote's memory cannot be written");
}

int trap_launch(struct task *t, struct exec_image *image)
{
    struct launch *l = calloc(1, sizeof(*l));
    if (!l)
        return -LX_ENOMEM;
    l->task = task_get(t);
    l->image = image;
    list_add_tail(&l->link, &launches);
    launch_next();
    return 0;
}

bool doomed_call(const struct trap_notif *n)
{
    if (n->tid != doomed_tid || n->nr != SYS_exit)
        return false;
    doomed_tid = 0;
    (void)listener_continue(n->id);
    return true;
}

static void launch_end(struct launch *l, int err)
{
    if (launch_hook)
        launch_hook(l->task, err);
    if (l->image)
        exec_image_free(l->image);
    task_abandon(l->task);
    task_put(l->task);
    free(l);
}

// The host gave the zygote no process, or took it away before it said anything: that launch fails, the sandbox goes on.
static void launch_failed(int err)
{
    if (!init_tg)
        kernel_fatal("the zygote cannot make a process: %s", strerror(-err));
    if (!launch_ordered || list_empty(&launches))
        return;
    struct launch *l = list_first(&launches, struct launch, link);
    ktimer_cancel(&launch_timer);
    list_del(&l->link);
    launch_ordered = launch_cloned = false;
    log_warn("a process cannot be launched: %s", strerror(-err));
    launch_end(l, err);
}

static void launch_timeout(struct ktimer *timer)
{
    (void)timer;
    launch_failed(-LX_EAGAIN);
    launch_next();
}

bool zygote_call(const struct trap_notif *n)
{
    if (!zygote.trap.host_tid && n->nr == STUB_HC_ZYGOTE)
        zygote.trap.host_tid = n->tid; // nothing else exists yet
    if (!zygote.mm && !(zygote.mm = mm_alloc()))
        kernel_fatal("no memory for the zygote");
    if (n->tid != zygote.trap.host_tid)
        return false;
    switch (n->nr) {
    case STUB_HC_ZYGOTE:
        zygote.trap.hypercall_id = n->id;
        launch_next();
        return true;
    case STUB_HC_DONE:
        if ((int64_t)n->args[2] < 0)
            launch_failed((int64_t)n->args[2] >= -4095 ? (int)n->args[2] : -LX_EAGAIN);
        zygote.trap.hypercall_id = n->id;
        hypercall_reply_return(&zygote);
        return true;
    case SYS_clone:
        if (launch_ordered && !launch_cloned && n->args[0] == LAUNCH_FLAGS) {
            launch_cloned = true;
            launch_timer.fire = launch_timeout;
            (void)ktimer_arm(&launch_timer,
                             mono_now_ns() + CHILD_HELLO_NS); // without memory nobody ends the wait
            (void)listener_continue(n->id);
            return true;
        }
        return false;
    default:
        return false;
    }
}

void trap_begin_launched(struct task *t, struct exec_image *image)
{
    if (t->state != TASK_RUNNING || t->exiting) // whoever asked for it is gone
        exec_image_free(image);
    else
        exec_begin_launched(t, image);
}

static void launch_hello(const struct trap_notif *n)
{
    struct launch *l = list_first(&launches, struct launch, link);
    list_del(&l->link);
    ktimer_cancel(&launch_timer);
    launch_ordered = launch_cloned = false;
    int number = guest_number(n->tid);
    bool first = !init_tg;
    int r = child_register(l->task, n, false, 0, number == -ENOSYS && first ? 1 : number);
    if (r && first)
        kernel_fatal("the first process cannot be registered: %s", strerror(-r));
    if (r) {
        kill_unknown(n->tid);
        launch_end(l, r);
        launch_next();
        return;
    }
    if (launch_hook)
        launch_hook(l->task, 0);
    if (l->image)
        trap_begin_launched(l->task, l->image);
    task_put(l->task);
    free(l);
    launch_next();
}

// The child is there.
static void clone_over(struct clone_order *c)
{
    struct task *parent = c->base.task;
    slot_free(c);
    if (c->detached) {
        clone_drop(&c->base);
    } else if (c->parent_waits) {
        order_end(parent);
        hypercall_return_after_ops(parent);
    }
}

void clone_child_hello(const struct trap_notif *n)
{
    struct clone_order *c = slot;
    if (launch_cloned && n->args[1] == launch_token) {
        launch_hello(n);
        return;
    }
    if (!c || !c->ordered || c->hello || n->args[1] != c->token) {
        kill_unknown(n->tid);
        return;
    }
    struct task *child = c->child;
    struct task *parent = c->base.task;
    bool thread = c->req.flags & LX_CLONE_THREAD;
    if (thread)
        task_inherit_seccomp(child, parent);
    int r = child_register(child, n, thread, c->child_area, child_number(c, n));
    if (r == -LX_EAGAIN) {
        // A zombie, a group or a session of the guest still has this number, which the host has given out again.
        c->again = true;
        doomed_tid = n->tid;
        (void)listener_reply(n->id, STUB_DO_EXIT);
        return;
    }
    if (r) {
        log_warn("a new thread cannot be registered: %s", strerror(-r));
        kill_unknown(n->tid);
        violation(parent, "its child cannot be registered");
        return;
    }
    c->hello = true;
    task_get(child); // the order's; the one it had is the live thread's now
    ktimer_cancel(&c->timeout);
    gaddr_t area = area_address(c->child_area);
    if (child->trap.ucontext < area || child->trap.ucontext >= area + STUB_AREA_SIZE) {
        violation(child, "a context outside its area");
        clone_over(c);
        return;
    }
    ptrace_child(parent, child, c->req.flags, c->req.exit_signal);
    parent->vfork_held = c->vfork_held;
    if (child->stopped || signal_work(child)) {
        hypercall_return_after_ops(child);
    } else {
        hypercall_reply_return(child);
    }
    clone_over(c);
}
