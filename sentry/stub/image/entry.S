/* Entry points of the stub: process start, signal return, clone with shared memory. */
#include "abi/stub/layout.h"
    .section .text.start, "ax"
/* A native call that may wait, made for guest code whose own filter has been asked: the context comes here with the
   call's registers. The fault behind it is how the Sentry takes the thread back to its program. */
    .globl stub_native_call
    .hidden stub_native_call
stub_native_call:
    syscall
    ud2

    .globl _start
_start:
    xorl %ebp, %ebp
    movq %rsp, %rdi
    andq $-16, %rsp
    call stub_start
    hlt

/* void stub_on_stack(top, a, b): runs stub_boot(a, b) on another stack. */
    .globl stub_on_stack
    .hidden stub_on_stack
stub_on_stack:
    movq %rdi, %rsp
    movq %rsi, %rdi
    movq %rdx, %rsi
    call stub_boot
    hlt

/* The restorer of every host handler, and (with the context in %rdi) the way into a context. */
    .globl stub_sigreturn_to
    .hidden stub_sigreturn_to
stub_sigreturn_to:
    movq %rdi, %rsp
    .globl stub_restorer
    .hidden stub_restorer
stub_restorer:
    movl $15, %eax
    syscall
    hlt

/* int stub_load_word(from, to), int stub_store_word(to, value): 8 bytes at an address of the guest's. Only the first instruction
   of each may fault; the handler then goes on at stub_access_failed. 0, or 1 after a fault. */
    .globl stub_load_word, stub_store_word, stub_access_failed
    .hidden stub_load_word, stub_store_word, stub_access_failed
stub_load_word:
    movq (%rdi), %rax
    movq %rax, (%rsi)
    xorl %eax, %eax
    ret
stub_store_word:
    movq %rsi, (%rdi)
    xorl %eax, %eax
    ret
stub_access_failed:
    movl $1, %eax
    ret

/* long stub_clone_vm(flags, child_stack, ptid, ctid, tls, child_argument)
   The child starts in stub_child(child_argument) on child_stack. */
    .globl stub_clone_vm
    .hidden stub_clone_vm
stub_clone_vm:
    pushq %rbx
    movq %r9, %rbx
    movq %rcx, %r10
    movl $56, %eax
    syscall
    testq %rax, %rax
    jz 1f
    popq %rbx
    ret
1:  movq %rbx, %rdi
    call stub_child
    hlt
    .section .note.GNU-stack, "", @progbits
