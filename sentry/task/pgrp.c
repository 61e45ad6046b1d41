// Process groups and sessions, and which groups are orphaned (kernel/exit.c, kernel/sys.c of Linux).
#include "sentry/task/internal.h"
#include "abi/linux/signal.h"
#include <stdlib.h>

bool init_has_shell;
void (*session_leader_exit_hook)(struct session *s);

struct session *session_create(int sid)
{
    struct session *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->refs = 1;
    s->sid = sid;
    list_init(&s->groups);
    return s;
}

struct session *session_get(struct session *s)
{
    s->refs++;
    return s;
}

void session_put(struct session *s)
{
    if (s && --s->refs == 0)
        free(s);
}

struct process_group *pgrp_create(int pgid, struct session *s)
{
    struct process_group *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->refs = 1;
    p->pgid = pgid;
    p->session = session_get(s);
    list_init(&p->members);
    list_add_tail(&p->session_link, &s->groups);
    table_add_pgrp(p);
    return p;
}

struct process_group *pgrp_get(struct process_group *p)
{
    p->refs++;
    return p;
}

void pgrp_put(struct process_group *p)
{
    if (!p || --p->refs > 0)
        return;
    list_del(&p->hash_link);
    list_del(&p->session_link);
    session_put(p->session);
    free(p);
}

void pgrp_leave(struct thread_group *tg)
{
    struct process_group *old = tg->pgrp;
    if (!old)
        return;
    list_del(&tg->pgrp_link);
    tg->pgrp = NULL;
    // An empty group cannot be named any more, though somebody (a terminal) may still hold it.
    if (list_empty(&old->members)) {
        list_del(&old->hash_link);
        list_del(&old->session_link);
    }
    pgrp_put(old);
}

void pgrp_join(struct thread_group *tg, struct process_group *p)
{
    pgrp_get(p);
    pgrp_leave(tg);
    tg->pgrp = p;
    list_add_tail(&tg->pgrp_link, &p->members);
}

// will_become_orphaned_pgrp: `ignored`, if any, is not counted as a member.
// A process without parent was started from outside. Without a terminal it counts as a job of whoever started the sandbox;
// with one nobody could continue it, so that ^Z must not stop it.
static bool orphaned_without(const struct process_group *p, const struct thread_group *ignored)
{
    list_for_each(m, &p->members, struct thread_group, pgrp_link)
    {
        if (m != ignored && !m->parent && !m->zombie && !p->session->tty)
            return false;
        if (m == ignored || (m->zombie && m->nr_threads == 0))
            continue;
        if (m == init_tg && init_has_shell)
            return false;
        if (!m->parent)
            continue;
        if (m->parent->pgrp != p && m->parent->pgrp && m->parent->pgrp->session == p->session)
            return false;
    }
    return true;
}

bool pgrp_is_orphaned(const struct process_group *p)
{
    return orphaned_without(p, NULL);
}

static bool has_stopped(const struct process_group *p)
{
    list_for_each(m, &p->members, struct thread_group,
                  pgrp_link) if (m->job == JOB_STOPPED && !m->zombie) return true;
    return false;
}

void pgrp_orphan_check(struct thread_group *tg, struct thread_group *parent)
{
    // `parent` is what tied tg's group to its session: the real parent when tg dies, tg's dying parent when tg is its child.
    const struct thread_group *ignored = parent ? NULL : tg;
    if (!parent)
        parent = tg->parent;
    struct process_group *p = tg->pgrp;
    if (!p || !parent || !parent->pgrp)
        return;
    if (parent->pgrp == p || parent->pgrp->session != p->session)
        return;
    if (!orphaned_without(p, ignored) || !has_stopped(p))
        return;
    pgrp_get(p);
    send_signal_pgrp(p->pgid, LX_SIGHUP, NULL);
    send_signal_pgrp(p->pgid, LX_SIGCONT, NULL);
    pgrp_put(p);
}

bool group_leads_session(const struct thread_group *tg)
{
    return tg->pgrp && tg->pgrp->session->sid == tg->pid;
}

int group_set_pgrp(struct thread_group *tg, int pgid)
{
    struct process_group *p = find_pgrp(pgid);
    if (p && p->session != tg->pgrp->session)
        return -LX_EPERM;
    if (p) {
        if (p != tg->pgrp)
            pgrp_join(tg, p);
        return 0;
    }
    if (pgid != tg->pid)
        return -LX_EPERM;
    p = pgrp_create(pgid, tg->pgrp->session);
    if (!p)
        return -LX_ENOMEM;
    pgrp_join(tg, p);
    pgrp_put(p);
    return 0;
}

int group_new_session(struct thread_group *tg)
{
    if (group_leads_session(tg) || find_pgrp(tg->pid))
        return -LX_EPERM;
    struct session *s = session_create(tg->pid);
    struct process_group *p = s ? pgrp_create(tg->pid, s) : NULL;
    if (s)
        session_put(s);
    if (!p)
        return -LX_ENOMEM;
    pgrp_join(tg, p);
    pgrp_put(p);
    return tg->pid;
}
