// variants: dynamic
// Corners of the calls on files: RESOLVE_ flags, O_TMPFILE and its link, O_DIRECT, flags of preadv2 and pwritev2, modes of
// fallocate, holes, copy_file_range, sync calls, leases, limits of names.
#include "guest.h"
#include <limits.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/uio.h>

static long open2(int dir, const char *name, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
    if (fd >= 0)
        close((int)fd);
    return fd >= 0 ? 0 : fd;
}
#define OPEN2(...) show_value("openat2 " #__VA_ARGS__, open2(__VA_ARGS__))

static void resolve(void)
{
    mkdir("r", 0755);
    mkdir("r/in", 0755);
    write_file("r/in/file", "x");
    symlink("in/file", "r/link");
    symlink("/etc/passwd", "r/absolute");
    symlink("../outside", "r/up");
    symlink("in", "r/dirlink");
    write_file("outside", "o");
    int dir = open("r", O_RDONLY | O_DIRECTORY);
    const uint64_t kinds[] = {
        0, RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        printf("resolve %d\n", (int)kinds[i]);
        OPEN2(dir, "in/file", O_RDONLY, 0, kinds[i]);
        OPEN2(dir, "link", O_RDONLY, 0, kinds[i]);
        OPEN2(dir, "dirlink/file", O_RDONLY, 0, kinds[i]);
        OPEN2(dir, "up", O_RDONLY, 0, kinds[i]);
        OPEN2(dir, "../outside", O_RDONLY, 0, kinds[i]);
        OPEN2(dir, "in/../in/file", O_RDONLY, 0, kinds[i]);
        OPEN2(dir, "..", O_RDONLY, 0, kinds[i]);
        OPEN2(dir, "link", O_RDONLY | O_NOFOLLOW, 0, kinds[i]);
        OPEN2(dir, "link", O_PATH | O_NOFOLLOW, 0, kinds[i]);
        OPEN2(dir, "missing", O_RDONLY, 0, kinds[i]);
    }
    OPEN2(dir, "absolute", O_RDONLY, 0, RESOLVE_BENEATH);
    OPEN2(dir, "absolute", O_RDONLY, 0, RESOLVE_IN_ROOT);
    OPEN2(dir, "/in/file", O_RDONLY, 0, RESOLVE_IN_ROOT);
    OPEN2(dir, "/in/file", O_RDONLY, 0, RESOLVE_BENEATH);
    OPEN2(dir, "/proc/self/fd/0", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS);
    OPEN2(dir, "/proc/self/comm", O_RDONLY, 0, RESOLVE_NO_XDEV);
    OPEN2(dir, "new", O_RDWR | O_CREAT, 0600, RESOLVE_BENEATH);
    OPEN2(dir, "new", O_RDONLY, 0600, 0);
    OPEN2(dir, "new", O_RDWR | O_CREAT, 010000, 0);
    OPEN2(dir, "new", 1ull << 40, 0, 0);
    OPEN2(dir, "new", O_RDONLY, 0, 1ull << 20);
    OPEN2(dir, "new", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT);
    OPEN2(dir, "new", O_PATH | O_RDWR, 0, 0);
    struct open_how how = {0};
    SHOW(syscall(SYS_openat2, dir, "new", &how, 8));
    SHOW(syscall(SYS_openat2, dir, "new", NULL, sizeof(how)));
    close(dir);
}

