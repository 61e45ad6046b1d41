// ptrace(2): requests of a tracer (kernel/ptrace.c and arch/x86/kernel/ptrace.c of Linux).
#include "sentry/ptrace/ptrace.h"
#include "sentry/task/task.h"
#include "abi/linux/capability.h"
#include "abi/linux/signal.h"
#include "sentry/sys/ptrace.h"
#include "syscall_handlers.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define XSTATE_MAX 16384u

// check_ptrace_options
static int64_t check_options(uint64_t options)
{
    if (options & ~(uint64_t)LX_PTRACE_O_MASK)
        return -LX_EINVAL;
    bool suspended = current->ptrace && current->ptrace->options & LX_PTRACE_O_SUSPEND_SECCOMP;
    if (options & LX_PTRACE_O_SUSPEND_SECCOMP &&
        (!capable(LX_CAP_SYS_ADMIN) || current->seccomp_mode || suspended))
        return -LX_EPERM;
    return 0;
}

static int64_t traceme(void)
{
    struct thread_group *parent = current->tg->parent;
    struct task *tracer = parent ? find_task(current->tg->parent_tid) : NULL;
    if (parent && (!tracer || tracer->tg != parent))
        tracer = group_thread(parent);
    if (current->ptrace || !tracer)
        return -LX_EPERM;
    // cap_ptrace_traceme
    if (current->cred->cap_permitted & ~tracer->cred->cap_permitted &&
        !cred_has(tracer->cred, LX_CAP_SYS_PTRACE))
        return -LX_EPERM;
    return ptrace_link(current, tracer, false, 0);
}

static int64_t attach(struct task *t, bool seize, uint64_t address, uint64_t options)
{
    if (seize) {
        if (address)
            return -LX_EIO;
        if (options & ~(uint64_t)LX_PTRACE_O_MASK)
            return -LX_EIO;
        int64_t r = check_options(options);
        if (r)
            return r;
    }
    if (t->tg == current->tg || !task_may_access(t) || t->ptrace || t->exiting || t->state != TASK_RUNNING ||
        !t->mm)
        return -LX_EPERM;
    int err = ptrace_link(t, current, seize, seize ? (uint32_t)options : 0);
    if (err)
        return err;
    if (!seize) {
        struct lx_siginfo info = {.signo = LX_SIGSTOP, .code = LX_SI_KERNEL};
        send_signal_task(t, LX_SIGSTOP, &info);
    }
    if (t->stopped) { // from a group stop into one of the tracer's
        t->stopped = false;
        task_resume(t);
    }
    return 0;
}

// --- registers and words of struct user

static int64_t get_regs(struct task *t, struct lx_user_regs *regs)
{
    int64_t r = ptrace_read_bases(t);
    if (r)
        return r;
    r = ptrace_get_regs(t, regs);
    regs->fs_base = t->ptrace->fs_base;
    regs->gs_base = t->ptrace->gs_base;
    return r;
}

static int64_t set_regs(struct task *t, const struct lx_user_regs *regs)
{
    int64_t r = ptrace_read_bases(t);
    if (r == 0 && (regs->fs_base != t->ptrace->fs_base || regs->gs_base != t->ptrace->gs_base)) {
        if (regs->fs_base >> 47 || regs->gs_base >> 47)
            return -LX_EIO;
        r = ptrace_write_bases(t, regs->fs_base, regs->gs_base);
    }
    return r ? r : ptrace_set_regs(t, regs);
}

static int64_t peek_user(struct task *t, uint64_t at, gaddr_t to)
{
    struct lx_user_regs regs;
    uint64_t word = 0;
    if (at & 7 || at >= LX_USER_SIZE)
        return -LX_EIO;
    if (at < sizeof(regs)) {
        int64_t r = get_regs(t, &regs);
        if (r)
            return r;
        memcpy(&word, (const char *)&regs + at, sizeof(word));
    }
    if (at >= LX_USER_DEBUGREG)
        word = ptrace_get_debug(t->ptrace, (unsigned)(at - LX_USER_DEBUGREG) / 8);
    return put_user(word, to); // what is not a register reads as zero
}

