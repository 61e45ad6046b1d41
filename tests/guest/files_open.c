// variants: dynamic static musl-static
// open, openat, creat, close, read, write, lseek and their relatives: flags, offsets, errors.
#include "guest.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static void flags(void)
{
    SHOW(open("missing", O_RDONLY));
    SHOW(open("new", O_RDWR | O_CREAT | O_EXCL, 0640));
    SHOW(open("new", O_RDWR | O_CREAT | O_EXCL, 0640));
    struct stat st;
    stat("new", &st);
    printf("mode %o size %lld links %d\n", st.st_mode, (long long)st.st_size, (int)st.st_nlink);
    SHOW(write(3, "hello world", 11));
    SHOW(lseek(3, 0, SEEK_CUR));
    close(3);
    SHOW(open("new", O_WRONLY | O_TRUNC));
    SHOW(fstat(3, &st));
    printf("size %lld\n", (long long)st.st_size);
    char byte;
    SHOW(read(3, &byte, 1));
    close(3);
    SHOW(open("new", O_RDONLY));
    SHOW(write(3, "x", 1));
    close(3);
    SHOW(open("new", O_WRONLY | O_APPEND));
    write(3, "one", 3);
    lseek(3, 0, SEEK_SET);
    write(3, "two", 3);
    SHOW(lseek(3, 0, SEEK_CUR));
    close(3);
    show_file("new");
    SHOW(open(".", O_WRONLY));
    SHOW(open(".", O_RDONLY | O_DIRECTORY));
    SHOW(read(3, &byte, 1));
    close(3);
    SHOW(open("new", O_RDONLY | O_DIRECTORY));
    symlink("new", "symlink");
    SHOW(open("symlink", O_RDONLY | O_NOFOLLOW));
    SHOW(open("symlink", O_PATH | O_NOFOLLOW));
    SHOW(read(3, &byte, 1));
    SHOW(fchmod(3, 0600));
    close(3);
    SHOW(open("new/x", O_RDONLY));
    SHOW(open("", O_RDONLY));
    SHOW(open("nodir/x", O_RDWR | O_CREAT, 0600));
    SHOW(open("new/", O_RDONLY));
    SHOW(open("dirslash/", O_RDWR | O_CREAT, 0600));
    symlink("target-of-dangling", "dangling");
    SHOW(open("dangling", O_RDONLY));
    SHOW(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0600));
    SHOW(open("dangling", O_RDWR | O_CREAT, 0600));
    close(3);
    SHOW(access("target-of-dangling", F_OK));
    SHOW(fcntl(open("new", O_RDWR | O_APPEND | O_NONBLOCK | O_CLOEXEC), F_GETFL) &
         (O_ACCMODE | O_APPEND | O_NONBLOCK));
    SHOW(fcntl(3, F_GETFD));
    close(3);
    int tmp = open(".", O_TMPFILE | O_RDWR, 0600);
    if (tmp >= 0) {
        SHOW(write(tmp, "temporary", 9));
        SHOW(fstat(tmp, &st));
        printf("links of a temporary file: %d\n", (int)st.st_nlink);
        char path[64];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", tmp);
        SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
        show_file("named");
        close(tmp);
    } else {
        printf("O_TMPFILE: %s\n", error_name(errno));
    }
    RAW(open, "new", O_RDONLY);
    RAW(open, "none", O_RDONLY);
    RAW(creat, "created", 0600);
    RAW(creat, "nodir/created", 0600);
    RAW(openat, AT_FDCWD, "new", O_RDONLY);
    RAW(openat, 77, "new", O_RDONLY);
    RAW(openat, 1000000, "new", O_RDONLY);
    RAW(close, 5);
    RAW(close, 5);
    close(3);
    close(4);
    int new_file = open("new", O_RDONLY);
    RAW(openat, new_file, "x", O_RDONLY);
    struct {
        unsigned long long flags, mode, resolve;
    } how = {O_RDONLY, 0, 0};
    RAW(openat2, AT_FDCWD, "new", &how, sizeof(how));
    how.resolve = 0x08; // RESOLVE_BENEATH
    RAW(openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how));
    how.resolve = 0x04; // RESOLVE_NO_SYMLINKS
    RAW(openat2, AT_FDCWD, "symlink", &how, sizeof(how));
    RAW(openat2, AT_FDCWD, "symlink", &how, 8);
    how.flags = 1UL << 60;
    RAW(openat2, AT_FDCWD, "new", &how, sizeof(how));
    SHOW(syscall(SYS_close_range, 3, 100, 0));
    SHOW(fcntl(3, F_GETFD));
    SHOW(syscall(SYS_close_range, 5, 4, 0));
    SHOW(syscall(SYS_close_range, 3, 4, 1 << 10));
}

