// The programs of our own processes, and what holds for every program.
#include "filter_test.h"
#include <linux/netlink.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct seccomp_program *const every_program[] = {
    &filter_guest,
    &filter_guest_trace,
    &filter_guest_second,
    &filter_guest_second_trace,
    &filter_sentry,
    &filter_sentry_trap,
    &filter_sentry_net,
    &filter_sentry_net_trap,
    &filter_sentry_sanitizer,
    &filter_gofer_files,
    &filter_gofer_files_trap,
    &filter_gofer_files_sanitizer,
    &filter_gofer_proc,
    &filter_gofer_proc_trap,
    &filter_gofer_net,
    &filter_gofer_net_trap,
    &filter_gofer_net_sanitizer,
    &filter_gofer_proc_sanitizer,
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define THREAD_FLAGS                                                                                   \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | \
     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

static const struct filter_case sentry_cases[] = {
    CASE(X86_64, SYS_read, GUEST_IP, ALLOW, 3),
    CASE(X86_64, SYS_fstat, GUEST_IP, ALLOW, 3),
    CASE(X86_64, SYS_process_vm_readv, GUEST_IP, ALLOW, 3),
    CASE(X86_64, SYS_clone3, GUEST_IP, FAIL(ENOSYS), 0x1000, 88),
    CASE(X86_64, SYS_clone, GUEST_IP, ALLOW, THREAD_FLAGS, 0x1000),
    CASE(X86_64, SYS_clone, GUEST_IP, KILL, THREAD_FLAGS | HIGH, 0x1000),
    CASE(X86_64, SYS_clone, GUEST_IP, KILL, THREAD_FLAGS & ~CLONE_THREAD, 0x1000),
    CASE(X86_64, SYS_clone, GUEST_IP, KILL, THREAD_FLAGS | CLONE_NEWUSER, 0x1000),
    CASE(X86_64, SYS_clone, GUEST_IP, KILL, SIGCHLD, 0),
    CASE(X86_64, SYS_mmap, GUEST_IP, ALLOW, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS),
    CASE(X86_64, SYS_mmap, GUEST_IP, KILL, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS),
    CASE(X86_64, SYS_mmap, GUEST_IP, KILL, 0, 4096, PROT_EXEC | HIGH, MAP_PRIVATE | MAP_ANONYMOUS),
    CASE(X86_64, SYS_mprotect, GUEST_IP, ALLOW, 0, 4096, PROT_NONE),
    CASE(X86_64, SYS_mprotect, GUEST_IP, KILL, 0, 4096, PROT_EXEC),
    CASE(X86_64, SYS_mprotect, GUEST_IP, KILL, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC),
    CASE(X86_64, SYS_pkey_mprotect, GUEST_IP, KILL, 0, 4096, PROT_READ, 0),
    CASE(X86_64, SYS_ioctl, GUEST_IP, ALLOW, 3, SECCOMP_IOCTL_NOTIF_RECV, 0x1000),
    CASE(X86_64, SYS_ioctl, GUEST_IP, ALLOW, 3, SECCOMP_IOCTL_NOTIF_ADDFD, 0x1000),
    CASE(X86_64, SYS_ioctl, GUEST_IP, ALLOW, 3, TCGETS, 0x1000),
    CASE(X86_64, SYS_ioctl, GUEST_IP, ALLOW, 3, 0xc0686611, 0x1000), // PROCMAP_QUERY
    CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, 0xc0606610, 0x1000),  // PAGEMAP_SCAN
    CASE(X86_64, SYS_ioctl, GUEST_IP, ALLOW, 3, TCSETSW | (0xdeadull << 32), 0x1000),
    CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, 0xc040ff0b, 0x1000), // PIDFD_GET_INFO
    CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, 0xc040ff0a, 0x1000),
    CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, 0xff01, 0), // PIDFD_GET_CGROUP_NAMESPACE
    CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, TIOCSTI, 0x1000),
    CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, TIOCSTI | HIGH, 0x1000),
    CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, 0x541c, 0x1000), // TIOCLINUX
    CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, TIOCSCTTY, 0),
    CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, TIOCSPGRP, 0),
    CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, TIOCSETD, 0),
    CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, 0x40049409, 0), // FICLONE
    CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, 0, 0),
    CASE(X86_64, SYS_sendmsg, GUEST_IP, ALLOW, 3, 0x1000),
    CASE(X86_64, SYS_sendto, GUEST_IP, KILL, 3, 0x1000, 5, MSG_NOSIGNAL, 0, 0),
    CASE(X86_64, SYS_fcntl, GUEST_IP, ALLOW, 3, F_SETFL, O_NONBLOCK),
    CASE(X86_64, SYS_fcntl, GUEST_IP, KILL, 3, F_SETOWN, 1),
    CASE(X86_64, SYS_fcntl, GUEST_IP, KILL, 3, F_SETLEASE, 0),
    CASE(X86_64, SYS_fcntl, GUEST_IP, KILL, 3, F_NOTIFY, 0),
    CASE(X86_64, SYS_fcntl, GUEST_IP, KILL, 3, F_DUPFD, 0),
    CASE(X86_64, SYS_prctl, GUEST_IP, ALLOW, PR_SET_NAME, 0x1000),
    CASE(X86_64, SYS_prctl, GUEST_IP, KILL, PR_SET_DUMPABLE, 1),
    CASE(X86_64, SYS_prctl, GUEST_IP, KILL, PR_SET_MM, PR_SET_MM_MAP),
    CASE(X86_64, SYS_prctl, GUEST_IP, KILL, PR_SET_PTRACER, 1),
    CASE(X86_64, SYS_tgkill, GUEST_IP, ALLOW, 5, 5, SIGURG),
    CASE(X86_64, SYS_tgkill, GUEST_IP, KILL, 5, 5, SIGTERM),
    CASE(X86_64, SYS_pidfd_send_signal, GUEST_IP, ALLOW, 5, SIGKILL, 0, 0),
    CASE(X86_64, SYS_pidfd_send_signal, GUEST_IP, KILL, 5, SIGUSR1, 0, 0),
    CASE(X86_64, SYS_memfd_create, GUEST_IP, ALLOW, 0x1000, MFD_CLOEXEC | MFD_ALLOW_SEALING),
    CASE(X86_64, SYS_memfd_create, GUEST_IP, KILL, 0x1000, MFD_HUGETLB),
    CASE(X86_64, SYS_memfd_create, GUEST_IP, KILL, 0x1000, 0x80000000),
    CASE(X86_64, SYS_prlimit64, GUEST_IP, ALLOW, 5, RLIMIT_STACK, 0x1000, 0),
    CASE(X86_64, SYS_prlimit64, GUEST_IP, KILL, 0, RLIMIT_STACK, 0x1000, 0),
    CASE(X86_64, SYS_prlimit64, GUEST_IP, KILL, HIGH, RLIMIT_STACK, 0x1000, 0),
    CASE(X86_64, SYS_prlimit64, GUEST_IP, KILL, 5, RLIMIT_NOFILE, 0x1000, 0),
    CASE(X86_64, SYS_prlimit64, GUEST_IP, KILL, 5, RLIMIT_CORE, 0x1000, 0),
    CASE(X86_64, SYS_pidfd_open, GUEST_IP, ALLOW, 5, 0),
    CASE(X86_64, SYS_pidfd_open, GUEST_IP, KILL, 5, 1),
    CASE(X86_64, SYS_madvise, GUEST_IP, KILL, 0, 0, 100),
    // By another entry nothing is allowed.
    CASE(I386, SYS_read, GUEST_IP, KILL, 0),
    CASE(I386, 6, GUEST_IP, KILL, 0), // i386 close
    CASE(X86_64, 0x40000000 | SYS_read, GUEST_IP, KILL, 0),
    CASE(X86_64, STUB_HYPERCALL_BASE, GUEST_IP, KILL, 0),
    CASE(X86_64, 0xffffffff, GUEST_IP, KILL, 0),
};

