#!/usr/bin/python3
"""Boots Debian's kernel 6.1, the oldest that is supported, in an emulator and runs the guest programs there.

usage: run.py [--kernel FILE] [--keep] [NAME...]    names of guest programs; without one all but the stress programs
  --kernel   a bzImage; without it Debian's linux-image-cloud-amd64 is downloaded and unpacked, not installed
  --keep     leave build/tests/old-kernel, to boot it by hand

The root is an initramfs: busybox, bash and what else the programs need, copied from this machine, our two programs, the
guest programs and tests/old-kernel/init.sh, which runs each natively and in the sandbox, as root and as a user, and
prints the lines that this program repeats. Software emulation: no KVM is needed, and nothing is fast.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
WORK = harness.OUT / "old-kernel"
GUESTS = harness.BUILD / "release/tests/guest"
PROGRAMS = ["bash", "busybox", "ls", "sort", "head", "wc", "cat", "setpriv", "timeout", "cmp", "find", "xargs", "tar", "gzip",
            "mkdir", "rm", "id", "seq", "sleep"]
FILES = ["/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/ld.so.cache", "/etc/hostname", "/etc/hosts"]
PACKAGE = "linux-image-cloud-amd64"
# What this machine, whose root is a tmpfs, is no oracle for.
NO_ORACLE = {"files_attributes": "a tmpfs of this kernel has no attributes of users"}


def output_of(*words):
    return subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                          timeout=300).stdout.decode("utf-8", "replace")


def debian_kernel():
    """The path of Debian's kernel, downloaded once."""
    store = harness.BUILD / "old-kernel"
    found = sorted(store.glob("boot/vmlinuz-6.1.*"))
    if found:
        return found[-1]
    match = re.search(r"Depends: (linux-image-6\.1\.\S+)", output_of("apt-cache", "depends", PACKAGE))
    if not match:
        return None
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir(parents=True)
    subprocess.run(["apt-get", "download", match.group(1)], cwd=store, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=False, timeout=600)
    for package in store.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package.name, "."], cwd=store, check=False, timeout=120)
        package.unlink()
        shutil.rmtree(store / "lib", ignore_errors=True)
    return (sorted(store.glob("boot/vmlinuz-6.1.*")) or [None])[-1]


def copy(source, root, target=None):
    place = root / str(target or source).lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        shutil.copy2(source, place)


def copy_program(path, root, target=None):
    """The program and the libraries that it needs."""
    copy(path, root, target)
    for library in re.findall(r"(/\S+) \(0x", output_of("ldd", path)):
        copy(library, root)


def make_root(root, names):
    for directory in ("bin", "dev", "proc", "sys", "tmp", "usr/bin", "usr/lib", "etc", "new"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        copy_program(shutil.which(name), root, "/usr/bin/" + name)
    for name in ("bash", "busybox"):
        (root / "bin" / name).symlink_to("/usr/bin/" + name)
    (root / "bin/sh").symlink_to("/usr/bin/busybox")
    for path in FILES:
        if pathlib.Path(path).is_file():
            copy(path, root)
    for name in ("sentry", "gofer"):
        copy_program(harness.SENTRY.parent / name, root, "/sentry/" + name)
    for path in sorted(GUESTS.iterdir()):
        stem = path.name.partition(".")[0]
        if stem in NO_ORACLE:
            if path.suffix == ".static":
                harness.report("SKIP", stem, NO_ORACLE[stem])
            continue
        if path.is_file() and os.access(path, os.X_OK) and (stem in names or path.name in names or not names and not stem.startswith("stress_")):
            copy_program(path, root, "/guest/" + path.name)
    copy("/lib/ld-musl-x86_64.so.1" if pathlib.Path("/lib/ld-musl-x86_64.so.1").exists() else "/etc/passwd", root)
    copy(HERE / "init.sh", root, "/init")
    (root / "init").chmod(0o755)


def boot(kernel, image):
    """The lines that the machine prints, as they come."""
    words = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2G", "-nographic",
             "-no-reboot", "-net", "none", "-kernel", str(kernel), "-initrd", str(image), "-append",
             "console=ttyS0 quiet panic=-1 oops=panic"]
    with subprocess.Popen(["timeout", "-s", "KILL", "1800"] + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as machine:
        for raw in machine.stdout:
            yield raw.decode("utf-8", "replace").rstrip("\r\n")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--kernel", type=pathlib.Path)
    arguments.add_argument("--keep", action="store_true")
    arguments.add_argument("names", nargs="*")
    options = arguments.parse_args()
    if not shutil.which("qemu-system-x86_64") or not shutil.which("cpio"):
        harness.report("SKIP", "old-kernel", "needs qemu-system-x86_64 and cpio (Debian packages qemu-system-x86 and cpio)")
        return 0
    kernel = options.kernel or debian_kernel()
    if not kernel:
        harness.report("SKIP", "old-kernel", "cannot download Debian's %s; give a kernel with --kernel" % PACKAGE)
        return 0
    harness.fresh_directory(WORK)
    make_root(WORK / "root", set(options.names))
    with open(WORK / "image", "wb") as image:
        subprocess.run("find . | cpio --quiet -o -H newc -R 0:0", shell=True, cwd=WORK / "root", stdout=image, check=True)
    ended = failed = False
    for line in boot(kernel, WORK / "image"):
        print(line, flush=True)
        ended = ended or line == "END"
        failed = failed or line.startswith("FAIL")
    if not ended:
        harness.report("FAIL", "old-kernel", "the machine did not reach the end of its tests")
    if not options.keep:
        shutil.rmtree(WORK, ignore_errors=True)
    return 0 if ended and not failed else 1


sys.exit(main())
