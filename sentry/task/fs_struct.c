// Root, working directory and umask of a task (fs/fs_struct.c of Linux).
#include "sentry/task/task.h"
#include <stdlib.h>

struct fs_struct *fs_get(struct fs_struct *f)
{
    f->refs++;
    return f;
}

struct fs_struct *fs_dup(const struct fs_struct *f)
{
    struct fs_struct *n = malloc(sizeof(*n));
    if (!n)
        return NULL;
    *n = *f;
    n->refs = 1;
    path_get(&n->root);
    path_get(&n->pwd);
    if (n->mnt_ns)
        mount_ns_get(n->mnt_ns);
    return n;
}

void fs_put(struct fs_struct *f)
{
    if (!f || --f->refs > 0)
        return;
    path_put(&f->root);
    path_put(&f->pwd);
    if (f->mnt_ns)
        mount_ns_put(f->mnt_ns);
    free(f);
}
