#!/usr/bin/python3
"""The Gofer's server: its rules taken out one by one, and spoken to by the tools of another server, diod.

Each rule is taken out of a copy of the sources: a test must fail. One that still passes would not notice the loss
(invariant 5).
"""
import ctypes
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

TOP = harness.TOP
SERVER, RACE = "server_test", "race_test"
# (what is lost, [(file, text, replacement)], test that must fail)
MUTATIONS = [
    ("slashes in names", [("host.c", "memchr(name.bytes, '/', name.length) ||", "")], SERVER),
    ("NUL in names", [("host.c", "|| memchr(name.bytes, 0, name.length))", ")")], SERVER),
    ("dots as names", [("host.c", "if (name.bytes[0] == '.' &&", "if (0 &&")], SERVER),
    ("stop at symlinks", [("host.c", "O_PATH | O_NOFOLLOW | O_CLOEXEC", "O_PATH | O_CLOEXEC"),
                          ("host.c", "RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |", "")], SERVER),
    ("stop at symlinks, raced", [("host.c", "O_PATH | O_NOFOLLOW | O_CLOEXEC", "O_PATH | O_CLOEXEC"),
                                 ("host.c", "RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |", "")], RACE),
    ("special files", [("host.c", "} else if (!S_ISREG(node->type)) {", "} else if (0) {")], SERVER),
    ("directories as descriptors", [("server_open.c", "fd = S_ISDIR(node->type) ? -EISDIR : ", "fd = ")], SERVER),
    ("read-only exports, opening", [("host.c", "writes && node_read_only(node)", "0")], SERVER),
    ("read-only exports, names", [("server.c", "return node_read_only((*out)->node) ? -EROFS : 0", "return 0")], SERVER),
    ("read-only exports, attributes", [("server_attr.c", "if (node_read_only(node))", "if (0)")], SERVER),
    ("read-only exports, xattrs", [("server_xattr.c", "if (node_read_only(node))", "if (0)")], SERVER),
    ("one export in a request", [("server_change.c", "fid->node->export != directory->node->export", "0")], SERVER),
    ("device nodes", [("server_change.c", "case S_IFBLK:\n        return -EPERM;", "case S_IFBLK:\n        return 0;")],
     SERVER),
    ("set-ID files", [("server_open.c", "(mode & (S_ISUID | S_ISGID)) &&", "0 &&")], SERVER),
    ("exclusive creation", [("server_open.c", "O_CREAT | O_EXCL | O_NOFOLLOW", "O_CREAT | O_NOFOLLOW")], SERVER),
    ("flags of a donation", [("server_open.c", "if (in->flags & ~(uint32_t)(O_ACCMODE | O_TRUNC))", "if (0)")], SERVER),
    ("nothing left of a failed creation", [("server_open.c", "if (host_is_same(", "if (0 && host_is_same(")], SERVER),
    ("nothing left of a failed directory", [("server_change.c", "if (error && host_is_same(", "if (0 && host_is_same(")],
     SERVER),
    ("nothing left of a failed change", [("server_attr.c", "if ((moded || owner) && !lost)", "if (0)")], SERVER),
    ("names of xattrs", [("server_xattr.c", "if (!(node->export->flags & GOFER_EXPORT_XATTRS))\n        return -EOPNOTSUPP;",
                          "return 0;")], SERVER),
    ("no locks on the host", [("server_open.c", "server->host->locks ?", "1 ?")], SERVER),
    ("limit of fids", [("fid.c", "if (table->count >= table->limit)", "if (0)")], SERVER),
    ("a session's end closes all", [("server.c", "fid_remove_all(&server->fids);\n    server->versioned", "server->versioned")],
     SERVER),
    ("extension only where settled", [("server.c", "return !ops[i].extension || server->extended ? &ops[i] : NULL;",
                                       "return &ops[i];")], SERVER),
    ("what the world may read", [("host.c", "if (!(node->export->flags & GOFER_EXPORT_WORLD))", "if (1)")], SERVER),
]


FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-O0", "-w"]


def compile_one(source, tree, target):
    return subprocess.run(["cc"] + FLAGS + ["-I" + str(tree), "-c", str(source), "-o", str(target)], check=False,
                          stdin=subprocess.DEVNULL).returncode == 0


