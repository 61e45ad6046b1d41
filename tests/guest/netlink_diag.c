// NETLINK_SOCK_DIAG: what it tells of the program's own sockets, and what it refuses. Others of the host are left out.
#include "guest.h"
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static int diag_fd;
static char answers[1 << 20];

// Asks, and reads until the answer is complete. Bytes.
static size_t ask(uint16_t type, uint16_t flags, const void *request, size_t size)
{
    struct {
        struct nlmsghdr h;
        char body[256];
    } message = {.h = {.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + size),
                       .nlmsg_type = type,
                       .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
                       .nlmsg_seq = 7}};
    size_t n = 0;
    memcpy(message.body, request, size);
    if (send(diag_fd, &message, message.h.nlmsg_len, 0) < 0)
        printf("send: %s\n", error_name(errno));
    for (;;) {
        ssize_t got = recv(diag_fd, answers + n, sizeof(answers) - n, 0);
        if (got <= 0)
            return n;
        struct nlmsghdr *h = (void *)(answers + n);
        n += (size_t)got;
        bool last = !(flags & NLM_F_DUMP);
        for (size_t left = (size_t)got; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
            last = last || h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
        if (last)
            return n;
    }
}

#define EACH(h, n)                                                           \
    for (struct nlmsghdr *h = (void *)answers, *once = h; once; once = NULL) \
        for (size_t left = n; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))

static void show_end(const char *what, size_t n)
{
    EACH(h, n)
    {
        if (h->nlmsg_type != NLMSG_DONE && h->nlmsg_type != NLMSG_ERROR)
            continue;
        int error;
        memcpy(&error, NLMSG_DATA(h), sizeof(error));
        printf("%s: %s %s\n", what, h->nlmsg_type == NLMSG_DONE ? "done" : "error",
               error ? error_name(-error) : "none");
    }
}

static char own_name[8]; // in names of sockets of ours

// Bytes, with our own name as a star.
static void show_bytes(const char *name, const uint8_t *bytes, size_t n)
{
    printf("    %s:", name);
    for (size_t i = 0; i < n; i++) {
        if (n - i >= 6 && memcmp(bytes + i, own_name, 6) == 0) {
            printf("*");
            i += 5;
        } else {
            printf(bytes[i] >= 32 && bytes[i] < 127 ? "%c" : " %02x", bytes[i]);
        }
    }
    printf("\n");
}

// Several of these programs run at a time.
static int base;

static bool is_own(in_port_t port)
{
    return ntohs(port) > base && ntohs(port) <= base + 5;
}

// The number of a port of ours, 0 for none.
static int number(in_port_t port)
{
    return is_own(port) ? ntohs(port) - base : port ? -1 : 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void inet_dump(const char *what, int family, int protocol, uint32_t states, const void *filter,
                      size_t filter_size)
{
    struct {
        struct inet_diag_req_v2 r;
        struct nlattr attr;
        char code[128];
    } request = {
        .r = {.sdiag_family = (uint8_t)family, .sdiag_protocol = (uint8_t)protocol, .idiag_states = states},
        .attr = {(uint16_t)(NLA_HDRLEN + filter_size), INET_DIAG_REQ_BYTECODE}};
    char *lines[32];
    int nr_lines = 0;
    if (filter_size)
        memcpy(request.code, filter, filter_size);
    size_t n = ask(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request,
                   sizeof(request.r) + (filter_size ? sizeof(request.attr) + filter_size : 0));
    EACH(h, n)
    {
        struct inet_diag_msg *m = NLMSG_DATA(h);
        char source[64], destination[64];
        if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || !is_own(m->id.idiag_sport) || nr_lines == 32)
            continue;
        inet_ntop(m->idiag_family, m->id.idiag_src, source, sizeof(source));
        inet_ntop(m->idiag_family, m->id.idiag_dst, destination, sizeof(destination));
        asprintf(&lines[nr_lines++], "    %s:%d %s:%d state %d, queues %u %u, timer %d, flags %x, %s inode",
                 source, number(m->id.idiag_sport), destination, number(m->id.idiag_dport), m->idiag_state,
                 protocol == IPPROTO_UDP ? 0 : m->idiag_rqueue, m->idiag_wqueue, m->idiag_timer,
                 h->nlmsg_flags, m->idiag_inode ? "an" : "no");
    }
    qsort(lines, (size_t)nr_lines, sizeof(lines[0]), by_text);
    show_end(what, n);
    for (int i = 0; i < nr_lines; i++) {
        puts(lines[i]);
        free(lines[i]);
    }
}

