// The protocol server: what it answers, what it refuses, and that what it refuses leaves nothing behind.
#include "tests/unit/gofer/server_fixture.h"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

TestSuite(server, .init = start, .fini = stop);

Test(server, nothing_but_version_is_answered_before_version)
{
    start_server(NP_VERSION_SENTRY);
    request.tattach = (struct np_tattach){.fid = 1, .afid = NP_NOFID, .aname = np_string("files")};
    cr_assert_eq(call(np_type_of_tattach), EPROTO);
}

Test(server, version_settles_on_what_both_can_do)
{
    start_server("9P2000.L.other");
    cr_assert_eq(call(np_type_of_tversion), 0);
    cr_assert(np_string_is(reply.rversion.version, "9P2000.L"));
    cr_assert_eq(reply.rversion.msize, 65536);
    request.tversion = (struct np_tversion){.msize = 65536, .version = np_string("9P2000.u")};
    cr_assert_eq(call(np_type_of_tversion), 0);
    cr_assert(np_string_is(reply.rversion.version, "unknown"));
    request.tversion = (struct np_tversion){.msize = 100, .version = np_string("9P2000.L")};
    cr_assert_eq(call(np_type_of_tversion), EMSGSIZE);
    request.tversion = (struct np_tversion){.msize = UINT32_MAX, .version = np_string(NP_VERSION_SENTRY)};
    cr_assert_eq(call(np_type_of_tversion), 0);
    cr_assert_eq(reply.rversion.msize, NP_MESSAGE_MAX);
}

Test(server, extension_is_refused_in_a_plain_session)
{
    open_session(NP_VERSION_PLAIN);
    for (unsigned int row = 0; np_row(row) >= 0; row++) {
        uint8_t type = (uint8_t)np_row(row);
        if (type < 200 || type % 2)
            continue;
        memset(&request.rlerror, 0, 64);
        cr_assert_eq(call(type), EOPNOTSUPP, "%s", np_name(type));
    }
}

Test(server, names_that_are_not_one_component_are_refused)
{
    static const char *const bad[] = {"", ".", "..", "/", "a/b", "../outside", "/etc", "a/", "./a"};
    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(walk_one(2, bad[i]), EINVAL, "walk to '%s'", bad[i]);
        struct np_str name = np_string(bad[i]);
        request.tcreatefd =
            (struct np_tcreatefd){.dfid = 1, .newfid = 9, .name = name, .flags = O_RDWR, .mode = 0644};
        cr_assert_eq(call(np_type_of_tcreatefd), EINVAL);
        request.tlcreate = (struct np_tlcreate){.fid = 1, .name = name, .flags = O_RDWR, .mode = 0644};
        cr_assert_eq(call(np_type_of_tlcreate), EINVAL);
        request.tmake =
            (struct np_tmake){.dfid = 1, .newfid = NP_NOFID, .name = name, .mode = S_IFDIR | 0755};
        cr_assert_eq(call(np_type_of_tmake), EINVAL);
        request.tunlinkat = (struct np_tunlinkat){.dirfid = 1, .name = name, .flags = NP_AT_REMOVEDIR};
        cr_assert_eq(call(np_type_of_tunlinkat), EINVAL);
        request.trenameat = (struct np_trenameat){1, name, 1, np_string("x")};
        cr_assert_eq(call(np_type_of_trenameat), EINVAL);
        request.trenameat = (struct np_trenameat){1, np_string("x"), 1, name};
        cr_assert_eq(call(np_type_of_trenameat), EINVAL);
    }
    request.twalkattr = (struct np_twalkattr){.fid = 1, .newfid = 2, .names.count = 1};
    request.twalkattr.names.name[0] = (struct np_str){.bytes = "a\0b", .length = 3};
    cr_assert_eq(call(np_type_of_twalkattr), 0);
    cr_assert_eq(reply.rwalkattr.stop, EINVAL);
    char longer[300];
    memset(longer, 'a', sizeof(longer));
    request.twalkattr.names.name[0] = (struct np_str){.bytes = longer, .length = 256};
    cr_assert_eq(call(np_type_of_twalkattr), 0);
    cr_assert_eq(reply.rwalkattr.stop, ENAMETOOLONG);
    cr_assert_eq(server.fids.count, 1);
}

Test(server, walk_returns_attributes_and_stops_at_the_first_missing_name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/a", inside);
    mkdir(path, 0750);
    make_file(path, "f", "12345");
    cr_assert_eq(walk_names(1, 2, 2, (const char *const[]){"a", "f"}), 0);
    cr_assert_eq(reply.rwalkattr.stop, 0);
    cr_assert_eq(reply.rwalkattr.bound, 1);
    cr_assert_eq(reply.rwalkattr.attrs.count, 2);
    cr_assert_eq(reply.rwalkattr.attrs.attr[0].mode, S_IFDIR | 0750);
    cr_assert_eq(reply.rwalkattr.attrs.attr[1].size, 5);
    cr_assert_eq(walk_names(1, 3, 3, (const char *const[]){"a", "none", "f"}), 0);
    cr_assert_eq(reply.rwalkattr.stop, ENOENT);
    cr_assert_eq(reply.rwalkattr.bound, 0);
    cr_assert_eq(reply.rwalkattr.attrs.count, 1);
    cr_assert_eq(walk_names(1, 3, 3, (const char *const[]){"a", "f", "g"}), 0);
    cr_assert_eq(reply.rwalkattr.stop, ENOTDIR);
    cr_assert_eq(server.fids.count, 2);
    cr_assert_eq(walk_names(2, NP_NOFID, 0, NULL), 0);
    cr_assert_eq(reply.rwalkattr.attrs.attr[0].size, 5);
    cr_assert_eq(server.fids.count, 2);
    cr_assert_eq(walk_names(1, 2, 1, (const char *const[]){"a"}), EEXIST);
}

