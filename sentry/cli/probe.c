#include "sentry/cli/probe.h"
#include "sentry/boot/cgroup.h"
#include "sentry/boot/jail.h"
#include "sentry/boot/memory_file.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, uint64_t)
#endif
#define NOTIF_FLAG_SYNC_WAKE_UP 1u
#define FLAG_WAIT_KILLABLE_RECV (1u << 5)
#ifndef NS_GET_PID_IN_PIDNS
#define NS_GET_PID_IN_PIDNS _IOR(0xb7, 8, int)
#endif
#ifndef PR_SET_MM_MAP_SIZE
#define PR_SET_MM_MAP_SIZE 15
#endif

int probe_release(char *detail)
{
    struct utsname name;
    unsigned major = 0, minor = 0;
    if (uname(&name) < 0)
        return -errno;
    snprintf(detail, PROBE_DETAIL, "%s", name.release);
    if (sscanf(name.release, "%u.%u", &major, &minor) != 2)
        return -EINVAL;
    return major > 6 || (major == 6 && minor >= 1) ? 0 : -ENOSYS;
}

// Enters a user namespace as an ordinary user does; root may anyway.
static int enter_user_namespace(void)
{
    return unshare(CLONE_NEWUSER) < 0 ? -errno : 0;
}

int probe_user_namespace(char *detail)
{
    return enter_user_namespace();
}

int probe_namespaces(char *detail)
{
    int error = enter_user_namespace();
    if (!error && unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID |
                          CLONE_NEWCGROUP) < 0)
        error = -errno;
    return error;
}

static int enter_mount_namespace(void)
{
    int error = enter_user_namespace();
    if (!error && unshare(CLONE_NEWNS | CLONE_NEWPID) < 0)
        error = -errno;
    return error;
}

int probe_empty_root(char *detail)
{
    int error = enter_mount_namespace();
    return error ? error : jail_empty_root();
}

// A proc can be mounted only by a process of that pid namespace.
int probe_proc_mount(char *detail)
{
    int error = enter_mount_namespace();
    if (error)
        return error;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = jail_proc_mount();
        _exit(fd < 0 ? -fd : 0);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return -errno;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

// A filter that allows everything, with a listener.
static int make_listener(unsigned flags)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = 1, .filter = &allow};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags,
                          &program);
    return fd < 0 ? -errno : fd;
}

int probe_listener(char *detail)
{
    int fd = make_listener(0);
    return fd < 0 ? fd : 0;
}

int probe_wait_killable(char *detail)
{
    int fd = make_listener(FLAG_WAIT_KILLABLE_RECV);
    return fd < 0 ? fd : 0;
}

int probe_sync_wake_up(char *detail)
{
    int fd = make_listener(0);
    if (fd < 0)
        return fd;
    return ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, (unsigned long)NOTIF_FLAG_SYNC_WAKE_UP) < 0 ? -errno : 0;
}

// A child that sleeps until it is killed. Returns its pidfd.
static int sleeping_child(pid_t *pid)
{
    *pid = fork();
    if (*pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    if (*pid < 0)
        return -errno;
    int fd = (int)syscall(SYS_pidfd_open, *pid, 0);
    return fd < 0 ? -errno : fd;
}

int probe_pidfd_getfd(char *detail)
{
    pid_t pid;
    int pidfd = sleeping_child(&pid);
    if (pidfd < 0)
        return pidfd;
    int result = syscall(SYS_pidfd_getfd, pidfd, 0, 0) < 0 && errno != EBADF ? -errno : 0;
    kill(pid, SIGKILL);
    return result;
}

int probe_ns_pid(char *detail)
{
    int ns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    if (ns < 0)
        return -errno;
    return ioctl(ns, NS_GET_PID_IN_PIDNS, (unsigned long)getpid()) < 0 ? -errno : 0;
}

int probe_process_vm(char *detail)
{
    static int word = 42;
    int copy = 0;
    pid_t pid;
    int pidfd = sleeping_child(&pid);
    if (pidfd < 0)
        return pidfd;
    struct iovec local = {&copy, sizeof(copy)}, remote = {&word, sizeof(word)};
    int result = process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(copy) ? -errno : 0;
    if (!result && process_vm_writev(pid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(copy))
        result = -errno;
    kill(pid, SIGKILL);
    return result;
}

// An empty file is no program: ENOEXEC shows that execution itself is allowed.
int probe_memfd_exec(char *detail)
{
    int fd = memory_file_sealed("probe", "", 0, 1);
    if (fd < 0)
        return fd;
    const char *const none[] = {NULL};
    syscall(SYS_execveat, fd, "", none, none, AT_EMPTY_PATH);
    return errno == ENOEXEC ? 0 : -errno;
}

int probe_mm_map(char *detail)
{
    unsigned size;
    return prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) < 0 ? -errno : 0;
}

int probe_landlock(char *detail)
{
    int version = jail_landlock_version();
    if (version < 0)
        return version;
    snprintf(detail, PROBE_DETAIL, "version %d", version);
    return 0;
}

int probe_openat2(char *detail)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    return syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how)) < 0 ? -errno : 0;
}

int probe_mount_setattr(char *detail)
{
    int error = enter_mount_namespace();
    if (error)
        return error;
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    if (fd < 0 || syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
        return -errno;
    return 0;
}

int probe_io_uring(char *detail)
{
    uint32_t parameters[30] = {0};
    return syscall(SYS_io_uring_setup, 1, parameters) < 0 ? -errno : 0;
}

int probe_cgroup(char *detail)
{
    return cgroup_probe();
}
