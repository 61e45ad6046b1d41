// Registers of a stopped tracee: they are in the signal frame of its open hypercall.
#include "sentry/ptrace/ptrace.h"
#include <string.h>

// Words of struct ucontext (arch/x86/include/uapi/asm/sigcontext.h).
enum {
    UC_R8 = 5,
    UC_RDI = 13,
    UC_RSI,
    UC_RBP,
    UC_RBX,
    UC_RDX,
    UC_RAX,
    UC_RCX,
    UC_RSP,
    UC_RIP,
    UC_EFLAGS,
    UC_SEGMENTS
};
#define UC_FPSTATE 28
#define EFLAGS_SETTABLE 0x50dd5ull // FLAG_MASK of arch/x86/kernel/ptrace.c: CF PF AF ZF SF TF DF OF NT RF AC
#define EFLAGS_TF 0x100ull
#define ADDRESS_END 0x7ffffffff000ull
#define FX_LEGACY 512u
#define FX_SW_OFFSET 464u
#define FX_MAGIC1 0x46505853u

static struct frame_regs frame_of(const struct task *t)
{
    return (struct frame_regs){.rip = t->trap.rip, .rax = t->trap.rax, .rsp = t->trap.rsp};
}

int ptrace_get_regs(struct task *t, struct lx_user_regs *out)
{
    struct frame_regs f = frame_of(t);
    if (frame_load(t, &f))
        return -LX_EIO;
    const uint64_t *c = f.context;
    *out = (struct lx_user_regs){
        .r15 = c[UC_R8 + 7],
        .r14 = c[UC_R8 + 6],
        .r13 = c[UC_R8 + 5],
        .r12 = c[UC_R8 + 4],
        .r11 = c[UC_R8 + 3],
        .r10 = c[UC_R8 + 2],
        .r9 = c[UC_R8 + 1],
        .r8 = c[UC_R8],
        .rbp = c[UC_RBP],
        .rbx = c[UC_RBX],
        .rax = f.rax,
        .rcx = c[UC_RCX],
        .rdx = c[UC_RDX],
        .rsi = c[UC_RSI],
        .rdi = c[UC_RDI],
        .orig_rax = t->ptrace->orig_rax,
        .rip = f.rip,
        .cs = c[UC_SEGMENTS] & 0xffff,
        .eflags = c[UC_EFLAGS],
        .rsp = f.rsp,
        .ss = c[UC_SEGMENTS] >> 48,
    };
    return 0;
}

int ptrace_set_regs(struct task *t, const struct lx_user_regs *in)
{
    struct frame_regs f = frame_of(t);
    struct trap_state *trap = &t->trap;
    if (in->fs_base >= ADDRESS_END || in->gs_base >= ADDRESS_END)
        return -LX_EIO;
    if (frame_load(t, &f))
        return -LX_EIO;
    uint64_t *c = f.context;
    c[UC_R8 + 7] = in->r15, c[UC_R8 + 6] = in->r14, c[UC_R8 + 5] = in->r13, c[UC_R8 + 4] = in->r12;
    c[UC_R8 + 3] = in->r11, c[UC_R8 + 2] = in->r10, c[UC_R8 + 1] = in->r9, c[UC_R8] = in->r8;
    c[UC_RBP] = in->rbp, c[UC_RBX] = in->rbx, c[UC_RCX] = in->rcx, c[UC_RDX] = in->rdx;
    c[UC_RSI] = in->rsi, c[UC_RDI] = in->rdi;
    c[UC_EFLAGS] = (c[UC_EFLAGS] & ~EFLAGS_SETTABLE) | (in->eflags & EFLAGS_SETTABLE);
    f.rip = in->rip, f.rax = in->rax, f.rsp = in->rsp;
    if (frame_write_regs(t, &f))
        return -LX_EIO;
    trap->rip = f.rip, trap->rax = f.rax, trap->rsp = f.rsp;
    t->ptrace->orig_rax = in->orig_rax;
    if (trap->fixup) { // the outcome of a call that is over, and may yet be restarted
        trap->fixup = (int64_t)in->orig_rax >= 0;
        trap->fixup_ip = in->rip;
        trap->fixup_result = (int64_t)in->rax;
    }
    return 0;
}

// Where the extended state is, how long, and its features. 0 or -LX_EIO.
static int locate(struct task *t, gaddr_t *at, size_t *size, uint64_t *features)
{
    struct frame_regs f = frame_of(t);
    struct {
        uint32_t magic, extended;
        uint64_t features;
        uint32_t size;
    } sw;
    if (frame_load(t, &f))
        return -LX_EIO;
    *at = f.context[UC_FPSTATE];
    gaddr_t area = t->trap.ucontext & ~0xffffull;
    if (*at < area || *at - area > 0x10000 - FX_LEGACY ||
        task_copy_in(t, &sw, *at + FX_SW_OFFSET, sizeof(sw)))
        return -LX_EIO;
    *size = FX_LEGACY;
    *features = 3;
    if (sw.magic == FX_MAGIC1 && sw.size >= FX_LEGACY && sw.size <= 0x10000 - (*at - area)) {
        *size = sw.size;
        *features = sw.features;
    }
    return 0;
}

int64_t ptrace_get_xstate(struct task *t, uint8_t *bytes, size_t size)
{
    gaddr_t at;
    size_t have;
    uint64_t features;
    if (locate(t, &at, &have, &features))
        return -LX_EIO;
    size = size < have ? size : have;
    if (task_copy_in(t, bytes, at, size))
        return -LX_EIO;
    if (size >= FX_LEGACY) { // xstate_fx_sw_bytes of the kernel: the features, not the frame's own words
        memset(bytes + FX_SW_OFFSET, 0, FX_LEGACY - FX_SW_OFFSET);
        memcpy(bytes + FX_SW_OFFSET, &features, sizeof(features));
    }
    return (int64_t)size;
}

int64_t ptrace_set_xstate(struct task *t, const uint8_t *bytes, size_t size)
{
    gaddr_t at;
    size_t have;
    uint64_t features;
    if (locate(t, &at, &have, &features))
        return -LX_EIO;
    size = size < have ? size : have;
    size_t head = size < FX_SW_OFFSET ? size : FX_SW_OFFSET;
    if (task_copy_out(t, at, bytes, head))
        return -LX_EIO;
    if (size > FX_LEGACY && task_copy_out(t, at + FX_LEGACY, bytes + FX_LEGACY, size - FX_LEGACY))
        return -LX_EIO;
    return (int64_t)size;
}
