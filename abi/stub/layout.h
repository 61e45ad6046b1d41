#pragma once
// What the Sentry and the stub agree on: addresses, hypercalls and the operation array.
// The stub runs inside the guest: nothing it says is trusted, and nothing here is secret but the token of a clone, which
// one process cannot learn of another.

#ifndef __ASSEMBLER__
#include <stdint.h>
#endif

// Address range reserved in every guest address space.
#define STUB_BASE 0x700000000000
#define STUB_TEXT_START STUB_BASE
#define STUB_TEXT_END 0x700000010000     // code only; filter rules "by address" cover exactly this range
#define STUB_NATIVE_CALL STUB_TEXT_START // `syscall`, then a fault: see sentry/trap/seccomp.c
#define STUB_DATA_START STUB_TEXT_END    // read-write data and the boot stack
#define STUB_DATA_END 0x700000020000
#define STUB_AREAS_START 0x700000100000 // per-thread areas, one every STUB_AREA_SIZE
#define STUB_AREA_SIZE 0x10000
#define STUB_AREA_MAX 0x10000 // areas of one address space
#define STUB_AREAS_END (STUB_AREAS_START + STUB_AREA_SIZE * STUB_AREA_MAX)
#define STUB_RANGE_END 0x700200000000

// The one descriptor number that a guest process may hold for a moment, and the host RLIMIT_NOFILE above it.
#define STUB_DONATION_FD 0
#define STUB_HOST_NOFILE 4

// The host signal that calls a thread into the stub.
#define STUB_KICK_SIGNAL 23 // SIGURG

// Hypercalls are call numbers that Linux does not have, so the filter's default notifies them.
#define STUB_HYPERCALL_BASE 0x53450000u
#define STUB_HC_BOOT (STUB_HYPERCALL_BASE + 0)   // fresh image: (stack pointer, address of the vDSO)
#define STUB_HC_SIGNAL (STUB_HYPERCALL_BASE + 1) // kick or fault: (ucontext, signo, rip, rax, rsp, mask word)
#define STUB_HC_DONE \
    (STUB_HYPERCALL_BASE + 2) // operations done: (ucontext, index of the first failure or count, its result)
#define STUB_HC_CHILD \
    (STUB_HYPERCALL_BASE + 3) // a clone child before any guest code: (ucontext, token of its order)
#define STUB_HC_ZYGOTE (STUB_HYPERCALL_BASE + 4) // the zygote waits for a launch
// A call that the filter turned into SIGSYS, repeated with its own arguments. The number says the rest: the call's number and
// where in the thread's area its ucontext is. (The Sentry reads the other registers and the mask word when it needs them.)
#define STUB_HC_CALL (STUB_HYPERCALL_BASE + 8)
#define STUB_HC_CALL_OF(nr, ucontext) \
    (STUB_HC_CALL + ((nr) % 1024u) * 4096u + (ucontext) % STUB_AREA_SIZE / 16)
#define STUB_HC_CALL_NR(hypercall) (((hypercall)-STUB_HC_CALL) / 4096u)
#define STUB_HC_CALL_UCONTEXT(hypercall) \
    (((hypercall)-STUB_HC_CALL) % 4096u * 16) // from the start of the area
#define STUB_HC_LAST (STUB_HC_CALL + 1024u * 4096u - 1)

// The profile of a container answers numbers that Linux does not have before anybody is notified. Where one is around us (--nested) the
// hypercalls are two calls that such profiles let pass and that x86-64 never had, made from the stub's text: epoll_ctl_old, for
// STUB_HC_SIGNAL, and epoll_wait_old, with the STUB_HC_* as the last argument. Made by anybody else they are what they are.
#define STUB_NESTED_SIGNAL 214u
#define STUB_NESTED_OTHER 215u

// Reply values of a hypercall: what the stub does next.
// STUB_DO_OPS is the donation number, because a reply that brings a descriptor has that number as its value.
#define STUB_DO_OPS STUB_DONATION_FD // run the operations in the area, then as its `report` says; see below
#define STUB_DO_RETURN 1             // return through rt_sigreturn from the context (rewritten or not)
#define STUB_DO_EXIT 2               // this thread ends: exit(0)

#define STUB_OP_MAX 104

#ifndef __ASSEMBLER__
// One native call that the Sentry orders. `flags` says what to do with its result.
struct stub_op {
    uint32_t nr; // of a clone: the token that its child says in its first hypercall
    uint32_t flags;
    uint64_t args[6];
};
#define STUB_OP_MAY_FAIL 1u // go on after an error
#define STUB_OP_CLONE_VM 2u // clone sharing memory: args[1] guest stack (0: keep), args[5] the child's area
#define STUB_OP_CLONE 4u    // clone with a copied address space: args[1] guest stack (0: keep)
#define STUB_OP_TOUCH 8u    // no call: read a byte of every page from args[0] down to args[1]
#define STUB_OP_ZERO 16u    // no call: clear args[1] bytes at args[0]
#define STUB_OP_JUMP 32u    // no call: load the context at args[0] with rt_sigreturn
#define STUB_OP_EXEC 64u    // execveat of the donated descriptor with the stub's own arguments
#define STUB_OP_RESULT 128u // the result goes to RAX of the context
#define STUB_OP_CLOSE_FILES 256u // with CLONE_VM: the child has a descriptor table of its own and empties it

// Zygote mode: argv[0] is STUB_ZYGOTE_NAME, argv[1] the flags of seccomp(2) in decimal (0: it is installed already). The filter (struct sock_filter[])
// is read from STUB_ZYGOTE_FILTER_FD; if it cannot be installed, -errno (4 bytes) goes to STUB_ZYGOTE_SOCKET_FD. The Sentry
// takes the listener out of our descriptor table (number 0, the lowest free one) with pidfd_getfd. From then on the
// zygote makes STUB_HC_ZYGOTE; after each answer it closes every descriptor before it obeys.
#define STUB_ZYGOTE_NAME "zygote"
#define STUB_ZYGOTE_FILTER_FD 3
#define STUB_ZYGOTE_SOCKET_FD 4
#define STUB_FILTER_MAX 4096 // instructions

// The stub takes the operations out of the area when it runs them (op_count is 0 then). A STUB_DO_OPS that finds none answers a
// trapped mmap: the stub makes that call from the registers of the context with the donated descriptor, closes it and returns.

// Head of a thread's area; the alternate signal stack fills the rest of it.
struct stub_area {
    uint32_t op_count;
    uint32_t
        report; // 1: STUB_HC_DONE after the operations; 0: only after a failure, else return to the context
    struct stub_op ops[STUB_OP_MAX];
    uint64_t mask; // the guest's signal mask of this thread, while STUB_MASK_LOCAL is in it
};
// The stub answers rt_sigprocmask(2) from the word. The bit is SIGKILL's, which no mask has.
#define STUB_MASK_LOCAL 0x100ull
_Static_assert(sizeof(struct stub_op) == 56, "stub_op is shared with the stub image");
#endif
