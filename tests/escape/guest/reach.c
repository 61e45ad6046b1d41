// A guest whose Sentry is hostile: every call below is run by the host itself. It prints `REACHED what` for
// each thing that it gets hold of, and `held COUNT` in the end, where COUNT things were refused. Natively
// most of it succeeds. Usage: reach PORT ABSTRACT PATH KEY: a TCP port on 127.0.0.1, an abstract socket, a
// file of the host, a System V key.
#include "tests/escape/hostile.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

static unsigned held;

static long host(long nr, long a, long b, long c, long d, long e)
{
    long result = syscall(nr, a, b, c, d, e, HOSTILE_MARK);
    int error = errno;
    syscall(SYS_gettid, 0, 0, 0, 0, 0, 0); // the mark leaves the register
    errno = error;
    return result;
}
#define HOST(nr, a, b, c, d, e) host((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

static void judge(const char *what, long result)
{
    int error = errno;
    if (result >= 0)
        printf("REACHED %s\n", what);
    else
        held++;
    if (getenv("REACH_VERBOSE"))
        printf("%s: %s\n", what, result >= 0 ? "ok" : strerror(error));
    fflush(stdout);
}

static void files(const char *path)
{
    static const char *const paths[] = {"/etc/passwd", "/proc/self/maps", "/dev/null", "/usr", "/tmp", ".",
                                        "..",          "../../.."};
    char what[128];
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        snprintf(what, sizeof(what), "openat %s", paths[i]);
        long fd = HOST(SYS_openat, AT_FDCWD, paths[i], O_RDONLY, 0, 0);
        judge(what, fd);
        if (fd >= 0)
            HOST(SYS_close, fd, 0, 0, 0, 0);
    }
    judge("openat of a host file", HOST(SYS_openat, AT_FDCWD, path, O_RDONLY, 0, 0));
    judge("openat /", HOST(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0, 0));
    judge("openat O_CREAT", HOST(SYS_openat, AT_FDCWD, "/made", O_RDWR | O_CREAT, 0600, 0));
    judge("openat O_TMPFILE", HOST(SYS_openat, AT_FDCWD, "/", O_RDWR | O_TMPFILE, 0600, 0));
    judge("mkdir", HOST(SYS_mkdirat, AT_FDCWD, "/made", 0700, 0, 0));
    judge("symlinkat", HOST(SYS_symlinkat, "x", AT_FDCWD, "/made", 0, 0));
    judge("mknod", HOST(SYS_mknodat, AT_FDCWD, "/made", S_IFCHR | 0666, 0x103, 0));
    judge("fchmodat /", HOST(SYS_fchmodat, AT_FDCWD, "/", 0777, 0, 0));
    judge("fchownat /", HOST(SYS_fchownat, AT_FDCWD, "/", 0, 0, 0));
    judge("setxattr /", HOST(SYS_setxattr, "/", "user.x", "y", 1, 0));
    judge("truncate", HOST(SYS_truncate, path, 0, 0, 0, 0));
    judge("execve of a path", HOST(SYS_execve, path, 0, 0, 0, 0));
    judge("execveat of a path", HOST(SYS_execveat, AT_FDCWD, "/bin/true", 0, 0, 0));
    judge("open_by_handle_at", HOST(SYS_open_by_handle_at, AT_FDCWD, &(char[64]){0}, O_RDONLY, 0, 0));
    judge("chroot", HOST(SYS_chroot, "/", 0, 0, 0, 0));
}