Test(server, symlinks_stop_a_walk_and_are_never_followed)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/link", inside);
    cr_assert_eq(symlink(outside, path), 0);
    snprintf(path, sizeof(path), "%s/up", inside);
    cr_assert_eq(symlink("../outside/secret", path), 0);
    cr_assert_eq(walk_names(1, 2, 2, (const char *const[]){"link", "secret"}), 0);
    cr_assert_eq(reply.rwalkattr.stop, ELOOP);
    cr_assert_eq(reply.rwalkattr.attrs.count, 1);
    cr_assert(np_string_is(reply.rwalkattr.target, outside));
    cr_assert_eq(server.fids.count, 1);
    cr_assert_eq(walk_one(2, "up"), 0);
    cr_assert(np_string_is(reply.rwalkattr.target, "../outside/secret"));
    cr_assert_eq(open_fd(2, O_RDONLY), ELOOP);
    request.tlopen = (struct np_tlopen){.fid = 2, .flags = O_RDONLY};
    cr_assert_eq(call(np_type_of_tlopen), ELOOP);
    request.twalk =
        (struct np_twalk){.fid = 1, .newfid = 3, .names = {2, {np_string("link"), np_string("secret")}}};
    cr_assert_eq(call(np_type_of_twalk), 0);
    cr_assert_eq(reply.rwalk.qids.count, 1);
    cr_assert_eq(fid_find(&server.fids, 3), NULL);
    // Creating through one must fail too, whatever the flags.
    request.tlcreate =
        (struct np_tlcreate){.fid = 1, .name = np_string("up"), .flags = O_RDWR | O_TRUNC, .mode = 0644};
    cr_assert_eq(call(np_type_of_tlcreate), EEXIST);
    request.tsetattr = (struct np_tsetattr){.fid = 2, .valid = NP_SETATTR_MODE, .mode = 0777};
    cr_assert_eq(call(np_type_of_tsetattr), EOPNOTSUPP);
    request.tsetattr = (struct np_tsetattr){.fid = 2, .valid = NP_SETATTR_SIZE, .size = 0};
    cr_assert_eq(call(np_type_of_tsetattr), ELOOP);
    struct stat st;
    snprintf(path, sizeof(path), "%s/secret", outside);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_size, 6);
    cr_assert_eq(st.st_mode & 0777, 0644);
}

Test(server, descriptors_are_donated_with_the_access_asked_for)
{
    make_file(inside, "f", "hello");
    cr_assert_eq(walk_one(2, "f"), 0);
    cr_assert_eq(open_fd(2, O_RDONLY), 0);
    int fd = take_donated();
    char text[8];
    cr_assert_eq(read(fd, text, sizeof(text)), 5);
    cr_assert_eq(write(fd, "x", 1), -1);
    cr_assert_eq(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY);
    close(fd);
    cr_assert_eq(open_fd(2, O_WRONLY), 0);
    fd = take_donated();
    cr_assert_eq(read(fd, text, 1), -1);
    close(fd);
    static const uint32_t bad[] = {O_PATH, O_CREAT, O_DIRECTORY, O_TMPFILE, O_APPEND, 3, O_NOATIME};
    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(open_fd(2, bad[i]), EINVAL, "flags %#x", bad[i]);
    cr_assert_eq(open_fd(1, O_RDONLY), EISDIR);
    cr_assert_eq(open_fd(77, O_RDONLY), EBADF);
}

