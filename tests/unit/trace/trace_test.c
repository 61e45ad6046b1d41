// The lines of --strace, over a fake guest memory.
#include "sentry/trace/trace.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define BASE 0x10000u

// Two pages at BASE; everything else cannot be read.
static uint8_t memory[8192];

static ssize_t fake_read(void *ctx, void *dst, uint64_t src, size_t n)
{
    if (src < BASE || src >= BASE + sizeof(memory))
        return -1;
    size_t room = (size_t)(BASE + sizeof(memory) - src);
    if (n > room)
        n = room;
    memcpy(dst, memory + (src - BASE), n);
    return (ssize_t)n;
}
static const struct trace_reader reader = {.read = fake_read};

static uint64_t put(size_t offset, const void *bytes, size_t n)
{
    memcpy(memory + offset, bytes, n);
    return BASE + offset;
}

static const char *line(uint32_t nr, int64_t result, const uint64_t args[6])
{
    static char buf[TRACE_LINE_MAX];
    struct trace_event event = {.pid = 7, .comm = "ls", .nr = nr, .result = result, .duration_ns = 1234567};
    memcpy(event.args, args, sizeof(event.args));
    size_t n = trace_format(buf, sizeof(buf), &reader, &event);
    cr_assert_eq(n, strlen(buf));
    return buf;
}
#define LINE(nr, result, ...) line(nr, result, (const uint64_t[6]){__VA_ARGS__})
#define IS(expected, ...) cr_expect_str_eq(LINE(__VA_ARGS__), "7 ls " expected " <0.001234>\n")

