"""Control groups of version 2: a hierarchy of it alone, mounted in a mount namespace of the test's own, with the controllers that no hierarchy of
version 1 has (hugetlb, where the host has the others there). Limits of the others have no effect to be seen then; their files and order are in
tests/unit/oci."""
import ctypes
import json
import os
import pathlib
import subprocess

import oci
from bundles import family, shell
from oci import RUNC, SENTRY, Failed, test, want

GROUPS = pathlib.Path("/sys/fs/cgroup")
CLONE_NEWNS = 0x20000


def alone(function):
    """Runs it in a child that sees one hierarchy of version 2 and nothing else."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            oci.take_orphans(True)
            want(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) == 0, "unshare")
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            subprocess.run(["mount", "-t", "tmpfs", "none", str(GROUPS)], check=True)
            subprocess.run(["mount", "-t", "cgroup2", "none", str(GROUPS)], check=True)
            function()
            status = 0
        except (Failed, OSError, ValueError, subprocess.SubprocessError) as error:
            os.write(writer, ("%s: %s" % (type(error).__name__, error)).encode()[:3000])
        finally:
            os._exit(status)
    os.close(writer)
    text = b""
    while part := os.read(reader, 4096):
        text += part
    os.close(reader)
    want(os.waitpid(child, 0)[1] == 0, text.decode("utf-8", "replace"))


def group_config(text, **resources):
    config = shell(text)
    config["linux"]["cgroupsPath"] = "/oci-v2"
    config["linux"]["resources"] = resources
    return config


def may_open_in_group(path):
    """What the group's device program says to a process of the host that is in it."""
    child = os.fork()
    if child == 0:
        try:
            (GROUPS / "oci-v2/cgroup.procs").write_text("0")
            os.close(os.open(path, os.O_RDONLY))
            os._exit(0)
        except PermissionError:
            os._exit(1)
        except OSError:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


def refusals():
    for resources, missing in (({"memory": {"limit": 64 << 20}}, "memory.max"), ({"pids": {"limit": 20}}, "pids.max"),
                               ({"unified": {"memory.high": "99999"}}, "memory.high"), ({"unified": {"../x": "1"}}, "unified")):
        for runtime in (SENTRY, RUNC):
            done = runtime.run(group_config("echo ran", **resources))
            want(done.status and "ran" not in done.out, runtime.name, resources, done)
            want(runtime is RUNC or missing in done.err, "not named:", missing, done)
            want(not (GROUPS / "oci-v2").exists(), runtime.name, resources, "leaves a group")


def lives_in_its_group():
    facts = {}
    hugepages = "hugetlb" in (GROUPS / "cgroup.controllers").read_text().split()
    for runtime in (SENTRY, RUNC):
        resources = {"devices": [{"allow": False, "access": "rwm"}]}
        if hugepages:
            resources["hugepageLimits"] = [{"pageSize": "2MB", "limit": 4 << 20}]
            resources["unified"] = {"hugetlb.2MB.max": "2097152"}
        name = "two-" + runtime.name
        runtime.create(name, group_config("sleep 100", **resources))
        want(runtime("start", name).status == 0, "start")
        group = GROUPS / "oci-v2"
        members = {int(line) for line in (group / "cgroup.procs").read_text().split()}
        want(set(family(runtime.pid(name))) <= members, "outside of the group:", set(family(runtime.pid(name))) - members)
        stats = json.loads(runtime("events", "--stats", name).out)["data"]
        listed = json.loads(runtime("ps", "--format", "json", name).out)
        facts[runtime.name] = [
            (group / "hugetlb.2MB.max").read_text() if hugepages else None, may_open_in_group("/dev/null"), may_open_in_group("/dev/kmsg"),
            stats["cpu"]["usage"]["total"] > 0, set(listed) <= members and len(listed) > 0,
            runtime("exec", name, "true").status, runtime("update", "--pids-limit", "10", name).status != 0,
            runtime("pause", name).status, runtime.state(name)["status"], runtime("resume", name).status, runtime.state(name)["status"],
            runtime("delete", "--force", name).status, group.exists()]
        os.waitpid(runtime.pid(name), 0)
    want(facts["sentry"] == facts["runc"], facts)
    want(facts["runc"][1] and not facts["runc"][2], "devices", facts)


def covered_hierarchies_do_not_count():
    done = SENTRY.run(group_config("cat /proc/self/cgroup"))
    want(done.out == "0::/\n", done)


@test()
def version_2_alone():
    def all_of_them():
        covered_hierarchies_do_not_count()
        refusals()
        lives_in_its_group()
    alone(all_of_them)