Test(server, devices_sockets_and_fifos_are_neither_opened_nor_made)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/fifo", inside);
    cr_assert_eq(mkfifo(path, 0666), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", inside);
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    close(fd);
    bool device = false;
    if (geteuid() == 0) {
        snprintf(path, sizeof(path), "%s/device", inside);
        device = mknod(path, S_IFCHR | 0666, 0x103) == 0;
    }
    const char *const names[] = {"fifo", "socket", device ? "device" : "fifo"};
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_eq(walk_one(10 + i, names[i]), 0);
        for (uint32_t flags = O_RDONLY; flags <= O_RDWR; flags++) {
            cr_assert_eq(open_fd(10 + i, flags), EACCES, "%s", names[i]);
            request.tlopen = (struct np_tlopen){.fid = 10 + i, .flags = flags};
            cr_assert_eq(call(np_type_of_tlopen), EACCES);
            request.tlcreate = (struct np_tlcreate){.fid = 1, .name = np_string(names[i]), .flags = flags};
            cr_assert_eq(call(np_type_of_tlcreate), EEXIST);
        }
    }
    static const uint32_t kinds[] = {S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK};
    for (int i = 0; i < 4; i++) {
        request.tmake = (struct np_tmake){.dfid = 1,
                                          .newfid = NP_NOFID,
                                          .name = np_string("made"),
                                          .mode = kinds[i] | 0666,
                                          .major = 1,
                                          .minor = 3};
        cr_assert_eq(call(np_type_of_tmake), EPERM);
    }
    exports[0].flags = GOFER_EXPORT_FIFOS | GOFER_EXPORT_SOCKETS;
    for (int i = 0; i < 4; i++) {
        char made[16];
        snprintf(made, sizeof(made), "made%d", i);
        request.tmake = (struct np_tmake){.dfid = 1,
                                          .newfid = NP_NOFID,
                                          .name = np_string(made),
                                          .mode = kinds[i] | 0666,
                                          .major = 1,
                                          .minor = 3};
        cr_assert_eq(call(np_type_of_tmake), i < 2 ? EPERM : 0);
    }
}

Test(server, nothing_is_changed_through_a_read_only_export)
{
    make_file(inside, "f", "hello");
    request.tattachattr = (struct np_tattachattr){.fid = 5, .aname = np_string("ro")};
    cr_assert_eq(call(np_type_of_tattachattr), 0);
    cr_assert_eq(reply.rattachattr.flags, NP_EXPORT_RO);
    cr_assert_eq(walk_names(5, 6, 1, (const char *const[]){"f"}), 0);
    cr_assert_eq(open_fd(6, O_RDONLY), 0);
    close(take_donated());
    cr_assert_eq(open_fd(6, O_RDWR), EROFS);
    cr_assert_eq(open_fd(6, O_WRONLY), EROFS);
    cr_assert_eq(open_fd(6, O_RDONLY | O_TRUNC), EROFS);
    request.tcreatefd = (struct np_tcreatefd){.dfid = 5, .newfid = 7, .name = np_string("n"), .mode = 0644};
    cr_assert_eq(call(np_type_of_tcreatefd), EROFS);
    request.tlcreate =
        (struct np_tlcreate){.fid = 5, .name = np_string("f"), .flags = O_TRUNC | O_RDWR, .mode = 0644};
    cr_assert_eq(call(np_type_of_tlcreate), EROFS);
    request.tmake = (struct np_tmake){.dfid = 5, .newfid = 7, .name = np_string("n"), .mode = S_IFDIR | 0755};
    cr_assert_eq(call(np_type_of_tmake), EROFS);
    request.tunlinkat = (struct np_tunlinkat){.dirfid = 5, .name = np_string("f")};
    cr_assert_eq(call(np_type_of_tunlinkat), EROFS);
    request.trenameat = (struct np_trenameat){5, np_string("f"), 5, np_string("g")};
    cr_assert_eq(call(np_type_of_trenameat), EROFS);
    request.tlink = (struct np_tlink){5, 6, np_string("g")};
    cr_assert_eq(call(np_type_of_tlink), EROFS);
    for (uint32_t valid = 1; valid <= NP_SETATTR_MTIME_SET; valid <<= 1) {
        request.tsetattr = (struct np_tsetattr){.fid = 6, .valid = valid};
        cr_assert_eq(call(np_type_of_tsetattr), EROFS);
    }
    request.tsetxattr =
        (struct np_tsetxattr){.fid = 6, .name = np_string("user.a"), .value = {(const uint8_t *)"b", 1}};
    cr_assert_eq(call(np_type_of_tsetxattr), EROFS);
    // Nor into it from an export that may be written.
    request.tlink = (struct np_tlink){1, 6, np_string("g")};
    cr_assert_eq(call(np_type_of_tlink), EXDEV);
    request.trenameat = (struct np_trenameat){5, np_string("f"), 1, np_string("g")};
    cr_assert_eq(call(np_type_of_trenameat), EROFS);
}

Test(server, create_is_exclusive_and_gives_descriptor_fid_and_attributes)
{
    request.tcreatefd = (struct np_tcreatefd){.dfid = 1,
                                              .newfid = 2,
                                              .name = np_string("new"),
                                              .flags = O_RDWR,
                                              .mode = 0640,
                                              .uid = UINT32_MAX,
                                              .gid = UINT32_MAX};
    cr_assert_eq(call(np_type_of_tcreatefd), 0);
    cr_assert_eq(reply.rcreatefd.attr.mode, S_IFREG | 0640);
    int fd = take_donated();
    cr_assert_eq(write(fd, "abc", 3), 3);
    close(fd);
    cr_assert_eq(walk_names(2, NP_NOFID, 0, NULL), 0);
    cr_assert_eq(reply.rwalkattr.attrs.attr[0].size, 3);
    request.tcreatefd =
        (struct np_tcreatefd){.dfid = 1, .newfid = 3, .name = np_string("new"), .flags = O_RDWR};
    cr_assert_eq(call(np_type_of_tcreatefd), EEXIST);
}

