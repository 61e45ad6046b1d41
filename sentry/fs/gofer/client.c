// Sending a request and receiving its reply, and the requests of a session.
#include "sentry/fs/gofer/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "sentry/fs/gofer/client_internal.h"

#define MESSAGE_SIZE (128u << 10)
#define ERRNO_MAX 4095
#define DESCRIPTORS_RECEIVED 4 // room for more than one, so that a surplus is seen and closed

static int fail(struct gofer_client *client, const char *why)
{
    if (!client->failed && client->fatal)
        client->fatal(why);
    client->failed = true;
    return -EIO;
}

static int send_all(struct gofer_client *client, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        struct iovec vector = {.iov_base = client->buffer + sent, .iov_len = size - sent};
        struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
        ssize_t done = sendmsg(client->fd, &message, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail(client, errno == EAGAIN ? "the Gofer takes no request" : "the Gofer is gone");
        sent += (size_t)done;
    }
    return 0;
}

struct received {
    int fd[DESCRIPTORS_RECEIVED];
    unsigned int count;
    bool truncated; // some did not fit: no number left in this process
};

static void collect(struct msghdr *message, struct received *received)
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
            if (received->count < DESCRIPTORS_RECEIVED)
                received->fd[received->count++] = fd;
            else
                close(fd);
        }
    }
}

