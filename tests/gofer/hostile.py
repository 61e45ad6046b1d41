#!/usr/bin/python3
"""The Gofer as a process, spoken to by a Sentry that means ill, and host files that change under a sandbox.

The requests are random bytes and random fields in every message type. The Gofer runs under strace: every path it names to the
host must be a single component below an export with the flags of its resolution, or a number in its own /proc/self/fd.
"""
import ctypes
import os
import pathlib
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

CLONE_NEWNS = 0x20000
GOFER = harness.SENTRY.parent / "gofer"
NAMES = [b"f", b"d", b"up", b"new", b"..", b".", b"", b"/", b"a/b", b"/etc/passwd", b"../../secret", b"f\0g", b"x" * 300, b"p"]
SECRET = "the canary outside"


class Gofer:
    """A Gofer on a connected socket with two exports, and a directory outside of them."""

    def __init__(self, base, strace=None):
        for part in ("in/d", "in/e", "out"):
            os.makedirs(os.path.join(base, part))
        pathlib.Path(base, "out/secret").write_text(SECRET, encoding="ascii")
        pathlib.Path(base, "in/f").write_text("inside", encoding="ascii")
        os.symlink("../out", os.path.join(base, "in/up"))
        os.mkfifo(os.path.join(base, "in/p"))
        self.socket, theirs = socket.socketpair()
        config = os.memfd_create("config", 0)
        os.write(config, struct.pack("<IIiIIIIIIIIIIIII", 0x47464331, 64, -1, 1, 0, 0, 0, 0, 0, 0, 2,
                                     0xffffffff, 0xffffffff, 0, 0, 0))
        for name, flags in ((b"rw", 0), (b"ro", 1)):
            os.write(config, struct.pack("<64sIiII4096s", name, 0, -1, flags, 0, os.path.join(base, "in").encode()))
        os.lseek(config, 0, os.SEEK_SET)
        words = ["strace", "-qq", "-o", strace, "-e", "trace=%file,openat2,execve"] if strace else []
        self.process = subprocess.Popen(
            words + [str(GOFER), "--files", "--config-fd", str(config), "--listen-fd", str(theirs.fileno())],
            pass_fds=(config, theirs.fileno()), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: ctypes.CDLL(None).unshare(CLONE_NEWNS))
        os.close(config)
        theirs.close()
        self.socket.settimeout(20)
        self.begin()

    def begin(self):
        """A new session: the exports as fids 0 and 1, some files as 2 to 5, one of them open as 6."""
        self.call(100, struct.pack("<IH", 65536, 16) + b"9P2000.L.sentry1")
        for fid, name in ((0, b"rw"), (1, b"ro")):
            self.call(200, struct.pack("<IH", fid, len(name)) + name)
        for fid, name in ((2, b"f"), (3, b"d"), (4, b"up"), (5, b"p"), (6, b"f")):
            self.call(202, struct.pack("<IIH", 0, fid, 1) + string(name))
        self.call(12, struct.pack("<II", 6, 2))

    def call(self, kind, body):
        """The reply's type and body; None when the connection has ended. A descriptor that came is closed and counted."""
        try:
            self.socket.sendall(struct.pack("<IBH", 7 + len(body), kind, 1) + body)
            reply, fds, _, _ = socket.recv_fds(self.socket, 1 << 20, 4)
            while len(reply) < 4 or len(reply) < struct.unpack("<I", reply[:4])[0]:
                more = self.socket.recv(1 << 20)
                if not more:
                    return None
                reply += more
        except OSError:
            return None
        for fd in fds:
            info = os.fstat(fd)
            text = os.pread(fd, 64, 0) if os.access("/proc/self/fd/%d" % fd, os.R_OK) else b""
            os.close(fd)
            if SECRET.encode() in text or info.st_mode & 0o170000 != 0o100000:
                raise AssertionError("a descriptor of the outside, or of no file")
        return (reply[4], reply[7:]) if reply else None

    def resident(self):
        text = pathlib.Path("/proc/%d/status" % self.process.pid).read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))

    def end(self):
        self.socket.close()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "none"


def string(text):
    return struct.pack("<H", len(text)) + text


# Fields of each request (abi/ninep/messages.def), 1 2 4 8: a number of so many bytes; s n d f: name, names, data, fids.
REQUESTS = {
    8: "4", 12: "44", 14: "4s444", 16: "4ss4", 18: "4s4444", 20: "44s", 22: "4", 24: "48", 26: "444448" "8888", 30: "44s", 32: "4s84",
    40: "484", 50: "44", 52: "414884s", 54: "41884s", 70: "44s", 72: "4s44", 74: "4s4s", 76: "4s4", 102: "4ss4", 104: "44ss4",
    108: "2", 110: "44n", 116: "484", 118: "48d", 120: "4", 122: "4", 200: "4s", 202: "44n", 204: "44n", 206: "44s4444",
    208: "44s444s44", 210: "f", 212: "484n", 214: "4s4", 216: "4s4d", 218: "4s4s4", 220: "44444" "88888", 222: "1",
}


