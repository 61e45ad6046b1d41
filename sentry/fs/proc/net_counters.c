// The counters of /proc/net (net/ipv4/proc.c, net/ipv6/proc.c): connections and sockets are counted, packets do not exist.
#include "sentry/net/inet/tcp_close.h"
#include "sentry/fs/proc/proc.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"
#include <string.h>

struct counters {
    const char *name;
    const char *keys;  // each after a space
    const char *first; // the values of the first keys; the others are 0
};

static unsigned words(const char *text)
{
    unsigned n = 0;
    for (; *text; text++)
        n += *text == ' ';
    return n;
}

static void add_counters(struct out_text *out, const struct counters *c)
{
    out_printf(out, "%s:%s\n%s:%s", c->name, c->keys, c->name, c->first);
    for (unsigned i = words(c->first); i < words(c->keys); i++)
        out_add(out, " 0", 2);
    out_add(out, "\n", 1);
}

static const struct counters ip = {
    .name = "Ip",
    .keys = " Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams"
            " InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes"
            " ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates",
    .first = " 2 64",
};
static const struct counters icmp = {
    .name = "Icmp",
    .keys = " InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs"
            " InRedirects InEchos InEchoReps InTimestamps InTimestampReps InAddrMasks"
            " InAddrMaskReps OutMsgs OutErrors OutDestUnreachs OutTimeExcds OutParmProbs"
            " OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps OutTimestampReps"
            " OutAddrMasks OutAddrMaskReps",
    .first = "",
};
static const char tcp_keys[] =
    " RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets"
    " CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors";
static const char udp_keys[] =
    " InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors"
    " IgnoredMulti MemErrors";
