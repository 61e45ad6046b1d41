// variants: dynamic static
// The mqueue filesystem: queues as files, their permissions, one for each IPC namespace, its limits and RLIMIT_MSGQUEUE.
#include "guest.h"
#include <dirent.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/vfs.h>

static char dir[64], dir2[64];

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void list(const char *path)
{
    struct dirent **names;
    int n = scandir(path, &names, NULL, by_name);
    printf("%d names:", n);
    for (int i = 0; i < n; i++) {
        printf(" %s%s", names[i]->d_name,
               names[i]->d_type == DT_DIR   ? "/"
               : names[i]->d_type == DT_REG ? ""
                                            : "?");
        free(names[i]);
    }
    printf("\n");
    if (n >= 0)
        free(names);
}

static const char *in(const char *name)
{
    static char path[4][160];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, 160, "%s/%s", dir, name);
    return p;
}

static void show_stat(const char *path)
{
    struct stat st;
    if (stat(path, &st))
        printf("stat: %s\n", error_name(errno));
    else
        printf("mode %o, uid %u, size %ld, links %ld, blocks %ld\n", st.st_mode, st.st_uid, (long)st.st_size,
               (long)st.st_nlink, (long)st.st_blocks);
}

static void show_line(const char *path)
{
    char text[128] = "";
    int fd = open(path, O_RDONLY);
    SHOW(read(fd, text, sizeof(text) - 1));
    printf("%s", text);
    close(fd);
}

static mqd_t make(const char *name, long maxmsg, long msgsize)
{
    struct mq_attr a = {.mq_maxmsg = maxmsg, .mq_msgsize = msgsize};
    return mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &a);
}

