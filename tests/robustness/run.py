#!/usr/bin/python3
"""Robustness of the set of processes: one of them is killed at a random moment, and nothing survives, nothing hangs.

usage: run.py [ROUNDS]        default 200, over every kind of process of ours and the command line
Each round runs in a pid namespace of its own, where every process that is left is one too many.
"""
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

WORKLOAD = ("i=0; while :; do i=$((i+1)); (ls -l /usr/lib >/dev/null; echo $i >file; cat file >/dev/null; sleep 0.01) & "
            "[ $((i % 4)) = 0 ] && wait; done")
LIMIT = 5.0


def table():
    """pid -> (parent, command line) of every living process but the namespace's first and this one."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in (1, os.getpid()):
            continue
        try:
            stat = pathlib.Path("/proc", entry, "stat").read_text()
            words = pathlib.Path("/proc", entry, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        fields = stat[stat.rindex(")") + 2:].split()
        if fields[0] != "Z":
            found[int(entry)] = (int(fields[1]), b" ".join(words).decode("utf-8", "replace").strip())
    return found


def kind(text):
    name = os.path.basename(text.split(" ")[0]) if text else ""
    return name if name in ("sentry", "gofer") else None


def one_round(victim_kind, seed):
    """Runs inside the namespace; the reason of a failure or None."""
    rng = random.Random(seed)
    process = subprocess.Popen([str(harness.SENTRY), "--", "sh", "-c", WORKLOAD], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=harness.ENVIRONMENT)
    time.sleep(rng.uniform(0.0, 0.4))
    if process.poll() is not None:
        return "the sandbox ended by itself with status %d" % process.returncode
    if victim_kind == "command line":
        victims = [process.pid]
    else:
        victims = [pid for pid, (_, text) in table().items() if kind(text) == victim_kind and pid != process.pid]
    if victims:
        try:
            os.kill(rng.choice(victims), signal.SIGKILL)
        except ProcessLookupError:
            pass
    else:
        process.kill()  # too early: nothing to kill yet
    end = time.monotonic() + LIMIT
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    if process.poll() is None:
        return "the command line hangs; left: %s" % sorted(text for _, text in table().values())
    left = table()
    while left and time.monotonic() < end:
        time.sleep(0.005)
        left = table()
    if left:
        return "survivors: %s" % sorted(text for _, text in left.values())
    return None


def main():
    if sys.argv[1:2] == ["--inside"]:
        problem = one_round(sys.argv[2], int(sys.argv[3]))
        if problem:
            print(problem)
        sys.exit(1 if problem else 0)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(os.environ.get("SEED", "0")) or random.randrange(1 << 30)
    kinds = ["sentry", "gofer", "command line"]
    failures = {name: [] for name in kinds}
    for i in range(rounds):
        victim = kinds[i % len(kinds)]
        result = harness.run([sys.executable, __file__, "--inside", victim, str(seed + i)], str(harness.TOP), 20)
        if result.status != 0:
            failures[victim].append("seed %d: %s" % (seed + i, result.output.decode("utf-8", "replace").strip()))
    for name in kinds:
        share = len(range(kinds.index(name), rounds, len(kinds)))
        if failures[name]:
            harness.report("FAIL", "kill " + name, "%d of %d rounds" % (len(failures[name]), share), failures[name][:5])
        else:
            harness.report("PASS", "kill " + name, "%d rounds" % share)
    sys.exit(1 if any(failures.values()) else 0)


main()
