#!/bin/bash
# optional
# packages: libpython3.11-testsuite
# timeout: 900
# Debian's tests of CPython that are about networks: the outcome of every single one, and why those that are skipped are.
export LC_ALL=C.UTF-8 HOME=$PWD PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
modules="test_asyncio test_ssl test_httplib test_urllib2_localnet test_smtplib test_ftplib test_multiprocessing_main_handling"
cat >outcomes.py <<'END_OF_SCRIPT'
import collections, sys, xml.etree.ElementTree
count, lines = collections.Counter(), []
for case in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
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
