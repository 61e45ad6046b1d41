// Fuzz target of the Gofer's protocol server: a hostile Sentry's bytes against a real directory. An input is
// a sequence of requests, each with its size in front as on the wire. Reads one input from standard input or
// the file named, or makes sequences of its own: `ninep_server_fuzz --smoke N [SEED]`. Checked after each
// request: the reply decodes, donated descriptors are regular files inside, fids and descriptors stay within
// their limits. At the end: all are closed, and nothing outside the export has changed.
#include "tests/fuzz/fuzz.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gofer/server.h"

#define FIDS 24 // the numbers that generated requests use

static char base[64];
static struct export exports[2];
static struct host host;
static struct server server;
static struct np_message message;
static unsigned int succeeded[256]; // by request type

static void die(const char *why)
{
    fprintf(stderr, "ninep_server_fuzz: %s (last request %s)\n", why, np_name(message.type));
    abort();
}

static void make_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", base, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        exit(1);
    close(fd);
}

static void make_tree(void)
{
    char path[128];
    strcpy(base, "/tmp/gofer-fuzz-XXXXXX");
    if (!mkdtemp(base))
        exit(1);
    static const char *const directories[] = {"in", "in/d", "in/d/e", "out"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", base, directories[i]);
        mkdir(path, 0755);
    }
    make_file("out/secret", "secret");
    make_file("in/f", "contents");
    make_file("in/d/g", "contents");
    snprintf(path, sizeof(path), "%s/in/up", base);
    if (symlink("../out", path) < 0)
        exit(1);
    snprintf(path, sizeof(path), "%s/in/d/file", base);
    if (symlink("../../out/secret", path) < 0)
        exit(1);
    snprintf(path, sizeof(path), "%s/in/p", base);
    mkfifo(path, 0666);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    return remove(path);
}

static void begin(void)
{
    umask(0);
    make_tree();
    char path[80];
    snprintf(path, sizeof(path), "%s/in", base);
    exports[0] =
        (struct export){.name = "rw", .flags = GOFER_EXPORT_FIFOS, .root_fd = open(path, O_PATH | O_CLOEXEC)};
    exports[1] =
        (struct export){.name = "ro", .flags = GOFER_EXPORT_RO, .root_fd = open(path, O_PATH | O_CLOEXEC)};
    host.exports = exports;
    host.export_count = 2;
    host.locks = true;
    if (host_open_self(&host, false) || server_init(&server, &host, 65536, FIDS - 4))
        exit(1);
}

static unsigned int open_descriptors(void)
{
    unsigned int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void finish(unsigned int before)
{
    server_destroy(&server);
    close(exports[0].root_fd);
    close(exports[1].root_fd);
    if (chdir("/") < 0)
        exit(1);
    close(host.self_fds);
    if (open_descriptors() != before)
        die("a descriptor was left open");
    char path[80], text[8] = "";
    struct stat st;
    snprintf(path, sizeof(path), "%s/out/secret", base);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof(text)) != 6 || memcmp(text, "secret", 6) != 0 || fstat(fd, &st) < 0 ||
        (st.st_mode & 07777) != 0644 || st.st_nlink != 1)
        die("the outside was changed");
    close(fd);
    snprintf(path, sizeof(path), "%s/out", base);
    if (stat(path, &st) < 0 || st.st_nlink != 2 || (st.st_mode & 07777) != 0755)
        die("the outside was changed");
    nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void check_donated(void)
{
    struct stat st;
    char text[8];
    int fd = server.donated;
    server.donated = -1;
    if (fd < 0)
        return;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        die("a descriptor of something else was donated");
    if (pread(fd, text, sizeof(text), 0) == 6 && !memcmp(text, "secret", 6))
        die("a descriptor of the outside was donated");
    close(fd);
}

static void handle(const uint8_t *request, size_t size)
{
    static struct np_message reply;
    // A copy of exactly this size, so that a sanitizer sees any access beyond it.
    uint8_t *copy = malloc(size);
    memcpy(copy, request, size);
    size_t length = server_handle(&server, copy, size);
    if (length < NP_HEADER_SIZE || length > server.message_size ||
        np_decode(&reply, server.reply, length) < 0)
        die("a reply that does not decode");
    if (reply.type == np_type_of_rlerror && server.donated >= 0)
        die("a descriptor with an error");
    succeeded[copy[4]] += reply.type != np_type_of_rlerror;
    check_donated();
    if (server.fids.count > server.fids.limit || server.fids.xattr_count > XATTR_FIDS_MAX)
        die("a limit was passed");
    free(copy);
}

