// Namespaces of one's own: user, mount, UTS, IPC; setns(2), pivot_root(2), maps, /proc/PID/ns (user_namespaces(7)).
#include "guest.h"
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <grp.h>

static uid_t outer_uid;
static gid_t outer_gid;

static const char *id_name(uid_t id, uid_t outer)
{
    return id == 65534 ? "nobody" : id == 0 ? "root" : id == outer ? "outer" : "other";
}

static void show_ids(void)
{
    struct stat st;
    uid_t r, e, s;
    getresuid(&r, &e, &s);
    stat("prog", &st);
    printf("uid %s %s %s, gid %s, file %s\n", id_name(r, outer_uid), id_name(e, outer_uid),
           id_name(s, outer_uid), id_name(getgid(), outer_gid), id_name(st.st_uid, outer_uid));
}

static void show_caps(void)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2];
    syscall(SYS_capget, &h, d);
    printf("effective %s, permitted %s, inheritable %s\n",
           d[0].effective == ~0u ? "all"
           : d[0].effective      ? "some"
                                 : "none",
           d[0].permitted == ~0u ? "all"
           : d[0].permitted      ? "some"
                                 : "none",
           d[0].inheritable ? "some" : "none");
}

static long put(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY);
    if (fd < 0)
        return -1;
    long n = write(fd, text, strlen(text));
    int e = errno;
    close(fd);
    errno = e;
    return n < 0 ? -1 : 0;
}

static long put_map(const char *file, unsigned inner, unsigned outer, unsigned count)
{
    char text[64];
    snprintf(text, sizeof(text), "%u %u %u\n", inner, outer, count);
    return put(file, text);
}

static bool same_ns(const char *a, const char *b)
{
    char x[64] = "", y[64] = "";
    return readlink(a, x, 63) > 0 && readlink(b, y, 63) > 0 && strcmp(x, y) == 0;
}

static void parent_link(char *out, const char *kind)
{
    sprintf(out, "/proc/%d/ns/%s", getppid(), kind);
}

// What unshare -Ur does.
static void map_root(void)
{
    char parent[64];
    SHOW(unshare(CLONE_NEWUSER));
    parent_link(parent, "user");
    TRUTH(!same_ns("/proc/self/ns/user", parent));
    show_ids();
    show_caps();
    SHOW(put_map("/proc/self/gid_map", 0, outer_gid, 1));
    SHOW(put("/proc/self/setgroups", "maybe"));
    SHOW(put("/proc/self/setgroups", "deny"));
    show_file("/proc/self/setgroups");
    SHOW(put("/proc/self/uid_map", "0 0"));
    SHOW(put("/proc/self/uid_map", "0 x 1"));
    SHOW(put("/proc/self/uid_map", ""));
    SHOW(put_map("/proc/self/uid_map", 0, outer_uid + 1, 1));
    SHOW(put_map("/proc/self/uid_map", 0, outer_uid, 1));
    SHOW(put_map("/proc/self/uid_map", 0, outer_uid, 1));
    SHOW(put_map("/proc/self/gid_map", 0, outer_gid, 1));
    SHOW(put("/proc/self/setgroups", "allow"));
    show_ids();
    show_caps();
    gid_t group = 0;
    SHOW(setgroups(1, &group));
    SHOW(setuid(0));
    SHOW(setuid(1));
    SHOW(setresgid(0, 5, 0));
    SHOW(chown("prog", 0, 0));
    SHOW(chown("prog", 7, -1));
    SHOW(access("prog", W_OK));
    SHOW(mknod("device", S_IFCHR | 0600, 0x103));
    SHOW(settimeofday(&(struct timeval){0, 0}, NULL));
    SHOW(sethostname("no", 2));
    // A second one inside the first.
    IN_CHILD("inner", {
        SHOW(unshare(CLONE_NEWUSER));
        SHOW(put_map("/proc/self/uid_map", 1000, 0, 1));
        printf("uid %d\n", getuid());
    });
    unlink("made");
    int fd = open("made", O_CREAT | O_RDWR, 0600);
    struct stat st;
    fstat(fd, &st);
    printf("made by %s\n", id_name(st.st_uid, outer_uid));
    close(fd);
    unlink("made");
    IN_CHILD("keeps no capability without root", {
        prctl(PR_SET_SECUREBITS, 0);
        show_caps();
    });
}

static void uts(void)
{
    struct utsname before, after;
    uname(&before);
    int outer = open("/proc/self/ns/uts", O_RDONLY), outer_user = open("/proc/self/ns/user", O_RDONLY);
    SHOW(unshare(CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWIPC));
    SHOW(setns(outer, CLONE_NEWNS));
    SHOW(setns(outer, 0)); // belongs to a user namespace where we are nobody
    SHOW(setns(outer_user, 0));
    SHOW(ioctl(outer, 0xb701));
    close(outer);
    close(outer_user);
    put_map("/proc/self/uid_map", 0, outer_uid, 1);
    SHOW(sethostname("inside", 6));
    SHOW(setdomainname("domain", 6));
    uname(&after);
    printf("%s %s\n", after.nodename, after.domainname);
    show_file("/proc/sys/kernel/hostname");
    IN_CHILD("a child", {
        uname(&after);
        printf("%s\n", after.nodename);
    });
    char link[64];
    parent_link(link, "uts");
    TRUTH(!same_ns("/proc/self/ns/uts", link));
    parent_link(link, "ipc");
    TRUTH(!same_ns("/proc/self/ns/ipc", link));
    TRUTH(!same_ns("/proc/self/ns/mnt", "/proc/self/ns/uts"));
    int fd = open("/proc/self/ns/uts", O_RDONLY);
    SHOW(unshare(CLONE_NEWUTS));
    sethostname("deeper", 6);
    SHOW(setns(fd, CLONE_NEWUTS));
    uname(&after);
    printf("%s\n", after.nodename);
    TRUTH(ioctl(fd, 0xb703) == CLONE_NEWUTS);
    int owner = ioctl(fd, 0xb701);
    TRUTH(owner >= 0 && ioctl(owner, 0xb703) == CLONE_NEWUSER);
    uid_t uid = 5;
    TRUTH(ioctl(owner, 0xb704, &uid) == 0 && uid == 0);
    SHOW(ioctl(owner, 0xb702)); // the parent is not ours
    SHOW(ioctl(fd, 0xb702));
    SHOW(setns(owner, CLONE_NEWUSER)); // in it already
    close(owner);
    close(fd);
    SHOW(setns(-1, 0));
    SHOW(setns(0, 0));
}