// Invariant 4, and what a taken-over Sentry or Gofer would want first: in none of their release filters.
static const unsigned never[] = {
    SYS_open,
    SYS_openat,
    SYS_creat,
    SYS_stat,
    SYS_access,
    SYS_chdir,
    SYS_fchdir,
    SYS_chroot,
    SYS_pivot_root,
    SYS_mount,
    SYS_umount2,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsmount,
    SYS_execve,
    SYS_execveat,
    SYS_fork,
    SYS_vfork,
    SYS_ptrace,
    SYS_unshare,
    SYS_setns,
    SYS_seccomp,
    SYS_bpf,
    SYS_io_uring_setup,
    SYS_io_uring_register,
    SYS_kill,
    SYS_tkill,
    SYS_rt_sigaction,
    SYS_rt_sigqueueinfo,
    SYS_setuid,
    SYS_setresuid,
    SYS_capset,
    SYS_kexec_load,
    SYS_init_module,
    SYS_keyctl,
    SYS_add_key,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_pidfd_getfd,
    SYS_setrlimit,

    SYS_personality,
    SYS_arch_prctl,
    SYS_shmget,
    SYS_shmat,
    SYS_process_madvise,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_vmsplice,
    SYS_mknod,
    SYS_chmod,
    SYS_chown,
    SYS_swapon,
    SYS_reboot,
    SYS_modify_ldt,
    SYS_iopl,
    SYS_ioperm,
    SYS_remap_file_pages,
    SYS_landlock_create_ruleset,
};