static void replay(const uint8_t *input, size_t size)
{
    unsigned int before = open_descriptors();
    begin();
    while (size >= NP_HEADER_SIZE) {
        uint32_t length = np_announced_size(input);
        if (length < NP_HEADER_SIZE || length > size || length > server.message_size)
            break; // the connection would be closed here
        message.type = input[4];
        handle(input, length);
        input += length;
        size -= length;
    }
    finish(before);
}

// ---- sequences of our own: requests that are well formed, with values that are likely to mean something or
// to hurt

static struct np_str some_name(void)
{
    static const char *const names[] = {"f",        "d",
                                        "e",        "g",
                                        "up",       "file",
                                        "p",        "new",
                                        "x",        "rw",
                                        "ro",       "",
                                        ".",        "..",
                                        "/",        "a/b",
                                        "../out",   "user.a",
                                        "user.b",   "security.capability",
                                        "9P2000.L", NP_VERSION_SENTRY,
                                        "secret",   "out"};
    return np_string(names[next() % (sizeof(names) / sizeof(names[0]))]);
}

static uint64_t some_number(void)
{
    static const uint64_t numbers[] = {0,         1,          2,       3,          7,          64,
                                       512,       0100644,    040755,  0120777,    010666,     020666,
                                       0644,      04755,      65536,   0x7fffffff, 0xffffffff, 0x100000000,
                                       INT64_MAX, UINT64_MAX, 02000000};
    if (next() % 3)
        return next() % 2 ? next() % 6 : next() % FIDS;
    return numbers[next() % (sizeof(numbers) / sizeof(numbers[0]))];
}

static void fill(uint8_t kind, void *field)
{
    static uint8_t bytes[4096];
    switch (kind) {
    case NP_u8:
        *(uint8_t *)field = (uint8_t)some_number();
        break;
    case NP_u16:
        *(uint16_t *)field = (uint16_t)some_number();
        break;
    case NP_u32:
        *(uint32_t *)field = (uint32_t)some_number();
        break;
    case NP_u64:
        *(uint64_t *)field = some_number();
        break;
    case NP_str:
        *(struct np_str *)field = some_name();
        break;
    case NP_data:
        *(struct np_data *)field = (struct np_data){.bytes = bytes, .count = (uint32_t)(next() % 64)};
        break;
    case NP_names: {
        struct np_names *names = field;
        names->count = (uint16_t)(next() % 16 ? next() % 4 : next() % (NP_NAMES_MAX + 1));
        for (int i = 0; i < names->count; i++)
            names->name[i] = some_name();
        break;
    }
    case NP_fids: {
        struct np_fids *fids = field;
        fids->count = (uint16_t)(next() % 4);
        for (int i = 0; i < fids->count; i++)
            fids->fid[i] = (uint32_t)some_number();
        break;
    }
    }
}

// Half of the requests get values with which they can be granted, as far as the tree still stands.
static void make_sensible(void)
{
    static const char *const made[] = {"n0", "n1", "n2", "n3"};
    struct np_str name = np_string(made[next() % 4]), other = np_string(made[next() % 4]);
    uint32_t newfid = 6 + (uint32_t)(next() % (FIDS - 6));
    switch (message.type) {
    case np_type_of_tattach:
        message.tattach = (struct np_tattach){.fid = newfid, .afid = NP_NOFID, .aname = np_string("rw")};
        break;
    case np_type_of_tmake:
        message.tmake = (struct np_tmake){
            .newfid = NP_NOFID, .name = name, .mode = next() % 2 ? 0100644 : 040755, .target = other};
        break;
    case np_type_of_trenameat:
        message.trenameat = (struct np_trenameat){0, name, next() % 2 ? 0 : 4, other};
        break;
    case np_type_of_trenameflags:
        message.trenameflags = (struct np_trenameflags){0, name, next() % 2 ? 0 : 4, other, next() % 4 == 0};
        break;
    case np_type_of_tunlinkat:
        message.tunlinkat = (struct np_tunlinkat){0, name, next() % 2 ? NP_AT_REMOVEDIR : 0};
        break;
    case np_type_of_tsetxattr:
        message.tsetxattr.fid = 2;
        message.tsetxattr.name = np_string("user.a");
        message.tsetxattr.flags = 0;
        break;
    case np_type_of_txattrwalk:
        message.txattrwalk = (struct np_txattrwalk){2, newfid, np_string(next() % 2 ? "" : "user.a")};
        break;
    case np_type_of_tlock:
        message.tlock.fid = 5;
        message.tlock.type = (uint8_t)(next() % 3);
        break;
    case np_type_of_tgetlock:
        message.tgetlock.fid = 5;
        message.tgetlock.type = (uint8_t)(next() % 2);
        break;
    case np_type_of_tread:
        message.tread.fid = 5;
        break;
    case np_type_of_tlopen:
        message.tlopen.flags = 0;
        break;
    case np_type_of_treaddir:
        message.treaddir.offset = 0;
        message.treaddir.count = 4096;
        break;
    }
}

