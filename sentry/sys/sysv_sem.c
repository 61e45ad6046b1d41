// semget(2), semop(2), semtimedop(2), semctl(2).
#include "abi/linux/errno.h"
#include "sentry/core/timer.h"
#include "sentry/ipc/poll.h"
#include "sentry/ipc/sysv/sysv.h"
#include "sentry/task/task.h"
#include "sentry/trap/call.h"
#include "syscall_handlers.h"
#include <stdlib.h>

static struct sem_set *set_of(int id)
{
    return (struct sem_set *)(void *)ipc_find(&sysv_current()->sem, id);
}

static int check_count(const struct ipc_perm *p, uint64_t nsems)
{
    return ((const struct sem_set *)(const void *)p)->nsems < nsems ? -LX_EINVAL : 0;
}

static int make(int32_t key, int flags, uint64_t nsems)
{
    struct sysv_ns *ns = sysv_current();
    if (nsems == 0)
        return -LX_EINVAL;
    if ((int64_t)(ns->sems + nsems) > ns->limits.semmns || sem_total + nsems > SYSV_SEMS_MAX)
        return -LX_ENOSPC;
    struct sem_set *s = calloc(1, sizeof(*s) + nsems * sizeof(s->sems[0]));
    if (!s)
        return -LX_ENOMEM;
    int id = ipc_add(&ns->sem, &s->perm, key, flags, (unsigned)ns->limits.semmni);
    if (id < 0) {
        free(s);
        return id;
    }
    s->nsems = (unsigned)nsems;
    s->ns = ns;
    ns->sems += s->nsems;
    sem_total += s->nsems;
    wait_queue_init(&s->wait);
    list_init(&s->waiting);
    list_init(&s->undos);
    return id;
}

int64_t sys_semget(struct call *c)
{
    struct sysv_ns *ns = sysv_current();
    int nsems = arg_int(c, 1);
    if (nsems < 0 || nsems > ns->limits.semmsl)
        return -LX_EINVAL;
    return ipc_get(&ns->sem, arg_int(c, 0), arg_int(c, 2), (uint64_t)nsems, check_count, make);
}

struct semop_state {
    struct sem_wait wait;
    uint64_t deadline;
};

static void semop_end(struct call *c)
{
    list_del(&call_state(c, struct semop_state)->wait.link);
}

// Reads the deadline. 0, -LX_EFAULT or -LX_EINVAL.
static int semop_begin(struct call *c, struct semop_state *st, gaddr_t timeout)
{
    struct lx_timespec ts;
    list_init(&st->wait.link);
    st->deadline = KTIMER_NEVER;
    c->interrupted = -LX_EINTR;
    c->release = semop_end;
    if (!timeout)
        return 0;
    if (get_user(ts, timeout))
        return -LX_EFAULT;
    int64_t ns = timespec_ns(&ts);
    if (ns < 0)
        return -LX_EINVAL;
    st->deadline = deadline_after((uint64_t)ns);
    return 0;
}

static int64_t operate(struct call *c, struct semop_state *st, const struct lx_sembuf *ops, unsigned n)
{
    unsigned most = 0;
    bool alter = false;
    for (unsigned i = 0; i < n; i++) {
        most = ops[i].num > most ? ops[i].num : most;
        alter = alter || ops[i].op;
    }
    struct sem_set *s = set_of(arg_int(c, 0));
    if (!s)
        return c->first ? -LX_EINVAL : -LX_EIDRM;
    if (most >= s->nsems)
        return -LX_EFBIG;
    int err = ipc_permission(&s->perm, alter ? IPC_WRITE : IPC_READ);
    if (err)
        return err;
    err = sem_operate(s, ops, n, &st->wait);
    if (err != -LX_EAGAIN) {
        if (!err && alter)
            wake_up(&s->wait, EV_ALL);
        return err;
    }
    for (unsigned i = 0; i < n; i++) // the first that cannot be done
        if (ops[i].num == st->wait.num && (ops[i].op == 0) == st->wait.for_zero) {
            if (ops[i].flg & LX_IPC_NOWAIT)
                return -LX_EAGAIN;
            break;
        }
    if (c->timed_out)
        return -LX_EAGAIN;
    list_add_tail(&st->wait.link, &s->waiting);
    return block_on_until(&s->wait, EV_ALL, st->deadline);
}

static int64_t do_semop(struct call *c, gaddr_t timeout)
{
    struct semop_state *st = call_state(c, struct semop_state);
    unsigned n = arg_uint(c, 2);
    int err = c->first ? semop_begin(c, st, timeout) : 0;
    list_del(&st->wait.link);
    if (err)
        return err;
    if (n < 1 || arg_int(c, 0) < 0)
        return -LX_EINVAL;
    if (n > sysv_current()->limits.semopm)
        return -LX_E2BIG;
    struct lx_sembuf small[16], *ops = n > 16 ? malloc(n * sizeof(*ops)) : small;
    if (!ops)
        return -LX_ENOMEM;
    int64_t r = copy_in(ops, c->args[1], n * sizeof(*ops)) ? -LX_EFAULT : operate(c, st, ops, n);
    if (ops != small)
        free(ops);
    return r;
}

int64_t sys_semop(struct call *c)
{
    return do_semop(c, 0);
}

int64_t sys_semtimedop(struct call *c)
{
    return do_semop(c, c->args[3]);
}

