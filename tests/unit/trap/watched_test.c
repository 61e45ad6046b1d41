// A trapped call whose registers nobody has read, and a filter of the guest's that comes while it waits.
#include "tests/unit/fixture.h"
#include "abi/linux/errno.h"
#include "abi/linux/seccomp.h"
#include "abi/stub/layout.h"
#include "sentry/mm/mm.h"
#include "sentry/seccomp/filter.h"
#include "sentry/signal/frame.h"
#include "sentry/trap/host_tid.h"
#include "sentry/trap/trap.h"
#include <criterion/criterion.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#define UCONTEXT 0x8000u // in the thread's area
#define RIP 0x401234u

static uint8_t area[STUB_AREA_SIZE];

static ssize_t area_read(struct task *t, void *dst, gaddr_t src, size_t n)
{
    cr_assert(src >= STUB_AREAS_START && src + n <= STUB_AREAS_START + sizeof(area));
    memcpy(dst, area + (src - STUB_AREAS_START), n);
    return (ssize_t)n;
}
static ssize_t area_write(struct task *t, gaddr_t dst, const void *src, size_t n)
{
    cr_assert(dst >= STUB_AREAS_START && dst + n <= STUB_AREAS_START + sizeof(area));
    memcpy(area + (dst - STUB_AREAS_START), src, n);
    return (ssize_t)n;
}
static bool area_valid(struct task *t)
{
    return true;
}

Test(watched, a_filter_that_comes_later_sees_where_the_call_is_made)
{
    static const struct uaccess_ops ops = {area_read, area_write, area_valid};
    static const struct lx_sock_filter code[] = {
        {.code = LX_BPF_LD_W_ABS, .k = offsetof(struct lx_seccomp_data, instruction_pointer)},
        {.code = LX_BPF_JMP | LX_BPF_JEQ, .jf = 1, .k = RIP},
        {.code = LX_BPF_RET_K, .k = LX_SECCOMP_RET_ERRNO | LX_EPERM},
        {.code = LX_BPF_RET_K, .k = LX_SECCOMP_RET_ERRNO | LX_EIO},
    };
    uint64_t words[4] = {SYS_pause, RIP, 0x7fff0000, RIP}; // rax, rcx, rsp, rip
    struct task *t = &fixture_task;
    fixture_setup();
    uaccess_ops = &ops;
    t->trap.host_tid = 500;
    t->trap.stage = STAGE_GUEST;
    host_tid_insert(t);
    memcpy(area + UCONTEXT + FRAME_RAX_OFFSET, words, sizeof(words));
    const struct trap_notif n = {
        .id = 1, .tid = 500, .nr = STUB_HC_CALL_OF(SYS_pause, UCONTEXT), .ip = STUB_TEXT_START};
    trap_receive(&n);
    cr_assert_eq(t->call.phase, CALL_BLOCKED);
    cr_assert_not(t->trap.regs_known);
    cr_assert_eq(seccomp_filter_create(code, 4, false, NULL, &t->seccomp), 0);
    t->seccomp_mode = LX_SECCOMP_MODE_FILTER;
    t->call.first = true; // as after a signal that another thread has taken
    call_make_runnable(&t->call);
    trap_run_queue();
    memcpy(words, area + UCONTEXT + FRAME_RAX_OFFSET, sizeof(words));
    cr_assert_eq((int64_t)words[0], -LX_EPERM);
    cr_assert_eq(words[3], RIP);
}