static int64_t poke_user(struct task *t, uint64_t at, uint64_t word)
{
    struct lx_user_regs regs;
    if (at & 7 || at >= LX_USER_SIZE)
        return -LX_EIO;
    if (at >= LX_USER_DEBUGREG)
        return ptrace_set_debug(t->ptrace, (unsigned)(at - LX_USER_DEBUGREG) / 8, word);
    if (at >= sizeof(regs))
        return 0;
    int64_t r = get_regs(t, &regs);
    if (r)
        return r;
    memcpy((char *)&regs + at, &word, sizeof(word));
    return set_regs(t, &regs);
}

// ptrace_access_vm: a program that became unreadable, or gained rights, after it was attached.
static bool memory_closed(const struct task *t)
{
    return !t->mm->dumpable && !may_trace(t);
}

static int64_t peek_memory(struct task *t, gaddr_t at, gaddr_t to)
{
    uint64_t word;
    if (memory_closed(t) || task_copy_in(t, &word, at, sizeof(word)))
        return -LX_EIO;
    return put_user(word, to);
}

static int64_t poke_memory(struct task *t, gaddr_t at, uint64_t word)
{
    if (memory_closed(t))
        return -LX_EIO;
    if (!t->ptrace->order && task_copy_out(t, at, &word, sizeof(word)) == 0)
        return 0;
    return ptrace_write_memory(t, at, &word, sizeof(word));
}

static int64_t fp_regs(struct task *t, gaddr_t at, bool set)
{
    uint8_t bytes[512];
    if (set) {
        if (copy_in(bytes, at, sizeof(bytes)))
            return -LX_EFAULT;
        int64_t r = ptrace_set_xstate(t, bytes, sizeof(bytes));
        return r < 0 ? r : 0;
    }
    int64_t r = ptrace_get_xstate(t, bytes, sizeof(bytes));
    return r < 0 ? r : copy_out(at, bytes, sizeof(bytes));
}

struct guest_iovec {
    uint64_t base, len;
};

static int64_t regset(struct task *t, uint64_t type, gaddr_t iov_at, bool set)
{
    struct guest_iovec iov;
    struct lx_user_regs regs;
    if (get_user(iov, iov_at) != 0)
        return -LX_EFAULT;
    int64_t r;
    if (type == LX_NT_PRSTATUS) {
        if (iov.len % 8)
            return -LX_EINVAL;
        size_t n = iov.len < sizeof(regs) ? iov.len : sizeof(regs);
        r = get_regs(t, &regs);
        if (r)
            return r;
        if (set && copy_in(&regs, iov.base, n))
            return -LX_EFAULT;
        r = set ? set_regs(t, &regs) : copy_out(iov.base, &regs, n);
        iov.len = n;
    } else if (type == LX_NT_PRFPREG || type == LX_NT_X86_XSTATE) {
        size_t most = type == LX_NT_PRFPREG ? 512 : XSTATE_MAX;
        size_t n = iov.len < most ? iov.len : most;
        if (iov.len % 8)
            return -LX_EINVAL;
        uint8_t *bytes = malloc(most);
        if (!bytes)
            return -LX_ENOMEM;
        if (set)
            r = copy_in(bytes, iov.base, n) ? -LX_EFAULT : ptrace_set_xstate(t, bytes, n);
        else
            r = ptrace_get_xstate(t, bytes, n);
        if (r >= 0) {
            iov.len = (uint64_t)r;
            r = set ? 0 : copy_out(iov.base, bytes, iov.len);
        }
        free(bytes);
    } else {
        return -LX_EINVAL;
    }
    return r ? r : put_user(iov, iov_at);
}

// --- what the stop is

