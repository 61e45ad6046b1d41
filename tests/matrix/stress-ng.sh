#!/bin/bash
# optional
# packages: stress-ng util-linux
# timeout: 900
# Stressors of processes, threads, signals and time, SECONDS_EACH (10) seconds each with two instances that verify what they
# see: the end of each, and what it complains about.
export LC_ALL=C.UTF-8 HOME=$PWD
stressors="fork vfork clone exec pthread wait kill signal sigq sigrt sigfd sigsuspend sigpending timer timerfd itimer nanosleep
    clock futex mutex sem get set rlimit personality schedpolicy switch yield tee pidfd sigsegv sigfpe sigtrap sigabrt sigchld
    sigio sigpipe zombie session prctl membarrier"
mkdir work && chmod 777 work && cd work || exit 1
for stressor in ${STRESSORS-$stressors}; do
    as=
    [ $stressor = exec ] && [ "$(id -u)" = 0 ] && as="setpriv --reuid=12345 --regid=12345 --clear-groups" # refuses root
    $as stress-ng --$stressor 2 --timeout "${SECONDS_EACH-10}s" --verify --metrics-brief >log 2>&1 </dev/null
    echo "$stressor: status $?"
    sed -nE 's/^stress-ng: (fail|error|warn): *\[[0-9]+\] /  \1 /p' log | sort -u
done