def some_body(rng, kind):
    body = b""
    for field in REQUESTS[kind]:
        if field in "1248":
            number = rng.choice([0, 1, 2, 3, 4, 5, 6, 0o100644, 0o40755, 0o20666, 65536, 0xffffffff, 2**63 - 1, 2**64 - 1])
            body += (number % (1 << (8 * int(field)))).to_bytes(int(field), "little")
        elif field == "s":
            body += string(rng.choice(NAMES))
        elif field == "n":
            count = rng.choice([0, 1, 1, 2, 3, 16, 33, 60000])
            names = [string(rng.choice(NAMES)) for _ in range(min(count, 40))]
            body += struct.pack("<H", count) + b"".join(names)
        elif field == "d":
            data = rng.randbytes(rng.choice([0, 1, 100, 5000]))
            body += struct.pack("<I", rng.choice([len(data), len(data), 0xffffffff])) + data
        else:
            fids = [rng.randrange(2, 12) for _ in range(rng.randrange(4))]
            body += struct.pack("<H%dI" % len(fids), len(fids), *fids)
    return body if rng.randrange(8) else body[:rng.randrange(len(body) + 1)]


def is_wrong(line):
    """Does a traced call name more than one component, or resolve it without the flags that keep it beneath?"""
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    # The text of a link is not resolved.
    named = quoted[-1:] if line.startswith("symlinkat(") else quoted[:1] if line.startswith("readlinkat(") else quoted
    single = all("/" not in name and name not in (".", "..") for name in named)
    beneath = not line.startswith("openat2(") or "RESOLVE_BENEATH" in line or re.match(r'openat2\(\d+, "\d+"', line)
    return not single or not beneath or line.startswith(("open(", "execve("))


def wrong_paths(trace):
    """Lines of a trace in which the Gofer, once it serves, names something that it must not."""
    lines = pathlib.Path(trace).read_text(encoding="utf-8", errors="backslashreplace").splitlines()
    served = max((number for number, line in enumerate(lines) if "pivot_root" in line or "umount2" in line or
                  line.startswith("chdir(")), default=0)
    wrong = [line for line in lines[served + 1:] if is_wrong(line)]
    return wrong, len(lines) - served


def every_message():
    """Random requests of every type: answered, nothing outside named, opened or changed."""
    name = "random requests of every type, under strace"
    if not shutil.which("strace") or os.geteuid() != 0:
        harness.report("SKIP", name, "needs strace, and root for a mount namespace")
        return True
    for line in ('openat2(5, "..", {flags=O_PATH, resolve=RESOLVE_BENEATH}, 24) = 7', 'openat2(5, "f", {flags=O_PATH}, 24) = 7',
                 'unlinkat(5, "a/b", 0) = 0', 'renameat2(5, "f", 6, "../g", 0) = 0'):
        assert is_wrong(line), line
    rng = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="gofer-hostile-") as base:
        trace = os.path.join(base, "trace")
        gofer = Gofer(base, trace)
        answers = errors = 0
        problem = None
        for number in range(6000):
            kind = rng.choice(list(REQUESTS))
            if number % 20 == 0:
                gofer.begin()
            reply = gofer.call(kind, some_body(rng, kind))
            if reply is None or reply[0] not in (7, kind + 1):
                problem = "request %d of type %d: %r" % (number, kind, reply)
                break
            answers += 1
            errors += reply[0] == 7
        status = gofer.end()
        wrong, lines = wrong_paths(trace)
        outside = pathlib.Path(base, "out/secret").read_text(encoding="ascii") == SECRET and \
            os.listdir(os.path.join(base, "out")) == ["secret"]
    if problem is None and (status != 0 or wrong or not outside or lines < 500 or answers - errors < 300):
        problem = "status %s, %d wrong paths, outside %s, %d traced, %d granted: %s" % (
            status, len(wrong), outside, lines, answers - errors, wrong[:3])
    harness.report("FAIL" if problem else "PASS", name, problem or "")
    return not problem


def many_fids():
    """A million fids asked for: EMFILE beyond the limit, memory bounded."""
    name = "a million fids"
    if os.geteuid() != 0:
        harness.report("SKIP", name, "needs root for a mount namespace")
        return True
    with tempfile.TemporaryDirectory(prefix="gofer-fids-") as base:
        gofer = Gofer(base)
        granted = refused = 0
        body = struct.pack("<H", 1) + string(b"f")
        before = gofer.resident()
        for first in range(10, 1000010, 500):
            # Many requests in one write: they are answered in order.
            gofer.socket.sendall(b"".join(struct.pack("<IBHII", 15 + len(body), 202, 1, 0, fid) + body
                                          for fid in range(first, first + 500)))
            left, data = 500, b""
            while left:
                data += gofer.socket.recv(1 << 20)
                while len(data) >= 4 and len(data) >= (size := struct.unpack("<I", data[:4])[0]):
                    refused += data[4] == 7 and data[7:11] == struct.pack("<I", 24)
                    granted += data[4] == 203
                    data, left = data[size:], left - 1
        grown = gofer.resident() - before
        status = gofer.end()
    good = granted <= 16384 and granted + refused == 1000000 and grown < 8192 and status == 0
    harness.report("PASS" if good else "FAIL", name, "" if good else "%d granted, %d refused, %d KiB more, status %s" %
                   (granted, refused, grown, status))
    return good