Test(filters, every_program_is_valid)
{
    for (size_t i = 0; i < COUNT(every_program); i++) {
        const char *wrong = simulator_check(every_program[i]->code, every_program[i]->length);
        cr_assert_null(wrong, "%s: %s", every_program[i]->name, wrong);
    }
}

// The host kernel takes every program (in a child, which it then binds).
Test(filters, the_host_loads_every_program)
{
    for (size_t i = 0; i < COUNT(every_program); i++) {
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
            struct sock_fprog prog = {.len = every_program[i]->length,
                                      .filter = (struct sock_filter *)(uintptr_t)every_program[i]->code};
            unsigned flags = every_program[i] == &filter_guest || every_program[i] == &filter_guest_trace
                                 ? SECCOMP_FILTER_FLAG_NEW_LISTENER
                                 : 0;
            signal(SIGSEGV, SIG_DFL); // not the sanitizer's
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
            if (result >= 0) {
                for (;;)
                    __asm__ volatile("hlt"); // #GP: SIGSEGV, without a call
            }
            _exit(1);
        }
        int status;
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%s: status %#x",
                  every_program[i]->name, status);
    }
}

Test(filters, sentry)
{
    CHECK_CASES(filter_sentry, sentry_cases);
    CHECK_CASES(filter_sentry_net, sentry_cases);
}

// The variants that trap differ in nothing else.
Test(filters, trap_variants_agree)
{
    static const struct {
        const struct seccomp_program *kill, *trap;
    } pairs[] = {
        {&filter_sentry, &filter_sentry_trap},           {&filter_sentry_net, &filter_sentry_net_trap},
        {&filter_gofer_files, &filter_gofer_files_trap}, {&filter_gofer_proc, &filter_gofer_proc_trap},
        {&filter_gofer_net, &filter_gofer_net_trap},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        for (unsigned nr = 0; nr < 1024; nr++) {
            uint32_t killed = filter_run(pairs[i].kill, X86_64, nr, GUEST_IP, NULL).action;
            uint32_t trapped = filter_run(pairs[i].trap, X86_64, nr, GUEST_IP, NULL).action;
            cr_expect_eq(trapped, killed == KILL ? TRAP : killed, "%s, call %u", pairs[i].kill->name, nr);
        }
    }
}

