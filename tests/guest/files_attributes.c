// variants: dynamic static
// stat in all its forms, chmod, chown, truncate, times, extended attributes.
#include "guest.h"
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static void show_stat(const char *what, const struct stat *st)
{
    printf("%s: mode %o links %d own uid %d size %lld blksize>0 %d\n", what, st->st_mode, (int)st->st_nlink,
           st->st_uid == geteuid(), (long long)st->st_size, st->st_blksize > 0);
}

static void stats(void)
{
    struct stat st;
    memset(&st, 0, sizeof(st));
    write_file("file", "12345");
    symlink("file", "link");
    RAW(stat, "file", &st);
    show_stat("stat", &st);
    RAW(stat, "missing", &st);
    RAW(stat, "file", unmapped_address());
    RAW(stat, unmapped_address(), &st);
    RAW(lstat, "link", &st);
    printf("lstat %o %lld\n", st.st_mode, (long long)st.st_size);
    RAW(lstat, "missing", &st);
    int fd = open("file", O_RDONLY);
    RAW(fstat, fd, &st);
    show_stat("fstat", &st);
    RAW(fstat, 99, &st);
    RAW(newfstatat, AT_FDCWD, "link", &st, AT_SYMLINK_NOFOLLOW);
    RAW(newfstatat, fd, "", &st, AT_EMPTY_PATH);
    RAW(newfstatat, fd, "", &st, 0);
    RAW(newfstatat, 99, "x", &st, 0);
    RAW(newfstatat, AT_FDCWD, "file", &st, 0x10000000);
    struct statx stx;
    memset(&stx, 0, sizeof(stx));
    RAW(statx, AT_FDCWD, "file", 0, STATX_BASIC_STATS, &stx);
    printf("statx mode %o size %lld mask %d\n", stx.stx_mode, (long long)stx.stx_size,
           (stx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
    RAW(statx, AT_FDCWD, "missing", 0, STATX_BASIC_STATS, &stx);
    RAW(statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &stx);
    RAW(statx, AT_FDCWD, "file", 0, 0x80000000, &stx);
    stat("/dev/null", &st);
    printf("null: mode %o device %d:%d\n", st.st_mode, major(st.st_rdev), minor(st.st_rdev));
    stat("/dev/zero", &st);
    printf("zero: device %d:%d\n", major(st.st_rdev), minor(st.st_rdev));
    stat("/etc/passwd", &st);
    printf("passwd: mode %o uid %d gid %d\n", st.st_mode, st.st_uid, st.st_gid);
    int pipes[2];
    pipe(pipes);
    fstat(pipes[0], &st);
    printf("pipe: %o\n", st.st_mode & S_IFMT);
    struct stat dot, dotdot, root, rootdot;
    stat("/", &root);
    stat("/..", &rootdot);
    TRUTH(root.st_ino == rootdot.st_ino && root.st_dev == rootdot.st_dev);
    mkdir("sub", 0755);
    stat(".", &dot);
    stat("sub/..", &dotdot);
    TRUTH(dot.st_ino == dotdot.st_ino && dot.st_dev == dotdot.st_dev);
    close(fd);
}

static void modes(void)
{
    struct stat st;
    int fd = open("file", O_RDWR);
    RAW(chmod, "file", 0741);
    stat("file", &st);
    printf("%o\n", st.st_mode);
    RAW(chmod, "missing", 0741);
    RAW(fchmod, fd, 04755);
    fstat(fd, &st);
    printf("%o\n", st.st_mode);
    RAW(fchmod, 99, 0600);
    RAW(fchmodat, AT_FDCWD, "link", 0600);
    RAW(fchmodat, 99, "link", 0600);
    stat("file", &st);
    printf("%o\n", st.st_mode);
    // Writing clears set-user-ID for an ordinary user.
    uid_t uid = getuid();
    RAW(chown, "file", uid, -1);
    RAW(chown, "missing", uid, -1);
    RAW(lchown, "link", uid, -1);
    RAW(lchown, "missing", uid, -1);
    RAW(fchown, fd, uid, -1);
    RAW(fchown, 99, uid, -1);
    RAW(fchownat, AT_FDCWD, "file", uid, -1, 0);
    RAW(fchownat, 99, "file", uid, -1, 0);
    if (uid == 0) {
        RAW(chmod, "file", 06755);
        RAW(chown, "file", 12, 34);
        stat("file", &st);
        printf("%d %d %o\n", st.st_uid, st.st_gid, st.st_mode);
        RAW(lchown, "link", 56, 78);
        lstat("link", &st);
        printf("%d %d\n", st.st_uid, st.st_gid);
        RAW(chown, "file", 0, 0);
        write_file("private", "secret");
        chmod("private", 0600);
        mkdir("closed", 0700);
        write_file("closed/inside", "x");
        mkdir("shared-dir", 01777);
        chmod("shared-dir", 01777);
        write_file("shared-dir/of-root", "x");
        chmod(".", 0777);
        IN_CHILD("another user", setresgid(1000, 1000, 1000); setresuid(1000, 1000, 1000);
                 SHOW(open("private", O_RDONLY)); SHOW(open("closed/inside", O_RDONLY));
                 SHOW(chmod("private", 0666)); SHOW(chown("private", 1000, -1));
                 SHOW(unlink("shared-dir/of-root")); SHOW(mkdir("mine", 0755)); SHOW(chown("mine", 0, -1));
                 SHOW(access("private", R_OK)); SHOW(truncate("private", 0));
                 SHOW(open("/etc/shadow", O_RDONLY)); SHOW(utimensat(AT_FDCWD, "private", NULL, 0));
                 SHOW(rename("shared-dir/of-root", "shared-dir/other")); SHOW(rmdir("closed")));
        chmod(".", 0755);
        stat("mine", &st);
        printf("made by 1000: %d %d\n", st.st_uid, st.st_gid);
    }
    close(fd);
}

static void sizes(void)
{
    struct stat st;
    write_file("size", "0123456789");
    RAW(truncate, "size", 4L);
    show_file("size");
    RAW(truncate, "size", 8L);
    stat("size", &st);
    printf("size %lld\n", (long long)st.st_size);
    RAW(truncate, "missing", 4L);
    RAW(truncate, "size", -1L);
    RAW(truncate, "sub", 4L);
    int fd = open("size", O_RDWR), ro = open("size", O_RDONLY);
    RAW(ftruncate, fd, 20L);
    RAW(ftruncate, ro, 20L);
    RAW(ftruncate, 99, 20L);
    RAW(fallocate, fd, 0, 0L, 100L);
    RAW(fallocate, fd, 0, 0L, 0L);
    RAW(fallocate, 99, 0, 0L, 100L);
    fstat(fd, &st);
    printf("size %lld\n", (long long)st.st_size);
    RAW(fallocate, fd, FALLOC_FL_KEEP_SIZE, 0L, 5000L);
    fstat(fd, &st);
    printf("size %lld\n", (long long)st.st_size);
    pwrite(fd, "far", 3, 1000000);
    fstat(fd, &st);
    printf("size %lld\n", (long long)st.st_size);
    char byte = 1;
    pread(fd, &byte, 1, 500000);
    printf("hole %d\n", byte);
    close(fd);
    close(ro);
}

static void times(void)
{
    struct stat st;
    struct timespec ts[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
    write_file("times", "x");
    RAW(utimensat, AT_FDCWD, "times", ts, 0);
    stat("times", &st);
    printf("%ld.%09ld %ld.%09ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec,
           st.st_mtim.tv_nsec);
    ts[0].tv_nsec = UTIME_OMIT;
    ts[1].tv_nsec = UTIME_NOW;
    RAW(utimensat, AT_FDCWD, "times", ts, 0);
    stat("times", &st);
    printf("%ld, recent %d\n", (long)st.st_atim.tv_sec, labs(st.st_mtim.tv_sec - time(NULL)) < 5);
    RAW(utimensat, AT_FDCWD, "missing", ts, 0);
    ts[0].tv_nsec = 2000000000;
    RAW(utimensat, AT_FDCWD, "times", ts, 0);
    RAW(utime, "times", &((struct utimbuf){1, 2}));
    RAW(utime, "missing", NULL);
    stat("times", &st);
    printf("%ld %ld\n", (long)st.st_atime, (long)st.st_mtime);
    RAW(utimes, "times", ((struct timeval[]){{3, 4}, {5, 6}}));
    RAW(utimes, "missing", NULL);
    stat("times", &st);
    printf("%ld.%ld %ld.%ld\n", (long)st.st_atime, st.st_atim.tv_nsec, (long)st.st_mtime, st.st_mtim.tv_nsec);
    RAW(futimesat, AT_FDCWD, "times", NULL);
    RAW(futimesat, AT_FDCWD, "missing", NULL);
    // Writing sets the modification time, renaming does not.
    utimes("times", ((struct timeval[]){{3, 4}, {5, 6}}));
    rename("times", "times2");
    stat("times2", &st);
    printf("%ld\n", (long)st.st_mtime);
    int fd = open("times2", O_WRONLY);
    write(fd, "y", 1);
    fstat(fd, &st);
    TRUTH(labs(st.st_mtim.tv_sec - time(NULL)) < 5);
    utimensat(AT_FDCWD, ".", (struct timespec[]){{7, 0}, {8, 0}}, 0);
    close(open("touches-directory", O_CREAT | O_RDWR, 0600));
    stat(".", &st);
    TRUTH(labs(st.st_mtim.tv_sec - time(NULL)) < 5);
    close(fd);
}

static void extended(void)
{
    char value[64];
    write_file("xattr", "x");
    int fd = open("xattr", O_RDWR);
    long result = setxattr("xattr", "user.one", "1", 1, 0);
    if (result == -1 && errno == EOPNOTSUPP) {
        printf("no extended attributes here\n");
        return;
    }
    show_value("setxattr", result);
    RAW(setxattr, "xattr", "user.one", "1", 1L, XATTR_CREATE);
    RAW(setxattr, "xattr", "user.two", "1", 1L, XATTR_REPLACE);
    RAW(setxattr, "missing", "user.two", "1", 1L, 0);
    RAW(setxattr, "xattr", "nonsense", "1", 1L, 0);
    RAW(lsetxattr, "xattr", "user.two", "22", 2L, 0);
    RAW(lsetxattr, "missing", "user.two", "22", 2L, 0);
    RAW(fsetxattr, fd, "user.three", "333", 3L, 0);
    RAW(fsetxattr, 99, "user.three", "333", 3L, 0);
    RAW(getxattr, "xattr", "user.two", value, sizeof(value));
    RAW(getxattr, "xattr", "user.none", value, sizeof(value));
    RAW(getxattr, "xattr", "user.two", value, 1L);
    RAW(getxattr, "xattr", "user.two", value, 0L);
    RAW(lgetxattr, "xattr", "user.three", value, sizeof(value));
    RAW(lgetxattr, "missing", "user.three", value, sizeof(value));
    RAW(fgetxattr, fd, "user.one", value, sizeof(value));
    RAW(fgetxattr, 99, "user.one", value, sizeof(value));
    RAW(listxattr, "xattr", value, sizeof(value));
    RAW(listxattr, "missing", value, sizeof(value));
    RAW(listxattr, "xattr", value, 4L);
    RAW(llistxattr, "xattr", value, sizeof(value));
    RAW(llistxattr, "missing", value, sizeof(value));
    RAW(flistxattr, fd, value, sizeof(value));
    RAW(flistxattr, 99, value, sizeof(value));
    RAW(removexattr, "xattr", "user.one");
    RAW(removexattr, "xattr", "user.one");
    RAW(lremovexattr, "xattr", "user.two");
    RAW(lremovexattr, "xattr", "user.two");
    RAW(fremovexattr, fd, "user.three");
    RAW(fremovexattr, fd, "user.three");
    RAW(listxattr, "xattr", value, sizeof(value));
    close(fd);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(022);
    stats();
    modes();
    sizes();
    times();
    extended();
    return 0;
}
