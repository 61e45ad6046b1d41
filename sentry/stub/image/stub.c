// The stub: the only code of ours inside a guest's address space.
//
// It makes a hypercall when a host signal arrives, runs the operations that the Sentry orders, and returns through
// rt_sigreturn. It decides nothing. The guest may overwrite or unmap it: that harms the guest alone.
#include "abi/stub/layout.h"
#include <stddef.h>

#define NR_write 1
#define NR_close 3
#define NR_mmap 9
#define NR_rt_sigaction 13
#define NR_pread64 17
#define NR_clone 56
#define NR_exit 60
#define NR_rt_sigprocmask 14
#define NR_exit_group 231
#define NR_sigaltstack 131
#define NR_seccomp 317
#define NR_execveat 322
#define NR_close_range 436
#define SIGNAL_BUS 7
#define SIGNAL_SEGV 11
#define SIGNAL_SYS 31
#define BIT(signo) (1ul << ((signo)-1))
#define UNBLOCKABLE (BIT(9) | BIT(19))

// struct ucontext of the kernel, as far as the stub edits it.
struct stub_ucontext {
    uint64_t flags, link, ss_sp;
    uint32_t ss_flags, ss_pad;
    uint64_t ss_size;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
    uint16_t cs, gs, fs, ss;
    uint64_t err, trapno, oldmask, cr2, fpstate;
};
_Static_assert(offsetof(struct stub_ucontext, r8) == 40, "uc_mcontext");
_Static_assert(offsetof(struct stub_ucontext, fpstate) == 40 + 184, "fpstate");

struct stub_sigaction {
    void *handler;
    uint64_t flags;
    void *restorer;
    uint64_t mask;
};

#pragma GCC visibility push(hidden)
void stub_start(uint64_t *sp);
void stub_child(struct stub_ucontext *uc);
void stub_boot(uint64_t *sp, uint64_t vdso);
void stub_restorer(void);
_Noreturn void stub_on_stack(uint64_t top, uint64_t *sp, uint64_t vdso);
_Noreturn void stub_sigreturn_to(struct stub_ucontext *uc);
int stub_load_word(const void *from, uint64_t *to);
int stub_store_word(void *to, uint64_t value);
extern const char stub_access_failed[];
long stub_clone_vm(uint64_t flags, uint64_t stack, uint64_t ptid, uint64_t ctid, uint64_t tls,
                   struct stub_ucontext *uc);
#pragma GCC visibility pop

static inline long call6(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    long ret;
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}
#define CALL(nr, a, b, c, d, e, f) \
    call6((nr), (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e), (uint64_t)(f))

#ifdef STUB_NESTED
#define HYPERCALL(kind, a, b, c) CALL(STUB_NESTED_OTHER, a, b, c, 0, 0, kind)
#define HYPERCALL_SIGNAL(a, b, c, d, e, f) CALL(STUB_NESTED_SIGNAL, a, b, c, d, e, f)
#else
#define HYPERCALL(kind, a, b, c) CALL(kind, a, b, c, 0, 0, 0)
#define HYPERCALL_SIGNAL(a, b, c, d, e, f) CALL(STUB_HC_SIGNAL, a, b, c, d, e, f)
#endif

void *memcpy(void *dst, const void *src, size_t n)
{
    void *d = dst;
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
    return dst;
}
void *memset(void *dst, int c, size_t n)
{
    void *d = dst;
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return dst;
}

static inline uint64_t area_of(const void *p)
{
    return (uint64_t)p & ~(uint64_t)(STUB_AREA_SIZE - 1);
}

static _Noreturn void leave(void)
{
    for (;;)
        CALL(NR_exit_group, 127, 0, 0, 0, 0, 0);
}

