// The guests' programs: what runs natively, what the filter itself refuses, and that nothing else is anything
// but notified.
#include "filter_test.h"
#include "sentry/trap/call.h"
#include <stdlib.h>

#define MAP_FIXED_ANON (MAP_PRIVATE | MAP_ANONYMOUS)

// The same in both programs: the stub by address, foreign entries, refusals.
static const struct filter_case common[] = {
    // Entries that are not x86-64, at any address: i386 call 15 is chmod, x86-64's is rt_sigreturn.
    CASE(I386, 15, STUB_IP, FAIL(ENOSYS), 0x1000, 0777),
    CASE(I386, 15, GUEST_IP, FAIL(ENOSYS), 0x1000, 0777),
    CASE(I386, 91, GUEST_IP, FAIL(ENOSYS), 0x1000, 0x1000), // i386 munmap
    CASE(I386, 11, STUB_IP, FAIL(ENOSYS), 0),               // i386 execve is x86-64 munmap
    CASE(I386, 0xffffffff, GUEST_IP, FAIL(ENOSYS), 0),
    CASE(AUDIT_ARCH_AARCH64, SYS_munmap, STUB_IP, FAIL(ENOSYS), 0),
    CASE(X86_64 & ~__AUDIT_ARCH_64BIT, SYS_brk, GUEST_IP, FAIL(ENOSYS), 0),
    // x32 numbers.
    CASE(X86_64, 0x40000000 | SYS_munmap, GUEST_IP, FAIL(ENOSYS), 0x1000, 0x1000),
    CASE(X86_64, 0x40000000 | SYS_munmap, STUB_IP, FAIL(ENOSYS), 0x1000, 0x1000),
    CASE(X86_64, 0x40000000 | SYS_rt_sigreturn, STUB_IP, FAIL(ENOSYS), 0),
    CASE(X86_64, 0x40000000 | 512, STUB_IP, FAIL(ENOSYS), 0),  // x32 rt_sigaction
    CASE(X86_64, 0x40000000 | 520, GUEST_IP, FAIL(ENOSYS), 0), // x32 execve
    CASE(X86_64, 0x40000000, GUEST_IP, FAIL(ENOSYS), 0),
    CASE(X86_64, 0xffffffff, GUEST_IP, FAIL(ENOSYS), 0),
    CASE(X86_64, 0xc0000000 | SYS_brk, GUEST_IP, FAIL(ENOSYS), 0),
    // Hypercalls have the x32 bit and are notified, exactly as many as there are.
    CASE(X86_64, STUB_HYPERCALL_BASE, STUB_IP, NOTIFY, 0),
    CASE(X86_64, STUB_HYPERCALL_BASE, GUEST_IP, NOTIFY, 0),
    CASE(X86_64, STUB_HC_LAST, STUB_IP, NOTIFY, 0),
    CASE(X86_64, STUB_HC_LAST + 1, STUB_IP, FAIL(ENOSYS), 0),
    CASE(X86_64, STUB_HYPERCALL_BASE - 1, STUB_IP, FAIL(ENOSYS), 0),
    // Numbers that Linux does not have, below the x32 bit and above it.
    CASE(X86_64, 400, GUEST_IP, NOTIFY, 0),
    CASE(X86_64, 470, GUEST_IP, NOTIFY, 0),
    CASE(X86_64, 0x3fffffff, GUEST_IP, NOTIFY, 0),
    CASE(X86_64, 0x80000000 | SYS_munmap, GUEST_IP, NOTIFY, 0),
    // The stub by address: first and last byte, and just outside.
    CASE(X86_64, SYS_rt_sigreturn, STUB_IP, ALLOW, 0),
    CASE(X86_64, SYS_rt_sigreturn, STUB_TEXT_START, ALLOW, 0),
    CASE(X86_64, SYS_rt_sigreturn, STUB_TEXT_END - 1, ALLOW, 0),
    CASE(X86_64, SYS_rt_sigreturn, STUB_TEXT_START - 1, TRAP, 0),
    CASE(X86_64, SYS_rt_sigreturn, STUB_TEXT_END, TRAP, 0),
    CASE(X86_64, SYS_rt_sigreturn, GUEST_IP, TRAP, 0),
    // The same low half under another high half, and the other way round.
    CASE(X86_64, SYS_rt_sigreturn, STUB_IP & 0xffffffff, TRAP, 0),
    CASE(X86_64, SYS_rt_sigreturn, STUB_IP + HIGH, TRAP, 0),
    CASE(X86_64, SYS_rt_sigreturn, STUB_IP - HIGH, TRAP, 0),
    CASE(X86_64, SYS_rt_sigreturn, STUB_IP + 0x20000, TRAP, 0),
    CASE(X86_64, SYS_rt_sigreturn, 0xffff700000000102, TRAP, 0),
    CASE(X86_64, SYS_rt_sigaction, STUB_IP, ALLOW, SIGURG, 0x1000, 0, 8),
    CASE(X86_64, SYS_rt_sigaction, GUEST_IP, NOTIFY, SIGURG, 0x1000, 0, 8),
    CASE(X86_64, SYS_sigaltstack, STUB_IP, ALLOW, 0x1000),
    CASE(X86_64, SYS_sigaltstack, GUEST_IP, NOTIFY, 0x1000),
    CASE(X86_64, SYS_mmap, STUB_IP, ALLOW, 0, 4096, PROT_READ, MAP_PRIVATE, STUB_DONATION_FD, 0),
    CASE(X86_64, SYS_mmap, STUB_IP, ALLOW, 0, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, STUB_DONATION_FD,
         4096),
    CASE(X86_64, SYS_mmap, STUB_IP, ALLOW, 0, 4096, PROT_READ, MAP_FIXED_ANON, (uint32_t)-1, 0),
    CASE(X86_64, SYS_mmap, STUB_IP, ALLOW, 0, 4096, PROT_READ, MAP_FIXED_ANON | MAP_LOCKED, (uint32_t)-1, 0),
    CASE(X86_64, SYS_mmap, STUB_IP, NOTIFY, 0, 4096, PROT_READ, MAP_FIXED_ANON | MAP_HUGETLB, 0, 0),
    CASE(X86_64, SYS_mmap, STUB_IP, TRAP, 0, 4096, PROT_READ, MAP_PRIVATE, STUB_DONATION_FD + 1, 0),
    CASE(X86_64, SYS_mmap, STUB_IP, TRAP, 0, 4096, PROT_READ, MAP_PRIVATE, (uint32_t)-1, 0),
    CASE(X86_64, SYS_mmap, GUEST_IP, TRAP, 0, 4096, PROT_READ, MAP_PRIVATE, STUB_DONATION_FD, 0),
    CASE(X86_64, SYS_mmap, GUEST_IP, TRAP, 0, 4096, PROT_READ, MAP_SHARED, STUB_DONATION_FD, 0),
    CASE(X86_64, SYS_close, STUB_IP, ALLOW, STUB_DONATION_FD),
    CASE(X86_64, SYS_close, STUB_IP, ALLOW, STUB_DONATION_FD | HIGH), // the host looks at 32 bits too
    CASE(X86_64, SYS_close, STUB_IP, NOTIFY, STUB_DONATION_FD + 1),
    CASE(X86_64, SYS_close, GUEST_IP, NOTIFY, STUB_DONATION_FD),
    CASE(X86_64, SYS_close_range, STUB_IP, ALLOW, 0, 0xffffffff, 0),
    CASE(X86_64, SYS_close_range, STUB_IP, NOTIFY, 0, 0xffffffff, 2), // CLOSE_RANGE_UNSHARE
    CASE(X86_64, SYS_close_range, STUB_IP, NOTIFY, 1, 0xffffffff, 0),
    CASE(X86_64, SYS_close_range, STUB_IP, NOTIFY, 0, 3, 0),
    CASE(X86_64, SYS_close_range, GUEST_IP, NOTIFY, 0, 0xffffffff, 0),
    CASE(X86_64, SYS_prctl, STUB_IP, ALLOW, PR_SET_MM, PR_SET_MM_MAP, 0x1000, 104, 0),
    CASE(X86_64, SYS_prctl, STUB_IP, NOTIFY, PR_SET_MM, PR_SET_MM_EXE_FILE, 0),
    CASE(X86_64, SYS_prctl, STUB_IP, NOTIFY, PR_SET_MM, PR_SET_MM_MAP | HIGH, 0x1000), // arg2 has 64 bits
    CASE(X86_64, SYS_prctl, STUB_IP, NOTIFY, PR_SET_SECCOMP, 2, 0x1000),
    CASE(X86_64, SYS_prctl, STUB_IP, NOTIFY, PR_SET_DUMPABLE, PR_SET_MM_MAP),
    CASE(X86_64, SYS_prctl, GUEST_IP, NOTIFY, PR_SET_MM, PR_SET_MM_MAP, 0x1000, 104, 0),
    // Calls that end in the stub are signals for the guest's own code; the stub's clone is looked at by the Sentry.
    CASE(X86_64, SYS_clone, GUEST_IP, TRAP, CLONE_VM | SIGCHLD),
    CASE(X86_64, SYS_clone, STUB_TEXT_END, TRAP, CLONE_VM | SIGCHLD),
    CASE(X86_64, SYS_clone3, GUEST_IP, TRAP, 0x1000, 88),
    CASE(X86_64, SYS_fork, GUEST_IP, TRAP, 0),
    CASE(X86_64, SYS_vfork, GUEST_IP, TRAP, 0),
    CASE(X86_64, SYS_execve, GUEST_IP, TRAP, 0x1000),
    CASE(X86_64, SYS_execve, STUB_IP, TRAP, 0x1000),
    CASE(X86_64, SYS_execveat, GUEST_IP, NOTIFY, 0),
    // Everything else from the stub follows the ordinary rules.
    CASE(X86_64, SYS_clone, STUB_IP, NOTIFY, CLONE_VM | SIGCHLD),
    CASE(X86_64, SYS_execveat, STUB_IP, NOTIFY, 0),
    CASE(X86_64, SYS_seccomp, STUB_IP, NOTIFY, SECCOMP_SET_MODE_FILTER),
    CASE(X86_64, SYS_openat, STUB_IP, NOTIFY, 0),
    CASE(X86_64, SYS_sched_setaffinity, STUB_IP, ALLOW, 0, 8, 0x1000),
    CASE(X86_64, SYS_personality, STUB_IP, ALLOW, 0x0040000),
    CASE(X86_64, SYS_personality, STUB_IP, NOTIFY, 0x0400000),
    CASE(X86_64, SYS_personality, GUEST_IP, TRAP, HIGH | 0x0040000),
    CASE(X86_64, SYS_personality, GUEST_IP, TRAP, 0),
    CASE(X86_64, SYS_personality, GUEST_IP, NOTIFY, 0xffffffff),
    CASE(X86_64, SYS_personality, GUEST_IP, NOTIFY, 0x0440000),
    CASE(X86_64, SYS_socket, STUB_IP, FAIL(EAFNOSUPPORT), AF_VSOCK, SOCK_STREAM),
    CASE(X86_64, SYS_bpf, STUB_IP, FAIL(EPERM), 0),
    // Legacy vsyscalls, from their page only.
    CASE(X86_64, SYS_gettimeofday, 0xffffffffff600009, ALLOW, 0x1000),
    CASE(X86_64, SYS_time, 0xffffffffff600409, ALLOW, 0),
    CASE(X86_64, SYS_getcpu, 0xffffffffff600809, ALLOW, 0),
    CASE(X86_64, SYS_time, 0xffffffffff600000, ALLOW, 0),
    CASE(X86_64, SYS_time, 0xffffffffff600fff, ALLOW, 0),
    CASE(X86_64, SYS_time, 0xffffffffff601000, NOTIFY, 0),
    CASE(X86_64, SYS_time, 0xffffffffff5fffff, NOTIFY, 0),
    CASE(X86_64, SYS_time, 0x00000000ff600409, NOTIFY, 0),
    CASE(X86_64, SYS_time, 0x7fffffffff600409, NOTIFY, 0),
    CASE(X86_64, SYS_time, GUEST_IP, NOTIFY, 0),
    CASE(X86_64, SYS_gettimeofday, GUEST_IP, NOTIFY, 0),
    CASE(X86_64, SYS_openat, 0xffffffffff600409, NOTIFY, 0),
    // Socket families. The host looks at the lower half only, so what stands in the upper one changes
    // nothing.
    CASE(X86_64, SYS_socket, GUEST_IP, NOTIFY, AF_UNIX, SOCK_STREAM),
    CASE(X86_64, SYS_socket, GUEST_IP, NOTIFY, AF_INET, SOCK_STREAM),
    CASE(X86_64, SYS_socket, GUEST_IP, NOTIFY, AF_INET6, SOCK_DGRAM),
    CASE(X86_64, SYS_socket, GUEST_IP, NOTIFY, AF_NETLINK, SOCK_RAW),
    CASE(X86_64, SYS_socket, GUEST_IP, NOTIFY, AF_UNIX | HIGH, SOCK_STREAM),
    CASE(X86_64, SYS_socket, GUEST_IP, FAIL(EAFNOSUPPORT), AF_VSOCK, SOCK_STREAM),
    CASE(X86_64, SYS_socket, GUEST_IP, FAIL(EAFNOSUPPORT), AF_VSOCK | HIGH, SOCK_STREAM),
    CASE(X86_64, SYS_socket, GUEST_IP, FAIL(EAFNOSUPPORT), AF_VSOCK | ((uint64_t)AF_UNIX << 32), SOCK_STREAM),
    CASE(X86_64, SYS_socket, GUEST_IP, FAIL(EAFNOSUPPORT), AF_PACKET, SOCK_RAW),
    CASE(X86_64, SYS_socket, GUEST_IP, FAIL(EAFNOSUPPORT), AF_ALG, SOCK_SEQPACKET),
    CASE(X86_64, SYS_socket, GUEST_IP, FAIL(EAFNOSUPPORT), AF_BLUETOOTH, SOCK_RAW),
    CASE(X86_64, SYS_socket, GUEST_IP, FAIL(EAFNOSUPPORT), 0, SOCK_STREAM),
    CASE(X86_64, SYS_socket, GUEST_IP, FAIL(EAFNOSUPPORT), (uint64_t)-1, SOCK_STREAM),
    CASE(X86_64, SYS_socketpair, GUEST_IP, NOTIFY, AF_UNIX, SOCK_STREAM),
    CASE(X86_64, SYS_socketpair, GUEST_IP, FAIL(EAFNOSUPPORT), AF_TIPC, SOCK_STREAM),
    // Refused always.
    CASE(X86_64, SYS_keyctl, GUEST_IP, FAIL(ENOSYS), 0),
    CASE(X86_64, SYS_add_key, GUEST_IP, FAIL(ENOSYS), 0),
    CASE(X86_64, SYS_request_key, GUEST_IP, FAIL(ENOSYS), 0),
    CASE(X86_64, SYS_bpf, GUEST_IP, FAIL(EPERM), 0),
    CASE(X86_64, SYS_io_uring_setup, GUEST_IP, FAIL(EPERM), 8),
    CASE(X86_64, SYS_io_uring_enter, GUEST_IP, FAIL(EPERM), 0),
    CASE(X86_64, SYS_io_uring_register, GUEST_IP, FAIL(EPERM), 0),
    CASE(X86_64, SYS_perf_event_open, GUEST_IP, FAIL(EACCES), 0),
    CASE(X86_64, SYS_userfaultfd, GUEST_IP, FAIL(EPERM), 0),
    CASE(X86_64, SYS_open_by_handle_at, GUEST_IP, FAIL(EPERM), 0),
    CASE(X86_64, SYS_init_module, GUEST_IP, FAIL(EPERM), 0),
    CASE(X86_64, SYS_finit_module, GUEST_IP, FAIL(EPERM), 0),
    CASE(X86_64, SYS_delete_module, GUEST_IP, FAIL(EPERM), 0),
    CASE(X86_64, SYS_kexec_load, GUEST_IP, FAIL(EPERM), 0),
    CASE(X86_64, SYS_kexec_file_load, GUEST_IP, FAIL(EPERM), 0),
};

