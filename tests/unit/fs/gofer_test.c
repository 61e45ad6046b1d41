// The Gofer filesystem below the real VFS, with a real protocol server in a thread of this process: what is
// cached, what it costs in messages, and that caches under pressure change nothing.
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gofer/loop.h"
#include "sentry/fs/gofer/fs.h"
#include "sentry/fs/gofer/gofer.h"
#include "tests/unit/fixture.h"

static char base[64];
static struct export exports[2];
static struct host host;
static struct loop loop = {.host = &host, .listener = -1};
static pthread_t server;
static struct fs_struct fs;
static struct path root;

static void *serve(void *unused)
{
    loop_poll_run(&loop);
    return NULL;
}

static void mount_export(const char *options)
{
    struct super_block *sb;
    struct dentry *dentry;
    struct fs_type *type = fs_type_find("9p");
    cr_assert_eq(type->mount(type, "files", options, &sb, &dentry), 0);
    struct mount *mount = mount_alloc(sb, dentry, 0);
    dentry_put(dentry);
    sb_put(sb);
    root = (struct path){mount, mount->root};
    fs = (struct fs_struct){
        .refs = 1, .umask = 022, .mnt_ns = mount_ns_alloc(mount), .root = root, .pwd = root};
    path_get(&fs.root);
    path_get(&fs.pwd);
    fixture_task.fs = &fs;
}

