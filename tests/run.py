#!/usr/bin/python3
"""Run the test suites and end with one line: N passed, N failed (, N skipped).

usage: run.py [--preset NAME] [SUITE...]    without a suite: all of them
With another preset than release (debug, tsan) the suites that run it: unit, guest-plain, guest, matrix and cli.
A suite prints PASS, FAIL and SKIP lines (see harness.py). One that ends badly without a FAIL line, or that ran no
test at all, counts as a failure.
"""
import os
import pathlib
import re
import subprocess
import sys
import time

import harness

TESTS = harness.TOP / "tests"
PYTHON = "/usr/bin/python3"

SUITES = [
    ("unit", [PYTHON, TESTS / "unit/run.py"]),
    ("guest", [PYTHON, TESTS / "guest/run.py"]),
    ("filter", [PYTHON, TESTS / "filter/run.py"]),
    ("guest-plain", [PYTHON, TESTS / "guest/run.py", "--plain"]),
    ("guest-nested", [PYTHON, TESTS / "guest/run.py", "--nested"]),
    ("oci-fields", [PYTHON, TESTS / "oci/fields.py"]),
    ("support", [PYTHON, TESTS / "support/run.py"]),
    ("matrix", [PYTHON, TESTS / "matrix/run.py"]),
    ("matrix-fallbacks", [PYTHON, TESTS / "matrix/run.py", "--core", "--fallbacks"]),
    ("matrix-user", [PYTHON, TESTS / "matrix/run.py", "--core", "--user"]),
    ("load", [PYTHON, TESTS / "load/run.py"]),
    ("cli", [PYTHON, TESTS / "cli/run.py"]),
    ("oci", [PYTHON, TESTS / "oci/run.py", "--core"]),
    ("gofer", [PYTHON, TESTS / "gofer/run.py"]),
    ("gofer-hostile", [PYTHON, TESTS / "gofer/hostile.py"]),
    ("fsx", [PYTHON, TESTS / "fsx/run.py"]),
    ("escape", [PYTHON, TESTS / "escape/run.py"]),
]


class Totals:
    def __init__(self):
        self.count = {"PASS": 0, "FAIL": 0, "SKIP": 0}
        self.failures = []

    def add(self, verdict, text):
        self.count[verdict] += 1
        if verdict == "FAIL":
            self.failures.append(text)


def run_suite(name, command, totals):
    if not pathlib.Path(command[1]).exists():
        return
    print("== %s" % name, flush=True)
    start = time.monotonic()
    before = dict(totals.count)
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        for raw in process.stdout:
            line = raw.decode("utf-8", "backslashreplace").rstrip("\n")
            match = re.match(r"(PASS|FAIL|SKIP) (\S.*)", line)
            if match:
                totals.add(match.group(1), "%s: %s" % (name, match.group(2)))
            if not line.startswith("PASS"):
                print(line, flush=True)
        status = process.wait()
    new = {key: totals.count[key] - before[key] for key in before}
    if status != 0 and new["FAIL"] == 0:
        print("FAIL %s: the suite ended with status %d" % (name, status))
        totals.add("FAIL", "%s: ended with status %d" % (name, status))
    elif sum(new.values()) == 0:
        print("FAIL %s: the suite ran no test" % name)
        totals.add("FAIL", "%s: ran no test" % name)
    print("-- %s: %d passed, %d failed, %d skipped, %.0f s" %
          (name, new["PASS"], new["FAIL"], new["SKIP"], time.monotonic() - start), flush=True)


WITH_SANITIZERS = ["unit", "guest-plain", "guest", "matrix", "cli"]


def main():
    names = sys.argv[1:]
    if names[:1] == ["--preset"] and len(names) > 1:
        os.environ["SENTRY_PRESET"] = names[1]
        names = names[2:] or WITH_SANITIZERS
    unknown = set(names) - {name for name, _ in SUITES}
    if unknown:
        sys.exit("run.py: unknown suite %s; there are %s" %
                 (", ".join(sorted(unknown)), ", ".join(name for name, _ in SUITES)))
    os.chdir(harness.TOP)
    totals = Totals()
    for name, command in SUITES:
        if not names or name in names:
            run_suite(name, command, totals)
    if totals.failures:
        print("failed:")
        for failure in totals.failures:
            print("  " + failure)
    last = "%d passed, %d failed" % (totals.count["PASS"], totals.count["FAIL"])
    if totals.count["SKIP"]:
        last += ", %d skipped" % totals.count["SKIP"]
    print(last, flush=True)
    sys.exit(1 if totals.count["FAIL"] else 0)


main()
