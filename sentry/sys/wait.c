// wait4(2) and waitid(2) (do_wait of kernel/exit.c).
#include "sentry/sys/process.h"
#include "sentry/fs/pidfd/pidfd.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/task/reap.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/signal.h"
#include "abi/linux/wait.h"
#include "syscall_handlers.h"
#include <limits.h>
#include <stdlib.h>

enum whom { WHOM_ANY, WHOM_PID, WHOM_PGRP };
struct wait_request {
    enum whom whom;
    int id;
    uint32_t options;
};
struct wait_result {
    int pid;
    uint32_t uid;
    int code;   // CLD_*
    int status; // exit code or signal
    int wstatus;
    struct lx_rusage rusage;
};

static bool matches(const struct wait_request *r, const struct thread_group *tg)
{
    if (r->whom == WHOM_PID && tg->pid != r->id)
        return false;
    if (r->whom == WHOM_PGRP && tg->pgrp->pgid != r->id)
        return false;
    if (r->options & LX_WNOTHREAD && tg->parent_tid != current->tid)
        return false;
    if (r->options & LX_WALL)
        return true;
    return (tg->exit_signal != LX_SIGCHLD) == !!(r->options & LX_WCLONE);
}

static void describe(struct wait_result *out, struct thread_group *tg, int code, int status, int wstatus)
{
    out->pid = tg->pid;
    out->uid = tg->leader ? show_uid(tg->leader->cred->uid) : 0;
    out->code = code;
    out->status = status;
    out->wstatus = wstatus;
    fill_rusage(tg, LX_RUSAGE_BOTH, &out->rusage);
}

static bool take_zombie(const struct wait_request *r, struct thread_group *tg, struct wait_result *out)
{
    if (!tg->zombie || !(r->options & LX_WEXITED))
        return false;
    int w = tg->exit_code, sig = w & 0x7f;
    describe(out, tg,
             !sig       ? LX_CLD_EXITED
             : w & 0x80 ? LX_CLD_DUMPED
                        : LX_CLD_KILLED,
             sig ? sig : w >> 8 & 0xff, w);
    if (!(r->options & LX_WNOWAIT))
        group_collect(tg);
    return true;
}

static bool take_stopped(const struct wait_request *r, struct thread_group *tg, struct wait_result *out)
{
    if (tg->zombie || !(r->options & LX_WUNTRACED) || tg->job != JOB_STOPPED || !tg->stop_notified ||
        tg->stop_reported)
        return false;
    describe(out, tg, LX_CLD_STOPPED, tg->stop_signal, tg->stop_signal << 8 | 0x7f);
    if (!(r->options & LX_WNOWAIT))
        tg->stop_reported = true;
    return true;
}

static bool take_continued(const struct wait_request *r, struct thread_group *tg, struct wait_result *out)
{
    if (tg->zombie || !(r->options & LX_WCONTINUED) || !tg->continued_pending)
        return false;
    describe(out, tg, LX_CLD_CONTINUED, LX_SIGCONT, 0xffff);
    if (!(r->options & LX_WNOWAIT))
        tg->continued_pending = false;
    return true;
}

static bool tracee_matches(const struct wait_request *r, int tid, const struct thread_group *tg)
{
    return r->whom == WHOM_ANY || (r->whom == WHOM_PID && tid == r->id) ||
           (r->whom == WHOM_PGRP && tg && tg->pgrp && tg->pgrp->pgid == r->id);
}

static bool take_trace_stop(const struct wait_request *r, struct task *t, struct wait_result *out)
{
    struct ptrace *p = t->ptrace;
    if (!p->stopped || p->reported || p->listening)
        return false;
    describe(out, t->tg, LX_CLD_TRAPPED, p->code, p->code << 8 | 0x7f);
    out->pid = t->tid;
    if (!(r->options & LX_WNOWAIT))
        p->reported = true;
    return true;
}

// What the threads that `tracer` traces have to say; *any when there are such.
static bool take_tracee(const struct wait_request *r, struct task *tracer, struct wait_result *out, bool *any)
{
    list_for_each(p, &tracer->tracees, struct ptrace, link)
    {
        if (!tracee_matches(r, p->tracee->tid, p->tracee->tg))
            continue;
        *any = true;
        if (take_trace_stop(r, p->tracee, out))
            return true;
    }
    list_for_each(end, &tracer->ended_tracees, struct ptrace_end, link)
    {
        if (!tracee_matches(r, end->tid, NULL))
            continue;
        *any = true;
        if (!(r->options & LX_WEXITED))
            continue;
        int w = end->status, sig = w & 0x7f;
        *out = (struct wait_result){.pid = end->tid, .uid = end->uid, .wstatus = w};
        out->code = !sig ? LX_CLD_EXITED : w & 0x80 ? LX_CLD_DUMPED : LX_CLD_KILLED;
        out->status = sig ? sig : w >> 8 & 0xff;
        if (!(r->options & LX_WNOWAIT)) {
            list_del(&end->link);
            free(end);
        }
        return true;
    }
    return false;
}

static bool take_any_tracee(const struct wait_request *r, struct wait_result *out, bool *any)
{
    if (r->options & LX_WNOTHREAD)
        return take_tracee(r, current, out, any);
    list_for_each(t, &current->tg->threads, struct task,
                  thread_link) if (take_tracee(r, t, out, any)) return true;
    return false;
}

