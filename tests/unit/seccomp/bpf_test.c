// The checker and the interpreter against the host kernel: random programs, loaded in children that they then bind.
#include "sentry/seccomp/bpf.h"
#include "sentry/seccomp/filter.h"
#include "abi/linux/errno.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CALLS 8
#define BODY 24

static const uint16_t codes[] = {
    0x20, 0x80, 0x81, 0x00, 0x01, 0x60, 0x61, 0x02, 0x03, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34,
    0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0xa4, 0xac, 0x05, 0x15, 0x1d, 0x25,
    0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x06, 0x16, 0x07, 0x87, 0x28, 0x30, 0x94, 0x9c, 0x8c, 0x40, 0x0e,
};

static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 8) % below;
}

// Something like a program: mostly valid instructions, always an errno at the end.
static unsigned make_program(struct lx_sock_filter *code)
{
    unsigned n = 0;
    for (unsigned i = 0; i < LX_BPF_MEMWORDS / 2; i++)
        code[n++] = (struct lx_sock_filter){.code = LX_BPF_ST, .k = i};
    for (unsigned i = 0; i < BODY; i++) {
        struct lx_sock_filter f = {.code = codes[any(any(8) ? 37 : COUNT(codes))]};
        switch (f.code) {
        case LX_BPF_LD_W_ABS:
            f.k = any(40) ? any(16) * 4 : any(70);
            break;
        case LX_BPF_LD_MEM:
        case LX_BPF_LDX_MEM:
        case LX_BPF_ST:
        case LX_BPF_STX:
            f.k = any(LX_BPF_MEMWORDS / 2 + !any(8));
            break;
        case 0x64:
        case 0x74:
            f.k = any(32 + !any(10));
            break;
        case LX_BPF_JMP | LX_BPF_JA:
            f.k = any(10) ? any(BODY - i) : BODY - i + 2; // behind the end
            break;
        case 0x06: // an early return must be an errno, too
            f.k = LX_SECCOMP_RET_ERRNO | any(4000);
            break;
        default:
            f.k = any(3) ? any(0x1000000) * 977 : any(3);
            f.jt = (uint8_t)(any(40) ? any(BODY - i) : BODY - i + 2);
            f.jf = (uint8_t)any(BODY - i);
        }
        code[n++] = f.code == LX_BPF_RET_A ? (struct lx_sock_filter){.code = LX_BPF_TXA} : f;
    }
    code[n++] = (struct lx_sock_filter){.code = LX_BPF_ALU | LX_BPF_AND, .k = 0xfff};
    code[n++] = (struct lx_sock_filter){.code = LX_BPF_ALU | LX_BPF_OR, .k = LX_SECCOMP_RET_ERRNO};
    code[n++] = (struct lx_sock_filter){.code = LX_BPF_RET_A};
    return n;
}

struct outcome {
    long loaded;
    long results[CALLS];
};

// True: a call was the child's last one.
static bool run_on_host(const struct lx_sock_filter *code, unsigned n, uint64_t args[CALLS][6],
                        volatile struct outcome *out)
{
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        struct lx_sock_fprog prog = {.length = (uint16_t)n, .filter = (uint64_t)(uintptr_t)code};
        signal(SIGSEGV, SIG_DFL); // not the sanitizer's
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        out->loaded = syscall(SYS_seccomp, LX_SECCOMP_SET_MODE_FILTER, 0, &prog);
        for (int i = 0; out->loaded == 0 && i < CALLS; i++) {
            long r;
            register uint64_t r10 __asm__("r10") = args[i][3];
            register uint64_t r8 __asm__("r8") = args[i][4];
            register uint64_t r9 __asm__("r9") = args[i][5];
            __asm__ volatile("syscall"
                             : "=a"(r)
                             : "a"(SYS_getppid), "D"(args[i][0]), "S"(args[i][1]), "d"(args[i][2]), "r"(r10),
                               "r"(r8), "r"(r9)
                             : "rcx", "r11", "memory");
            out->results[i] = r;
        }
        for (;;)
            __asm__ volatile("hlt"); // #GP: SIGSEGV, without a call
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status), "status %#x", status);
    return WTERMSIG(status) == SIGSYS;
}

// Words 2 and 3, the instruction pointer, are not the same on both sides.
static bool looks_at_ip(const struct lx_sock_filter *code, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (code[i].code == LX_BPF_LD_W_ABS && (code[i].k == 8 || code[i].k == 12))
            return true;
    return false;
}

