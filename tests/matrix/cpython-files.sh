#!/bin/bash
# optional
# packages: libpython3.11-testsuite util-linux
# timeout: 1800
# Debian's tests of CPython that are about files: the outcome of every single one, and why those that are skipped are.
export LC_ALL=C.UTF-8 HOME=$PWD PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
modules="test_os test_posix test_posixpath test_shutil test_tempfile test_mmap test_fcntl test_glob test_pathlib test_stat test_file
    test_fileio test_io test_tarfile test_zipfile test_largefile test_fileinput test_dbm test_mailbox test_ioctl test_pipes"
cat >outcomes.py <<'END_OF_SCRIPT'
import collections, re, sys, xml.etree.ElementTree
# /usr cannot be written in the sandbox, so these four of test_zipfile are skipped: as an ordinary user they are natively.
known = re.compile(r"PyZipFileTests\.test_write_(filtered_python_package|pyfile|python_package|with_optimization)$")
count, lines = collections.Counter(), []
for case in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
    if known.search(case.get("name")):
        continue
    outcome, why = "passed", ""
    for kind in ("failure", "error", "skipped"):
        for found in case.findall(kind):
            outcome, why = kind, (found.text or found.get("message") or "").strip().splitlines()[-1:]
    count[outcome] += 1
    if outcome != "passed":
        lines.append("  %s %s %s" % (outcome, case.get("name"), re.sub(r"@test_\d+", "@test_N", "".join(why))))
print(" ".join("%s %d" % item for item in sorted(count.items())))
print("\n".join(sorted(lines)))
END_OF_SCRIPT
for module in ${MODULES-$modules}; do
    command="python3.11 -m test --junit-xml=$PWD/$module.xml $module"
    if [ "$module" = test_ioctl ]; then # asks a terminal
        script -qec "$command" /dev/null >"$module.log" 2>&1 </dev/null
    else
        $command >"$module.log" 2>&1 </dev/null
    fi
    echo "$module: status $?"
    python3.11 outcomes.py "$module.xml"
done
