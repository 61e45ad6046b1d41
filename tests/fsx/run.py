#!/usr/bin/python3
"""Random file operations in lock step: natively and in the sandbox, with one seed, on each kind of file system.

usage: run.py [--operations N] [--seed N] [NAME...]     default: 20,000 operations, seed 1, all file systems
Sums of all results so far are compared every thousand operations. Where they part, that thousand is repeated with a trace,
and the first operation with another result is the failure.
"""
import argparse
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

PROGRAM = harness.BUILD / "release/tests/fsx/fsx"
DIOD = "/usr/sbin/diod"

# name: (what the file system does not have, in memory natively?)
KINDS = {
    "gofer": (["set-id"], False),
    "overlay": (["holes"], False),
    "tmpfs": (["holes"], True),
    # An overlay that the guest mounts itself, upon two lower directories with names that the operations use.
    "merge": (["holes"], True),
    # diod names files by paths: it loses what a removed name led to; and gives no descriptors to map.
    "diod": (["holes", "fallocate", "maps", "rename-flags", "removed-files"], False),
}

MERGE = """set -e
mount -t tmpfs none "$1"
cd "$1"
mkdir l1 l2 u w m l1/a l2/a l2/a/c l2/b
for name in f l1/a/f l1/a/g l2/f l2/g l2/a/f l2/a/h l2/a/c/f l2/b/g; do
    head -c 20000 /dev/zero | tr '\\0' "${#name}" >"$name"
done
mount -t overlay none m -o lowerdir=l1:l2,upperdir=u,workdir=w
cd m
shift
exec "$@"
"""

arguments = argparse.ArgumentParser()
arguments.add_argument("--operations", type=int, default=20000)
arguments.add_argument("--seed", type=int, default=1)
arguments.add_argument("names", nargs="*")
options = arguments.parse_args()


@contextlib.contextmanager
def diod(export):
    """A diod server for one directory; the path of its socket."""
    path = "/tmp/fsx-diod-%d.sock" % os.getpid()
    server = subprocess.Popen([DIOD, "-f", "-n", "-e", str(export), "-l", path, "-U", "root", "-L", "/dev/null"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(path)
                break
            time.sleep(0.02)
        yield path
    finally:
        server.kill()
        server.wait()
        with contextlib.suppress(OSError):
            os.unlink(path)


def words(kind, trace):
    list_of = [str(options.seed), str(options.operations if not trace else trace[1])]
    if trace:
        list_of += ["--trace", str(trace[0]), str(trace[1])]
    for word in KINDS[kind][0]:
        list_of += ["--without", word]
    return list_of


def run_native(kind, trace=None):
    base = pathlib.Path("/dev/shm") if KINDS[kind][1] else harness.OUT / "work"
    work = harness.fresh_directory(base / ("fsx-native-%s-%d" % (kind, os.getpid())))
    try:
        start = ["unshare", "-m", "sh", "-c", MERGE, "sh", str(work), PROGRAM] if kind == "merge" else [PROGRAM]
        return harness.run(start + words(kind, trace), work, limit())
    finally:
        shutil.rmtree(work, ignore_errors=True)


def run_sandbox(kind, trace=None):
    work = harness.fresh_directory(harness.OUT / "work" / ("fsx-" + kind))
    with contextlib.ExitStack() as stack:
        where = ["--bind", "%s:/fsx" % PROGRAM]
        if kind == "gofer":
            where += ["--bind", "%s:/mnt:rw" % work, "--cwd", "/mnt"]
        elif kind == "tmpfs":
            where += ["--tmpfs", "/mnt:size=256m", "--cwd", "/mnt"]
        elif kind == "diod":
            where += ["--mount-9p", "%s:%s:/mnt:rw" % (stack.enter_context(diod(work)), work), "--cwd", "/mnt"]
        start = ["unshare", "-m", "sh", "-c", MERGE, "sh", "/tmp", "/fsx"] if kind == "merge" else ["/fsx"]
        return harness.run([harness.SENTRY] + where + ["--"] + start + words(kind, trace), work, limit())


def limit():
    return 60 + options.operations // 100


def first_difference(kind, native, sandbox):
    """The trace of the thousand operations in which the sums part."""
    pairs = zip(native.output.decode().splitlines(), sandbox.output.decode().splitlines())
    end = next((int(match.group(1)) for left, right in pairs
                if left != right and (match := re.match(r"(\d+) operations", left))), options.operations)
    trace = (max(end - 999, 1), end)
    return harness.difference(run_native(kind, trace).output, run_sandbox(kind, trace).output)


def check(kind):
    name = "%s, %d operations, seed %d" % (kind, options.operations, options.seed)
    if kind == "diod" and not (os.path.exists(DIOD) and os.geteuid() == 0):
        harness.report("SKIP", name, "needs diod, and root to start it")
        return True
    if kind == "merge" and os.geteuid() != 0:
        harness.report("SKIP", name, "only root mounts natively")
        return True
    native, sandbox = run_native(kind), run_sandbox(kind)
    problem = harness.compare(native, sandbox)
    if problem is None and not native.output.rstrip().splitlines()[-1].startswith(b"end:"):
        problem = ("it did not come to its end", native.output.decode().splitlines()[-3:])
    if problem is None:
        harness.report("PASS", name)
        return True
    harness.report("FAIL", name, problem[0], first_difference(kind, native, sandbox) if native.status == 0 else problem[1])
    return False


sys.exit(0 if harness.parallel(check, options.names or list(KINDS)) else 1)