static const struct filter_case native[] = {
    CASE(X86_64, SYS_mmap, GUEST_IP, ALLOW, 0, 4096, PROT_READ, MAP_FIXED_ANON, (uint64_t)-1, 0),
    CASE(X86_64, SYS_mmap, GUEST_IP, ALLOW, 0, 4096, PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, 0, 0),
    CASE(X86_64, SYS_mmap, GUEST_IP, TRAP, 0, 4096, PROT_READ, MAP_PRIVATE, 3, 0),
    CASE(X86_64, SYS_mmap, GUEST_IP, TRAP, 0, 4096, PROT_READ, (uint64_t)MAP_ANONYMOUS << 32, 3, 0),
    CASE(X86_64, SYS_mmap, GUEST_IP, NOTIFY, 0, 4096, PROT_READ, MAP_FIXED_ANON | MAP_HUGETLB, 3, 0),
    CASE(X86_64, SYS_mmap, GUEST_IP, NOTIFY, 0, 4096, PROT_READ, MAP_FIXED_ANON | MAP_LOCKED, 3, 0),
    CASE(X86_64, SYS_mmap, GUEST_IP, NOTIFY, 0, 4096, PROT_READ,
         MAP_SHARED_VALIDATE | MAP_ANONYMOUS | MAP_SYNC, 3, 0),
    CASE(X86_64, SYS_madvise, GUEST_IP, ALLOW, 0x1000, 4096, MADV_DONTNEED),
    CASE(X86_64, SYS_madvise, GUEST_IP, ALLOW, 0x1000, 4096, MADV_DODUMP | HIGH),
    CASE(X86_64, SYS_madvise, GUEST_IP, ALLOW, 0x1000, 4096, MADV_WIPEONFORK),
    CASE(X86_64, SYS_madvise, GUEST_IP, NOTIFY, 0x1000, 4096, MADV_WILLNEED),
    CASE(X86_64, SYS_madvise, GUEST_IP, NOTIFY, 0x1000, 4096, MADV_REMOVE),
    CASE(X86_64, SYS_madvise, GUEST_IP, NOTIFY, 0x1000, 4096, MADV_MERGEABLE),
    CASE(X86_64, SYS_madvise, GUEST_IP, NOTIFY, 0x1000, 4096, MADV_PAGEOUT),
    CASE(X86_64, SYS_madvise, GUEST_IP, NOTIFY, 0x1000, 4096, MADV_COLD),
    CASE(X86_64, SYS_madvise, GUEST_IP, NOTIFY, 0x1000, 4096, 101), // MADV_SOFT_OFFLINE
    CASE(X86_64, SYS_madvise, GUEST_IP, NOTIFY, 0x1000, 4096, 100), // MADV_HWPOISON
    CASE(X86_64, SYS_madvise, GUEST_IP, NOTIFY, 0x1000, 4096, MADV_REMOVE | HIGH),
    CASE(X86_64, SYS_madvise, GUEST_IP, NOTIFY, 0x1000, 4096, 0xffffffff),
    CASE(X86_64, SYS_futex, GUEST_IP, ALLOW, 0x1000, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1),
    CASE(X86_64, SYS_futex, GUEST_IP, ALLOW, 0x1000,
         FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME),
    CASE(X86_64, SYS_futex, GUEST_IP, ALLOW, 0x1000, FUTEX_CMP_REQUEUE_PI),
    CASE(X86_64, SYS_futex, GUEST_IP, ALLOW, 0x1000, FUTEX_LOCK_PI2),
    CASE(X86_64, SYS_futex, GUEST_IP, NOTIFY, 0x1000, FUTEX_FD),
    CASE(X86_64, SYS_futex, GUEST_IP, NOTIFY, 0x1000, 14),
    CASE(X86_64, SYS_futex, GUEST_IP, NOTIFY, 0x1000, 0x200),
    CASE(X86_64, SYS_futex, GUEST_IP, NOTIFY, 0x1000, 0x80000000),
    CASE(X86_64, SYS_membarrier, GUEST_IP, ALLOW, MEMBARRIER_CMD_QUERY),
    CASE(X86_64, SYS_membarrier, GUEST_IP, ALLOW, MEMBARRIER_CMD_PRIVATE_EXPEDITED),
    CASE(X86_64, SYS_membarrier, GUEST_IP, NOTIFY, MEMBARRIER_CMD_GLOBAL),
    CASE(X86_64, SYS_membarrier, GUEST_IP, NOTIFY, MEMBARRIER_CMD_GLOBAL_EXPEDITED),
    CASE(X86_64, SYS_membarrier, GUEST_IP, NOTIFY, MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_GLOBAL),
    CASE(X86_64, SYS_arch_prctl, GUEST_IP, ALLOW, ARCH_SET_FS, 0x1000),
    CASE(X86_64, SYS_arch_prctl, GUEST_IP, ALLOW, ARCH_GET_GS, 0x1000),
    CASE(X86_64, SYS_arch_prctl, GUEST_IP, NOTIFY, 0x5001, 0x1000), // ARCH_SHSTK_ENABLE
    CASE(X86_64, SYS_arch_prctl, GUEST_IP, NOTIFY, 0x1012, 0),      // ARCH_SET_CPUID
    CASE(X86_64, SYS_getrusage, GUEST_IP, ALLOW, RUSAGE_SELF, 0x1000),
    CASE(X86_64, SYS_getrusage, GUEST_IP, ALLOW, RUSAGE_THREAD, 0x1000),
    CASE(X86_64, SYS_getrusage, GUEST_IP, NOTIFY, RUSAGE_CHILDREN, 0x1000),
    CASE(X86_64, SYS_get_robust_list, GUEST_IP, ALLOW, 0, 0x1000, 0x2000),
    CASE(X86_64, SYS_get_robust_list, GUEST_IP, NOTIFY, 1, 0x1000, 0x2000),
    CASE(X86_64, SYS_clock_gettime, GUEST_IP, ALLOW, CLOCK_PROCESS_CPUTIME_ID, 0x1000),
    CASE(X86_64, SYS_clock_gettime, GUEST_IP, ALLOW, CLOCK_THREAD_CPUTIME_ID, 0x1000),
    CASE(X86_64, SYS_clock_gettime, GUEST_IP, NOTIFY, CLOCK_REALTIME, 0x1000),
    CASE(X86_64, SYS_clock_gettime, GUEST_IP, NOTIFY, 0xfffffffe, 0x1000), // somebody's processor clock
    CASE(X86_64, SYS_set_robust_list, GUEST_IP, ALLOW, 0x1000, 24),
    CASE(X86_64, SYS_get_robust_list, GUEST_IP, NOTIFY, 1, 0x1000, 0x1008),
    CASE(X86_64, SYS_remap_file_pages, GUEST_IP, NOTIFY, 0),
    CASE(X86_64, SYS_mlock, GUEST_IP, NOTIFY, 0),
    CASE(X86_64, SYS_pkey_mprotect, GUEST_IP, NOTIFY, 0),
    CASE(X86_64, SYS_process_madvise, GUEST_IP, NOTIFY, 0),
};