static void setup(const char *options)
{
    int pair[2];
    umask(0);
    strcpy(base, "/tmp/gofer-test-XXXXXX");
    cr_assert_not_null(mkdtemp(base));
    exports[0] = (struct export){.name = "files", .root_fd = open(base, O_PATH | O_CLOEXEC)};
    host = (struct host){.exports = exports, .export_count = 1, .uid = geteuid(), .gid = getegid()};
    cr_assert_eq(host_open_self(&host, false), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    cr_assert_eq(loop_add(&loop, pair[1]), 0);
    cr_assert_eq(pthread_create(&server, NULL, serve, NULL), 0);
    fixture_setup();
    fixture_task.cred->fsuid = geteuid();
    fixture_task.cred->fsgid = getegid();
    fixture_task.files = fdtable_alloc();
    cr_assert_eq(vfs_init(), 0);
    cr_assert_eq(gofer_fs_init(pair[0]), 0);
    kernel_lock();
    mount_export(options);
    fixture_task.call.id = 1;
}

static void exclusive(void)
{
    setup("");
}

static void shared(void)
{
    setup("cache=shared");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    return remove(path);
}

static void finish(void)
{
    shutdown(gofer.client.fd, SHUT_RDWR);
    pthread_join(server, NULL);
    nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(own, .init = exclusive, .fini = finish, .timeout = 30);
TestSuite(shared, .init = shared, .fini = finish, .timeout = 30);

static const char *on_host(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", base, name);
    return path;
}

static void host_file(const char *name, const char *text)
{
    int fd = open(on_host(name), O_CREAT | O_WRONLY | O_TRUNC, 0644);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

// Each of these is one guest call.
static int guest_stat(const char *name, struct kstat *st)
{
    struct path path;
    fixture_task.call.id++;
    int err = path_lookup(LX_AT_FDCWD, name, LOOKUP_FOLLOW, &path);
    if (!err) {
        err = vfs_getattr(path.dentry->inode, st);
        path_put(&path);
    }
    return err;
}

static struct file *guest_open(const char *name, uint32_t flags)
{
    struct file *f;
    fixture_task.call.id++;
    int err = vfs_open(LX_AT_FDCWD, name, flags, 0644, 0, &f);
    cr_assert_eq(err, 0, "open %s: %d", name, err);
    return f;
}

static int guest_open_error(const char *name, uint32_t flags)
{
    struct file *f;
    fixture_task.call.id++;
    int err = vfs_open(LX_AT_FDCWD, name, flags, 0644, 0, &f);
    if (!err)
        file_put(f);
    return err;
}

static int64_t guest_read(struct file *f, char *text, size_t size)
{
    struct iov_iter it;
    iter_init_kernel(&it, text, size);
    return file_read(f, &it, &f->pos);
}

static int64_t guest_write(struct file *f, const char *text)
{
    size_t size = strlen(text);
    struct iov_iter it;
    memcpy(fixture_guest, text, size);
    iter_init_one(&it, fixture_addr(0), size);
    return file_write(f, &it, &f->pos);
}

static uint64_t sent;

static void count_from_here(void)
{
    sent = gofer_fs_messages();
}

static uint64_t messages(void)
{
    return gofer_fs_messages() - sent;
}

Test(own, a_path_is_found_with_one_message_and_then_with_none)
{
    struct kstat st;
    mkdir(on_host("a"), 0755);
    mkdir(on_host("a/b"), 0755);
    mkdir(on_host("a/b/c"), 0755);
    host_file("a/b/c/file", "12345");
    count_from_here();
    cr_assert_eq(guest_stat("/a/b/c/file", &st), 0);
    cr_assert_eq(st.size, 5);
    cr_assert_eq(messages(), 1);
    cr_assert_eq(guest_stat("/a/b/c/file", &st), 0);
    cr_assert_eq(guest_stat("/a/b", &st), 0);
    cr_assert_eq(messages(), 1);
    cr_assert_eq(guest_stat("/a/b/none/x", &st), -LX_ENOENT);
    cr_assert_eq(messages(), 2);
    cr_assert_eq(guest_stat("/a/b/none", &st), -LX_ENOENT);
    cr_assert_eq(messages(), 2, "what is not there is remembered");
}

Test(own, opening_again_and_reading_cost_no_message)
{
    char text[16];
    host_file("file", "contents");
    count_from_here();
    struct file *f = guest_open("/file", LX_O_RDONLY);
    cr_assert_eq(messages(), 2, "one to find it, one to open it");
    cr_assert_eq(guest_read(f, text, sizeof(text)), 8);
    cr_assert_arr_eq(text, "contents", 8);
    cr_assert_eq(guest_read(f, text, sizeof(text)), 0);
    file_put(f);
    for (int i = 0; i < 10; i++) {
        f = guest_open("/file", LX_O_RDONLY);
        cr_assert_eq(guest_read(f, text, sizeof(text)), 8);
        struct host_map map;
        cr_assert_eq(f->ops->map(f, 0, 4096, 1, 2, &map), 0);
        cr_assert_eq(fcntl(map.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        file_put(f);
    }
    cr_assert_eq(messages(), 2);
}

Test(own, reading_reaches_the_end_wherever_it_is)
{
    static char long_text[300001], got[400000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    host_file("long", long_text);
    struct file *f = guest_open("/long", LX_O_RDWR);
    cr_assert_eq(guest_read(f, got, sizeof(got)), 300000);
    cr_assert_eq(guest_read(f, got, sizeof(got)), 0);
    cr_assert_eq(guest_write(f, "more"), 4);
    f->pos = 299999;
    cr_assert_eq(guest_read(f, got, sizeof(got)), 5);
    cr_assert_arr_eq(got, "xmore", 5);
    // A buffer of the guest, in parts.
    struct iov_iter it;
    f->pos = 0;
    iter_init_one(&it, fixture_addr(0), 350000);
    cr_assert_eq(file_read(f, &it, &f->pos), 300004);
    cr_assert_eq(fixture_guest[300003], 'e');
    file_put(f);
}

Test(own, a_mapping_gets_no_more_access_than_it_may_use)
{
    struct host_map map;
    host_file("file", "contents");
    struct file *f = guest_open("/file", LX_O_RDWR);
    cr_assert_eq(f->ops->map(f, 0, 4096, 3, 2, &map), 0);
    cr_assert_eq(fcntl(map.fd, F_GETFL) & O_ACCMODE, O_RDONLY, "private");
    cr_assert_eq(f->ops->map(f, 0, 4096, 3, 1, &map), 0);
    cr_assert_eq(fcntl(map.fd, F_GETFL) & O_ACCMODE, O_RDWR, "shared");
    file_put(f);
    f = guest_open("/file", LX_O_RDONLY);
    cr_assert_eq(f->ops->map(f, 0, 4096, 1, 1, &map), 0);
    cr_assert_eq(fcntl(map.fd, F_GETFL) & O_ACCMODE, O_RDONLY, "shared, not writable");
    file_put(f);
}

Test(own, files_are_made_written_appended_and_cut)
{
    struct kstat st;
    struct file *f = guest_open("/new", LX_O_CREAT | LX_O_WRONLY);
    cr_assert_eq(guest_write(f, "hello"), 5);
    cr_assert_eq(guest_stat("/new", &st), 0);
    cr_assert_eq(st.size, 5);
    cr_assert_eq(st.mode, LX_S_IFREG | 0644);
    file_put(f);
    f = guest_open("/new", LX_O_WRONLY | LX_O_APPEND);
    cr_assert_eq(guest_write(f, " world"), 6);
    cr_assert_eq(f->pos, 11);
    file_put(f);
    cr_assert_eq(guest_stat("/new", &st), 0);
    cr_assert_eq(st.size, 11);
    count_from_here();
    f = guest_open("/new", LX_O_WRONLY | LX_O_TRUNC);
    file_put(f);
    cr_assert_eq(messages(), 0, "the descriptor is there, and so is the new size");
    cr_assert_eq(guest_stat("/new", &st), 0);
    cr_assert_eq(st.size, 0);
    struct stat on;
    cr_assert_eq(stat(on_host("new"), &on), 0);
    cr_assert_eq(on.st_size, 0);
    cr_assert_eq(guest_open_error("/new", LX_O_CREAT | LX_O_EXCL | LX_O_RDWR), -LX_EEXIST);
}

Test(own, an_open_file_outlives_its_name)
{
    char text[16];
    struct kstat st;
    host_file("file", "contents");
    struct file *f = guest_open("/file", LX_O_RDWR);
    cr_assert_eq(vfs_unlinkat(LX_AT_FDCWD, "/file", false), 0);
    cr_assert_eq(guest_stat("/file", &st), -LX_ENOENT);
    cr_assert_eq(guest_read(f, text, sizeof(text)), 8);
    cr_assert_eq(guest_write(f, "!"), 1);
    cr_assert_eq(vfs_getattr(f->inode, &st), 0);
    cr_assert_eq(st.nlink, 0);
    cr_assert_eq(st.size, 9);
    struct iattr attr = {.valid = ATTR_MODE, .mode = 0600};
    cr_assert_eq(vfs_setattr(&f->path, f->inode, &attr), 0, "by the fid it kept");
    host_file("file", "another");
    file_put(f);
    cr_assert_eq(guest_stat("/file", &st), -LX_ENOENT, "a mount of our own does not look again");
}

Test(own, names_are_changed_and_the_cache_follows)
{
    struct kstat st;
    char text[32];
    cr_assert_eq(vfs_mkdirat(LX_AT_FDCWD, "/d", 0777), 0);
    cr_assert_eq(vfs_mkdirat(LX_AT_FDCWD, "/d/e", 0777), 0);
    file_put(guest_open("/d/e/f", LX_O_CREAT | LX_O_RDWR));
    cr_assert_eq(vfs_symlinkat("e/f", LX_AT_FDCWD, "/d/link"), 0);
    cr_assert_eq(guest_stat("/d/link", &st), 0);
    cr_assert(LX_S_ISREG(st.mode));
    cr_assert_eq(vfs_linkat(LX_AT_FDCWD, "/d/e/f", LX_AT_FDCWD, "/hard", 0), 0);
    cr_assert_eq(guest_stat("/d/e/f", &st), 0);
    cr_assert_eq(st.nlink, 2);
    uint64_t ino = st.ino;
    cr_assert_eq(vfs_renameat(LX_AT_FDCWD, "/d/e", LX_AT_FDCWD, "/moved", 0), 0);
    cr_assert_eq(guest_stat("/d/e/f", &st), -LX_ENOENT);
    cr_assert_eq(guest_stat("/moved/f", &st), 0);
    cr_assert_eq(st.ino, ino);
    struct file *f = guest_open("/moved/f", LX_O_RDONLY);
    file_put(f);
    file_put(guest_open("/moved/g", LX_O_CREAT | LX_O_RDWR));
    cr_assert_eq(access(on_host("moved/g"), F_OK), 0);
    f = guest_open("/moved/g", LX_O_RDONLY);
    cr_assert_eq(vfs_renameat(LX_AT_FDCWD, "/moved/f", LX_AT_FDCWD, "/moved/g", 0), 0);
    cr_assert_eq(vfs_getattr(f->inode, &st), 0);
    cr_assert_eq(st.nlink, 0, "what was replaced is still open");
    cr_assert_eq(guest_read(f, text, sizeof(text)), 0);
    file_put(f);
    cr_assert_eq(guest_stat("/moved/g", &st), 0);
    cr_assert_eq(st.ino, ino);
    cr_assert_eq(vfs_unlinkat(LX_AT_FDCWD, "/moved", true), -LX_ENOTEMPTY);
    cr_assert_eq(vfs_unlinkat(LX_AT_FDCWD, "/moved/g", false), 0);
    cr_assert_eq(vfs_unlinkat(LX_AT_FDCWD, "/moved", true), 0);
    cr_assert_eq(access(on_host("moved"), F_OK), -1);
}

struct counting {
    struct dir_context ctx;
    unsigned found, room;
    unsigned sum;
};

static bool count_entry(struct dir_context *ctx, const char *name, size_t len, int64_t next, uint64_t ino,
                        unsigned type)
{
    struct counting *counting = (struct counting *)ctx;
    if (!counting->room)
        return false;
    counting->room--;
    char text[32];
    if (name[0] != '.') {
        snprintf(text, sizeof(text), "%.*s", (int)len, name);
        counting->found++;
        counting->sum += (unsigned)atoi(text + 1);
    }
    return true;
}

static struct counting list(const char *name, unsigned room)
{
    struct counting counting = {.ctx.emit = count_entry};
    struct file *f = guest_open(name, LX_O_RDONLY | LX_O_DIRECTORY);
    do {
        counting.room = room;
        counting.ctx.pos = f->pos;
        cr_assert_eq(f->ops->iterate(f, &counting.ctx), 0);
        f->pos = counting.ctx.pos;
    } while (!counting.room);
    file_put(f);
    return counting;
}

Test(own, directories_are_read_whole_and_fill_the_cache)
{
    struct kstat st;
    mkdir(on_host("d"), 0755);
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "d/f%d", i);
        host_file(name, "abc");
    }
    static const unsigned rooms[] = {1, 7, 100, 10000};
    for (int i = 0; i < 4; i++) {
        struct counting counting = list("/d", rooms[i]);
        cr_assert_eq(counting.found, 1000, "%u at a time", rooms[i]);
        cr_assert_eq(counting.sum, 999 * 1000 / 2);
    }
    count_from_here();
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "/d/f%d", i);
        cr_assert_eq(guest_stat(name, &st), 0);
        cr_assert_eq(st.size, 3);
    }
    cr_assert_eq(messages(), 0);
}

Test(own, who_walks_a_tree_is_read_ahead_for)
{
    char name[64], deeper[64];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "d%d", i);
        mkdir(on_host(name), 0755);
        for (int k = 0; k < 3; k++) {
            snprintf(deeper, sizeof(deeper), "d%d/f%d", i, k);
            mkdir(on_host(deeper), 0755);
        }
    }
    list("/", 10000);
    count_from_here();
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "/d%d", i);
        cr_assert_eq(list(name, 2).found, 3);
        for (int k = 0; k < 3; k++) {
            snprintf(deeper, sizeof(deeper), "/d%d/f%d", i, k);
            cr_assert_eq(list(deeper, 10000).found, 0);
        }
    }
    cr_assert_leq(messages(), 20);
    // What changes between reading ahead and asking is seen.
    for (int i = 0; i < 40; i++)
        for (int k = 0; k < 3; k++) {
            snprintf(deeper, sizeof(deeper), "/d%d/f%d/new", i, k);
            cr_assert_eq(vfs_mkdirat(LX_AT_FDCWD, deeper, 0755), 0);
            snprintf(deeper, sizeof(deeper), "/d%d/f%d", (i + 1) % 40, k);
            cr_assert_eq(list(deeper, 10000).found, i == 39);
            snprintf(deeper, sizeof(deeper), "/d%d/f%d", i, k);
            cr_assert_eq(list(deeper, 10000).found, 1);
        }
}