Test(filters, calls_that_none_of_ours_may_make)
{
    static const struct seccomp_program *const release[] = {
        &filter_sentry, &filter_sentry_net, &filter_gofer_files, &filter_gofer_proc, &filter_gofer_net};
    static const uint64_t values[] = {0, 1, 2, 0x7fffffff, UINT64_MAX, AF_UNIX, AF_INET, SIGKILL};
    for (size_t p = 0; p < COUNT(release); p++) {
        for (size_t i = 0; i < COUNT(never); i++) {
            for (size_t v = 0; v < COUNT(values); v++) {
                uint64_t args[6] = {values[v], values[v], values[v], values[v], values[v], values[v]};
                cr_expect_eq(filter_run(release[p], X86_64, never[i], GUEST_IP, args).action, KILL,
                             "%s, call %u", release[p]->name, never[i]);
            }
        }
    }
}

// Invariant 4: at most 60 calls, 70 with host networking, none of which makes a socket or opens a path.
static unsigned permitted(const struct seccomp_program *program, bool listed[1024])
{
    unsigned count = 0;
    for (unsigned nr = 0; nr < 1024; nr++) {
        struct verdict v = filter_run(program, X86_64, nr, GUEST_IP, NULL);
        // Decided by the number alone and killed: in no row.
        listed[nr] = !(v.by_number_only && v.action == KILL);
        count += listed[nr];
    }
    return count;
}

Test(filters, size_of_the_sentrys_lists)
{
    bool base[1024], net[1024];
    unsigned count = permitted(&filter_sentry, base);
    cr_expect(count > 40 && count <= 60, "%u calls", count);
    cr_expect_leq(permitted(&filter_sentry_net, net), 70);
    static const unsigned sockets[] = {SYS_socket,  SYS_socketpair, SYS_connect, SYS_bind,      SYS_listen,
                                       SYS_openat2, SYS_newfstatat, SYS_statx,   SYS_readlinkat};
    for (size_t i = 0; i < COUNT(sockets); i++) {
        cr_expect_not(base[sockets[i]], "call %u", sockets[i]);
        cr_expect_not(net[sockets[i]], "call %u", sockets[i]);
    }
    for (unsigned nr = 0; nr < 1024; nr++)
        cr_expect(net[nr] || !base[nr], "call %u", nr);
}

Test(filters, sentry_with_host_network)
{
    static const struct filter_case cases[] = {
        CASE(X86_64, SYS_accept4, GUEST_IP, ALLOW, 3),
        CASE(X86_64, SYS_getsockopt, GUEST_IP, ALLOW, 3, SOL_SOCKET, SO_ERROR),
        CASE(X86_64, SYS_getsockopt, GUEST_IP, KILL, 3, 270 /* SOL_NETLINK */, 1),
        CASE(X86_64, SYS_setsockopt, GUEST_IP, ALLOW, 3, IPPROTO_TCP, TCP_NODELAY),
        CASE(X86_64, SYS_setsockopt, GUEST_IP, KILL, 3, SOL_SOCKET, SO_BINDTODEVICE),
        CASE(X86_64, SYS_setsockopt, GUEST_IP, KILL, 3, SOL_SOCKET, SO_MARK),
        CASE(X86_64, SYS_setsockopt, GUEST_IP, KILL, 3, SOL_SOCKET, SO_ATTACH_FILTER),
        CASE(X86_64, SYS_setsockopt, GUEST_IP, KILL, 3, IPPROTO_TCP, SO_REUSEADDR + 100),
        CASE(X86_64, SYS_setsockopt, GUEST_IP, KILL, 3, SOL_SOCKET | HIGH, SO_MARK),
        CASE(X86_64, SYS_setsockopt, GUEST_IP, KILL, 3, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP),
        CASE(X86_64, SYS_connect, GUEST_IP, KILL, 3),
    };
    CHECK_CASES(filter_sentry_net, cases);
    cr_expect_eq(filter_run(&filter_sentry, X86_64, SYS_accept4, GUEST_IP, NULL).action, KILL);
    cr_expect_eq(filter_run(&filter_sentry, X86_64, SYS_setsockopt, GUEST_IP, NULL).action, KILL);
}

