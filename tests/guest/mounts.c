// variants: dynamic
// mount(2) and umount2(2): memory filesystems, binds, moves, remounts, flags, propagation, and mountinfo. An ordinary user may
// do none of it.
#include "guest.h"
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#define MOUNT(source, target, type, flags, data) \
    show_value("mount " #source " " #target " " #type " " #flags, mount(source, target, type, flags, data))
#define UMOUNT(target, flags) show_value("umount2 " #target " " #flags, umount2(target, flags))

static char here[PATH_MAX];

// The line of mountinfo for a place below the working directory, without numbers that differ from run to run.
static void show_mountinfo(const char *name)
{
    char line[2048], place[PATH_MAX + 300];
    FILE *f = fopen("/proc/self/mountinfo", "r");
    snprintf(place, sizeof(place), "%s/%s", here, name);
    bool found = false;
    while (f && fgets(line, sizeof(line), f)) {
        char root[512], at[1024], options[256], rest[512];
        if (sscanf(line, "%*d %*d %*s %511s %1023s %255s %511[^\n]", root, at, options, rest) != 4 ||
            strcmp(at, place) != 0)
            continue;
        found = true;
        char *tail = strstr(rest, "- "), groups[256] = "";
        char type[64] = "", source[64] = "", super[256] = "";
        if (!tail || sscanf(tail, "- %63s %63s %255s", type, source, super) != 3)
            printf("mountinfo: cut line\n");
        if (tail)
            *tail = 0;
        for (char *word = strtok(rest, " "); word; word = strtok(NULL, " ")) {
            strncat(groups,
                    strncmp(word, "shared:", 7) == 0   ? " shared"
                    : strncmp(word, "master:", 7) == 0 ? " master"
                                                       : word,
                    sizeof(groups) - 1 - strlen(groups));
        }
        const char *last = strrchr(root, '/');
        printf("mountinfo %s: root %s options %s groups%s, type %s source %s %s\n", name, last, options,
               groups, type, source, strncmp(super, "rw", 2) == 0 ? "rw" : "ro");
    }
    if (!found)
        printf("mountinfo %s: none\n", name);
    if (f)
        fclose(f);
    fflush(stdout);
}

static void show_flags(const char *what, const char *path)
{
    struct statfs st;
    if (statfs(path, &st))
        printf("%s: %s\n", what, error_name(errno));
    else
        printf(
            "%s: type %lx flags %lx\n", what, (long)st.f_type,
            (long)(st.f_flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME)));
    fflush(stdout);
}

static void memory(void)
{
    mkdir("m", 0755);
    write_file("m/below", "below");
    MOUNT("mem", "m", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=750,nr_inodes=20");
    struct stat st;
    stat("m", &st);
    printf("mode %o\n", st.st_mode);
    SHOW(access("m/below", F_OK));
    show_mountinfo("m");
    show_flags("m", "m");
    write_file("m/file", "text");
    // Limits.
    int fd = open("m/big", O_RDWR | O_CREAT, 0600);
    char page[4096];
    memset(page, 'x', sizeof(page));
    int pages = 0;
    while (write(fd, page, sizeof(page)) == sizeof(page))
        pages++;
    printf("pages written: %d then %s\n", pages, error_name(errno));
    close(fd);
    unlink("m/big");
    int made = 0;
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof(name), "m/n%d", i);
        fd = open(name, O_RDWR | O_CREAT, 0600);
        if (fd < 0) {
            printf("inodes: after %d %s\n", made, error_name(errno));
            break;
        }
        made++;
        close(fd);
    }
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof(name), "m/n%d", i);
        unlink(name);
    }
    // Nothing can be linked or renamed over the edge.
    SHOW(link("m/file", "outside"));
    SHOW(rename("m/file", "outside"));
    SHOW(rmdir("m"));
    SHOW(rename("m", "moved-name"));
    SHOW(unlink("m"));
    // Remounts.
    MOUNT(NULL, "m", NULL, MS_REMOUNT, "size=128k");
    MOUNT(NULL, "m", NULL, MS_REMOUNT, "size=wrong");
    MOUNT(NULL, "m", NULL, MS_REMOUNT, "unknown=1");
    fd = open("m/file", O_RDWR);
    MOUNT(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL);
    MOUNT(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
    close(fd);
    MOUNT(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOATIME, NULL);
    show_mountinfo("m");
    SHOW(open("m/new", O_RDWR | O_CREAT, 0600));
    SHOW(open("m/file", O_RDWR));
    SHOW(mkdir("m/dir", 0700));
    SHOW(chmod("m/file", 0600));
    SHOW(unlink("m/file"));
    SHOW(access("m/file", W_OK));
    SHOW(truncate("m/file", 0));
    MOUNT(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL);
    show_mountinfo("m");
    MOUNT(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL);
    SHOW(open("m/new", O_RDWR | O_CREAT, 0600));
    MOUNT(NULL, "m", NULL, MS_REMOUNT | MS_STRICTATIME, NULL);
    show_mountinfo("m");
    MOUNT("mem", "m/nothing", "tmpfs", 0, NULL);
    MOUNT("mem", "m/file", "tmpfs", 0, NULL);
    MOUNT("mem", "m", "nosuchfs", 0, NULL);
    MOUNT("mem", "m", NULL, 0, NULL);
    MOUNT("mem", "m", "tmpfs", 0, "size=wrong");
    MOUNT("mem", "m", "tmpfs", 0, "nonsense");
    show_value("bad pointer", mount("x", (void *)1, "tmpfs", 0, NULL));
    // Busy, then free.
    fd = open("m/file", O_RDONLY);
    UMOUNT("m", 0);
    UMOUNT("m", MNT_DETACH);
    SHOW(access("m/below", F_OK));
    SHOW(read(fd, page, 4));
    close(fd);
    UMOUNT("m", 0);
    UMOUNT("missing", 0);
    UMOUNT("m", 1 << 20);
    show_mountinfo("m");
}

