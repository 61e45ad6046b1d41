"""A running sandbox as the host sees it. Runs as root in a pid namespace of its own (see run.py)."""
import os
import pathlib
import re
import signal
import subprocess
import time

PROC = pathlib.Path("/proc")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}


def read(path):
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def processes():
    """pid -> parent of every process here but kernel threads."""
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            match = re.search(r"\) (\S) (\d+)", read(entry / "stat"))
            if match and match.group(1) != "Z":
                found[int(entry.name)] = int(match.group(2))
    return found


class Process:
    def __init__(self, pid):
        self.pid = pid
        self.path = PROC / str(pid)
        self.command = read(self.path / "cmdline").split("\0")

    def status(self, field):
        match = re.search(r"^%s:[ \t]*(.*)$" % field, read(self.path / "status"), re.M)
        return match.group(1).split() if match else None

    def namespace(self, name):
        try:
            return os.readlink(self.path / "ns" / name)
        except OSError:
            return None

    def descriptors(self):
        found = {}
        for entry in (self.path / "fd").iterdir():
            try:
                found[int(entry.name)] = os.readlink(entry)
            except OSError:
                pass
        return found

    def limit(self, name):
        match = re.search(r"^%s\s+(\S+)\s+(\S+)" % re.escape(name), read(self.path / "limits"), re.M)
        return match.groups() if match else None

    def stat(self, index):
        return int(read(self.path / "stat").rsplit(") ", 1)[1].split()[index - 3])


class Sandbox:
    """`sentry OPTIONS -- PROGRAM` and the processes that belong to it, by their part."""

    def __init__(self, sentry, program, options=(), user=None, mutation=None, stdin=None, extra_fd=None, cwd=None):
        environment = dict(ENVIRONMENT)
        if mutation:
            environment["SENTRY_MUTATION"] = mutation
        words = [str(sentry), *options, "--", *program]
        if user is not None:
            words = ["setpriv", "--reuid=%d" % user, "--regid=%d" % user, "--clear-groups"] + words
        # Not Popen's own stdin: a program may get a terminal of its choice.
        self.child = subprocess.Popen(words, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, env=environment, cwd=cwd,
                                      pass_fds=() if extra_fd is None else (extra_fd,))
        self.monitor = self.gofer = self.net_gofer = self.kernel = self.proc_gofer = self.zygote = None
        self.guests = []

    def find(self, timeout=5):
        """Wait until every part is there. The parts that exist, by name."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.child.poll() is None:
            self._look()
            if self.gofer and self.kernel and self.zygote and self.guests:
                time.sleep(0.2)  # the first guest has made its exec, and the jails are closed
                self._look()
                return self.parts()
            time.sleep(0.01)
        raise RuntimeError("the sandbox did not start: %s" % self.end()[1])

    def _look(self):
        tree = processes()
        self.monitor = Process(self.child.pid)
        self.gofer = self.net_gofer = self.kernel = self.proc_gofer = self.zygote = None
        self.guests = []
        for pid, parent in sorted(tree.items()):
            process = Process(pid)
            if parent == self.child.pid and "--files" in process.command:
                self.gofer = process
            elif parent == self.child.pid and "--net" in process.command:
                self.net_gofer = process
            elif parent == self.child.pid and process.command[0] == "sentry-kernel":
                self.kernel = process
        for pid, parent in sorted(tree.items()):
            process = Process(pid)
            if self.kernel and parent == self.kernel.pid:
                if "--proc" in process.command:
                    self.proc_gofer = process
                elif process.command[0] == "zygote":
                    self.zygote = process
        for pid, parent in sorted(tree.items()):
            if self.zygote and parent == self.zygote.pid:
                self.guests.append(Process(pid))

    def parts(self):
        parts = {"monitor": self.monitor, "gofer": self.gofer, "kernel": self.kernel, "zygote": self.zygote,
                 "guest": self.guests[0]}
        if self.proc_gofer:
            parts["proc gofer"] = self.proc_gofer
        if self.net_gofer:
            parts["net gofer"] = self.net_gofer
        return parts

    def end(self, timeout=5):
        """Terminate it. Exit status and output."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGKILL)
        try:
            output, _ = self.child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.child.kill()
            output = b"(no end)"
        return self.child.returncode, output.decode("utf-8", "replace")
