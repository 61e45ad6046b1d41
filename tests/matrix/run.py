#!/usr/bin/python3
"""Real programs: each script runs natively, then in the sandbox; output and exit status must be equal.

usage: run.py [--native] [--core] [--user] [--fallbacks] [NAME...]
  --native     run natively twice and compare: is the script deterministic?
  --core       only the scripts marked `# core`
  --user       run as an ordinary user (needs root)
  --fallbacks  with every feature that can be disabled disabled
A script marked `# optional` runs only when it is named; `# packages: NAME...` is what ./dev installs for it.
A script runs in a directory of its own that holds nothing but itself and the files of parts/ that its `# parts: NAME...` names.
`# timeout: N` in it sets its limit in seconds.
A Python script stays outside and gets the words that start a program, none or the sandbox's.
"""
import argparse
import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

SCRIPTS = pathlib.Path(__file__).resolve().parent
ORDINARY_USER = 12345

arguments = argparse.ArgumentParser()
for flag in ("--native", "--core", "--user", "--fallbacks"):
    arguments.add_argument(flag, action="store_true")
arguments.add_argument("names", nargs="*")
options = arguments.parse_args()
user = ORDINARY_USER if options.user else None
base = pathlib.Path("/var/tmp/sentry-matrix-user") if options.user else harness.OUT / "work"
sentry = harness.SENTRY
extra = harness.disabled_features() if options.fallbacks else []


def run_one(path):
    name = path.name
    text = path.read_text()
    match = re.search(r"^# timeout: (\d+)", text, re.M)
    limit = int(match.group(1)) if match else 60
    match = re.search(r"^# parts: (.+)", text, re.M)
    parts = [SCRIPTS / "parts" / part for part in match.group(1).split()] if match else []
    work = base / ("matrix-" + name)

    def run(prefix, limit):
        harness.fresh_directory(work, user)
        for file in [path] + parts:
            shutil.copy2(file, work / file.name)
            if user is not None:
                os.chown(work / file.name, user, user)
        words = ["/usr/bin/python3", name] + prefix if name.endswith(".py") else prefix + ["bash", name]
        before = harness.contents(work)
        result = harness.run(words, work, limit, user)
        return result, harness.contents(work) == before

    native, _ = run([], limit)
    if options.native:
        sandbox, untouched = run([], limit)[0], True
    else:
        sandbox, untouched = run([str(sentry)] + extra + ["--"], limit * 2)
    problem = harness.compare(native, sandbox)
    if problem is None and not untouched:
        problem = "the sandbox changed files of the host", []
    if problem is None and native.status != 0:
        problem = "the script fails natively with status %d" % native.status, native.output.decode().splitlines()[-20:]
    shutil.rmtree(work, ignore_errors=True)
    if problem is not None:
        harness.report("FAIL", name, *problem)
        return False
    harness.report("PASS", name, "%.1f s, natively %.1f s" % (sandbox.seconds, native.seconds))
    return True


def selected():
    paths = []
    for path in sorted(SCRIPTS.iterdir()):
        if path.suffix not in (".sh", ".py") or path.name == "run.py":
            continue
        text = path.read_text()
        if options.core and not re.search(r"^# core", text, re.M):
            continue
        if not options.names and re.search(r"^# optional", text, re.M):
            continue
        if not options.names or path.name in options.names or path.stem in options.names:
            paths.append(path)
    missing = [name for name in options.names if not any(name in (path.name, path.stem) for path in paths)]
    if missing:
        harness.report("FAIL", ", ".join(missing), "no such program; there are: " + " ".join(
            sorted(path.stem for path in SCRIPTS.iterdir() if path.suffix in (".sh", ".py") and path.name != "run.py")))
        sys.exit(1)
    return paths


if options.user and os.geteuid() != 0:
    harness.report("SKIP", "all", "the tests already run as an ordinary user")
    sys.exit(0)
if options.user:
    # The tree of a clone may be closed to other users; the copy is not.
    harness.fresh_directory(base)
    base.chmod(0o755)
    for program in ("sentry", "gofer"):
        shutil.copy2(harness.SENTRY.parent / program, base / program)
    sentry = base / "sentry"
if options.fallbacks and not extra:
    harness.report("FAIL", "features", "the binary names no feature that can be disabled")
    sys.exit(1)
ok = harness.parallel(run_one, selected())
if options.user:
    shutil.rmtree(base, ignore_errors=True)
sys.exit(0 if ok else 1)
