"""Sudden deaths and bad input: whatever is killed whenever, `delete --force` leaves nothing, and a bad bundle makes nothing."""
import contextlib
import copy
import glob
import json
import os
import signal
import subprocess
import time

import oci
from oci import SENTRY, WORK, bundle, configuration, eventually, gone, test, want

LOOP = "while :; do sleep 0.02; done"


def processes():
    """The processes of ours in this pid namespace, by name."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                name = open("/proc/%s/comm" % entry).read().strip()
                if (name.startswith("sentry") or name in ("gofer", "zygote")) and not gone(int(entry)):
                    found.setdefault(name, []).append(int(entry))
    return found


def groups():
    return sorted(glob.glob("/sys/fs/cgroup/*/oci-fault*") + glob.glob("/sys/fs/cgroup/oci-fault*"))


def mounts():
    return open("/proc/self/mountinfo").read()


def reap():
    with contextlib.suppress(OSError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def start(*words):
    return subprocess.Popen([SENTRY.program, "--root", str(SENTRY.root), *map(str, words)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def config():
    made = configuration("sh", "-c", LOOP)
    made["linux"]["cgroupsPath"] = "/oci-fault"
    made["linux"]["resources"] = {"memory": {"limit": 256 << 20}}
    return made


def children_of(pid):
    with contextlib.suppress(OSError):
        return [int(word) for word in open("/proc/%d/task/%d/children" % (pid, pid)).read().split()]
    return []


def kill(pid):
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def monitor_of(name):
    return SENTRY.state(name).get("pid", 0)


def victims_of(name, who):
    """Processes of a container: the monitor, or what stands below it."""
    monitor = monitor_of(name)
    if not monitor:
        return []
    if who == "monitor":
        return [monitor]
    found = []
    for child in children_of(monitor):
        with contextlib.suppress(OSError):
            comm = open("/proc/%d/comm" % child).read().strip()
            if who in comm or (who == "kernel" and comm not in ("gofer", "sentry-monitor")):
                found.append(child)
            if who in ("zygote", "guest") and comm != "gofer":
                below = children_of(child)
                if who == "zygote":
                    found += below[-1:]
                for grandchild in below:
                    if who == "guest":
                        found += children_of(grandchild)
    return found


def clean(name, before):
    reap()
    done = SENTRY("delete", "--force", name)
    want(done.status == 0, "delete --force", done)
    want(SENTRY("delete", "--force", name).status == 0, "a second delete --force")
    # Whoever lost its monitor ends by itself, at once.
    eventually(lambda: not processes(), "the end of all: %s" % processes())
    want(not (SENTRY.root / name).exists(), "a state directory is left")
    want(not groups(), "control groups are left", groups())
    want(mounts() == before, "mounts are left")
    reap()


def points():
    """(stage, victim, milliseconds)"""
    table = [("create", "command", ms) for ms in (0, 1, 2, 4, 6, 8, 10, 13, 16, 20, 30)]
    table += [("create", "monitor", ms) for ms in (2, 5, 8, 12, 16, 25)]
    table += [("create", who, ms) for who in ("kernel", "gofer") for ms in (8, 16, 25)]
    table += [("created", who, 0) for who in ("monitor", "kernel", "gofer", "zygote")]
    table += [("start", "command", ms) for ms in (0, 1, 2, 4)]
    table += [("running", who, 0) for who in ("monitor", "kernel", "gofer", "zygote", "guest")]
    table += [("exec", "command", ms) for ms in (0, 2, 4, 8)]
    table += [("exec", who, 6) for who in ("monitor", "kernel", "gofer", "guest")]
    table += [("delete", "command", ms) for ms in (0, 1, 2, 4, 8, 12)]
    return table


@test(core=False)
def sudden_death_at_fifty_points():
    before = mounts()
    SENTRY.root.mkdir(parents=True, exist_ok=True)
    table = points()
    want(len(table) >= 50, len(table))
    path = bundle(config())
    for number, (stage, who, ms) in enumerate(table):
        name = "oci-fault-%d" % number
        try:
            strike(stage, who, ms, name, path)
            clean(name, before)
        except oci.Failed as error:
            raise oci.Failed("%s, %s, %d ms: %s" % (stage, who, ms, error)) from error


def strike(stage, who, ms, name, path):
    if stage == "create":
        with start("create", "-b", path, name) as process:
            time.sleep(ms / 1000)
            if who == "command":
                process.kill()
            else:
                for pid in victims_of(name, who):
                    kill(pid)
            process.wait(30)
        return
    with start("create", "-b", path, name) as process:
        want(process.wait(30) == 0, "create")
    if stage != "created":
        process = start("start", name)
        if stage == "start":
            time.sleep(ms / 1000)
            process.kill()
        process.wait(30)
    if stage == "exec":
        process = start("exec", name, "sleep", "1000")
        time.sleep(ms / 1000)
        if who == "command":
            process.kill()
        else:
            for pid in victims_of(name, who):
                kill(pid)
            process.kill()
        process.wait(30)
    elif stage == "delete":
        process = start("delete", "--force", name)
        time.sleep(ms / 1000)
        process.kill()
        process.wait(30)
    elif stage in ("created", "running"):
        for pid in victims_of(name, who):
            kill(pid)


@test()
def sudden_death_of_each_process():
    before = mounts()
    path = bundle(config())
    for who in ("monitor", "kernel", "gofer", "zygote"):
        name = "oci-fault-core-" + who
        strike("running", who, 0, name, path)
        if who != "monitor":
            eventually(lambda: (reap(), SENTRY.state(name)["status"] == "stopped")[1], "the container ends")
        clean(name, before)


@test()
def bad_bundles_make_nothing():
    base = configuration("true")
    outside = WORK / "outside"
    outside.mkdir(exist_ok=True)
    link = WORK / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(oci.ROOTFS)

    def changed(change):
        made = copy.deepcopy(base)
        change(made)
        return json.dumps(made)
    bad = {
        "no JSON": "{", "a huge number": '{"ociVersion": 1e999}', "a deep document": "[" * 100000,
        "two members of one name": '{"process": 1, "process": 2}',
        "no process": changed(lambda c: c.pop("process")), "no root": changed(lambda c: c.pop("root")),
        "no words": changed(lambda c: c["process"].update(args=[])),
        "a relative cwd": changed(lambda c: c["process"].update(cwd="tmp")),
        "a root that is not there": changed(lambda c: c["root"].update(path="/no/such/root")),
        "a root that is a symlink": changed(lambda c: c["root"].update(path=str(link))),
        "the host's root": changed(lambda c: c["root"].update(path="/")),
        "a root that is a file": changed(lambda c: c["root"].update(path="/etc/passwd")),
        "a mount on /proc/1": changed(lambda c: c["mounts"].append(
            {"destination": "/proc/1", "type": "bind", "source": str(outside), "options": ["bind"]})),
        "a source that is not there": changed(lambda c: c["mounts"].append(
            {"destination": "/x", "type": "bind", "source": "/no/such", "options": ["bind"]})),
        "an unknown namespace": changed(lambda c: c["linux"]["namespaces"].append({"type": "moon"})),
        "a network that is not there": changed(lambda c: c["linux"].update(
            namespaces=[{"type": "network", "path": "/no/such"}])),
    }
    for what, text in bad.items():
        path = bundle(text)
        done = SENTRY("create", "-b", path, "bad")
        want(done.status == 1 and done.err.startswith("sentry: "), what, done)
        want("\n" not in done.err.strip() or what == "no JSON", what, done)
        want(not (SENTRY.root / "bad").exists() and not processes(), what, "something is left")
    want(not list(outside.iterdir()), "the outside was touched")
    for name in ("", ".", "..", "a/b", "../x", "x" * 2000, "a b"):
        want(SENTRY("create", "-b", bundle(json.dumps(base)), name).status == 1, "the name", name)


@test()
def an_image_cannot_lead_mounts_outside():
    target = oci.harness.fresh_directory(WORK / "target")
    rootfs = oci.make_rootfs(WORK / "hostile")
    (rootfs / "to").symlink_to(target)
    (rootfs / "up").symlink_to("../../../../../../../../../../" + str(target))
    (rootfs / "etc/hosts").symlink_to(target / "file")
    source = oci.harness.fresh_directory(WORK / "given")
    made = configuration("sh", "-c", "echo done", root={"path": str(rootfs), "readonly": False})
    for place in ("/to/inside", "/up/inside"):
        made["mounts"].append({"destination": place, "type": "bind", "source": str(source), "options": ["rbind"]})
    made["linux"]["maskedPaths"] += ["/to", "/up"]
    done = SENTRY.run(made)
    want(done.status == 0 and done.out == "done\n", done)
    want(not list(target.iterdir()) and not list(source.iterdir()), "the image's links were followed on the host",
         list(target.iterdir()), list(source.iterdir()))


@test()
def two_commands_at_once():
    path = bundle(config())
    before = mounts()
    SENTRY.root.mkdir(parents=True, exist_ok=True)
    racing = [start("create", "-b", path, "oci-fault-race") for _ in range(4)]
    want(sorted(process.wait(30) for process in racing) == [0, 1, 1, 1], "one of four creates")
    racing = [start("start", "oci-fault-race") for _ in range(4)]
    want(sorted(process.wait(30) for process in racing) == [0, 1, 1, 1], "one of four starts")
    racing = [start("pause", "oci-fault-race") for _ in range(3)]
    want(sorted(process.wait(30) for process in racing) == [0, 1, 1], "one of three pauses")
    racing = [start("delete", "--force", "oci-fault-race") for _ in range(4)]
    want([process.wait(30) for process in racing] == [0] * 4, "all deletes")
    clean("oci-fault-race", before)


@test()
def a_state_directory_that_cannot_be_written():
    full = oci.harness.fresh_directory(WORK / "full")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=4", "none", str(full)], check=True)
    try:
        done = oci.command(SENTRY.program, "--root", full / "state", "run", "-b", bundle(configuration("true")), "x")
        want(done.status == 1 and "space" in done.err, done)
        want(not processes(), processes())
        done = oci.command(SENTRY.program, "--root", "/proc/nothing", "run", "-b", bundle(configuration("true")), "x")
        want(done.status == 1, done)
    finally:
        subprocess.run(["umount", str(full)], check=True)
