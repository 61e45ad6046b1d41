// Writing netlink messages, and finding attributes in them.
#include "sentry/net/netlink/netlink.h"
#include <stdlib.h>
#include <string.h>

static void append(struct nl_out *out, const void *data, size_t n)
{
    size_t padded = LX_NLMSG_ALIGN(n);
    if (out->failed)
        return;
    if (out->len + padded > out->room) {
        size_t room = out->room ? out->room * 2 : 1024;
        while (room < out->len + padded)
            room *= 2;
        uint8_t *bigger = realloc(out->data, room);
        if (!bigger) {
            out->failed = true;
            return;
        }
        out->data = bigger;
        out->room = room;
    }
    memcpy(out->data + out->len, data, n);
    memset(out->data + out->len + n, 0, padded - n);
    out->len += padded;
}

void nl_begin(struct nl_out *out, uint16_t type, uint16_t flags, const void *head, size_t n)
{
    const struct lx_nlmsghdr h = {.type = type, .flags = flags, .seq = out->seq, .pid = out->pid};
    out->message = out->len;
    append(out, &h, sizeof(h));
    append(out, head, n);
}

void nl_attr(struct nl_out *out, uint16_t type, const void *data, size_t n)
{
    const struct lx_rtattr a = {.len = (uint16_t)(sizeof(a) + n), .type = type};
    append(out, &a, sizeof(a));
    append(out, data, n);
}

void nl_attr_u32(struct nl_out *out, uint16_t type, uint32_t value)
{
    nl_attr(out, type, &value, sizeof(value));
}

void nl_end(struct nl_out *out)
{
    uint32_t len = (uint32_t)(out->len - out->message);
    if (!out->failed)
        memcpy(out->data + out->message, &len, sizeof(len));
}

const uint8_t *nl_find_attr(const uint8_t *at, size_t n, uint16_t type, size_t *len)
{
    struct lx_rtattr a;
    while (n >= sizeof(a)) {
        memcpy(&a, at, sizeof(a));
        if (a.len < sizeof(a) || a.len > n)
            return NULL;
        if ((a.type & 0x3fff) == type) {
            *len = a.len - sizeof(a);
            return at + sizeof(a);
        }
        size_t step = LX_NLMSG_ALIGN(a.len);
        if (step >= n)
            return NULL;
        at += step;
        n -= step;
    }
    return NULL;
}
