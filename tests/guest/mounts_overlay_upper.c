// variants: dynamic
// mount(2) of overlay with an upper directory: copy-up, whiteouts, opaque directories and what of them is found in the upper
// directory; the same in a user namespace with userxattr.
#include "guest.h"
#include <dirent.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Names with type, mode, owner and size; "?" where the number of readdir is not that of stat.
static void list(const char *path)
{
    char *rows[64];
    int n = 0;
    DIR *dir = opendir(path);
    if (!dir) {
        printf("%s: %s\n", path, error_name(errno));
        return;
    }
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW);
        asprintf(&rows[n++], "%s %o %d:%d %ld%s%s", e->d_name, st.st_mode, (int)st.st_uid, (int)st.st_gid,
                 S_ISREG(st.st_mode) ? (long)st.st_size : 0,
                 S_ISCHR(st.st_mode) && st.st_rdev == 0 ? " whiteout" : "", st.st_ino == e->d_ino ? "" : "?");
    }
    closedir(dir);
    qsort(rows, (size_t)n, sizeof(rows[0]), compare);
    printf("%s:\n", path);
    for (int i = 0; i < n; i++)
        printf("  %s\n", rows[i]);
    fflush(stdout);
}

static void xattr(const char *path, const char *name)
{
    char value[64];
    ssize_t n = lgetxattr(path, name, value, sizeof(value));
    printf("%s %s: %s %.*s\n", path, name, n < 0 ? error_name(errno) : "", n < 0 ? 0 : (int)n, value);
}

static void lower_tree(const char *at)
{
    char old[PATH_MAX];
    getcwd(old, sizeof(old));
    if (chdir(at))
        return;
    mkdir("dir", 0750), mkdir("dir/sub", 0755), mkdir("gone", 0755), mkdir("empty", 0711),
        mkdir("deep", 0755), mkdir("deep/er", 0755);
    write_file("file", "a file"), write_file("other", "another"), write_file("dir/in", "in a directory"),
        write_file("gone/in", "gone"), write_file("deep/er/x", "x"), write_file("dir/sub/y", "y");
    write_file("linked", "two names"), link("linked", "linked2");
    symlink("file", "link"), mkfifo("fifo", 0640);
    chmod("other", 0604);
    truncate("big", 0);
    int fd = open("big", O_WRONLY | O_CREAT, 0644);
    pwrite(fd, "start", 5, 0), pwrite(fd, "end", 3, 300000);
    close(fd);
    chdir(old);
}

