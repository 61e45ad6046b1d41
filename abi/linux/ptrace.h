#pragma once
// ptrace(2) of the guest: include/uapi/linux/ptrace.h and arch/x86/include/asm/{ptrace-abi,user_64}.h.
#include <stdint.h>

#define LX_PTRACE_TRACEME 0
#define LX_PTRACE_PEEKTEXT 1
#define LX_PTRACE_PEEKDATA 2
#define LX_PTRACE_PEEKUSER 3
#define LX_PTRACE_POKETEXT 4
#define LX_PTRACE_POKEDATA 5
#define LX_PTRACE_POKEUSER 6
#define LX_PTRACE_CONT 7
#define LX_PTRACE_KILL 8
#define LX_PTRACE_SINGLESTEP 9
#define LX_PTRACE_GETREGS 12
#define LX_PTRACE_SETREGS 13
#define LX_PTRACE_GETFPREGS 14
#define LX_PTRACE_SETFPREGS 15
#define LX_PTRACE_ATTACH 16
#define LX_PTRACE_DETACH 17
#define LX_PTRACE_SYSCALL 24
#define LX_PTRACE_ARCH_PRCTL 30
#define LX_PTRACE_SYSEMU 31
#define LX_PTRACE_SYSEMU_SINGLESTEP 32
#define LX_PTRACE_SETOPTIONS 0x4200
#define LX_PTRACE_GETEVENTMSG 0x4201
#define LX_PTRACE_GETSIGINFO 0x4202
#define LX_PTRACE_SETSIGINFO 0x4203
#define LX_PTRACE_GETREGSET 0x4204
#define LX_PTRACE_SETREGSET 0x4205
#define LX_PTRACE_SEIZE 0x4206
#define LX_PTRACE_INTERRUPT 0x4207
#define LX_PTRACE_LISTEN 0x4208
#define LX_PTRACE_PEEKSIGINFO 0x4209
#define LX_PTRACE_GETSIGMASK 0x420a
#define LX_PTRACE_SETSIGMASK 0x420b
#define LX_PTRACE_SECCOMP_GET_FILTER 0x420c
#define LX_PTRACE_SECCOMP_GET_METADATA 0x420d
#define LX_PTRACE_GET_SYSCALL_INFO 0x420e

#define LX_PTRACE_O_TRACESYSGOOD 0x1u
#define LX_PTRACE_O_TRACEFORK 0x2u
#define LX_PTRACE_O_TRACEVFORK 0x4u
#define LX_PTRACE_O_TRACECLONE 0x8u
#define LX_PTRACE_O_TRACEEXEC 0x10u
#define LX_PTRACE_O_TRACEVFORKDONE 0x20u
#define LX_PTRACE_O_TRACEEXIT 0x40u
#define LX_PTRACE_O_TRACESECCOMP 0x80u
#define LX_PTRACE_O_EXITKILL 0x100000u
#define LX_PTRACE_O_SUSPEND_SECCOMP 0x200000u
#define LX_PTRACE_O_MASK 0x3000ffu

#define LX_PTRACE_EVENT_FORK 1
#define LX_PTRACE_EVENT_VFORK 2
#define LX_PTRACE_EVENT_CLONE 3
#define LX_PTRACE_EVENT_EXEC 4
#define LX_PTRACE_EVENT_VFORK_DONE 5
#define LX_PTRACE_EVENT_EXIT 6
#define LX_PTRACE_EVENT_SECCOMP 7
#define LX_PTRACE_EVENT_STOP 128

#define LX_PTRACE_EVENTMSG_SYSCALL_ENTRY 1
#define LX_PTRACE_EVENTMSG_SYSCALL_EXIT 2

#define LX_PTRACE_SYSCALL_INFO_NONE 0
#define LX_PTRACE_SYSCALL_INFO_ENTRY 1
#define LX_PTRACE_SYSCALL_INFO_EXIT 2
#define LX_PTRACE_SYSCALL_INFO_SECCOMP 3

#define LX_PTRACE_PEEKSIGINFO_SHARED 1u

#define LX_ARCH_SET_GS 0x1001
#define LX_ARCH_SET_FS 0x1002
#define LX_ARCH_GET_FS 0x1003
#define LX_ARCH_GET_GS 0x1004

#define LX_NT_PRSTATUS 1
#define LX_NT_PRFPREG 2
#define LX_NT_X86_XSTATE 0x202

#define LX_TRAP_BRKPT 1
#define LX_TRAP_TRACE 2
#define LX_TRAP_HWBKPT 4
#define LX_AUDIT_ARCH_X86_64 0xc000003eu

// struct user_regs_struct.
struct lx_user_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs,
        eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};
_Static_assert(sizeof(struct lx_user_regs) == 216, "user_regs_struct");
// struct user, up to which PEEKUSER reaches.
#define LX_USER_SIZE 912u
#define LX_USER_DEBUGREG 848u // u_debugreg[8]

struct lx_ptrace_syscall_info {
    uint8_t op;
    uint8_t reserved;
    uint16_t flags;
    uint32_t arch;
    uint64_t instruction_pointer, stack_pointer;
    union {
        struct {
            uint64_t nr;
            uint64_t args[6];
        } entry;
        struct {
            int64_t rval;
            uint8_t is_error;
        } exit;
        struct {
            uint64_t nr;
            uint64_t args[6];
            uint32_t ret_data;
        } seccomp;
    };
};
#define LX_SYSCALL_INFO_NONE_SIZE 24u
#define LX_SYSCALL_INFO_ENTRY_SIZE 80u
#define LX_SYSCALL_INFO_EXIT_SIZE 33u
#define LX_SYSCALL_INFO_SECCOMP_SIZE 84u

struct lx_ptrace_peeksiginfo_args {
    uint64_t off;
    uint32_t flags;
    int32_t nr;
};
_Static_assert(sizeof(struct lx_ptrace_peeksiginfo_args) == 16, "ptrace_peeksiginfo_args");

struct lx_seccomp_metadata {
    uint64_t filter_off, flags;
};