static int64_t syscall_info(struct task *t, uint64_t size, gaddr_t to)
{
    const struct ptrace *p = t->ptrace;
    struct lx_ptrace_syscall_info info = {
        .arch = LX_AUDIT_ARCH_X86_64, .instruction_pointer = t->trap.rip, .stack_pointer = t->trap.rsp};
    uint64_t actual = LX_SYSCALL_INFO_NONE_SIZE;
    bool call_stop = p->code & 0x80; // PTRACE_O_TRACESYSGOOD
    if (call_stop && p->where == PTRACE_STOP_ENTRY) {
        info.op = LX_PTRACE_SYSCALL_INFO_ENTRY;
        info.entry.nr = p->nr;
        memcpy(info.entry.args, p->args, sizeof(p->args));
        actual = LX_SYSCALL_INFO_ENTRY_SIZE;
    } else if (p->where == PTRACE_STOP_SECCOMP) {
        info.op = LX_PTRACE_SYSCALL_INFO_SECCOMP;
        info.seccomp.nr = p->nr;
        memcpy(info.seccomp.args, p->args, sizeof(p->args));
        info.seccomp.ret_data = (uint32_t)p->message;
        actual = LX_SYSCALL_INFO_SECCOMP_SIZE;
    } else if (call_stop && p->where == PTRACE_STOP_EXIT) {
        int64_t r = (int64_t)t->trap.rax;
        info.op = LX_PTRACE_SYSCALL_INFO_EXIT;
        info.exit.rval = r;
        info.exit.is_error = r < 0 && r >= -4095;
        actual = LX_SYSCALL_INFO_EXIT_SIZE;
    }
    int err = copy_out(to, &info, size < actual ? size : actual);
    return err ? err : (int64_t)actual;
}

static int64_t let_go(struct task *t, enum ptrace_mode mode, uint64_t sig)
{
    if (sig > LX_NSIG)
        return -LX_EIO;
    ptrace_resume(t, mode, (int)sig);
    return 0;
}

static int64_t detach(struct task *t, uint64_t sig)
{
    if (sig > LX_NSIG)
        return -LX_EIO;
    struct ptrace *p = t->ptrace;
    bool signal_stop = p->where == PTRACE_STOP_SIGNAL;
    struct lx_siginfo info = p->info;
    if (signal_stop && sig && info.signo != (int)sig) {
        info = (struct lx_siginfo){.signo = (int)sig, .code = LX_SI_USER};
        info.u.rt.pid = current->tg->pid;
        info.u.rt.uid = current->cred->uid;
    }
    task_get(t);
    ptrace_unlink(t);
    if (sig)
        send_signal_task(t, (int)sig, signal_stop ? &info : NULL);
    task_put(t);
    return 0;
}

static int64_t signal_mask(struct task *t, uint64_t size, gaddr_t at, bool set)
{
    sigset64 mask = t->restore_mask ? t->saved_mask : task_blocked(t);
    if (size != sizeof(mask))
        return -LX_EINVAL;
    if (!set)
        return put_user(mask, at);
    if (get_user(mask, at) != 0)
        return -LX_EFAULT;
    if (t->restore_mask)
        t->saved_mask = mask & ~(SIGBIT(LX_SIGKILL) | SIGBIT(LX_SIGSTOP));
    else
        set_blocked(t, mask);
    return 0;
}

static int64_t interrupt(struct task *t)
{
    struct ptrace *p = t->ptrace;
    if (!p->seized)
        return -LX_EIO;
    p->trap_stop = true;
    if (p->listening) {
        p->stopped = p->listening = false;
        task_resume(t);
    } else {
        task_interrupt(t);
    }
    return 0;
}

static int64_t listen(struct task *t)
{
    struct ptrace *p = t->ptrace;
    if (!p->seized || p->where != PTRACE_STOP_GROUP)
        return -LX_EIO;
    p->listening = true;
    if (p->trap_stop) // something has happened meanwhile
        return interrupt(t);
    return 0;
}

