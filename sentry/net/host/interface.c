#include "sentry/net/host/interface.h"
#include "abi/gofer_net.h"
#include "abi/linux/errno.h"
#include "abi/linux/ifreq.h"
#include "abi/linux/inet.h"
#include "sentry/mm/uaccess.h"
#include "sentry/net/netlink/netlink.h"
#include <string.h>

#define LISTED_MAX 256u // interfaces of SIOCGIFCONF

// What is asked of one interface, and what was found.
struct question {
    uint32_t cmd;
    struct lx_ifreq *r;
    bool found;
};

struct list {
    struct lx_ifreq items[LISTED_MAX];
    unsigned count;
};

// The attributes behind a message's head of `head` bytes. NULL: it is cut off.
static const uint8_t *attributes(const uint8_t *message, size_t n, void *head, size_t size, size_t *left)
{
    const size_t at = sizeof(struct lx_nlmsghdr) + size;
    if (n < at)
        return NULL;
    memcpy(head, message + sizeof(struct lx_nlmsghdr), size);
    *left = n - at;
    return message + at;
}

static void copy_attr(const uint8_t *attrs, size_t n, uint16_t type, void *to, size_t room)
{
    size_t len = 0;
    const uint8_t *at = nl_find_attr(attrs, n, type, &len);
    if (at)
        memcpy(to, at, len < room ? len : room);
}

static void put_address(struct lx_ifreq *r, const uint8_t ip[4])
{
    struct lx_sockaddr_in in = {.family = LX_AF_INET};
    memcpy(in.addr, ip, 4);
    memset(&r->u, 0, sizeof(r->u));
    memcpy(r->u.addr, &in, sizeof(in));
}

static int see_link(const uint8_t *message, size_t n, void *arg)
{
    struct question *q = arg;
    struct lx_ifinfomsg head;
    char name[sizeof(q->r->name)] = "";
    size_t left;
    const uint8_t *attrs = attributes(message, n, &head, sizeof(head), &left);
    if (!attrs)
        return 0;
    copy_attr(attrs, left, LX_IFLA_IFNAME, name, sizeof(name) - 1);
    if (q->cmd == LX_SIOCGIFNAME ? head.index != q->r->u.value : strcmp(name, q->r->name) != 0)
        return 0;
    q->found = true;
    if (q->cmd == LX_SIOCGIFNAME) {
        memcpy(q->r->name, name, sizeof(name));
        return 1;
    }
    memset(&q->r->u, 0, sizeof(q->r->u));
    if (q->cmd == LX_SIOCGIFFLAGS)
        q->r->u.flags = (int16_t)head.flags;
    else if (q->cmd == LX_SIOCGIFINDEX)
        q->r->u.value = head.index;
    else if (q->cmd == LX_SIOCGIFMTU)
        copy_attr(attrs, left, LX_IFLA_MTU, &q->r->u.value, sizeof(q->r->u.value));
    else if (q->cmd == LX_SIOCGIFTXQLEN)
        copy_attr(attrs, left, LX_IFLA_TXQLEN, &q->r->u.value, sizeof(q->r->u.value));
    else if (q->cmd == LX_SIOCGIFHWADDR) {
        q->r->u.flags = (int16_t)head.type; // sa_family
        copy_attr(attrs, left, LX_IFLA_ADDRESS, q->r->u.addr + 2, 14);
    }
    return 1;
}

static int see_address(const uint8_t *message, size_t n, void *arg)
{
    struct question *q = arg;
    struct lx_ifaddrmsg head;
    char name[sizeof(q->r->name)] = "";
    uint8_t ip[4] = {0};
    size_t left;
    const uint8_t *attrs = attributes(message, n, &head, sizeof(head), &left);
    if (!attrs || head.family != LX_AF_INET)
        return 0;
    copy_attr(attrs, left, LX_IFA_LABEL, name, sizeof(name) - 1);
    if (strcmp(name, q->r->name) != 0)
        return 0;
    q->found = true;
    if (q->cmd == LX_SIOCGIFNETMASK) {
        for (unsigned i = 0; i < 4; i++)
            ip[i] = head.prefixlen >= 8 * (i + 1) ? 0xff
                    : head.prefixlen > 8 * i      ? (uint8_t)(0xff00 >> (head.prefixlen - 8 * i))
                                                  : 0;
    } else {
        copy_attr(attrs, left,
                  q->cmd == LX_SIOCGIFBRDADDR   ? LX_IFA_BROADCAST
                  : q->cmd == LX_SIOCGIFDSTADDR ? LX_IFA_ADDRESS
                                                : LX_IFA_LOCAL,
                  ip, sizeof(ip));
    }
    put_address(q->r, ip);
    return 1;
}

