"""Checks of the invariants on a running sandbox: each looks at what the host's /proc says of its processes.

usage: inspect_sandbox.py SENTRY [--user UID] [--mutation NAME] [CHECK...]
Prints PASS or FAIL for each check. Runs as root in a pid namespace of its own with /proc mounted.
"""
import argparse
import fcntl
import os
import pathlib
import subprocess
import sys

from sandbox import Sandbox, read

CHECKS = {}


def check(function):
    CHECKS[function.__name__.replace("_", "-")] = function
    return function


class Broken(Exception):
    pass


def want(condition, *reason):
    if not condition:
        raise Broken(" ".join(str(word) for word in reason))


@check
def capabilities(parts, sandbox):
    """Nobody holds a capability in any set (invariant 3)."""
    for name, process in parts.items():
        for field in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            want(int(process.status(field)[0], 16) == 0, name, "has", field, process.status(field)[0])


@check
def bounding_sets(parts, sandbox):
    """From the kernel process on nobody could get one either."""
    for name, process in parts.items():
        if name in ("kernel", "zygote", "guest", "proc gofer"):
            want(int(process.status("CapBnd")[0], 16) == 0, name, "has a bounding set")


@check
def no_new_privs(parts, sandbox):
    for name, process in parts.items():
        want(process.status("NoNewPrivs") == ["1"], name, "may gain privileges")


@check
def filters(parts, sandbox):
    """Everything but the monitor is filtered (invariants 1, 4, 5)."""
    for name, process in parts.items():
        if name != "monitor":
            want(process.status("Seccomp") == ["2"], name, "has no filter")
    for task in os.listdir(parts["kernel"].path / "task"):
        want("Seccomp:\t2" in read(parts["kernel"].path / "task" / task / "status"), "thread", task, "has no filter")


@check
def dumpable(parts, sandbox):
    """Files below /proc/PID of an undumpable process belong to root of the user namespace, or the host's."""
    for name in ("monitor", "gofer", "net gofer", "kernel", "proc gofer"):
        if name in parts:
            uid = int(parts[name].status("Uid")[1])
            owner = os.stat(parts[name].path / "maps").st_uid
            want(uid == 0 or owner != uid, name, "is dumpable")


@check
def empty_root(parts, sandbox):
    for name in ("gofer", "net gofer", "kernel", "proc gofer", "zygote", "guest"):
        if name in parts:
            mounts = read(parts[name].path / "mountinfo").splitlines()
            want(len(mounts) == 1, name, "has", len(mounts), "mounts")
            want(" ro," in mounts[0], name, "has a writable root")
            want(os.listdir(parts[name].path / "root") == [], name, "has files in its root")


@check
def kernel_namespaces(parts, sandbox):
    """The kernel process shares no namespace with the host but time."""
    for kind in ("user", "pid", "mnt", "net", "ipc", "uts", "cgroup"):
        want(parts["kernel"].namespace(kind) != os.readlink("/proc/self/ns/" + kind), "the kernel has the host's", kind)
    for kind in ("mnt", "net", "ipc", "uts"):
        want(parts["gofer"].namespace(kind) != os.readlink("/proc/self/ns/" + kind), "the Gofer has the host's", kind)
    lines = read(parts["kernel"].path / "net/dev").splitlines()[2:]
    want(len(lines) == 1 and lines[0].split()[0] == "lo:", "the kernel has network devices", lines)


@check
def guest_namespaces(parts, sandbox):
    """Guests share the Sentry's user namespace and nothing else with it."""
    for name in ("zygote", "guest"):
        want(parts[name].namespace("user") == parts["kernel"].namespace("user"), name, "is in another user namespace")
        for kind in ("mnt", "net", "ipc", "uts"):
            want(parts[name].namespace(kind) != parts["kernel"].namespace(kind), name, "has the Sentry's", kind)
    want(parts["guest"].namespace("pid") != parts["kernel"].namespace("pid"), "the guest is in the Sentry's pid namespace")
    want(read(parts["guest"].path / "net/route").count("\n") <= 1, "the guest has routes")


