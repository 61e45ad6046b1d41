#!/bin/bash
# For scripts about modules of CPython's own tests: `run_modules PATTERN MODULE...` prints the outcome of every single test, and
# why those that are skipped are. Tests whose names match PATTERN are left out: their outcomes differ.
export LC_ALL=C.UTF-8 HOME=$PWD PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
cat >outcomes.py <<'END_OF_SCRIPT'
import collections, re, sys, xml.etree.ElementTree
known = re.compile(sys.argv[2])
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
run_modules() {
    known=$1
    shift
    for module in ${MODULES-"$@"}; do
        command="python3.11 -m test --junit-xml=$PWD/$module.xml $module"
        if [ "$module" = test_ioctl ]; then # asks a terminal
            script -qec "$command" /dev/null >"$module.log" 2>&1 </dev/null
        else
            $command >"$module.log" 2>&1 </dev/null
        fi
        echo "$module: status $?"
        python3.11 outcomes.py "$module.xml" "$known"
    done
}
