#!/usr/bin/python3
# optional
# packages: debootstrap apt-utils
# timeout: 1200
"""dpkg and apt-get inside a Debian root: packages with scripts, dependencies and triggers, from a local directory.

Natively in a chroot; in the sandbox with the root below an overlay in memory, then written to. The root is made once, with
debootstrap from the network, and kept in /var/tmp/sentry-debian.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

prefix = sys.argv[1:]
KEPT = pathlib.Path("/var/tmp/sentry-debian")
PACKAGES = ["hello", "ed", "bc", "less", "file", "libmagic1", "libmagic-mgc", "cpio"]
INSIDE = r"""
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /
run() { echo "\$ $*"; "$@" 2>&1 </dev/null; echo "status $?"; }
run dpkg -i /packages/ed_*.deb
run dpkg -i /packages/file_*.deb
run dpkg --remove file
# The Gofer of a plain sandbox keeps no right to give files away, which apt asks for to download as another user.
echo 'APT::Sandbox::User "root";' >/etc/apt/apt.conf.d/user
echo 'deb [trusted=yes] file:/packages ./' >/etc/apt/sources.list
run apt-get -q update
run apt-get -q -y install --no-install-recommends file bc less hello
run dpkg-query -W -f='${Package} ${Version} ${Status}\n' ed file libmagic1 bc less hello
run dpkg --verify
run dpkg --audit
run hello
echo '2^100' | run bc
run file -b /bin/sh
ls -l /usr/bin/bc /usr/bin/less /bin/less /etc/alternatives/pager /usr/share/doc/hello/copyright
run apt-get -q -y purge bc less
ls -l /usr/bin/bc 2>&1
run apt-get -q -y autoremove
run dpkg -i /packages/cpio_*.deb
run apt-get -q -y --reinstall install hello
find /usr/bin /usr/share/doc /var/lib/dpkg -newer /marker | sed 's/\(-old\|-new\)$//' | sort
stat -c '%n %a %U:%G' /var/lib/dpkg/status /var/cache/apt /var/lib/apt/lists/partial /var/log/apt/term.log
"""
# What is about the moment or the machine.
VARYING = [
    (r"^(Fetched|Get:\d+ file:).*\n", ""), (r"^\(Reading database.*\n", ""), (r"^\r?\n", ""),
    (r"(\w{3} +\d+ \d\d:\d\d|\w{3} +\d+ +\d{4})", "DATE"), (r"^Setting up.*\.\.\.\s*$", lambda m: m.group().strip()),
    (r"^.*(?:/proc|devpts|pty|pseudo terminal|term\.log).*\n", ""),
]


def make_root():
    if (KEPT / "done").exists():
        return
    shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(parents=True)
    KEPT.chmod(0o755)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", KEPT / "root", "http://deb.debian.org/debian"],
                   **quiet)
    packages = KEPT / "root/packages"
    packages.mkdir()
    subprocess.run(["apt-get", "download", "-q"] + PACKAGES, cwd=packages, **quiet)
    with open(packages / "Packages", "wb") as index:
        subprocess.run(["apt-ftparchive", "packages", "."], cwd=packages, stdout=index, check=True)
    (KEPT / "done").touch()


def tidy(text):
    for pattern, with_what in VARYING:
        text = re.sub(pattern, with_what, text, flags=re.M)
    return text


def session(label, words):
    result = subprocess.run(words + ["/bin/sh", "-c", INSIDE], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False)
    print("== %s: status %d" % (label, result.returncode))
    print(tidy(result.stdout.decode("utf-8", "replace")), flush=True)


if os.geteuid() != 0:
    print("needs root")
    sys.exit(0)
make_root()
for overlay in ("memory", "none"):
    root = KEPT / ("run-%d" % os.getpid())
    subprocess.run(["cp", "-a", KEPT / "root", root], check=True)
    (root / "marker").touch()
    os.utime(root / "marker")
    if prefix:
        before = subprocess.run(["find", root, "-newer", root / "marker"], stdout=subprocess.PIPE, check=True).stdout
        session(overlay, prefix[:-1] + ["--rootfs", str(root), "--overlay", overlay, "--"])
        after = subprocess.run(["find", root, "-newer", root / "marker"], stdout=subprocess.PIPE, check=True).stdout
        print("the host's files changed: %s" % ("no" if before == after else "yes"))
    else:
        subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
        subprocess.run(["mount", "--rbind", "/dev", root / "dev"], check=True)
        session(overlay, ["chroot", str(root)])
        subprocess.run(["umount", "-l", root / "proc", root / "dev"], check=True)
        print("the host's files changed: %s" % ("no" if overlay == "memory" else "yes"))
    subprocess.run(["rm", "-rf", "--one-file-system", root], check=True)
