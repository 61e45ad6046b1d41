#include "sentry/boot/net_rules.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

// What follows a decimal number of at most `most`, or NULL.
static const char *parse_number(const char *text, unsigned most, unsigned *value)
{
    *value = 0;
    if (!isdigit((unsigned char)*text))
        return NULL;
    for (; isdigit((unsigned char)*text); text++) {
        *value = *value * 10 + (unsigned)(*text - '0');
        if (*value > most)
            return NULL;
    }
    return text;
}

static const char *parse_protocol(const char *text, enum gofer_net_direction direction,
                                  struct gofer_net_rule *rule)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } protocols[] = {{"tcp:", GOFER_NET_TCP}, {"udp:", GOFER_NET_UDP}, {"icmp:", GOFER_NET_ICMP}};
    rule->protocols = GOFER_NET_TCP | GOFER_NET_UDP;
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        size_t n = strlen(protocols[i].name);
        if (strncmp(text, protocols[i].name, n) != 0)
            continue;
        rule->protocols = protocols[i].bit;
        return direction == GOFER_NET_IN && protocols[i].bit == GOFER_NET_ICMP ? NULL : text + n;
    }
    return text;
}

static const char *parse_address(const char *text, struct gofer_net_rule *rule)
{
    char address[INET6_ADDRSTRLEN];
    bool six = *text == '[';
    unsigned bits = six ? 128 : 32;
    if (*text == '*')
        return text + 1;
    text += six;
    size_t n = strspn(text, six ? "0123456789abcdefABCDEF:." : "0123456789.");
    if (n >= sizeof(address))
        return NULL;
    memcpy(address, text, n);
    address[n] = 0;
    text += n;
    if ((six && *text++ != ']') || inet_pton(six ? AF_INET6 : AF_INET, address, rule->address) != 1)
        return NULL;
    rule->family = six ? 6 : 4;
    if (*text == '/')
        text = parse_number(text + 1, bits, &bits);
    rule->bits = (uint8_t)bits;
    return text;
}

static const char *parse_ports(const char *text, struct gofer_net_rule *rule)
{
    unsigned first, last;
    rule->last_port = UINT16_MAX;
    if (*text != ':')
        return text;
    if (rule->protocols == GOFER_NET_ICMP)
        return NULL;
    if (text[1] == '*')
        return text + 2;
    text = parse_number(text + 1, UINT16_MAX, &first);
    last = first;
    if (text && *text == '-')
        text = parse_number(text + 1, UINT16_MAX, &last);
    if (!text || last < first)
        return NULL;
    rule->first_port = (uint16_t)first;
    rule->last_port = (uint16_t)last;
    return text;
}

// IPv4 in IPv6 is IPv4: the broker compares it as such.
static bool is_mapped(const struct gofer_net_rule *rule)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return rule->family == 6 && memcmp(rule->address, mapped, sizeof(mapped)) == 0;
}

int net_rules_add(struct net_rules *rules, enum gofer_net_direction direction, const char *text)
{
    rules->given = true;
    if (strcmp(text, "none") == 0)
        return 0;
    for (;;) {
        struct gofer_net_rule rule = {.direction = (uint8_t)direction};
        text = parse_protocol(text, direction, &rule);
        if (text)
            text = parse_address(text, &rule);
        if (text)
            text = parse_ports(text, &rule);
        if (!text || (*text && *text != ',') || is_mapped(&rule))
            return -EINVAL;
        if (rules->count == GOFER_NET_RULES_MAX)
            return -E2BIG;
        rules->rule[rules->count++] = rule;
        if (!*text++)
            return 0;
    }
}