static int64_t stopped_request(struct call *call, struct task *t)
{
    struct ptrace *p = t->ptrace;
    uint64_t address = call->args[2], data = call->args[3];
    struct lx_user_regs regs;
    struct lx_siginfo info;
    int64_t r;
    switch ((int64_t)call->args[0]) {
    case LX_PTRACE_PEEKTEXT:
    case LX_PTRACE_PEEKDATA:
        return peek_memory(t, address, data);
    case LX_PTRACE_PEEKUSER:
        return peek_user(t, address, data);
    case LX_PTRACE_POKETEXT:
    case LX_PTRACE_POKEDATA:
        return poke_memory(t, address, data);
    case LX_PTRACE_POKEUSER:
        return poke_user(t, address, data);
    case LX_PTRACE_CONT:
        return let_go(t, PTRACE_MODE_CONT, data);
    case LX_PTRACE_SYSCALL:
        return let_go(t, PTRACE_MODE_SYSCALL, data);
    case LX_PTRACE_SINGLESTEP:
        return let_go(t, PTRACE_MODE_STEP, data);
    case LX_PTRACE_SYSEMU:
        return let_go(t, PTRACE_MODE_EMULATE, data);
    case LX_PTRACE_SYSEMU_SINGLESTEP:
        return let_go(t, PTRACE_MODE_EMULATE_STEP, data);
    case LX_PTRACE_DETACH:
        return detach(t, data);
    case LX_PTRACE_GETREGS:
        r = get_regs(t, &regs);
        return r ? r : copy_out(data, &regs, sizeof(regs)) ? -LX_EIO : 0;
    case LX_PTRACE_SETREGS:
        return copy_in(&regs, data, sizeof(regs)) ? -LX_EIO : set_regs(t, &regs);
    case LX_PTRACE_GETFPREGS:
        return fp_regs(t, data, false);
    case LX_PTRACE_SETFPREGS:
        return fp_regs(t, data, true);
    case LX_PTRACE_GETREGSET:
    case LX_PTRACE_SETREGSET:
        return regset(t, address, data, call->args[0] == LX_PTRACE_SETREGSET);
    case LX_PTRACE_SETOPTIONS:
        r = check_options(data);
        if (r == 0)
            p->options = (uint32_t)data;
        return r;
    case LX_PTRACE_GETEVENTMSG:
        return put_user(p->message, data);
    case LX_PTRACE_GETSIGINFO:
        return p->has_info ? put_user(p->info, data) : -LX_EINVAL;
    case LX_PTRACE_SETSIGINFO:
        if (get_user(info, data) != 0)
            return -LX_EFAULT;
        if (!p->has_info)
            return -LX_EINVAL;
        p->info = info;
        return 0;
    case LX_PTRACE_GETSIGMASK:
    case LX_PTRACE_SETSIGMASK:
        return signal_mask(t, address, data, call->args[0] == LX_PTRACE_SETSIGMASK);
    case LX_PTRACE_GET_SYSCALL_INFO:
        return syscall_info(t, address, data);
    case LX_PTRACE_LISTEN:
        return listen(t);
    case LX_PTRACE_PEEKSIGINFO:
        return ptrace_peek_siginfo(t, address, data);
    case LX_PTRACE_SECCOMP_GET_FILTER:
        return ptrace_seccomp_filter(t, address, data);
    case LX_PTRACE_SECCOMP_GET_METADATA:
        return ptrace_seccomp_metadata(t, address, data);
    case LX_PTRACE_ARCH_PRCTL:
        return ptrace_arch_prctl(t, data, address);
    default:
        return -LX_EIO;
    }
}

int64_t sys_ptrace(struct call *call)
{
    int64_t request = (int64_t)call->args[0];
    if (request == LX_PTRACE_TRACEME)
        return traceme();
    struct task *t = find_task(arg_int(call, 1));
    if (!t)
        return -LX_ESRCH;
    if (request == LX_PTRACE_ATTACH || request == LX_PTRACE_SEIZE)
        return attach(t, request == LX_PTRACE_SEIZE, call->args[2], call->args[3]);
    if (!t->ptrace || t->ptrace->tracer != current)
        return -LX_ESRCH;
    if (request == LX_PTRACE_KILL) {
        send_signal_group(t->tg, LX_SIGKILL, NULL);
        return 0;
    }
    if (request == LX_PTRACE_INTERRUPT)
        return interrupt(t);
    if (!t->ptrace->stopped || t->ptrace->listening || t->exiting || !t->trap.parked || !t->trap.hypercall_id)
        if (!(t->ptrace->stopped && t->ptrace->order)) // our own order is at work in it
            return -LX_ESRCH;
    task_get(t);
    int64_t r = stopped_request(call, t);
    task_put(t);
    return r;
}
