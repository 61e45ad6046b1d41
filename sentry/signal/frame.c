#include "sentry/signal/frame.h"
#include "abi/stub/layout.h"
#include "sentry/task/task.h"
#include "sentry/trap/hypercall.h"
#include <string.h>

// Words of struct ucontext (arch/x86/include/uapi/asm/{ucontext,sigcontext}.h).
enum {
    UC_FLAGS,
    UC_LINK,
    UC_SS_SP,
    UC_SS_FLAGS,
    UC_SS_SIZE,
    UC_R8,
    UC_R15 = UC_R8 + 7,
    UC_RDI,
    UC_RSI,
    UC_RBP,
    UC_RBX,
    UC_RDX,
    UC_RAX,
    UC_RCX,
    UC_RSP,
    UC_RIP,
    UC_EFLAGS,
    UC_SEGMENTS,
    UC_ERR,
    UC_TRAPNO,
    UC_OLDMASK,
    UC_CR2,
    UC_FPSTATE,
    UC_RESERVED,
    UC_SIGMASK = UC_RESERVED + 8,
    UC_WORDS,
};
_Static_assert(UC_WORDS == 38, "struct ucontext has 304 bytes");
#define UC_BYTES (UC_WORDS * 8)
#define FRAME_BYTES (8 + UC_BYTES + sizeof(struct lx_siginfo)) // struct rt_sigframe
#define FP_LEGACY 512u
#define FP_SW_OFFSET 464u // struct _fpx_sw_bytes inside the legacy area
#define FP_MAGIC1 0x46505853u
#define NATIVE_MAX 16384u
#define FRAME_READ_AHEAD 4096u // of a guest's frame at once; with AVX-512 it has 3 KiB
#define USER_CS_SS 0x002b000000000033ull
#define EFLAGS_CLEAR 0x10500ull // RF, DF, TF

#define LX_SA_SIGINFO 4u
#define LX_SA_ONSTACK 0x08000000u
#define LX_SA_RESTORER 0x04000000u
#define LX_SA_NODEFER 0x40000000u
#define LX_SS_ONSTACK 1u
#define LX_SS_DISABLE 2u
#define LX_SS_AUTODISARM 0x80000000u

// The native frame from the ucontext to the end of the area, read in one copy. Worker-local scratch.
struct native_frame {
    uint8_t bytes[NATIVE_MAX];
    size_t len;
    size_t fp_offset; // of the extended state in bytes, 0 when there is none
    size_t fp_size;
};
static __thread struct native_frame scratch;
static __thread uint8_t guest_frame[NATIVE_MAX + 1024];

static uint32_t fp_size_of(const uint8_t *fp, size_t available)
{
    uint32_t magic, size;
    if (available < FP_LEGACY)
        return 0;
    memcpy(&magic, fp + FP_SW_OFFSET, 4);
    memcpy(&size, fp + FP_SW_OFFSET + 4, 4);
    return magic == FP_MAGIC1 && size >= FP_LEGACY && size <= available ? size : FP_LEGACY;
}

static int read_native(struct task *t, struct frame_regs *regs, struct native_frame *f)
{
    gaddr_t area = area_address(t->trap.area);
    gaddr_t uc = t->trap.ucontext;
    gaddr_t end = area + STUB_AREA_SIZE;
    if (uc < area || uc > end - UC_BYTES || end - uc > NATIVE_MAX)
        return -LX_EFAULT;
    f->len = end - uc;
    if (task_copy_in(t, f->bytes, uc, f->len))
        return -LX_EFAULT;
    uint64_t fp;
    memcpy(&fp, f->bytes + UC_FPSTATE * 8, 8);
    f->fp_offset = f->fp_size = 0;
    if (fp >= uc + UC_BYTES && fp < end) {
        f->fp_offset = fp - uc;
        f->fp_size = fp_size_of(f->bytes + f->fp_offset, f->len - f->fp_offset);
        if (f->fp_size == 0)
            f->fp_offset = 0;
    }
    if (!regs->loaded) {
        memcpy(regs->context, f->bytes, UC_BYTES);
        regs->loaded = true;
    }
    return 0;
}

int frame_arguments(struct task *t, uint64_t args[6])
{
    uint64_t words[UC_RDX + 1 - UC_R8];
    if (task_copy_in(t, words, t->trap.ucontext + UC_R8 * 8, sizeof(words)))
        return -LX_EFAULT;
    args[0] = words[UC_RDI - UC_R8];
    args[1] = words[UC_RSI - UC_R8];
    args[2] = words[UC_RDX - UC_R8];
    args[3] = words[2]; // r10
    args[4] = words[0]; // r8
    args[5] = words[1]; // r9
    return 0;
}

int frame_load(struct task *t, struct frame_regs *regs)
{
    _Static_assert(FRAME_R8 == UC_R8 && FRAME_RDI == UC_RDI && FRAME_RSI == UC_RSI && FRAME_RDX == UC_RDX &&
                       FRAME_RCX == UC_RCX && FRAME_RAX_OFFSET == UC_RAX * 8,
                   "struct ucontext");
    return regs->loaded ? 0 : read_native(t, regs, &scratch);
}

