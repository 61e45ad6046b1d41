// Set-user-ID and set-group-ID programs, securebits, ambient capabilities and no_new_privs across exec (capabilities(7)).
// Needs root to make such programs; an ordinary user sees what Linux refuses him.
#include "guest.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#define USER 4321
#define GROUP 5432

static unsigned long long caps(int which)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2];
    syscall(SYS_capget, &h, d);
    return which == 0   ? d[0].effective | (unsigned long long)d[1].effective << 32
           : which == 1 ? d[0].permitted | (unsigned long long)d[1].permitted << 32
                        : d[0].inheritable | (unsigned long long)d[1].inheritable << 32;
}

static long set_caps(unsigned long long e, unsigned long long p, unsigned long long i)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2] = {{(unsigned)e, (unsigned)p, (unsigned)i},
                                          {(unsigned)(e >> 32), (unsigned)(p >> 32), (unsigned)(i >> 32)}};
    return syscall(SYS_capset, &h, d);
}

static const char *amount(unsigned long long set)
{
    static char text[4][24];
    static int next;
    char *t = text[next++ % 4];
    unsigned long long bounding = 0;
    for (int c = 0; c <= 40; c++)
        bounding |= (unsigned long long)(prctl(PR_CAPBSET_READ, c) == 1) << c;
    if (set && set == bounding)
        return "all";
    snprintf(t, sizeof(text[0]), "%#llx", set);
    return t;
}

static const char *who(unsigned id)
{
    return id == 0 ? "root" : id == USER ? "user" : id == GROUP ? "group" : "caller";
}

static int report(void)
{
    uid_t r, e, s;
    gid_t rg, eg, sg;
    getresuid(&r, &e, &s);
    getresgid(&rg, &eg, &sg);
    printf("  uid %s %s %s fs %s, gid %s %s %s, secure %lu, dumpable %d\n", who(r), who(e), who(s),
           who((unsigned)setfsuid(-1)), who(rg), who(eg), who(sg), getauxval(AT_SECURE),
           prctl(PR_GET_DUMPABLE));
    printf("  caps %s %s %s, bits %#x, nnp %d", amount(caps(0)), amount(caps(1)), amount(caps(2)),
           prctl(PR_GET_SECUREBITS), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    int ambient = 0;
    for (int c = 0; c <= 40; c++)
        ambient += prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, c, 0, 0) == 1;
    printf(", ambient %d\n", ambient);
    return 0;
}

static int program;

static void copy_program(const char *to, unsigned uid, unsigned gid, unsigned mode)
{
    char block[65536];
    ssize_t n;
    unlink(to);
    lseek(program, 0, SEEK_SET);
    int fd = open(to, O_CREAT | O_WRONLY, 0700);
    while ((n = read(program, block, sizeof(block))) > 0)
        if (write(fd, block, (size_t)n) != n)
            break;
    if (fchown(fd, uid, gid) || fchmod(fd, mode))
        printf("cannot make %s: %s\n", to, error_name(errno));
    close(fd);
}

static void become(unsigned uid, unsigned gid)
{
    if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
        printf("cannot become %u: %s\n", uid, error_name(errno));
}

#define RUN(what, program, ...)                  \
    do {                                         \
        printf("%s\n", what);                    \
        IN_CHILD("  ended", {                    \
            __VA_ARGS__;                         \
            fflush(stdout);                      \
            execl(program, "x", "report", NULL); \
            printf("  %s\n", error_name(errno)); \
        });                                      \
    } while (0)