static void flags(void)
{
    mkdir("f", 0755);
    MOUNT("mem", "f", "tmpfs", MS_NOEXEC, NULL);
    int fd = open("f/script", O_RDWR | O_CREAT, 0755);
    if (write(fd, "#!/bin/sh\nexit 3\n", 17) != 17)
        perror("write");
    close(fd);
    SHOW(access("f/script", X_OK));
    IN_CHILD("noexec", execl("f/script", "script", NULL), printf("execl: %s\n", error_name(errno)));
    fd = open("f/script", O_RDONLY);
    show_success("map for execution", (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
    close(fd);
    MOUNT(NULL, "f", NULL, MS_REMOUNT | MS_BIND, NULL);
    SHOW(access("f/script", X_OK));
    IN_CHILD("exec", execl("f/script", "script", NULL), printf("execl: %s\n", error_name(errno)));
    SHOW(mknod("f/null", S_IFCHR | 0666, makedev(1, 3)));
    fd = open("f/null", O_RDWR);
    show_success("device", fd);
    close(fd);
    MOUNT(NULL, "f", NULL, MS_REMOUNT | MS_BIND | MS_NODEV, NULL);
    SHOW(open("f/null", O_RDWR));
    symlink("script", "f/link");
    SHOW(access("f/link", R_OK));
    MOUNT(NULL, "f", NULL, MS_REMOUNT | MS_BIND | MS_NODEV | 256 /* MS_NOSYMFOLLOW */, NULL);
    SHOW(access("f/link", R_OK));
    char text[16];
    SHOW(readlink("f/link", text, sizeof(text)));
    UMOUNT("f", UMOUNT_NOFOLLOW);
}

static void binds(void)
{
    mkdir("b", 0755);
    mkdir("b/sub", 0755);
    mkdir("b/sub/deep", 0755);
    mkdir("c", 0755);
    write_file("b/sub/file", "in b");
    write_file("target", "target");
    MOUNT("b/sub", "c", NULL, MS_BIND, NULL);
    show_file("c/file");
    show_mountinfo("c");
    struct stat one, two;
    stat("b/sub", &one);
    stat("c", &two);
    TRUTH(one.st_ino == two.st_ino && one.st_dev == two.st_dev);
    SHOW(rename("c/file", "b/sub/renamed"));
    SHOW(link("c/file", "b/sub/linked"));
    SHOW(rename("c/file", "c/renamed"));
    show_file("b/sub/renamed");
    MOUNT(NULL, "c", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
    SHOW(open("c/renamed", O_RDWR));
    SHOW(close(open("b/sub/renamed", O_RDWR)));
    // Of files; of different types.
    MOUNT("b/sub/renamed", "target", NULL, MS_BIND, NULL);
    show_file("target");
    MOUNT("b", "target", NULL, MS_BIND, NULL);
    MOUNT("target", "b", NULL, MS_BIND, NULL);
    MOUNT("", "b", NULL, MS_BIND, NULL);
    MOUNT("missing", "b", NULL, MS_BIND, NULL);
    SHOW(unlink("target"));
    UMOUNT("target", 0);
    show_file("target");
    UMOUNT("c", 0);
    // Recursive and not.
    MOUNT("mem", "b/sub/deep", "tmpfs", 0, NULL);
    write_file("b/sub/deep/inner", "inner");
    MOUNT("b", "c", NULL, MS_BIND, NULL);
    SHOW(access("c/sub/deep/inner", F_OK));
    UMOUNT("c", 0);
    MOUNT("b", "c", NULL, MS_BIND | MS_REC, NULL);
    SHOW(access("c/sub/deep/inner", F_OK));
    show_mountinfo("c/sub/deep");
    UMOUNT("c", 0);
    UMOUNT("c", MNT_DETACH);
    show_mountinfo("c/sub/deep");
    // Moves.
    mkdir("d", 0755);
    MOUNT("b/sub/deep", "d", NULL, MS_MOVE, NULL);
    show_mountinfo("b/sub/deep");
    show_mountinfo("d");
    show_file("d/inner");
    mkdir("d/in", 0755);
    MOUNT("d", "d/in", NULL, MS_MOVE, NULL);
    MOUNT("b", "c", NULL, MS_MOVE, NULL);
    MOUNT("d", "target", NULL, MS_MOVE, NULL);
    // A mount over a mount, and what lies below.
    MOUNT("mem2", "d", "tmpfs", 0, NULL);
    SHOW(access("d/inner", F_OK));
    UMOUNT("d", 0);
    SHOW(access("d/inner", F_OK));
    UMOUNT("d", MNT_EXPIRE);
    UMOUNT("d", MNT_EXPIRE);
    show_mountinfo("d");
    UMOUNT("d", MNT_EXPIRE | MNT_DETACH);
    // The working directory of somebody keeps a mount.
    MOUNT("mem", "d", "tmpfs", 0, NULL);
    SHOW(chdir("d"));
    UMOUNT("../d", 0);
    SHOW(chdir(".."));
    UMOUNT("d", 0);
}

static void propagation(void)
{
    mkdir("p", 0755);
    mkdir("q", 0755);
    mkdir("r", 0755);
    MOUNT("mem", "p", "tmpfs", 0, NULL);
    mkdir("p/x", 0755);
    MOUNT(NULL, "p", NULL, MS_SHARED, NULL);
    MOUNT(NULL, "p/x", NULL, MS_SHARED, NULL);
    MOUNT(NULL, "p", NULL, MS_SHARED | MS_PRIVATE, NULL);
    MOUNT("p", "q", NULL, MS_BIND, NULL);
    MOUNT("p", "r", NULL, MS_BIND, NULL);
    MOUNT(NULL, "r", NULL, MS_SLAVE, NULL);
    show_mountinfo("p");
    show_mountinfo("q");
    show_mountinfo("r");
    MOUNT("inner", "p/x", "tmpfs", 0, NULL);
    show_mountinfo("p/x");
    show_mountinfo("q/x");
    show_mountinfo("r/x");
    UMOUNT("q/x", 0);
    show_mountinfo("p/x");
    show_mountinfo("r/x");
    MOUNT("inner", "r/x", "tmpfs", 0, NULL);
    show_mountinfo("p/x");
    UMOUNT("r/x", 0);
    MOUNT(NULL, "q", NULL, MS_PRIVATE, NULL);
    MOUNT("inner", "p/x", "tmpfs", 0, NULL);
    show_mountinfo("q/x");
    show_mountinfo("r/x");
    MOUNT("p/x", "q", NULL, MS_MOVE, NULL);
    MOUNT(NULL, "r", NULL, MS_SHARED, NULL);
    show_mountinfo("r");
    UMOUNT("p", MNT_DETACH);
    show_mountinfo("r");
    MOUNT(NULL, "q", NULL, MS_UNBINDABLE, NULL);
    show_mountinfo("q");
    MOUNT("q", "p", NULL, MS_BIND, NULL);
    UMOUNT("q", MNT_DETACH);
    UMOUNT("r", MNT_DETACH);
}

static void kinds(void)
{
    mkdir("k", 0755);
    MOUNT("proc", "k", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    SHOW(access("k/self/status", R_OK));
    show_mountinfo("k");
    MOUNT("proc", "k", "proc", 0, NULL);
    UMOUNT("k", 0);
    MOUNT("proc", "k", "proc", 0, "nonsense=1");
    MOUNT("sysfs", "k", "sysfs", 0, NULL);
    MOUNT("sysfs", "k", "sysfs", 0, NULL);
    SHOW(access("k/class", R_OK));
    UMOUNT("k", 0);
    MOUNT("devpts", "k", "devpts", 0, "mode=620,ptmxmode=666,gid=5");
    SHOW(access("k/ptmx", R_OK | W_OK));
    UMOUNT("k", 0);
}

int main(void)
{
    if (!getcwd(here, sizeof(here)))
        return 1;
    if (geteuid() != 0) {
        mkdir("m", 0755);
        MOUNT("mem", "m", "tmpfs", 0, NULL);
        MOUNT("mem", "missing", "tmpfs", 0, NULL);
        UMOUNT("m", 0);
        UMOUNT("missing", 0);
        return 0;
    }
    // A filesystem of our own: what the working directory is on differs from run to run.
    mkdir("base", 0755);
    MOUNT("base", "base", "tmpfs", 0, NULL);
    if (chdir("base") || !getcwd(here, sizeof(here)))
        return 1;
    memory();
    flags();
    binds();
    propagation();
    kinds();
    return 0;
}
