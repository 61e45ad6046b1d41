// variants: dynamic static
// Calls that take paths: link, symlink, rename, unlink, mkdir, rmdir, readlink, access, chdir and their *at
// forms.
#include "guest.h"
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static void directories(void)
{
    RAW(mkdir, "dir", 0755);
    RAW(mkdir, "dir", 0755);
    RAW(mkdir, "no/dir", 0755);
    RAW(mkdir, "dir/sub/", 0700);
    RAW(mkdirat, AT_FDCWD, "dir2", 0755);
    RAW(mkdirat, 99, "dir2", 0755);
    RAW(rmdir, "dir");
    RAW(rmdir, "missing");
    RAW(rmdir, "dir/sub");
    RAW(rmdir, "dir/.");
    RAW(rmdir, "dir2");
    RAW(rmdir, "/");
    struct stat st;
    stat("dir", &st);
    printf("dir mode %o links %d\n", st.st_mode, (int)st.st_nlink);
    umask(027);
    mkdir("masked", 0777);
    stat("masked", &st);
    printf("masked %o\n", st.st_mode);
    close(open("masked-file", O_CREAT | O_WRONLY, 0666));
    stat("masked-file", &st);
    printf("masked file %o\n", st.st_mode);
    printf("umask was %o\n", umask(022));
    mkdir("sticky", 02755);
    stat("sticky", &st);
    printf("mkdir keeps %o\n", st.st_mode);
}

static void links(void)
{
    struct stat a, b;
    write_file("file", "content");
    RAW(link, "file", "hard");
    RAW(link, "file", "hard");
    RAW(link, "missing", "hard2");
    RAW(link, "dir", "dirlink");
    RAW(linkat, AT_FDCWD, "file", AT_FDCWD, "hard2", 0);
    RAW(linkat, AT_FDCWD, "file", AT_FDCWD, "hard3", 0x8000);
    stat("file", &a);
    stat("hard", &b);
    printf("same inode %d, links %d\n", a.st_ino == b.st_ino, (int)a.st_nlink);
    write_file("hard", "changed by the other name");
    show_file("file");
    RAW(unlink, "hard");
    RAW(unlink, "hard");
    RAW(unlink, "dir");
    RAW(unlink, "file/x");
    RAW(unlinkat, AT_FDCWD, "hard2", 0);
    RAW(unlinkat, AT_FDCWD, "dir", 0);
    RAW(unlinkat, AT_FDCWD, "masked", AT_REMOVEDIR);
    RAW(unlinkat, AT_FDCWD, "file", AT_REMOVEDIR);
    RAW(unlinkat, AT_FDCWD, "file", 0x1);
    stat("file", &a);
    printf("links %d\n", (int)a.st_nlink);

    char target[64];
    memset(target, '#', sizeof(target));
    RAW(symlink, "file", "soft");
    RAW(symlink, "file", "soft");
    RAW(symlink, "", "empty");
    RAW(symlinkat, "nowhere/at/all", AT_FDCWD, "soft2");
    RAW(symlinkat, "x", 99, "soft3");
    RAW(readlink, "soft", target, sizeof(target));
    printf("%.5s\n", target);
    RAW(readlink, "soft2", target, 3);
    printf("%.4s\n", target);
    RAW(readlink, "file", target, sizeof(target));
    RAW(readlink, "missing", target, sizeof(target));
    RAW(readlink, "soft", target, 0);
    RAW(readlinkat, AT_FDCWD, "soft", target, sizeof(target));
    RAW(readlinkat, 99, "soft", target, sizeof(target));
    RAW(readlink, "soft", unmapped_address(), 64);
    lstat("soft", &a);
    printf("symlink mode %o size %lld\n", a.st_mode, (long long)a.st_size);
    symlink("loop2", "loop1");
    symlink("loop1", "loop2");
    SHOW(open("loop1", O_RDONLY));
    SHOW(stat("loop1", &a));
    SHOW(lstat("loop1", &a));
    char name[16] = "file", next[16];
    for (int i = 0; i < 45; i++) {
        snprintf(next, sizeof(next), "chain%d", i);
        symlink(name, next);
        strcpy(name, next);
    }
    SHOW(access("chain38", F_OK));
    SHOW(access("chain39", F_OK));
    SHOW(access("chain40", F_OK));
    symlink("dir", "dirsym");
    mkdir("dir/inner", 0755);
    SHOW(access("dirsym/inner", F_OK));
    SHOW(access("dirsym/inner/../../file", F_OK));
    SHOW(access("dirsym/../dir/./inner/", F_OK));
    SHOW(rmdir("dirsym"));
    SHOW(unlink("dirsym"));
    SHOW(unlink("soft"));
    show_file("file");
}