Test(own, a_directory_asked_again_and_again_is_read_whole)
{
    struct kstat st;
    char name[64];
    mkdir(on_host("d"), 0755);
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "d/file%d", i);
        host_file(name, "x");
    }
    count_from_here();
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "/d/file%d", i);
        cr_assert_eq(guest_stat(name, &st), 0);
        cr_assert_eq(st.size, 1);
    }
    cr_assert_leq(messages(), GOFER_PREFETCH_AFTER + 4);
    count_from_here();
    cr_assert_eq(guest_stat("/d/none", &st), -LX_ENOENT);
    cr_assert_eq(messages(), 0, "what is not there is known too");
    file_put(guest_open("/d/new", LX_O_CREAT | LX_O_WRONLY));
    cr_assert_eq(vfs_unlinkat(LX_AT_FDCWD, "/d/file7", false), 0);
    count_from_here();
    cr_assert_eq(guest_stat("/d/new", &st), 0);
    cr_assert_eq(guest_stat("/d/file7", &st), -LX_ENOENT);
    cr_assert_eq(guest_stat("/d/none", &st), -LX_ENOENT);
    cr_assert_eq(messages(), 0);
    // Names that the cache has let go are asked for again, not denied.
    dentry_shrink(0);
    for (int i = 8; i < 60; i++) {
        snprintf(name, sizeof(name), "/d/file%d", i);
        cr_assert_eq(guest_stat(name, &st), 0, "%s", name);
    }
    cr_assert_eq(guest_stat("/d/new", &st), 0);
    cr_assert_eq(guest_stat("/d/file7", &st), -LX_ENOENT);
}

