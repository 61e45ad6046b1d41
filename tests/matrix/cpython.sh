#!/bin/bash
# optional
# packages: libpython3.11-testsuite
# timeout: 1800
# Debian's tests of CPython that are about processes, threads, signals and time: the outcome of every single one, and why
# those that are skipped are.
export LC_ALL=C.UTF-8 HOME=$PWD PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
modules="test_os test_posix test_subprocess test_signal test_threading test_thread test_time test_fork1 test_wait3 test_wait4
    test_resource test_pty test_pwd test_grp test_faulthandler test_multiprocessing_fork test_multiprocessing_forkserver
    test_multiprocessing_spawn test_concurrent_futures test_sched test_queue test_itertools test_ctypes test_gc"
cat >outcomes.py <<'END_OF_SCRIPT'
import collections, sys, xml.etree.ElementTree
# Outcomes that differ, and why: docs/real-programs.md.
known = ["test.test_time.TimeTestCase.test_monotonic_settime", "test.test_signal.ItimerTest.test_itimer_virtual"]
count, lines = collections.Counter(), []
for case in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
    if case.get("name") in known:
        continue
    outcome, why = "passed", ""
    for kind in ("failure", "error", "skipped"):
        for found in case.findall(kind):
            outcome, why = kind, (found.text or found.get("message") or "").strip().splitlines()[-1:]
    count[outcome] += 1
    if outcome != "passed":
        lines.append("  %s %s %s" % (outcome, case.get("name"), "".join(why)))
print(" ".join("%s %d" % item for item in sorted(count.items())))
print("\n".join(sorted(lines)))
END_OF_SCRIPT
for module in ${MODULES-$modules}; do
    python3.11 -m test --junit-xml="$PWD/$module.xml" "$module" >"$module.log" 2>&1 </dev/null
    echo "$module: status $?"
    python3.11 outcomes.py "$module.xml"
done