def compile_all(to):
    """Objects of everything unchanged, by name."""
    sources = sorted((TOP / "gofer").glob("server*.c"))
    sources += [TOP / "gofer/host.c", TOP / "gofer/fid.c", TOP / "abi/ninep/codec.c"]
    sources += [TOP / "tests/unit/gofer" / (test + ".c") for test in (SERVER, RACE)]
    for source in sources:
        if not compile_one(source, TOP, to / (source.stem + ".o")):
            sys.exit("%s does not build" % source)


def verdict(tree, changes, test, objects):
    """True when the test passes, False when it fails, None when it cannot be built."""
    changed = {pathlib.Path(name).stem for name, _, _ in changes}
    linked = [path for path in objects.glob("*.o") if path.stem not in changed | {SERVER, RACE}] + [objects / (test + ".o")]
    for stem in changed:
        if not compile_one(tree / "gofer" / (stem + ".c"), tree, tree / (stem + ".o")):
            return None
        linked.append(tree / (stem + ".o"))
    built = subprocess.run(["cc"] + [str(path) for path in linked] + ["-o", str(tree / "program"), "-lcriterion", "-lpthread"],
                           check=False, stdin=subprocess.DEVNULL)
    if built.returncode:
        return None
    try:
        run = subprocess.run([str(tree / "program"), "-j1"], cwd=tree, check=False, timeout=60, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def mutate(tree, changes):
    """The reason why it cannot be done, or None."""
    for name, text, replacement in changes:
        path = tree / "gofer" / name
        source = path.read_text(encoding="utf-8")
        if text not in source:
            return "%s does not contain %r any more" % (name, text)
        path.write_text(source.replace(text, replacement), encoding="utf-8")
    return None


def check(mutation, objects):
    name, changes, test = mutation
    with tempfile.TemporaryDirectory(prefix="mutation-") as directory:
        tree = pathlib.Path(directory)
        for part in ("abi", "gofer"):
            shutil.copytree(TOP / part, tree / part)
        reason = mutate(tree, changes)
        passes = None if reason else verdict(tree, changes, test, objects)
    good = passes is (not changes)
    reason = reason or ("it does not build" if passes is None else "%s %s" % (test, "passes" if passes else "fails"))
    harness.report("PASS" if good else "FAIL", "mutation: " + name, "" if good else reason)
    return good


CLONE_NEWNS = 0x20000


def start_listening(directory, loop, name=b"files"):
    """A Gofer that exports `directory` to whoever connects. Its process and the socket's path."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = directory + ".sock"
    listener.bind(path)
    listener.listen(5)
    return start_on(directory, loop, listener, name), path


def start_on(directory, loop, listener, name=b"files"):
    """A Gofer that exports `directory` on a socket, listening or connected."""
    config = os.memfd_create("config", 0)
    # struct gofer_config and struct gofer_export (abi/gofer_config.h)
    os.write(config, struct.pack("<IIiIIIIIIIIIIIII", 0x47464331, 64, -1, loop, 0, 0, 0, 0, 0, 0, 1,
                                 0xffffffff, 0xffffffff, 0, 0, 0))
    os.write(config, struct.pack("<64sIiII4096s", name, 0, -1, 0, 0, directory.encode()))
    os.lseek(config, 0, os.SEEK_SET)
    process = subprocess.Popen(
        [str(harness.SENTRY.parent / "gofer"), "--files", "--config-fd", str(config), "--listen-fd", str(listener.fileno())],
        pass_fds=(config, listener.fileno()), stdin=subprocess.DEVNULL,
        preexec_fn=lambda: ctypes.CDLL(None).unshare(CLONE_NEWNS))
    os.close(config)
    listener.close()
    return process


def tool(words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10,
                          check=False)
    return done.returncode, done.stdout.decode("utf-8", "backslashreplace")


def diod_tools(loop):
    name = "diod's tools, %s loop" % ("poll" if loop == 1 else "io_uring")
    missing = None
    if not shutil.which("diodls", path="/usr/sbin:/usr/bin"):
        missing = "diod is not installed"
    elif os.geteuid() != 0:
        missing = "needs root for a mount namespace"
    if missing:
        harness.report("SKIP", name, missing)
        return True
    with tempfile.TemporaryDirectory(prefix="gofer-diod-") as base:
        directory = base + "/files"
        os.mkdir(directory)
        os.mkdir(directory + "/sub")
        pathlib.Path(directory, "file").write_text("hello\n", encoding="ascii")
        pathlib.Path(directory, "sub/deep").write_text("deep\n", encoding="ascii")
        os.symlink("file", directory + "/link")
        process, path = start_listening(directory, loop)
        try:
            time.sleep(0.3)
            listing = tool(["/usr/sbin/diodls", "-s", path, "-a", "files", "-l"])
            words = {line.split()[-1] for line in listing[1].splitlines() if line.split()}
            wanted = [
                (listing[0] == 0 and words >= {"file", "sub"} and "walk" not in listing[1], listing),
                (tool(["/usr/sbin/diodcat", "-s", path, "-a", "files", "file"]) == (0, "hello\n"), "diodcat file"),
                (tool(["/usr/sbin/diodcat", "-s", path, "-a", "files", "sub/deep"]) == (0, "deep\n"), "diodcat sub/deep"),
                (tool(["/usr/sbin/diodcat", "-s", path, "-a", "files", "../files/file"])[0] != 0, "a way out"),
                (tool(["/usr/sbin/diodcat", "-s", path, "-a", "files", "link"])[0] != 0, "a link followed"),
            ]
        finally:
            process.kill()
            process.wait()
    wrong = [what for good, what in wanted if not good]
    harness.report("FAIL" if wrong else "PASS", name, str(wrong[0]) if wrong else "")
    return not wrong


def diodload(loop):
    """Sixteen threads that read one file and write another, as fast as they can."""
    name = "diodload, %s loop" % ("poll" if loop == 1 else "io_uring")
    if not shutil.which("diodload", path="/usr/sbin:/usr/bin") or os.geteuid() != 0:
        harness.report("SKIP", name, "needs diod, and root for a mount namespace")
        return True
    with tempfile.TemporaryDirectory(prefix="gofer-diodload-") as base:
        directory = base + "/ctl"
        os.mkdir(directory)
        with open(directory + "/zero", "wb") as zero:
            zero.truncate(1 << 30)
        pathlib.Path(directory, "null").touch()
        process, path = start_listening(directory, loop, b"ctl")
        try:
            status, output = tool(["/usr/sbin/diodload", "-s", path, "-n", "16", "-r", "2"])
            attributes = tool(["/usr/sbin/diodload", "-s", path, "-n", "16", "-r", "1", "-g"])
            alive = process.poll() is None
        finally:
            process.kill()
            process.wait()
        written = os.stat(directory + "/null").st_size
    good = status == 0 and attributes[0] == 0 and alive and written > 0
    harness.report("PASS" if good else "FAIL", name,
                   "" if good else "%r, %r, %d bytes, alive %s" % (output, attributes, written, alive))
    return good


def connected_socket():
    """--listen-fd with a socket that is connected: it is served, and the Gofer ends with it."""
    name = "a connected socket"
    if os.geteuid() != 0:
        harness.report("SKIP", name, "needs root for a mount namespace")
        return True
    with tempfile.TemporaryDirectory(prefix="gofer-connected-") as directory:
        ours, theirs = socket.socketpair()
        process = start_on(directory, 1, theirs)
        ours.sendall(struct.pack("<IBHIH", 21, 100, 0xffff, 65536, 8) + b"9P2000.L")
        reply = ours.recv(64)
        ours.close()
        try:
            status = process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            status = "none"
    good = reply[4:5] == b"\x65" and reply.endswith(b"9P2000.L") and status == 0
    harness.report("PASS" if good else "FAIL", name, "" if good else "%r, status %s" % (reply, status))
    return good


def main():
    tools = all([diod_tools(1), diod_tools(2), diodload(1), diodload(2), connected_socket()])
    unchanged = [("nothing is taken out (%s)" % test, [], test) for test in (SERVER, RACE)]
    with tempfile.TemporaryDirectory(prefix="mutation-") as directory:
        objects = pathlib.Path(directory)
        compile_all(objects)
        return 0 if harness.parallel(lambda mutation: check(mutation, objects), unchanged + MUTATIONS) and tools else 1


if __name__ == "__main__":
    sys.exit(main())
