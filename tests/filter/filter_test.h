#pragma once
// Tables of (architecture, number, instruction pointer, arguments, verdict) for the seccomp programs.
#include "simulator.h"
#include "seccomp_programs.h"
#include "syscall-tables/constants.h"
#include <criterion/criterion.h>
#include <sys/syscall.h>

#define GUEST_IP 0x401002ull
#define STUB_IP (STUB_TEXT_START + 0x102ull)
#define X86_64 AUDIT_ARCH_X86_64
#define I386 AUDIT_ARCH_I386
#define HIGH (1ull << 32)

#define ALLOW SECCOMP_RET_ALLOW
#define NOTIFY SECCOMP_RET_USER_NOTIF
#define KILL SECCOMP_RET_KILL_PROCESS
#define TRAP SECCOMP_RET_TRAP
#define FAIL(e) (SECCOMP_RET_ERRNO | (e))

struct filter_case {
    int line;
    uint32_t arch;
    uint32_t nr;
    uint64_t ip;
    uint64_t args[6];
    uint32_t expected;
};
#define CASE(arch, nr, ip, expected, ...)               \
    {                                                   \
        __LINE__, arch, nr, ip, {__VA_ARGS__}, expected \
    }

static inline struct verdict filter_run(const struct seccomp_program *program, uint32_t arch, uint32_t nr,
                                        uint64_t ip, const uint64_t args[6])
{
    struct seccomp_data data = {.nr = (int)nr, .arch = arch, .instruction_pointer = ip};
    for (int i = 0; i < 6; i++)
        data.args[i] = args ? args[i] : 0;
    return simulator_run(program->code, program->length, &data);
}

static inline void filter_check(const struct seccomp_program *program, const struct filter_case *cases,
                                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct filter_case *c = &cases[i];
        uint32_t action = filter_run(program, c->arch, c->nr, c->ip, c->args).action;
        cr_expect_eq(action, c->expected, "%s, case of line %d, call %u: verdict %#x, expected %#x",
                     program->name, c->line, c->nr, action, c->expected);
    }
}
#define CHECK_CASES(program, cases) filter_check(&(program), cases, sizeof(cases) / sizeof((cases)[0]))