static void changes(void)
{
    struct stat before, st;
    struct timespec times[2] = {{1000, 5}, {2000, 7}};
    utimensat(AT_FDCWD, "l1/other", times, 0);
    utimensat(AT_FDCWD, "l1/dir", times, 0);
    // Attributes, contents, what is read through a file opened before.
    int fd = open("m/file", O_RDONLY);
    stat("m/file", &before);
    SHOW(chmod("m/file", 0600));
    stat("m/file", &st);
    TRUTH(st.st_ino == before.st_ino && st.st_dev == before.st_dev);
    write_file("m/file", "written");
    char text[32] = "";
    SHOW(pread(fd, text, sizeof(text), 0));
    puts(text);
    close(fd);
    SHOW(chown("m/other", 5, 6));
    stat("u/other", &st);
    printf("kept: %o %ld.%ld\n", st.st_mode, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    SHOW(setxattr("m/dir", "user.mine", "v", 1, 0));
    xattr("u/dir", "user.mine"), xattr("l1/dir", "user.mine");
    stat("m/dir", &st);
    printf("kept: %o %ld.%ld\n", st.st_mode, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    // Below a directory that is copied up with it.
    SHOW(truncate("m/deep/er/x", 3));
    fd = open("m/big", O_WRONLY | O_APPEND);
    SHOW(write(fd, "!", 1));
    SHOW(lseek(fd, 0, SEEK_END));
    close(fd);
    fd = open("m/big", O_RDONLY);
    SHOW(pread(fd, text, 6, 299999));
    printf("%d %.5s\n", text[0], text + 1);
    close(fd);
    // A mapping that writes.
    fd = open("m/dir/in", O_RDWR);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memcpy(map, "IN", 2);
    munmap(map, 4096);
    SHOW(pread(fd, text, 4, 0));
    printf("%.4s\n", text);
    SHOW(fallocate(fd, 0, 0, 100));
    SHOW(fsync(fd));
    close(fd);
    // Hard links below part when one is written; those of the merge do not.
    write_file("m/linked", "changed");
    show_file("m/linked2");
    SHOW(link("m/linked", "m/linked3"));
    write_file("m/linked3", "both");
    show_file("m/linked");
    stat("m/linked", &before), stat("m/linked3", &st);
    TRUTH(before.st_ino == st.st_ino && st.st_nlink == 2);
}

static void names(void)
{
    // New names, also where one was taken away.
    SHOW(unlink("m/file"));
    SHOW(access("m/file", F_OK));
    SHOW(open("m/file", O_RDONLY));
    SHOW(mkdir("m/file", 0755));
    SHOW(rmdir("m/file"));
    SHOW(symlink("nowhere", "m/file"));
    SHOW(rmdir("m/gone"));
    SHOW(unlink("m/gone/in"));
    SHOW(rmdir("m/gone"));
    SHOW(mkdir("m/gone", 0700));
    list("m/gone");
    SHOW(rmdir("m/empty"));
    SHOW(unlink("m/link"));
    SHOW(unlink("m/fifo"));
    SHOW(mknod("m/fifo2", S_IFIFO | 0600, 0));
    SHOW(mknod("m/white", S_IFCHR, makedev(0, 0)));
    SHOW(unlink("m/nothing"));
    SHOW(mkdir("m/dir", 0755));
    SHOW(mkdir("m/dir/new", 0755));
    // Renames: files, new directories, directories from below, what is in the way.
    SHOW(rename("m/other", "m/dir/moved"));
    SHOW(rename("m/dir", "m/dir2"));
    SHOW(rename("m/dir/sub", "m/sub2"));
    SHOW(rename("m/dir/new", "m/moved-dir"));
    SHOW(rename("m/moved-dir", "m/empty"));
    SHOW(rename("m/empty", "m/deep"));
    SHOW(rename("m/big", "m/linked2"));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "m/linked2", AT_FDCWD, "m/dir/in", RENAME_EXCHANGE));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "m/linked2", AT_FDCWD, "m/dir/in", RENAME_NOREPLACE));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "m/gone", AT_FDCWD, "m/linked2", RENAME_EXCHANGE));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "m/dir", AT_FDCWD, "m/linked2", RENAME_EXCHANGE));
    // A file without a name, and one that loses it while it is open.
    int fd = open("m", O_TMPFILE | O_RDWR, 0600);
    SHOW(write(fd, "temporary", 9));
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "m/named", AT_SYMLINK_FOLLOW));
    close(fd);
    fd = open("m/deep/er/x", O_RDWR);
    SHOW(unlink("m/deep/er/x"));
    SHOW(write(fd, "still", 5));
    SHOW(fchmod(fd, 0640));
    close(fd);
    SHOW(rmdir("m/deep/er"));
    list("m"), list("m/dir"), list("m/deep"), list("m/empty");
}

static void upper_shows(const char *prefix)
{
    char name[64];
    snprintf(name, sizeof(name), "%sopaque", prefix);
    list("u"), list("u/dir"), list("u/deep"), list("u/gone");
    xattr("u/gone", name), xattr("u/dir", name), xattr("u/empty", name);
    xattr("m/gone", name), xattr("m/empty", name);
    snprintf(name, sizeof(name), "%smine", prefix);
    SHOW(setxattr("m/gone", name, "1", 1, 0));
    xattr("m/gone", name), xattr("u/gone", name);
    snprintf(name, sizeof(name), "%soverlay.mine", prefix);
    xattr("u/gone", name);
}

static void tell_mount(void)
{
    static char line[4096];
    FILE *mounts = fopen("/proc/self/mounts", "r");
    while (fgets(line, sizeof(line), mounts))
        if (strncmp(line, "over ", 5) == 0)
            printf("upperdir %d, workdir %d, userxattr %d, rw %d\n", strstr(line, "upperdir=u") != NULL,
                   strstr(line, "workdir=w") != NULL, strstr(line, "userxattr") != NULL,
                   strstr(line, " overlay rw,") != NULL);
    fclose(mounts);
}

