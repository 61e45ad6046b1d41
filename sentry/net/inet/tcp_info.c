// What TCP_INFO and the tables of /proc tell of a connection.
#include "sentry/net/inet/inet.h"
#include "sentry/net/inet/tcp_close.h"
#include <string.h>

uint8_t tcp_state(const struct inet_sock *s)
{
    static const uint8_t ends[] = {[0] = LX_TCP_ESTABLISHED,
                                   [TCP_FIN_SENT] = LX_TCP_FIN_WAIT2,
                                   [TCP_FIN_RECEIVED] = LX_TCP_CLOSE_WAIT,
                                   [TCP_FIN_SENT | TCP_FIN_RECEIVED] = LX_TCP_CLOSE};
    switch (s->state) {
    case INET_LISTENING:
        return LX_TCP_LISTEN;
    case INET_CONNECTING:
        return LX_TCP_SYN_SENT;
    case INET_CONNECTED:
        if (s->data->sk.shutdown == SOCK_SHUT_BOTH && (!s->peer || s->data->sk.err))
            return LX_TCP_CLOSE; // reset, or both have closed
        return ends[s->fins & (TCP_FIN_SENT | TCP_FIN_RECEIVED)];
    default:
        return LX_TCP_CLOSE;
    }
}

uint32_t tcp_info(const struct inet_sock *s, void *value, uint32_t room)
{
    struct {
        uint8_t state, ca_state, retransmits, probes, backoff, options, wscale, flags;
        uint32_t rto, ato, snd_mss, rcv_mss, unacked, sacked, lost, retrans, fackets;
        uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
        uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
        uint32_t rcv_rtt, rcv_space, total_retrans;
        uint64_t rest[16];
    } info = {.state = tcp_state(s),
              .options = 7, // timestamps, selective acknowledgements, window scale
              .wscale = 0x77,
              .rto = 200000,
              .ato = 40000,
              .snd_mss = 32768,
              .rcv_mss = 536,
              .pmtu = 65535,
              .rcv_ssthresh = 65483,
              .rtt = 20,
              .rttvar = 10,
              .snd_ssthresh = INT32_MAX,
              .snd_cwnd = 10,
              .advmss = 65483,
              .reordering = 3,
              .rcv_space = 65483};
    if (s->state == INET_LISTENING) {
        info.unacked = s->queue_len; // as Linux tells the length of the queue
        info.sacked = s->backlog;
    }
    if (room > sizeof(info))
        room = sizeof(info);
    memcpy(value, &info, room);
    return room;
}