// Native whatever the arguments; the host kernel must be able to keep them in its bitmap.
static const unsigned always_native[] = {
    SYS_mprotect,        SYS_munmap,          SYS_brk,  SYS_sched_yield, SYS_mremap,      SYS_msync,
    SYS_set_tid_address, SYS_set_robust_list, SYS_rseq, SYS_getcpu,      SYS_futex_waitv,
};
static const unsigned checked_native[] = {
    SYS_mmap,       SYS_madvise,       SYS_futex,           SYS_membarrier,
    SYS_arch_prctl, SYS_clock_gettime, SYS_get_robust_list, SYS_getrusage};
// What may be anything but notified for a call from the guest's own code.
static const unsigned refused[] = {
    SYS_socket,        SYS_socketpair,        SYS_keyctl,          SYS_add_key,           SYS_request_key,
    SYS_bpf,           SYS_io_uring_setup,    SYS_io_uring_enter,  SYS_io_uring_register, SYS_perf_event_open,
    SYS_userfaultfd,   SYS_open_by_handle_at, SYS_init_module,     SYS_finit_module,      SYS_delete_module,
    SYS_create_module, SYS_query_module,      SYS_get_kernel_syms, SYS_kexec_load,        SYS_kexec_file_load,
};

// Signals from the guest's own code, whatever the arguments.
static const unsigned trapped[] = {SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_clone,  SYS_fork,
                                   SYS_vfork,          SYS_execve,       SYS_clone3, SYS_sched_setaffinity};
