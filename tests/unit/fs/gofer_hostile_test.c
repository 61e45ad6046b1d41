// The client against a server that means ill: what makes no sense fails one request, a channel out of step ends it all, and
// nothing crashes, leaks a descriptor or reaches the VFS.
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sentry/fs/gofer/client_internal.h"

static struct gofer_client client;
static int server = -1;
static const char *fatal_reason;
static pthread_t thread;

// What the server sends for one request. size 0: it hangs up.
struct answer {
    uint8_t bytes[4096];
    size_t size;
    bool keep_tag; // do not put the request's tag in
    int fd;        // to be donated, or -1
};
static struct answer (*next_answer)(void);

static void fatal(const char *why)
{
    fatal_reason = why;
}

static void send_answer(struct answer *answer, uint16_t tag)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec vector = {answer->bytes, answer->size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (!answer->keep_tag)
        memcpy(answer->bytes + 5, &tag, 2);
    if (answer->fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        control.header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(&control.header), &answer->fd, sizeof(int));
    }
    sendmsg(server, &message, MSG_NOSIGNAL);
}

static void *serve(void *unused)
{
    static uint8_t request[1 << 17];
    for (;;) {
        size_t have = 0;
        while (have < 4 || have < np_announced_size(request)) {
            ssize_t got = read(server, request + have, sizeof(request) - have);
            if (got <= 0)
                return NULL;
            have += (size_t)got;
        }
        uint16_t tag;
        memcpy(&tag, request + 5, 2);
        struct answer answer = next_answer();
        if (!answer.size) {
            shutdown(server, SHUT_RDWR);
            return NULL;
        }
        send_answer(&answer, tag);
    }
}

static struct answer encoded(struct np_message *message)
{
    struct answer answer = {.fd = -1};
    answer.size = (size_t)np_encode(message, answer.bytes, sizeof(answer.bytes));
    return answer;
}

static struct answer version(void)
{
    static struct np_message message = {.type = np_type_of_rversion};
    message.rversion = (struct np_rversion){65536, np_string(NP_VERSION_SENTRY)};
    struct answer answer = encoded(&message);
    return answer;
}

static void setup(void)
{
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    server = pair[1];
    next_answer = version;
    cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
    cr_assert_eq(gofer_connect(&client, pair[0], 10, fatal), 0);
}

static void finish(void)
{
    shutdown(client.fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    gofer_disconnect(&client);
    close(server);
}

TestSuite(hostile, .init = setup, .fini = finish, .timeout = 50);

static int ask(void)
{
    struct np_rstatfs st;
    return gofer_statfs(&client, 0, &st);
}

static struct answer good(void)
{
    static struct np_message message = {.type = np_type_of_rstatfs};
    return encoded(&message);
}

static void goes_on(void)
{
    next_answer = good;
    cr_assert_eq(ask(), 0, "the next request is answered");
    cr_assert_null(fatal_reason);
}

static struct answer cut_short(void)
{
    struct answer answer = good();
    answer.size -= 3;
    uint32_t size = (uint32_t)answer.size;
    memcpy(answer.bytes, &size, 4);
    return answer;
}

static struct answer of_another_type(void)
{
    static struct np_message message = {.type = np_type_of_rfsync};
    return encoded(&message);
}

static struct answer of_no_type(void)
{
    struct answer answer = good();
    answer.bytes[4] = 1;
    return answer;
}

static struct answer error_zero(void)
{
    static struct np_message message = {.type = np_type_of_rlerror};
    message.rlerror.ecode = 0;
    return encoded(&message);
}

static struct answer error_huge(void)
{
    static struct np_message message = {.type = np_type_of_rlerror};
    message.rlerror.ecode = 0x80000000u;
    return encoded(&message);
}

static struct answer with_a_descriptor(void)
{
    struct answer answer = good();
    answer.fd = 0;
    return answer;
}

Test(hostile, a_reply_without_sense_fails_its_request_alone)
{
    struct answer (*const answers[])(void) = {cut_short,  of_another_type, of_no_type,
                                              error_zero, error_huge,      with_a_descriptor};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        next_answer = answers[i];
        cr_assert_eq(ask(), -EIO, "answer %zu", i);
        goes_on();
    }
}

static struct answer of_another_tag(void)
{
    struct answer answer = good();
    answer.keep_tag = true;
    answer.bytes[5] = answer.bytes[6] = 0x77;
    return answer;
}

static struct answer too_long(void)
{
    struct answer answer = good();
    uint32_t size = 70000;
    memcpy(answer.bytes, &size, 4);
    return answer;
}

