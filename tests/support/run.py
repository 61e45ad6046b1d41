#!/usr/bin/python3
"""Every row of the table that claims `supported` is proven by the traces of the guest tests.

usage: run.py [--promote]
  --promote   edit the table: rows that are proven and have no note about a gap become `supported`
"""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

sys.path.insert(0, str(harness.TOP / "tools"))
sys.path.insert(0, str(harness.TOP / "tests/support"))
sys.dont_write_bytecode = True
import support  # noqa: E402
from syscalls import table  # noqa: E402

TABLE = harness.TOP / "syscall-tables/x86_64.tbl"
TRACES = harness.OUT / "guest-traces"
ROOT_ONLY = frozenset(["chroot", "sethostname", "setdomainname", "setgroups"])


def main():
    traces = sorted(TRACES.glob("*.strace")) if TRACES.is_dir() else []
    if not traces:
        harness.report("FAIL", "traces", "none in %s: run the guest suite first" % TRACES)
        return 1
    rows = table.load(str(TABLE))
    seen = support.read_traces(traces)
    if "--promote" in sys.argv[1:]:
        lines = TABLE.read_text(encoding="utf-8").split("\n")
        TABLE.write_text("\n".join(support.promote(lines, rows, seen)), encoding="utf-8")
        rows = table.load(str(TABLE))
    failed = 0
    for row in rows:
        if row.status != "supported":
            continue
        lacks = support.missing(row, seen)
        if lacks == ["a success"] and row.name in ROOT_ONLY and os.geteuid() != 0:
            harness.report("SKIP", row.name, "only root succeeds, and the tests run as an ordinary user")
        elif lacks:
            failed += 1
            harness.report("FAIL", row.name, "%s:%d claims support, but no passing guest test makes %s" %
                           (TABLE.relative_to(harness.TOP), row.line, " and ".join(lacks)))
        else:
            harness.report("PASS", row.name)
    known = {row.name for row in rows}
    strangers = sorted(name for name in seen if name not in known and not name.startswith("syscall_"))
    if strangers:
        failed += 1
        harness.report("FAIL", "names", "traces name calls that the table does not have: " + ", ".join(strangers))
    else:
        harness.report("PASS", "names in %d traces" % len(traces))
    return 1 if failed else 0


sys.exit(main())
