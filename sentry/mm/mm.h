#pragma once
// Address spaces: references and stub areas. Kernel lock. The struct is in sentry/task/task.h.
#include "sentry/task/task.h"

struct mm *mm_dup(const struct mm *m); // for fork; keeps what describes the memory. NULL: no memory
// Stub areas of an address space. Index or -LX_ENOMEM / -LX_EAGAIN (too many threads).
int mm_area_alloc(struct mm *m);
void mm_area_free(struct mm *m, unsigned index);
