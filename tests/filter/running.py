#!/usr/bin/python3
"""A running sandbox: each of its processes is bound by the very program that the other tests simulate.

The guest spins, because a process that waits for an answer of the Sentry cannot be stopped to look at its filter.
"""
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

PROGRAM = harness.BUILD / "release/tests/filter/loaded_filter"
GUEST = ["/bin/sh", "-c", "while :; do :; done"]


def children(pid):
    """All processes below pid, as {pid: (executable, arguments)}; the guest's come last."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                found[int(entry.name)] = (parent, os.readlink(entry / "exe"), (entry / "cmdline").read_bytes())
            except (OSError, ValueError, IndexError):
                continue
    below, grown = {pid}, True
    while grown:
        new = {child for child, (parent, _, _) in found.items() if parent in below} - below
        below |= new
        grown = bool(new)
    return {child: found[child][1:] for child in sorted(below - {pid})}


def role(executable, arguments):
    if arguments.startswith(b"/bin/sh"):
        return "guest"
    if pathlib.Path(executable).name == "gofer":
        return "gofer_proc_trap" if b"--proc" in arguments else "gofer_files_trap"
    if arguments.startswith(b"sentry-kernel"):
        return "sentry_trap"
    return None


def processes(sandbox):
    """The process of each program, once the guest runs."""
    for _ in range(100):
        roles = {role(*what): pid for pid, what in children(sandbox.pid).items()}
        if "guest" in roles:
            time.sleep(0.2)  # into its loop
            return roles
        time.sleep(0.05)
    return {}


def compare(name, pid, program, expected):
    done = subprocess.run([str(PROGRAM), str(pid), program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=20, check=False)
    good = done.returncode == expected
    harness.report("PASS" if good else "FAIL", name, "" if good else done.stdout.strip() or "status %d" % done.returncode)
    return good


def sandbox_test(options, guest_program):
    ok = True
    with subprocess.Popen([str(harness.SENTRY)] + options + ["--"] + GUEST, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as sandbox:
        try:
            roles = processes(sandbox)
            for wanted in ("guest", "sentry_trap", "gofer_files_trap"):
                if wanted not in roles:
                    harness.report("FAIL", "running filters", "no process for %s" % wanted)
                    ok = False
            for found, pid in roles.items():
                if found == "guest":
                    ok &= compare("running filter of the guest is %s" % guest_program, pid, guest_program, 0)
                    other = "guest" if guest_program == "guest_trace" else "guest_trace"
                    ok &= compare("and is not %s" % other, pid, other, 1)
                elif found:
                    ok &= compare("running filter is %s" % found, pid, found, 0)
        finally:
            sandbox.kill()
    return ok


def main():
    if os.geteuid() != 0:
        harness.report("SKIP", "running filters", "reading a loaded filter needs root")
        return 0
    ok = sandbox_test([], "guest")
    trace = harness.OUT / "running-filter.strace"
    trace.parent.mkdir(parents=True, exist_ok=True)
    ok &= sandbox_test(["--strace=%s" % trace], "guest_trace")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
