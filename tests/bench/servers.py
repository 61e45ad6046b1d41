#!/usr/bin/python3
"""Servers under load (servers.sh): native, the sandbox, and runsc when it is on PATH, interleaved; medians and limits.

usage: servers.py [--runs N]
Each row must be ahead of runsc in the same run, and the throughput of TCP on loopback at least half of native; `FAIL` in the last
column means that it is not on this machine in this run.
"""
import argparse
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
HALF_OF_NATIVE = "TCP throughput"

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--runs", type=int, default=3)
options = arguments.parse_args()
COMMANDS = {
    "native": [str(HERE / "servers.sh")],
    "sentry": [str(harness.SENTRY), "--bind", "%s:/bench" % HERE, "--", "/bench/servers.sh"],
    "runsc": ["runsc", "--network=none", "do", str(HERE / "servers.sh")],
}
if not shutil.which("runsc"):
    del COMMANDS["runsc"]


def run(system):
    """The figures of one run, by name."""
    done = subprocess.run(COMMANDS[system], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300,
                          check=False)
    found = re.findall(r"^(.+?): +([0-9.]+)$", done.stdout.decode("utf-8", "replace"), re.M)
    return {name: float(value) for name, value in found}


def verdict(name, row):
    """What is missed, or an empty string."""
    less_is_better = name.endswith(", us")
    if row.get("sentry") is None:
        return "FAIL: no figure"
    if row.get("runsc") and (row["sentry"] >= row["runsc"] if less_is_better else row["sentry"] <= row["runsc"]):
        return "FAIL: behind runsc"
    if name.startswith(HALF_OF_NATIVE) and row["sentry"] * 2 < row["native"]:
        return "FAIL: less than half of native"
    return ""


def main():
    figures = {system: {} for system in COMMANDS}
    for _ in range(options.runs):
        for system, rows in figures.items():
            for name, value in run(system).items():
                rows.setdefault(name, []).append(value)
    print("| |%s|" % "|".join(" %s " % system for system in figures) + " of native | |")
    print("|---|%s---:|---|" % ("---:|" * len(figures)))
    good = bool(figures["native"])
    for name in figures["native"]:
        row = {system: statistics.median(rows[name]) if rows.get(name) else None for system, rows in figures.items()}
        missed = verdict(name, row)
        good = good and not missed
        shown = ["-" if value is None else "%.1f" % value if value < 1000 else "%d" % value for value in row.values()]
        print("| %s | %s | %.2f | %s |" % (name, " | ".join(shown), (row["sentry"] or 0) / row["native"], missed), flush=True)
    sys.exit(0 if good else 1)


main()
