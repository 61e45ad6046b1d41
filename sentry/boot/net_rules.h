#pragma once
// The network policy as the operator writes it (--allow-connect, --allow-bind):
//
//   RULES = none | RULE[,RULE...]      RULE = [tcp:|udp:|icmp:]ADDRESS[:PORTS]
//   ADDRESS = * | IPv4[/BITS] | [IPv6][/BITS], the brackets written       PORTS = * | N | N-M
//
// Without a protocol TCP and UDP are meant, without ports all. ICMP (ping) has no ports and is not bound.
#include "abi/gofer_net_policy.h"
#include <stdbool.h>

// A policy is given as soon as one of the two options is; what no rule names is refused then.
struct net_rules {
    bool given;
    unsigned count;
    struct gofer_net_rule rule[GOFER_NET_RULES_MAX];
};

#define NET_RULES_FORM "[PROTO:]ADDRESS[/BITS][:PORTS],..."

// Adds the rules of a text. 0; -EINVAL: no such rule; -E2BIG: more than GOFER_NET_RULES_MAX.
int net_rules_add(struct net_rules *rules, enum gofer_net_direction direction, const char *text);
