// The real `gofer --files`, started as the command line starts it, spoken to by the Sentry's client: its jail
// is inspected from outside, and hostile clients harm only themselves. Skipped where no mount namespace can
// be made.
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <dirent.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "abi/gofer_config.h"
#include "sentry/fs/gofer/client.h"

static char base[64];
static pid_t gofer_pid;
static struct gofer_client client;
static const char *why_fatal;

static void fatal(const char *why)
{
    why_fatal = why;
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        _exit(77);
    close(fd);
}

// In the child: the namespaces, and for an ordinary user the capabilities that survive exec.
static void enter_namespaces(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | (uid ? CLONE_NEWUSER : 0);
    if (unshare(flags) < 0)
        _exit(77);
    if (!uid)
        return;
    char map[64];
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    write_file("/proc/self/gid_map", map);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    uint32_t mask = 1u << CAP_SYS_ADMIN | 1u << CAP_SETPCAP;
    struct __user_cap_data_struct data[2] = {{.effective = mask, .permitted = mask, .inheritable = mask}};
    syscall(SYS_capset, &header, data);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETPCAP, 0, 0);
}

static void start_gofer(struct gofer_config *config)
{
    char program[256], path[128];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 32);
    cr_assert_gt(length, 0);
    program[length] = 0;
    for (int i = 0; i < 3; i++)
        *strrchr(program, '/') = 0;
    strcat(program, "/bin/gofer");
    strcpy(base, "/tmp/gofer-test-XXXXXX");
    cr_assert_not_null(mkdtemp(base));
    chmod(base, 0755);
    snprintf(path, sizeof(path), "%s/file", base);
    write_file(path, "contents");
    int pair[2], config_fd = memfd_create("config", 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    config->magic = GOFER_CONFIG_MAGIC;
    config->size = sizeof(*config);
    config->connection_fd = pair[1];
    config->export_count = 2;
    config->run_uid = config->run_gid = UINT32_MAX;
    struct gofer_export exports[2] = {{.name = "rw", .fd = -1},
                                      {.name = "ro", .fd = -1, .flags = GOFER_EXPORT_RO}};
    for (int i = 0; i < 2; i++)
        strcpy(exports[i].path, base);
    cr_assert_eq(write(config_fd, config, sizeof(*config)), sizeof(*config));
    cr_assert_eq(write(config_fd, exports, sizeof(exports)), sizeof(exports));
    lseek(config_fd, 0, SEEK_SET);
    gofer_pid = fork();
    if (!gofer_pid) {
        char number[16];
        close(pair[0]);
        enter_namespaces();
        snprintf(number, sizeof(number), "%d", config_fd);
        execl(program, "gofer", "--files", "--config-fd", number, NULL);
        _exit(126);
    }
    close(pair[1]);
    close(config_fd);
    why_fatal = NULL;
    int error = gofer_connect(&client, pair[0], 10, fatal);
    if (error) {
        int status = 0;
        waitpid(gofer_pid, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            cr_skip_test("no namespaces here");
        cr_assert_fail("no connection: %s, status %#x", strerror(-error), status);
    }
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    return remove(path);
}

static int end_gofer(void)
{
    int status = -1;
    gofer_disconnect(&client);
    for (int i = 0; i < 500 && waitpid(gofer_pid, &status, WNOHANG) == 0; i++)
        poll(NULL, 0, 10);
    if (status == -1) {
        kill(gofer_pid, SIGKILL);
        waitpid(gofer_pid, NULL, 0);
    }
    nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}

static uint64_t status_field(const char *name)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/status", gofer_pid);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    uint64_t value = UINT64_MAX;
    while (fgets(line, sizeof(line), file)) {
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
            value = strtoull(line + strlen(name) + 1, NULL, 16);
    }
    fclose(file);
    return value;
}

static void attach(uint32_t fid, const char *name)
{
    struct np_attr attr;
    uint32_t flags;
    cr_assert_eq(gofer_attach(&client, fid, name, &attr, &flags), 0);
}