static int list_address(const uint8_t *message, size_t n, void *arg)
{
    struct list *l = arg;
    struct lx_ifaddrmsg head;
    struct lx_ifreq r = {.name = ""};
    uint8_t ip[4] = {0};
    size_t left;
    const uint8_t *attrs = attributes(message, n, &head, sizeof(head), &left);
    if (!attrs || head.family != LX_AF_INET || l->count == LISTED_MAX)
        return 0;
    copy_attr(attrs, left, LX_IFA_LABEL, r.name, sizeof(r.name) - 1);
    copy_attr(attrs, left, LX_IFA_LOCAL, ip, sizeof(ip));
    put_address(&r, ip);
    l->items[l->count++] = r;
    return 0;
}

static int64_t list_all(uint64_t arg)
{
    static struct list l; // kernel lock
    struct lx_ifconf conf;
    l.count = 0;
    if (get_user(conf, arg))
        return -LX_EFAULT;
    int err = nl_host_walk(GOFER_ROUTE_ADDRESSES, LX_AF_INET, NULL, list_address, &l);
    if (err < 0)
        return err;
    uint64_t room = conf.len < 0 ? 0 : (uint64_t)conf.len / sizeof(l.items[0]);
    uint64_t n = conf.buf && room < l.count ? room : l.count;
    if (conf.buf && n && copy_out(conf.buf, l.items, n * sizeof(l.items[0])))
        return -LX_EFAULT;
    conf.len = (int32_t)(n * sizeof(l.items[0]));
    return put_user(conf, arg);
}

int64_t host_interface_ioctl(uint32_t cmd, uint64_t arg)
{
    struct lx_ifreq r;
    struct question q = {.cmd = cmd, .r = &r};
    bool of_address = false;
    switch (cmd) {
    case LX_SIOCGIFCONF:
        return list_all(arg);
    case LX_SIOCSIFFLAGS:
    case LX_SIOCSIFADDR:
    case LX_SIOCSIFNETMASK:
    case LX_SIOCSIFMTU:
    case LX_SIOCADDRT:
    case LX_SIOCDELRT:
        return -LX_EPERM;
    case LX_SIOCGIFADDR:
    case LX_SIOCGIFNETMASK:
    case LX_SIOCGIFBRDADDR:
    case LX_SIOCGIFDSTADDR:
        of_address = true;
        break;
    case LX_SIOCGIFNAME:
    case LX_SIOCGIFFLAGS:
    case LX_SIOCGIFINDEX:
    case LX_SIOCGIFMTU:
    case LX_SIOCGIFTXQLEN:
    case LX_SIOCGIFHWADDR:
    case LX_SIOCGIFMETRIC:
        break;
    default:
        return -LX_ENOTTY;
    }
    if (get_user(r, arg))
        return -LX_EFAULT;
    r.name[sizeof(r.name) - 1] = 0;
    int err = of_address ? nl_host_walk(GOFER_ROUTE_ADDRESSES, LX_AF_INET, NULL, see_address, &q)
                         : nl_host_walk(GOFER_ROUTE_LINKS, 0, NULL, see_link, &q);
    if (err < 0)
        return err;
    if (!q.found && of_address) { // is there no address, or no interface?
        q.cmd = LX_SIOCGIFINDEX;
        (void)nl_host_walk(GOFER_ROUTE_LINKS, 0, NULL, see_link, &q);
        return q.found ? -LX_EADDRNOTAVAIL : -LX_ENODEV;
    }
    return q.found ? put_user(r, arg) : -LX_ENODEV;
}