static const struct counters tcp_ext = {
    .name = "TcpExt",
    .keys = " SyncookiesSent SyncookiesRecv SyncookiesFailed EmbryonicRsts PruneCalled RcvPruned"
            " OfoPruned OutOfWindowIcmps LockDroppedIcmps ArpFilter TW TWRecycled TWKilled"
            " PAWSActive PAWSEstab BeyondWindow TSEcrRejected PAWSOldAck PAWSTimewait"
            " DelayedACKs DelayedACKLocked DelayedACKLost ListenOverflows ListenDrops TCPHPHits"
            " TCPPureAcks TCPHPAcks TCPRenoRecovery TCPSackRecovery TCPSACKReneging"
            " TCPSACKReorder TCPRenoReorder TCPTSReorder TCPFullUndo TCPPartialUndo TCPDSACKUndo"
            " TCPLossUndo TCPLostRetransmit TCPRenoFailures TCPSackFailures TCPLossFailures"
            " TCPFastRetrans TCPSlowStartRetrans TCPTimeouts TCPLossProbes TCPLossProbeRecovery"
            " TCPRenoRecoveryFail TCPSackRecoveryFail TCPRcvCollapsed TCPBacklogCoalesce"
            " TCPDSACKOldSent TCPDSACKOfoSent TCPDSACKRecv TCPDSACKOfoRecv TCPAbortOnData"
            " TCPAbortOnClose TCPAbortOnMemory TCPAbortOnTimeout TCPAbortOnLinger TCPAbortFailed"
            " TCPMemoryPressures TCPMemoryPressuresChrono TCPSACKDiscard TCPDSACKIgnoredOld"
            " TCPDSACKIgnoredNoUndo TCPSpuriousRTOs TCPMD5NotFound TCPMD5Unexpected"
            " TCPMD5Failure TCPSackShifted TCPSackMerged TCPSackShiftFallback TCPBacklogDrop"
            " PFMemallocDrop TCPMinTTLDrop TCPDeferAcceptDrop IPReversePathFilter"
            " TCPTimeWaitOverflow TCPReqQFullDoCookies TCPReqQFullDrop TCPRetransFail"
            " TCPRcvCoalesce TCPOFOQueue TCPOFODrop TCPOFOMerge TCPChallengeACK TCPSYNChallenge"
            " TCPFastOpenActive TCPFastOpenActiveFail TCPFastOpenPassive TCPFastOpenPassiveFail"
            " TCPFastOpenListenOverflow TCPFastOpenCookieReqd TCPFastOpenBlackhole"
            " TCPSpuriousRtxHostQueues BusyPollRxPackets TCPAutoCorking TCPFromZeroWindowAdv"
            " TCPToZeroWindowAdv TCPWantZeroWindowAdv TCPSynRetrans TCPOrigDataSent"
            " TCPHystartTrainDetect TCPHystartTrainCwnd TCPHystartDelayDetect"
            " TCPHystartDelayCwnd TCPACKSkippedSynRecv TCPACKSkippedPAWS TCPACKSkippedSeq"
            " TCPACKSkippedFinWait2 TCPACKSkippedTimeWait TCPACKSkippedChallenge TCPWinProbe"
            " TCPKeepAlive TCPMTUPFail TCPMTUPSuccess TCPDelivered TCPDeliveredCE"
            " TCPAckCompressed TCPZeroWindowDrop TCPRcvQDrop TCPWqueueTooBig"
            " TCPFastOpenPassiveAltKey TcpTimeoutRehash TcpDuplicateDataRehash TCPDSACKRecvSegs"
            " TCPDSACKIgnoredDubious TCPMigrateReqSuccess TCPMigrateReqFailure",
    .first = "",
};
static const struct counters ip_ext = {
    .name = "IpExt",
    .keys = " InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts InBcastPkts OutBcastPkts"
            " InOctets OutOctets InMcastOctets OutMcastOctets InBcastOctets OutBcastOctets"
            " InCsumErrors InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts ReasmOverlaps",
    .first = "",
};
static const char six_keys[] =
    " Ip6InReceives Ip6InHdrErrors Ip6InTooBigErrors Ip6InNoRoutes Ip6InAddrErrors"
    " Ip6InUnknownProtos Ip6InTruncatedPkts Ip6InDiscards Ip6InDelivers Ip6OutForwDatagrams"
    " Ip6OutRequests Ip6OutDiscards Ip6OutNoRoutes Ip6ReasmTimeout Ip6ReasmReqds Ip6ReasmOKs"
    " Ip6ReasmFails Ip6FragOKs Ip6FragFails Ip6FragCreates Ip6InMcastPkts Ip6OutMcastPkts"
    " Ip6InOctets Ip6OutOctets Ip6InMcastOctets Ip6OutMcastOctets Ip6InBcastOctets"
    " Ip6OutBcastOctets Ip6InNoECTPkts Ip6InECT1Pkts Ip6InECT0Pkts Ip6InCEPkts Icmp6InMsgs"
    " Icmp6InErrors Icmp6OutMsgs Icmp6OutErrors Icmp6InCsumErrors Icmp6InDestUnreachs"
    " Icmp6InPktTooBigs Icmp6InTimeExcds Icmp6InParmProblems Icmp6InEchos Icmp6InEchoReplies"
    " Icmp6InGroupMembQueries Icmp6InGroupMembResponses Icmp6InGroupMembReductions"
    " Icmp6InRouterSolicits Icmp6InRouterAdvertisements Icmp6InNeighborSolicits"
    " Icmp6InNeighborAdvertisements Icmp6InRedirects Icmp6InMLDv2Reports Icmp6OutDestUnreachs"
    " Icmp6OutPktTooBigs Icmp6OutTimeExcds Icmp6OutParmProblems Icmp6OutEchos"
    " Icmp6OutEchoReplies Icmp6OutGroupMembQueries Icmp6OutGroupMembResponses"
    " Icmp6OutGroupMembReductions Icmp6OutRouterSolicits Icmp6OutRouterAdvertisements"
    " Icmp6OutNeighborSolicits Icmp6OutNeighborAdvertisements Icmp6OutRedirects"
    " Icmp6OutMLDv2Reports Udp6InDatagrams Udp6NoPorts Udp6InErrors Udp6OutDatagrams"
    " Udp6RcvbufErrors Udp6SndbufErrors Udp6InCsumErrors Udp6IgnoredMulti Udp6MemErrors"
    " UdpLite6InDatagrams UdpLite6NoPorts UdpLite6InErrors UdpLite6OutDatagrams"
    " UdpLite6RcvbufErrors UdpLite6SndbufErrors UdpLite6InCsumErrors UdpLite6MemErrors";

PROC_SHOW(net_snmp)
{
    unsigned bound, four, six;
    int err = proc_count_sockets(LX_AF_INET, LX_SOCK_STREAM, &bound, &four);
    if (err >= 0)
        err = proc_count_sockets(LX_AF_INET6, LX_SOCK_STREAM, &bound, &six);
    if (err < 0)
        return err;
    add_counters(out, &ip);
    add_counters(out, &icmp);
    // The shortest and longest time to retransmit in milliseconds, and no limit of connections.
    out_printf(out, "Tcp:%s\nTcp: 1 200 120000 -1 0 0 0 0 %u 0 0 0 0 0 0\n", tcp_keys, four + six);
    add_counters(out, &(struct counters){"Udp", udp_keys, ""});
    add_counters(out, &(struct counters){"UdpLite", udp_keys, ""});
    return 0;
}