static void kernel_surface(void)
{
    static const struct {
        const char *name;
        long flag;
    } namespaces[] = {{"user", CLONE_NEWUSER},     {"mount", CLONE_NEWNS}, {"network", CLONE_NEWNET},
                      {"ipc", CLONE_NEWIPC},       {"uts", CLONE_NEWUTS},  {"pid", CLONE_NEWPID},
                      {"cgroup", CLONE_NEWCGROUP}, {"time", 0x80}};
    char what[64];
    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
        snprintf(what, sizeof(what), "unshare of a %s namespace", namespaces[i].name);
        judge(what, HOST(SYS_unshare, namespaces[i].flag, 0, 0, 0, 0));
    }
    judge("mount", HOST(SYS_mount, "none", "/", "tmpfs", 0, 0));
    judge("bind mount", HOST(SYS_mount, "/", "/", 0, MS_BIND, 0));
    judge("umount", HOST(SYS_umount2, "/", MNT_DETACH, 0, 0, 0));
    judge("pivot_root", HOST(SYS_pivot_root, ".", ".", 0, 0, 0));
    judge("fsopen", HOST(SYS_fsopen, "tmpfs", 0, 0, 0, 0));
    judge("open_tree", HOST(SYS_open_tree, AT_FDCWD, "/", 1, 0, 0));
    judge("keyctl", HOST(SYS_keyctl, 0, -3, 1, 0, 0)); // KEYCTL_GET_KEYRING_ID of the session
    judge("add_key", HOST(SYS_add_key, "user", "x", "y", 1, -3));
    judge("request_key", HOST(SYS_request_key, "user", "x", 0, -3, 0));
    judge("bpf", HOST(SYS_bpf, 0, &(char[128]){0}, 128, 0, 0));
    judge("io_uring_setup", HOST(SYS_io_uring_setup, 1, &(char[128]){0}, 0, 0, 0));
    judge("perf_event_open", HOST(SYS_perf_event_open, &(char[128]){0}, 0, -1, -1, 0));
    judge("userfaultfd", HOST(SYS_userfaultfd, 1, 0, 0, 0, 0));
    judge("init_module", HOST(SYS_init_module, "", 0, "", 0, 0));
    judge("kexec_load", HOST(SYS_kexec_load, 0, 0, 0, 0, 0));
    judge("reboot", HOST(SYS_reboot, 0xfee1dead, 672274793, 0, 0, 0));
    judge("swapon", HOST(SYS_swapon, "/", 0, 0, 0, 0));
    judge("sethostname", HOST(SYS_sethostname, "x", 1, 0, 0, 0));
    judge("setuid 0", HOST(SYS_setuid, 0, 0, 0, 0, 0));
    uint32_t header[2] = {0x20080522, 0}, sets[6] = {1u << 21, 1u << 21};
    judge("capset", HOST(SYS_capset, header, sets, 0, 0, 0));
    judge("iopl", HOST(SYS_iopl, 3, 0, 0, 0, 0));
    long epoch[2] = {0};
    judge("settimeofday", HOST(SYS_settimeofday, epoch, 0, 0, 0, 0));
    struct rlimit more = {1024, 1024};
    judge("a higher descriptor limit", HOST(SYS_setrlimit, RLIMIT_NOFILE, &more, 0, 0, 0));
    judge("a lower OOM priority", HOST(SYS_setpriority, PRIO_PROCESS, 0, -20, 0, 0));
}

static void processes(void)
{
    judge("ptrace of the parent", HOST(SYS_ptrace, PTRACE_ATTACH, getppid(), 0, 0, 0));
    char what[64];
    // Whatever these numbers mean in the guests' pid namespace, none is a process of the host or the Sentry.
    for (long pid = 2; pid < 4; pid++) {
        snprintf(what, sizeof(what), "kill of %ld", pid);
        judge(what, HOST(SYS_kill, pid, 0, 0, 0, 0));
        snprintf(what, sizeof(what), "pidfd_open of %ld", pid);
        judge(what, HOST(SYS_pidfd_open, pid, 0, 0, 0, 0));
    }
    judge("shmget of the host's key", HOST(SYS_shmget, 0x53454e54, 0, 0, 0, 0));
    judge("msgget of the host's key", HOST(SYS_msgget, 0x53454e54, 0, 0, 0, 0));
}

static long connect_to(int family, int type, const void *address, socklen_t size)
{
    long fd = HOST(SYS_socket, family, type, 0, 0, 0);
    if (fd < 0)
        return -1;
    long result = HOST(SYS_connect, fd, address, size, 0, 0);
    HOST(SYS_close, fd, 0, 0, 0, 0);
    return result;
}

static void sockets(int port, const char *abstract)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/run/dbus/system_bus_socket"};
    struct sockaddr_vm vm = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = 1};
    snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "%s", abstract);
    judge("connect to the host's loopback", connect_to(AF_INET, SOCK_STREAM, &in, sizeof(in)));
    judge("connect to a host's abstract socket",
          connect_to(AF_UNIX, SOCK_STREAM, &un,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract))));
    judge("connect to a host's socket file", connect_to(AF_UNIX, SOCK_STREAM, &path, sizeof(path)));
    judge("connect over AF_VSOCK", connect_to(AF_VSOCK, SOCK_STREAM, &vm, sizeof(vm)));
    static const int families[] = {AF_VSOCK, AF_PACKET, AF_ALG, AF_BLUETOOTH, AF_CAN,
                                   AF_KEY,   AF_XDP,    AF_RDS, AF_TIPC,      AF_NFC};
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        char what[48];
        snprintf(what, sizeof(what), "socket of family %d", families[i]);
        judge(what, HOST(SYS_socket, families[i], SOCK_STREAM, 0, 0, 0));
        judge(what, HOST(SYS_socket, families[i], SOCK_DGRAM, 0, 0, 0));
    }
    judge("raw socket", HOST(SYS_socket, AF_INET, SOCK_RAW, 1, 0, 0));
}