static struct answer with_more_behind(void)
{
    struct answer answer = good();
    answer.size += 8;
    return answer;
}

static struct answer hang_up(void)
{
    return (struct answer){.size = 0};
}

static void ends(struct answer (*answer)(void))
{
    next_answer = answer;
    cr_assert_eq(ask(), -EIO);
    cr_assert_not_null(fatal_reason, "the sandbox is told");
    next_answer = good;
    cr_assert_eq(ask(), -EIO, "and nothing is asked any more");
}

Test(hostile, another_tag_ends_the_connection)
{
    ends(of_another_tag);
}

Test(hostile, a_length_beyond_the_settled_one_ends_the_connection)
{
    ends(too_long);
}

Test(hostile, bytes_behind_a_reply_end_the_connection)
{
    ends(with_more_behind);
}

Test(hostile, an_end_of_file_ends_the_connection)
{
    ends(hang_up);
}

static int donated_fd;

static struct answer donate(void)
{
    static struct np_message message = {.type = np_type_of_ropenfd};
    struct answer answer = encoded(&message);
    answer.fd = donated_fd;
    return answer;
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

Test(hostile, only_a_regular_file_opened_as_asked_is_taken)
{
    static const struct {
        const char *path;
        int flags;
    } wrong[] = {{"/", O_RDONLY},       {"/dev/null", O_RDONLY},      {"/etc/passwd", O_PATH},
                 {"/dev/null", O_RDWR}, {"/proc/self/exe", O_RDONLY}, {NULL, 0}};
    struct np_attr attr;
    int fd = -1;
    for (int i = 0; wrong[i].path; i++) {
        bool as_asked = i == 4; // the one that is right for reading is wrong for writing
        donated_fd = open(wrong[i].path, wrong[i].flags);
        cr_assert_geq(donated_fd, 0);
        unsigned before = open_descriptors();
        next_answer = donate;
        cr_assert_eq(gofer_open(&client, 0, NP_NOFID, NULL, 0, as_asked ? O_RDWR : O_RDONLY, &attr, &fd),
                     -EIO, "%s", wrong[i].path);
        cr_assert_eq(open_descriptors(), before, "it was closed");
        close(donated_fd);
        goes_on();
    }
    donated_fd = -1; // none at all
    next_answer = donate;
    cr_assert_eq(gofer_open(&client, 0, NP_NOFID, NULL, 0, O_RDONLY, &attr, &fd), -EIO);
    goes_on();
}

static struct np_str entry_name;

static struct answer directory(void)
{
    static uint8_t data[2048];
    static struct np_message message = {.type = np_type_of_rreaddirattr};
    struct np_cursor cursor = np_cursor_over(data, sizeof(data));
    const struct np_dirent entry = {.offset = 1, .name = entry_name};
    const struct np_attr attr = {.mode = 0100644};
    np_put_dirent(&cursor, &entry);
    np_put_attr(&cursor, &attr);
    message.rreaddirattr = (struct np_rreaddirattr){1, {data, (uint32_t)cursor.position}};
    return encoded(&message);
}

static bool no_entry(void *context, const struct np_dirent *entry, const struct np_attr *attr)
{
    cr_assert_fail("a name that is none was taken");
    return true;
}

Test(hostile, names_that_are_no_component_do_not_pass)
{
    static const struct np_str names[] = {{"", 0}, {".", 1}, {"..", 2}, {"a/b", 3}, {"/", 1}, {"a\0b", 3}};
    bool end;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        entry_name = names[i];
        next_answer = directory;
        cr_assert_eq(gofer_readdir(&client, 0, NULL, 0, 0, 4096, no_entry, NULL, &end), -EIO);
        goes_on();
    }
}

static unsigned tree_parent, tree_directories;
static uint32_t tree_size;

static struct answer tree(void)
{
    static uint8_t data[2048];
    static struct np_message message = {.type = np_type_of_rreaddirtree};
    struct np_cursor cursor = np_cursor_over(data, sizeof(data));
    for (int i = 0; i < 2; i++) {
        np_put(&cursor, i ? tree_parent : UINT16_MAX, 2);
        np_put(&cursor, entry_name.length, 2);
        memcpy(np_take(&cursor, entry_name.length), entry_name.bytes, entry_name.length);
        np_put(&cursor, i ? tree_size : 0, 4);
    }
    message.rreaddirtree = (struct np_rreaddirtree){{data, (uint32_t)cursor.position}};
    return encoded(&message);
}

static bool any_directory(void *context, uint16_t parent, struct np_str name)
{
    cr_assert(gofer_is_component(name));
    cr_assert(parent == UINT16_MAX || parent < tree_directories);
    tree_directories++;
    return true;
}

