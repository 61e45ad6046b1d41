// Classic BPF as seccomp has it: kernel/seccomp.c and net/core/filter.c.
#include "simulator.h"
#include <stddef.h>
#include <string.h>

const char *simulator_check(const struct sock_filter *code, unsigned length)
{
    if (length == 0 || length > BPF_MAXINSNS)
        return "length";
    for (unsigned pc = 0; pc < length; pc++) {
        const struct sock_filter *f = &code[pc];
        unsigned left = length - pc - 1;
        switch (f->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (f->k % 4 != 0 || f->k > sizeof(struct seccomp_data) - 4)
                return "load outside of seccomp_data";
            break;
        case BPF_ALU | BPF_AND | BPF_K:
        case BPF_RET | BPF_K:
            break;
        case BPF_JMP | BPF_JA:
            if (f->k >= left)
                return "jump past the end";
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_JMP | BPF_JSET | BPF_K:
            if (f->jt >= left || f->jf >= left)
                return "conditional jump past the end";
            break;
        default:
            return "instruction that the generator does not use";
        }
    }
    if (code[length - 1].code != (BPF_RET | BPF_K))
        return "last instruction does not return";
    return NULL;
}

struct verdict simulator_run(const struct sock_filter *code, unsigned length, const struct seccomp_data *data)
{
    struct verdict v = {.action = SECCOMP_RET_KILL_PROCESS, .by_number_only = true};
    uint32_t a = 0;
    for (unsigned pc = 0; pc < length; pc++) {
        const struct sock_filter *f = &code[pc];
        v.instructions++;
        switch (f->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&a, (const char *)data + f->k, sizeof(a));
            if (f->k != offsetof(struct seccomp_data, nr) && f->k != offsetof(struct seccomp_data, arch))
                v.by_number_only = false;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= f->k;
            break;
        case BPF_JMP | BPF_JA:
            pc += f->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == f->k ? f->jt : f->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            pc += a > f->k ? f->jt : f->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            pc += a >= f->k ? f->jt : f->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            pc += (a & f->k) != 0 ? f->jt : f->jf;
            break;
        case BPF_RET | BPF_K:
            v.action = f->k;
            return v;
        }
    }
    return v;
}
