// Job control: controlling terminals, foreground groups, SIGTTIN and SIGTTOU (drivers/tty/tty_jobctrl.c).
#include "sentry/tty/tty.h"
#include "abi/linux/capability.h"
#include "sentry/mm/uaccess.h"
#include "sentry/task/task.h"
#include <signal.h>

struct tty *current_tty(void)
{
    return current && current->tg->pgrp ? current->tg->pgrp->session->tty : NULL;
}

static struct session *current_session(void)
{
    return current->tg->pgrp->session;
}

static bool leads_session(void)
{
    return current->tg->pid == current_session()->sid;
}

static bool ignored(int sig)
{
    return (task_blocked(current) & SIGBIT(sig)) ||
           current->sighand->action[sig - 1].handler == (uint64_t)(uintptr_t)SIG_IGN;
}

int tty_check_background(struct tty *t, int sig)
{
    if (!current || current_tty() != t || !t->fg_pgid || t->fg_pgid == current->tg->pgrp->pgid)
        return 0;
    if (ignored(sig))
        return sig == SIGTTIN ? -LX_EIO : 0;
    if (pgrp_is_orphaned(current->tg->pgrp))
        return -LX_EIO;
    send_signal_pgrp(current->tg->pgrp->pgid, sig, NULL);
    return -LX_ERESTARTSYS;
}

int tty_stop_reader(void)
{
    if (ignored(SIGTTIN))
        return -LX_EIO;
    send_signal_pgrp(current->tg->pgrp->pgid, SIGTTIN, NULL);
    return -LX_ERESTARTSYS;
}

void tty_signal_foreground(struct tty *t, int sig)
{
    if (t->fg_pgid)
        send_signal_pgrp(t->fg_pgid, sig, NULL);
}

static void release_session(struct tty *t)
{
    if (t->session)
        t->session->tty = NULL;
    t->session = NULL;
    t->fg_pgid = 0;
}

void tty_session_leader_exit(struct session *s)
{
    struct tty *t = s->tty;
    if (!t)
        return;
    int foreground = t->fg_pgid;
    release_session(t);
    if (foreground) {
        send_signal_pgrp(foreground, SIGHUP, NULL);
        send_signal_pgrp(foreground, SIGCONT, NULL);
    }
}

void tty_hangup(struct tty *t)
{
    struct session *s = t->session;
    int foreground = t->fg_pgid;
    t->hung_up = true;
    release_session(t);
    if (s) {
        struct thread_group *leader = find_group(s->sid);
        if (leader && !leader->zombie) {
            send_signal_group(leader, SIGHUP, NULL);
            send_signal_group(leader, SIGCONT, NULL);
        }
        if (foreground && foreground != s->sid) {
            send_signal_pgrp(foreground, SIGHUP, NULL);
            send_signal_pgrp(foreground, SIGCONT, NULL);
        }
    }
    wake_up(&t->wait, EV_IN | EV_OUT | EV_RDNORM | EV_WRNORM | EV_ERR | EV_HUP);
}

void tty_set_controlling(struct tty *t)
{
    struct session *s = current_session();
    if (t->session)
        t->session->tty = NULL;
    t->session = s;
    t->fg_pgid = current->tg->pgrp->pgid;
    s->tty = t;
}

static int64_t set_controlling(struct tty *t, struct file *f, int arg)
{
    if (leads_session() && t->session == current_session())
        return 0;
    if (!leads_session() || current_tty())
        return -LX_EPERM;
    if (t->session && !(arg == 1 && capable(LX_CAP_SYS_ADMIN)))
        return -LX_EPERM;
    if (!(f->mode & FMODE_READ) && !capable(LX_CAP_SYS_ADMIN))
        return -LX_EPERM;
    tty_set_controlling(t);
    return 0;
}

// Linux lets any process forget the terminal for itself alone; here the leader's call takes it from the session, and the
// call of another member changes nothing.
static int64_t give_up(struct tty *t)
{
    if (current_tty() != t)
        return -LX_ENOTTY;
    if (leads_session()) {
        int foreground = t->fg_pgid;
        release_session(t);
        if (foreground) {
            send_signal_pgrp(foreground, SIGHUP, NULL);
            send_signal_pgrp(foreground, SIGCONT, NULL);
        }
    }
    return 0;
}

static int64_t set_foreground(struct tty *t, gaddr_t arg)
{
    int err = tty_check_background(t, SIGTTOU);
    if (err)
        return err == -LX_EIO ? -LX_ENOTTY : err;
    int32_t pgid;
    if (get_user(pgid, arg))
        return -LX_EFAULT;
    if (pgid < 0)
        return -LX_EINVAL;
    if (current_tty() != t)
        return -LX_ENOTTY;
    struct process_group *pg = find_pgrp(pgid);
    if (!pg)
        return -LX_ESRCH;
    if (pg->session != current_session())
        return -LX_EPERM;
    t->fg_pgid = pgid;
    return 0;
}

bool tty_is_jobctl_ioctl(uint32_t cmd)
{
    return cmd == LX_TIOCSCTTY || cmd == LX_TIOCNOTTY || cmd == LX_TIOCGPGRP || cmd == LX_TIOCSPGRP ||
           cmd == LX_TIOCGSID;
}

int64_t tty_jobctl_ioctl(struct tty *t, struct file *f, bool master, uint32_t cmd, uint64_t arg)
{
    int32_t value;
    switch (cmd) {
    case LX_TIOCSCTTY:
        return set_controlling(t, f, (int)arg);
    case LX_TIOCNOTTY:
        return master ? -LX_ENOTTY : give_up(t);
    case LX_TIOCSPGRP:
        return set_foreground(t, arg);
    case LX_TIOCGPGRP:
        if (!master && current_tty() != t)
            return -LX_ENOTTY;
        value = t->fg_pgid;
        return put_user(value, arg);
    case LX_TIOCGSID:
        if ((!master && current_tty() != t) || !t->session)
            return -LX_ENOTTY;
        value = t->session->sid;
        return put_user(value, arg);
    default:
        return -LX_ENOTTY;
    }
}