Test(own, directories_beside_others_that_were_read_whole_are_read_sooner)
{
    struct kstat st;
    char name[64];
    for (int d = 0; d < 20; d++) {
        snprintf(name, sizeof(name), "d%d", d);
        mkdir(on_host(name), 0755);
        for (int i = 0; i < 12; i++) {
            snprintf(name, sizeof(name), "d%d/f%d", d, i);
            host_file(name, "x");
        }
    }
    count_from_here();
    for (int d = 0; d < 20; d++)
        for (int i = 0; i < 12; i++) {
            snprintf(name, sizeof(name), "/d%d/f%d", d, i);
            cr_assert_eq(guest_stat(name, &st), 0);
        }
    cr_assert_leq(messages(), 2 * (GOFER_PREFETCH_AFTER + 4) + 18 * (GOFER_PREFETCH_SOON + 2));
}

Test(own, a_large_directory_is_not_read_whole)
{
    struct kstat st;
    char name[64];
    mkdir(on_host("d"), 0755);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "d/a-file-with-a-longer-name-%d", i);
        host_file(name, "");
    }
    count_from_here();
    for (int i = 0; i < 3000; i += 100) {
        snprintf(name, sizeof(name), "/d/a-file-with-a-longer-name-%d", i);
        cr_assert_eq(guest_stat(name, &st), 0);
    }
    cr_assert_leq(messages(), 40);
    cr_assert_eq(guest_stat("/d/none", &st), -LX_ENOENT);
}

