// Debug registers of a tracee (arch/x86/kernel/ptrace.c and hw_breakpoint.c of Linux). The processor's own are out of reach: setting
// them takes ptrace or perf on the host. A thread with a breakpoint or watchpoint steps through its program instead: after every
// instruction the words are compared with what they were before, and the instruction pointer with the breakpoints.
#include "sentry/ptrace/ptrace.h"

#define REGISTERS 4u
#define STATUS 6u
#define CONTROL 7u
#define STATUS_RESERVED 0xffff0ff0ull
#define CONTROL_RESERVED 0xffffffff0000fc00ull
#define ADDRESS_END 0x7ffffffff000ull

enum { EXECUTE = 0, WRITE = 1 };

static bool enabled(uint64_t control, unsigned n)
{
    return control >> (2 * n) & 3;
}
static unsigned type_of(uint64_t control, unsigned n)
{
    return control >> (16 + 4 * n) & 3;
}
static size_t length_of(uint64_t control, unsigned n)
{
    static const uint8_t lengths[4] = {1, 2, 8, 4};
    return lengths[control >> (18 + 4 * n) & 3];
}

bool ptrace_watches(const struct ptrace *p)
{
    return p->debug_control & 0xff;
}

uint64_t ptrace_get_debug(const struct ptrace *p, unsigned n)
{
    if (n < REGISTERS)
        return p->debug[n];
    return n == STATUS ? p->debug_status ^ STATUS_RESERVED : n == CONTROL ? p->debug_control : 0;
}

static bool good(uint64_t control, unsigned n, gaddr_t addr)
{
    unsigned type = type_of(control, n);
    if (!enabled(control, n))
        return true;
    if (type == EXECUTE)
        return length_of(control, n) == 1;
    return type == WRITE && !(addr & (length_of(control, n) - 1)); // reads leave nothing to compare
}

int64_t ptrace_set_debug(struct ptrace *p, unsigned n, uint64_t word)
{
    if (n < REGISTERS) {
        if (word >= ADDRESS_END || !good(p->debug_control, n, word))
            return -LX_EINVAL;
        p->debug[n] = word;
    } else if (n == STATUS) {
        p->debug_status = word ^ STATUS_RESERVED;
    } else if (n == CONTROL) {
        word &= ~CONTROL_RESERVED;
        for (unsigned i = 0; i < REGISTERS; i++)
            if (!good(word, i, p->debug[i]))
                return -LX_EINVAL;
        p->debug_control = word;
    } else {
        return -LX_EIO;
    }
    return 0;
}

// What is there now; zero where nothing can be read.
static uint64_t word_at(struct task *t, unsigned n)
{
    uint64_t word = 0;
    if (task_copy_in(t, &word, t->ptrace->debug[n], length_of(t->ptrace->debug_control, n)))
        return 0;
    return word;
}

void ptrace_watch_begin(struct task *t)
{
    struct ptrace *p = t->ptrace;
    for (unsigned i = 0; i < REGISTERS; i++)
        if (enabled(p->debug_control, i) && type_of(p->debug_control, i) == WRITE)
            p->watched[i] = word_at(t, i);
}

unsigned ptrace_watch_ip(const struct ptrace *p, gaddr_t rip)
{
    unsigned hits = 0;
    for (unsigned i = 0; i < REGISTERS; i++)
        if (enabled(p->debug_control, i) && type_of(p->debug_control, i) == EXECUTE && p->debug[i] == rip)
            hits |= 1u << i;
    return hits;
}

unsigned ptrace_watch_end(struct task *t)
{
    struct ptrace *p = t->ptrace;
    unsigned hits = ptrace_watch_ip(p, t->trap.rip);
    for (unsigned i = 0; i < REGISTERS; i++)
        if (enabled(p->debug_control, i) && type_of(p->debug_control, i) == WRITE &&
            p->watched[i] != word_at(t, i))
            hits |= 1u << i;
    return hits;
}