// Copies the frame of the interrupted context to the same offset of the child's area and starts the child there.
static long clone_vm(const struct stub_op *op, struct stub_ucontext *uc)
{
    uint64_t delta = op->args[5] - area_of(uc);
    uint64_t frame = (uint64_t)uc - 8; // the return address below the ucontext is part of the frame
    memcpy((void *)(frame + delta), (void *)frame, area_of(uc) + STUB_AREA_SIZE - frame);
    struct stub_ucontext *child = (struct stub_ucontext *)((uint64_t)uc + delta);
    if (child->fpstate)
        child->fpstate += delta;
    child->ss_sp = op->args[5] + sizeof(struct stub_area);
    child->ss_size = STUB_AREA_SIZE - sizeof(struct stub_area);
    child->ss_flags = 0;
    child->rax = 0;
    if (op->args[1])
        child->rsp = op->args[1];
    ((struct stub_area *)op->args[5])->mask = ((struct stub_area *)area_of(uc))->mask;
    // Told through fields of the copied frame that the way back ignores, because the child shares no register but the argument.
    child->oldmask = op->flags & STUB_OP_CLOSE_FILES;
    child->cr2 = op->nr;
    uint64_t stack = (frame + delta - 256) & ~15ul;
    return stub_clone_vm(op->args[0], stack, op->args[2], op->args[3], op->args[4], child);
}

// Runs the n operations of the area. Stops at the first failure that is not allowed. Returns the result of the last operation.
// *in_child is set in the child of a STUB_OP_CLONE, and the result is then its token.
static long run_ops(struct stub_area *area, uint32_t n, struct stub_ucontext *uc, uint32_t *done,
                    int *in_child)
{
    long r = 0;
    uint32_t i;
    for (i = 0; i < n && i < STUB_OP_MAX; i++) {
        const struct stub_op *op = &area->ops[i];
        if (op->flags & STUB_OP_TOUCH) {
            for (uint64_t p = op->args[0]; p >= op->args[1]; p -= 4096)
                (void)*(volatile uint8_t *)p;
            continue;
        }
        if (op->flags & STUB_OP_ZERO) {
            memset((void *)op->args[0], 0, op->args[1]);
            continue;
        }
        if (op->flags & STUB_OP_JUMP)
            stub_sigreturn_to((struct stub_ucontext *)op->args[0]);
        if (op->flags & STUB_OP_EXEC) {
            const char *argv[] = {"guest", NULL};
            const char *envp[] = {NULL};
            r = CALL(NR_execveat, STUB_DONATION_FD, "", argv, envp, 0x1000 /* AT_EMPTY_PATH */, 0);
        } else if (op->flags & STUB_OP_CLONE_VM) {
            r = clone_vm(op, uc);
        } else if (op->flags & STUB_OP_CLONE) {
            r = CALL(NR_clone, op->args[0], 0, op->args[2], op->args[3], op->args[4], 0);
            if (r == 0) {
                if (uc) {
                    uc->rax = 0;
                    if (op->args[1])
                        uc->rsp = op->args[1];
                }
                *in_child = 1;
                return op->nr;
            }
        } else {
            r = call6(op->nr, op->args[0], op->args[1], op->args[2], op->args[3], op->args[4], op->args[5]);
        }
        if ((op->flags & STUB_OP_RESULT) && uc)
            uc->rax = (uint64_t)r;
        if (r < 0 && r >= -4095 && !(op->flags & STUB_OP_MAY_FAIL))
            break;
    }
    *done = i;
    return r;
}

static long child_hello(struct stub_ucontext *uc, uint64_t token)
{
    CALL(NR_close_range, 0, ~0u, 0, 0, 0, 0);
    return HYPERCALL(STUB_HC_CHILD, uc, token, 0);
}

// The guest's own mmap, with the donated descriptor in place of its number.
static void map_donated(struct stub_ucontext *uc)
{
    uc->rax = (uint64_t)CALL(NR_mmap, uc->rdi, uc->rsi, uc->rdx, uc->r10, STUB_DONATION_FD, uc->r9);
    CALL(NR_close, STUB_DONATION_FD, 0, 0, 0, 0, 0);
}