static void use(uint32_t loop)
{
    struct gofer_config config = {.loop = loop};
    start_gofer(&config);
    attach(0, "rw");
    attach(1, "ro");
    static struct gofer_walk walk;
    struct np_str file = np_string("file");
    struct np_attr attr;
    int fd;
    cr_assert_eq(gofer_walk(&client, 1, 2, &file, 1, &walk), 0);
    cr_assert_eq(walk.bound, 1);
    cr_assert_eq(walk.attr[0].size, 8);
    cr_assert_eq(gofer_open(&client, 2, NP_NOFID, NULL, 0, O_RDONLY, &attr, &fd), 0);
    // What a descriptor opened for reading allows all the same must fail on the mount.
    cr_assert_eq(fchmod(fd, 0777), -1);
    cr_assert_eq(errno, EROFS);
    cr_assert_eq(futimens(fd, NULL), -1);
    cr_assert_eq(fsetxattr(fd, "user.a", "b", 1, 0), -1);
    char text[16];
    cr_assert_eq(pread(fd, text, sizeof(text), 0), 8);
    close(fd);
    cr_assert_eq(gofer_open(&client, 2, NP_NOFID, NULL, 0, O_RDWR, &attr, &fd), -EROFS);
    cr_assert_eq(
        gofer_create(&client, 0, 3, np_string("new"), O_RDWR, 0600, UINT32_MAX, UINT32_MAX, &attr, &fd), 0);
    cr_assert_eq(write(fd, "abc", 3), 3);
    close(fd);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(gofer_walk(&client, 0, NP_NOFID, &file, 1, &walk), 0);
        cr_assert_eq(gofer_open(&client, 3, NP_NOFID, NULL, 0, O_RDWR, &attr, &fd), 0);
        cr_assert_eq(attr.size, 3);
        close(fd);
    }
    // Every other request of the client once, so that the filter is seen to allow what the server needs.
    struct np_rstatfs statfs;
    struct gofer_make make = {
        .name = np_string("d"), .mode = S_IFDIR | 0755, .uid = UINT32_MAX, .gid = UINT32_MAX};
    struct np_tsetattrget change = {.fid = 3,
                                    .valid =
                                        NP_SETATTR_MODE | NP_SETATTR_SIZE | NP_SETATTR_MTIME | NP_SETATTR_UID,
                                    .mode = 0640,
                                    .uid = geteuid(),
                                    .size = 1};
    cr_assert_eq(gofer_make(&client, 0, 4, &make, &attr), 0);
    make = (struct gofer_make){.name = np_string("l"), .target = np_string("t"), .mode = S_IFLNK | 0777};
    cr_assert_eq(gofer_make(&client, 4, 5, &make, &attr), 0);
    cr_assert_eq(gofer_change(&client, &change, &attr), 0);
    cr_assert_eq(attr.size, 1);
    cr_assert_eq(gofer_statfs(&client, 0, &statfs), 0);
    cr_assert_eq(gofer_fsync(&client, 3, false), 0);
    cr_assert_eq(gofer_link(&client, 4, 3, np_string("hard")), 0);
    cr_assert_eq(gofer_rename(&client, 4, np_string("hard"), 0, np_string("moved"), 0), 0);
    cr_assert_eq(gofer_unlink(&client, 0, np_string("moved"), false), 0);
    int error = gofer_setxattr(&client, 3, np_string("user.a"), "b", 1, 0);
    cr_assert(error == 0 || error == -EOPNOTSUPP, "%d", error);
    gofer_getxattr(&client, 3, np_string("user.a"), text, sizeof(text));
    gofer_getxattr(&client, 3, np_string(""), text, sizeof(text));
    gofer_setxattr(&client, 3, np_string("user.a"), NULL, 0, NP_XATTR_REMOVE);
    cr_assert_eq(gofer_walk(&client, 3, 6, NULL, 0, &walk), 0);
    cr_assert_eq(gofer_lopen(&client, 6, O_RDWR), 0);
    cr_assert_eq(gofer_write(&client, 6, 0, "xyz", 3), 3);
    cr_assert_eq(gofer_read(&client, 6, 0, text, sizeof(text)), 3);
    cr_assert_eq(gofer_clunk(&client, (const uint32_t[]){4, 5, 6}, 3), 0);
    cr_assert_null(why_fatal);
    cr_assert_eq(end_gofer(), 0, "it ends with status 0 when its client goes");
}

Test(process, serves_and_confines_donations_with_poll, .timeout = 40)
{
    use(GOFER_LOOP_POLL);
}

