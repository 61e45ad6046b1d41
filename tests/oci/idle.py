"""Many containers that do nothing: what each takes, and that nothing of them is left."""
import glob
import os
import pathlib
import re
import time

import oci
from bundles import shell
from oci import SENTRY, test, want

COUNT = 50
PSS_MAX_KB = 12 * 1024  # of each, all our processes and the guest's


def family(pid):
    """A process and all its descendants."""
    out = [pid]
    for path in glob.glob("/proc/%d/task/*/children" % pid):
        for child in pathlib.Path(path).read_text().split():
            out += family(int(child))
    return out


def pss_kb(pid):
    return int(re.search(r"^Pss:\s+(\d+)", pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text(), re.M).group(1))


def ticks(pid):
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@test(core=False)
def fifty_idle_containers():
    names = ["idle-%d" % i for i in range(COUNT)]
    before = set(glob.glob("/sys/fs/cgroup/**/idle-*", recursive=True))
    everybody = []
    try:
        begin = time.monotonic()
        for name in names:
            SENTRY.create(name, shell("exec sleep 1000"))
            want(SENTRY("start", name).status == 0, "start", name)
        seconds = time.monotonic() - begin
        oci.eventually(lambda: all("sleep" in SENTRY("ps", "--guest", name).out for name in names), "the programs", 60)
        families = [family(SENTRY.pid(name)) for name in names]
        everybody = sum(families, [])
        want(all(len(members) == len(families[0]) >= 4 for members in families), "processes", families)
        pss = [sum(pss_kb(pid) for pid in members) for members in families]
        used = -sum(ticks(pid) for pid in everybody)
        time.sleep(2)  # what is measured is that time
        used += sum(ticks(pid) for pid in everybody)
        oci.harness.report("INFO", "fifty-idle-containers", "%d processes each; PSS of a container %d to %d kB; %.1f started a "
                           "second; %d ticks of processor time in 2 s" % (len(families[0]), min(pss), max(pss), COUNT / seconds, used))
        want(max(pss) < PSS_MAX_KB, "PSS in kB", pss)
        want(used <= COUNT / 10, "idle containers used processor time:", used, "ticks in 2 s")
    finally:
        for name in names:
            SENTRY("delete", "--force", name)
    left = [pid for pid in everybody if not oci.gone(pid)]
    want(not left, "processes are left:", left)
    want(SENTRY("list", "--quiet").out.strip() == "", "containers are left")
    want(not [name for name in names if os.path.exists(SENTRY.root / name)], "state is left")
    want(set(glob.glob("/sys/fs/cgroup/**/idle-*", recursive=True)) <= before, "control groups are left")
