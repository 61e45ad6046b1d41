// msgget(2), msgsnd(2), msgrcv(2), msgctl(2).
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "sentry/ipc/sysv/sysv.h"
#include "sentry/task/task.h"
#include "sentry/trap/call.h"
#include "syscall_handlers.h"
#include <stdlib.h>

static struct msg_queue *queue_of(int id)
{
    return (struct msg_queue *)(void *)ipc_find(&sysv_current()->msg, id);
}

static int make(int32_t key, int flags, uint64_t unused)
{
    struct sysv_ns *ns = sysv_current();
    struct msg_queue *q = calloc(1, sizeof(*q));
    if (!q)
        return -LX_ENOMEM;
    int id = ipc_add(&ns->msg, &q->perm, key, flags, (unsigned)ns->limits.msgmni);
    if (id < 0) {
        free(q);
        return id;
    }
    q->ns = ns;
    q->qbytes = (uint64_t)ns->limits.msgmnb;
    list_init(&q->messages);
    wait_queue_init(&q->senders);
    wait_queue_init(&q->receivers);
    return id;
}

int64_t sys_msgget(struct call *c)
{
    return ipc_get(&sysv_current()->msg, arg_int(c, 0), arg_int(c, 1), 0, NULL, make);
}

static void put_message(struct msg_queue *q, struct msg *m)
{
    list_add_tail(&m->link, &q->messages);
    q->cbytes += m->size;
    q->qnum++;
    q->lspid = current->tg->pid;
    q->stime = ipc_now();
    wake_up(&q->receivers, EV_IN);
}

int64_t sys_msgsnd(struct call *c)
{
    gaddr_t from = c->args[1];
    uint64_t size = c->args[2];
    int flags = arg_int(c, 3), err = 0;
    int64_t type;
    c->interrupted = -LX_ERESTARTNOHAND;
    if (get_user(type, from))
        return -LX_EFAULT;
    if (size > (uint64_t)sysv_current()->limits.msgmax || arg_int(c, 0) < 0 || type < 1)
        return -LX_EINVAL;
    struct msg *m = msg_alloc((uint32_t)size, &err);
    if (!m)
        return err;
    m->type = type;
    if (size && copy_in(m->text, from + sizeof(type), size))
        err = -LX_EFAULT;
    struct msg_queue *q = err ? NULL : queue_of(arg_int(c, 0));
    if (!err && !q)
        err = c->first ? -LX_EINVAL : -LX_EIDRM;
    if (!err)
        err = ipc_permission(&q->perm, IPC_WRITE);
    if (!err && (size + q->cbytes > q->qbytes || q->qnum + 1 > q->qbytes)) {
        msg_free(m);
        return flags & LX_IPC_NOWAIT ? -LX_EAGAIN : block_on(&q->senders, EV_OUT);
    }
    if (err)
        msg_free(m);
    else
        put_message(q, m);
    return err;
}

// Takes the message out, or copies it with MSG_COPY.
static int64_t take(struct msg_queue *q, struct msg *m, gaddr_t to, uint64_t room, int flags)
{
    uint64_t n = m->size < room ? m->size : room;
    int64_t r = (int64_t)n;
    if (put_user(m->type, to) || (n && copy_out(to + sizeof(m->type), m->text, n)))
        r = -LX_EFAULT; // and the message is lost all the same
    if (flags & LX_MSG_COPY)
        return r;
    list_del(&m->link);
    q->cbytes -= m->size;
    q->qnum--;
    q->lrpid = current->tg->pid;
    q->rtime = ipc_now();
    msg_free(m);
    wake_up(&q->senders, EV_OUT);
    return r;
}

int64_t sys_msgrcv(struct call *c)
{
    uint64_t room = c->args[2];
    int flags = arg_int(c, 4);
    c->interrupted = -LX_ERESTARTNOHAND;
    if (arg_int(c, 0) < 0 || (int64_t)room < 0)
        return -LX_EINVAL;
    if ((flags & LX_MSG_COPY) && ((flags & LX_MSG_EXCEPT) || !(flags & LX_IPC_NOWAIT)))
        return -LX_EINVAL;
    struct msg_queue *q = queue_of(arg_int(c, 0));
    if (!q)
        return c->first ? -LX_EINVAL : -LX_EIDRM;
    int err = ipc_permission(&q->perm, IPC_READ);
    if (err)
        return err;
    struct msg *m = msg_pick(q, (int64_t)c->args[3], flags);
    if (!m)
        return flags & LX_IPC_NOWAIT ? -LX_ENOMSG : block_on(&q->receivers, EV_IN);
    if (m->size > room && !(flags & LX_MSG_NOERROR))
        return flags & LX_MSG_COPY ? -LX_EINVAL : -LX_E2BIG;
    return take(q, m, c->args[1], room, flags);
}