// For some arguments.
static const unsigned sometimes_trapped[] = {SYS_personality};

#define CONTAINS(list, nr) contains(list, sizeof(list) / sizeof((list)[0]), nr)
static bool contains(const unsigned *list, size_t count, unsigned nr)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == nr)
            return true;
    }
    return false;
}

Test(guest_filter, verdicts)
{
    CHECK_CASES(filter_guest, common);
    CHECK_CASES(filter_guest, native);
}

Test(guest_filter, traced_verdicts)
{
    CHECK_CASES(filter_guest_trace, common);
    for (size_t i = 0; i < sizeof(native) / sizeof(native[0]); i++) {
        const struct filter_case *c = &native[i];
        cr_expect_eq(filter_run(&filter_guest_trace, c->arch, c->nr, c->ip, c->args).action,
                     c->expected == TRAP ? TRAP : NOTIFY, "line %d", c->line);
    }
}

// Every number: what is in none of the lists above is notified, from the guest's code with whatever
// arguments.
Test(guest_filter, nothing_else_runs_natively)
{
    static const uint64_t values[] = {0, 1, 2, 0xffffffff, UINT64_MAX, 0x7fffffffffffffff, 16, 0x22};
    for (unsigned nr = 0; nr < 1024; nr++) {
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            uint64_t args[6] = {values[i], values[i], values[i], values[i], values[i], values[i]};
            uint32_t plain = filter_run(&filter_guest, X86_64, nr, GUEST_IP, args).action;
            uint32_t trace = filter_run(&filter_guest_trace, X86_64, nr, GUEST_IP, args).action;
            if (CONTAINS(always_native, nr))
                cr_expect_eq(plain, ALLOW, "call %u", nr);
            else if (CONTAINS(trapped, nr))
                cr_expect_eq(plain, TRAP, "call %u", nr);
            else if (!CONTAINS(checked_native, nr) && !CONTAINS(refused, nr) &&
                     !CONTAINS(sometimes_trapped, nr))
                cr_expect_eq(plain, NOTIFY, "call %u", nr);
            cr_expect_neq(trace, ALLOW, "call %u", nr);
            if (CONTAINS(refused, nr) || CONTAINS(trapped, nr) || CONTAINS(sometimes_trapped, nr))
                cr_expect_eq(trace, plain, "call %u", nr);
            else
                cr_expect_eq(trace, nr == SYS_mmap && !(args[3] & MAP_ANONYMOUS) ? TRAP : NOTIFY, "call %u",
                             nr);
        }
    }
}