static void offsets(void)
{
    int fd = open("offsets", O_RDWR | O_CREAT | O_TRUNC, 0644);
    char buffer[32] = "";
    write(fd, "0123456789", 10);
    SHOW(lseek(fd, 3, SEEK_SET));
    SHOW(read(fd, buffer, 2));
    SHOW(lseek(fd, -1, SEEK_END));
    SHOW(lseek(fd, -1, SEEK_SET));
    SHOW(lseek(fd, 0, 99));
    SHOW(lseek(99, 0, SEEK_SET));
    SHOW(lseek(fd, 100, SEEK_SET));
    SHOW(read(fd, buffer, 1));
    SHOW(write(fd, "end", 3));
    SHOW(pread(fd, buffer, 4, 8));
    printf("%d %d\n", buffer[0], buffer[3]);
    SHOW(pread(fd, buffer, 4, -1));
    SHOW(pwrite(fd, "AB", 2, 1));
    SHOW(pwrite(fd, "AB", 2, -1));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(lseek(fd, 0, SEEK_DATA));
    SHOW(lseek(fd, 1000, SEEK_DATA));
    int pipes[2];
    pipe(pipes);
    SHOW(lseek(pipes[0], 0, SEEK_SET));
    SHOW(pread(pipes[0], buffer, 1, 0));
    SHOW(pwrite(pipes[1], buffer, 1, 0));
    struct iovec vector[3] = {{"first ", 6}, {"", 0}, {"second", 6}};
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(writev(fd, vector, 3));
    char one[4], two[9] = "";
    struct iovec in[2] = {{one, 4}, {two, 8}};
    lseek(fd, 0, SEEK_SET);
    SHOW(readv(fd, in, 2));
    printf("[%.4s][%.8s]\n", one, two);
    SHOW(preadv(fd, in, 2, 2));
    printf("[%.4s][%.8s]\n", one, two);
    SHOW(pwritev(fd, vector, 1, 20));
    SHOW(syscall(SYS_preadv2, fd, in, 2, 2, 0, 0));
    SHOW(syscall(SYS_preadv2, fd, in, 2, 2, 0, 0x1000));
    SHOW(syscall(SYS_pwritev2, fd, vector, 1, 30, 0, 0));
    SHOW(syscall(SYS_pwritev2, fd, vector, 1, 30, 0, 0x1000));
    SHOW(readv(fd, in, -1));
    SHOW(readv(fd, in, 1025));
    SHOW(readv(99, in, 1));
    SHOW(readv(fd, in, 0));
    SHOW(writev(99, vector, 1));
    SHOW(writev(fd, unmapped_address(), 1));
    SHOW(preadv(99, in, 1, 0));
    SHOW(pwritev(99, in, 1, 0));
    struct iovec huge[2] = {{one, SSIZE_MAX}, {two, SSIZE_MAX}};
    SHOW(writev(fd, huge, 2));
    // Bad pointers.
    SHOW(read(fd, unmapped_address(), 4));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(read(fd, unmapped_address(), 4));
    SHOW(write(fd, unmapped_address(), 4));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(read(fd, buffer, 0));
    SHOW(read(99, buffer, 1));
    SHOW(read(-1, buffer, 1));
    SHOW(write(99, buffer, 1));
    SHOW(pread(99, buffer, 1, 0));
    SHOW(pwrite(99, buffer, 1, 0));
    // Two descriptors of one open share the offset, two opens do not.
    int copy = dup(fd), other = open("offsets", O_RDONLY);
    lseek(fd, 7, SEEK_SET);
    SHOW(lseek(copy, 0, SEEK_CUR));
    SHOW(lseek(other, 0, SEEK_CUR));
    IN_CHILD("child seeks", lseek(fd, 9, SEEK_SET));
    SHOW(lseek(fd, 0, SEEK_CUR));
    close(copy);
    close(other);
    close(fd);
}

static void copies(void)
{
    write_file("source", "some text to be copied");
    int in = open("source", O_RDONLY), out = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0644);
    off_t offset = 5;
    SHOW(sendfile(out, in, &offset, 4));
    printf("offset %lld\n", (long long)offset);
    SHOW(sendfile(out, in, NULL, 100));
    SHOW(sendfile(out, in, NULL, 100));
    SHOW(sendfile(99, in, NULL, 1));
    SHOW(sendfile(out, 99, NULL, 1));
    show_file("copy");
    loff_t from = 0, to = 2;
    SHOW(copy_file_range(in, &from, out, &to, 4, 0));
    printf("%lld %lld\n", (long long)from, (long long)to);
    SHOW(copy_file_range(in, NULL, out, NULL, 4, 1));
    SHOW(copy_file_range(99, NULL, out, NULL, 4, 0));
    show_file("copy");
    SHOW(posix_fadvise(in, 0, 0, POSIX_FADV_SEQUENTIAL));
    SHOW(syscall(SYS_fadvise64, 99, 0, 0, 0));
    SHOW(syscall(SYS_readahead, in, 0, 100));
    SHOW(syscall(SYS_readahead, 99, 0, 100));
    SHOW(fsync(out));
    SHOW(fsync(99));
    SHOW(fdatasync(out));
    SHOW(fdatasync(99));
    SHOW(syncfs(out));
    SHOW(syncfs(99));
    SHOW(syscall(SYS_sync_file_range, out, 0L, 0L, 0));
    SHOW(syscall(SYS_sync_file_range, 99, 0L, 0L, 0));
    sync();
    close(in);
    close(out);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    flags();
    offsets();
    copies();
    return 0;
}