Test(own, caches_under_pressure_change_nothing)
{
    gofer.max_fids = 20;
    gofer.max_fds = 10;
    struct file *files[100];
    char name[64], text[64];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "/dir%d", i);
        cr_assert_eq(vfs_mkdirat(LX_AT_FDCWD, name, 0777), 0);
        snprintf(name, sizeof(name), "/dir%d/file", i);
        files[i] = guest_open(name, LX_O_CREAT | LX_O_RDWR);
        snprintf(text, sizeof(text), "this is file %d", i);
        cr_assert_eq(guest_write(files[i], text), (int64_t)strlen(text));
    }
    cr_assert_leq(gofer.nr_fds, 11);
    cr_assert_leq(gofer.nr_fids, 21);
    for (int i = 0; i < 100; i++) {
        char got[64] = "";
        files[i]->pos = 0;
        snprintf(text, sizeof(text), "this is file %d", i);
        cr_assert_eq(guest_read(files[i], got, sizeof(got)), (int64_t)strlen(text));
        cr_assert_str_eq(got, text);
    }
    // Files whose names are gone keep what they have, whatever the limit.
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "/dir%d/file", i);
        cr_assert_eq(guest_write(files[i], "!"), 1);
        cr_assert_eq(vfs_unlinkat(LX_AT_FDCWD, name, false), 0);
    }
    for (int i = 0; i < 100; i++) {
        char got[64] = "";
        files[i]->pos = 0;
        snprintf(text, sizeof(text), "this is file %d!", i);
        cr_assert_eq(guest_read(files[i], got, sizeof(got)), (int64_t)strlen(text));
        cr_assert_str_eq(got, text);
        file_put(files[i]);
    }
}

Test(own, paths_deeper_than_a_message_are_walked)
{
    char name[512] = "";
    for (int i = 0; i < 100; i++) {
        strcat(name, "/d");
        cr_assert_eq(vfs_mkdirat(LX_AT_FDCWD, name, 0777), 0);
    }
    strcat(name, "/file");
    file_put(guest_open(name, LX_O_CREAT | LX_O_RDWR));
    dentry_shrink(0);
    struct kstat st;
    cr_assert_eq(guest_stat(name, &st), 0);
    gofer.max_fids = 2;
    cr_assert_eq(guest_open_error(name, LX_O_RDONLY), 0);
}

