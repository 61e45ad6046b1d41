#pragma once
// seccomp(2) and the classic BPF it takes, of the guest's ABI (uapi/linux/seccomp.h, uapi/linux/filter.h).
#include <stdint.h>

#define LX_SECCOMP_MODE_DISABLED 0
#define LX_SECCOMP_MODE_STRICT 1
#define LX_SECCOMP_MODE_FILTER 2

#define LX_SECCOMP_SET_MODE_STRICT 0
#define LX_SECCOMP_SET_MODE_FILTER 1
#define LX_SECCOMP_GET_ACTION_AVAIL 2
#define LX_SECCOMP_GET_NOTIF_SIZES 3

#define LX_SECCOMP_FILTER_FLAG_TSYNC 1u
#define LX_SECCOMP_FILTER_FLAG_LOG 2u
#define LX_SECCOMP_FILTER_FLAG_SPEC_ALLOW 4u
#define LX_SECCOMP_FILTER_FLAG_NEW_LISTENER 8u
#define LX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH 16u
#define LX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 32u

// Compared as signed numbers, the smallest wins.
#define LX_SECCOMP_RET_KILL_PROCESS 0x80000000u
#define LX_SECCOMP_RET_KILL_THREAD 0x00000000u
#define LX_SECCOMP_RET_TRAP 0x00030000u
#define LX_SECCOMP_RET_ERRNO 0x00050000u
#define LX_SECCOMP_RET_USER_NOTIF 0x7fc00000u
#define LX_SECCOMP_RET_TRACE 0x7ff00000u
#define LX_SECCOMP_RET_LOG 0x7ffc0000u
#define LX_SECCOMP_RET_ALLOW 0x7fff0000u
#define LX_SECCOMP_RET_ACTION_FULL 0xffff0000u
#define LX_SECCOMP_RET_DATA 0x0000ffffu

#define LX_SYS_SECCOMP 1 // si_code of SIGSYS
#define LX_AUDIT_ARCH_X86_64 0xc000003eu

struct lx_seccomp_data {
    int32_t nr;
    uint32_t arch;
    uint64_t instruction_pointer;
    uint64_t args[6];
};
_Static_assert(sizeof(struct lx_seccomp_data) == 64, "seccomp_data");

struct lx_seccomp_notif_sizes {
    uint16_t notif, response, data;
};
_Static_assert(sizeof(struct lx_seccomp_notif_sizes) == 6, "seccomp_notif_sizes");

struct lx_sock_filter {
    uint16_t code;
    uint8_t jt, jf;
    uint32_t k;
};
_Static_assert(sizeof(struct lx_sock_filter) == 8, "sock_filter");

struct lx_sock_fprog {
    uint16_t length; // instructions
    uint16_t pad[3];
    uint64_t filter;
};
_Static_assert(sizeof(struct lx_sock_fprog) == 16, "sock_fprog");

#define LX_BPF_MAXINSNS 4096
#define LX_BPF_MEMWORDS 16

// The instructions that seccomp takes (kernel/seccomp.c, seccomp_check_filter).
enum lx_bpf {
    LX_BPF_LD_W_ABS = 0x20,
    LX_BPF_LD_W_LEN = 0x80,
    LX_BPF_LDX_W_LEN = 0x81,
    LX_BPF_LD_IMM = 0x00,
    LX_BPF_LDX_IMM = 0x01,
    LX_BPF_LD_MEM = 0x60,
    LX_BPF_LDX_MEM = 0x61,
    LX_BPF_ST = 0x02,
    LX_BPF_STX = 0x03,
    LX_BPF_ALU = 0x04, // with an operation and a source
    LX_BPF_ADD = 0x00,
    LX_BPF_SUB = 0x10,
    LX_BPF_MUL = 0x20,
    LX_BPF_DIV = 0x30,
    LX_BPF_OR = 0x40,
    LX_BPF_AND = 0x50,
    LX_BPF_LSH = 0x60,
    LX_BPF_RSH = 0x70,
    LX_BPF_NEG = 0x80,
    LX_BPF_XOR = 0xa0,
    LX_BPF_JMP = 0x05, // with a comparison and a source
    LX_BPF_JA = 0x00,
    LX_BPF_JEQ = 0x10,
    LX_BPF_JGT = 0x20,
    LX_BPF_JGE = 0x30,
    LX_BPF_JSET = 0x40,
    LX_BPF_X = 0x08, // the source: the constant, or register X
    LX_BPF_RET_K = 0x06,
    LX_BPF_RET_A = 0x16,
    LX_BPF_TAX = 0x07,
    LX_BPF_TXA = 0x87,
};