static int read_tree(struct np_str name, unsigned parent, uint32_t size)
{
    static const struct np_names below = {.count = 1, .name = {{"a", 1}}};
    entry_name = name;
    tree_parent = parent;
    tree_size = size;
    tree_directories = 0;
    next_answer = tree;
    int result = gofer_readdir_tree(&client, 0, NULL, 0, &below, 4096, any_directory, no_entry, NULL);
    goes_on();
    return result;
}

Test(hostile, a_tree_is_made_of_components_below_one_another)
{
    cr_assert_eq(read_tree(np_string("a"), 0, 0), 0);
    cr_assert_eq(tree_directories, 2);
    cr_assert_eq(read_tree(np_string("a"), 1, 0), -EIO); // below itself
    cr_assert_eq(read_tree(np_string("a"), 500, 0), -EIO);
    cr_assert_eq(read_tree(np_string("a"), 0, 4), -EIO);
    cr_assert_eq(read_tree(np_string("a"), 0, UINT32_MAX), -EIO);
    cr_assert_eq(read_tree(np_string(".."), 0, 0), -EIO);
    cr_assert_eq(read_tree(np_string("a/b"), 0, 0), -EIO);
}

static struct np_rwalkattr walk_reply;

static struct answer walk_answer(void)
{
    static struct np_message message = {.type = np_type_of_rwalkattr};
    message.rwalkattr = walk_reply;
    return encoded(&message);
}

Test(hostile, a_walk_that_went_further_than_asked_is_refused)
{
    static struct gofer_walk walk;
    const struct np_str names[2] = {np_string("a"), np_string("b")};
    for (uint16_t count = 0; count < 5; count++) {
        for (uint32_t stop = 0; stop < 3; stop++) {
            walk_reply =
                (struct np_rwalkattr){.stop = stop == 2 ? 5000 : stop, .bound = 1, .target = np_string("")};
            walk_reply.attrs.count = count;
            next_answer = walk_answer;
            bool sense = !stop && count == 2;
            cr_assert_eq(gofer_walk(&client, 0, 7, names, 2, &walk), sense ? 0 : -EIO, "%u %u", count, stop);
            goes_on();
        }
    }
}

static uint64_t state = 88172645463325252ull;

static struct answer noise(void)
{
    static const uint8_t types[] = {np_type_of_rwalkattr, np_type_of_rreaddirattr, np_type_of_rgetxattr,
                                    np_type_of_ropenfd,   np_type_of_rlerror,      np_type_of_rread,
                                    np_type_of_rstatfs};
    struct answer answer = {.fd = -1};
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    uint32_t size = 7 + (uint32_t)(state % 600);
    for (size_t i = 4; i < size; i++)
        answer.bytes[i] = (uint8_t)((state >> i % 48) * (i % 3 ? 1 : 131) >> (i % 5 ? 0 : 6));
    // Small counts, so that some replies decode.
    for (size_t i = 7; i < size && state % 4; i++)
        answer.bytes[i] &= i % 2 ? 3 : 0;
    answer.bytes[4] = types[state / 7 % sizeof(types)];
    memcpy(answer.bytes, &size, 4);
    answer.size = size;
    return answer;
}

static bool any_entry(void *context, const struct np_dirent *entry, const struct np_attr *attr)
{
    cr_assert(gofer_is_component(entry->name));
    return true;
}

Test(hostile, noise_is_an_error_or_harmless)
{
    static struct gofer_walk walk;
    static char buffer[65536];
    const struct np_str names[1] = {np_string("a")};
    struct np_attr attr;
    unsigned before = open_descriptors();
    for (int i = 0; i < 20000; i++) {
        int fd = -1;
        bool end;
        next_answer = noise;
        switch (i % 5) {
        case 0:
            gofer_walk(&client, 0, NP_NOFID, names, 1, &walk);
            cr_assert_leq(walk.count, NP_NAMES_MAX);
            break;
        case 1:
            gofer_readdir(&client, 0, NULL, 0, 0, 4096, any_entry, NULL, &end);
            break;
        case 2:
            cr_assert_leq(gofer_getxattr(&client, 0, names[0], buffer, 100), 65536);
            break;
        case 3:
            cr_assert_neq(gofer_open(&client, 0, NP_NOFID, NULL, 0, O_RDONLY, &attr, &fd), 0);
            break;
        case 4:
            cr_assert_leq(gofer_read(&client, 0, 0, buffer, 100), 100);
            break;
        }
    }
    cr_assert_null(fatal_reason);
    cr_assert_eq(open_descriptors(), before);
}
