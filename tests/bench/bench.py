#!/usr/bin/python3
"""Benchmarks: native, the sandbox, and runsc when it is on PATH, interleaved; medians, ratios and limits.

usage: bench.py [--runs N] [--seconds S] [--json FILE] [NAME...]
Times are nanoseconds of one operation. A limit compares the sandbox with native or with the bare notification round
trip measured beside it; `FAIL` in the last column means that it is exceeded on this machine in this run.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

PROGRAMS = harness.BUILD / "release/tests/bench"
# name -> (what it is compared with, the largest ratio allowed)
LIMITS = {
    "getppid": ("roundtrip", 1.25),
    "read": ("roundtrip", 1.6),
    "fstat": ("roundtrip", 1.6),
    "fork": ("native", 2.5),
    "fork_tiny": ("native", 3.2),
    "vfork_exec": ("native", 1.8),
    "thread": ("native", 3.0),
    "mmap": ("native", 1.1),
    "futex": ("native", 1.1),
}
# Messages to the Gofer in one operation, counted by --stats.
MESSAGE_LIMITS = {"pread_4k": ("pread64", 0), "pread_64k": ("pread64", 0), "stat": ("newfstatat", 1), "open_close": ("openat", 1)}
STATIC = {"fork_tiny"}
START_LIMIT_MS = 40
START_LIMIT_RUNSC = 0.25
PSS_LIMIT_KB = 10240

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--runs", type=int, default=5)
arguments.add_argument("--seconds", type=float, default=0.25)
arguments.add_argument("--json", default=str(harness.BUILD / "bench.json"))
arguments.add_argument("names", nargs="*")
options = arguments.parse_args()
RUNSC = shutil.which("runsc")
work = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=harness.BUILD))


def command(system, words, extra=()):
    if system == "sentry":
        return [str(harness.SENTRY)] + list(extra) + ["--"] + words
    if system == "runsc":
        return [RUNSC, "--network=none", "do"] + words
    return words


def output_of(words, timeout=120):
    try:
        done = subprocess.run(words, cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.decode() if done.returncode == 0 else None


def measure(system, name):
    program = "./micro.static" if name in STATIC else "./micro.dynamic"
    # runsc keeps the caller's directory out of sight of relative names of its own root: full paths.
    if system == "runsc":
        program = str(work / program)
    text = output_of(command(system, [program, name, str(options.seconds)]))
    match = text and re.search(r" ([0-9.]+)$", text.strip())
    return float(match.group(1)) if match else None


def roundtrip():
    text = output_of(["./roundtrip.static"])
    return float(text.split()[1]) if text else None


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def messages_per_operation(name):
    """Messages to the Gofer in one call of the kind that the benchmark repeats, from the table of --stats."""
    stats = work / "stats"
    if output_of(command("sentry", ["./micro.dynamic", name, "0.1"], ["--stats=%s" % stats])) is None:
        return None
    row = re.search(r"^%s +(\d+) +\d+ +(\d+)$" % MESSAGE_LIMITS[name][0], stats.read_text(), re.M)
    return int(row.group(2)) / int(row.group(1)) if row and int(row.group(1)) else None


def start_up(system):
    words = command(system, ["/bin/true"])
    start = time.monotonic()
    done = subprocess.run(words, cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, timeout=60, check=False)
    return (time.monotonic() - start) * 1000 if done.returncode == 0 else None


def processes():
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                text = pathlib.Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            parents[int(entry)] = int(text[text.rindex(")") + 2:].split()[1])
    return parents


def memory():
    """PSS in KiB of every process of ours while the guest sleeps; the guest itself is not ours."""
    with subprocess.Popen(command("sentry", ["/bin/sleep", "5"]), cwd=work, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(1.5)
        parents = processes()
        tree, grown = {process.pid}, True
        while grown:
            more = {pid for pid, parent in parents.items() if parent in tree} - tree
            grown, tree = bool(more), tree | more
        total, parts = 0, {}
        for pid in sorted(tree):
            try:
                words = pathlib.Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0")
                if b"sleep" in os.path.basename(words[0]):
                    continue
                text = pathlib.Path("/proc", str(pid), "smaps_rollup").read_text()
            except OSError:
                continue
            pss = int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))
            name = os.path.basename(words[0].decode("utf-8", "replace")) or "?"
            parts["%s %d" % (name, len(parts))] = pss
            total += pss
        process.kill()
        process.wait()
    return total, parts


def show(value, digits=0):
    return "-" if value is None else "%.*f" % (digits, value)


def verdict(good):
    return "-" if good is None else "ok" if good else "FAIL"


def micro(names, systems):
    rows, trips = {}, []
    samples = {(system, name): [] for system in systems for name in names}
    for run in range(options.runs):
        trips.append(roundtrip())
        for name in names:
            for system in systems:
                samples[system, name].append(measure(system, name))
        print("run %d of %d done" % (run + 1, options.runs), file=sys.stderr)
    trip = median(trips)
    print("bare notification round trip: %s ns" % show(trip))
    print("%-12s %12s %12s %7s %12s %7s  %-26s %s" %
          ("ns", "native", "sentry", "ratio", "runsc", "ratio", "limit", ""))
    for name in names:
        native, sentry, runsc = (median(samples.get((system, name), [])) for system in ("native", "sentry", "runsc"))
        ratio = sentry / native if sentry and native else None
        runsc_ratio = runsc / native if runsc and native else None
        limit, good = "", None
        if name in LIMITS:
            base, factor = LIMITS[name]
            reference = trip if base == "roundtrip" else native
            limit = "%.2f x %s" % (factor, base)
            if sentry and reference:
                limit += " (is %.2f)" % (sentry / reference)
                good = sentry <= factor * reference
            else:
                good = False
        if name in MESSAGE_LIMITS:
            count = messages_per_operation(name)
            most = MESSAGE_LIMITS[name][1]
            limit = "<= %d messages (is %s)" % (most, show(count, 2))
            # A few calls of the program's start are in the count.
            good = count is not None and count <= most + 0.05
        rows[name] = {"native": native, "sentry": sentry, "runsc": runsc, "ratio": ratio, "limit": limit,
                      "within_limit": good}
        print("%-12s %12s %12s %7s %12s %7s  %-26s %s" %
              (name, show(native), show(sentry), show(ratio, 2), show(runsc), show(runsc_ratio, 2), limit,
               verdict(good)), flush=True)
    return {"roundtrip": trip, "operations": rows}


def main():
    names = subprocess.run([str(PROGRAMS / "micro.static")], stdout=subprocess.PIPE, check=True).stdout.decode().split()
    unknown = [name for name in options.names if name not in names]
    if unknown:
        sys.exit("no benchmark %s; there are: %s" % (", ".join(unknown), " ".join(names)))
    wanted = [name for name in names if not options.names or name in options.names]
    for program in PROGRAMS.iterdir():
        if program.suffix in (".static", ".dynamic"):
            shutil.copy2(program, work / program.name)
    systems = ["native", "sentry"] + (["runsc"] if RUNSC else [])
    if not RUNSC:
        print("runsc is not on PATH: not compared")
    result = {"kernel": platform.release(), "cpus": os.cpu_count(), "runs": options.runs, "time": int(time.time())}
    if wanted:
        result.update(micro(wanted, systems))
    if not options.names:
        starts = {system: [] for system in systems}
        for _ in range(options.runs * 4):
            for system in systems:
                starts[system].append(start_up(system))
        start = {system: median(values) for system, values in starts.items()}
        good = start["sentry"] is not None and start["sentry"] < START_LIMIT_MS
        print("start-up of /bin/true: native %s ms, sentry %s ms (limit %d ms) %s, runsc %s ms %s" %
              (show(start["native"], 1), show(start["sentry"], 1), START_LIMIT_MS, verdict(good),
               show(start.get("runsc"), 1),
               verdict(start["sentry"] <= START_LIMIT_RUNSC * start["runsc"])
               if start.get("runsc") and start["sentry"] else ""))
        total, parts = memory()
        print("PSS of our processes: %d KiB (limit %d KiB) %s: %s" %
              (total, PSS_LIMIT_KB, verdict(len(parts) > 1 and total < PSS_LIMIT_KB),
               ", ".join("%s %d" % part for part in parts.items())))
        result.update({"start_ms": start, "pss_kib": total, "pss_parts": parts})
    pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    print("written: %s" % options.json)


try:
    main()
finally:
    shutil.rmtree(work, ignore_errors=True)