static void everything(const char *options, const char *prefix)
{
    if (SHOW(mount("over", "m", "overlay", 0, options)))
        return;
    tell_mount();
    list("m"), list("m/dir");
    changes();
    names();
    upper_shows(prefix);
    SHOW(umount("m"));
    // What was changed is there again.
    if (SHOW(mount("over", "m", "overlay", 0, options)))
        return;
    list("m"), list("m/dir"), list("m/deep"), list("m/gone");
    SHOW(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    SHOW(open("m/named", O_WRONLY));
    SHOW(umount("m"));
    list("w");
}

static void make_layers(void)
{
    mkdir("l1", 0755), mkdir("l2", 0755), mkdir("u", 0755), mkdir("w", 0755), mkdir("m", 0755);
    lower_tree("l1");
    mkdir("l2/dir", 0755), write_file("l2/dir/low", "lowest"), write_file("l2/file", "hidden");
    mkdir("l2/empty", 0755);
}

static void refused(void)
{
#define OVERLAY(data) (show_value("overlay " data, mount("over", "m", "overlay", 0, data)) ? 0 : umount("m"))
    OVERLAY("lowerdir=l1,upperdir=u");
    OVERLAY("lowerdir=l1,upperdir=u,workdir=u");
    OVERLAY("lowerdir=l1,upperdir=u,workdir=u/dir");
    OVERLAY("lowerdir=l1,upperdir=l1,workdir=w");
    OVERLAY("lowerdir=l1,upperdir=l1/dir,workdir=w");
    OVERLAY("lowerdir=l1,upperdir=u,workdir=l1/dir");
    OVERLAY("lowerdir=l1,upperdir=missing,workdir=w");
    OVERLAY("lowerdir=l1,upperdir=u,workdir=missing");
    OVERLAY("lowerdir=l1,upperdir=l1/file,workdir=w");
    OVERLAY("lowerdir=l1,upperdir=/proc,workdir=w");
    mkdir("t", 0755), mount("t", "t", "tmpfs", 0, NULL), mkdir("t/w", 0755);
    OVERLAY("lowerdir=l1,upperdir=u,workdir=t/w");
    mkdir("t/u", 0755), mount(NULL, "t", NULL, MS_REMOUNT | MS_RDONLY, NULL);
    OVERLAY("lowerdir=l1,upperdir=t/u,workdir=t/w");
    umount("t");
}

// Access control lists of a lower layer hold for who comes through the merge, are copied up and inherited.
static void lists(void)
{
    static const struct {
        uint32_t version;
        struct {
            uint16_t tag, perm;
            uint32_t id;
        } e[5];
    } acl = {2, {{1, 6, -1u}, {2, 6, 1001}, {4, 0, -1u}, {16, 6, -1u}, {32, 0, -1u}}};
    static const char access[] = "system.posix_acl_access", deflt[] = "system.posix_acl_default";
    char value[128];
    struct stat st;
    write_file("l1/listed", "for 1001"), mkdir("l1/listed-dir", 0777), chmod("l1/listed-dir", 0777);
    SHOW(setxattr("l1/listed", access, &acl, sizeof(acl), 0));
    SHOW(setxattr("l1/listed-dir", deflt, &acl, sizeof(acl), 0));
    if (mount("over", "m", "overlay", 0, "lowerdir=l1,upperdir=u,workdir=w"))
        return;
    SHOW(getxattr("m/listed", access, value, sizeof(value)));
    IN_CHILD("1002", setgid(1002), setuid(1002), SHOW(open("m/listed", O_RDONLY)));
    IN_CHILD("1001", setgid(1001), setuid(1001), SHOW(open("m/listed", O_RDWR) >= 0));
    SHOW(getxattr("u/listed", access, value, sizeof(value)));
    TRUTH(memcmp(value, &acl, sizeof(acl)) == 0);
    write_file("m/listed-dir/new", "inherits");
    SHOW(getxattr("u/listed-dir", deflt, value, sizeof(value)));
    SHOW(getxattr("u/listed-dir/new", access, value, sizeof(value)));
    SHOW(getxattr("m/listed-dir/new", access, value, sizeof(value)));
    SHOW(chmod("m/listed", 0640));
    stat("m/listed", &st);
    printf("%o\n", st.st_mode);
    IN_CHILD("1001", setgid(1001), setuid(1001), SHOW(open("m/listed", O_RDWR)));
    SHOW(removexattr("m/listed", access));
    SHOW(getxattr("m/listed", access, value, sizeof(value)));
    SHOW(umount("m"));
}

// What the merge still takes for two directories beside each other lies in one another in the upper layer by now.
static void moved_below(void)
{
    mkdir("u/a", 0755), mkdir("u/b", 0755);
    if (SHOW(mount("over", "m", "overlay", 0, "lowerdir=l1,upperdir=u,workdir=w")))
        return;
    SHOW(access("m/a", F_OK));
    SHOW(access("m/b", F_OK));
    SHOW(rename("u/b", "u/a/b"));
    SHOW(rename("m/a", "m/b/a"));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "m/a", AT_FDCWD, "m/b/a", RENAME_NOREPLACE));
    SHOW(umount("m"));
    list("u/a/b");
}