static void renames(void)
{
    write_file("a", "A");
    write_file("b", "B");
    RAW(rename, "a", "b");
    show_file("b");
    RAW(rename, "a", "c");
    RAW(rename, "b", "nodir/c");
    mkdir("d1", 0755);
    mkdir("d2", 0755);
    write_file("d2/f", "f");
    RAW(rename, "d1", "d2");
    RAW(rename, "d2", "d1");
    RAW(rename, "d1", "b");
    RAW(rename, "b", "d1");
    RAW(rename, "d1", "d1/sub");
    RAW(rename, "b", "b");
    RAW(rename, "d1/f", "f-moved");
    show_file("f-moved");
    RAW(renameat, AT_FDCWD, "f-moved", AT_FDCWD, "d1/back");
    RAW(renameat, 99, "x", AT_FDCWD, "y");
    write_file("x", "X");
    RAW(renameat2, AT_FDCWD, "x", AT_FDCWD, "b", 1); // RENAME_NOREPLACE
    RAW(renameat2, AT_FDCWD, "x", AT_FDCWD, "b", 2); // RENAME_EXCHANGE
    RAW(renameat2, AT_FDCWD, "x", AT_FDCWD, "nothing", 2);
    RAW(renameat2, AT_FDCWD, "x", AT_FDCWD, "b", 3);
    show_file("x");
    show_file("b");
    RAW(rename, ".", "dot");
    RAW(rename, "b", "..");
    // An open file survives its name.
    int fd = open("x", O_RDWR);
    RAW(rename, "b", "x");
    char text[4] = "";
    read(fd, text, 3);
    printf("still %s\n", text);
    struct stat st;
    fstat(fd, &st);
    printf("links %d\n", (int)st.st_nlink);
    close(fd);
}

static void access_and_cwd(void)
{
    char cwd[4096];
    write_file("perm", "x");
    chmod("perm", 0400);
    RAW(access, "perm", R_OK);
    RAW(access, "missing", F_OK);
    RAW(access, "perm", 8);
    RAW(access, "perm", X_OK);
    RAW(faccessat, AT_FDCWD, "perm", R_OK);
    RAW(faccessat, 99, "perm", R_OK);
    RAW(faccessat2, AT_FDCWD, "perm", R_OK, AT_EACCESS);
    RAW(faccessat2, AT_FDCWD, "perm", R_OK, 0x10);
    RAW(getcwd, cwd, 2);
    TRUTH(getcwd(cwd, sizeof(cwd)) != NULL && cwd[0] == '/');
    RAW(getcwd, unmapped_address(), 4096);
    int here = open(".", O_RDONLY | O_DIRECTORY);
    RAW(chdir, "dir");
    show_file("../perm");
    RAW(chdir, "missing");
    RAW(chdir, "../perm");
    char below[4096];
    getcwd(below, sizeof(below));
    TRUTH(strncmp(cwd, below, strlen(cwd)) == 0 && strcmp(below + strlen(cwd), "/dir") == 0);
    RAW(fchdir, here);
    RAW(fchdir, 99);
    int file = open("perm", O_RDONLY);
    RAW(fchdir, file);
    mkdir("gone", 0755);
    chdir("gone");
    rmdir("../gone");
    RAW(getcwd, cwd, 4096);
    RAW(openat, AT_FDCWD, "x", O_CREAT | O_RDWR, 0600);
    RAW(openat, AT_FDCWD, ".", O_RDONLY);
    RAW(fchdir, here);
    RAW(chdir, "/");
    TRUTH(strcmp(getcwd(cwd, sizeof(cwd)), "/") == 0);
    SHOW(chdir(".."));
    SHOW(chdir("../../.."));
    TRUTH(strcmp(getcwd(cwd, sizeof(cwd)), "/") == 0);
    RAW(fchdir, here);
    RAW(chroot, "missing");
    if (geteuid() == 0)
        IN_CHILD("chroot", RAW(chroot, "."); SHOW(access("/perm", F_OK)); SHOW(access("/../perm", F_OK));
                 SHOW(access("/etc/passwd", F_OK)); SHOW(chdir("/"));
                 TRUTH(strcmp(getcwd(cwd, sizeof(cwd)), "/") == 0));
}

