"""podman as an ordinary user, who has a range of subordinate ids. The user exists in our mount namespace only."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import oci
from engines import missing
from oci import test, want

NAME, NUMBER, RANGE = "sentry-test", 54321, 1600000000


def add_user(home, directory):
    lines = {"passwd": "%s:x:%d:%d::%s:/bin/sh" % (NAME, NUMBER, NUMBER, home), "group": "%s:x:%d:" % (NAME, NUMBER),
             "subuid": "%s:%d:65536" % (NAME, RANGE), "subgid": "%s:%d:65536" % (NAME, RANGE)}
    for name, line in lines.items():
        file = pathlib.Path("/etc") / name
        copy = directory / name
        copy.write_text(file.read_text().rstrip("\n") + "\n" + line + "\n")
        copy.chmod(0o644)
        subprocess.run(["mount", "--bind", str(copy), str(file)], check=True)


def remove_user():
    for name in ("passwd", "group", "subuid", "subgid"):
        subprocess.run(["umount", "/etc/" + name], check=False, stderr=subprocess.DEVNULL)


def prepare(home):
    """A home with the pair, a root to import, and podman's configuration. Returns the words before each command."""
    shutil.copytree(pathlib.Path(oci.SENTRY.program).parent, home / "bin")
    (home / "run").mkdir(mode=0o700)
    (home / "containers.conf").write_text(
        '[containers]\ndefault_ulimits = ["nofile=1024:1024","nproc=1024:1024"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime_supports_nocgroup = ["sentry"]\n')
    (home / "storage.conf").write_text('[storage]\ndriver = "vfs"\nrunroot = "%s/storage"\ngraphroot = "%s/graph"\n' % (home, home))
    subprocess.run(["tar", "-C", str(oci.ROOTFS), "-cf", str(home / "root.tar"), "."], check=True)
    subprocess.run(["chown", "-R", "%d:%d" % (NUMBER, NUMBER), str(home)], check=True)
    return ["setpriv", "--reuid", str(NUMBER), "--regid", str(NUMBER), "--clear-groups", "env", "-i", "PATH=" + os.environ["PATH"],
            "HOME=%s" % home, "XDG_RUNTIME_DIR=%s/run" % home, "CONTAINERS_CONF=%s/containers.conf" % home,
            "CONTAINERS_STORAGE_CONF=%s/storage.conf" % home, "podman", "--runtime", str(home / "bin/sentry")]


SERVER = "echo log; trap 'exit 5' TERM; echo here > /tmp/of-the-guest; while :; do sleep 0.1; done"


def use(podman, home):
    def expect(status, out, *words):
        done = podman(*words)
        want(done.status == status and (out is None or done.out == out), words, done)
        return done
    limits = ("--network=none", "--cgroups=disabled")
    expect(0, None, "import", "--change", "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin", str(home / "root.tar"), "t/busybox")
    expect(3, "out\n0\n/\n", "run", "--rm", *limits, "t/busybox", "sh", "-c", "echo out; id -u; pwd; exit 3")
    expect(0, "1000\n", "run", "--rm", "--user", "1000", *limits, "t/busybox", "id", "-u")
    expect(0, None, "run", "-d", "--name", "p1", *limits, "t/busybox", "sh", "-c", SERVER)
    expect(4, "in\n", "exec", "p1", "sh", "-c", "echo in; exit 4")
    oci.eventually(lambda: podman("exec", "p1", "cat", "/tmp/of-the-guest").out == "here\n", "the program's file")
    expect(0, "log\n", "logs", "p1")
    expect(0, "p1\n", "stop", "-t", "10", "p1")
    expect(0, "5\n", "wait", "p1")
    # Of one that has ended podman reads the root itself. In one that runs it joins the pid namespace of the pid file's process
    # first, which is not its own to join (docs/oci.md).
    expect(0, None, "cp", "p1:/tmp/of-the-guest", str(home / "copy"))
    want((home / "copy").read_text() == "here\n", "what was copied")
    expect(0, None, "cp", str(home / "copy"), "p1:/tmp/of-the-host")
    expect(0, None, "rm", "p1")
    running = ("run", "-d", "--name", "p2", *limits, "t/busybox", "sh", "-c", SERVER)
    expect(0, None, *running)
    refused = expect(125, "", "cp", "p2:/etc/passwd", str(home / "copy2"))
    want("operation not permitted" in refused.err, refused)
    expect(0, "root\n", "exec", "p2", "sh", "-c", "cut -d: -f1 /etc/passwd | head -1")
    expect(0, None, "kill", "p2")
    expect(0, "137\n", "wait", "p2")
    expect(0, None, "rm", "-f", "-t", "0", "p2")
    expect(0, "", "ps", "-aq")


@test(core=False)
def podman_as_an_ordinary_user():
    reason = missing("podman", "conmon", "newuidmap", "setpriv")
    if reason:
        return reason
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sentry-rootless-", dir="/tmp"))
    try:
        directory.chmod(0o755)
        home = directory / "home"
        home.mkdir()
        add_user(home, directory)
        words = prepare(home)
        use(lambda *more: oci.command(*words, *more, cwd=str(home)), home)
    finally:
        remove_user()
        shutil.rmtree(directory, ignore_errors=True)
    return None