static void set_map(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        printf("%s: %s\n", path, error_name(errno));
    close(fd);
}

// As root of a namespace of one ordinary user.
static void in_a_user_namespace(void)
{
    mkdir("user", 0755), chown("user", 1000, 1000);
    if (chdir("user") || setgid(1000) || setuid(1000) || unshare(CLONE_NEWUSER | CLONE_NEWNS)) {
        printf("no user namespace\n");
        return;
    }
    prctl(PR_SET_DUMPABLE, 1); // its files in /proc are its own again
    set_map("/proc/self/setgroups", "deny");
    set_map("/proc/self/uid_map", "0 1000 1");
    set_map("/proc/self/gid_map", "0 1000 1");
    make_layers();
    if (SHOW(mount("over", "m", "overlay", 0, "lowerdir=l1:l2,upperdir=u,workdir=w,userxattr")))
        return;
    tell_mount();
    SHOW(chmod("m/file", 0600));
    SHOW(unlink("m/other"));
    SHOW(unlink("m/gone/in"));
    SHOW(rmdir("m/gone"));
    SHOW(mkdir("m/gone", 0755));
    SHOW(chown("m/file", 5, 5));
    list("m"), list("u"), xattr("u/gone", "user.overlay.opaque");
    SHOW(umount("m"));
    // Trusted attributes are not for this user: a directory cannot be made opaque.
    mkdir("u2", 0755), mkdir("w2", 0755);
    if (SHOW(mount("over", "m", "overlay", 0, "lowerdir=l1:l2,upperdir=u2,workdir=w2")))
        return;
    SHOW(unlink("m/other"));
    list("u2");
    SHOW(umount("m"));
    // What the mounter may not read is not to be had through the mount.
    mkdir("l3", 0755), mkdir("l3/a", 0755);
    SHOW(mount("over", "m", "overlay", 0, "lowerdir=../closed:l3,upperdir=u,workdir=w,userxattr"));
    SHOW(open("m/root-only", O_RDONLY));
    SHOW(chmod("m/root-only", 0777));
    list("m/shut");
    SHOW(mkdir("m/shut/x", 0755));
    SHOW(umount("m"));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (geteuid() != 0) {
        SHOW(mount("over", "m", "overlay", 0, "lowerdir=a,upperdir=b,workdir=c"));
        return 0;
    }
    mkdir("base", 0755);
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("base", "base", "tmpfs", 0, "mode=755") || chdir("base"))
        return 1;
    umask(022);
    make_layers();
    refused();
    everything("lowerdir=l1:l2,upperdir=u,workdir=w", "trusted.overlay.");
    mkdir("again", 0755);
    IN_CHILD("userxattr", chdir("again"), make_layers(),
             everything("userxattr,lowerdir=l1,upperdir=u,workdir=w", "user.overlay."));
    mkdir("acls", 0755);
    IN_CHILD("lists", chdir("acls"), make_layers(), lists());
    mkdir("moved", 0755);
    IN_CHILD("moved below", chdir("moved"), make_layers(), moved_below());
    mkdir("closed", 0755), write_file("closed/root-only", "secret"), chmod("closed/root-only", 0600);
    mkdir("closed/shut", 0700), write_file("closed/shut/in", "secret");
    IN_CHILD("user namespace", in_a_user_namespace());
    return 0;
}