static int bound(int family, int type, int port, bool only)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 b = {
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(family, type, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (only)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, family == AF_INET ? (void *)&a : (void *)&b, family == AF_INET ? sizeof(a) : sizeof(b)))
        printf("cannot bind %d: %s\n", port, error_name(errno));
    return fd;
}

static void internet(void)
{
    int l = bound(AF_INET, SOCK_STREAM, base + 1, false), l6 = bound(AF_INET6, SOCK_STREAM, (base + 2), true);
    int c = bound(AF_INET, SOCK_STREAM, (base + 3), false), u = bound(AF_INET, SOCK_DGRAM, (base + 4), false);
    int waits = bound(AF_INET, SOCK_STREAM, (base + 5), false);
    struct sockaddr_in a;
    socklen_t n = sizeof(a);
    listen(l, 7);
    listen(l6, 3);
    getsockname(l, (void *)&a, &n);
    connect(c, (void *)&a, sizeof(a));
    connect(waits, (void *)&a, sizeof(a));
    int s = accept(l, NULL, NULL);
    send(c, "hello", 5, 0);
    sleep_ms(20);
    inet_dump("TCP that listens", AF_INET, IPPROTO_TCP, 1 << 10, NULL, 0);
    inet_dump("TCP, all", AF_INET, IPPROTO_TCP, 0xfff, NULL, 0);
    inet_dump("IPv6", AF_INET6, IPPROTO_TCP, 0xfff, NULL, 0);
    inet_dump("UDP", AF_INET, IPPROTO_UDP, 0xfff, NULL, 0);
    const struct inet_diag_bc_op sport[] = {{INET_DIAG_BC_S_EQ, 8, 12}, {0, 0, (uint16_t)(base + 1)}};
    inet_dump("source port", AF_INET, IPPROTO_TCP, 0xfff, sport, sizeof(sport));
    struct {
        struct inet_diag_bc_op op;
        struct inet_diag_hostcond host;
        uint32_t address;
    } host = {{INET_DIAG_BC_D_COND, 16, 20},
              {.family = AF_INET, .prefix_len = 8, .port = (base + 1)},
              htonl(INADDR_LOOPBACK)};
    inet_dump("destination", AF_INET, IPPROTO_TCP, 0xfff, &host, sizeof(host));
    host.host.prefix_len = 33;
    inet_dump("a prefix too long", AF_INET, IPPROTO_TCP, 0xfff, &host, sizeof(host));
    const struct inet_diag_bc_op far[] = {{INET_DIAG_BC_S_EQ, 8, 80}, {0, 0, (uint16_t)(base + 1)}};
    inet_dump("a jump too far", AF_INET, IPPROTO_TCP, 0xfff, far, sizeof(far));
    const struct inet_diag_bc_op self = {INET_DIAG_BC_JMP, 0, 0};
    inet_dump("a jump to itself", AF_INET, IPPROTO_TCP, 0xfff, &self, sizeof(self));
    // One socket.
    struct inet_diag_req_v2 one = {.sdiag_family = AF_INET,
                                   .sdiag_protocol = IPPROTO_TCP,
                                   .id = {.idiag_sport = htons((uint16_t)(base + 3)),
                                          .idiag_dport = htons((uint16_t)(base + 1)),
                                          .idiag_src = {htonl(INADDR_LOOPBACK)},
                                          .idiag_dst = {htonl(INADDR_LOOPBACK)},
                                          .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}};
    size_t size = ask(SOCK_DIAG_BY_FAMILY, 0, &one, sizeof(one));
    EACH(h, size)
    {
        struct inet_diag_msg *m = NLMSG_DATA(h);
        printf("one: type %d, state %d, port %d\n", h->nlmsg_type, m->idiag_state, number(m->id.idiag_sport));
    }
    one.id.idiag_sport = htons((uint16_t)(base + 99));
    show_end("nobody", ask(SOCK_DIAG_BY_FAMILY, 0, &one, sizeof(one)));
    show_end("short", ask(SOCK_DIAG_BY_FAMILY, 0, &one, 1));
    show_end("another type", ask(99, 0, &one, sizeof(one)));
    one.sdiag_family = 250;
    show_end("no family", ask(SOCK_DIAG_BY_FAMILY, 0, &one, sizeof(one)));
    // Closed: what is left.
    close(c);
    close(s);
    sleep_ms(20);
    inet_dump("TIME_WAIT", AF_INET, IPPROTO_TCP, 1 << 6, NULL, 0);
    close(l);
    close(l6);
    close(u);
    close(waits);
}

