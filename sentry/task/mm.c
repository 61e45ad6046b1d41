// Life of the object that stands for a guest's address space. Its contents are the host's; what is mapped from files is
// kept by mm/.
#include "sentry/task/task.h"
#include <stdlib.h>

void (*mm_release_hook)(struct mm *m);

struct mm *mm_alloc(void)
{
    struct mm *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->refs = 1;
    m->dumpable = true;
    list_init(&m->file_maps);
    return m;
}

struct mm *mm_get(struct mm *m)
{
    m->refs++;
    return m;
}

void mm_put(struct mm *m)
{
    if (!m || --m->refs > 0)
        return;
    if (mm_release_hook)
        mm_release_hook(m);
    if (m->exe)
        file_put(m->exe);
    free(m->areas);
    free(m);
}
