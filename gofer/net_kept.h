// Sockets that the broker keeps, because the operator gave a network policy (abi/gofer_net_policy.h).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gofer/net_policy.h"

#define KEPT_PEERS 64u

// Who has sent to a datagram socket that a rule of --allow-bind names: these it may answer, whatever --allow-connect says.
struct kept_peers {
    struct flat_address address[KEPT_PEERS]; // the oldest are forgotten first
    unsigned int count, next;
};

struct kept {
    bool used;
    bool datagram;
    bool ipv6;
    bool served;              // a datagram socket whose own address a rule names
    unsigned int protocol;    // GOFER_NET_TCP and so on
    uint16_t generation;      // of the handle; the rest of it is the descriptor
    struct kept_peers *peers; // NULL: nobody yet
};

// Makes what the rest needs, before the filter is installed. 0 or -errno after a message.
int kept_prepare(void);
// Answers requests until the connection ends. An exit status.
int kept_serve(int connection);

// --- what the policy says of a socket (net_kept_policy.c). Addresses are changed to what they stand for. 0 or -errno.
int kept_may_bind(const struct kept *k, int fd, const union net_address *address, uint32_t length);
int kept_may_connect(const struct kept *k, union net_address *address, uint32_t length);
// Afterwards it is known whether the socket serves; one that does not has no peers.
void kept_note_bound(struct kept *k, int fd);
void kept_forget_peers(struct kept *k);
// A listener is bound, and a rule names where.
int kept_may_listen(const struct kept *k, int fd);
// Is a datagram of this sender for the guest? Who may be answered is remembered.
bool kept_hears(struct kept *k, const union net_address *from, uint32_t length);
// Drops datagrams at the head of the queue that are not. False: the head is still one of them.
bool kept_purge(struct kept *k, int fd);