static void unix_dump(const char *what, uint32_t states, uint32_t show)
{
    const struct unix_diag_req r = {.sdiag_family = AF_UNIX, .udiag_states = states, .udiag_show = show};
    size_t n = ask(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &r, sizeof(r));
    show_end(what, n);
    EACH(h, n)
    {
        struct unix_diag_msg *m = NLMSG_DATA(h);
        struct nlattr *name = (void *)(m + 1);
        if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || h->nlmsg_len <= NLMSG_LENGTH(sizeof(*m)) ||
            name->nla_type != UNIX_DIAG_NAME ||
            !memmem(name + 1, (size_t)(name->nla_len - NLA_HDRLEN), own_name, 6))
            continue;
        printf("    type %d state %d flags %x\n", m->udiag_type, m->udiag_state, h->nlmsg_flags);
        size_t rest = h->nlmsg_len - NLMSG_LENGTH(sizeof(*m));
        for (struct nlattr *a = name; rest >= sizeof(*a) && a->nla_len <= rest;) {
            const uint8_t *bytes = (void *)(a + 1);
            if (a->nla_type == UNIX_DIAG_NAME)
                show_bytes("name", bytes, (size_t)(a->nla_len - NLA_HDRLEN));
            else if (a->nla_type == UNIX_DIAG_RQLEN)
                printf("    queues %u %u\n", *(uint32_t *)bytes, *(uint32_t *)(bytes + 4));
            else
                printf("    attribute %d of %d bytes\n", a->nla_type, a->nla_len);
            size_t step = NLA_ALIGN(a->nla_len);
            if (step >= rest)
                break;
            a = (void *)((char *)a + step);
            rest -= step;
        }
    }
}

static void local(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = ""},
                       b = {.sun_family = AF_UNIX, .sun_path = ""};
    socklen_t n = offsetof(struct sockaddr_un, sun_path);
    snprintf(own_name, sizeof(own_name), "%06d", (int)(now_ns(CLOCK_MONOTONIC) / 1000 % 1000000));
    snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "diag%s", own_name);
    snprintf(b.sun_path + 1, sizeof(b.sun_path) - 1, "diag%s-dgram", own_name);
    int l = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0),
        c = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(l, (void *)&a, n + 11);
    listen(l, 4);
    bind(d, (void *)&b, n + 17);
    connect(c, (void *)&a, n + 11);
    unix_dump("unix that listens", 1 << 10,
              UDIAG_SHOW_NAME | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN | UDIAG_SHOW_PEER);
    int s = accept(l, NULL, NULL);
    unix_dump("unix, but not connected", 0xffd,
              UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_UID | UDIAG_SHOW_MEMINFO);
    struct unix_diag_req r = {.sdiag_family = AF_UNIX, .udiag_states = 0xfff, .udiag_cookie = {~0u, ~0u}};
    struct stat st;
    fstat(d, &st);
    show_end("no number", ask(SOCK_DIAG_BY_FAMILY, 0, &r, sizeof(r)));
    r.udiag_ino = (uint32_t)st.st_ino;
    size_t size = ask(SOCK_DIAG_BY_FAMILY, 0, &r, sizeof(r));
    EACH(h, size)
    {
        struct unix_diag_msg *m = NLMSG_DATA(h);
        printf("by number: type %d, %s\n", m->udiag_type, m->udiag_ino == r.udiag_ino ? "it" : "ANOTHER");
    }
    close(d);
    show_end("gone", ask(SOCK_DIAG_BY_FAMILY, 0, &r, sizeof(r)));
    show_end("short", ask(SOCK_DIAG_BY_FAMILY, 0, &r, 10));
    close(l);
    close(c);
    close(s);
}

int main(void)
{
    struct timeval soon = {2, 0};
    base = 15000 + (int)(now_ns(CLOCK_MONOTONIC) / 1000 % 1700) * 10;
    diag_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (diag_fd < 0)
        printf("no socket: %s\n", error_name(errno));
    setsockopt(diag_fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
    internet();
    local();
    return 0;
}
