// variants: dynamic static
// Every call with wild pointers: it fails where it fails on Linux, and nothing crashes. Which of several
// errors wins is not compared here; the tests of each family compare EFAULT where it is the only one.
#include "guest.h"

// clang-format off
static const char *const names[] = {
#define C(nr) [nr] = #nr
    C(SYS_read), C(SYS_write), C(SYS_open), C(SYS_stat), C(SYS_lstat), C(SYS_poll), C(SYS_rt_sigaction),
    C(SYS_rt_sigprocmask), C(SYS_pread64), C(SYS_pwrite64), C(SYS_readv), C(SYS_writev), C(SYS_access), C(SYS_pipe),
    C(SYS_select), C(SYS_nanosleep), C(SYS_getitimer), C(SYS_setitimer), C(SYS_connect), C(SYS_accept),
    C(SYS_sendto), C(SYS_recvfrom), C(SYS_sendmsg), C(SYS_recvmsg), C(SYS_bind), C(SYS_getsockname),
    C(SYS_getpeername), C(SYS_socketpair), C(SYS_setsockopt), C(SYS_getsockopt), C(SYS_execve), C(SYS_wait4),
    C(SYS_uname), C(SYS_truncate), C(SYS_getdents), C(SYS_getcwd), C(SYS_chdir), C(SYS_rename), C(SYS_mkdir),
    C(SYS_rmdir), C(SYS_creat), C(SYS_link), C(SYS_unlink), C(SYS_symlink), C(SYS_readlink), C(SYS_chmod),
    C(SYS_chown), C(SYS_lchown), C(SYS_gettimeofday), C(SYS_getrlimit), C(SYS_getrusage), C(SYS_sysinfo),
    C(SYS_times), C(SYS_getgroups), C(SYS_getresuid), C(SYS_getresgid), C(SYS_capget), C(SYS_rt_sigpending),
    C(SYS_rt_sigtimedwait), C(SYS_rt_sigqueueinfo), C(SYS_rt_sigsuspend), C(SYS_sigaltstack), C(SYS_utime),
    C(SYS_mknod), C(SYS_statfs), C(SYS_fstatfs), C(SYS_sched_getparam), C(SYS_sched_getaffinity), C(SYS_setxattr),
    C(SYS_getxattr), C(SYS_listxattr), C(SYS_removexattr), C(SYS_time), C(SYS_timer_create), C(SYS_clock_gettime),
    C(SYS_clock_getres), C(SYS_clock_nanosleep), C(SYS_epoll_wait), C(SYS_epoll_ctl), C(SYS_utimes),
    C(SYS_waitid), C(SYS_inotify_add_watch), C(SYS_openat), C(SYS_mkdirat), C(SYS_mknodat), C(SYS_fchownat),
    C(SYS_futimesat), C(SYS_newfstatat), C(SYS_unlinkat), C(SYS_renameat), C(SYS_linkat), C(SYS_symlinkat),
    C(SYS_readlinkat), C(SYS_fchmodat), C(SYS_faccessat), C(SYS_pselect6), C(SYS_ppoll), C(SYS_utimensat),
    C(SYS_signalfd), C(SYS_timerfd_settime), C(SYS_timerfd_gettime), C(SYS_accept4), C(SYS_signalfd4),
    C(SYS_pipe2), C(SYS_preadv), C(SYS_pwritev), C(SYS_prlimit64), C(SYS_sendmmsg), C(SYS_recvmmsg), C(SYS_getcpu),
    C(SYS_renameat2), C(SYS_getrandom), C(SYS_memfd_create), C(SYS_execveat), C(SYS_copy_file_range), C(SYS_statx),
    C(SYS_sendfile), C(SYS_splice), C(SYS_fstat), C(SYS_lgetxattr), C(SYS_fgetxattr), C(SYS_getdents64),
#undef C
};
// clang-format on

// Calls that block for ever or change the process with pointers they may ignore.
static int skipped(int nr)
{
    return nr == SYS_wait4 || nr == SYS_waitid || nr == SYS_rt_sigtimedwait || nr == SYS_rt_sigsuspend ||
           nr == SYS_select || nr == SYS_pselect6 || nr == SYS_ppoll || nr == SYS_poll || nr == SYS_accept ||
           nr == SYS_accept4;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    long wild[] = {1,  0x123456789000L,          (long)0x00007ffffffffff0L, (long)0xffff888000000000L,
                   -1, (long)0x8000000000000000L};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!names[i] || skipped((int)i))
            continue;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            // All arguments wild at once, then each with a plausible descriptor first.
            int file = open("prog", O_RDONLY);
            char line[512] = "";
            for (int w = 0; w < 6; w++) {
                long result = syscall(i, wild[w], wild[w], wild[w], wild[w], wild[w], wild[w]);
                snprintf(line + strlen(line), 40, " %s", result == -1 ? "fails" : "ok");
            }
            snprintf(line + strlen(line), 8, " /");
            for (int w = 0; w < 3; w++) {
                long result = syscall(i, (long)file, wild[w], 16L, wild[w], wild[w], wild[w]);
                snprintf(line + strlen(line), 40, " %s", result == -1 ? "fails" : "ok");
            }
            printf("%s:%s\n", names[i] + 4, line);
            fflush(stdout);
            _exit(0);
        }
        int status;
        waitpid(pid, &status, 0);
        if (status != 0)
            show_status(names[i], status);
    }
    // Structures that straddle the end of a mapping.
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 4096, 4096);
    strcpy(pages + 4090, "/usr");
    SHOW(access(pages + 4090, F_OK));
    memcpy(pages + 4092, "/usr", 4);
    SHOW(access(pages + 4092, F_OK));
    SHOW(syscall(SYS_stat, "/usr", pages + 4096 - 100));
    SHOW(syscall(SYS_uname, pages + 4096 - 8));
    SHOW(syscall(SYS_pipe, pages + 4092));
    int fd = open("/dev/zero", O_RDONLY);
    SHOW(read(fd, pages + 4000, 200));
    SHOW(syscall(SYS_rt_sigprocmask, 0, NULL, pages + 4092, 8));
    return 0;
}
