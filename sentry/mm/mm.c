#include "sentry/mm/mm.h"
#include "sentry/ipc/sysv/sysv.h"
#include "sentry/mm/filemap.h"
#include "sentry/mm/proc_mem.h"
#include "abi/stub/layout.h"
#include <stdlib.h>
#include <string.h>

struct mm *mm_alloc(void)
{
    struct mm *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->refs = 1;
    m->dumpable = true;
    m->host_mem = m->host_maps = -1;
    list_init(&m->file_maps);
    list_init(&m->shm);
    m->areas = calloc(1, 8);
    m->areas_bytes = 8;
    if (!m->areas) {
        free(m);
        return NULL;
    }
    m->areas[0] = 1; // the stub's boot maps area 0
    m->areas_mapped = 1;
    return m;
}

struct mm *mm_get(struct mm *m)
{
    m->refs++;
    return m;
}

void mm_put(struct mm *m)
{
    if (!m || --m->refs)
        return;
    proc_mem_forget(m);
    filemap_free(m);
    shm_mm_free(m);
    if (m->exe)
        file_put(m->exe);
    free(m->areas);
    free(m);
}

struct mm *mm_dup(const struct mm *m)
{
    struct mm *copy = malloc(sizeof(*copy));
    if (!copy)
        return NULL;
    *copy = *m;
    copy->refs = 1;
    copy->users = 0;
    copy->host_mem = copy->host_maps = -1;
    list_init(&copy->file_maps);
    list_init(&copy->shm);
    copy->areas = malloc(m->areas_bytes);
    if (!copy->areas || filemap_dup(copy, m) || shm_mm_dup(copy, m)) {
        free(copy->areas);
        filemap_free(copy);
        shm_mm_free(copy);
        free(copy);
        return NULL;
    }
    memcpy(copy->areas, m->areas, m->areas_bytes);
    if (copy->exe)
        file_get(copy->exe);
    return copy;
}

int mm_area_alloc(struct mm *m)
{
    for (unsigned i = 0; i < STUB_AREA_MAX; i++) {
        if (i / 8 >= m->areas_bytes) {
            unsigned bytes = m->areas_bytes * 2;
            uint8_t *grown = realloc(m->areas, bytes);
            if (!grown)
                return -LX_ENOMEM;
            memset(grown + m->areas_bytes, 0, bytes - m->areas_bytes);
            m->areas = grown;
            m->areas_bytes = bytes;
        }
        if (m->areas[i / 8] == 0xff) {
            i |= 7;
            continue;
        }
        if (!(m->areas[i / 8] & (1u << (i % 8)))) {
            m->areas[i / 8] |= (uint8_t)(1u << (i % 8));
            return (int)i;
        }
    }
    return -LX_EAGAIN;
}

void mm_area_free(struct mm *m, unsigned index)
{
    if (index / 8 < m->areas_bytes)
        m->areas[index / 8] &= (uint8_t) ~(1u << (index % 8));
}
