// What a thread group has of timers: set up and taken down.
#include "sentry/time/internal.h"
#include <stdlib.h>

void time_group_init(struct thread_group *tg)
{
    itimer_init(tg);
    list_init(&tg->posix_timers);
}

void time_group_exit(struct thread_group *tg)
{
    itimers_stop(tg);
    posix_timers_delete_all(tg);
}

void time_group_exec(struct thread_group *tg)
{
    posix_timers_delete_all(tg);
}

void time_group_release(struct thread_group *tg)
{
    itimers_stop(tg);
    posix_timers_delete_all(tg);
    free(tg->timers);
    tg->timers = NULL;
}