static int64_t put_info(gaddr_t out, bool use)
{
    const struct sysv_ns *ns = sysv_current();
    struct lx_msginfo info = {.msgpool = (int32_t)(ns->limits.msgmni * ns->limits.msgmnb / 1024),
                              .msgmap = (int32_t)ns->limits.msgmnb,
                              .msgmax = (int32_t)ns->limits.msgmax,
                              .msgmnb = (int32_t)ns->limits.msgmnb,
                              .msgmni = (int32_t)ns->limits.msgmni,
                              .msgssz = 16,
                              .msgtql = (int32_t)ns->limits.msgmnb,
                              .msgseg = 0xffff};
    if (use) {
        info.msgpool = (int32_t)ns->msg.used;
        info.msgmap = 0;
        info.msgtql = 0;
        for (unsigned i = 0; i < ns->msg.size; i++) {
            const struct msg_queue *q = (struct msg_queue *)(void *)ns->msg.slots[i];
            info.msgmap += q ? (int32_t)q->qnum : 0;
            info.msgtql += q ? (int32_t)q->cbytes : 0;
        }
    }
    return put_user(info, out) ? -LX_EFAULT : ipc_highest(&ns->msg);
}

static int64_t put_stat(struct msg_queue *q, gaddr_t out, int64_t ret)
{
    struct lx_msqid_ds ds = {.stime = q->stime,
                             .rtime = q->rtime,
                             .ctime = q->perm.ctime,
                             .cbytes = q->cbytes,
                             .qnum = q->qnum,
                             .qbytes = q->qbytes,
                             .lspid = q->lspid,
                             .lrpid = q->lrpid};
    ipc_stat(&q->perm, &ds.perm);
    return put_user(ds, out) ? -LX_EFAULT : ret;
}

static int64_t set_queue(struct msg_queue *q, const struct lx_msqid_ds *ds)
{
    if (ds->qbytes > (uint64_t)sysv_current()->limits.msgmnb && !capable(LX_CAP_SYS_RESOURCE))
        return -LX_EPERM;
    int err = ipc_set(&q->perm, &ds->perm);
    if (err)
        return err;
    q->qbytes = ds->qbytes;
    wake_up(&q->receivers, EV_IN); // who may no longer read learns of it
    wake_up(&q->senders, EV_OUT);
    return 0;
}

int64_t sys_msgctl(struct call *c)
{
    int id = arg_int(c, 0), cmd = arg_int(c, 1);
    gaddr_t out = c->args[2];
    struct lx_msqid_ds ds;
    if (id < 0 || cmd < 0)
        return -LX_EINVAL;
    if (cmd == LX_IPC_INFO || cmd == LX_MSG_INFO)
        return put_info(out, cmd == LX_MSG_INFO);
    if (cmd == LX_IPC_SET && get_user(ds, out))
        return -LX_EFAULT;
    bool by_slot = cmd == LX_MSG_STAT || cmd == LX_MSG_STAT_ANY;
    if (!by_slot && cmd != LX_IPC_STAT && cmd != LX_IPC_SET && cmd != LX_IPC_RMID)
        return -LX_EINVAL;
    struct msg_queue *q =
        by_slot ? (struct msg_queue *)(void *)ipc_at(&sysv_current()->msg, (unsigned)id) : queue_of(id);
    if (!q)
        return -LX_EINVAL;
    int err = cmd == LX_IPC_SET || cmd == LX_IPC_RMID ? ipc_owner(&q->perm)
              : cmd == LX_MSG_STAT_ANY                ? 0
                                                      : ipc_permission(&q->perm, IPC_READ);
    if (err)
        return err;
    if (cmd == LX_IPC_SET)
        return set_queue(q, &ds);
    if (cmd != LX_IPC_RMID)
        return put_stat(q, out, by_slot ? q->perm.id : 0);
    msg_destroy(q);
    return 0;
}
