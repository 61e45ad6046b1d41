// Dispositions: one table per group of tasks that share handlers (CLONE_SIGHAND).
#include "sentry/task/task.h"
#include "abi/linux/signal.h"
#include <stdlib.h>

#define DEFAULT_IGNORED (SIGBIT(LX_SIGCONT) | SIGBIT(LX_SIGCHLD) | SIGBIT(LX_SIGWINCH) | SIGBIT(LX_SIGURG))
#define DEFAULT_STOPS (SIGBIT(LX_SIGSTOP) | SIGBIT(LX_SIGTSTP) | SIGBIT(LX_SIGTTIN) | SIGBIT(LX_SIGTTOU))
#define DEFAULT_DUMPS                                                                                       \
    (SIGBIT(LX_SIGQUIT) | SIGBIT(LX_SIGILL) | SIGBIT(LX_SIGTRAP) | SIGBIT(LX_SIGABRT) | SIGBIT(LX_SIGBUS) | \
     SIGBIT(LX_SIGFPE) | SIGBIT(LX_SIGSEGV) | SIGBIT(LX_SIGXCPU) | SIGBIT(LX_SIGXFSZ) | SIGBIT(LX_SIGSYS))

bool signal_default_ignored(int sig)
{
    return DEFAULT_IGNORED & SIGBIT(sig);
}

bool signal_default_stops(int sig)
{
    return DEFAULT_STOPS & SIGBIT(sig);
}

bool signal_default_dumps_core(int sig)
{
    return DEFAULT_DUMPS & SIGBIT(sig);
}

struct sighand *sighand_alloc(void)
{
    struct sighand *s = calloc(1, sizeof(*s));
    if (s)
        s->refs = 1;
    return s;
}

struct sighand *sighand_get(struct sighand *s)
{
    s->refs++;
    return s;
}

void sighand_put(struct sighand *s)
{
    if (s && --s->refs == 0)
        free(s);
}

struct sighand *sighand_dup(const struct sighand *s)
{
    struct sighand *n = malloc(sizeof(*n));
    if (!n)
        return NULL;
    *n = *s;
    n->refs = 1;
    return n;
}

// flush_signal_handlers
void sighand_exec(struct task *t)
{
    for (int i = 0; i < LX_NSIG; i++) {
        struct lx_sigaction *a = &t->sighand->action[i];
        *a = (struct lx_sigaction){.handler = a->handler == LX_SIG_IGN ? LX_SIG_IGN : LX_SIG_DFL};
    }
}