Test(server, failed_creations_leave_nothing)
{
    unsigned int before = open_descriptors();
    server.fids.limit = server.fids.count;
    request.tcreatefd = (struct np_tcreatefd){.dfid = 1, .newfid = 2, .name = np_string("x"), .mode = 0644};
    cr_assert_eq(call(np_type_of_tcreatefd), EMFILE);
    request.tmake = (struct np_tmake){.dfid = 1, .newfid = 2, .name = np_string("x"), .mode = S_IFDIR | 0755};
    cr_assert_eq(call(np_type_of_tmake), EMFILE);
    request.tmake = (struct np_tmake){.dfid = 1, .newfid = 1, .name = np_string("x"), .mode = S_IFDIR | 0755};
    cr_assert_eq(call(np_type_of_tmake), EEXIST);
    request.tcreatefd =
        (struct np_tcreatefd){.dfid = 1, .newfid = NP_NOFID, .name = np_string("x"), .mode = 04755};
    cr_assert_eq(call(np_type_of_tcreatefd), EPERM);
    // The host refuses the owner: what was made for it goes away again.
    if (geteuid() == 0) {
        cr_assert_eq(fchownat(AT_FDCWD, inside, 65534, 65534, 0), 0);
        cr_assert_eq(seteuid(65534), 0);
    }
    host.owner = GOFER_OWNER_SET;
    request.tcreatefd = (struct np_tcreatefd){.dfid = 1,
                                              .newfid = NP_NOFID,
                                              .name = np_string("x"),
                                              .flags = O_RDWR,
                                              .mode = 0644,
                                              .uid = 0,
                                              .gid = 0};
    cr_assert_eq(call(np_type_of_tcreatefd), EPERM);
    request.tmake =
        (struct np_tmake){.dfid = 1, .newfid = NP_NOFID, .name = np_string("x"), .mode = S_IFDIR | 0755};
    cr_assert_eq(call(np_type_of_tmake), EPERM);
    cr_assert_eq(walk_one(2, "x"), ENOENT);
    cr_assert_eq(open_descriptors(), before);
    if (getuid() == 0)
        cr_assert_eq(seteuid(0), 0);
}

Test(server, setattr_that_fails_half_way_takes_the_first_half_back)
{
    make_file(inside, "f", "hello");
    cr_assert_eq(walk_one(2, "f"), 0);
    request.tsetattr = (struct np_tsetattr){
        .fid = 2, .valid = NP_SETATTR_MODE | NP_SETATTR_SIZE, .mode = 0600, .size = UINT64_MAX};
    cr_assert_eq(call(np_type_of_tsetattr), EINVAL);
    cr_assert_eq(walk_names(2, NP_NOFID, 0, NULL), 0);
    cr_assert_eq(reply.rwalkattr.attrs.attr[0].mode, S_IFREG | 0644);
    request.tsetattrget = (struct np_tsetattrget){.fid = 2,
                                                  .valid = NP_SETATTR_MODE | NP_SETATTR_SIZE |
                                                           NP_SETATTR_MTIME | NP_SETATTR_MTIME_SET,
                                                  .mode = 0600,
                                                  .size = 3,
                                                  .mtime_sec = 1000,
                                                  .mtime_nsec = 5};
    cr_assert_eq(call(np_type_of_tsetattrget), 0);
    cr_assert_eq(reply.rsetattrget.attr.mode, S_IFREG | 0600);
    cr_assert_eq(reply.rsetattrget.attr.size, 3);
    request.tsetattr = (struct np_tsetattr){.fid = 2, .valid = NP_SETATTR_MODE, .mode = 04755};
    cr_assert_eq(call(np_type_of_tsetattr), EPERM);
    request.tsetattr = (struct np_tsetattr){
        .fid = 2, .valid = NP_SETATTR_MTIME | NP_SETATTR_MTIME_SET, .mtime_nsec = 1000000000};
    cr_assert_eq(call(np_type_of_tsetattr), EINVAL);
}

Test(server, fids_are_limited_and_cannot_be_reused)
{
    cr_assert_eq(walk_names(1, 1000, 0, NULL), 0);
    cr_assert_eq(walk_names(1, 1000, 0, NULL), EEXIST);
    cr_assert_eq(walk_names(1, 1, 0, NULL), 0, "a walk onto itself stays");
    server.fids.limit = 100;
    uint32_t fid = 2;
    while (walk_names(1, fid, 0, NULL) == 0)
        fid++;
    cr_assert_eq(reply.rlerror.ecode, EMFILE);
    cr_assert_eq(server.fids.count, 100);
    request.tclunkmany.fids.count = 50;
    for (uint32_t i = 0; i < 50; i++)
        request.tclunkmany.fids.fid[i] = 2 + i;
    cr_assert_eq(call(np_type_of_tclunkmany), 0);
    cr_assert_eq(server.fids.count, 50);
    request.tclunkmany.fids.count = 50;
    for (uint32_t i = 0; i < 50; i++)
        request.tclunkmany.fids.fid[i] = 2 + i;
    cr_assert_eq(call(np_type_of_tclunkmany), EBADF);
    request.tremove.fid = 1000;
    cr_assert_eq(call(np_type_of_tremove), EOPNOTSUPP);
    cr_assert_eq(fid_find(&server.fids, 1000), NULL);
}