static void mounts(void)
{
    SHOW(unshare(CLONE_NEWUSER | CLONE_NEWNS));
    put_map("/proc/self/uid_map", 0, outer_uid, 1);
    put("/proc/self/setgroups", "deny");
    put_map("/proc/self/gid_map", 0, outer_gid, 1);
    SHOW(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
    SHOW(mount("none", "/tmp", "tmpfs", 0, "size=1m"));
    write_file("/tmp/inside", "x");
    IN_CHILD("a child sees it", SHOW(access("/tmp/inside", F_OK)));
    SHOW(mkdir("/tmp/root", 0755));
    SHOW(mount("/tmp/root", "/tmp/root", NULL, MS_BIND, NULL));
    SHOW(mkdir("/tmp/root/old", 0755));
    SHOW(umount2("/proc", MNT_DETACH)); // locked
    SHOW(syscall(SYS_pivot_root, "/tmp", "/tmp/inside"));
    SHOW(syscall(SYS_pivot_root, "/tmp/root/old", "/tmp/root"));
    SHOW(syscall(SYS_pivot_root, "/tmp/nothing", "/tmp/root"));
    SHOW(syscall(SYS_pivot_root, "/tmp/root", "/tmp/root/old"));
    SHOW(chdir("/"));
    SHOW(access("/old/tmp/inside", F_OK));
    SHOW(access("/tmp/inside", F_OK));
    SHOW(umount2("/old", MNT_DETACH));
    SHOW(access("/old/tmp", F_OK));
    SHOW(mkdir("/jail", 0755));
    SHOW(chroot("/jail"));
    SHOW(unshare(CLONE_NEWUSER)); // with another root
}

static void by_clone(void)
{
    fflush(stdout);
    long pid = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        show_ids();
        show_caps();
        SHOW(sethostname("cloned", 6));
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid((pid_t)pid, &status, 0);
    show_status("clone", status);
}

// Credentials of a peer, as each side's namespace numbers them.
static void peers(void)
{
    int pair[2];
    struct ucred c;
    socklen_t n = sizeof(c);
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
    unshare(CLONE_NEWUSER);
    SHOW(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &c, &n));
    printf("peer %s %s\n", id_name(c.uid, outer_uid), id_name(c.gid, outer_gid));
    put_map("/proc/self/uid_map", 0, outer_uid, 1);
    getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &c, &n);
    printf("peer %s %s\n", id_name(c.uid, outer_uid), id_name(c.gid, outer_gid));
    int on = 1;
    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    union {
        char bytes[CMSG_SPACE(sizeof(c))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {"x", 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    SHOW(sendmsg(pair[0], &m, 0));
    char byte;
    struct iovec in = {&byte, 1};
    struct msghdr r = {
        .msg_iov = &in, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    SHOW(recvmsg(pair[1], &r, 0));
    memcpy(&c, CMSG_DATA(CMSG_FIRSTHDR(&r)), sizeof(c));
    printf("sent by %s %s\n", id_name(c.uid, outer_uid), id_name(c.gid, outer_gid));
    c.uid = 5;
    m.msg_control = &control;
    m.msg_controllen = sizeof(control);
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &c, sizeof(c));
    SHOW(sendmsg(pair[0], &m, 0));
}

// A program that root starts inside is not root outside.
static void by_exec(void)
{
    unshare(CLONE_NEWUSER);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execl("./prog", "prog", "unmapped", NULL);
        _exit(1);
    }
    waitpid(pid, NULL, 0);
    put_map("/proc/self/uid_map", 0, outer_uid, 1);
    execl("./prog", "prog", "mapped", NULL);
}

int main(int argc, char **argv)
{
    outer_uid = getuid();
    outer_gid = getgid();
    if (argc > 1) {
        printf("%s: ", argv[1]);
        show_caps();
        return 0;
    }
    char before[100] = "", after[100] = "";
    gethostname(before, sizeof(before));
    if (getuid() != 0) {
        SHOW(unshare(CLONE_NEWUTS));
        SHOW(unshare(CLONE_NEWNS));
        SHOW(unshare(CLONE_NEWIPC));
        SHOW(sethostname("no", 2));
    }
    SHOW(syscall(SYS_unshare, 0x8000000000));
    IN_CHILD("map root", map_root());
    IN_CHILD("uts", uts());
    IN_CHILD("mounts", mounts());
    IN_CHILD("clone", by_clone());
    IN_CHILD("exec", by_exec());
    IN_CHILD("peers", peers());
    gethostname(after, sizeof(after));
    TRUTH(strcmp(before, after) == 0);
    SHOW(access("/tmp/inside", F_OK));
    return 0;
}