Test(own, attributes_are_changed)
{
    struct path path;
    host_file("file", "contents");
    cr_assert_eq(path_lookup(LX_AT_FDCWD, "/file", 0, &path), 0);
    struct iattr attr = {
        .valid = ATTR_MODE | ATTR_MTIME | ATTR_SIZE, .mode = 0600, .mtime = {1000, 5}, .size = 3};
    cr_assert_eq(vfs_setattr(&path, path.dentry->inode, &attr), 0);
    attr = (struct iattr){.valid = ATTR_MTIME, .mtime = {1000, 5}};
    cr_assert_eq(vfs_setattr(&path, path.dentry->inode, &attr), 0);
    struct stat st;
    cr_assert_eq(stat(on_host("file"), &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    cr_assert_eq(st.st_size, 3);
    cr_assert_eq(st.st_mtim.tv_sec, 1000);
    struct kstatfs figures;
    cr_assert_eq(vfs_statfs(&path, &figures), 0);
    cr_assert_neq(figures.blocks, 0);
    path_put(&path);
}

Test(shared, changes_on_the_host_are_seen_with_one_message_per_path)
{
    struct kstat st;
    mkdir(on_host("a"), 0755);
    mkdir(on_host("a/b"), 0755);
    host_file("a/b/file", "12345");
    cr_assert_eq(guest_stat("/a/b/file", &st), 0);
    count_from_here();
    cr_assert_eq(guest_stat("/a/b/file", &st), 0);
    cr_assert_eq(messages(), 1);
    host_file("a/b/file", "1234567");
    cr_assert_eq(guest_stat("/a/b/file", &st), 0);
    cr_assert_eq(st.size, 7);
    cr_assert_eq(messages(), 2);
    cr_assert_eq(guest_stat("/a/b/other", &st), -LX_ENOENT);
    host_file("a/b/other", "1");
    cr_assert_eq(guest_stat("/a/b/other", &st), 0);
    cr_assert_eq(unlink(on_host("a/b/other")), 0);
    cr_assert_eq(guest_stat("/a/b/other", &st), -LX_ENOENT);
    char new_name[256];
    strcpy(new_name, on_host("c"));
    cr_assert_eq(rename(on_host("a"), new_name), 0);
    cr_assert_eq(guest_stat("/a/b/file", &st), -LX_ENOENT);
    cr_assert_eq(guest_stat("/c/b/file", &st), 0);
    cr_assert_eq(st.size, 7);
}

Test(shared, an_open_file_is_asked_of_its_descriptor)
{
    struct kstat st;
    host_file("file", "old");
    struct file *f = guest_open("/file", LX_O_RDONLY);
    count_from_here();
    for (int i = 0; i < 5; i++) {
        fixture_task.call.id++;
        cr_assert_eq(vfs_getattr(f->inode, &st), 0);
    }
    cr_assert_eq(messages(), 0);
    cr_assert_eq(chmod(on_host("file"), 0600), 0);
    host_file("file", "longer");
    fixture_task.call.id++;
    cr_assert_eq(vfs_getattr(f->inode, &st), 0);
    cr_assert_eq(st.size, 6);
    cr_assert_eq(st.mode & 07777, 0600);
    cr_assert_eq(unlink(on_host("file")), 0);
    fixture_task.call.id++;
    cr_assert_eq(vfs_getattr(f->inode, &st), 0);
    cr_assert_eq(st.nlink, 0);
    file_put(f);
}

Test(shared, a_file_replaced_on_the_host_is_the_new_one)
{
    char text[16];
    host_file("file", "old");
    struct file *f = guest_open("/file", LX_O_RDONLY);
    char new_name[256];
    strcpy(new_name, on_host("file"));
    host_file("next", "newer");
    cr_assert_eq(rename(on_host("next"), new_name), 0);
    cr_assert_eq(guest_read(f, text, sizeof(text)), 3, "what is open stays");
    file_put(f);
    f = guest_open("/file", LX_O_RDONLY);
    cr_assert_eq(guest_read(f, text, sizeof(text)), 5);
    file_put(f);
    struct counting counting = list("/", 3);
    cr_assert_eq(counting.found, 1);
}
