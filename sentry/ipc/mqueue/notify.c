// mq_notify(2): who is told of the first message in an empty queue, and how.
#include "sentry/ipc/mqueue/mqueue.h"
#include "abi/linux/errno.h"
#include "abi/linux/signal.h"
#include "sentry/net/netlink/notice.h"
#include "sentry/task/task.h"

static struct list_head registered = LIST_INIT(registered); // mq_notification.link, kernel lock

int mq_notify_set(struct mqueue *q, int how, int signo, uint64_t value, struct nl_notice *notice)
{
    struct mq_notification *n = &q->notify;
    if (n->owner)
        return -LX_EBUSY;
    n->owner = tg_get(current->tg);
    n->exec_id = current->tg->exec_id;
    n->how = how;
    n->signo = signo;
    n->value = value;
    n->notice = notice;
    list_add_tail(&n->link, &registered);
    return 0;
}

// The registration is over: what comes over the netlink socket says why.
static void end(struct mq_notification *n, uint8_t why)
{
    struct thread_group *owner = n->owner;
    struct nl_notice *notice = n->notice;
    list_del(&n->link);
    n->owner = NULL;
    n->notice = NULL;
    if (notice)
        netlink_notice_send(notice, why);
    tg_put(owner);
}

void mq_notify_clear(struct mqueue *q, struct thread_group *tg)
{
    if (q->notify.owner == tg)
        end(&q->notify, LX_NOTIFY_REMOVED);
}

void mq_group_exit(struct thread_group *tg)
{
    list_for_each_safe(n, &registered, struct mq_notification, link) if (n->owner == tg)
        end(n, LX_NOTIFY_REMOVED);
}

void mq_notify_fire(struct mqueue *q)
{
    struct mq_notification *n = &q->notify;
    if (!n->owner)
        return;
    if (n->how == LX_SIGEV_SIGNAL && n->signo && n->exec_id == n->owner->exec_id) {
        struct lx_siginfo info = {.signo = n->signo, .code = LX_SI_MESGQ};
        info.u.rt.pid = current->tg->pid;
        info.u.rt.uid = current->cred->uid;
        info.u.rt.value = n->value;
        send_signal_group(n->owner, n->signo, &info); // may be the end of it: mq_group_exit()
    }
    if (n->owner)
        end(n, LX_NOTIFY_WOKENUP);
}
