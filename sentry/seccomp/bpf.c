#include "sentry/seccomp/bpf.h"
#include "abi/linux/errno.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ALU(op) (LX_BPF_ALU | (op))
#define ALU_X(op) (LX_BPF_ALU | (op) | LX_BPF_X)
#define JMP(op) (LX_BPF_JMP | (op))
#define JMP_X(op) (LX_BPF_JMP | (op) | LX_BPF_X)

// One instruction by itself, `left` instructions before the end of the program.
static bool instruction_is_valid(const struct lx_sock_filter *f, unsigned left)
{
    switch (f->code) {
    case LX_BPF_LD_W_ABS:
        return f->k < sizeof(struct lx_seccomp_data) && f->k % 4 == 0;
    case ALU(LX_BPF_DIV):
        return f->k != 0;
    case ALU(LX_BPF_LSH):
    case ALU(LX_BPF_RSH):
        return f->k < 32;
    case LX_BPF_LD_MEM:
    case LX_BPF_LDX_MEM:
    case LX_BPF_ST:
    case LX_BPF_STX:
        return f->k < LX_BPF_MEMWORDS;
    case JMP(LX_BPF_JA):
        return f->k < left;
    case JMP(LX_BPF_JEQ):
    case JMP_X(LX_BPF_JEQ):
    case JMP(LX_BPF_JGT):
    case JMP_X(LX_BPF_JGT):
    case JMP(LX_BPF_JGE):
    case JMP_X(LX_BPF_JGE):
    case JMP(LX_BPF_JSET):
    case JMP_X(LX_BPF_JSET):
        return f->jt < left && f->jf < left;
    case LX_BPF_LD_W_LEN:
    case LX_BPF_LDX_W_LEN:
    case LX_BPF_LD_IMM:
    case LX_BPF_LDX_IMM:
    case ALU(LX_BPF_ADD):
    case ALU_X(LX_BPF_ADD):
    case ALU(LX_BPF_SUB):
    case ALU_X(LX_BPF_SUB):
    case ALU(LX_BPF_MUL):
    case ALU_X(LX_BPF_MUL):
    case ALU_X(LX_BPF_DIV):
    case ALU(LX_BPF_OR):
    case ALU_X(LX_BPF_OR):
    case ALU(LX_BPF_AND):
    case ALU_X(LX_BPF_AND):
    case ALU_X(LX_BPF_LSH):
    case ALU_X(LX_BPF_RSH):
    case ALU(LX_BPF_XOR):
    case ALU_X(LX_BPF_XOR):
    case ALU(LX_BPF_NEG):
    case LX_BPF_RET_K:
    case LX_BPF_RET_A:
    case LX_BPF_TAX:
    case LX_BPF_TXA:
        return true;
    default:
        return false;
    }
}

// No word of memory is read that some path has not written (check_load_and_stores): `known` has for each instruction the
// words that every way to it has written.
static bool memory_is_written_first(const struct lx_sock_filter *code, unsigned length, uint16_t *known)
{
    uint16_t valid = 0;
    memset(known, 0xff, length * sizeof(*known));
    for (unsigned pc = 0; pc < length; pc++) {
        const struct lx_sock_filter *f = &code[pc];
        valid &= known[pc];
        switch (f->code) {
        case LX_BPF_ST:
        case LX_BPF_STX:
            valid |= (uint16_t)(1u << f->k);
            break;
        case LX_BPF_LD_MEM:
        case LX_BPF_LDX_MEM:
            if (!(valid >> f->k & 1))
                return false;
            break;
        case JMP(LX_BPF_JA):
            known[pc + 1 + f->k] &= valid;
            valid = 0xffff;
            break;
        default:
            if ((f->code & 7) == LX_BPF_JMP) {
                known[pc + 1 + f->jt] &= valid;
                known[pc + 1 + f->jf] &= valid;
                valid = 0xffff;
            }
        }
    }
    return true;
}

int bpf_check(const struct lx_sock_filter *code, unsigned length)
{
    if (length == 0 || length > LX_BPF_MAXINSNS)
        return -LX_EINVAL;
    for (unsigned pc = 0; pc < length; pc++)
        if (!instruction_is_valid(&code[pc], length - pc - 1))
            return -LX_EINVAL;
    if (code[length - 1].code != LX_BPF_RET_K && code[length - 1].code != LX_BPF_RET_A)
        return -LX_EINVAL;
    uint16_t known[LX_BPF_MAXINSNS];
    return memory_is_written_first(code, length, known) ? 0 : -LX_EINVAL;
}

// Shifts by register take the number modulo 32, as the processor does. Division by zero is the caller's.
static uint32_t calculate(unsigned op, uint32_t a, uint32_t b)
{
    switch (op) {
    case LX_BPF_ADD:
        return a + b;
    case LX_BPF_SUB:
        return a - b;
    case LX_BPF_MUL:
        return a * b;
    case LX_BPF_DIV:
        return a / b;
    case LX_BPF_OR:
        return a | b;
    case LX_BPF_AND:
        return a & b;
    case LX_BPF_LSH:
        return a << (b & 31);
    case LX_BPF_RSH:
        return a >> (b & 31);
    case LX_BPF_XOR:
        return a ^ b;
    default:
        return -a;
    }
}

static bool compare(unsigned op, uint32_t a, uint32_t b)
{
    switch (op) {
    case LX_BPF_JEQ:
        return a == b;
    case LX_BPF_JGT:
        return a > b;
    case LX_BPF_JGE:
        return a >= b;
    default:
        return a & b;
    }
}

uint32_t bpf_run(const struct lx_sock_filter *code, unsigned length, const struct lx_seccomp_data *data)
{
    uint32_t words[sizeof(*data) / 4], memory[LX_BPF_MEMWORDS], a = 0, x = 0;
    memcpy(words, data, sizeof(*data));
    for (unsigned pc = 0; pc < length; pc++) {
        const struct lx_sock_filter *f = &code[pc];
        uint32_t operand = f->code & LX_BPF_X ? x : f->k;
        switch (f->code) {
        case LX_BPF_LD_W_ABS:
            a = words[f->k / 4];
            break;
        case LX_BPF_LD_W_LEN:
            a = sizeof(*data);
            break;
        case LX_BPF_LDX_W_LEN:
            x = sizeof(*data);
            break;
        case LX_BPF_LD_IMM:
            a = f->k;
            break;
        case LX_BPF_LDX_IMM:
            x = f->k;
            break;
        case LX_BPF_LD_MEM:
            a = memory[f->k];
            break;
        case LX_BPF_LDX_MEM:
            x = memory[f->k];
            break;
        case LX_BPF_ST:
            memory[f->k] = a;
            break;
        case LX_BPF_STX:
            memory[f->k] = x;
            break;
        case LX_BPF_TAX:
            x = a;
            break;
        case LX_BPF_TXA:
            a = x;
            break;
        case LX_BPF_RET_K:
            return f->k;
        case LX_BPF_RET_A:
            return a;
        case JMP(LX_BPF_JA):
            pc += f->k;
            break;
        default:
            if ((f->code & 7) == LX_BPF_JMP) {
                pc += compare(f->code & 0xf0, a, operand) ? f->jt : f->jf;
                break;
            }
            if (f->code == ALU_X(LX_BPF_DIV) && x == 0)
                return 0; // what Linux's translation of classic BPF does
            a = calculate(f->code & 0xf0, a, operand);
        }
    }
    return LX_SECCOMP_RET_KILL_PROCESS; // a checked program does not get here
}
