// A protocol server over a temporary directory, in this process: requests are encoded, handled and decoded as
// on the wire.
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gofer/server.h"

static char base[64], inside[80], outside[80];
static struct export exports[2];
static struct host host;
static struct server server;
static struct np_message request, reply;

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    return remove(path);
}

static inline void start_server(const char *version)
{
    server_destroy(&server);
    cr_assert_eq(server_init(&server, &host, 0, 0), 0);
    request = (struct np_message){.type = np_type_of_tversion, .tag = NP_NOTAG};
    request.tversion = (struct np_tversion){.msize = 65536, .version = np_string(version)};
}

// Sends `request`; 0, or the errno of the reply. The decoded reply is in `reply`.
static inline int call(uint8_t type)
{
    static uint8_t wire[1 << 20];
    request.type = type;
    ptrdiff_t size = np_encode(&request, wire, sizeof(wire));
    cr_assert_gt(size, 0);
    size_t answer = server_handle(&server, wire, (size_t)size);
    cr_assert_leq(answer, server.message_size);
    cr_assert_eq(np_decode(&reply, server.reply, answer), 0, "%s: the reply does not decode", np_name(type));
    cr_assert_eq(reply.tag, request.tag);
    if (reply.type == np_type_of_rlerror) {
        cr_assert_eq(server.donated, -1);
        return (int)reply.rlerror.ecode;
    }
    cr_assert_eq(reply.type, type + 1);
    return 0;
}

static inline void open_session(const char *version)
{
    start_server(version);
    cr_assert_eq(call(np_type_of_tversion), 0);
    request.tattach = (struct np_tattach){
        .fid = 1, .afid = NP_NOFID, .uname = np_string("u"), .aname = np_string("/files"), .n_uname = 0};
    cr_assert_eq(call(np_type_of_tattach), 0);
}

static inline void make_file(const char *directory, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static inline void start(void)
{
    umask(0);
    strcpy(base, "/tmp/gofer-test-XXXXXX");
    cr_assert_not_null(mkdtemp(base));
    snprintf(inside, sizeof(inside), "%s/inside", base);
    snprintf(outside, sizeof(outside), "%s/outside", base);
    mkdir(inside, 0755);
    mkdir(outside, 0755);
    make_file(outside, "secret", "secret");
    exports[0] = (struct export){.name = "files", .root_fd = open(inside, O_PATH | O_CLOEXEC)};
    exports[1] =
        (struct export){.name = "ro", .flags = GOFER_EXPORT_RO, .root_fd = open(inside, O_PATH | O_CLOEXEC)};
    host = (struct host){.exports = exports, .export_count = 2, .uid = geteuid(), .gid = getegid()};
    cr_assert_eq(host_open_self(&host, false), 0);
    open_session(NP_VERSION_SENTRY);
}

static inline void stop(void)
{
    if (server.donated >= 0)
        close(server.donated);
    server_destroy(&server);
    nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int walk_names(uint32_t fid, uint32_t newfid, unsigned int count, const char *const *names)
{
    request.twalkattr = (struct np_twalkattr){.fid = fid, .newfid = newfid, .names.count = (uint16_t)count};
    for (unsigned int i = 0; i < count; i++)
        request.twalkattr.names.name[i] = np_string(names[i]);
    return call(np_type_of_twalkattr);
}

// Walks from fid 1 and returns why it stopped (0: at the end, bound).
static inline int walk_one(uint32_t newfid, const char *name)
{
    int error = walk_names(1, newfid, 1, &name);
    return error ? error : (int)reply.rwalkattr.stop;
}

static inline int take_donated(void)
{
    int fd = server.donated;
    server.donated = -1;
    return fd;
}

static inline int open_fd(uint32_t fid, uint32_t flags)
{
    request.topenfd = (struct np_topenfd){.fid = fid, .flags = flags};
    return call(np_type_of_topenfd);
}

static inline unsigned int open_descriptors(void)
{
    unsigned int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}
