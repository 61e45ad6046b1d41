"""What the tests of the OCI runtime share: bundles, commands, comparison of runtimes."""
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

WORK = harness.OUT / "oci"
STATE = WORK / "state"
ROOTFS = WORK / "rootfs"
BUSYBOX = pathlib.Path("/bin/busybox")
TESTS = {}  # name -> (function, core)


def test(core=True):
    def add(function):
        TESTS[function.__name__.replace("_", "-")] = (function, core)
        return function
    return add


class Failed(Exception):
    pass


def want(condition, *reason):
    if not condition:
        raise Failed(" ".join(str(word) for word in reason))


class Done:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return "status %d, output %r, error %r" % (self.status, self.out[-600:], self.err[-600:])


def command(*words, stdin="", timeout=40, env=None, cwd=None):
    """Runs a command. Its status (124: took too long), output and error as text."""
    try:
        done = subprocess.run([str(word) for word in words], input=stdin.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, env=env, cwd=cwd, check=False)
    except subprocess.TimeoutExpired as late:
        return Done(124, (late.stdout or b"").decode("utf-8", "replace"), (late.stderr or b"").decode("utf-8", "replace"))
    return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def make_rootfs(path):
    """A root with busybox and nothing else."""
    harness.fresh_directory(path)
    for name in ("bin", "proc", "sys", "dev", "etc", "tmp", "root", "usr/bin"):
        (path / name).mkdir(parents=True)
    (path / "tmp").chmod(0o1777)
    shutil.copy(BUSYBOX, path / "bin/busybox")
    for name in subprocess.run([str(BUSYBOX), "--list"], stdout=subprocess.PIPE, check=True).stdout.decode().split():
        if name != "busybox":
            (path / "bin" / name).symlink_to("busybox")
    (path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n")
    (path / "etc/group").write_text("root:x:0:\nuser:x:1000:\n")
    return path


def configuration(*args, **changes):
    """The configuration of a container that runs these words. Changes replace members at the top level."""
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "args": list(args), "cwd": "/",
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "capabilities": {kind: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"] for kind in
                             ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}], "noNewPrivileges": True},
        "root": {"path": str(ROOTFS), "readonly": False},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}],
        "linux": {
            "namespaces": [{"type": name} for name in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/sys/firmware"],
            "readonlyPaths": ["/proc/sys", "/proc/bus"]}}
    config.update(changes)
    return config


_bundles = 0


def bundle(config):
    """Writes a configuration (or a text in its place) as a new bundle."""
    global _bundles
    _bundles += 1
    path = harness.fresh_directory(WORK / ("bundle%d" % _bundles))
    (path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config, indent=1))
    return path


class Runtime:
    """One of the runtimes, with a state directory of its own."""

    def __init__(self, name, program):
        self.name, self.program, self.root = name, str(program), STATE / name

    def __call__(self, *words, **options):
        return command(self.program, "--root", self.root, *words, **options)

    def run(self, config, **options):
        name = "run-%s-%d" % (self.name, time.monotonic_ns())
        done = self("run", "-b", bundle(config), name, **options)
        if done.status == 124:
            self("delete", "--force", name)
        return done

    def create(self, name, config):
        """Creates a container with its output in a file, as an engine does: create and its monitor must not hold a pipe
        that we read. Returns the file."""
        output = WORK / (name + ".out")
        pid_file = WORK / (name + ".pid")
        with open(output, "wb") as file:
            done = subprocess.run([self.program, "--root", str(self.root), "create", "-b", str(bundle(config)),
                                   "--pid-file", str(pid_file), name], stdin=subprocess.DEVNULL, stdout=file,
                                  stderr=subprocess.STDOUT, timeout=30, check=False)
        want(done.returncode == 0, "create", name, output.read_text("utf-8", "replace"))
        return output

    def pid(self, name):
        return int((WORK / (name + ".pid")).read_text())

    def state(self, name):
        done = self("state", name)
        return json.loads(done.out) if done.status == 0 else {"status": "none"}


SENTRY = Runtime("sentry", harness.SENTRY)
RUNC = Runtime("runc", shutil.which("runc") or "/usr/sbin/runc")


def eventually(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        want(time.monotonic() < end, "never:", what)
        time.sleep(0.02)


def gone(pid):
    try:
        return open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def same(config, timeout=40, stdin=""):
    """Runs it under both runtimes and wants the same status and output."""
    ours = SENTRY.run(config, timeout=timeout, stdin=stdin)
    theirs = RUNC.run(config, timeout=timeout, stdin=stdin)
    want((ours.status, ours.out) == (theirs.status, theirs.out), "sentry:", ours, "\nrunc:", theirs)
    return ours


PR_SET_CHILD_SUBREAPER = 36


def leave_orphans_to_parent():
    """The first process of the pid namespace only reaps; what follows runs in its child."""
    child = os.fork()
    if child == 0:
        return
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 255)


def take_orphans(take):
    """Without an engine we are the sub-reaper, as its shim is; engines look after their own."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(take), 0, 0, 0)


def main_of(tests, words, setup):
    core = "--core" in words
    names = [word for word in words if not word.startswith("--")]
    unknown = [name for name in names if name not in tests]
    if unknown:
        harness.report("FAIL", " ".join(unknown), "no such test")
        return False
    ok = True
    setup()
    for name, (function, is_core) in tests.items():
        if (names and name not in names) or (core and not is_core and not names):
            continue
        begin = time.monotonic()
        take_orphans(function.__module__ != "engines")
        try:
            reason = function()
            if reason:
                harness.report("SKIP", name, reason)
            else:
                harness.report("PASS", name)
        except (Failed, OSError, subprocess.SubprocessError, ValueError) as error:
            harness.report("FAIL", name, "%s: %s" % (type(error).__name__, str(error)[:2500]))
            ok = False
        if os.environ.get("OCI_TIMES"):
            print("    %.1f s" % (time.monotonic() - begin))
    return ok
