#!/usr/bin/python3
"""Programs that live on files: native, the sandbox and runsc, interleaved; medians and limits, with what they cost.

usage: files.py [--runs N] [--json FILE] [NAME...]
Each run is a fresh directory and a fresh sandbox; the time is taken inside, from the first command to the last, so the start
of a sandbox is not in it. fio gives nanoseconds of one operation, the rest milliseconds. Calls, messages to the Gofer and
kicks (a second wake-up of a guest thread) come from a run of its own with --stats. Limits: `x N` is a multiple of
native; `+9us` is native and 9 microseconds for each call; `trip+4us` a bare notification round trip and 4 more.
"""
import argparse
import json
import os
import pathlib
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--runs", type=int, default=3)
arguments.add_argument("--json", default=str(harness.BUILD / "bench-files.json"))
arguments.add_argument("names", nargs="*")
RUNSC = shutil.which("runsc")
ROUNDTRIP = harness.BUILD / "release/tests/bench/roundtrip.static"
FIO = "fio --name=x --filename=data --size=64m --bs=4k --ioengine=psync --thread --time_based --runtime=2 --output-format=json"


def text_of(seed, size):
    return random.Random(seed).randbytes(size)


def make_files(where, count):
    for index in range(count):
        directory = where / ("d%02d" % (index % 50))
        if index < 50:
            directory.mkdir(parents=True)
        (directory / ("file%05d" % index)).write_bytes(text_of(index, 500 + index % 7000))


def prepare_tar(work):
    make_files(work / "tree", 5000)
    with tarfile.open(work / "a.tar", "w") as archive:
        archive.add(work / "tree", "tree")
    shutil.rmtree(work / "tree")
    (work / "out").mkdir()