static void temporary(void)
{
    int fd = open(".", O_TMPFILE | O_RDWR, 0640);
    show_success("O_TMPFILE", fd);
    struct stat st;
    fstat(fd, &st);
    printf("mode %o links %d\n", st.st_mode, (int)st.st_nlink);
    SHOW(write(fd, "hidden", 6));
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "appeared", AT_SYMLINK_FOLLOW));
    show_file("appeared");
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "again", AT_SYMLINK_FOLLOW));
    SHOW(linkat(fd, "", AT_FDCWD, "third", AT_EMPTY_PATH) == 0 || errno == ENOENT);
    close(fd);
    fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0640);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "never", AT_SYMLINK_FOLLOW));
    close(fd);
    SHOW(open(".", O_TMPFILE | O_RDONLY, 0600));
    SHOW(open("appeared", O_TMPFILE | O_RDWR, 0600));
    SHOW(open("missing", O_TMPFILE | O_RDWR, 0600));
    // Unlinked files cannot be linked again.
    fd = open("gone", O_RDWR | O_CREAT, 0600);
    unlink("gone");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "back", AT_SYMLINK_FOLLOW));
    close(fd);
}

static void vectors(void)
{
    char a[8] = "", b[8] = "";
    struct iovec v[2] = {{a, 4}, {b, 4}};
    int fd = open("v", O_RDWR | O_CREAT | O_TRUNC, 0600);
    SHOW(pwritev2(fd, (struct iovec[]){{"12345678", 8}}, 1, 0, 0));
    SHOW(preadv2(fd, v, 2, 0, 0));
    printf("%.4s %.4s\n", a, b);
    SHOW(lseek(fd, 2, SEEK_SET));
    SHOW(preadv2(fd, v, 2, -1, 0));
    printf("%.4s %.4s at %ld\n", a, b, (long)lseek(fd, 0, SEEK_CUR));
    SHOW(pwritev2(fd, (struct iovec[]){{"AB", 2}}, 1, 0, RWF_APPEND));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(pwritev2(fd, (struct iovec[]){{"C", 1}}, 1, 0, RWF_DSYNC));
    SHOW(pwritev2(fd, (struct iovec[]){{"C", 1}}, 1, 0, RWF_SYNC));
    SHOW(preadv2(fd, v, 2, 0, RWF_HIPRI));
    SHOW(preadv2(fd, v, 2, 0, 1 << 20));
    SHOW(preadv2(fd, v, 2, 0, RWF_APPEND));
    SHOW(preadv2(fd, v, 2, -2, 0));
    SHOW(preadv(fd, v, 2, -1));
    SHOW(preadv2(fd, v, -1, 0, 0));
    SHOW(preadv2(fd, v, 0, 0, 0));
    SHOW(preadv2(fd, NULL, 2, 0, 0));
    SHOW(pwritev2(fd, (struct iovec[]){{"x", -1ul}}, 1, 0, 0));
    int pipes[2];
    SHOW(pipe(pipes));
    SHOW(preadv2(pipes[0], v, 1, -1, RWF_NOWAIT));
    SHOW(preadv2(pipes[0], v, 1, 0, 0));
    SHOW(pread(pipes[0], a, 1, 0));
    close(fd);
}

static void show_holes(int fd)
{
    struct stat st;
    fstat(fd, &st);
    printf("size %lld:", (long long)st.st_size);
    for (off_t at = 0; at < st.st_size;) {
        off_t data = lseek(fd, at, SEEK_DATA);
        if (data < 0)
            break;
        at = lseek(fd, data, SEEK_HOLE);
        printf(" %lld-%lld", (long long)data, (long long)at);
    }
    printf(" end %s\n", lseek(fd, st.st_size, SEEK_DATA) < 0 ? error_name(errno) : "data");
    fflush(stdout);
}