Test(server, a_new_session_and_the_end_close_every_descriptor)
{
    unsigned int before = open_descriptors();
    make_file(inside, "f", "hello");
    for (uint32_t i = 2; i < 50; i++) {
        cr_assert_eq(walk_one(i, "f"), 0);
        request.tlopen = (struct np_tlopen){.fid = i, .flags = O_RDWR};
        cr_assert_eq(call(np_type_of_tlopen), 0);
    }
    cr_assert_eq(open_descriptors(), before + 48 * 2);
    request.tversion = (struct np_tversion){.msize = 65536, .version = np_string(NP_VERSION_SENTRY)};
    cr_assert_eq(call(np_type_of_tversion), 0);
    cr_assert_eq(open_descriptors(), before - 1, "the root's fid too");
    open_session(NP_VERSION_SENTRY);
    cr_assert_eq(open_descriptors(), before);
}

Test(server, files_are_read_and_written_by_message)
{
    request.tlcreate =
        (struct np_tlcreate){.fid = 1, .name = np_string("f"), .flags = O_CREAT | O_RDWR, .mode = 0644};
    cr_assert_eq(call(np_type_of_tlcreate), 0);
    request.twrite = (struct np_twrite){.fid = 1, .offset = 2, .data = {(const uint8_t *)"world", 5}};
    cr_assert_eq(call(np_type_of_twrite), 0);
    cr_assert_eq(reply.rwrite.count, 5);
    request.tread = (struct np_tread){.fid = 1, .offset = 1, .count = UINT32_MAX};
    cr_assert_eq(call(np_type_of_tread), 0);
    cr_assert_eq(reply.rread.data.count, 6);
    cr_assert_arr_eq(reply.rread.data.bytes, "\0world", 6);
    request.tread = (struct np_tread){.fid = 1, .offset = UINT64_MAX, .count = 1};
    cr_assert_eq(call(np_type_of_tread), EINVAL);
    request.twalk = (struct np_twalk){.fid = 1, .newfid = 1};
    cr_assert_eq(call(np_type_of_twalk), EBUSY, "an open fid is not moved");
    request.tlock = (struct np_tlock){.fid = 1, .type = NP_LOCK_WRLCK};
    cr_assert_eq(call(np_type_of_tlock), EOPNOTSUPP, "no lock on the host for a Sentry");
    host.locks = true;
    cr_assert_eq(call(np_type_of_tlock), 0);
    cr_assert_eq(reply.rlock.status, NP_LOCK_SUCCESS);
    request.tlock = (struct np_tlock){.fid = 1, .type = 9};
    cr_assert_eq(call(np_type_of_tlock), EINVAL);
    request.tfsync = (struct np_tfsync){.fid = 1};
    cr_assert_eq(call(np_type_of_tfsync), 0);
    request.tstatfs = (struct np_tstatfs){.fid = 1};
    cr_assert_eq(call(np_type_of_tstatfs), 0);
    cr_assert_neq(reply.rstatfs.blocks, 0);
}

static unsigned int list(uint32_t fid, uint32_t count, bool attributes)
{
    unsigned int found = 0;
    uint64_t offset = 0;
    for (;;) {
        struct np_data data;
        bool end;
        if (attributes) {
            request.treaddirattr = (struct np_treaddirattr){.fid = fid, .offset = offset, .count = count};
            cr_assert_eq(call(np_type_of_treaddirattr), 0);
            data = reply.rreaddirattr.data;
            end = reply.rreaddirattr.end;
        } else {
            request.treaddir = (struct np_treaddir){.fid = fid, .offset = offset, .count = count};
            cr_assert_eq(call(np_type_of_treaddir), 0);
            data = reply.rreaddir.data;
            end = data.count == 0;
        }
        cr_assert_leq(data.count, count);
        struct np_cursor cursor = np_cursor_over((void *)(uintptr_t)data.bytes, data.count);
        while (cursor.position < data.count) {
            struct np_dirent entry;
            struct np_attr attr;
            np_get_dirent(&cursor, &entry);
            if (attributes)
                np_get_attr(&cursor, &attr);
            cr_assert(!cursor.overflow);
            offset = entry.offset;
            if (entry.name.bytes[0] == '.')
                continue;
            found++;
            cr_assert_eq(entry.type, DT_REG);
            if (attributes)
                cr_assert_eq(attr.size, 3);
        }
        if (end)
            return found;
    }
}