Test(bpf, takes_and_runs_programs_as_the_host_does)
{
    struct outcome *out = mmap(NULL, sizeof(*out), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(out, MAP_FAILED);
    unsigned taken = 0, refused = 0;
    for (int round = 0; round < 600; round++) {
        struct lx_sock_filter code[64];
        unsigned n = make_program(code);
        if (looks_at_ip(code, n))
            continue;
        uint64_t args[CALLS][6];
        for (int i = 0; i < CALLS; i++)
            for (int j = 0; j < 6; j++)
                args[i][j] = any(4) ? any(0x1000000) * UINT64_C(0x12345) : any(3);
        memset(out, 0, sizeof(*out));
        bool killed = run_on_host(code, n, args, out), kills = false;
        cr_assert_eq(bpf_check(code, n) == 0, out->loaded == 0, "round %d: the host says %ld", round,
                     out->loaded);
        taken += out->loaded == 0;
        refused += out->loaded != 0;
        for (int i = 0; out->loaded == 0 && !kills && i < CALLS; i++) {
            struct lx_seccomp_data data = {.nr = SYS_getppid, .arch = LX_AUDIT_ARCH_X86_64};
            memcpy(data.args, args[i], sizeof(data.args));
            uint32_t r = bpf_run(code, n, &data);
            kills = r == 0; // a division by zero
            if (kills)
                continue;
            cr_assert_eq(r & LX_SECCOMP_RET_ACTION_FULL, LX_SECCOMP_RET_ERRNO);
            if (out->results[i] != -(long)(r & 0xfff))
                cr_assert_fail("round %d call %d: %ld on the host, %u here", round, i, out->results[i],
                               r & 0xfff);
        }
        cr_assert_eq(killed, kills, "round %d", round);
    }
    cr_assert_gt(taken, 50);
    cr_assert_gt(refused, 50);
}

Test(bpf, limits_of_a_program)
{
    static struct lx_sock_filter code[LX_BPF_MAXINSNS + 1];
    for (unsigned i = 0; i < COUNT(code); i++)
        code[i] = (struct lx_sock_filter){.code = LX_BPF_RET_K, .k = LX_SECCOMP_RET_ALLOW};
    cr_expect_eq(bpf_check(code, 0), -LX_EINVAL);
    cr_expect_eq(bpf_check(code, LX_BPF_MAXINSNS), 0);
    cr_expect_eq(bpf_check(code, LX_BPF_MAXINSNS + 1), -LX_EINVAL);
}

static struct seccomp_filter *always(uint32_t action, struct seccomp_filter *below)
{
    struct lx_sock_filter code = {.code = LX_BPF_RET_K, .k = action};
    struct seccomp_filter *f;
    cr_assert_eq(seccomp_filter_create(&code, 1, false, below, &f), 0);
    return f;
}

Test(seccomp_filter, the_strictest_of_a_chain_wins_and_the_newest_of_equals)
{
    struct lx_seccomp_data data = {.nr = 1};
    bool logs;
    struct seccomp_filter *f = always(LX_SECCOMP_RET_ERRNO | 1, NULL), *bottom = f;
    f = always(LX_SECCOMP_RET_ALLOW, f);
    cr_expect_eq(seccomp_filter_run(f, &data, &logs), LX_SECCOMP_RET_ERRNO | 1);
    f = always(LX_SECCOMP_RET_ERRNO | 2, f);
    cr_expect_eq(seccomp_filter_run(f, &data, &logs), LX_SECCOMP_RET_ERRNO | 2);
    f = always(LX_SECCOMP_RET_TRAP | 3, f);
    cr_expect_eq(seccomp_filter_run(f, &data, &logs), LX_SECCOMP_RET_TRAP | 3);
    f = always(LX_SECCOMP_RET_KILL_THREAD, f);
    f = always(LX_SECCOMP_RET_KILL_PROCESS, f);
    cr_expect_eq(seccomp_filter_run(f, &data, &logs), LX_SECCOMP_RET_KILL_PROCESS);
    cr_expect_eq(seccomp_filter_count(f), 6);
    cr_expect(seccomp_filter_extends(f, bottom));
    cr_expect(seccomp_filter_extends(bottom, NULL));
    cr_expect_not(seccomp_filter_extends(bottom, f));
    seccomp_filter_put(f);
}

Test(seccomp_filter, a_chain_has_a_limit)
{
    static struct lx_sock_filter code[LX_BPF_MAXINSNS];
    for (unsigned i = 0; i < COUNT(code); i++)
        code[i] = (struct lx_sock_filter){.code = LX_BPF_RET_K};
    struct seccomp_filter *f = NULL, *g;
    for (int i = 0; i < 7; i++) {
        cr_assert_eq(seccomp_filter_create(code, LX_BPF_MAXINSNS, false, f, &g), 0);
        f = g;
    }
    cr_expect_eq(seccomp_filter_create(code, LX_BPF_MAXINSNS, false, f, &g), -LX_ENOMEM);
    seccomp_filter_put(f);
}
