// /proc/sysvipc: every System V object, whoever may read it, as in Linux.
#include "sentry/fs/proc/proc.h"
#include "sentry/ipc/sysv/sysv.h"
#include "sentry/task/task.h"

static int show_shm(const struct pseudo *p, struct out_text *out)
{
    out_printf(out, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  "
                    "cgid      atime      dtime      ctime                   rss                  swap\n");
    for (unsigned i = 0; i < sysv_current()->shm.size; i++) {
        const struct shm_segment *s = (struct shm_segment *)(void *)sysv_current()->shm.slots[i];
        if (!s)
            continue;
        const struct ipc_perm *q = &s->perm;
        out_printf(out, "%10d %10d  %4o %21lu %5d %5d  %5u %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21lu\n",
                   q->key, q->id, q->mode, s->size, s->cpid, s->lpid, s->nattch, q->uid, q->gid, q->cuid,
                   q->cgid, (unsigned long)s->atime, (unsigned long)s->dtime, (unsigned long)q->ctime,
                   shm_resident(s) * 4096, 0ul);
    }
    return 0;
}

static int show_sem(const struct pseudo *p, struct out_text *out)
{
    out_printf(out, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
    for (unsigned i = 0; i < sysv_current()->sem.size; i++) {
        const struct sem_set *s = (struct sem_set *)(void *)sysv_current()->sem.slots[i];
        if (!s)
            continue;
        const struct ipc_perm *q = &s->perm;
        out_printf(out, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lu %10lu\n", q->key, q->id, q->mode, s->nsems,
                   q->uid, q->gid, q->cuid, q->cgid, (unsigned long)s->otime, (unsigned long)q->ctime);
    }
    return 0;
}

static int show_msg(const struct pseudo *p, struct out_text *out)
{
    out_printf(out,
               "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid   "
               "   stime      rtime      ctime\n");
    for (unsigned i = 0; i < sysv_current()->msg.size; i++) {
        const struct msg_queue *s = (struct msg_queue *)(void *)sysv_current()->msg.slots[i];
        if (!s)
            continue;
        const struct ipc_perm *q = &s->perm;
        out_printf(out, "%10d %10d  %4o  %10lu %10lu %5d %5d %5u %5u %5u %5u %10lu %10lu %10lu\n", q->key,
                   q->id, q->mode, s->cbytes, s->qnum, s->lspid, s->lrpid, q->uid, q->gid, q->cuid, q->cgid,
                   (unsigned long)s->stime, (unsigned long)s->rtime, (unsigned long)q->ctime);
    }
    return 0;
}

const struct pseudo_node proc_sysvipc_rows[] = {
    PSEUDO_FILE("msg", 0444, show_msg),
    PSEUDO_FILE("sem", 0444, show_sem),
    PSEUDO_FILE("shm", 0444, show_shm),
    {.name = NULL},
};