def prepare_git(work):
    make_files(work / "repo", 10000)
    for words in (["init", "-q"], ["config", "gc.auto", "0"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git"] + words, cwd=work / "repo", check=True, stdin=subprocess.DEVNULL)


def prepare_fio(work):
    (work / "data").write_bytes(bytes(64 << 20))


def prepare_sql(work):
    row = "insert into t values(%d, 'a line of text, number %d');\n"
    create = "pragma synchronous=off;\ncreate table t(n integer primary key, s text);\n"
    (work / "one.sql").write_text(create + "begin;\n" + "".join(row % (n, n) for n in range(10000)) + "commit;\n")
    parts = ["begin;\n" + "".join(row % (n, n) for n in range(at, at + 100)) + "commit;\n" for at in range(0, 10000, 100)]
    (work / "hundred.sql").write_text(create + "".join(parts))


def prepare_c(work):
    for index in range(30):
        functions = "\n".join("int f%d_%d(int a) { int s = 0; for (int i = 0; i < a; i++) s += i * %d; return s; }" %
                              (index, n, n + 1) for n in range(20))
        (work / ("part%02d.c" % index)).write_text("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n" + functions)
    (work / "Makefile").write_text("prog: $(patsubst %.c,%.o,$(wildcard *.c))\n\tcc -shared -o $@ $^\n%.o: %.c\n\tcc -fPIC -O1 -c $<\n")


def prepare_nothing(work):
    pass


def prepare_big(work):
    with open(work / "big", "wb") as big:
        block = text_of(1, 1 << 20)
        for _ in range(1024):
            big.write(block)
        big.flush()
        os.fsync(big.fileno())


# name: (prepare, script, limit, "ms" or "fio")
WORKLOADS = {
    "tar": (prepare_tar, "tar xf a.tar -C out", "+9us", "ms"),
    "find": (prepare_nothing, "find /usr -printf '' 2>/dev/null; true", "+9us", "ms"),
    "git_status": (prepare_git, "git -C repo status >/dev/null", "+9us", "ms"),
    "fio_read": (prepare_fio, FIO + " --rw=randread", "trip+4us", "fio"),
    "fio_write": (prepare_fio, FIO + " --rw=randwrite", "trip+4us", "fio"),
    "sqlite_one": (prepare_sql, "sqlite3 db <one.sql", "x1.5", "ms"),
    "sqlite_hundred": (prepare_sql, "sqlite3 db <hundred.sql", None, "ms"),
    "compile": (prepare_c, "make -s -j2", "x1.5", "ms"),
    "python": (prepare_nothing, "for i in 1 2 3 4 5 6 7 8 9 10; do python3 -c pass; done", "x1.5", "ms"),
    "read_cold": (prepare_big, "cat big >/dev/null", "x1.15", "ms"),
    "read_hot": (prepare_big, "cat big >/dev/null", None, "ms"),
}


def command(system, script, extra=()):
    words = ["bash", "-c", "a=$EPOCHREALTIME; %s || exit 1; b=$EPOCHREALTIME; echo \"elapsed $a $b\"" % script]
    if system == "sentry":
        return [str(harness.SENTRY)] + list(extra) + ["--"] + words
    if system == "runsc":
        return [RUNSC, "--network=none", "do"] + words
    return words


def forget_pages(path):
    with open(path, "rb") as big:
        os.posix_fadvise(big.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(system, name, pattern, extra=()):
    """One run in a copy of the prepared directory. Milliseconds, nanoseconds for fio, or None."""
    _, script, _, kind = WORKLOADS[name]
    with tempfile.TemporaryDirectory(prefix="run-", dir=pattern.parent) as directory:
        work = pathlib.Path(directory) / "w"
        if name.startswith("read_"):
            work = pattern
            if name == "read_cold":
                forget_pages(work / "big")
            else:
                subprocess.run(["cat", str(work / "big")], stdout=subprocess.DEVNULL, check=True)
        else:
            subprocess.run(["cp", "-a", str(pattern), str(work)], check=True)
            if name == "git_status":  # the index learns the copy's inodes
                time.sleep(1.1)  # git hashes again what is as new as its index
                subprocess.run(["git", "-C", str(work / "repo"), "status"], stdout=subprocess.DEVNULL, check=True)
        try:
            done = subprocess.run(command(system, script, extra), cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=150, check=False, env=harness.ENVIRONMENT)
        except subprocess.TimeoutExpired:
            return None
    output = done.stdout.decode("utf-8", "replace")
    if kind == "fio":
        means = re.findall(r'"clat_ns" : \{[^}]*?"mean" : ([0-9.]+)', output)
        return max(map(float, means)) if means and done.returncode == 0 else None
    match = re.search(r"elapsed ([0-9.]+) ([0-9.]+)", output)
    return (float(match.group(2)) - float(match.group(1))) * 1000 if match and done.returncode == 0 else None


def costs(name, pattern):
    """Calls, messages and kicks of one run."""
    stats = pattern.parent / "stats"
    stats.unlink(missing_ok=True)
    run("sentry", name, pattern, ["--stats=%s" % stats])
    text = stats.read_text() if stats.exists() else ""
    return tuple(int(match.group(1)) if (match := re.search(expression, text, re.M)) else None
                 for expression in (r"^total +(\d+)", r"^gofer messages in all: (\d+)", r"^kicks: (\d+)"))


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def roundtrip():
    done = subprocess.run([str(ROUNDTRIP)], stdout=subprocess.PIPE, check=False, timeout=60)
    return float(done.stdout.split()[1]) if done.returncode == 0 else None


def most(limit, native, calls, trip):
    if not limit or native is None:
        return None
    if limit == "+9us":
        return native + calls * 0.009 if calls else None
    if limit == "trip+4us":
        return trip + 4000 if trip else None
    return native * float(limit[1:])


def show(value, digits=1):
    return "-" if value is None else "%.*f" % (digits, value)


def measure(name, base, options, trip):
    prepare, _, limit, kind = WORKLOADS[name]
    pattern = base / name
    pattern.mkdir()
    prepare(pattern)
    systems = ["native", "sentry"] + (["runsc"] if RUNSC else [])
    samples = {system: [] for system in systems}
    for _ in range(1 if name == "read_cold" and options.runs == 1 else options.runs):
        for system in systems:
            samples[system].append(run(system, name, pattern))
    native, sentry, runsc = (median(samples.get(system, [])) for system in ("native", "sentry", "runsc"))
    calls, messages, kicks = costs(name, pattern)
    shutil.rmtree(pattern)
    allowed = most(limit, native, calls, trip)
    good = None if allowed is None else sentry is not None and sentry <= allowed
    ahead = None if runsc is None or sentry is None else sentry <= runsc
    print("%-15s %10s %10s %6s %10s  %8s %8s %7s  %-9s %10s %s" %
          (name + (" ns" if kind == "fio" else ""), show(native), show(sentry),
           show(sentry / native if sentry and native else None, 2), show(runsc), calls, messages, kicks, limit or "",
           show(allowed), ("" if good is None else "ok" if good else "FAIL") + ("" if ahead is not False else " behind runsc")),
          flush=True)
    return {"native": native, "sentry": sentry, "runsc": runsc, "calls": calls, "messages": messages, "kicks": kicks,
            "limit": limit, "allowed": allowed, "within_limit": good}


def main():
    options = arguments.parse_args()
    unknown = set(options.names) - set(WORKLOADS)
    if unknown:
        sys.exit("files.py: no workload %s; there are %s" % (", ".join(unknown), ", ".join(WORKLOADS)))
    base = pathlib.Path(tempfile.mkdtemp(prefix="bench-files-", dir=harness.BUILD))
    trip = median([roundtrip() for _ in range(3)])
    print("bare notification round trip: %s ns" % show(trip, 0))
    print("%-15s %10s %10s %6s %10s  %8s %8s %7s  %-9s %10s" %
          ("ms", "native", "sentry", "ratio", "runsc", "calls", "messages", "kicks", "limit", "allowed"))
    try:
        rows = {name: measure(name, base, options, trip) for name in options.names or WORKLOADS}
    finally:
        shutil.rmtree(base, ignore_errors=True)
    result = {"kernel": platform.release(), "cpus": os.cpu_count(), "time": int(time.time()), "runs": options.runs,
              "roundtrip": trip, "workloads": rows}
    pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    print("written: %s" % options.json)


main()
