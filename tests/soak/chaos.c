// Chaos: a tree of processes and threads makes random calls and sends random signals, SIGKILL and SIGSTOP among them, for some
// seconds; then all are killed and collected. Nothing of what the calls return counts, only that the end is reached, that
// nobody is left, and that no process of ours complains.
//
// usage: chaos SEED SECONDS      prints "end -1 1"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sys/socket.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/signalfd.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/uio.h>
#include <time.h>
#include <sys/time.h>
#include <unistd.h>
#include <sys/syscall.h>
static unsigned seed;
static __thread unsigned s;
static unsigned rnd(unsigned n)
{
    s = s * 1103515245 + 12345;
    return (s >> 12) % n;
}
static int pg;
static int *pids; // of some processes, shared by all of them
static void h(int n) {}
static void *thr(void *a);
static void one(int depth)
{
    char b[4096];
    struct stat st;
    int fd[2], st_;
    switch (rnd(34)) {
    case 0:
        stat("/usr/include/stdio.h", &st);
        break;
    case 1: {
        int f = open("/etc/passwd", O_RDONLY);
        if (f >= 0) {
            read(f, b, sizeof b);
            char *m = mmap(0, 4096, PROT_READ, MAP_PRIVATE, f, 0);
            if (m != MAP_FAILED) {
                b[0] = *m;
                munmap(m, 4096);
            }
            close(f);
        }
        break;
    }
    case 2:
        if (!pipe(fd)) {
            write(fd[1], b, 100);
            read(fd[0], b, 50);
            close(fd[0]);
            close(fd[1]);
        }
        break;
    case 3:
        if (!socketpair(AF_UNIX, SOCK_STREAM, 0, fd)) {
            write(fd[0], b, 9);
            struct pollfd p = {fd[1], POLLIN, 0};
            poll(&p, 1, 1);
            close(fd[0]);
            close(fd[1]);
        }
        break;
    case 4: {
        struct timespec t = {0, rnd(300000)};
        nanosleep(&t, 0);
        break;
    }
    case 5:
    case 6:
        if (depth < 3) {
            pid_t p = fork();
            if (!p) {
                int slot = rnd(32);
                pids[slot] = getpid();
                for (int i = 0; i < 6; i++)
                    one(depth + 1);
                _exit(0);
            }
            if (rnd(2) && p > 0)
                waitpid(p, &st_, rnd(2) ? WNOHANG : WUNTRACED);
        }
        break;
    case 7: {
        pid_t p = vfork();
        if (!p) {
            char *const v[] = {"x", "become", 0};
            execv("./chaos", v);
            _exit(1);
        }
        if (p > 0)
            waitpid(p, &st_, 0);
        break;
    }
    case 8:
        if (depth < 3) {
            pthread_t t;
            pthread_attr_t at;
            pthread_attr_init(&at);
            pthread_attr_setdetachstate(&at, 1);
            pthread_attr_setstacksize(&at, 65536);
            pthread_create(&t, &at, thr, (void *)(long)(depth + 1));
        }
        break;
    case 9: {
        int q = pids[rnd(32)];
        if (q > 1)
            kill(q, rnd(3) ? SIGUSR1 : SIGCONT);
        break;
    }
    case 10: {
        int q = pids[rnd(32)];
        if (q > 1 && !rnd(3))
            kill(q, SIGKILL);
        break;
    }
    case 11: {
        int q = pids[rnd(32)];
        if (q > 1) {
            kill(q, SIGSTOP);
            if (rnd(4))
                kill(q, SIGCONT);
        }
        break;
    }
    case 12: {
        int e = epoll_create1(0), v = eventfd(rnd(2), 0), t = timerfd_create(CLOCK_MONOTONIC, 0);
        struct itimerspec its = {.it_value = {0, 100000}};
        timerfd_settime(t, 0, &its, 0);
        struct epoll_event ev = {.events = EPOLLIN};
        epoll_ctl(e, EPOLL_CTL_ADD, v, &ev);
        epoll_ctl(e, EPOLL_CTL_ADD, t, &ev);
        epoll_wait(e, &ev, 1, 2);
        if (rnd(2))
            close(e);
        close(v);
        close(t);
        if (e >= 0)
            close(e);
        break;
    }
    case 13: {
        int f = open("/proc/self/maps", O_RDONLY);
        while (f >= 0 && read(f, b, sizeof b) > 0)
            ;
        close(f);
        break;
    }
    case 14: {
        int q = pids[rnd(32)];
        sprintf(b, "/proc/%d/%s", q, rnd(2) ? "status" : rnd(2) ? "stat" : "cmdline");
        int f = open(b, O_RDONLY);
        if (f >= 0) {
            read(f, b, sizeof b);
            close(f);
        }
        break;
    }
    case 15: {
        char n[40];
        sprintf(n, "f%d", rnd(10));
        int f = open(n, O_CREAT | O_RDWR, 0600);
        if (f >= 0) {
            pwrite(f, b, rnd(4096), rnd(10000));
            char *m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
            fstat(f, &st);
            if (m != MAP_FAILED) {
                if (st.st_size >= 4096)
                    ((volatile char *)m)[5];
                munmap(m, 4096);
            }
            ftruncate(f, rnd(9000));
            close(f);
        }
        if (rnd(2))
            unlink(n);
        break;
    }
    case 16:
        setpgid(0, rnd(2) ? 0 : pg);
        break;
    case 17:
        waitpid(-1, &st_, WNOHANG | WUNTRACED | WCONTINUED);
        break;
    case 18: {
        struct itimerval it = {.it_value = {0, 200 + rnd(500)}};
        setitimer(ITIMER_REAL, &it, 0);
        if (rnd(2)) {
            struct timespec t = {0, 800000};
            nanosleep(&t, 0);
        }
        break;
    }
    case 19: {
        sigset_t m;
        sigfillset(&m);
        sigprocmask(SIG_BLOCK, &m, 0);
        union sigval v = {.sival_int = 3};
        sigqueue(getpid(), SIGRTMIN + 2, v);
        int f = signalfd(-1, &m, SFD_NONBLOCK);
        if (f >= 0) {
            read(f, b, 128);
            close(f);
        }
        sigemptyset(&m);
        sigprocmask(SIG_SETMASK, &m, 0);
        break;
    }
    case 20:
        if (depth > 0 && !rnd(6)) {
            char *const v[] = {"x", "again", 0};
            execv("./chaos", v);
        }
        break;
    case 21: {
        int i = inotify_init1(IN_NONBLOCK);
        if (i >= 0) {
            inotify_add_watch(i, ".", IN_ALL_EVENTS);
            char n[] = "in";
            int f = open(n, O_CREAT | O_RDWR, 0600);
            close(f);
            read(i, b, sizeof b);
            close(i);
        }
        break;
    }
    case 22:
        if (!socketpair(AF_UNIX, SOCK_DGRAM, 0, fd)) {
            char cb[64] = {0};
            struct iovec io = {"a", 1};
            struct msghdr m = {
                .msg_iov = &io, .msg_iovlen = 1, .msg_control = cb, .msg_controllen = CMSG_SPACE(4)};
            struct cmsghdr *c = CMSG_FIRSTHDR(&m);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(4);
            int pass = rnd(2) ? fd[0] : fd[1];
            memcpy(CMSG_DATA(c), &pass, 4);
            sendmsg(fd[0], &m, 0);
            if (rnd(2))
                recvmsg(fd[1], &m, MSG_DONTWAIT);
            close(fd[0]);
            close(fd[1]);
            if (rnd(2))
                close(fd[1] + 1);
        }
        break;
    case 23:
        for (int i = 3; i < 40; i++)
            if (rnd(3) == 0)
                close(i);
        break;
    case 24: {
        int m = posix_openpt(O_RDWR | O_NOCTTY);
        if (m >= 0) {
            grantpt(m);
            unlockpt(m);
            char *n = ptsname(m);
            int sl = n ? open(n, O_RDWR | O_NOCTTY) : -1;
            write(m, "abc\n\003", 5);
            if (sl >= 0) {
                struct pollfd p = {sl, POLLIN, 0};
                poll(&p, 1, 1);
                if (p.revents & POLLIN)
                    read(sl, b, 10);
            }
            close(m);
            if (sl >= 0)
                close(sl);
        }
        break;
    }
    case 25: {
        mkdir("d", 0700);
        int f = open("d", O_RDONLY | O_DIRECTORY);
        if (f >= 0) {
            syscall(SYS_getdents64, f, b, sizeof b);
            close(f);
        }
        symlink("x", "d/l");
        readlink("d/l", b, 10);
        rename("d/l", "d/m");
        unlink("d/m");
        rmdir("d");
        break;
    }
    case 26:
        if (depth > 0 && !rnd(4))
            abort();
        break;
    case 27:
        syscall(SYS_exit, 0);
        break;
    case 28:
        if (!rnd(3)) {
            setsid();
        }
        break;
    case 29: {
        struct {
            long a, b;
        } r = {rnd(50) + 20, 1024};
        syscall(SYS_prlimit64, 0, 7, &r, 0);
        break;
    }
    case 30: {
        int f = open("/proc", O_RDONLY | O_DIRECTORY);
        if (f >= 0) {
            while (syscall(SYS_getdents64, f, b, sizeof b) > 0)
                ;
            close(f);
        }
        break;
    }
    case 31:
        prctl(PR_SET_PDEATHSIG, rnd(2) ? SIGKILL : SIGUSR1);
        prctl(PR_SET_CHILD_SUBREAPER, rnd(2));
        break;
    case 32: {
        int q = pids[rnd(32)];
        int f = syscall(SYS_pidfd_open, q, 0);
        if (f >= 0) {
            struct pollfd p = {f, POLLIN, 0};
            poll(&p, 1, 1);
            syscall(SYS_pidfd_send_signal, f, SIGUSR1, 0, 0);
            close(f);
        }
        break;
    }
    case 33: {
        struct iovec l = {b, 64}, r = {b, 64};
        syscall(SYS_process_vm_readv, pids[rnd(32)], &l, 1, &r, 1, 0);
        int f = open("/dev/null", O_RDWR);
        sendfile(f, 0, 0, 0);
        close(f);
        break;
    }
    }
}
static void *thr(void *a)
{
    s = syscall(SYS_gettid) * 7919 + seed;
    for (int i = 0; i < 8; i++)
        one((long)a);
    return 0;
}
int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "become"))
        return 0;
    signal(SIGUSR1, h);
    signal(SIGALRM, h);
    signal(SIGRTMIN + 2, h);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (argc > 1 && !strcmp(argv[1], "again")) {
        return 0;
    }
    seed = argc > 1 ? atoi(argv[1]) : 1;
    int secs = argc > 2 ? atoi(argv[2]) : 3;
    pids = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    time_t end = time(0) + secs;
    int n = 0;
    while (time(0) < end) {
        int k = n++ % 8;
        pid_t p = fork();
        if (!p) {
            pids[k] = getpid();
            s = seed * 31 + n;
            if (k % 2)
                setpgid(0, 0);
            pg = getpgrp();
            for (int i = 0; i < 60; i++)
                one(0);
            _exit(0);
        }
        if (n % 6 == 0) {
            usleep(3000);
            for (int i = 0; i < 32; i++)
                if (pids[i] > 1)
                    kill(pids[i], SIGCONT);
        }
        while (waitpid(-1, 0, WNOHANG) > 0)
            ;
    }
    for (int r = 0; r < 200; r++) {
        kill(-1, SIGKILL);
        int k = 0;
        while (waitpid(-1, 0, WNOHANG) > 0)
            k++;
        if (waitpid(-1, 0, WNOHANG) < 0 && errno == ECHILD)
            break;
        usleep(5000);
    }
    int left = waitpid(-1, 0, WNOHANG);
    printf("end %d %d\n", left, left < 0 ? errno == ECHILD : 0);
    return 0;
}