// The pid of a child that has something to say (*out filled), 0 with WNOHANG, -LX_ECHILD, or blocks.
static int64_t do_wait(const struct wait_request *r, struct wait_result *out)
{
    bool any = false;
    list_for_each(tg, &current->tg->children, struct thread_group, sibling)
    {
        if (!matches(r, tg))
            continue;
        any = true;
        bool traced = tg->leader && tg->leader->ptrace && tg->leader->ptrace->tracer->tg == current->tg;
        if (take_zombie(r, tg, out))
            return out->pid;
        if (traced) // its tracer hears of stops below
            continue;
        if (take_stopped(r, tg, out) || take_continued(r, tg, out))
            return out->pid;
    }
    if (take_any_tracee(r, out, &any))
        return out->pid;
    if (!any)
        return -LX_ECHILD;
    if (r->options & LX_WNOHANG)
        return 0;
    return block_on(&current->tg->child_wait, EV_IN);
}

int64_t sys_wait4(struct call *call)
{
    int pid = arg_int(call, 0);
    uint32_t options = arg_uint(call, 2);
    if (options & ~(LX_WNOHANG | LX_WUNTRACED | LX_WCONTINUED | LX_WNOTHREAD | LX_WCLONE | LX_WALL))
        return -LX_EINVAL;
    if (pid == INT_MIN)
        return -LX_ESRCH;
    struct wait_request r = {.options = options | LX_WEXITED};
    if (pid == -1) {
        r.whom = WHOM_ANY;
    } else if (pid > 0) {
        r.whom = WHOM_PID;
        r.id = pid;
    } else {
        r.whom = WHOM_PGRP;
        r.id = pid ? -pid : current->tg->pgrp->pgid;
    }
    if (call->args[3])
        current->tg->usage_asked = true;
    struct wait_result out;
    int64_t ret = do_wait(&r, &out);
    if (ret <= 0)
        return ret;
    if (call->args[1] && put_user(out.wstatus, call->args[1]) != 0)
        return -LX_EFAULT;
    if (call->args[3] && put_user(out.rusage, call->args[3]) != 0)
        return -LX_EFAULT;
    return ret;
}

// The first fields of siginfo_t, which is all that waitid writes.
struct waitid_info {
    int32_t signo, err, code, pad, pid;
    uint32_t uid;
    int32_t status;
};

// Fills in whom waitid waits for; *nonblock when a pidfd is O_NONBLOCK. 0 or -errno.
static int64_t waitid_target(struct call *call, struct wait_request *r, bool *nonblock)
{
    int id = arg_int(call, 1);
    struct file *f;
    struct thread_group *tg;
    switch (arg_int(call, 0)) {
    case LX_P_ALL:
        r->whom = WHOM_ANY;
        return 0;
    case LX_P_PID:
        r->whom = WHOM_PID;
        r->id = id;
        return id > 0 ? 0 : -LX_EINVAL;
    case LX_P_PGID:
        r->whom = WHOM_PGRP;
        r->id = id ? id : current->tg->pgrp->pgid;
        return id >= 0 ? 0 : -LX_EINVAL;
    case LX_P_PIDFD:
        if (id < 0)
            return -LX_EINVAL;
        f = fd_lookup(current->files, id);
        tg = f ? pidfd_group(f) : NULL;
        if (!tg)
            return -LX_EBADF;
        r->whom = WHOM_PID;
        r->id = tg->linked ? tg->pid : -1;
        *nonblock = f->flags & LX_O_NONBLOCK;
        return 0;
    default:
        return -LX_EINVAL;
    }
}

int64_t sys_waitid(struct call *call)
{
    uint32_t options = arg_uint(call, 3);
    if (options & ~(LX_WNOHANG | LX_WNOWAIT | LX_WEXITED | LX_WSTOPPED | LX_WCONTINUED | LX_WNOTHREAD |
                    LX_WCLONE | LX_WALL))
        return -LX_EINVAL;
    if (!(options & (LX_WEXITED | LX_WSTOPPED | LX_WCONTINUED)))
        return -LX_EINVAL;
    struct wait_request r = {.options = options};
    bool nonblock = false;
    int64_t ret = waitid_target(call, &r, &nonblock);
    if (ret)
        return ret;
    if (nonblock)
        r.options |= LX_WNOHANG;
    if (call->args[4])
        current->tg->usage_asked = true;
    struct wait_result out;
    ret = do_wait(&r, &out);
    if (ret == -LX_EBLOCKED)
        return ret;
    if (ret == 0 && nonblock && !(options & LX_WNOHANG))
        ret = -LX_EAGAIN;
    struct waitid_info info = {0};
    if (ret > 0) {
        info = (struct waitid_info){LX_SIGCHLD, 0, out.code, 0, out.pid, out.uid, out.status};
        ret = 0;
        if (call->args[4] && put_user(out.rusage, call->args[4]) != 0)
            return -LX_EFAULT;
    }
    if (call->args[2] && put_user(info, call->args[2]) != 0)
        return -LX_EFAULT;
    return ret;
}
