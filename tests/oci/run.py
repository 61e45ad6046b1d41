#!/usr/bin/python3
"""The OCI runtime: bundles beside runc, and real engines that are started here.

usage: run.py [--core] [NAME...]
Everything happens in mount, pid and network namespaces of its own, which end with all that was started.
"""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import oci  # noqa: E402
import bundles  # noqa: E402,F401
import cgroup2  # noqa: E402,F401
import engines  # noqa: E402
import faults  # noqa: E402,F401
import idle  # noqa: E402,F401
import nested  # noqa: E402,F401
import rootless  # noqa: E402,F401
import settings  # noqa: E402,F401
import trio  # noqa: E402,F401

INSIDE = "--inside"


def setup():
    oci.harness.fresh_directory(oci.WORK)
    oci.make_rootfs(oci.ROOTFS)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False, stderr=subprocess.DEVNULL)


def main():
    words = sys.argv[1:]
    if os.geteuid() != 0:
        oci.harness.report("SKIP", "oci", "needs root")
        return
    if INSIDE not in words:
        os.execvp("unshare", ["unshare", "-mnpf", "--mount-proc", "--kill-child", sys.executable, "-B", __file__,
                              INSIDE, *words])
    words.remove(INSIDE)
    oci.leave_orphans_to_parent()
    try:
        good = oci.main_of(oci.TESTS, words, setup)
    finally:
        engines.remove_groups()
    sys.exit(0 if good else 1)


main()
