#!/usr/bin/python3
"""Run every unit test program and report each Criterion test."""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

PROGRAMS = sorted((harness.BUILD / "release/tests/unit").glob("unit_*"))
SOURCES = list((harness.TOP / "tests/unit").rglob("*_test.c"))


def run_program(path):
    try:
        done = subprocess.run([str(path), "--verbose=1", "-j1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        harness.report("FAIL", path.name, "timeout")
        return False
    output = done.stdout.decode("utf-8", "backslashreplace")
    good = re.findall(r"\[PASS\] (\S+?):?(?: |$|\n)", output)
    for name in good:
        harness.report("PASS", "%s %s" % (path.name, name))
    if done.returncode != 0 or not good:
        lines = [line for line in output.splitlines() if "[RUN" not in line and "[PASS]" not in line]
        harness.report("FAIL", path.name, "status %d" % done.returncode, lines[:40])
        return False
    return True


expected = {"unit_" + re.sub(r"[/.]", "_", str(source.relative_to(harness.TOP / "tests/unit")))[:-len("_test_c")]
            for source in SOURCES}
PROGRAMS = [path for path in PROGRAMS if path.name in expected]
for name in expected - {path.name for path in PROGRAMS}:
    harness.report("FAIL", name, "was not built")
sys.exit(0 if harness.parallel(run_program, PROGRAMS) else 1)