static void holes(void)
{
    char *block = malloc(65536);
    memset(block, 'h', 65536);
    int fd = open("h", O_RDWR | O_CREAT | O_TRUNC, 0600);
    show_holes(fd);
    SHOW(pwrite(fd, block, 65536, 65536));
    SHOW(pwrite(fd, block, 65536, 65536 * 4));
    show_holes(fd);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536 + 4096, 8192));
    show_holes(fd);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096));
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 20));
    struct stat st;
    fstat(fd, &st);
    printf("size %lld blocks %s\n", (long long)st.st_size,
           st.st_blocks >= (1 << 20) / 512 ? "taken" : "not taken");
    SHOW(fallocate(fd, 0, 0, 1 << 20));
    fstat(fd, &st);
    printf("size %lld\n", (long long)st.st_size);
    SHOW(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 100));
    SHOW(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 100));
    SHOW(fallocate(fd, 1 << 20, 0, 100));
    SHOW(fallocate(fd, 0, -1, 100));
    SHOW(fallocate(fd, 0, 0, 0));
    SHOW(fallocate(fd, 0, INT64_MAX - 10, 100));
    SHOW(fallocate(99, 0, 0, 100));
    SHOW(lseek(fd, 1 << 21, SEEK_DATA));
    SHOW(lseek(fd, -1, SEEK_HOLE));
    SHOW(lseek(fd, 0, 99));
    int ro = open("h", O_RDONLY);
    SHOW(fallocate(ro, 0, 0, 100));
    close(ro);
    int out = open("h2", O_RDWR | O_CREAT | O_TRUNC, 0600);
    off_t from = 65536, to = 10;
    SHOW(copy_file_range(fd, &from, out, &to, 5000, 0));
    printf("%lld %lld\n", (long long)from, (long long)to);
    SHOW(copy_file_range(fd, &from, out, NULL, 100, 1));
    from = 0, to = 100;
    SHOW(copy_file_range(fd, &from, fd, &to, 1000, 0));
    from = 1 << 22;
    SHOW(copy_file_range(fd, &from, out, NULL, 100, 0));
    int append = open("h2", O_WRONLY | O_APPEND);
    SHOW(copy_file_range(fd, NULL, append, NULL, 100, 0));
    SHOW(copy_file_range(append, NULL, out, NULL, 100, 0));
    int dir = open(".", O_RDONLY);
    SHOW(copy_file_range(dir, NULL, out, NULL, 100, 0));
    SHOW(fsync(dir));
    SHOW(fdatasync(out));
    SHOW(syncfs(dir));
    SHOW(sync_file_range(out, 0, 100, 7));
    SHOW(sync_file_range(out, 0, 100, 8));
    SHOW(posix_fadvise(out, 0, 0, POSIX_FADV_DONTNEED));
    SHOW(posix_fadvise(out, 0, 0, 77));
    SHOW(readahead(ro = open("h", O_RDONLY), 0, 100));
    SHOW(readahead(append, 0, 100));
    free(block);
}