Test(server, directories_are_read_in_parts_of_any_size)
{
    for (int i = 0; i < 300; i++) {
        char name[64];
        snprintf(name, sizeof(name), "file-with-a-name-%d", i);
        make_file(inside, name, "abc");
    }
    request.tlopen = (struct np_tlopen){.fid = 1, .flags = O_RDONLY | O_DIRECTORY};
    cr_assert_eq(walk_names(1, 2, 0, NULL), 0);
    cr_assert_eq(walk_names(1, 3, 0, NULL), 0);
    request.tlopen = (struct np_tlopen){.fid = 2, .flags = O_RDONLY | O_DIRECTORY};
    cr_assert_eq(call(np_type_of_tlopen), 0);
    unsigned int before = open_descriptors();
    static const uint32_t sizes[] = {300, 1000, 8192, 60000, UINT32_MAX};
    for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        cr_assert_eq(list(2, sizes[i], false), 300);
        cr_assert_eq(list(3, sizes[i], true), 300);
    }
    cr_assert_eq(open_descriptors(), before);
    request.treaddir = (struct np_treaddir){.fid = 2, .offset = 0, .count = 10};
    cr_assert_eq(call(np_type_of_treaddir), EINVAL);
    request.treaddir = (struct np_treaddir){.fid = 2, .offset = UINT64_MAX, .count = 1000};
    cr_assert_eq(call(np_type_of_treaddir), EINVAL);
}

static void make_directory(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", inside, name);
    cr_assert_eq(mkdir(path, 0755), 0);
}

struct tree_row {
    unsigned int parent, entries;
    char name[16];
};

// What Rreaddirtree brought, taken apart. The number of directories.
static unsigned int read_tree(uint32_t count, const char *const *below, uint16_t nr_below,
                              struct tree_row *rows)
{
    request.treaddirtree = (struct np_treaddirtree){.fid = 1, .count = count, .below.count = nr_below};
    for (uint16_t i = 0; i < nr_below; i++)
        request.treaddirtree.below.name[i] = np_string(below[i]);
    cr_assert_eq(call(np_type_of_treaddirtree), 0);
    const struct np_data *data = &reply.rreaddirtree.data;
    cr_assert_leq(data->count, count);
    struct np_cursor cursor = np_cursor_over((void *)(uintptr_t)data->bytes, data->count);
    unsigned int found = 0;
    while (cursor.position < cursor.size) {
        struct tree_row *row = &rows[found++];
        *row = (struct tree_row){.parent = (unsigned int)np_get(&cursor, 2)};
        size_t length = np_get(&cursor, 2);
        memcpy(row->name, np_take(&cursor, length), length);
        size_t size = np_get(&cursor, 4), end = cursor.position + size;
        while (cursor.position < end) {
            struct np_dirent entry;
            struct np_attr attr;
            np_get_dirent(&cursor, &entry);
            np_get_attr(&cursor, &attr);
            row->entries++;
        }
        cr_assert(!cursor.overflow && cursor.position == end);
    }
    return found;
}

Test(server, a_tree_is_read_in_the_order_of_a_walk)
{
    static struct tree_row rows[100];
    char name[64];
    make_directory("a"), make_directory("a/b"), make_directory("a/b/c");
    make_directory("d"), make_directory("many");
    make_file(inside, "a/b/f", "x"), make_file(inside, "file", "x");
    static const char *const below[] = {"a", "file", "missing", "d"};
    cr_assert_eq(read_tree(60000, below, 4, rows), 4);
    static const struct tree_row want[] = {{65535, 1, "a"}, {0, 2, "b"}, {1, 0, "c"}, {65535, 0, "d"}};
    for (int i = 0; i < 4; i++)
        cr_assert(rows[i].parent == want[i].parent && rows[i].entries == want[i].entries &&
                      !strcmp(rows[i].name, want[i].name),
                  "%d: %u %u %s", i, rows[i].parent, rows[i].entries, rows[i].name);
    // Whole directories only, and never more than 64.
    cr_assert_eq(read_tree(300, below, 1, rows), 1);
    cr_assert_eq(read_tree(50, below, 1, rows), 0);
    for (int i = 0; i < 80; i++) {
        snprintf(name, sizeof(name), "many/%d", i);
        make_directory(name);
    }
    static const char *const many[] = {"many"};
    unsigned int before = open_descriptors();
    cr_assert_eq(read_tree(60000, many, 1, rows), 64);
    cr_assert_eq(open_descriptors(), before);
    request.treaddirtree = (struct np_treaddirtree){.fid = 99, .count = 1000};
    cr_assert_eq(call(np_type_of_treaddirtree), EBADF);
}

