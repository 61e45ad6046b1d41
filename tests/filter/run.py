#!/usr/bin/python3
"""The system call tables: generator, seccomp programs in the simulator, support checker, compatibility page."""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

TESTS = harness.TOP / "tests"
PROGRAMS = harness.BUILD / "release/tests/filter"
GENERATOR = harness.TOP / "tools/gen-syscalls.py"
PAGE = harness.TOP / "docs/compatibility.md"


def run(words):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, timeout=120, check=False)
    return done.returncode, done.stdout.decode("utf-8", "backslashreplace").splitlines()


def report(name, status, lines):
    harness.report("FAIL" if status else "PASS", name, *(("status %d" % status, lines[-30:]) if status else ()))
    return status == 0


def script(name):
    """One that reports for itself."""
    done = subprocess.run([sys.executable, str(TESTS / "filter" / name)], stdin=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def criterion(name):
    status, lines = run([PROGRAMS / name, "--verbose=1", "-j1"])
    good = [match.group(1) for match in (re.search(r"\[PASS\] (\S+?):?(?: |$)", line) for line in lines) if match]
    for test in good:
        harness.report("PASS", "%s %s" % (name, test))
    return report(name, status or (0 if good else 1), lines)


def python_test(path):
    return report(str(path.relative_to(TESTS)), *run([sys.executable, path]))


ok = all([
    python_test(TESTS / "filter/generator_test.py"),
    python_test(TESTS / "support/support_test.py"),
    criterion("guest_filter_test"),
    criterion("own_filters_test"),
    script("mutation.py"),
    script("running.py"),
    report("compatibility page is up to date", *run([sys.executable, GENERATOR, "--check-docs", PAGE])),
])
sys.exit(0 if ok else 1)