static void direct(void)
{
    void *aligned;
    if (posix_memalign(&aligned, 4096, 8192))
        return;
    memset(aligned, 'd', 8192);
    int fd = open("d", O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
    show_success("O_DIRECT", fd);
    SHOW(write(fd, aligned, 8192));
    SHOW(pread(fd, aligned, 4096, 4096));
    SHOW(!!(fcntl(fd, F_GETFL) & O_DIRECT));
    SHOW(fcntl(fd, F_SETFL, 0));
    SHOW(!!(fcntl(fd, F_GETFL) & O_DIRECT));
    close(fd);
    free(aligned);
}

static void names(void)
{
    char name[5000];
    memset(name, 'n', sizeof(name));
    name[255] = 0;
    SHOW(close(open(name, O_CREAT | O_RDWR, 0600)));
    SHOW(unlink(name));
    name[255] = 'n';
    name[256] = 0;
    SHOW(open(name, O_CREAT | O_RDWR, 0600));
    SHOW(mkdir(name, 0700));
    SHOW(symlink(name, "toolong"));
    SHOW(open("toolong", O_RDONLY));
    name[256] = 'n';
    name[4999] = 0;
    SHOW(open(name, O_RDONLY));
    SHOW(symlink(name, "longer"));
    for (int i = 0; i < 4094; i += 2)
        memcpy(name + i, "./", 2);
    name[4094] = '.';
    name[4095] = 0;
    SHOW(access(name, F_OK));
    name[4095] = '/';
    name[4096] = 0;
    SHOW(access(name, F_OK));
    symlink("loop2", "loop1");
    symlink("loop1", "loop2");
    SHOW(open("loop1", O_RDONLY));
    SHOW(stat("loop1/x", &(struct stat){0}));
    write_file("plain", "p");
    SHOW(access("plain/", F_OK));
    SHOW(access("plain/.", F_OK));
    SHOW(access("plain/..", F_OK));
    SHOW(mkdir("slash/", 0700));
    SHOW(rename("plain", "slash/"));
    SHOW(rename("slash", "plain"));
    SHOW(rename("slash", "slash/inside"));
    SHOW(rename(".", "dot"));
    SHOW(rename("slash", ".."));
    SHOW(rmdir("slash/."));
    SHOW(unlink("slash"));
    SHOW(unlink("plain/"));
    SHOW(link("plain", "slash"));
    SHOW(link("slash", "hard"));
    SHOW(symlink("", "empty"));
    SHOW(mkdir("", 0700));
    SHOW(rmdir("slash/"));
}

static void leases(void)
{
    int fd = open("plain", O_RDONLY);
    SHOW(fcntl(fd, F_GETLEASE));
    SHOW(fcntl(fd, F_SETLEASE, 99));
    SHOW(fcntl(fd, F_SETLEASE, F_UNLCK));
    close(fd);
    int dir = open(".", O_RDONLY);
    SHOW(fcntl(dir, F_NOTIFY, 0));
    SHOW(fcntl(dir, F_NOTIFY, 0));
    fd = open("plain", O_RDONLY);
    SHOW(fcntl(fd, F_NOTIFY, DN_CREATE));
    close(fd);
    close(dir);
}

static void handles(void)
{
    union {
        struct file_handle h;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } a, b;
    int mount_a = -1, mount_b = -2;
    a.h.handle_bytes = 0;
    SHOW(name_to_handle_at(AT_FDCWD, "plain", &a.h, &mount_a, 0));
    printf("needs %s\n", a.h.handle_bytes >= 8 ? "some bytes" : "nothing");
    a.h.handle_bytes = b.h.handle_bytes = MAX_HANDLE_SZ;
    SHOW(name_to_handle_at(AT_FDCWD, "plain", &a.h, &mount_a, 0));
    int fd = open("plain", O_RDONLY);
    SHOW(name_to_handle_at(fd, "", &b.h, &mount_b, AT_EMPTY_PATH));
    TRUTH(a.h.handle_bytes == b.h.handle_bytes && mount_a == mount_b &&
          memcmp(a.h.f_handle, b.h.f_handle, a.h.handle_bytes) == 0);
    close(fd);
    b.h.handle_bytes = MAX_HANDLE_SZ;
    SHOW(name_to_handle_at(AT_FDCWD, "slash", &b.h, &mount_b, 0));
    TRUTH(memcmp(a.h.f_handle, b.h.f_handle, a.h.handle_bytes) != 0);
    b.h.handle_bytes = MAX_HANDLE_SZ + 1;
    SHOW(name_to_handle_at(AT_FDCWD, "plain", &b.h, &mount_b, 0));
    b.h.handle_bytes = MAX_HANDLE_SZ;
    SHOW(name_to_handle_at(AT_FDCWD, "missing", &b.h, &mount_b, 0));
    SHOW(name_to_handle_at(AT_FDCWD, "plain", &b.h, &mount_b, 0x10000));
    SHOW(name_to_handle_at(AT_FDCWD, "/proc/self/comm", &b.h, &mount_b, 0));
    SHOW(name_to_handle_at(AT_FDCWD, "plain", NULL, &mount_b, 0));
    SHOW(name_to_handle_at(AT_FDCWD, "plain", &b.h, NULL, 0));
}

int main(void)
{
    if (geteuid() == 0) {
        mkdir("base", 0755);
        if (mount("base", "base", "tmpfs", 0, NULL) || chdir("base"))
            return 1;
    }
    umask(022);
    resolve();
    temporary();
    vectors();
    holes();
    direct();
    names();
    leases();
    handles();
    return 0;
}
