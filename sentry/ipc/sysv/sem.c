#include "sentry/ipc/sysv/sysv.h"
#include "abi/linux/errno.h"
#include "sentry/task/task.h"
#include <stdlib.h>

unsigned sem_total;
static size_t undo_bytes;

// tg->ipc: the adjustments of a process.
struct sem_undo_list {
    struct list_head undos; // sem_undo.owner_link
};

static size_t undo_size(const struct sem_set *s)
{
    return sizeof(struct sem_undo) + s->nsems * sizeof(int16_t);
}

static void undo_free(struct sem_undo *u)
{
    undo_bytes -= undo_size(u->set);
    list_del(&u->set_link);
    list_del(&u->owner_link);
    free(u);
}

void sem_set_destroy(struct sem_set *s)
{
    while (!list_empty(&s->undos))
        undo_free(list_first(&s->undos, struct sem_undo, set_link));
    while (!list_empty(&s->waiting))
        list_del(s->waiting.next);
    ipc_remove(&s->ns->sem, &s->perm);
    s->ns->sems -= s->nsems;
    sem_total -= s->nsems;
    wait_queue_release(&s->wait);
    free(s);
}

void sem_forget_undo(struct sem_set *s, int num)
{
    list_for_each(u, &s->undos, struct sem_undo, set_link)
    {
        for (unsigned i = 0; i < s->nsems; i++)
            if (num < 0 || i == (unsigned)num)
                u->adjust[i] = 0;
    }
}

// Current's adjustments of a set, made when there are none. NULL: no memory.
static struct sem_undo *undo_of(struct sem_set *s)
{
    struct sem_undo_list *list = current->tg->ipc;
    if (!list) {
        list = malloc(sizeof(*list));
        if (!list)
            return NULL;
        list_init(&list->undos);
        current->tg->ipc = list;
    }
    list_for_each(u, &list->undos, struct sem_undo, owner_link) if (u->set == s) return u;
    if (undo_bytes + undo_size(s) > SYSV_UNDO_BYTES_MAX)
        return NULL;
    struct sem_undo *u = calloc(1, undo_size(s));
    if (!u)
        return NULL;
    undo_bytes += undo_size(s);
    u->set = s;
    list_add_tail(&u->set_link, &s->undos);
    list_add_tail(&u->owner_link, &list->undos);
    return u;
}

static bool wants_undo(const struct lx_sembuf *ops, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (ops[i].flg & LX_SEM_UNDO)
            return true;
    return false;
}

static void take_back(struct sem_set *s, struct sem_undo *undo, const struct lx_sembuf *ops, unsigned n)
{
    while (n-- > 0) {
        s->sems[ops[n].num].value -= ops[n].op;
        if (ops[n].flg & LX_SEM_UNDO)
            undo->adjust[ops[n].num] = (int16_t)(undo->adjust[ops[n].num] + ops[n].op);
    }
}

int sem_operate(struct sem_set *s, const struct lx_sembuf *ops, unsigned n, struct sem_wait *w)
{
    struct sem_undo *undo = NULL;
    if (wants_undo(ops, n) && !(undo = undo_of(s)))
        return -LX_ENOMEM;
    for (unsigned i = 0; i < n; i++) {
        struct sem *sem = &s->sems[ops[i].num];
        int value = sem->value + ops[i].op;
        bool blocks = (ops[i].op == 0 && sem->value) || value < 0;
        int adjust = ops[i].flg & LX_SEM_UNDO ? undo->adjust[ops[i].num] - ops[i].op : 0;
        if (blocks || value > LX_SEMVMX || adjust < -LX_SEMVMX - 1 || adjust > LX_SEMVMX) {
            take_back(s, undo, ops, i);
            w->num = ops[i].num;
            w->for_zero = ops[i].op == 0;
            return blocks ? -LX_EAGAIN : -LX_ERANGE;
        }
        if (ops[i].flg & LX_SEM_UNDO)
            undo->adjust[ops[i].num] = (int16_t)adjust;
        sem->value = value;
    }
    for (unsigned i = 0; i < n; i++)
        s->sems[ops[i].num].pid = current->tg->pid;
    s->otime = ipc_now();
    return 0;
}

void sem_group_exit(struct thread_group *tg)
{
    struct sem_undo_list *list = tg->ipc;
    if (!list)
        return;
    tg->ipc = NULL;
    while (!list_empty(&list->undos)) {
        struct sem_undo *u = list_first(&list->undos, struct sem_undo, owner_link);
        struct sem_set *s = u->set;
        for (unsigned i = 0; i < s->nsems; i++) {
            if (!u->adjust[i])
                continue;
            // Linux keeps within the range and goes on (exit_sem).
            int value = s->sems[i].value + u->adjust[i];
            s->sems[i].value = value < 0 ? 0 : value > LX_SEMVMX ? LX_SEMVMX : value;
            s->sems[i].pid = tg->pid;
            s->otime = ipc_now();
        }
        undo_free(u);
        wake_up(&s->wait, EV_ALL);
    }
    free(list);
}
