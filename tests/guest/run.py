#!/usr/bin/python3
"""Guest programs: each is run natively, then in the sandbox; output and exit status must be equal.

usage: run.py [--native] [--plain] [--user] [--fallbacks] [NAME...]
  --native     run natively twice and compare: is the program deterministic?
  --plain      without a trace: with the native rows of the filter, as users run it
  --user       run as an ordinary user (needs root)
  --fallbacks  with every feature that can be disabled disabled
NAME is a program (files) or a program and variant (files.static).

Without an option, the trace of each sandbox run that passes is kept as build/tests/guest-traces/NAME.VARIANT.strace; the support suite
reads them. A program runs in a directory of its own that holds nothing but itself, named `prog`.
"""
import argparse
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

SOURCES = pathlib.Path(__file__).resolve().parent
PROGRAMS = harness.BUILD / "release/tests/guest"
TRACES = harness.OUT / "guest-traces"
ORDINARY_USER = 12345

arguments = argparse.ArgumentParser()
arguments.add_argument("--native", action="store_true")
arguments.add_argument("--plain", action="store_true")
arguments.add_argument("--user", action="store_true")
arguments.add_argument("--fallbacks", action="store_true")
arguments.add_argument("--nested", action="store_true")
arguments.add_argument("--timeout", type=int, default=30)
arguments.add_argument("names", nargs="*")
options = arguments.parse_args()
user = ORDINARY_USER if options.user else None
base = pathlib.Path("/var/tmp/sentry-test-user") if options.user else harness.OUT / "work"
sentry = harness.SENTRY
extra = harness.disabled_features() if options.fallbacks else []
if options.nested:  # as where a profile refuses both
    extra = ["--nested", "--disable-feature=process-vm,pidfd-getfd", "--log=/dev/null"]
tracing = not (options.native or options.plain or options.user or options.fallbacks or options.nested)


def prepare(name):
    work = harness.fresh_directory(base / ("guest-" + name), user)
    shutil.copy2(PROGRAMS / name, work / "prog")
    if user is not None:
        os.chown(work / "prog", user, user)
    return work


def run_one(name):
    native = harness.run(["./prog"], prepare(name), options.timeout, user)
    work = prepare(name)
    if options.native:
        sandbox = harness.run(["./prog"], work, options.timeout, user)
    else:
        trace = TRACES / (name + ".strace")
        words = [sentry] + extra + (["--strace=%s" % trace] if tracing else []) + ["--", "./prog"]
        before = harness.contents(work)
        sandbox = harness.run(words, work, options.timeout, user)
    problem = harness.compare(native, sandbox)
    if problem is None and not options.native and harness.contents(work) != before:
        problem = "the sandbox changed files of the host", []
    if problem is None and native.status != 0:
        problem = "the program fails natively with status %d" % native.status, native.output.decode().splitlines()
    shutil.rmtree(work, ignore_errors=True)
    if problem is not None:
        if tracing and trace.exists():
            trace.rename(TRACES / (name + ".failed"))
        harness.report("FAIL", name, *problem)
        return False
    harness.report("PASS", name)
    return True


def variants(source):
    first = source.read_text().splitlines()[0]
    prefix = "// variants:"
    return first[len(prefix):].split() if first.startswith(prefix) else ["dynamic", "static"]


def selected():
    names = []
    for source in sorted(SOURCES.glob("*.c")):
        for variant in variants(source):
            name = "%s.%s" % (source.stem, variant)
            if not options.names or name in options.names or source.stem in options.names:
                names.append(name)
    return names


if options.user:
    # The tree of a clone may be closed to other users; the copy is not.
    harness.fresh_directory(base)
    base.chmod(0o755)
    for program in ("sentry", "gofer"):
        shutil.copy2(harness.SENTRY.parent / program, base / program)
    sentry = base / "sentry"
if tracing:
    TRACES.mkdir(parents=True, exist_ok=True)
    if not options.names:
        shutil.rmtree(TRACES)
        TRACES.mkdir()
ok = harness.parallel(run_one, selected())
if options.user:
    shutil.rmtree(base, ignore_errors=True)
sys.exit(0 if ok else 1)