Test(server, attributes_outside_user_are_out_of_reach)
{
    make_file(inside, "f", "hello");
    cr_assert_eq(walk_one(2, "f"), 0);
    request.tsetxattr =
        (struct np_tsetxattr){.fid = 2, .name = np_string("user.a"), .value = {(const uint8_t *)"bc", 2}};
    int error = call(np_type_of_tsetxattr);
    if (error == EOPNOTSUPP)
        cr_skip_test("no user attributes on this file system");
    cr_assert_eq(error, 0);
    request.tgetxattr = (struct np_tgetxattr){.fid = 2, .name = np_string("user.a"), .size = 100};
    cr_assert_eq(call(np_type_of_tgetxattr), 0);
    cr_assert_eq(reply.rgetxattr.data.count, 2);
    request.tgetxattr = (struct np_tgetxattr){.fid = 2, .name = np_string("user.a"), .size = 1};
    cr_assert_eq(call(np_type_of_tgetxattr), ERANGE);
    request.tgetxattr = (struct np_tgetxattr){.fid = 2, .name = np_string("user.a"), .size = 0};
    cr_assert_eq(call(np_type_of_tgetxattr), 0);
    cr_assert_eq(reply.rgetxattr.size, 2);
    cr_assert_eq(reply.rgetxattr.data.count, 0);
    request.tgetxattr = (struct np_tgetxattr){.fid = 2, .name = np_string(""), .size = 100};
    cr_assert_eq(call(np_type_of_tgetxattr), 0);
    cr_assert_eq(reply.rgetxattr.data.count, sizeof("user.a"));
    request.txattrwalk = (struct np_txattrwalk){.fid = 2, .newfid = 3, .name = np_string("user.a")};
    cr_assert_eq(call(np_type_of_txattrwalk), 0);
    request.tread = (struct np_tread){.fid = 3, .offset = 1, .count = 10};
    cr_assert_eq(call(np_type_of_tread), 0);
    cr_assert_eq(reply.rread.data.count, 1);
    request.tgetattr = (struct np_tgetattr){.fid = 3};
    cr_assert_eq(call(np_type_of_tgetattr), EBADF, "an attribute is no file");
    static const char *const bad[] = {"trusted.a", "security.capability", "system.posix_acl_access",
                                      "security.selinux", "user."};
    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request.tsetxattr =
            (struct np_tsetxattr){.fid = 2, .name = np_string(bad[i]), .value = {(const uint8_t *)"b", 1}};
        cr_assert_neq(call(np_type_of_tsetxattr), 0);
        request.txattrcreate = (struct np_txattrcreate){.fid = 2, .name = np_string(bad[i]), .size = 1};
        cr_assert_neq(call(np_type_of_txattrcreate), 0);
    }
    request.txattrcreate = (struct np_txattrcreate){.fid = 2, .name = np_string("user.b"), .size = 4};
    cr_assert_eq(call(np_type_of_txattrcreate), 0);
    request.twrite = (struct np_twrite){.fid = 2, .offset = 0, .data = {(const uint8_t *)"abcdef", 6}};
    cr_assert_eq(call(np_type_of_twrite), EINVAL, "more than announced");
    request.twrite = (struct np_twrite){.fid = 2, .offset = 0, .data = {(const uint8_t *)"abcd", 4}};
    cr_assert_eq(call(np_type_of_twrite), 0);
    request.tclunk.fid = 2;
    cr_assert_eq(call(np_type_of_tclunk), 0);
    char path[128], value[8];
    snprintf(path, sizeof(path), "%s/f", inside);
    cr_assert_eq(getxattr(path, "user.b", value, sizeof(value)), 4);
}

Test(server, names_are_made_linked_renamed_and_removed)
{
    request.tmake = (struct np_tmake){.dfid = 1,
                                      .newfid = 2,
                                      .name = np_string("d"),
                                      .mode = S_IFDIR | 01777,
                                      .uid = UINT32_MAX,
                                      .gid = UINT32_MAX};
    cr_assert_eq(call(np_type_of_tmake), 0);
    cr_assert_eq(reply.rmake.attr.mode, S_IFDIR | 01777);
    request.tmake = (struct np_tmake){.dfid = 2,
                                      .newfid = 3,
                                      .name = np_string("l"),
                                      .mode = S_IFLNK | 0777,
                                      .target = np_string("/etc/passwd")};
    cr_assert_eq(call(np_type_of_tmake), 0);
    request.treadlink.fid = 3;
    cr_assert_eq(call(np_type_of_treadlink), 0);
    cr_assert(np_string_is(reply.rreadlink.target, "/etc/passwd"));
    make_file(inside, "f", "x");
    cr_assert_eq(walk_one(4, "f"), 0);
    request.tlink = (struct np_tlink){2, 4, np_string("g")};
    cr_assert_eq(call(np_type_of_tlink), 0);
    request.trenameflags = (struct np_trenameflags){1, np_string("f"), 2, np_string("g"), 1};
    cr_assert_eq(call(np_type_of_trenameflags), EEXIST);
    request.trenameflags = (struct np_trenameflags){1, np_string("f"), 2, np_string("h"), 4};
    cr_assert_eq(call(np_type_of_trenameflags), EINVAL);
    request.trenameflags = (struct np_trenameflags){1, np_string("f"), 2, np_string("h"), 0};
    cr_assert_eq(call(np_type_of_trenameflags), 0);
    request.tunlinkat = (struct np_tunlinkat){.dirfid = 1, .name = np_string("d"), .flags = NP_AT_REMOVEDIR};
    cr_assert_eq(call(np_type_of_tunlinkat), ENOTEMPTY);
    static const char *const names[] = {"l", "g", "h"};
    for (int i = 0; i < 3; i++) {
        request.tunlinkat = (struct np_tunlinkat){.dirfid = 2, .name = np_string(names[i])};
        cr_assert_eq(call(np_type_of_tunlinkat), 0);
    }
    request.tunlinkat = (struct np_tunlinkat){.dirfid = 1, .name = np_string("d"), .flags = NP_AT_REMOVEDIR};
    cr_assert_eq(call(np_type_of_tunlinkat), 0);
    // The fid still holds the removed file.
    cr_assert_eq(walk_names(4, NP_NOFID, 0, NULL), 0);
    cr_assert_eq(reply.rwalkattr.attrs.attr[0].nlink, 0);
}

