#pragma once
// Runs system call handlers on the fixture's task.
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "syscall_handlers.h"
#include "tests/unit/fixture.h"
#include <criterion/criterion.h>
#include <string.h>

#define CALL(name, ...) harness_call(sys_##name, (uint64_t[6]){__VA_ARGS__})
static inline int64_t harness_call(syscall_handler handler, const uint64_t a[6])
{
    return handler(fixture_call(a[0], a[1], a[2], a[3], a[4], a[5]));
}
// The blocked call was woken: runs it once more.
static inline int64_t harness_again(syscall_handler handler)
{
    struct call *c = &fixture_task.call;
    cr_assert_eq(c->nr_waiters, 0, "nobody woke the call");
    c->first = false;
    c->phase = CALL_RUNNING;
    return handler(c);
}
static inline bool harness_woken(void)
{
    return fixture_task.call.nr_waiters == 0;
}
static inline void *harness_memory(size_t offset)
{
    return &fixture_guest[offset];
}
static inline void harness_setup(void)
{
    fixture_setup();
    fixture_task.files = fdtable_alloc();
    fixture_task.sighand = sighand_alloc();
}
static inline int64_t do_write(int fd, const char *text, size_t n)
{
    memcpy(harness_memory(4096), text, n);
    return CALL(write, (uint64_t)fd, fixture_addr(4096), n);
}
static inline int64_t do_read(int fd, size_t n)
{
    memset(harness_memory(200000), 0xee, n < 200000 ? n : 200000);
    return CALL(read, (uint64_t)fd, fixture_addr(200000), n);
}
#define READ_TEXT ((char *)harness_memory(200000))
