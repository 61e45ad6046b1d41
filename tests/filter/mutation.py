#!/usr/bin/python3
"""Each protection of the filters, taken out of a copy of the tables or the compiler: the filter tests must fail.

A test that still passes would not notice the loss.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

TOP = harness.TOP
GUEST, OWN = "guest_filter_test", "own_filters_test"
# (what is lost, file, text, replacement, test that must fail)
MUTATIONS = [
    ("architecture", "tools/syscalls/bpf.py", 'AUDIT_ARCH_X86_64", x86_64)', 'AUDIT_ARCH_X86_64", x86_64, x86_64)', GUEST),
    ("x32 numbers", "tools/syscalls/bpf.py", '"X32_SYSCALL_BIT", number, plain)', '"X32_SYSCALL_BIT", plain, plain)', GUEST),
    ("upper half of the instruction pointer", "tools/syscalls/bpf.py",
     'asm.jump("BPF_JEQ", _high(start), None, missed)', "pass", GUEST),
    ("end of the stub's text", "tools/syscalls/bpf.py", '_low(f"{end} - 1"), missed)', '_low(f"{end} - 1"))', GUEST),
    ("default of the guests' filter", "tools/syscalls/filters.py", 'NOTIFY = "SECCOMP_RET_USER_NOTIF"',
     'NOTIFY = "SECCOMP_RET_ALLOW"', GUEST),
    ("socket families", "syscall-tables/x86_64.tbl", "refuse={EAFNOSUPPORT unless domain in (AF_UNIX,",
     "refuse={EAFNOSUPPORT unless domain in (40, AF_UNIX,", GUEST),
    ("masks of mmap", "syscall-tables/x86_64.tbl", "|MAP_LOCKED|MAP_SYNC)", ")", GUEST),
    ("advice", "syscall-tables/x86_64.tbl", "advice in (MADV_NORMAL,", "advice in (MADV_REMOVE, MADV_NORMAL,", GUEST),
    ("close of any descriptor by the stub", "tools/syscalls/filters.py", '"fd == STUB_DONATION_FD"', '"always"', GUEST),
    ("a look at the stub's clone", "tools/syscalls/filters.py", "bpf.Rule(NOTIFY, ip=STUB_IP)", "bpf.Rule(ALLOW, ip=STUB_IP)",
     GUEST),
    ("traps", "syscall-tables/x86_64.tbl", "trap={flags & MAP_ANONYMOUS == 0}", "trap={flags & MAP_ANONYMOUS == 0 && fd == 3}",
     GUEST),
    ("native rows under --strace", "tools/syscalls/filters.py", "guest(rows, False)", "guest(rows, True)", GUEST),
    ("killing of the Sentry", "tools/syscalls/filters.py", 'KILL = "SECCOMP_RET_KILL_PROCESS"',
     'KILL = "SECCOMP_RET_ALLOW"', OWN),
    ("PROT_EXEC", "syscall-tables/sentry-filter.tbl", "{prot & PROT_EXEC == 0}  heap, thread", "{always}  heap, thread",
     OWN),
    ("TIOCSTI", "syscall-tables/sentry-filter.tbl", "(FIONREAD,", "(TIOCSTI, FIONREAD,", OWN),
    ("clone flags", "syscall-tables/sentry-filter.tbl", "{flags == CLONE_VM|", "{flags & CLONE_VM == CLONE_VM}  x {", OWN),
    ("devices", "syscall-tables/gofer-files-filter.tbl", "{mode & S_IFMT in (S_IFREG, S_IFIFO, S_IFSOCK)}", "{always}", OWN),
    ("sockets of the broker", "syscall-tables/gofer-net-filter.tbl", "domain in (AF_INET, AF_INET6) && type",
     "domain in (AF_INET, AF_INET6, AF_UNIX) && type", OWN),
]


def copy_tree(to):
    for part in ("tools", "syscall-tables", "abi", "sentry", "tests/filter"):
        shutil.copytree(TOP / part, to / part, ignore=shutil.ignore_patterns("*.o", "__pycache__"))


def verdict(tree, test):
    """True when the test passes, False when it fails, None when it cannot be built."""
    out = tree / "generated"
    flags = ["-std=gnu17", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-O0", "-w", "-I.", "-Igenerated"]
    made = subprocess.run([sys.executable, "tools/gen-syscalls.py", "--out", str(out)], cwd=tree, check=False)
    if made.returncode:
        return None
    # Handlers are named by the dispatch table but never called.
    sources = sorted(str(path) for path in out.glob("filter_*.c")) + [
        "sentry/trap/table.c", "tests/filter/simulator.c", "tests/filter/%s.c" % test]
    built = subprocess.run(["cc"] + flags + sources + ["-o", "program", "-lcriterion", "-no-pie",
                                                       "-Wl,--unresolved-symbols=ignore-all"], cwd=tree, check=False)
    if built.returncode:
        return None
    run = subprocess.run(["./program", "-j1"], cwd=tree, check=False, timeout=60, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    return run.returncode == 0


def check(mutation):
    name, path, text, replacement, test = mutation
    with tempfile.TemporaryDirectory(prefix="mutation-") as directory:
        tree = pathlib.Path(directory)
        copy_tree(tree)
        if path:
            source = (tree / path).read_text(encoding="utf-8")
            if text not in source:
                harness.report("FAIL", name, "%s does not contain %r any more" % (path, text))
                return False
            (tree / path).write_text(source.replace(text, replacement), encoding="utf-8")
        passes = verdict(tree, test)
    if path is None:
        good = passes is True
        harness.report("PASS" if good else "FAIL", "mutation: " + name, "" if good else "the tests fail unchanged")
    else:
        good = passes is False
        harness.report("PASS" if good else "FAIL", "mutation: " + name,
                       "" if good else "not built" if passes is None else "%s still passes" % test)
    return good


def main():
    os.environ.pop("CCACHE_DISABLE", None)
    unchanged = [("nothing is taken out (%s)" % test, None, "", "", test) for test in (GUEST, OWN)]
    return 0 if harness.parallel(check, unchanged + MUTATIONS) else 1


if __name__ == "__main__":
    sys.exit(main())