Test(server, one_mapped_user_sees_its_own_files_and_roots)
{
    host.owner = GOFER_OWNER_SINGLE;
    host.self_uid = 1234;
    host.self_gid = 1235;
    make_file(inside, "f", "x");
    cr_assert_eq(walk_one(2, "f"), 0);
    cr_assert_eq(reply.rwalkattr.attrs.attr[0].uid, 1234);
    cr_assert_eq(reply.rwalkattr.attrs.attr[0].gid, 1235);
    request.tsetattr = (struct np_tsetattr){.fid = 2, .valid = NP_SETATTR_UID, .uid = 0};
    cr_assert_eq(call(np_type_of_tsetattr), EPERM);
    request.tsetattr = (struct np_tsetattr){.fid = 2, .valid = NP_SETATTR_UID, .uid = 1234};
    cr_assert_eq(call(np_type_of_tsetattr), 0);
}

Test(server, a_world_export_gives_no_more_than_everybody_may)
{
    char path[300];
    exports[0].flags |= GOFER_EXPORT_WORLD;
    make_file(inside, "open", "x");
    make_file(inside, "secret", "x");
    snprintf(path, sizeof(path), "%s/secret", inside);
    cr_assert_eq(chmod(path, 0640), 0);
    snprintf(path, sizeof(path), "%s/closed", inside);
    cr_assert_eq(mkdir(path, 0750), 0);
    make_file(path, "below", "x");
    cr_assert_eq(walk_one(2, "open"), 0);
    cr_assert_eq(open_fd(2, O_RDONLY), 0);
    close(take_donated());
    cr_assert_eq(open_fd(2, O_RDWR), EACCES);
    cr_assert_eq(walk_one(3, "secret"), 0);
    cr_assert_eq(open_fd(3, O_RDONLY), EACCES);
    const char *const names[] = {"closed", "below"};
    cr_assert_eq(walk_names(1, 4, 2, names), 0);
    cr_assert_eq(reply.rwalkattr.stop, EACCES);
}

static int memfd_request(uint8_t read_only);

Test(server, a_store_gives_files_without_names_and_is_no_export)
{
    char name[256];
    struct export with_store[2] = {exports[0], {.name = "store", .flags = GOFER_EXPORT_STORE}};
    with_store[1].root_fd = open(outside, O_PATH | O_CLOEXEC);
    host.exports = with_store;
    cr_assert_eq(memfd_request(NP_MEMFD_STORE), 0);
    int fd = take_donated();
    struct stat st, there;
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_eq(stat(outside, &there), 0);
    cr_assert(S_ISREG(st.st_mode) && st.st_nlink == 0 && st.st_dev == there.st_dev);
    snprintf(name, sizeof(name), "%s/linked", outside);
    cr_assert_eq(linkat(AT_FDCWD, host_self_name(fd).text, AT_FDCWD, name, AT_SYMLINK_FOLLOW), -1,
                 "it gets no name");
    cr_assert_eq(memfd_request(NP_MEMFD_READ_ONLY), 0);
    close(take_donated());
    request.tattach = (struct np_tattach){
        .fid = 9, .afid = NP_NOFID, .uname = np_string("u"), .aname = np_string("store"), .n_uname = 0};
    cr_assert_eq(call(np_type_of_tattach), ENOENT);
    close(fd);
    close(with_store[1].root_fd);
    host.exports = exports;
}

static int memfd_request(uint8_t read_only)
{
    request.tmemfd = (struct np_tmemfd){.read_only = read_only};
    return call(np_type_of_tmemfd);
}

Test(server, memory_files_are_given_for_writing_and_for_reading)
{
    open_session(NP_VERSION_SENTRY);
    unsigned int before = open_descriptors();
    cr_assert_eq(memfd_request(1), EINVAL, "there is none yet");
    cr_assert_eq(memfd_request(2), EOPNOTSUPP, "there is no store");
    cr_assert_eq(memfd_request(3), EINVAL);
    cr_assert_eq(memfd_request(0), 0);
    int rw = take_donated();
    cr_assert_eq(fcntl(rw, F_GETFL) & O_ACCMODE, O_RDWR);
    cr_assert_eq(memfd_request(1), 0);
    int ro = take_donated();
    cr_assert_eq(fcntl(ro, F_GETFL) & O_ACCMODE, O_RDONLY);
    char byte = 'x';
    cr_assert_eq(pwrite(rw, &byte, 1, 5), 1);
    byte = 0;
    cr_assert_eq(pread(ro, &byte, 1, 5), 1);
    cr_assert_eq(byte, 'x');
    cr_assert_lt(write(ro, &byte, 1), 0);
    cr_assert_eq(memfd_request(1), EINVAL, "it is given once");
    close(rw);
    close(ro);
    cr_assert_eq(open_descriptors(), before);
}