Test(trace, paths_flags_and_modes)
{
    uint64_t path = put(0, "/etc/passwd", 12);
    IS("openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3", SYS_openat, 3, (uint32_t)-100, path,
       O_CLOEXEC);
    IS("openat(5, \"/etc/passwd\", O_WRONLY|O_CREAT|O_TRUNC, 0644) = -1 EACCES (Permission denied)",
       SYS_openat, -13, 5, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    IS("pipe2([3, 4], O_NONBLOCK|O_CLOEXEC) = 0", SYS_pipe2, 0, put(64, (int[]){3, 4}, 8),
       O_CLOEXEC | O_NONBLOCK);
    IS("mknodat(AT_FDCWD, \"/etc/passwd\", S_IFIFO|0600, 0) = 0", SYS_mknodat, 0, (uint32_t)-100, path,
       S_IFIFO | 0600);
    IS("access(\"/etc/passwd\", F_OK) = 0", SYS_access, 0, path, 0);
    IS("unlinkat(AT_FDCWD, \"/etc/passwd\", AT_REMOVEDIR|0x80000000) = 0", SYS_unlinkat, 0, (uint32_t)-100,
       path, AT_REMOVEDIR | 0x80000000);
}

Test(trace, data_is_escaped_and_bounded)
{
    uint64_t data = put(0, "a\"b\\\n\t\0\x01\xff\0011", 11);
    IS("write(1, \"a\\\"b\\\\\\n\\t\\0\\x01\\xff\\x01\", 10) = 10", SYS_write, 10, 1, data, 10);
    memset(memory + 100, 'x', 100);
    IS("write(1, \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"..., 100) = 100", SYS_write, 100, 1, BASE + 100, 100);
    IS("read(0, \"a\\\"\", 100) = 2", SYS_read, 2, 0, data, 100);
    IS("read(0, 0x10000, 100) = -1 EBADF (Bad file descriptor)", SYS_read, -9, 0, data, 100);
    IS("read(0, \"\", 100) = 0", SYS_read, 0, 0, data, 100);
}

Test(trace, digits_after_a_nul_stay_apart)
{
    uint64_t data = put(0, "\0001", 2);
    IS("write(1, \"\\x001\", 2) = 2", SYS_write, 2, 1, data, 2);
}

Test(trace, wild_pointers_are_shown_as_addresses)
{
    IS("openat(AT_FDCWD, 0x1, O_RDONLY) = -1 EFAULT (Bad address)", SYS_openat, -14, (uint32_t)-100, 1);
    IS("openat(AT_FDCWD, NULL, O_RDONLY) = -1 EFAULT (Bad address)", SYS_openat, -14, (uint32_t)-100, 0);
    // A string that runs into memory that is not there.
    memset(memory + 8190, 'x', 2);
    IS("chdir(0x11ffe) = -1 EFAULT (Bad address)", SYS_chdir, -14, BASE + 8190);
    IS("chdir(0xfffffffffffffffe) = -1 EFAULT (Bad address)", SYS_chdir, -14, UINT64_MAX - 1);
    IS("write(1, 0xffffffffffffffff, 4096) = -1 EFAULT (Bad address)", SYS_write, -14, 1, UINT64_MAX, 4096);
    IS("writev(1, 0x5, 2) = -1 EFAULT (Bad address)", SYS_writev, -14, 1, 5, 2);
}

Test(trace, strings_cross_pages)
{
    memset(memory, '/', sizeof(memory));
    memory[4100] = 0;
    IS("chdir(\"////////\") = 0", SYS_chdir, 0, BASE + 4092);
}

Test(trace, results)
{
    IS("brk(NULL) = 0x555555000000", SYS_brk, 0x555555000000);
    IS("getppid() = 1", SYS_getppid, 1);
    IS("getppid() = -1 ENOSYS (Function not implemented)", SYS_getppid, -38);
    IS("pause() = ? ERESTARTNOHAND (To be restarted if no handler)", SYS_pause, -514);
    IS("getppid() = -1 4000", SYS_getppid, -4000);
    IS("lseek(3, -10, SEEK_CUR) = 5", SYS_lseek, 5, 3, (uint64_t)-10, 1);
    IS("syscall_0x190(0x1, 0x2, 0, 0, 0, 0) = -1 ENOSYS (Function not implemented)", 400, -38, 1, 2);
    char buf[128];
    struct trace_event event = {.pid = 7, .comm = "a b\n", .nr = SYS_exit_group, .args = {3}, .no_return = 1};
    trace_format(buf, sizeof(buf), &reader, &event);
    cr_expect_str_eq(buf, "7 a\\x20b\\x0a exit_group(3) = ? <0.000000>\n");
}

Test(trace, memory_calls)
{
    IS("mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000", SYS_mmap,
       0x7f0000000000, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, UINT64_MAX, 0);
    IS("mprotect(0x1000, 4096, PROT_NONE) = 0", SYS_mprotect, 0, 0x1000, 4096, 0);
    IS("madvise(0x1000, 4096, MADV_DONTNEED) = 0", SYS_madvise, 0, 0x1000, 4096, 4);
    IS("futex(0x1000, FUTEX_WAIT|FUTEX_PRIVATE_FLAG, 2, NULL, NULL, 0) = 0", SYS_futex, 0, 0x1000, 128, 2);
    IS("futex(0x1000, FUTEX_REQUEUE, 1, 0x7fffffff, 0x2000, 0) = 0", SYS_futex, 0, 0x1000, 3, 1, 0x7fffffff,
       0x2000);
}

Test(trace, processes_and_signals)
{
    IS("clone(CLONE_VM|CLONE_VFORK|SIGCHLD, NULL, NULL, NULL, 0) = 9", SYS_clone, 9,
       CLONE_VM | CLONE_VFORK | 17);
    IS("kill(5, SIGTERM) = 0", SYS_kill, 0, 5, 15);
    IS("kill(-1, SIGRT_2) = 0", SYS_kill, 0, (uint32_t)-1, 34);
    uint64_t status = put(0, (uint32_t[]){0x0300}, 4);
    IS("wait4(-1, [exited 3], WNOHANG, NULL) = 5", SYS_wait4, 5, (uint32_t)-1, status, 1);
    put(0, (uint32_t[]){0x0b}, 4);
    IS("wait4(-1, [killed by SIGSEGV], 0, NULL) = 5", SYS_wait4, 5, (uint32_t)-1, status);
    uint64_t action = put(64, (uint64_t[]){0x401000, 0x14000004, 0x402000, 1ull << 16}, 32);
    IS("rt_sigaction(SIGINT, {sa_handler=0x401000, sa_mask=[SIGCHLD], "
       "sa_flags=SA_SIGINFO|SA_RESTORER|SA_RESTART}, NULL,"
       " 8) = 0",
       SYS_rt_sigaction, 0, 2, action, 0, 8);
    uint64_t set = put(128, (uint64_t[]){~(1ull << 8)}, 8);
    IS("rt_sigprocmask(SIG_SETMASK, ~[SIGKILL], NULL, 8) = 0", SYS_rt_sigprocmask, 0, 2, set, 0, 8);
    put(256, "/bin/ls", 8);
    put(264, "ls", 3);
    uint64_t argv = put(272, (uint64_t[]){BASE + 264, BASE + 256, 0}, 24);
    IS("execve(\"/bin/ls\", [\"ls\", \"/bin/ls\"], 0x10110 /* 2 vars */) = 0", SYS_execve, 0, BASE + 256,
       argv, argv);
}

Test(trace, vectors_show_what_was_moved)
{
    put(0, "hello world", 11);
    uint64_t iov = put(64, (uint64_t[]){BASE, 6, BASE + 6, 100}, 32);
    IS("writev(1, [{\"hello \", 6}, "
       "{\"world\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\"..., "
       "100}], 2) = 11",
       SYS_writev, 11, 1, iov, 2);
    IS("readv(0, [{\"hello \", 6}, {\"wo\", 100}], 2) = 8", SYS_readv, 8, 0, iov, 2);
}

Test(trace, sockets)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    uint64_t addr = put(0, &un, sizeof(un));
    IS("connect(3, {sa_family=AF_UNIX, sun_path=\"/run/x\"}, 110) = 0", SYS_connect, 0, 3, addr, sizeof(un));
    put(2, "\0abc", 4);
    IS("connect(3, {sa_family=AF_UNIX, sun_path=@\"abc\"}, 6) = 0", SYS_connect, 0, 3, addr, 6);
    uint64_t in = put(256, (uint8_t[]){2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 16);
    IS("bind(3, {sa_family=AF_INET, sin_port=80, sin_addr=127.0.0.1}, 16) = 0", SYS_bind, 0, 3, in, 16);
    IS("bind(3, 0x10100, 1) = -1 EINVAL (Invalid argument)", SYS_bind, -22, 3, in, 1);
    IS("socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3", SYS_socket, 3, 1, SOCK_STREAM | SOCK_CLOEXEC);
    IS("setsockopt(3, SOL_SOCKET, SO_REUSEADDR, \"\\x01\\0\\0\\0\", 4) = 0", SYS_setsockopt, 0, 3, SOL_SOCKET,
       SO_REUSEADDR, put(512, (int[]){1}, 4), 4);
}

Test(trace, waiting)
{
    uint64_t p = put(0, (int32_t[]){0, 0x00010001, 5, 1}, 16);
    IS("poll([{fd=0, events=POLLIN, revents=POLLIN}, {fd=5, events=POLLIN}], 2, -1) = 1", SYS_poll, 1, p, 2,
       (uint32_t)-1);
    uint64_t e = put(64, (uint32_t[]){1, 7, 0}, 12);
    IS("epoll_ctl(4, EPOLL_CTL_ADD, 5, {events=EPOLLIN, data=0x7}) = 0", SYS_epoll_ctl, 0, 4, 1, 5, e);
    uint64_t t = put(128, (uint64_t[]){1, 500}, 16);
    IS("nanosleep({tv_sec=1, tv_nsec=500}, NULL) = 0", SYS_nanosleep, 0, t);
    uint64_t set = put(256, (uint64_t[]){1 << 3 | 1 << 5}, 8);
    IS("select(6, [3 5], NULL, NULL, {tv_sec=1, tv_usec=500}) = 0", SYS_select, 0, 6, set, 0, 0, t);
}

// A line that is too long keeps its result.
Test(trace, overlong_lines_are_cut_before_the_result)
{
    memset(memory, '\x01', sizeof(memory));
    uint64_t args[6] = {BASE, BASE + 1};
    struct trace_event event = {.pid = 7, .comm = "ls", .nr = SYS_rename, .result = -2, .duration_ns = 0};
    memcpy(event.args, args, sizeof(args));
    char buf[TRACE_LINE_MAX];
    for (size_t size = 8; size <= sizeof(buf); size++) {
        memset(buf, 'z', sizeof(buf));
        size_t n = trace_format(buf, size, &reader, &event);
        cr_assert_lt(n, size);
        cr_assert_eq(n, strlen(buf));
        cr_assert_eq(buf[n - 1], '\n');
        if (size == 256)
            cr_expect_not_null(strstr(buf, "... = -1 ENOENT (No such file or directory) <0.000000>\n"));
    }
}

// Reads garbage, some of it.
static unsigned seed = 1;
static ssize_t wild_read(void *ctx, void *dst, uint64_t src, size_t n)
{
    if (rand_r(&seed) % 4 == 0)
        return -1;
    size_t got = rand_r(&seed) % 4 == 0 ? n / 2 : n;
    for (size_t i = 0; i < got; i++)
        ((uint8_t *)dst)[i] = (uint8_t)rand_r(&seed);
    return (ssize_t)got;
}

Test(trace, no_call_with_any_arguments_breaks_the_line)
{
    static const struct trace_reader wild = {.read = wild_read};
    for (int round = 0; round < 40000; round++) {
        struct trace_event event = {.pid = 1, .comm = "x", .nr = (uint32_t)round % 480, .result = 0};
        for (int i = 0; i < 6; i++) {
            event.args[i] = (uint64_t)rand_r(&seed) << (rand_r(&seed) % 40);
            if (rand_r(&seed) % 3 == 0)
                event.args[i] = (uint64_t)rand_r(&seed) % 16;
        }
        event.result = (int64_t)event.args[rand_r(&seed) % 6] - 50;
        char *buf = malloc(300); // so that the sanitizer sees each byte too many
        size_t n = trace_format(buf, 300, &wild, &event);
        cr_assert(n > 0 && n < 300 && buf[n] == '\0' && buf[n - 1] == '\n');
        for (size_t i = 0; i + 1 < n; i++)
            cr_assert(buf[i] >= 0x20 && buf[i] < 0x7f, "call %u: byte %#x", event.nr, (unsigned char)buf[i]);
        free(buf);
    }
}