// sendto(2) with six arguments of its own: the sixth, the address' length, is what the mark stands for, so it goes as sendmsg.
static long sendto_host(const void *address, socklen_t size)
{
    char byte = 'x';
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_name = (void *)address, .msg_namelen = size, .msg_iov = &part, .msg_iovlen = 1};
    return HOST(SYS_sendmsg, 0, &message, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_FASTOPEN, 0, 0);
}

// Every descriptor of the Sentry, one after the other, put into this process: what is it worth?
static void donated(int port, const char *abstract)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "%s", abstract);
    for (int n = 0; n < 64; n++) {
        if (HOST(SYS_close, n, 0, 0, 0, HOSTILE_DONATE) < 0)
            continue;
        char what[64];
        struct stat st;
        bool is_file = HOST(SYS_fstat, 0, &st, 0, 0, 0) == 0 &&
                       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) && st.st_nlink;
        snprintf(what, sizeof(what), "fchmod of descriptor %d", n);
        if (is_file) { // memory files of our own have no name and harm nobody
            judge(what, HOST(SYS_fchmod, 0, 0777, 0, 0, 0));
            snprintf(what, sizeof(what), "fchown of descriptor %d", n);
            judge(what, HOST(SYS_fchown, 0, 0, 0, 0, 0));
            snprintf(what, sizeof(what), "fsetxattr of descriptor %d", n);
            judge(what, HOST(SYS_fsetxattr, 0, "user.x", "y", 1, 0));
            snprintf(what, sizeof(what), "futimens of descriptor %d", n);
            judge(what, HOST(SYS_utimensat, 0, 0, times, 0, 0));
            snprintf(what, sizeof(what), "openat below descriptor %d", n);
            judge(what, HOST(SYS_openat, 0, "..", O_RDONLY, 0, 0));
            snprintf(what, sizeof(what), "linkat of descriptor %d", n);
            judge(what, HOST(SYS_linkat, 0, "", AT_FDCWD, "/made", AT_EMPTY_PATH));
        }
        char byte = 'x', paste[2] = {2, 0};
        snprintf(what, sizeof(what), "TIOCSTI on descriptor %d", n);
        judge(what, HOST(SYS_ioctl, 0, TIOCSTI, &byte, 0, 0));
        snprintf(what, sizeof(what), "TIOCSCTTY on descriptor %d", n);
        judge(what, HOST(SYS_ioctl, 0, TIOCSCTTY, 1, 0, 0));
        snprintf(what, sizeof(what), "TIOCLINUX on descriptor %d", n);
        judge(what, HOST(SYS_ioctl, 0, TIOCLINUX, paste, 0, 0));
        snprintf(what, sizeof(what), "setns of descriptor %d", n);
        judge(what, HOST(SYS_setns, 0, 0, 0, 0, 0));
        snprintf(what, sizeof(what), "pidfd_getfd of descriptor %d", n);
        judge(what, HOST(SYS_pidfd_getfd, 0, 1, 0, 0, 0));
        snprintf(what, sizeof(what), "connect of descriptor %d", n);
        judge(what,
              HOST(SYS_connect, 0, &un, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract), 0, 0));
        // A socket that is connected reaches its partner, which the Sentry itself reaches too; one that is not could name anybody.
        struct sockaddr_storage peer;
        socklen_t length = sizeof(peer);
        if (HOST(SYS_getpeername, 0, &peer, &length, 0, 0) < 0) {
            snprintf(what, sizeof(what), "sendto of descriptor %d", n);
            judge(what, sendto_host(
                            &un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract))));
            snprintf(what, sizeof(what), "sendto of descriptor %d over the loopback", n);
            judge(what, sendto_host(&in, sizeof(in)));
        }
        HOST(SYS_close, 0, 0, 0, 0, 0);
    }
}

int main(int argc, char **argv)
{
    // Outside of that Sentry these calls would harm the host: the number is closed here, and there it is
    // donated.
    if (argc < 4 || fcntl(4, F_GETFD) >= 0 || HOST(SYS_close, 4, 0, 0, 0, HOSTILE_DONATE) < 0) {
        printf("no hostile Sentry here\n");
        return 2;
    }
    files(argv[3]);
    sockets(atoi(argv[1]), argv[2]);
    processes();
    donated(atoi(argv[1]), argv[2]);
    kernel_surface();
    printf("held %u\n", held);
    return 0;
}
