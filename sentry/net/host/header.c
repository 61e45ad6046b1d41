#include "sentry/net/host/header.h"
#include "abi/linux/inet.h"
#include <string.h>

bool host_address_short(const struct socket *s, uint32_t len)
{
    return len < (s->family == LX_AF_INET6 ? LX_SIN6_LEN_RFC2133 : sizeof(struct lx_sockaddr_in));
}

bool host_option_value(const struct socket *s, int name, void *value, uint32_t *size)
{
    int32_t number;
    switch (name) {
    case LX_SO_REUSEADDR:
        number = s->reuseaddr;
        break;
    case LX_SO_REUSEPORT:
        number = s->reuseport;
        break;
    case LX_SO_KEEPALIVE:
        number = s->keepalive;
        break;
    case LX_SO_BROADCAST:
        number = s->broadcast;
        break;
    case LX_SO_OOBINLINE:
        number = s->oobinline;
        break;
    case LX_SO_RCVLOWAT:
        number = s->rcvlowat;
        break;
    case LX_SO_SNDBUF: // which the host doubles, too
        number = s->sndbuf / 2;
        break;
    case LX_SO_RCVBUF:
        number = s->rcvbuf / 2;
        break;
    case LX_SO_LINGER: { // a time would make close(2) wait here, with the kernel lock held: that of the host never does
        const struct lx_linger now = {.onoff = s->linger.onoff && s->linger.linger == 0};
        *size = sizeof(now);
        memcpy(value, &now, *size);
        return true;
    }
    default:
        return false;
    }
    *size = sizeof(number);
    memcpy(value, &number, *size);
    return true;
}

struct net_header host_header_of(const struct scm *scm, int family)
{
    const bool six = family == LX_AF_INET6;
    struct net_header h = {.has = (scm->has_source ? six ? NET_HEADER_INFO6 : NET_HEADER_INFO : 0) |
                                  (scm->has_hops ? six ? NET_HEADER_HOPLIMIT : NET_HEADER_TTL : 0) |
                                  (scm->has_class ? six ? NET_HEADER_TCLASS : NET_HEADER_TOS : 0),
                           .hops = scm->hops,
                           .class = scm->class};
    if (scm->has_source)
        memcpy(h.address, scm->source, sizeof(h.address));
    return h;
}

int host_put_control(struct socket *s, const struct sock_msg *m, struct scm_out *out)
{
    const struct net_header *h = &m->header;
    const int32_t hops = h->hops, class = h->class;
    int err = 0;
    if (h->has & NET_HEADER_INFO) {
        struct lx_in_pktinfo info = {.ifindex = h->ifindex};
        memcpy(info.spec_dst, h->local, sizeof(info.spec_dst));
        memcpy(info.addr, h->address + 12, sizeof(info.addr));
        err = scm_put(out, LX_IPPROTO_IP, LX_IP_PKTINFO, &info, sizeof(info));
    }
    if (!err && (h->has & NET_HEADER_TTL))
        err = scm_put(out, LX_IPPROTO_IP, LX_IP_TTL, &hops, sizeof(hops));
    if (!err && (h->has & NET_HEADER_TOS))
        err = scm_put(out, LX_IPPROTO_IP, LX_IP_TOS, &class, 1);
    if (!err && (h->has & NET_HEADER_INFO6)) {
        struct lx_in6_pktinfo info = {.ifindex = h->ifindex};
        memcpy(info.addr, h->address, sizeof(info.addr));
        err = scm_put(out, LX_IPPROTO_IPV6, LX_IPV6_PKTINFO, &info, sizeof(info));
    }
    if (!err && (h->has & NET_HEADER_HOPLIMIT))
        err = scm_put(out, LX_IPPROTO_IPV6, LX_IPV6_HOPLIMIT, &hops, sizeof(hops));
    if (!err && (h->has & NET_HEADER_TCLASS))
        err = scm_put(out, LX_IPPROTO_IPV6, LX_IPV6_TCLASS, &class, sizeof(class));
    return err;
}
