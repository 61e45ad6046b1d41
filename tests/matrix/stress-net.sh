#!/bin/bash
# optional
# packages: stress-ng util-linux
# timeout: 600
# Stressors of sockets, IPC and descriptors that are waited for, SECONDS_EACH (10) seconds each with two instances that verify what
# they see: the end of each, and what it complains about. Raw sockets as somebody who may not have them: the sandbox has none.
# Not netlink-task, which asks NETLINK_GENERIC.
export LC_ALL=C.UTF-8 HOME=$PWD
stressors="sock sockabuse sockdiag sockfd sockmany sockpair udp udp-flood epoll poll eventfd mq msg sem-sysv shm shm-sysv pipe
    pipeherd fifo memfd netdev rawsock ping-sock"
mkdir work && chmod 777 work && cd work || exit 1
for stressor in ${STRESSORS-$stressors}; do
    as=
    [ $stressor = rawsock ] && [ "$(id -u)" = 0 ] && as="setpriv --reuid=12345 --regid=12345 --clear-groups"
    $as stress-ng --$stressor 2 --timeout "${SECONDS_EACH-10}s" --verify --metrics-brief >log 2>&1 </dev/null
    echo "$stressor: status $?"
    sed -nE 's/^stress-ng: (fail|error|warn): *\[[0-9]+\] /  \1 /p' log | sort -u
done
