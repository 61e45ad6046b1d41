#!/bin/bash
# optional
# packages: libpython3.11-testsuite
# parts: cpython_modules.sh
# timeout: 1800
# Debian's tests of CPython that are about processes, threads, signals and time: the outcome of every single one, and why
# those that are skipped are.
. ./cpython_modules.sh
# Outcomes that differ, and why: docs/real-programs.md.
run_modules 'test_time\.TimeTestCase\.test_monotonic_settime$|test_signal\.ItimerTest\.test_itimer_virtual$' \
    test_os test_posix test_subprocess test_signal test_threading test_thread test_time test_fork1 test_wait3 test_wait4 \
    test_resource test_pty test_pwd test_grp test_faulthandler test_multiprocessing_fork test_multiprocessing_forkserver \
    test_multiprocessing_spawn test_concurrent_futures test_sched test_queue test_itertools test_ctypes test_gc
