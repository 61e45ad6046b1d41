// variants: dynamic
// POSIX access control lists: setting, checking, changing the mode, inheriting; seals of a memfd against mappings.
#include "guest.h"
#include <grp.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
struct entry {
    uint16_t tag, perm;
    uint32_t id;
};
struct list {
    uint32_t version;
    struct entry e[8];
};
#define SET(path, name, count, ...)                                                                         \
    do {                                                                                                    \
        struct list l = {2, {__VA_ARGS__}};                                                                 \
        show_value("set " path " " #name, setxattr(path, name, &l, 4 + (count) * sizeof(struct entry), 0)); \
    } while (0)
#define O(tag, perm)   \
    {                  \
        tag, perm, -1u \
    }

static void show_list(const char *path, const char *name)
{
    struct list l;
    ssize_t n = getxattr(path, name, &l, sizeof(l));
    if (n < 0) {
        printf("%s %s: %s\n", path, name + 17, error_name(errno));
        return;
    }
    printf("%s %s:", path, name + 17);
    for (size_t i = 0; i < ((size_t)n - 4) / sizeof(struct entry); i++)
        printf(" %d:%d:%o", l.e[i].tag, (int)l.e[i].id, l.e[i].perm);
    printf("\n");
}

static void show_mode(const char *path)
{
    struct stat st;
    if (stat(path, &st))
        printf("%s: %s\n", path, error_name(errno));
    else
        printf("%s: mode %o\n", path, st.st_mode);
}

static void as(int uid, int gid, const char *path, int mode)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
            _exit(1);
        int fd = open(path, mode);
        printf("user %d group %d opens %s %d: %s\n", uid, gid, path, mode, fd < 0 ? error_name(errno) : "ok");
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void checks(void)
{
    write_file("file", "text");
    chmod("file", 0640);
    show_list("file", ACCESS);
    show_list("missing", ACCESS);
    SET("file", ACCESS, 5, O(USER_OBJ, 6), {USER, 4, 1000}, O(GROUP_OBJ, 4), O(MASK, 6), O(OTHER, 0));
    show_list("file", ACCESS);
    show_mode("file");
    char names[256];
    ssize_t n = listxattr("file", names, sizeof(names));
    printf("names: %s\n", n > 0 ? names : "none");
    as(1000, 1000, "file", O_RDONLY);
    as(1000, 1000, "file", O_RDWR);
    as(1001, 1001, "file", O_RDONLY);
    as(1001, 0, "file", O_RDONLY);
    SET("file", ACCESS, 6, O(USER_OBJ, 6), {USER, 6, 1000}, O(GROUP_OBJ, 0), {GROUP, 6, 2000}, O(MASK, 4),
        O(OTHER, 4));
    as(1000, 1000, "file", O_RDWR);
    as(1000, 1000, "file", O_RDONLY);
    as(1001, 2000, "file", O_RDONLY);
    as(1001, 2000, "file", O_WRONLY);
    as(1001, 0, "file", O_RDONLY);
    as(1001, 1001, "file", O_RDONLY);
    // The mode and the list follow each other.
    chmod("file", 0777);
    show_list("file", ACCESS);
    chmod("file", 0700);
    show_list("file", ACCESS);
    as(1000, 1000, "file", O_RDONLY);
    // A list that says no more than a mode.
    SET("file", ACCESS, 3, O(USER_OBJ, 6), O(GROUP_OBJ, 4), O(OTHER, 4));
    show_list("file", ACCESS);
    show_mode("file");
    SET("file", ACCESS, 4, O(USER_OBJ, 6), O(GROUP_OBJ, 4), O(MASK, 0), O(OTHER, 0));
    show_mode("file");
    SHOW(removexattr("file", ACCESS));
    show_mode("file");
    SHOW(removexattr("file", ACCESS));
    show_list("file", ACCESS);
}

static void refusals(void)
{
    SET("file", ACCESS, 2, O(USER_OBJ, 6), O(OTHER, 4));
    SET("file", ACCESS, 3, O(OTHER, 4), O(USER_OBJ, 6), O(GROUP_OBJ, 4));
    SET("file", ACCESS, 4, O(USER_OBJ, 6), {USER, 4, 1000}, O(GROUP_OBJ, 4), O(OTHER, 4));
    SET("file", ACCESS, 3, O(USER_OBJ, 9), O(GROUP_OBJ, 4), O(OTHER, 4));
    SET("file", ACCESS, 0, O(USER_OBJ, 6));
    struct list l = {3, {O(USER_OBJ, 6), O(GROUP_OBJ, 4), O(OTHER, 4)}};
    SHOW(setxattr("file", ACCESS, &l, 4 + 3 * 8, 0));
    l.version = 2;
    SHOW(setxattr("file", ACCESS, &l, 4 + 3 * 8 - 1, 0));
    SHOW(setxattr("file", ACCESS, &l, 2, 0));
    SHOW(setxattr("file", DEFAULT, &l, 4 + 3 * 8, 0));
    SHOW(setxattr("file", DEFAULT, NULL, 0, 0));
    SHOW(setxattr("missing", ACCESS, &l, 4 + 3 * 8, 0));
    symlink("file", "link");
    SHOW(lsetxattr("link", ACCESS, &l, 4 + 3 * 8, 0));
    SHOW(setxattr("/proc/self/comm", ACCESS, &l, 4 + 3 * 8, 0));
    fflush(stdout);
    if (fork() == 0) {
        setresuid(1000, 1000, 1000);
        SHOW(setxattr("file", ACCESS, &l, 4 + 3 * 8, 0));
        SHOW(removexattr("file", ACCESS));
        _exit(0);
    }
    wait(NULL);
}

static void inherit(void)
{
    umask(027);
    mkdir("dir", 0755);
    SET("dir", DEFAULT, 5, O(USER_OBJ, 7), {USER, 7, 1000}, O(GROUP_OBJ, 5), O(MASK, 7), O(OTHER, 5));
    show_list("dir", DEFAULT);
    show_list("dir", ACCESS);
    close(open("dir/file", O_RDWR | O_CREAT, 0666));
    show_list("dir/file", ACCESS);
    show_list("dir/file", DEFAULT);
    show_mode("dir/file");
    mkdir("dir/sub", 0777);
    show_list("dir/sub", ACCESS);
    show_list("dir/sub", DEFAULT);
    show_mode("dir/sub");
    mkfifo("dir/fifo", 0600);
    show_list("dir/fifo", ACCESS);
    show_mode("dir/fifo");
    symlink("file", "dir/link");
    SET("dir", DEFAULT, 3, O(USER_OBJ, 7), O(GROUP_OBJ, 5), O(OTHER, 1));
    close(open("dir/plain", O_RDWR | O_CREAT, 0666));
    show_list("dir/plain", ACCESS);
    show_mode("dir/plain");
    SHOW(removexattr("dir", DEFAULT));
    close(open("dir/masked", O_RDWR | O_CREAT, 0666));
    show_mode("dir/masked");
    SHOW(rename("dir/file", "moved"));
    show_list("moved", ACCESS);
}

static void seals(void)
{
    int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
    SHOW(ftruncate(fd, 8192));
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    p[0] = 'x';
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    p[1] = 'y';
    SHOW(write(fd, "z", 1));
    SHOW(munmap(p, 8192));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW));
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(pwrite(fd, "z", 1, 0));
    SHOW(ftruncate(fd, 4096));
    SHOW(ftruncate(fd, 16384));
    char two[3] = "";
    SHOW(pread(fd, two, 2, 0));
    printf("bytes %s\n", two);
    show_success("private", (long)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    show_success("shared", (long)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    close(fd);
}

int main(void)
{
    seals();
    if (geteuid() != 0)
        return 0;
    mkdir("base", 0755);
    if (mount("base", "base", "tmpfs", 0, NULL) || chdir("base"))
        return 1;
    chmod(".", 0777);
    checks();
    refusals();
    inherit();
    return 0;
}