Test(guest_filter, unconditional_rows_need_only_the_number)
{
    for (size_t i = 0; i < sizeof(always_native) / sizeof(always_native[0]); i++) {
        struct verdict v = filter_run(&filter_guest, X86_64, always_native[i], GUEST_IP, NULL);
        cr_expect(v.by_number_only, "call %u", always_native[i]);
    }
    cr_expect_not(filter_run(&filter_guest, X86_64, SYS_futex, GUEST_IP, NULL).by_number_only);
}

// A value that is likely to make a difference: near a constant of the row, with noise in either half.
static uint64_t random_value(unsigned *seed)
{
    uint64_t bit = 1ull << (rand_r(seed) % 64);
    switch (rand_r(seed) % 5) {
    case 0:
        return (uint64_t)(rand_r(seed) % 0x40);
    case 1:
        return bit | (uint64_t)(rand_r(seed) % 0x100);
    case 2:
        return (uint64_t)(rand_r(seed) % 0x100) | ((uint64_t)rand_r(seed) << 32);
    case 3:
        return MAP_ANONYMOUS | bit;
    default:
        return ARCH_SET_GS + (uint64_t)(rand_r(seed) % 4);
    }
}

// The filter and the check that the Sentry makes under --strace say the same.
Test(guest_filter, agrees_with_the_register_checks_in_c)
{
    unsigned seed = 1, allowed = 0;
    for (int round = 0; round < 200000; round++) {
        unsigned nr = checked_native[(size_t)round % (sizeof(checked_native) / sizeof(checked_native[0]))];
        uint64_t args[6];
        for (int i = 0; i < 6; i++)
            args[i] = random_value(&seed);
        uint32_t action = filter_run(&filter_guest, X86_64, nr, GUEST_IP, args).action;
        bool native_row = syscall_table[nr].native(args);
        allowed += native_row;
        bool file = nr == SYS_mmap && !(args[3] & MAP_ANONYMOUS);
        cr_assert_eq(action,
                     native_row ? ALLOW
                     : file     ? TRAP
                                : NOTIFY,
                     "call %u (%#lx, %#lx, %#lx, %#lx)", nr, args[0], args[1], args[2], args[3]);
    }
    cr_assert(allowed > 1000 && allowed < 199000);
}