// Obeys replies until one says to return to the context.
static void obey(struct stub_area *area, struct stub_ucontext *uc, long reply)
{
    for (;;) {
        if (reply == STUB_DO_RETURN)
            return;
        if (reply == STUB_DO_EXIT)
            for (;;)
                CALL(NR_exit, 0, 0, 0, 0, 0, 0);
        if (reply != STUB_DO_OPS)
            leave();
        uint32_t done = 0, count = area->op_count;
        area->op_count = 0;
        if (count == 0 && uc) {
            map_donated(uc);
            return;
        }
        int in_child = 0;
        long r = run_ops(area, count, uc, &done, &in_child);
        if (in_child)
            reply = child_hello(uc, (uint64_t)r);
        else if (!area->report && done == count)
            return;
        else
            reply = HYPERCALL(STUB_HC_DONE, uc, done, r);
    }
}

// rt_sigprocmask(2) on the word of the area. False: something is unusual, and nothing has changed yet.
static int change_mask(struct stub_area *area, struct stub_ucontext *uc)
{
    uint64_t old = area->mask & ~STUB_MASK_LOCAL, mask = old, set;
    if (uc->r10 != sizeof(set))
        return 0;
    if (uc->rsi) {
        if (stub_load_word((const void *)uc->rsi, &set))
            return 0;
        if ((uint32_t)uc->rdi == 0 /* SIG_BLOCK */)
            mask = old | set;
        else if ((uint32_t)uc->rdi == 1 /* SIG_UNBLOCK */)
            mask = old & ~set;
        else if ((uint32_t)uc->rdi == 2 /* SIG_SETMASK */)
            mask = set;
        else
            return 0;
    }
    if (uc->rdx && stub_store_word((void *)uc->rdx, old))
        return 0;
    area->mask = (mask & ~UNBLOCKABLE) | STUB_MASK_LOCAL;
    uc->rax = 0;
    return 1;
}

// Tells of the call that the filter has turned into SIGSYS.
static long repeat_call(struct stub_ucontext *uc, const struct stub_area *area)
{
#ifdef STUB_NESTED // too few numbers
    return HYPERCALL_SIGNAL(uc, SIGNAL_SYS, uc->rip, uc->rax, uc->rsp, area->mask);
#else
    (void)area;
    return call6(STUB_HC_CALL_OF(uc->rax, (uint64_t)uc), uc->rdi, uc->rsi, uc->rdx, uc->r10, uc->r8, uc->r9);
#endif
}

static void handler(int signo, void *info, struct stub_ucontext *uc)
{
    (void)info;
    struct stub_area *area = (struct stub_area *)area_of(uc);
    if ((signo == SIGNAL_SEGV || signo == SIGNAL_BUS) &&
        (uc->rip == (uint64_t)stub_load_word || uc->rip == (uint64_t)stub_store_word)) {
        uc->rip = (uint64_t)stub_access_failed;
        return;
    }
    if (signo == SIGNAL_SYS && uc->rax == NR_rt_sigprocmask && area->mask & STUB_MASK_LOCAL &&
        change_mask(area, uc))
        return;
    long reply = signo == SIGNAL_SYS ? repeat_call(uc, area)
                                     : HYPERCALL_SIGNAL(uc, signo, uc->rip, uc->rax, uc->rsp, area->mask);
    obey(area, uc, reply);
}

// First C code of a child that shares memory; runs on the child's own area.
void stub_child(struct stub_ucontext *uc)
{
    if (uc->oldmask)
        CALL(NR_close_range, 0, ~0u, 0, 0, 0, 0);
    long reply = HYPERCALL(STUB_HC_CHILD, uc, uc->cr2, 0);
    obey((struct stub_area *)area_of(uc), uc, reply);
    stub_sigreturn_to(uc);
}

static void map_area(void)
{
    long r = CALL(NR_mmap, STUB_AREAS_START, STUB_AREA_SIZE, 3 /* RW */,
                  0x100022 /* FIXED_NOREPLACE|PRIVATE|ANON */, -1, 0);
    if (r != (long)STUB_AREAS_START)
        leave();
}