Test(filters, gofers)
{
    static const struct filter_case files[] = {
        CASE(X86_64, SYS_openat2, GUEST_IP, ALLOW, 3),
        CASE(X86_64, SYS_mknodat, GUEST_IP, ALLOW, 3, 0x1000, S_IFIFO | 0600),
        CASE(X86_64, SYS_mknodat, GUEST_IP, ALLOW, 3, 0x1000, S_IFREG | S_ISVTX | 0777),
        CASE(X86_64, SYS_mknodat, GUEST_IP, KILL, 3, 0x1000, S_IFCHR | 0600, 0x103),
        CASE(X86_64, SYS_mknodat, GUEST_IP, KILL, 3, 0x1000, S_IFBLK | 0600, 0x800),
        CASE(X86_64, SYS_mknodat, GUEST_IP, KILL, 3, 0x1000, S_IFDIR | 0600),
        CASE(X86_64, SYS_mknodat, GUEST_IP, KILL, 3, 0x1000, S_IFCHR | 0600 | HIGH, 0x103),
        CASE(X86_64, SYS_socket, GUEST_IP, KILL, AF_UNIX, SOCK_STREAM),
        CASE(X86_64, SYS_connect, GUEST_IP, KILL, 3),
        CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, FIONREAD),
        CASE(X86_64, SYS_process_vm_readv, GUEST_IP, KILL, 3),
        CASE(X86_64, SYS_mmap, GUEST_IP, KILL, 0, 4096, PROT_EXEC),
        CASE(X86_64, SYS_clone, GUEST_IP, KILL, THREAD_FLAGS),
    };
    CHECK_CASES(filter_gofer_files, files);
    static const struct filter_case proc[] = {
        CASE(X86_64, SYS_openat2, GUEST_IP, ALLOW, 3),
        CASE(X86_64, SYS_unlinkat, GUEST_IP, KILL, 3),
        CASE(X86_64, SYS_pwrite64, GUEST_IP, KILL, 3),
        CASE(X86_64, SYS_process_vm_readv, GUEST_IP, KILL, 3),
    };
    CHECK_CASES(filter_gofer_proc, proc);
    static const struct filter_case net[] = {
        CASE(X86_64, SYS_socket, GUEST_IP, ALLOW, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        CASE(X86_64, SYS_socket, GUEST_IP, ALLOW, AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMPV6),
        CASE(X86_64, SYS_socket, GUEST_IP, KILL, AF_INET, SOCK_RAW, IPPROTO_ICMP),
        CASE(X86_64, SYS_socket, GUEST_IP, KILL, AF_INET, SOCK_STREAM, IPPROTO_SCTP),
        CASE(X86_64, SYS_socket, GUEST_IP, KILL, AF_UNIX, SOCK_STREAM, 0),
        CASE(X86_64, SYS_socket, GUEST_IP, KILL, AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE),
        CASE(X86_64, SYS_socket, GUEST_IP, KILL, AF_INET | HIGH, SOCK_RAW, 0),
        CASE(X86_64, SYS_ioctl, GUEST_IP, ALLOW, 3, FIONREAD),
        CASE(X86_64, SYS_ioctl, GUEST_IP, KILL, 3, SIOCSIFFLAGS),
        CASE(X86_64, SYS_setsockopt, GUEST_IP, KILL, 3, IPPROTO_IP, IP_OPTIONS),
        CASE(X86_64, SYS_openat2, GUEST_IP, KILL, 3),
    };
    CHECK_CASES(filter_gofer_net, net);
}