// The second filter: what the first one runs or refuses traps, the stub's own calls do not, all else is left to the first.
Test(guest_filter, second_filter_turns_native_rows_into_traps)
{
    for (unsigned nr = 0; nr < 1024; nr++) {
        uint32_t first = filter_run(&filter_guest, X86_64, nr, GUEST_IP, NULL).action;
        uint32_t second = filter_run(&filter_guest_second, X86_64, nr, GUEST_IP, NULL).action;
        cr_expect_eq(second, first == NOTIFY || first == TRAP ? ALLOW : TRAP, "call %u", nr);
        cr_expect_eq(filter_run(&filter_guest_second, X86_64, nr, STUB_IP, NULL).action, ALLOW, "call %u",
                     nr);
        first = filter_run(&filter_guest_trace, X86_64, nr, GUEST_IP, NULL).action;
        second = filter_run(&filter_guest_second_trace, X86_64, nr, GUEST_IP, NULL).action;
        cr_expect_eq(second, first == NOTIFY || first == TRAP || first == ALLOW ? ALLOW : TRAP, "call %u",
                     nr);
    }
    static const struct filter_case cases[] = {
        CASE(X86_64, SYS_munmap, STUB_IP + HIGH, TRAP, 0),
        CASE(X86_64, SYS_munmap, STUB_TEXT_END, TRAP, 0),
        CASE(X86_64, SYS_mmap, GUEST_IP, TRAP, 0, 4096, 0, MAP_FIXED_ANON),
        CASE(X86_64, SYS_mmap, GUEST_IP, ALLOW, 0, 4096, 0, MAP_PRIVATE),
        CASE(X86_64, SYS_socket, GUEST_IP, TRAP, AF_VSOCK),
        CASE(X86_64, SYS_socket, GUEST_IP, ALLOW, AF_INET),
        CASE(X86_64, SYS_keyctl, GUEST_IP, TRAP, 0),
        CASE(X86_64, STUB_HC_LAST, STUB_IP, ALLOW, 0),
        CASE(I386, 11, GUEST_IP, ALLOW, 0),
    };
    CHECK_CASES(filter_guest_second, cases);
}
