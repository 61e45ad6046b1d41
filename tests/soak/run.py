#!/usr/bin/python3
"""Chaos programs in the sandbox: each seed has to end by itself, with nobody left and nothing in the log.

usage: run.py [ROUNDS [SEED]]     default 5 rounds, from a seed that the clock gives
SENTRY names the binary, so that a sanitizer build can be put to the same test.
"""
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

SOURCE = pathlib.Path(__file__).resolve().parent / "chaos.c"
SECONDS = 5
LIMIT = 60
EXPECTED = b"end -1 1\n"


def one(seed):
    name = "chaos %d" % seed
    work = harness.fresh_directory(harness.OUT / "work" / ("chaos-%d" % seed))
    log = harness.OUT / ("chaos-%d.log" % seed)
    log.unlink(missing_ok=True)
    subprocess.run(["gcc", "-O1", "-w", "-D_GNU_SOURCE", "-pthread", "-o", work / "chaos", SOURCE], check=True)
    result = harness.run([harness.SENTRY, "--log", log, "--", "./chaos", seed, SECONDS], work, LIMIT)
    lines = [line for line in log.read_text().splitlines() if " I " not in line] if log.exists() else []
    good = result.status == 0 and result.output == EXPECTED and not lines
    reason = "" if good else "timeout" if result.timed_out else "status %d" % result.status
    harness.report("PASS" if good else "FAIL", name, reason, lines[:10])
    if good:
        log.unlink(missing_ok=True)
    return good


rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
first = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time()) % 1000000
sys.exit(0 if harness.parallel(one, range(first, first + rounds)) else 1)