static bool on_altstack(const struct sigaltstack_state *ss, uint64_t sp)
{
    return !(ss->flags & LX_SS_AUTODISARM) && sp > ss->sp && sp - ss->sp <= ss->size;
}

int frame_deliver(struct task *t, int sig, const struct lx_siginfo *info, const struct lx_sigaction *action,
                  struct frame_regs *regs)
{
    struct native_frame *nf = &scratch;
    if (!(action->flags & LX_SA_RESTORER))
        return -LX_EFAULT;
    bool stacked = regs->loaded && regs->context[UC_FPSTATE] == 0;
    if (read_native(t, regs, nf))
        return -LX_EFAULT;
    uint64_t *ctx = regs->context;
    // A second handler in the same kick starts with the state that the first one's frame will find: none.
    size_t fp_size = stacked ? 0 : nf->fp_size;

    uint64_t sp = regs->rsp - 128; // red zone
    struct sigaltstack_state *ss = &t->altstack;
    bool nested = on_altstack(ss, regs->rsp), entering = false;
    if ((action->flags & LX_SA_ONSTACK) && ss->size && !nested) {
        sp = ss->sp + ss->size;
        entering = true;
    }
    uint64_t fp = 0;
    if (fp_size) {
        fp = (sp - fp_size) & ~63ull;
        sp = fp;
    }
    sp = ((sp - FRAME_BYTES) & ~15ull) - 8;
    if ((nested || entering) && !(ss->flags & LX_SS_AUTODISARM) && (sp <= ss->sp || sp - ss->sp > ss->size))
        return -LX_EFAULT;

    uint64_t saved[UC_WORDS];
    memcpy(saved, ctx, UC_BYTES);
    saved[UC_LINK] = 0;
    saved[UC_SS_SP] = ss->sp;
    saved[UC_SS_FLAGS] = ss->size ? ss->flags : LX_SS_DISABLE;
    saved[UC_SS_SIZE] = ss->size;
    saved[UC_RIP] = regs->rip;
    saved[UC_RAX] = regs->rax;
    saved[UC_RSP] = regs->rsp;
    saved[UC_OLDMASK] = 0;
    saved[UC_FPSTATE] = fp;
    saved[UC_SIGMASK] = mask_for_frame(t);

    size_t total = FRAME_BYTES + (fp ? fp - sp - FRAME_BYTES + fp_size : 0);
    if (total > sizeof(guest_frame))
        return -LX_EFAULT;
    memset(guest_frame, 0, FRAME_BYTES + 64);
    memcpy(guest_frame, &action->restorer, 8);
    memcpy(guest_frame + 8, saved, UC_BYTES);
    memcpy(guest_frame + 8 + UC_BYTES, info, sizeof(*info));
    if (fp)
        memcpy(guest_frame + (fp - sp), nf->bytes + nf->fp_offset, fp_size);
    if (task_copy_out(t, sp, guest_frame, total))
        return -LX_EFAULT;

    ctx[UC_RDI] = (uint64_t)sig;
    ctx[UC_RSI] = sp + 8 + UC_BYTES;
    ctx[UC_RDX] = sp + 8;
    ctx[UC_EFLAGS] &= ~EFLAGS_CLEAR;
    ctx[UC_SEGMENTS] = (ctx[UC_SEGMENTS] & 0x0000ffffffff0000ull) | USER_CS_SS;
    ctx[UC_FPSTATE] = 0; // the handler starts with initial extended state
    regs->rip = action->handler;
    regs->rax = 0;
    regs->rsp = sp;
    regs->dirty = true;

    t->altstack_entered |= entering;
    if (entering && (ss->flags & LX_SS_AUTODISARM))
        *ss = (struct sigaltstack_state){.flags = LX_SS_DISABLE};
    signal_delivered(t, sig, action);
    return 0;
}

static void restore_altstack(struct task *t, const uint64_t *uc, uint64_t sp)
{
    uint32_t flags = (uint32_t)uc[UC_SS_FLAGS];
    uint32_t mode = flags & ~LX_SS_AUTODISARM;
    if (on_altstack(&t->altstack, sp))
        return;
    if (mode == LX_SS_DISABLE)
        t->altstack = (struct sigaltstack_state){.flags = LX_SS_DISABLE};
    else if ((mode == 0 || mode == LX_SS_ONSTACK) && uc[UC_SS_SIZE] >= 2048)
        t->altstack = (struct sigaltstack_state){.sp = uc[UC_SS_SP], .size = uc[UC_SS_SIZE], .flags = flags};
}