CHANGED = r"""
import mmap, os, signal, subprocess, sys, time
def step(word):
    print(word, flush=True)
    sys.stdin.readline()
f = open("mapped", "r+b"); m = mmap.mmap(f.fileno(), 8192)
g = open("removed", "rb"); h = open("cut", "rb")
print(m[0:4], m[4096:4100])
step("ready")
print(g.read(), os.fstat(g.fileno()).st_nlink, os.path.exists("removed"))
print(os.fstat(h.fileno()).st_size, h.read())
print(m[0:4])
pid = os.fork()
if pid == 0:
    m[4096]
    os._exit(0)
print("beyond the end:", os.waitpid(pid, 0)[1] & 127 == signal.SIGBUS)
print(open("replaced").read(), sorted(os.listdir(".")))
"""


def changed_on_the_host(prefix, work):
    """What a program sees of files that the host truncates, removes and replaces while they are open and mapped."""
    for name, text in (("mapped", b"1234" * 2048), ("removed", b"still here"), ("cut", b"long contents"), ("replaced", b"old")):
        (work / name).write_bytes(text)
    with subprocess.Popen(prefix + ["python3", "-c", CHANGED], cwd=work, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=harness.ENVIRONMENT) as process:
        output = process.stdout.readline() + process.stdout.readline()
        os.truncate(work / "mapped", 100)
        os.unlink(work / "removed")
        os.truncate(work / "cut", 4)
        (work / "new").write_text("new", encoding="ascii")
        os.rename(work / "new", work / "replaced")
        output += process.communicate(b"\n", timeout=60)[0]
    return process.returncode, output


FULL = r"""
import os
data = os.urandom(1 << 20)
written = 0
f = open("big", "wb", buffering=0)
try:
    while True:
        written += f.write(data[:65536])
except OSError as e:
    print(e.errno)
f.close()
size = os.path.getsize("big")
print(size == written, open("big", "rb").read() == (data[:65536] * 64)[:size], open("kept").read())
try:
    os.mkdir("d"); open("d/x", "w").write("y" * 100000)
except OSError as e:
    print(e.errno)
os.unlink("big")
open("after", "w").write("there is room again")
print(open("after").read())
"""


def in_both(name, run):
    """The same natively and in the sandbox, in a tmpfs of one mebibyte that a mount namespace of its own holds."""
    results = []
    for system in ("native", "sandbox"):
        work = harness.fresh_directory(harness.OUT / "work" / ("gofer-%s-%s" % (name.split()[0], system)))
        words = [] if system == "native" else [str(harness.SENTRY), "--bind", "%s:/mnt:rw" % work, "--cwd", "/mnt", "--"]
        results.append(run(words, work))
    good = results[0] == results[1] and results[0][0] == 0
    harness.report("PASS" if good else "FAIL", name, "" if good else "results differ",
                   () if good else harness.difference(results[0][1], results[1][1]))
    return good


def disk_full(words, work):
    script = "mount -t tmpfs -o size=1m none . && cd \"$PWD\" && echo kept >kept && exec \"$@\""
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh"] + words + ["python3", "-c", FULL], cwd=work,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
                          env=harness.ENVIRONMENT)
    return done.returncode, done.stdout


OWNERS = "touch f; chown 1000:1001 f; chmod 4755 f; mkdir d; chown 5:6 d; chmod 0 d; touch d/x; chmod 777 .; " \
         "setpriv --reuid 7 --regid 8 --clear-groups touch theirs"


def owners():
    """--owners set: files on the host have the owners and modes of a native run; without it chown is EPERM."""
    name = "owners and modes on the host"
    if os.geteuid() != 0:
        harness.report("SKIP", name, "needs root")
        return True
    seen = []
    for words in ([], ["--owners", "set"], ["--owners", "self"]):
        work = harness.fresh_directory(harness.OUT / "work" / "gofer-owners")
        prefix = [str(harness.SENTRY)] + words + ["--bind", "%s:/mnt:rw" % work, "--cwd", "/mnt", "--"] if words else []
        subprocess.run(prefix + ["sh", "-c", OWNERS], cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=60, check=False, env=harness.ENVIRONMENT)
        seen.append(sorted((str(path.relative_to(work)), info.st_mode, info.st_uid, info.st_gid)
                           for path in work.rglob("*") for info in [path.lstat()]))
    good = seen[0] == seen[1] and len(seen[0]) == 4 and all(entry[2:] == (0, 0) for entry in seen[2])
    harness.report("PASS" if good else "FAIL", name, "" if good else "native %s, set %s, self %s" % tuple(seen))
    return good


def main():
    good = [every_message(), many_fids(), owners(), in_both("files changed on the host", changed_on_the_host)]
    if os.geteuid() == 0:
        good.append(in_both("a host file system that is full", disk_full))
    else:
        harness.report("SKIP", "a host file system that is full", "needs root to mount a small one")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
