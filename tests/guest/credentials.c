// variants: dynamic static
// User and group ids, supplementary groups, capabilities: of root where the test runs as root, else of a
// user.
#include "guest.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static void show_ids(const char *what)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;
    getresuid(&ruid, &euid, &suid);
    getresgid(&rgid, &egid, &sgid);
    printf("%s: uid %d %d %d gid %d %d %d\n", what, ruid, euid, suid, rgid, egid, sgid);
}

static void show_capabilities(const char *what)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    long result = syscall(SYS_capget, &header, data);
    printf("%s: capget %ld, effective %d permitted %d\n", what, result, data[0].effective != 0,
           data[0].permitted != 0);
}

static void as_root(void)
{
    gid_t groups[3] = {5, 6, 7}, got[10];
    RAW(setgroups, 3L, groups);
    RAW(setgroups, 100000L, groups);
    RAW(getgroups, 10, got);
    printf("%d %d %d\n", got[0], got[1], got[2]);
    RAW(getgroups, 1, got);
    RAW(getgroups, -1, got);
    RAW(setresgid, 10, 11, 12);
    RAW(setresuid, 0, 1001, 1002);
    show_ids("resuid");
    show_capabilities("effective user");
    RAW(setresuid, -1, 0, -1);
    show_capabilities("back to root");
    RAW(setreuid, 1003, 0);
    show_ids("reuid");
    RAW(setregid, 13, 14);
    show_ids("regid");
    printf("%d %d\n", setfsuid(77), setfsuid(-1));
    printf("%d %d\n", setfsgid(77), setfsgid(-1));
    RAW(setgid, 20);
    show_ids("gid");
    RAW(setuid, 1000);
    show_ids("uid");
    show_capabilities("ordinary user");
    RAW(setuid, 0);
    RAW(setgid, 0);
    RAW(setreuid, 0, 0);
    RAW(setregid, 0, 0);
    RAW(setresuid, 0, 0, 0);
    RAW(setresgid, 0, 0, 0);
    RAW(setgroups, 1L, groups);
    RAW(setuid, 1000);
    RAW(sethostname, "x", 1L);
    RAW(chroot, "/");
    RAW(mount, "none", "/tmp", "tmpfs", 0L, NULL);
    RAW(umount2, "/tmp", 0);
    RAW(setpriority, 0, 0, -5);
    RAW(settimeofday, NULL, &((int[]){0, 0}));
    RAW(mknod, "device", S_IFCHR | 0600, 0x103);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    TRUTH(getuid() == syscall(SYS_getuid) && geteuid() == syscall(SYS_geteuid));
    TRUTH(getgid() == syscall(SYS_getgid) && getegid() == syscall(SYS_getegid));
    RAW(getresuid, unmapped_address(), unmapped_address(), unmapped_address());
    RAW(getresgid, unmapped_address(), unmapped_address(), unmapped_address());
    show_ids("at start");
    struct __user_cap_header_struct header = {0x1234, 0};
    RAW(capget, &header, &(struct __user_cap_data_struct){0});
    printf("version %#x\n", header.version);
    header.version = _LINUX_CAPABILITY_VERSION_3;
    header.pid = 999999;
    struct __user_cap_data_struct data[2] = {{0}};
    RAW(capget, &header, data);
    header.pid = 0;
    RAW(capget, &header, data);
    RAW(capset, &header, data);
    data[1].permitted = 0xffffffff;
    RAW(capset, &header, data);
    header.version = 0x1234;
    RAW(capset, &header, data);
    RAW(capset, unmapped_address(), data);
    if (getuid() == 0) {
        IN_CHILD("root", as_root());
        IN_CHILD("set-user-ID program", chmod("prog", 0755); setresuid(1000, 1000, 1000); show_ids("user"));
        IN_CHILD("keepcaps", prctl(PR_SET_KEEPCAPS, 1); setresuid(1000, 1000, 1000);
                 show_capabilities("kept"));
        IN_CHILD("drop one capability", RAW(prctl, PR_CAPBSET_READ, 0L); RAW(prctl, PR_CAPBSET_DROP, 0L);
                 RAW(prctl, PR_CAPBSET_READ, 0L); RAW(prctl, PR_CAPBSET_READ, 999L));
    } else {
        RAW(setuid, 0);
        RAW(setgid, 0);
        RAW(setuid, getuid());
        RAW(setgid, getgid());
        RAW(chroot, "/");
    }
    return 0;
}
