// variants: dynamic
// mount(2) and fsopen(2) of overlay without an upper directory: merged names, whiteouts, opaque directories, what is refused.
#include "guest.h"
#include <dirent.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define OVERLAY(data) show_value("overlay " data, mount("over", "o", "overlay", 0, data))

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    write(fd, text, strlen(text));
    close(fd);
}

static void read_file(const char *path)
{
    char text[64] = "";
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        printf("%s: %s\n", path, error_name(errno));
    else
        printf("%s: %zd [%s]\n", path, read(fd, text, sizeof(text) - 1), text);
    close(fd);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// The names in order; "?" behind one whose number or type stat(2) does not confirm.
static void list(const char *path)
{
    char *names[64];
    int n = 0;
    DIR *dir = opendir(path);
    for (int round = 0; round < 2; round++, rewinddir(dir))
        for (struct dirent *e; (e = readdir(dir));) {
            struct stat st;
            if (round == 0 || !strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
                continue;
            bool same = fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                        st.st_ino == e->d_ino && IFTODT(st.st_mode) == e->d_type;
            asprintf(&names[n++], "%s%s", e->d_name, same ? "" : "?");
        }
    closedir(dir);
    qsort(names, (size_t)n, sizeof(names[0]), compare);
    printf("%s:", path);
    for (int i = 0; i < n; i++)
        printf(" %s", names[i]);
    printf("\n");
}

static void layers(void)
{
    mkdir("o", 0755), mkdir("a", 0755), mkdir("b", 0750), mkdir("c", 0755), mkdir("c/in", 0755);
    mkdir("a/both", 0711), mkdir("b/both", 0755), mkdir("a/opaque", 0755), mkdir("b/opaque", 0755);
    mkdir("b/hidden", 0755), mkdir("b/below", 0755), mkdir("a/file-over-dir-not", 0755);
    put("a/x", "a's x"), put("b/x", "b's x"), put("b/y", "b's y"), put("c/z", "c's z"), put("b/gone", "gone");
    put("a/both/1", "1"), put("b/both/2", "2"), put("b/both/1", "b's 1"), put("b/opaque/no", "no");
    put("a/opaque/yes", "yes"), put("b/hidden/no", "no"), put("b/file-over-dir-not", "file"),
        put("c/in/deep", "deep");
    mkdir("c/both", 0755), put("c/both/3", "3"), put("c/gone", "gone too");
    SHOW(mknod("a/gone", S_IFCHR, makedev(0, 0)));
    SHOW(mknod("a/hidden", S_IFCHR, makedev(0, 0)));
    SHOW(setxattr("a/opaque", "trusted.overlay.opaque", "y", 1, 0));
    SHOW(setxattr("a/x", "trusted.mine", "v", 1, 0));
    symlink("y", "b/link");
    put("sub:colon", "");
    mkdir("d:e", 0755), put("d:e/colon", "colon");
}

static void merged(void)
{
    struct stat st;
    struct statfs fs;
    char text[256];
    OVERLAY("lowerdir=a:b:c");
    list("o"), list("o/both"), list("o/opaque"), list("o/file-over-dir-not"), list("o/in");
    read_file("o/x"), read_file("o/y"), read_file("o/z"), read_file("o/gone"), read_file("o/link");
    read_file("o/both/1"), read_file("o/both/2"), read_file("o/both/3"), read_file("o/opaque/no");
    read_file("o/hidden/no"), read_file("o/in/deep");
    stat("o/both", &st);
    printf("both %o %d\n", st.st_mode, (int)st.st_nlink);
    stat("o", &st);
    printf("root %o\n", st.st_mode);
    statfs("o", &fs);
    printf("type %lx, read-only %d\n", (long)fs.f_type, (fs.f_flags & MS_RDONLY) != 0);
    SHOW(getxattr("o/x", "trusted.mine", text, sizeof(text)));
    SHOW(getxattr("o/opaque", "trusted.overlay.opaque", text, sizeof(text)));
    SHOW(listxattr("o/opaque", text, sizeof(text)));
    // Nothing can be changed.
    SHOW(open("o/x", O_RDWR));
    SHOW(open("o/new", O_WRONLY | O_CREAT, 0600));
    SHOW(mkdir("o/new", 0700));
    SHOW(unlink("o/x"));
    SHOW(rename("o/x", "o/w"));
    SHOW(chmod("o/x", 0600));
    SHOW(truncate("o/x", 0));
    SHOW(setxattr("o/x", "trusted.mine", "w", 1, 0));
    SHOW(mount(NULL, "o", NULL, MS_REMOUNT, NULL));
    int fd = open("o/y", O_RDONLY);
    char *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    printf("mapped %.5s\n", map);
    munmap(map, 4096);
    SHOW(lseek(fd, 0, SEEK_END));
    close(fd);
    FILE *mounts = fopen("/proc/self/mounts", "r");
    while (fgets(text, sizeof(text), mounts))
        if (strncmp(text, "over ", 5) == 0) {
            printf("a read-only overlay %d, its layers %d\n", strstr(text, " overlay ro,") != NULL,
                   strstr(text, "lowerdir=a:b:c") != NULL || strstr(text, "lowerdir=") != NULL);
        }
    fclose(mounts);
    SHOW(umount("o"));
    OVERLAY("lowerdir=d\\:e:a");
    read_file("o/colon");
    SHOW(umount("o"));
}

static void refused(void)
{
    OVERLAY("");
    OVERLAY("lowerdir=a");
    OVERLAY("lowerdir=a:a");
    OVERLAY("lowerdir=c:c/in");
    OVERLAY("lowerdir=c/in:c");
    OVERLAY("lowerdir=a:missing");
    OVERLAY("lowerdir=a:b/x");
    OVERLAY("lowerdir=a:b,nonsense=1");
    OVERLAY("lowerdir=a:b,upperdir=c");
    OVERLAY("lowerdir=a:/proc");
    // Twice one upon the other, not three times.
    mkdir("o1", 0755), mkdir("o2", 0755);
    SHOW(mount("one", "o1", "overlay", 0, "lowerdir=a:b"));
    SHOW(mount("two", "o2", "overlay", 0, "lowerdir=o1:c"));
    read_file("o2/z"), read_file("o2/x"), list("o2/both");
    OVERLAY("lowerdir=o2:d\\:e");
    SHOW(umount("o2"));
    SHOW(umount("o1"));
}

static void by_steps(void)
{
    int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
    TRUTH(fs >= 0);
    SHOW(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", "steps", 0));
    SHOW(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "lowerdir", "a:b", 0));
    SHOW(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    int m = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
    TRUTH(m >= 0);
    SHOW(syscall(SYS_move_mount, m, "", AT_FDCWD, "o", MOVE_MOUNT_F_EMPTY_PATH));
    read_file("o/y");
    close(m), close(fs);
    SHOW(umount("o"));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (geteuid() != 0) {
        OVERLAY("lowerdir=a:b");
        return 0;
    }
    mkdir("base", 0755);
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("base", "base", "tmpfs", 0, NULL) || chdir("base"))
        return 1;
    layers();
    merged();
    refused();
    by_steps();
    return 0;
}
