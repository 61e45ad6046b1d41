// Attachments of shared memory: how many an address space and the sandbox may have, and that their end gives all back.
#include "sentry/ipc/sysv/sysv.h"
#include "tests/unit/task/world.h"

#define MOST 65530u
#define ALL (1u << 18)

static struct shm_segment segment = {.size = 4096};

// As a guest that unmaps them without shmdt: on their way, so that no place is looked at.
static unsigned attach_all(struct mm *m)
{
    unsigned n = 0;
    while (shm_attach_begin(&segment, m))
        n++;
    return n;
}

Test(shm, an_address_space_has_no_more_attachments_than_mappings)
{
    struct mm *m = mm_alloc();
    cr_assert_eq(attach_all(m), MOST);
    cr_assert_eq(segment.nattch, MOST);
    struct mm *other = mm_alloc();
    cr_assert(shm_attach_begin(&segment, other), "others go on");
    shm_mm_free(m);
    cr_assert_eq(segment.nattch, 1);
    cr_assert_eq(attach_all(m), MOST);
}

Test(shm, all_address_spaces_together_are_bounded)
{
    struct mm *m[8];
    unsigned all = 0;
    for (unsigned i = 0; i < 8; i++)
        all += attach_all(m[i] = mm_alloc());
    cr_assert_eq(all, ALL);
    for (unsigned i = 0; i < 8; i++)
        shm_mm_free(m[i]);
    cr_assert_eq(segment.nattch, 0);
    cr_assert(shm_attach_begin(&segment, m[0]));
}

Test(shm, a_fork_that_finds_no_room_fails)
{
    struct mm *m = mm_alloc(), *child = mm_alloc();
    for (unsigned i = 0; i < 3; i++)
        shm_attach_end(shm_attach_begin(&segment, m), 0x10000 + 8192ull * i, 0);
    struct mm *full[8];
    for (unsigned i = 0; i < 8; i++)
        attach_all(full[i] = mm_alloc());
    cr_assert_eq(shm_mm_dup(child, m), -LX_ENOMEM);
}