PROC_SHOW(net_netstat)
{
    add_counters(out, &tcp_ext);
    add_counters(out, &ip_ext);
    return 0;
}

PROC_SHOW(net_snmp6)
{
    for (const char *at = six_keys; *at;) {
        size_t len = strcspn(++at, " ");
        out_printf(out, "%-32.*s\t0\n", (int)len, at);
        at += len;
    }
    return 0;
}

PROC_SHOW(net_sockstat)
{
    unsigned tcp, udp, others, none;
    int count[6] = {
        proc_count_sockets(LX_AF_INET, LX_SOCK_STREAM, &tcp, &none),
        proc_count_sockets(LX_AF_INET, LX_SOCK_DGRAM, &udp, &none),
        proc_count_sockets(LX_AF_INET6, LX_SOCK_STREAM, &others, &none),
        proc_count_sockets(LX_AF_INET6, LX_SOCK_DGRAM, &others, &none),
        proc_count_sockets(LX_AF_UNIX, 0, &others, &none),
        proc_count_sockets(LX_AF_NETLINK, 0, &others, &none),
    };
    int used = 0;
    for (int i = 0; i < 6; i++) {
        if (count[i] < 0)
            return count[i];
        used += count[i];
    }
    out_printf(out,
               "sockets: used %d\nTCP: inuse %u orphan 0 tw %u alloc %d mem 0\nUDP: inuse %u mem 0\n"
               "UDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n",
               used, tcp, tcp_wait_count(), count[0] + count[2], udp);
    return 0;
}

PROC_SHOW(net_sockstat6)
{
    unsigned tcp, udp, none;
    int err = proc_count_sockets(LX_AF_INET6, LX_SOCK_STREAM, &tcp, &none);
    if (err >= 0)
        err = proc_count_sockets(LX_AF_INET6, LX_SOCK_DGRAM, &udp, &none);
    if (err < 0)
        return err;
    out_printf(out,
               "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n",
               tcp, udp);
    return 0;
}

// The columns of yes and no are Linux's, and so are the sizes.
PROC_SHOW(net_protocols)
{
    static const struct {
        const char *name;
        int family, type;
        unsigned size, header;
        const char *memory, *press, *slab, *can;
    } all[] = {
        {"UDPv6", LX_AF_INET6, LX_SOCK_DGRAM, 1472, 0, "0", "NI", "yes",
         "y  y  y  n  y  y  y  n  y  y  y  y  n  n  y  y  y  n"},
        {"TCPv6", LX_AF_INET6, LX_SOCK_STREAM, 2432, 192, "0", "no", "yes",
         "y  y  y  y  y  y  y  y  y  y  y  y  n  y  y  y  y  y"},
        {"UNIX-STREAM", LX_AF_UNIX, LX_SOCK_STREAM, 1152, 0, "-1", "NI", "yes",
         "y  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n"},
        {"UNIX", LX_AF_UNIX, LX_SOCK_DGRAM, 1152, 0, "-1", "NI", "yes",
         "y  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n"},
        {"UDP", LX_AF_INET, LX_SOCK_DGRAM, 1344, 0, "0", "NI", "yes",
         "y  y  y  n  y  y  y  n  y  y  y  y  n  n  y  y  y  n"},
        {"TCP", LX_AF_INET, LX_SOCK_STREAM, 2304, 192, "0", "no", "yes",
         "y  y  y  y  y  y  y  y  y  y  y  y  n  y  y  y  y  y"},
        {"NETLINK", LX_AF_NETLINK, 0, 1096, 0, "-1", "NI", "no",
         "n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n"},
    };
    out_printf(
        out,
        "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi "
        "br ha uh gp em\n");
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        unsigned bound, connected;
        int n = proc_count_sockets(all[i].family, all[i].type, &bound, &connected);
        if (n < 0)
            return n;
        out_printf(out, "%-9s %4u %6d  %6s   %-3s %6u   %-3s  %-10s  %s\n", all[i].name, all[i].size, n,
                   all[i].memory, all[i].press, all[i].header, all[i].slab, "kernel", all[i].can);
    }
    return 0;
}