@check
def namespace_limits(parts, sandbox):
    done = subprocess.run(["nsenter", "--user", "--preserve-credentials", "-t", str(parts["guest"].pid), "sh", "-c",
                           "cat /proc/sys/user/max_*_namespaces"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=10, check=False)
    want(set(done.stdout.split()) == {b"0"}, "namespaces can be made:", done.stdout)


@check
def guest_descriptors(parts, sandbox):
    """A guest and the zygote hold none (invariant 3)."""
    for name in ("zygote", "guest"):
        want(parts[name].descriptors() == {}, name, "holds", parts[name].descriptors())


@check
def memory_descriptors(parts, sandbox):
    """The kernel process holds no memory but guests' (invariant 4; without process_vm_readv only)."""
    for target in parts["kernel"].descriptors().values():
        if target.endswith(("/mem", "/maps")):
            want(int(target.split("/")[2]) in (parts["zygote"].pid, parts["guest"].pid), "the kernel holds", target)


@check
def descriptors(parts, sandbox):
    """What the caller had open beside the standard streams reaches nobody."""
    for name, process in parts.items():
        want("/etc/services" not in process.descriptors().values(), name, "holds an inherited descriptor")


@check
def monitor_descriptors(parts, sandbox):
    allowed = ("socket:", "anon_inode:[pidfd]", "anon_inode:[signalfd]", "anon_inode:[timerfd]", "pipe:", "/dev/null")
    for number, target in parts["monitor"].descriptors().items():
        want(number < 3 or target.startswith(allowed), "the monitor holds", number, target)


@check
def limits(parts, sandbox):
    for name in ("zygote", "guest"):
        want(parts[name].limit("Max core file size") == ("1", "1"), name, "may dump core")
        want(parts[name].limit("Max open files") == ("4", "4"), name, "may open", parts[name].limit("Max open files"))


@check
def oom(parts, sandbox):
    score = {name: int(read(process.path / "oom_score_adj")) for name, process in parts.items()}
    want(score["guest"] > score["kernel"], "the guest survives the Sentry:", score)
    want(score["guest"] > score["gofer"], "the guest survives the Gofer:", score)


@check
def session(parts, sandbox):
    """Only the monitor has a terminal; all others are in sessions of their own."""
    for name, process in parts.items():
        if name == "monitor":
            continue
        want(process.stat(7) == 0, name, "has a controlling terminal")
        want(process.stat(6) != parts["monitor"].stat(6), name, "is in the caller's session")


@check
def seals(parts, sandbox):
    """Guests run the sealed image of the stub, nothing of the Sentry."""
    for name in ("zygote", "guest"):
        link = os.readlink(parts[name].path / "exe")
        want(link.startswith("/memfd:stub"), name, "runs", link)
    fd = os.open(parts["guest"].path / "exe", os.O_RDONLY)
    seals_found = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    os.close(fd)
    wanted = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    want(seals_found & wanted == wanted, "the image has seals", seals_found)


def internet_inodes():
    found = set()
    for name in ("tcp", "tcp6", "udp", "udp6", "icmp", "icmp6"):
        found |= {line.split()[9] for line in read(pathlib.Path("/proc/net") / name).splitlines()[1:]}
    return found


@check
def internet_sockets(parts, sandbox):
    """The guest has a socket of the host's: donated to the Sentry, or under a policy the broker's alone; nobody else has any."""
    inodes = internet_inodes()
    holders = {name for name, process in parts.items()
               if any(target[8:-1] in inodes for target in process.descriptors().values() if target.startswith("socket:["))}
    words = " ".join(parts["monitor"].command)
    wanted = {"net gofer"} if "--allow-connect" in words else {"kernel"} if "--network=host" in words else set()
    want(holders == wanted, "sockets of the host are held by", holders)


@check
def user(parts, sandbox):
    """As root's child the Sentry and its guests are nobody."""
    if int(parts["gofer"].status("Uid")[1]) == 0:
        for name in ("kernel", "zygote", "guest", "proc gofer"):
            if name in parts:
                want(set(parts[name].status("Uid")) == {"65534"}, name, "is user", parts[name].status("Uid"))
                want(parts[name].status("Groups") in ([], None), name, "has groups", parts[name].status("Groups"))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("sentry")
    arguments.add_argument("--user", type=int)
    arguments.add_argument("--mutation")
    arguments.add_argument("--option", action="append", default=[])
    arguments.add_argument("checks", nargs="*")
    options = arguments.parse_args()
    extra = os.open("/etc/services", os.O_RDONLY)
    sandbox = Sandbox(options.sentry, ["bash", "-c", "exec 3<>/dev/udp/127.0.0.1/9; exec sleep 1000"], user=options.user, mutation=options.mutation, extra_fd=extra,
                      options=options.option, cwd="/usr")
    try:
        parts = sandbox.find()
        for name in options.checks or CHECKS:
            try:
                CHECKS[name](parts, sandbox)
                print("PASS", name)
            except (Broken, OSError) as error:
                print("FAIL %s: %s" % (name, error))
    except RuntimeError as error:
        print("FAIL start: %s" % error)
    sandbox.end()
    sys.stdout.flush()


main()