static void long_names(void)
{
    char name[300];
    memset(name, 'n', sizeof(name));
    name[255] = 0;
    SHOW(close(open(name, O_CREAT | O_RDWR, 0600)));
    SHOW(unlink(name));
    name[255] = 'n';
    name[256] = 0;
    SHOW(open(name, O_CREAT | O_RDWR, 0600));
    SHOW(mkdir(name, 0755));
    char *path = malloc(5000);
    memset(path, '/', 5000);
    path[4095] = 0;
    SHOW(access(path, F_OK));
    path[4095] = '/';
    path[4096] = 0;
    SHOW(access(path, F_OK));
    mkdir("deep", 0755);
    chdir("deep");
    int depth = 0;
    for (; depth < 50 && mkdir("0123456789012345678901234567890123456789", 0755) == 0; depth++)
        chdir("0123456789012345678901234567890123456789");
    printf("depth %d\n", depth);
    char cwd[4096];
    TRUTH(getcwd(cwd, sizeof(cwd)) != NULL && strlen(cwd) > 2000);
    SHOW(access("odd \n name \xff", F_OK));
    SHOW(close(open("odd \n name \xff", O_CREAT | O_RDWR, 0600)));
    SHOW(access("odd \n name \xff", F_OK));
}

static void nodes(void)
{
    struct stat st;
    RAW(mknod, "fifo", S_IFIFO | 0644, 0);
    RAW(mknod, "fifo", S_IFIFO | 0644, 0);
    RAW(mknod, "plain", S_IFREG | 0600, 0);
    RAW(mknodat, AT_FDCWD, "fifo2", S_IFIFO | 0644, 0);
    RAW(mknodat, 99, "fifo3", S_IFIFO | 0644, 0);
    RAW(mknod, "directory", S_IFDIR | 0644, 0);
    stat("fifo", &st);
    printf("fifo %o\n", st.st_mode);
    SHOW(open("fifo", O_WRONLY | O_NONBLOCK));
    int in = open("fifo", O_RDONLY | O_NONBLOCK);
    int out = open("fifo", O_WRONLY | O_NONBLOCK);
    TRUTH(in >= 0 && out >= 0);
    SHOW(write(out, "through", 7));
    char text[8] = "";
    SHOW(read(in, text, 8));
    printf("%s\n", text);
    close(in);
    close(out);
    IN_CHILD(
        "two processes",
        if (fork() == 0) {
            int fd = open("fifo", O_WRONLY);
            write(fd, "abc", 3);
            _exit(0);
        } int fd = open("fifo", O_RDONLY);
        SHOW(read(fd, text, 8)); SHOW(read(fd, text, 8)); wait(NULL));
}

static void filesystems(void)
{
    struct statfs fs;
    RAW(statfs, ".", &fs);
    TRUTH(fs.f_namelen == 255 && fs.f_bsize > 0);
    RAW(statfs, "missing", &fs);
    int fd = open(".", O_RDONLY);
    RAW(fstatfs, fd, &fs);
    RAW(fstatfs, 99, &fs);
    RAW(statfs, "/proc", &fs);
    printf("proc type %lx\n", (long)fs.f_type);
    RAW(statfs, ".", unmapped_address());
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    directories();
    links();
    renames();
    access_and_cwd();
    nodes();
    filesystems();
    long_names();
    return 0;
}