static void install_handlers(void)
{
    struct {
        uint64_t sp;
        uint64_t flags;
        uint64_t size;
    } ss = {STUB_AREAS_START + sizeof(struct stub_area), 0, STUB_AREA_SIZE - sizeof(struct stub_area)};
    struct stub_sigaction sa = {
        .handler = (void *)handler,
        .flags = 0x1c000004, // SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART
        .restorer = (void *)stub_restorer,
        .mask = ~0ul,
    };
    static const uint8_t signals[] = {STUB_KICK_SIGNAL, 4 /* ILL */, 5 /* TRAP */, SIGNAL_BUS,
                                      8 /* FPE */,      SIGNAL_SEGV, SIGNAL_SYS};
    if (CALL(NR_sigaltstack, &ss, 0, 0, 0, 0, 0) != 0)
        leave();
    for (unsigned i = 0; i < sizeof(signals); i++) {
        // A trapped call's handler may meet an address of the guest's that is none.
        sa.mask = signals[i] == SIGNAL_SYS ? ~(BIT(SIGNAL_SEGV) | BIT(SIGNAL_BUS)) : ~0ul;
        if (CALL(NR_rt_sigaction, signals[i], &sa, 0, 8, 0, 0) != 0)
            leave();
    }
}

// --- zygote ---
static uint64_t filter[STUB_FILTER_MAX]; // struct sock_filter is 8 bytes

static uint64_t decimal(const char *s)
{
    uint64_t v = 0;
    for (; *s >= '0' && *s <= '9'; s++)
        v = v * 10 + (uint64_t)(*s - '0');
    return v;
}

// Installs the guests' filter (sentry/boot/zygote.h has the descriptors). From then on nothing but a hypercall is
// possible until the Sentry has taken the listener; its first answer says so, and then our copy goes.
static _Noreturn void zygote(const char *flags)
{
    map_area();
    uint64_t filter_flags = decimal(flags);
    long fd = 0;
    // Without flags the filter is there already, and so is the mask.
    if (filter_flags) {
        // A program starts with every signal masked and unmasks itself with the jump into it: no kick in between.
        uint64_t all = ~0ul;
        CALL(NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, 0, 8, 0, 0);
        long bytes = CALL(NR_pread64, STUB_ZYGOTE_FILTER_FD, filter, sizeof(filter), 0, 0, 0);
        struct {
            uint16_t len;
            uint8_t pad[6];
            void *filter;
        } program = {.len = bytes < 0 ? 0 : (uint16_t)(bytes / 8), .filter = filter};
        fd = CALL(NR_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, filter_flags, &program, 0, 0, 0);
    }
    if (fd < 0) {
        int32_t error = (int32_t)fd;
        CALL(NR_write, STUB_ZYGOTE_SOCKET_FD, &error, sizeof(error), 0, 0, 0);
        leave();
    }
    struct stub_area *area = (struct stub_area *)STUB_AREAS_START;
    for (;;) {
        long reply = HYPERCALL(STUB_HC_ZYGOTE, 0, 0, 0);
        CALL(NR_close_range, 0, ~0u, 0, 0, 0, 0);
        obey(area, NULL, reply);
    }
}

void stub_boot(uint64_t *sp, uint64_t vdso)
{
    long reply = HYPERCALL(STUB_HC_BOOT, sp, vdso, 0);
    obey((struct stub_area *)STUB_AREAS_START, NULL, reply);
    leave();
}

static int same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

void stub_start(uint64_t *sp)
{
    uint64_t argc = sp[0];
    char **argv = (char **)(sp + 1);
    if (argc >= 2 && same(argv[0], STUB_ZYGOTE_NAME))
        zygote(argv[1]);
    uint64_t *p = sp + 1 + argc + 1;
    while (*p)
        p++;
    uint64_t vdso = 0;
    for (p++; p[0]; p += 2)
        if (p[0] == 33 /* AT_SYSINFO_EHDR */)
            vdso = p[1];
    map_area();
    install_handlers();
    // The stack that the kernel made is the guest's: what the Sentry writes there must not meet our frames.
    stub_on_stack(STUB_AREAS_START + STUB_AREA_SIZE, sp, vdso);
}