Test(process, serves_and_confines_donations_with_io_uring, .timeout = 40)
{
    int disabled = 0;
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "r");
    if (file) {
        if (fscanf(file, "%d", &disabled) != 1)
            disabled = 0;
        fclose(file);
    }
    if (disabled)
        cr_skip_test("io_uring is disabled here");
    use(GOFER_LOOP_URING);
}

Test(process, its_jail_holds, .timeout = 40)
{
    struct gofer_config config = {.loop = GOFER_LOOP_AUTO};
    start_gofer(&config);
    static const char *const empty[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
    for (unsigned int i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
        cr_assert_eq(status_field(empty[i]), 0, "%s", empty[i]);
    cr_assert_eq(status_field("NoNewPrivs"), 1);
    cr_assert_eq(status_field("Seccomp"), 2);
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", gofer_pid);
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_uid, 0, "a process that is not dumpable shows root as its owner");
    if (geteuid() == 0) {
        snprintf(path, sizeof(path), "/proc/%d/root", gofer_pid);
        DIR *root = opendir(path);
        if (root) {
            for (struct dirent *entry; (entry = readdir(root));)
                cr_assert_eq(entry->d_name[0], '.', "%s in the root", entry->d_name);
            closedir(root);
        }
        snprintf(path, sizeof(path), "/proc/%d/fd", gofer_pid);
        unsigned int count = 0;
        DIR *fds = opendir(path);
        cr_assert_not_null(fds);
        while (readdir(fds))
            count++;
        closedir(fds);
        // Null twice, log, connection, two exports, /proc/self/fd, the ring; and "." and "..".
        cr_assert_leq(count, 10);
        snprintf(path, sizeof(path), "/proc/%d/ns/net", gofer_pid);
        struct stat mine, its;
        cr_assert_eq(stat(path, &its), 0);
        cr_assert_eq(stat("/proc/self/ns/net", &mine), 0);
        cr_assert_neq(mine.st_ino, its.st_ino);
    }
    cr_assert_eq(end_gofer(), 0);
}

static void expect_closed(const void *bytes, size_t size)
{
    struct gofer_config config = {.loop = GOFER_LOOP_POLL};
    start_gofer(&config);
    cr_assert_eq(send(client.fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
    char byte;
    cr_assert_eq(recv(client.fd, &byte, 1, 0), 0, "the connection ends");
    cr_assert_eq(end_gofer(), 0);
}

Test(process, messages_out_of_bounds_end_the_connection, .timeout = 40)
{
    expect_closed((const uint8_t[]){0xff, 0xff, 0xff, 0xff, 100, 0, 0}, 7);
    expect_closed((const uint8_t[]){3, 0, 0, 0, 100, 0, 0}, 7);
}

Test(process, descriptors_sent_to_it_are_dropped, .timeout = 40)
{
    struct gofer_config config = {.loop = GOFER_LOOP_AUTO};
    start_gofer(&config);
    attach(0, "rw");
    for (int round = 0; round < 300; round++) {
        int fds[200];
        uint8_t request[11] = {11, 0, 0, 0, np_type_of_tclunk, 1, 0, 99, 0, 0, 0};
        union {
            struct cmsghdr header;
            char space[CMSG_SPACE(sizeof(fds))];
        } control = {
            .header = {.cmsg_len = CMSG_LEN(sizeof(fds)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
        for (int i = 0; i < 200; i++)
            fds[i] = 2;
        memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
        struct iovec vector = {.iov_base = request, .iov_len = sizeof(request)};
        struct msghdr message = {.msg_iov = &vector,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control.space)};
        cr_assert_eq(sendmsg(client.fd, &message, MSG_NOSIGNAL), (ssize_t)sizeof(request));
        uint8_t answer[11];
        cr_assert_eq(recv(client.fd, answer, sizeof(answer), MSG_WAITALL), (ssize_t)sizeof(answer));
        cr_assert_eq(answer[4], np_type_of_rlerror);
    }
    cr_assert_eq(end_gofer(), 0);
}

Test(process, a_dead_gofer_is_fatal_to_the_client, .timeout = 40)
{
    struct gofer_config config = {.loop = GOFER_LOOP_AUTO};
    start_gofer(&config);
    kill(gofer_pid, SIGKILL);
    struct np_attr attr;
    uint32_t flags;
    cr_assert_eq(gofer_attach(&client, 0, "rw", &attr, &flags), -EIO);
    cr_assert_str_eq(why_fatal, "the Gofer is gone");
    end_gofer();
}