// The guest's frame from its ucontext on, as far as it could be read at once. Returns n bytes of guest memory at `from`: out of
// that copy where they lie in it, else copied to `other`. NULL: a fault.
struct read_ahead {
    gaddr_t at;
    size_t len;
    const uint8_t *bytes;
};
static const uint8_t *frame_part(struct task *t, const struct read_ahead *r, gaddr_t from, size_t n,
                                 uint8_t *other)
{
    if (from >= r->at && from - r->at <= r->len && n <= r->len - (from - r->at))
        return r->bytes + (from - r->at);
    return task_copy_in(t, other, from, n) ? NULL : other;
}

// Takes the extended state of the guest's frame over into the native one. The bytes that count, or -LX_EFAULT.
static int restore_extended(struct task *t, struct native_frame *nf, const struct read_ahead *ahead,
                            gaddr_t guest_fp)
{
    uint8_t legacy[FP_LEGACY];
    uint8_t *native = nf->bytes + nf->fp_offset;
    const uint8_t *fp = frame_part(t, ahead, guest_fp, FP_LEGACY, legacy);
    if (!fp)
        return -LX_EFAULT;
    uint32_t magic, extended, size = FP_LEGACY;
    memcpy(&magic, fp + FP_SW_OFFSET, 4);
    memcpy(&extended, fp + FP_SW_OFFSET + 4, 4);
    if (magic == FP_MAGIC1 && extended == nf->fp_size)
        size = extended;
    memcpy(native, fp, FP_LEGACY);
    if (size > FP_LEGACY) {
        fp = frame_part(t, ahead, guest_fp + FP_LEGACY, size - FP_LEGACY, native + FP_LEGACY);
        if (!fp)
            return -LX_EFAULT;
        if (fp != native + FP_LEGACY)
            memcpy(native + FP_LEGACY, fp, size - FP_LEGACY);
    }
    return (int)size;
}

int frame_restore(struct task *t, struct frame_regs *regs)
{
    struct native_frame *nf = &scratch;
    uint64_t uc[UC_WORDS];
    if (read_native(t, regs, nf))
        return -LX_EFAULT;
    if (!t->trap.regs_known) {
        trap_tell_registers(t, regs->context[UC_RIP], regs->context[UC_RAX], regs->context[UC_RSP]);
        regs->rip = t->trap.rip, regs->rax = t->trap.rax, regs->rsp = t->trap.rsp;
    }
    ssize_t got = task_copy_in_part(t, guest_frame, regs->rsp, FRAME_READ_AHEAD);
    if (got < (ssize_t)UC_BYTES)
        return -LX_EFAULT;
    const struct read_ahead ahead = {.at = regs->rsp, .len = (size_t)got, .bytes = guest_frame};
    memcpy(uc, guest_frame, UC_BYTES);
    uint64_t *ctx = regs->context;
    uint64_t native_fp = ctx[UC_FPSTATE];
    size_t end = UC_BYTES; // what of the native frame is written, in one copy
    ctx[UC_FPSTATE] = 0;
    if (uc[UC_FPSTATE] && nf->fp_size) {
        int size = restore_extended(t, nf, &ahead, uc[UC_FPSTATE]);
        if (size < 0)
            return size;
        ctx[UC_FPSTATE] = native_fp;
        end = nf->fp_offset + (size_t)size;
    }
    ctx[UC_FLAGS] = (ctx[UC_FLAGS] & ~7ull) | (uc[UC_FLAGS] & 7);
    memcpy(&ctx[UC_R8], &uc[UC_R8], (UC_SEGMENTS + 1 - UC_R8) * 8);
    regs->rip = uc[UC_RIP];
    regs->rax = uc[UC_RAX];
    regs->rsp = uc[UC_RSP];
    ctx[UC_SIGMASK] = 0; // a guest mask never becomes a host mask
    memcpy(nf->bytes, ctx, UC_BYTES);
    if (task_copy_out(t, t->trap.ucontext, nf->bytes, end))
        return -LX_EFAULT;
    regs->dirty = false;
    set_blocked(t, uc[UC_SIGMASK]);
    restore_altstack(t, uc, regs->rsp);
    return 0;
}

int frame_write_regs(struct task *t, struct frame_regs *regs)
{
    gaddr_t uc = t->trap.ucontext;
    if (!regs->loaded) {
        // Only the outcome of a call changed; a call leaves RIP in RCX.
        uint64_t words[4] = {regs->rax, regs->rip, regs->rsp, regs->rip};
        _Static_assert(UC_RCX == UC_RAX + 1 && UC_RSP == UC_RAX + 2 && UC_RIP == UC_RAX + 3, "order");
        return task_copy_out(t, uc + UC_RAX * 8, words, sizeof(words));
    }
    uint64_t *ctx = regs->context;
    ctx[UC_RIP] = regs->rip;
    ctx[UC_RAX] = regs->rax;
    ctx[UC_RSP] = regs->rsp;
    ctx[UC_SIGMASK] = 0; // a guest mask never becomes a host mask
    return task_copy_out(t, uc, ctx, UC_BYTES);
}