// Receives one whole message. Its size, or -EIO.
static ssize_t receive(struct gofer_client *client, struct received *received)
{
    size_t have = 0, size = 4;
    while (have < size) {
        union {
            struct cmsghdr header;
            char space[CMSG_SPACE(DESCRIPTORS_RECEIVED * sizeof(int))];
        } control;
        // Never more than this message, so that nothing of a later one is taken for granted: there is no
        // later one.
        struct iovec vector = {.iov_base = client->buffer + have, .iov_len = client->message_size - have};
        struct msghdr message = {
            .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t got = recvmsg(client->fd, &message, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fail(client,
                        got < 0 && errno == EAGAIN ? "the Gofer does not answer" : "the Gofer is gone");
        collect(&message, received);
        received->truncated |= (message.msg_flags & MSG_CTRUNC) != 0;
        have += (size_t)got;
        if (have >= 4) {
            size = np_announced_size(client->buffer);
            if (size < NP_HEADER_SIZE || size > client->message_size || have > size)
                return fail(client, "the Gofer is out of step");
        }
    }
    return (ssize_t)size;
}

static int exchange(struct gofer_client *client, struct received *received)
{
    struct np_message *request = &client->request, *reply = &client->reply;
    request->tag = request->type == np_type_of_tversion ? NP_NOTAG
                   : ++client->tag == NP_NOTAG          ? ++client->tag
                                                        : client->tag;
    ptrdiff_t size = np_encode(request, client->buffer, client->message_size);
    if (size < 0)
        return -EMSGSIZE;
    atomic_fetch_add_explicit(&client->messages, 1, memory_order_relaxed);
    int error = send_all(client, (size_t)size);
    if (error)
        return error;
    ssize_t got = receive(client, received);
    if (got < 0)
        return (int)got;
    uint16_t tag;
    memcpy(&tag, client->buffer + 5, sizeof(tag));
    if (tag != request->tag)
        return fail(client, "the Gofer's reply is to another request");
    // From here on both ends know where the next message begins: what makes no sense fails this request alone.
    if (np_decode(reply, client->buffer, (size_t)got) < 0)
        return -EIO;
    if (reply->type == np_type_of_rlerror)
        return reply->rlerror.ecode && reply->rlerror.ecode <= ERRNO_MAX ? -(int)reply->rlerror.ecode : -EIO;
    return reply->type == request->type + 1 ? 0 : -EIO;
}

// A donated descriptor is taken only if it is a regular file opened as asked.
static bool is_as_asked(int fd, uint32_t flags)
{
    struct stat st;
    int mode = fcntl(fd, F_GETFL);
    // The call itself: the C library's fstat() names a path to the filter.
    return syscall(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) && mode >= 0 && !(mode & O_PATH) &&
           (mode & O_ACCMODE) == (int)(flags & O_ACCMODE);
}

int gofer_rpc(struct gofer_client *client, int *host_fd, uint32_t flags)
{
    struct received received = {.count = 0};
    if (client->failed)
        return -EIO;
    int error = exchange(client, &received);
    bool wanted = host_fd && !error;
    if (wanted && !received.count && received.truncated)
        return -EMFILE;
    if (received.count != (wanted ? 1u : 0u) || (wanted && !is_as_asked(received.fd[0], flags))) {
        for (unsigned int i = 0; i < received.count; i++)
            close(received.fd[i]);
        return -EIO;
    }
    if (wanted)
        *host_fd = received.fd[0];
    return error;
}

struct np_message *gofer_begin(struct gofer_client *client, uint8_t type)
{
    pthread_mutex_lock(&client->lock);
    client->request.type = type;
    return &client->request;
}

int gofer_finish(struct gofer_client *client, int error)
{
    pthread_mutex_unlock(&client->lock);
    return error;
}

int gofer_simple(struct gofer_client *client)
{
    return gofer_finish(client, gofer_rpc(client, NULL, 0));
}

static int settle(struct gofer_client *client, const char *version)
{
    client->request.type = np_type_of_tversion;
    client->request.tversion = (struct np_tversion){.msize = MESSAGE_SIZE, .version = np_string(version)};
    return gofer_rpc(client, NULL, 0);
}

int gofer_connect(struct gofer_client *client, int fd, unsigned int timeout_seconds,
                  void (*fatal)(const char *why))
{
    *client = (struct gofer_client){
        .fd = fd, .message_size = MESSAGE_SIZE, .buffer = malloc(MESSAGE_SIZE), .fatal = fatal};
    pthread_mutex_init(&client->lock, NULL);
    struct timeval limit = {.tv_sec = timeout_seconds};
    if (!client->buffer)
        return -ENOMEM;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
        return -errno;
    gofer_begin(client, np_type_of_tversion);
    const struct np_rversion *reply = &client->reply.rversion;
    int error = settle(client, NP_VERSION_SENTRY);
    // Who does not know the extension says "unknown", or refuses the request (diod).
    if (!client->failed && (error || np_string_is(reply->version, "unknown")))
        error = settle(client, NP_VERSION_PLAIN);
    client->plain = !error && np_string_is(reply->version, NP_VERSION_PLAIN);
    if (!error && !client->plain && !np_string_is(reply->version, NP_VERSION_SENTRY))
        error = -EPROTONOSUPPORT;
    if (!error &&
        (reply->msize > MESSAGE_SIZE || reply->msize < (client->plain ? NP_MESSAGE_MIN : NP_MESSAGE_MIN_EXT)))
        error = -EPROTO;
    if (!error)
        client->message_size = reply->msize;
    return gofer_finish(client, error);
}

void gofer_disconnect(struct gofer_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    free(client->buffer);
    client->buffer = NULL;
    pthread_mutex_destroy(&client->lock);
}

int gofer_attach(struct gofer_client *client, uint32_t fid, const char *name, struct np_attr *attr,
                 uint32_t *flags)
{
    if (client->plain) {
        gofer_begin(client, np_type_of_tattach);
        *flags = NP_EXPORT_XATTRS; // whatever it has: it answers for itself
        return gofer_finish(client, plain_attach(client, fid, name, attr));
    }
    gofer_begin(client, np_type_of_tattachattr)->tattachattr =
        (struct np_tattachattr){.fid = fid, .aname = np_string(name)};
    int error = gofer_rpc(client, NULL, 0);
    if (!error) {
        *attr = client->reply.rattachattr.attr;
        *flags = client->reply.rattachattr.flags;
    }
    return gofer_finish(client, error);
}

int gofer_walk(struct gofer_client *client, uint32_t fid, uint32_t newfid, const struct np_str *names,
               uint16_t count, struct gofer_walk *walk)
{
    if (count > NP_NAMES_MAX)
        return -EINVAL;
    if (client->plain) {
        gofer_begin(client, np_type_of_twalk);
        return gofer_finish(client, plain_walk(client, fid, newfid, names, count, walk));
    }
    struct np_twalkattr *request = &gofer_begin(client, np_type_of_twalkattr)->twalkattr;
    request->fid = fid;
    request->newfid = newfid;
    request->names.count = count;
    for (uint16_t i = 0; i < count; i++)
        request->names.name[i] = names[i];
    int error = gofer_rpc(client, NULL, 0);
    if (!error) {
        const struct np_rwalkattr *reply = &client->reply.rwalkattr;
        uint16_t all = count ? count : 1;
        if (reply->attrs.count > all || (!reply->stop && reply->attrs.count != all) ||
            reply->stop > ERRNO_MAX || reply->target.length >= GOFER_TARGET_MAX ||
            (reply->bound && (reply->stop || newfid == NP_NOFID))) {
            error = -EIO;
        } else {
            walk->stop = reply->stop;
            walk->bound = reply->bound;
            walk->count = reply->attrs.count;
            walk->target_length = reply->target.length;
            memcpy(walk->attr, reply->attrs.attr, reply->attrs.count * sizeof(walk->attr[0]));
            memcpy(walk->target, reply->target.bytes, reply->target.length);
        }
    }
    return gofer_finish(client, error);
}

int gofer_clunk(struct gofer_client *client, const uint32_t *fids, uint16_t count)
{
    if (!count || count > NP_FIDS_MAX)
        return -EINVAL;
    if (client->plain) {
        gofer_begin(client, np_type_of_tclunk);
        return gofer_finish(client, plain_clunk(client, fids, count));
    }
    struct np_fids *request = &gofer_begin(client, np_type_of_tclunkmany)->tclunkmany.fids;
    request->count = count;
    memcpy(request->fid, fids, count * sizeof(fids[0]));
    return gofer_simple(client);
}