static void raise_ambient(int cap)
{
    prctl(PR_SET_KEEPCAPS, 1);
    become(USER, GROUP);
    set_caps(1ull << cap, 1ull << cap, 1ull << cap);
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0))
        printf("  raise: %s\n", error_name(errno));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return report();
    program = open("prog", O_RDONLY | O_CLOEXEC);
    if (geteuid() != 0) {
        copy_program("mine", geteuid(), getegid(), 04755);
        RUN("own set-user-ID", "./mine", ;);
        unlink("mine");
        SHOW(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT));
        SHOW(prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN));
        SHOW(setuid(0));
        return 0;
    }
    // Somewhere that no mount option takes these bits away.
    char here[4096];
    if (!getcwd(here, sizeof(here)) || unshare(CLONE_NEWNS) ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("none", here, "tmpfs", 0, "mode=755") ||
        chdir(here))
        printf("no place: %s\n", error_name(errno));
    copy_program("suid", 0, 0, 04755);
    copy_program("suid_user", USER, GROUP, 04755);
    copy_program("sgid", 0, GROUP, 02755);
    copy_program("sgid_no_exec", 0, GROUP, 02745);
    copy_program("plain", 0, 0, 0755);
    copy_program("filecap", 0, 0, 0755);
    struct vfs_cap_data cap = {VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
                               {{1u << CAP_NET_RAW, 0}, {0, 0}}};
    SHOW(setxattr("filecap", "security.capability", &cap, sizeof(cap), 0));
    RUN("root runs a plain program", "./plain", ;);
    RUN("user runs a plain program", "./plain", become(1000, 1000));
    RUN("user runs root's", "./suid", become(1000, 1000));
    RUN("root runs the user's", "./suid_user", ;);
    RUN("user runs the group's", "./sgid", become(1000, 1000));
    RUN("set-group-ID without execution for the group", "./sgid_no_exec", become(1000, 1000));
    RUN("no_new_privs", "./suid", become(1000, 1000); prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    RUN("capabilities of a file", "./filecap", become(1000, 1000));
    RUN("capabilities of a file, no_new_privs", "./filecap", become(1000, 1000);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    RUN("the bounding set lacks it", "./filecap", prctl(PR_CAPBSET_DROP, CAP_NET_RAW); become(1000, 1000));
    RUN("ambient", "./plain", raise_ambient(CAP_NET_BIND_SERVICE));
    RUN("ambient, set-user-ID", "./suid", raise_ambient(CAP_NET_BIND_SERVICE));
    RUN("ambient, capabilities of a file", "./filecap", raise_ambient(CAP_NET_BIND_SERVICE));
    RUN("noroot", "./plain", prctl(PR_SET_SECUREBITS, SECBIT_NOROOT));
    RUN("noroot, set-user-ID", "./suid", prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED);
        become(1000, 1000));
    RUN("keep capabilities", "./plain", prctl(PR_SET_KEEPCAPS, 1); become(1000, 1000));
    RUN("no fixup", "./plain", prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP); become(1000, 1000));
    IN_CHILD("securebits", {
        SHOW(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED));
        SHOW(prctl(PR_SET_KEEPCAPS, 0));
        SHOW(prctl(PR_SET_SECUREBITS, 0));
        SHOW(prctl(PR_SET_SECUREBITS, 1u << 20));
        SHOW(prctl(PR_SET_SECUREBITS,
                   SECBIT_KEEP_CAPS_LOCKED | SECBIT_KEEP_CAPS | SECBIT_NO_CAP_AMBIENT_RAISE));
        SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
        SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_CHOWN, 0, 0));
        SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
        SHOW(prctl(PR_CAP_AMBIENT, 9, CAP_CHOWN, 0, 0));
        SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 99, 0, 0));
    });
    IN_CHILD("what a capability lets do", {
        set_caps(1ull << CAP_CHOWN, 1ull << CAP_CHOWN | 1ull << CAP_FOWNER | 1ull << CAP_KILL, 0);
        SHOW(chown("plain", 7, 7));
        SHOW(chmod("plain", 0700));
        SHOW(set_caps(1ull << CAP_FOWNER, 1ull << CAP_CHOWN | 1ull << CAP_FOWNER, 0));
        SHOW(chmod("plain", 0700));
        SHOW(chown("plain", 8, 8));
        SHOW(open("plain", O_RDONLY));
        SHOW(set_caps(1ull << CAP_KILL, 1ull << CAP_KILL, 0));
        SHOW(setgroups(0, NULL));
        SHOW(chroot("."));
        SHOW(mknod("dev", S_IFBLK | 0600, 1));
        SHOW(sethostname("x", 1));
        SHOW(setuid(5));
        SHOW(mount("none", "/tmp", "tmpfs", 0, NULL));
    });
    const char *made[] = {"suid", "suid_user", "sgid", "sgid_no_exec", "plain", "filecap"};
    for (unsigned i = 0; i < 6; i++)
        unlink(made[i]);
    return 0;
}