static void open_session(void)
{
    static uint8_t wire[256];
    message.type = np_type_of_tversion;
    message.tversion = (struct np_tversion){.msize = 65536, .version = np_string(NP_VERSION_SENTRY)};
    handle(wire, (size_t)np_encode(&message, wire, sizeof(wire)));
    for (uint32_t fid = 0; fid < 2; fid++) {
        message.type = np_type_of_tattachattr;
        message.tattachattr = (struct np_tattachattr){.fid = fid, .aname = np_string(fid ? "ro" : "rw")};
        handle(wire, (size_t)np_encode(&message, wire, sizeof(wire)));
    }
    static const char *const names[] = {"f", "up", "d"};
    for (uint32_t i = 0; i < 3; i++) {
        message.type = np_type_of_twalkattr;
        message.twalkattr.fid = 0;
        message.twalkattr.newfid = 2 + i;
        message.twalkattr.names.count = 1;
        message.twalkattr.names.name[0] = np_string(names[i]);
        handle(wire, (size_t)np_encode(&message, wire, sizeof(wire)));
    }
    message.twalkattr.newfid = 5;
    message.twalkattr.names.name[0] = np_string("f");
    handle(wire, (size_t)np_encode(&message, wire, sizeof(wire)));
    message.type = np_type_of_tlopen;
    message.tlopen = (struct np_tlopen){.fid = 5, .flags = 2};
    handle(wire, (size_t)np_encode(&message, wire, sizeof(wire)));
}

static void smoke(unsigned long rounds)
{
    static uint8_t wire[32768];
    static uint8_t types[256];
    unsigned int type_count = 0;
    for (unsigned int i = 0; np_row(i) >= 0; i++) {
        if (np_row(i) % 2 == 0 && np_row(i) != np_type_of_tversion)
            types[type_count++] = (uint8_t)np_row(i);
    }
    for (unsigned long round = 0; round < rounds; round += 500) {
        unsigned int before = open_descriptors();
        begin();
        open_session();
        for (int i = 0; i < 500; i++) {
            memset(&message.rlerror, 0, 64);
            message.type = next() % 200 ? types[next() % type_count] : np_type_of_tversion;
            message.tag = (uint16_t)next();
            for (const struct np_field *field = np_fields(message.type); field->kind != NP_END; field++)
                fill(field->kind, np_field_of(&message, field));
            if (next() % 2)
                make_sensible();
            ptrdiff_t size = np_encode(&message, wire, sizeof(wire));
            if (size < 0 || (size_t)size > server.message_size)
                continue;
            if (next() % 16 == 0)
                wire[NP_HEADER_SIZE + next() % (uint64_t)(size - NP_HEADER_SIZE + 1)] = (uint8_t)next();
            handle(wire, (size_t)size);
            if (message.type == np_type_of_tversion)
                open_session();
        }
        finish(before);
    }
    printf("%lu requests\n", rounds);
    // Sequences that only ever fail test little: nearly every request must have been granted once.
    static const uint8_t never[] = {np_type_of_tauth, np_type_of_trename, np_type_of_tremove};
    unsigned int missing = 0;
    for (unsigned int i = 0; i < type_count && rounds >= 20000; i++) {
        if (!succeeded[types[i]] && !memchr(never, types[i], sizeof(never))) {
            fprintf(stderr, "%s never succeeded\n", np_name(types[i]));
            missing++;
        }
    }
    if (missing > 3)
        exit(1);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, smoke, replay);
}