static void files(void)
{
    char text[8192], link[256] = "", self[64];
    show_stat(dir);
    mqd_t q = make("/one", 10, 100);
    TRUTH(q >= 0);
    list(dir);
    show_stat(dir);
    show_stat(in("one"));
    show_line(in("one"));
    mq_send(q, "12345", 5, 0);
    mq_send(q, "678", 3, 9);
    show_line(in("one"));
    snprintf(self, sizeof(self), "/proc/self/fd/%d", q);
    readlink(self, link, sizeof(link) - 1);
    printf("its name: %s\n", link);
    // A file that is opened is a queue as well.
    int fd = open(in("one"), O_RDWR);
    SHOW(mq_receive(fd, text, sizeof(text), NULL));
    char part[9] = "";
    SHOW(pread(fd, part, 8, 4));
    printf("%s\n", part);
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(read(fd, part, 8));
    SHOW(write(fd, "x", 1));
    SHOW(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    SHOW(poll(&p, 1, 0));
    printf("revents %#x\n", p.revents);
    close(fd);
    // What the directory takes and what not.
    SHOW(close(open(in("two"), O_CREAT | O_RDWR, 0644)));
    mqd_t two = mq_open("/two", O_RDWR);
    struct mq_attr a;
    SHOW(mq_getattr(two, &a));
    printf("%ld of %ld\n", a.mq_maxmsg, a.mq_msgsize);
    SHOW(mknod(in("three"), S_IFREG | 0600, 0));
    SHOW(mknod(in("fifo"), S_IFIFO | 0600, 0));
    SHOW(mkdir(in("dir"), 0700));
    SHOW(symlink("one", in("link")));
    SHOW(rename(in("one"), in("uno")));
    SHOW(truncate(in("two"), 10));
    show_stat(in("two"));
    SHOW(close(open(in("two"), O_RDWR | O_TRUNC)));
    show_stat(in("two"));
    list(dir);
    SHOW(unlink(in("two")));
    SHOW(mq_open("/two", O_RDWR));
    SHOW(mq_send(two, "still there", 11, 0));
    SHOW(rmdir(in("one")));
    SHOW(mq_unlink("/three"));
    SHOW(unlink(in("three")));
    list(dir);
    struct statfs f;
    SHOW(statfs(dir, &f));
    printf("type %#lx, block size %ld, blocks %ld, name length %ld\n", (long)f.f_type, (long)f.f_bsize,
           (long)f.f_blocks, (long)f.f_namelen);
    mq_close(two);
    mq_close(q);
    mq_unlink("/one");
}

static void mounts(void)
{
    // Another mount of the same.
    SHOW(mount("queues", dir2, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    SHOW(mount("queues", dir2, "mqueue", 0, "size=1"));
    mqd_t q = make("/both", 1, 1);
    list(dir2);
    struct stat a, b, c;
    stat(dir, &a);
    stat(dir2, &b);
    fstat(q, &c);
    TRUTH(a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_dev == c.st_dev);
    SHOW(mount(NULL, dir2, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    char path[128];
    snprintf(path, sizeof(path), "%s/both", dir2);
    SHOW(unlink(path));
    SHOW(open(path, O_RDWR));
    SHOW(umount(dir2));
    char line[256];
    FILE *m = fopen("/proc/self/mounts", "r");
    while (m && fgets(line, sizeof(line), m))
        if (strstr(line, dir))
            printf("mounts: %s, %s\n", strstr(line, " mqueue rw") ? "an mqueue" : "SOMETHING ELSE",
                   strncmp(line, "queues ", 7) == 0 ? "queues" : "ANOTHER SOURCE");
    fclose(m);
    mq_close(q);
    mq_unlink("/both");
}

static void namespaces(void)
{
    mqd_t q = make("/mine", 2, 10), there = -1;
    IN_CHILD("fresh namespace", {
        SHOW(unshare(CLONE_NEWIPC));
        SHOW(mq_open("/mine", O_RDWR));
        SHOW(mq_send(q, "from afar", 9, 0)); // its descriptor goes on
        there = make("/theirs", 2, 10);
        TRUTH(there >= 0);
        list(dir); // mounted before: still the old one
        SHOW(mount("queues", dir2, "mqueue", 0, NULL));
        list(dir2);
        write_text("/proc/sys/fs/mqueue/msg_max", "5");
        show_file("/proc/sys/fs/mqueue/msg_max");
        umount(dir2);
    });
    show_file("/proc/sys/fs/mqueue/msg_max");
    list(dir);
    char text[16] = "";
    SHOW(mq_receive(q, text, sizeof(text), NULL));
    printf("%s\n", text);
    // A filesystem whose namespace is gone takes no new queue, and keeps the old ones.
    IN_CHILD("mount that stays", {
        pid_t pid = fork();
        if (pid == 0) {
            unshare(CLONE_NEWIPC);
            mqd_t left = make("/left", 2, 10);
            mq_send(left, "behind", 6, 0);
            SHOW(mount("queues", dir2, "mqueue", 0, NULL));
            fflush(stdout);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
        list(dir2);
        char path[128];
        snprintf(path, sizeof(path), "%s/left", dir2);
        show_line(path);
        SHOW(unlink(path));
        snprintf(path, sizeof(path), "%s/new", dir2);
        SHOW(open(path, O_CREAT | O_RDWR, 0600));
        umount(dir2);
    });
    mq_close(q);
    mq_unlink("/mine");
}

// Without the capability that goes beyond them.
static void limits(void)
{
    struct rlimit r = {200000, 200000};
    SHOW(unshare(CLONE_NEWIPC));
    show_file("/proc/sys/fs/mqueue/queues_max");
    show_file("/proc/sys/fs/mqueue/msg_default");
    show_file("/proc/sys/fs/mqueue/msgsize_default");
    show_file("/proc/sys/fs/mqueue/msgsize_max");
    mqd_t q = make("/a", 11, 100);
    SHOW(q);
    SHOW(make("/a", 10, 8193));
    write_text("/proc/sys/fs/mqueue/msg_max", "0");
    write_text("/proc/sys/fs/mqueue/msg_max", "65537");
    write_text("/proc/sys/fs/mqueue/msgsize_max", "127");
    write_text("/proc/sys/fs/mqueue/msg_max", "20");
    OK(q = make("/a", 20, 100));
    mq_close(q);
    mq_unlink("/a");
    write_text("/proc/sys/fs/mqueue/queues_max", "2");
    OK(make("/a", 1, 1));
    OK(make("/b", 1, 1));
    OK(make("/c", 1, 1));
    SHOW(mq_unlink("/a")); // still open, still counts
    OK(make("/c", 1, 1));
    mq_unlink("/b");
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    write_text("/proc/sys/fs/mqueue/queues_max", "256");
    write_text("/proc/sys/fs/mqueue/msg_default", "4");
    OK(q = mq_open("/d", O_CREAT | O_RDWR, 0600, NULL));
    struct mq_attr a;
    mq_getattr(q, &a);
    printf("%ld of %ld\n", a.mq_maxmsg, a.mq_msgsize);
    mq_close(q);
    mq_unlink("/d");
    // 10 messages of 8192 bytes, 48 bytes for each and for each priority: 82880.
    SHOW(setrlimit(RLIMIT_MSGQUEUE, &r));
    OK(make("/a", 10, 8192));
    OK(make("/b", 10, 8192));
    OK(make("/c", 10, 8192));
    OK(make("/c", 4, 8192));
    OK(make("/d", 4, 8192));
    SHOW(mq_unlink("/a"));
    SHOW(mq_unlink("/b"));
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    OK(make("/a", 10, 8192));
    mq_unlink("/a");
    mq_unlink("/c");
    r.rlim_cur = 82879 - 80;
    SHOW(setrlimit(RLIMIT_MSGQUEUE, &r));
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    OK(make("/a", 10, 8192));
}

// Native runs share the host's names with whatever else runs there.
static unsigned long long random_number(void)
{
    unsigned long long n = 0;
    getrandom(&n, sizeof(n), 0);
    return n;
}

static void as_others(void)
{
    if (getuid() != 0) {
        // What the other branch prints, which needs two users.
        printf("others, no bits: EACCES\nothers, read bit, to read: 0\nothers, read bit, to write: EACCES\n"
               "others, unlink: EACCES\nothers, make: 0\nothers, mode 000 of their own: EACCES\n");
        return;
    }
    char name[64];
    snprintf(name, sizeof(name), "/mqueue-perm-%llx", random_number());
    mqd_t q = mq_open(name, O_CREAT | O_RDWR, 0600, NULL);
    if (fork() == 0) {
        if (setgid(65534) || setuid(65534))
            _exit(1);
        printf("others, no bits: %s\n", mq_open(name, O_RDONLY) < 0 ? error_name(errno) : "0");
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    fchmod(q, 0644);
    if (fork() == 0) {
        if (setgid(65534) || setuid(65534))
            _exit(1);
        printf("others, read bit, to read: %s\n", mq_open(name, O_RDONLY) < 0 ? error_name(errno) : "0");
        printf("others, read bit, to write: %s\n", mq_open(name, O_RDWR) < 0 ? error_name(errno) : "0");
        printf("others, unlink: %s\n", mq_unlink(name) < 0 ? error_name(errno) : "0");
        strcat(name, "-theirs");
        printf("others, make: %s\n", mq_open(name, O_CREAT | O_RDWR, 0, NULL) < 0 ? error_name(errno) : "0");
        printf("others, mode 000 of their own: %s\n", mq_open(name, O_RDONLY) < 0 ? error_name(errno) : "0");
        mq_unlink(name);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    mq_close(q);
    mq_unlink(name);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    as_others();
    snprintf(dir, sizeof(dir), "mqueue-dir.%d", getpid());
    snprintf(dir2, sizeof(dir2), "mqueue-dir2.%d", getpid());
    mkdir(dir, 0700);
    mkdir(dir2, 0700);
    fflush(stdout);
    // In namespaces of our own: nothing of the host's is seen, and mounting needs no privilege.
    IN_CHILD("all", {
        become_root();
        SHOW(unshare(CLONE_NEWIPC | CLONE_NEWNS));
        SHOW(mount("queues", dir, "mqueue", 0, NULL));
        files();
        mounts();
        namespaces();
        limits();
    });
    rmdir(dir);
    rmdir(dir2);
    return 0;
}
