"""What the test suites share: running a command natively or in the sandbox so that nothing survives, and reporting.

Every suite is a program that prints one line per test, `PASS name`, `FAIL name: reason` or `SKIP name: reason`, with
more lines of detail, indented, wherever they help; tests/run.py adds them up.
"""
import ctypes
import difflib
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build"
# Which build is tested (`./dev test --preset NAME`); guest programs are always those of the release.
PRESET = os.environ.get("SENTRY_PRESET", "release")
SLOWER = 1 if PRESET == "release" else 6  # with sanitizers every limit is so much longer
SENTRY = pathlib.Path(os.environ.get("SENTRY", BUILD / PRESET / "bin" / "sentry"))
OUT = BUILD / "tests"
JOBS = int(os.environ.get("TEST_JOBS", "2"))

# The same small environment natively and in the sandbox.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "TZ": "UTC",
}

# Ignored signals are inherited, by what runs in the sandbox too: nohup and `&` must not change what the tests see.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
    if threading.current_thread() is threading.main_thread() and signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

_print_lock = threading.Lock()
failures = []  # names that were reported as FAIL


def isolation(timeout, user=None):
    """The words before a command that give it a pid namespace of its own which dies with it, and a time limit."""
    if os.geteuid() != 0:
        # Not in a user namespace: it would hide who owns the files of the host from the native run.
        return [sys.executable, str(pathlib.Path(__file__).resolve()), "--reap", "timeout", "-s", "KILL", str(timeout)]
    words = ["unshare", "-pf", "--mount-proc", "--kill-child"]
    if user is not None:
        words += ["setpriv", "--reuid=%d" % user, "--regid=%d" % user, "--clear-groups"]
    return words + ["timeout", "-s", "KILL", str(timeout)]


def reap(argv):
    """Run argv as its descendants' sub-reaper, then kill what is left of them. Returns the exit status."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    child = subprocess.Popen(argv)
    status = child.wait()
    while True:
        left = pathlib.Path("/proc/self/task/%d/children" % os.getpid()).read_text().split()
        if not left:
            return status if status >= 0 else 128 - status
        for pid in left:
            try:
                os.kill(int(pid), 9)
                os.waitpid(int(pid), 0)  # its children are ours now
            except OSError:
                pass


class Result:
    def __init__(self, status, output, seconds, timed_out):
        self.status = status
        self.output = output
        self.seconds = seconds
        self.timed_out = timed_out


def run(argv, cwd, timeout=30, user=None, env=None, stdin=None):
    """Run argv in a pid namespace; standard output and error come back as one byte string, in order."""
    start = time.monotonic()
    timeout *= SLOWER
    words = isolation(timeout, user) + [str(word) for word in argv]
    with subprocess.Popen(words, cwd=cwd, env={**ENVIRONMENT, **(env or {})}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=stdin or subprocess.DEVNULL,
                          start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=timeout + 10)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
    seconds = time.monotonic() - start
    status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Result(status, output, seconds, seconds >= timeout)


def fresh_directory(path, user=None):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    if user is not None:
        os.chown(path, user, user)
    return path


def contents(path):
    """What a directory holds, to see that the sandbox changed nothing."""
    found = []
    for directory, names, files in os.walk(path):
        for name in sorted(names + files):
            info = os.lstat(os.path.join(directory, name))
            found.append((directory, name, info.st_mode, info.st_size, info.st_mtime_ns, info.st_uid))
    return sorted(found)


def difference(native, sandbox, limit=12):
    left = native.decode("utf-8", "backslashreplace").splitlines()
    right = sandbox.decode("utf-8", "backslashreplace").splitlines()
    lines = list(difflib.unified_diff(left, right, "native", "sandbox", lineterm="", n=1))
    if len(lines) > limit:
        lines = lines[:limit] + ["... %d more lines" % (len(lines) - limit)]
    return lines


def compare(native, sandbox):
    """The reason why two results differ and lines of detail, or None."""
    if native.timed_out:
        return "the native run took too long", []
    if sandbox.timed_out:
        return "timeout in the sandbox after %d s" % sandbox.seconds, difference(native.output, sandbox.output)
    if native.output != sandbox.output:
        return "output differs (status %d, natively %d)" % (sandbox.status, native.status), \
            difference(native.output, sandbox.output)
    if native.status != sandbox.status:
        return "exit status %d, natively %d" % (sandbox.status, native.status), []
    return None


def report(verdict, name, reason="", detail=()):
    if verdict == "FAIL":
        failures.append(name)
    with _print_lock:
        print("%s %s%s" % (verdict, name, ": " + reason if reason else ""))
        for line in detail:
            print("    " + line)
        sys.stdout.flush()


def parallel(function, items):
    """Call the function for each item on JOBS threads; an exception is that item's failure."""
    def guarded(item):
        try:
            return function(item)
        except Exception as error:  # a broken test must not hide the others
            report("FAIL", str(item), "%s: %s" % (type(error).__name__, error))
            return False
    with ThreadPoolExecutor(JOBS) as pool:
        return all(list(pool.map(guarded, items)))


def disabled_features():
    """`--disable-feature NAME` for every feature that this binary says it can do without."""
    words = []
    listing = subprocess.run([str(SENTRY), "--disable-feature", "list"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=10, check=False)
    for name in listing.stdout.decode().split():
        words += ["--disable-feature", name]
    # What is waived is said in the log, which is standard error unless it has a place of its own.
    return words + ["--log", "/dev/null"]


def deny(number, error):
    """From now on this system call (x86-64) answers the errno, in this process and what it starts."""
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | error), (0x06, 0, 0, 0x7fff0000)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *instruction) for instruction in code))
    libc = ctypes.CDLL(None)
    # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP with SECCOMP_MODE_FILTER
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, struct.pack("<HxxxxxxQ", len(code), ctypes.addressof(program)), 0, 0):
        sys.exit("harness: no filter can be installed")


if __name__ == "__main__" and sys.argv[1:2] == ["--reap"]:
    sys.exit(reap(sys.argv[2:]))
if __name__ == "__main__" and sys.argv[1:2] == ["--deny"]:
    deny(int(sys.argv[2]), int(sys.argv[3]))
    os.execv(sys.argv[4], sys.argv[4:])