static int64_t put_info(gaddr_t out, bool use)
{
    const struct sysv_ns *ns = sysv_current();
    const struct lx_seminfo info = {.semmap = (int32_t)ns->limits.semmns,
                                    .semmni = (int32_t)ns->limits.semmni,
                                    .semmns = (int32_t)ns->limits.semmns,
                                    .semmnu = (int32_t)ns->limits.semmns,
                                    .semmsl = (int32_t)ns->limits.semmsl,
                                    .semopm = (int32_t)ns->limits.semopm,
                                    .semume = (int32_t)ns->limits.semopm,
                                    .semusz = use ? (int32_t)ns->sem.used : 20,
                                    .semvmx = LX_SEMVMX,
                                    .semaem = use ? (int32_t)ns->sems : LX_SEMVMX};
    return put_user(info, out) ? -LX_EFAULT : ipc_highest(&ns->sem);
}

static int64_t put_stat(struct sem_set *s, gaddr_t out, int64_t ret)
{
    struct lx_semid_ds ds = {.otime = s->otime, .ctime = s->perm.ctime, .nsems = s->nsems};
    ipc_stat(&s->perm, &ds.perm);
    return put_user(ds, out) ? -LX_EFAULT : ret;
}

static int64_t get_all(struct sem_set *s, gaddr_t out)
{
    uint16_t *values = malloc(s->nsems * sizeof(*values));
    if (!values)
        return -LX_ENOMEM;
    for (unsigned i = 0; i < s->nsems; i++)
        values[i] = (uint16_t)s->sems[i].value;
    int err = copy_out(out, values, s->nsems * sizeof(*values));
    free(values);
    return err;
}

static int64_t set_all(struct sem_set *s, gaddr_t from)
{
    uint16_t *values = malloc(s->nsems * sizeof(*values));
    if (!values)
        return -LX_ENOMEM;
    int err = copy_in(values, from, s->nsems * sizeof(*values));
    for (unsigned i = 0; !err && i < s->nsems; i++)
        if (values[i] > LX_SEMVMX)
            err = -LX_ERANGE;
    for (unsigned i = 0; !err && i < s->nsems; i++) {
        s->sems[i].value = values[i];
        s->sems[i].pid = current->tg->pid;
    }
    free(values);
    if (err)
        return err;
    sem_forget_undo(s, -1);
    s->perm.ctime = ipc_now();
    wake_up(&s->wait, EV_ALL);
    return 0;
}

static int64_t set_value(struct sem_set *s, int num, int value)
{
    if (value < 0 || value > LX_SEMVMX)
        return -LX_ERANGE;
    s->sems[num].value = value;
    s->sems[num].pid = current->tg->pid;
    sem_forget_undo(s, num);
    s->perm.ctime = ipc_now();
    wake_up(&s->wait, EV_ALL);
    return 0;
}

static int64_t waiters(const struct sem_set *s, int num, bool for_zero)
{
    int64_t n = 0;
    list_for_each(w, &s->waiting, struct sem_wait, link) n += w->num == num && w->for_zero == for_zero;
    return n;
}

// Commands about one semaphore, or all values.
static int64_t values_ctl(struct call *c, struct sem_set *s, int num, int cmd)
{
    bool sets = cmd == LX_SETVAL || cmd == LX_SETALL;
    int err = ipc_permission(&s->perm, sets ? IPC_WRITE : IPC_READ);
    // SETVAL looks at the number first (semctl_setval).
    if (cmd == LX_SETVAL && ((int)c->args[3] < 0 || (int)c->args[3] > LX_SEMVMX))
        return -LX_ERANGE;
    if (cmd == LX_SETVAL && (num < 0 || (unsigned)num >= s->nsems))
        return -LX_EINVAL;
    if (err)
        return err;
    if (cmd == LX_GETALL)
        return get_all(s, c->args[3]);
    if (cmd == LX_SETALL)
        return set_all(s, c->args[3]);
    if (num < 0 || (unsigned)num >= s->nsems)
        return -LX_EINVAL;
    switch (cmd) {
    case LX_GETVAL:
        return s->sems[num].value;
    case LX_GETPID:
        return s->sems[num].pid;
    case LX_GETNCNT:
        return waiters(s, num, false);
    case LX_GETZCNT:
        return waiters(s, num, true);
    default:
        return set_value(s, num, (int)c->args[3]);
    }
}

int64_t sys_semctl(struct call *c)
{
    int id = arg_int(c, 0), num = arg_int(c, 1), cmd = arg_int(c, 2);
    gaddr_t arg = c->args[3];
    struct lx_semid_ds ds;
    if (id < 0)
        return -LX_EINVAL;
    if (cmd == LX_IPC_INFO || cmd == LX_SEM_INFO)
        return put_info(arg, cmd == LX_SEM_INFO);
    if (cmd == LX_IPC_SET && get_user(ds, arg))
        return -LX_EFAULT;
    bool by_slot = cmd == LX_SEM_STAT || cmd == LX_SEM_STAT_ANY;
    bool values = cmd >= LX_GETPID && cmd <= LX_SETALL;
    if (!by_slot && !values && cmd != LX_IPC_STAT && cmd != LX_IPC_SET && cmd != LX_IPC_RMID)
        return -LX_EINVAL;
    struct sem_set *s =
        by_slot ? (struct sem_set *)(void *)ipc_at(&sysv_current()->sem, (unsigned)id) : set_of(id);
    if (!s)
        return -LX_EINVAL;
    if (values)
        return values_ctl(c, s, num, cmd);
    int err = cmd == LX_IPC_SET || cmd == LX_IPC_RMID ? ipc_owner(&s->perm)
              : cmd == LX_SEM_STAT_ANY                ? 0
                                                      : ipc_permission(&s->perm, IPC_READ);
    if (err)
        return err;
    if (cmd == LX_IPC_SET)
        return ipc_set(&s->perm, &ds.perm);
    if (cmd != LX_IPC_RMID)
        return put_stat(s, arg, by_slot ? s->perm.id : 0);
    sem_set_destroy(s);
    return 0;
}
