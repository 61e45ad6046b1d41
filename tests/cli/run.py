#!/usr/bin/python3
"""The command line: exit statuses, messages, options, signals, standard streams and terminals.

usage: run.py [NAME...]
"""
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import tty

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

WORK = harness.OUT / "cli"
TESTS = {}


def test(function):
    TESTS[function.__name__.replace("_", "-")] = function
    return function


class Failed(Exception):
    pass


def want(condition, *reason):
    if not condition:
        raise Failed(" ".join(str(word) for word in reason))


def sandbox(*words, options=(), env=None, stdin=None, timeout=20):
    return harness.run([harness.SENTRY, *options, "--", *words], WORK, timeout, env=env, stdin=stdin)


def status_of(*words, options=(), text=None, **others):
    result = sandbox(*words, options=options, **others)
    output = result.output.decode("utf-8", "replace")
    want(text is None or text in output, "no `%s` in: %s" % (text, output))
    return result.status


@test
def exit_statuses():
    want(status_of("true") == 0, "true")
    want(status_of("sh", "-c", "exit 42") == 42, "exit 42")
    want(status_of("sh", "-c", "kill -9 $$") == 137, "killed by SIGKILL")
    want(status_of("sh", "-c", "kill -TERM $$") == 143, "killed by SIGTERM")
    want(status_of("sh", "-c", "kill -SEGV $$") == 139, "killed by SIGSEGV")


@test
def an_installed_pair_runs():
    prefix = WORK / "installed"
    subprocess.run(["cmake", "--install", str(harness.BUILD / harness.PRESET), "--prefix", str(prefix)], check=True,
                   stdout=subprocess.DEVNULL)
    done = subprocess.run([str(prefix / "bin" / "sentry"), "--", "sh", "-c", "exit 5"], cwd=WORK, stdin=subprocess.DEVNULL,
                          check=False, timeout=30)
    want(done.returncode == 5, "exit status", done.returncode)


@test
def programs_that_cannot_run():
    (WORK / "text").write_text("no program")
    (WORK / "text").chmod(0o755)
    (WORK / "loop").write_text("#!%s\n" % (WORK / "loop"))
    (WORK / "loop").chmod(0o755)
    (WORK / "closed").write_text("#!/bin/sh\n")
    (WORK / "closed").chmod(0o644)
    (WORK / "arm").write_bytes(b"\x7fELF\2\1\1" + b"\0" * 9 + b"\2\0\xb7\0" + b"\0" * 200)
    (WORK / "arm").chmod(0o755)
    want(status_of("no-such-program", text="No such file") == 127, "a missing name")
    want(status_of("/no/such/program", text="/no/such/program") == 127, "a missing path")
    want(status_of("/etc") == 126, "a directory")
    want(status_of("./closed", text="Permission denied") == 126, "no execute permission")
    want(status_of("./text", text="Exec format error") == 126, "a text without #!")
    want(status_of("./loop") == 126, "a loop of interpreters")
    want(status_of("./arm", text="Exec format error") == 126, "another architecture")


@test
def mistakes_name_what_to_do():
    want(status_of("true", options=["--no-such-option"], text="--help") == 125, "an unknown option")
    want(status_of("true", options=["--bind", "/nowhere:/x"], text="/nowhere") == 125, "a missing source")
    want(status_of("true", options=["--rootfs", "/nowhere"], text="/nowhere") == 125, "a missing root")
    want(status_of("true", options=["--log", "/nowhere/log"], text="/nowhere/log") == 125, "a log that cannot be")
    directory = os.open("/usr", os.O_RDONLY)
    try:
        want(status_of("true", options=["--cwd", "/nowhere"], text="/nowhere") == 125, "a missing working directory")
        want(status_of("true", stdin=directory, text="directory") == 125, "a directory as standard input")
    finally:
        os.close(directory)


@test
def an_overlay_that_has_no_root_is_refused():
    want(status_of("true", options=["--overlay", "none"], text="--rootfs") == 125, "--overlay none")


@test
def proc_net_leaves_out_sockets_of_the_hosts_network():
    # They are of the same families as the sandbox's own, and nothing of theirs may be read as if they were such.
    script = """import socket
held = [socket.socket(family, kind) for family in (socket.AF_INET, socket.AF_INET6) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
for one in held:
    one.bind(("::1" if one.family == socket.AF_INET6 else "127.0.0.1", 0))
held[0].listen()
for name in "tcp", "udp", "tcp6", "udp6", "raw", "unix":
    print(name, len(open("/proc/net/" + name).readlines()) - 1)"""
    for network, count in ("none", 1), ("host", 0):
        result = sandbox("python3", "-c", script, options=["--network=%s" % network])
        rows = "".join("%s %d\n" % (name, count) for name in ("tcp", "udp", "tcp6", "udp6")) + "raw 0\nunix 0\n"
        want(result.output.decode() == rows, network, result.output.decode())


@test
def an_overlay_may_keep_its_files_in_a_store_of_the_host_and_has_a_size():
    store, root = WORK / "store", WORK / "shown"
    store.mkdir(exist_ok=True)
    root.mkdir(exist_ok=True)
    (root / "below").write_bytes(b"x" * 200000)
    script = """import os
for size in 1 << 20, 3 << 20, 200000:
    name = "file%d" % size if size != 200000 else "below"
    with open(name, "r+b" if size == 200000 else "w+b") as f:
        f.seek(size - 5)
        f.write(b"begin")
        f.seek(0)
        f.write(os.urandom(size // 2))
    print(name, os.path.getsize(name), open(name, "rb").read()[-5:])
try:
    with open("too-large", "wb") as f:
        f.write(bytes(range(256)) * (64 << 12))
except OSError as e:
    print(e.errno)
print(os.statvfs(".").f_blocks)
print(input())"""
    def start(*options):
        return subprocess.Popen([harness.SENTRY, "--timeout", "30s", *options, "--", "python3", "-u", "-c", script], cwd=root, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    def nameless_files():
        """Sizes of files without a name that some process has open where the store is."""
        found = set()
        for link in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
            try:
                st = link.stat()
            except OSError:
                continue
            if st.st_dev == store.stat().st_dev and st.st_nlink == 0:
                found.add(st.st_size)
        return found
    expected = "file1048576 1048576 b'begin'\nfile3145728 3145728 b'begin'\nbelow 200000 b'begin'\n28\n8192\n"
    sizes = {1 << 20, 3 << 20, 200000}
    for options, kept in (["--overlay", "memory,size=32m"], False), (["--overlay", "file=%s,size=32m" % store], True):
        with start(*options) as sandbox:
            said = "".join(sandbox.stdout.readline() for _ in range(5))
            want(said == expected, options, "gave", said, sandbox.stderr.read() if not said else "")
            if os.geteuid() == 0:
                want(bool(sizes <= nameless_files()) == kept, options, "files in the store:", nameless_files())
            sandbox.communicate("end", timeout=20)
    want(os.listdir(store) == [] and (root / "below").read_bytes() == b"x" * 200000, "something was left behind")
    want(status_of("true", options=["--overlay", "file=/nowhere"], text="/nowhere") == 125, "a missing store")
    want(status_of("true", options=["--overlay", "file=/proc"], text="/proc") == 125, "a store that takes no files")
    want(status_of("true", options=["--overlay", "memory,size=x"], text="size") == 125, "a size that is none")


@test
def pipes_and_sockets_are_made_on_the_host_when_asked_for():
    out = WORK / "nodes"
    script = """import errno, os, socket
for name, make in ("fifo", lambda: os.mkfifo("/out/fifo")), ("socket", lambda: socket.socket(socket.AF_UNIX).bind("/out/socket")):
    try:
        make()
        print(name, "made")
    except OSError as e:
        print(name, errno.errorcode[e.errno])"""
    for asked, fifo, made in ((), "EPERM", "EPERM"), (("--host-nodes", "fifos"), "made", "EPERM"), \
            (("--host-nodes", "sockets"), "EPERM", "made"), (("--host-nodes", "all"), "made", "made"):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        result = sandbox("python3", "-c", script, options=["--bind", "%s:/out:rw" % out, *asked])
        want(result.output.decode() == "fifo %s\nsocket %s\n" % (fifo, made), asked, "gave", result.output)
        names = [name for name, how in (("fifo", fifo), ("socket", made)) if how == "made"]
        want(sorted(os.listdir(out)) == names, asked, "left", os.listdir(out))
    want(status_of("true", options=["--host-nodes", "devices"], text="fifos") == 125, "nodes that there are not")


@test
def options_have_their_effect():
    def says(expected, *words, options=()):
        result = sandbox(*words, options=options)
        want(result.status == 0 and result.output.decode().strip() == expected, options, "gave", result.status, result.output)
    says("A=b", "/usr/bin/env", options=["--clear-env", "--env", "A=b"])
    says("C.UTF-8 x", "sh", "-c", "echo $LANG $NEW", options=["--env", "NEW=x"])
    says("5:6", "sh", "-c", "echo $(id -u):$(id -g)", options=["--user", "5:6"])
    says("other", "hostname", options=["--hostname", "other"])
    says("/etc", "pwd", options=["--cwd", "/etc"])
    says("700", "stat", "-c", "%a", "/mnt/x", options=["--tmpfs", "/mnt/x:size=1m,mode=700"])
    says("yes", "sh", "-c", "test -d /mnt/u/bin && ! touch /mnt/u/x 2>/dev/null && echo yes", options=["--bind", "/usr:/mnt/u"])
    says("yes", "sh", "-c", "echo changed > file && cat file > /dev/null && echo yes")
    want(not (WORK / "file").exists(), "a write in the current directory reached the host")
    shared = harness.fresh_directory(WORK / "shared")
    says("", "sh", "-c", "echo written > /mnt/s/file", options=["--bind", "%s:/mnt/s:rw" % shared])
    want((shared / "file").read_text() == "written\n", "a write below --bind :rw did not reach the host")


@test
def what_a_program_inherits():
    script = "ulimit -Sn 321; ulimit -c 0; ulimit -Ss 2048; umask 027; trap '' HUP; exec nice -n 3 %s -- sh -c 'ulimit -Sn; " \
             "ulimit -Ss; umask; kill -HUP $$; nice; cut -d\" \" -f19 /proc/self/stat; echo alive'" % harness.SENTRY
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    output = harness.run(["bash", "-c", script], WORK).output
    want(output == b"321\n2048\n0027\n%d\n%d\nalive\n" % ((min(mine + 3, 19),) * 2), output)


@test
def another_root():
    root = harness.fresh_directory(WORK / "root")
    (root / "bin").mkdir()
    for name in ("busybox", "sh"):
        shutil.copy2("/bin/busybox", root / "bin" / name)
    script = "test ! -e /usr && echo new > /made && cat /made && pwd"
    want(sandbox("sh", "-c", script, options=["--rootfs", root]).output == b"new\n/\n", "a root with writes in memory")
    want(not (root / "made").exists(), "a write to the root reached the host")
    want(status_of("sh", "-c", script, options=["--rootfs", root, "--overlay", "none"], text="new") == 0, "--overlay none")
    want((root / "made").read_text() == "new\n", "a write with --overlay none did not reach the host")


NETWORK = """
import socket, sys, threading
port = int(sys.argv[1])
outside = socket.create_connection(("127.0.0.1", port))
outside.sendall(b"from inside")
print(outside.recv(100).decode(), outside.getpeername() == ("127.0.0.1", port))
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
def count():
    peer, _ = listener.accept()
    total = 0
    while data := peer.recv(65536):
        total += len(data)
    print("received", total)
thread = threading.Thread(target=count)
thread.start()
with socket.create_connection(listener.getsockname()) as c:
    c.sendall(b"x" * 3000000)
thread.join()
with socket.create_connection(listener.getsockname()) as c, listener.accept()[0] as peer:
    c.sendall(b"x" * 1000)
    while len(peer.recv(1000, socket.MSG_PEEK)) < 1000:
        pass
    print("thrown away", [len(peer.recv(100, socket.MSG_TRUNC | flags)) for flags in (0, socket.MSG_WAITALL)], len(peer.recv(1000)))
a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
a.bind(("127.0.0.1", 0))
b.sendto(b"datagram", a.getsockname())
print(a.recvfrom(100)[0].decode())
for family in (socket.AF_PACKET, socket.AF_VSOCK):
    try:
        socket.socket(family, socket.SOCK_DGRAM)
        print("a socket of family", family)
    except OSError as error:
        print("refused")
"""


POLICY = """
import socket, sys
port = int(sys.argv[1])
def attempt(what, *call):
    try:
        result = call[0](*call[1:])
        print(what, "ok" if result is None or isinstance(result, int) else result)
    except OSError as error:
        print(what, error.strerror)
def inet(kind, family=socket.AF_INET):
    s = socket.socket(family, kind)
    s.settimeout(5)
    return s
tcp, udp = socket.SOCK_STREAM, socket.SOCK_DGRAM
attempt("allowed", inet(tcp).connect, ("127.0.0.1", port))
attempt("as this host", inet(tcp).connect, ("0.0.0.0", port))
attempt("mapped", inet(tcp, socket.AF_INET6).connect, ("::ffff:127.0.0.1", port))
attempt("another address", inet(tcp).connect, ("127.0.0.2", port))
attempt("IPv6", inet(tcp, socket.AF_INET6).connect, ("::1", port))
attempt("another port", inet(tcp).connect, ("127.0.0.1", 1))
attempt("another protocol", inet(udp).sendto, b"x", ("127.0.0.1", port))
attempt("connecting it", inet(udp).connect, ("127.0.0.1", port))
attempt("listening anywhere", inet(tcp).listen)
attempt("bind", inet(tcp).bind, ("127.0.0.1", port))
attempt("bind everywhere", inet(tcp).bind, ("0.0.0.0", 0))
server, stranger = inet(udp), inet(udp)
attempt("server", server.bind, ("127.0.0.1", int(sys.argv[2])))
attempt("a stranger", stranger.sendto, b"question", server.getsockname())
data, peer = server.recvfrom(100)
attempt("answer", server.sendto, b"answer", peer)
print(stranger.recvfrom(100)[0].decode())
stranger.setblocking(False)
attempt("nobody else", inet(udp).sendto, b"unasked", stranger.getsockname())
"""


@test
def a_policy_of_the_network():
    with socket.socket() as listener, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        free.bind(("127.0.0.1", 0))
        port, other = (str(s.getsockname()[1]) for s in (listener, free))
        free.close()
        (WORK / "policy.py").write_text(POLICY)
        rules = ["--network", "host", "--allow-connect", "tcp:127.0.0.1:%s,udp:127.0.0.1:%s" % (port, other), "--allow-bind",
                 "udp:127.0.0.0/8:%s" % other]
        result = sandbox("python3", "policy.py", port, other, options=rules)
        want(result.output.decode().splitlines() == [
            "allowed ok", "as this host ok", "mapped ok", "another address Permission denied", "IPv6 Permission denied",
            "another port Permission denied", "another protocol Permission denied", "connecting it Permission denied",
            "listening anywhere Permission denied", "bind Permission denied", "bind everywhere ok", "server ok", "a stranger ok",
            "answer ok", "answer", "nobody else Permission denied"], result.output)
        (WORK / "network.py").write_text(NETWORK)
        for rules in (["--allow-connect", "none"], ["--allow-bind", "*"]):
            result = sandbox("python3", "network.py", port, options=["--network=host", *rules])
            want(b"PermissionError" in result.output and b"received" not in result.output, rules, result.output)
    want(status_of("true", options=["--allow-connect", "none"]) == 125, "a policy without a network")


@test
def the_network_of_the_host():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])

        def answer():
            try:
                peer, _ = listener.accept()
                with peer:
                    peer.sendall(b"answer to " + peer.recv(100))
            except OSError:
                pass
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        (WORK / "network.py").write_text(NETWORK)
        result = sandbox("python3", "network.py", port, options=["--network", "host"])
        expected = b"answer to from inside True\nreceived 3000000\nthrown away [100, 100] 800\ndatagram\nrefused\nrefused\n"
        want(result.output == expected, result.output)
        threading.Thread(target=answer, daemon=True).start()
        result = sandbox("python3", "network.py", port, options=["--network=host", "--allow-connect=127.0.0.0/8",
                                                                 "--allow-bind=tcp:127.0.0.1"])
        want(result.output == expected, "under a policy:", result.output)
        result = sandbox("python3", "network.py", port)
        want(b"ConnectionRefusedError" in result.output, "--network=none reached the host:", result.output)


@test
def internet_programs_on_the_network_of_the_host():
    for name in ("inet_sockets", "polling", "closed_while_waiting"):
        shutil.copy2(harness.BUILD / "release/tests/guest" / (name + ".dynamic"), WORK / "prog")
        native = harness.run(["./prog"], WORK, 30)
        for rules in ([], ["--allow-connect", "*", "--allow-bind", "*"]):
            result = sandbox("./prog", options=["--network=host", *rules], timeout=30)
            want(result.output == native.output and result.status == 0, name, rules, result.output[-800:])


LINGER = """
import os, socket, struct, sys, threading, time
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
client.setblocking(False)
try:
    while client.send(bytes(65536)):
        pass
except BlockingIOError:
    pass
linger = struct.pack("ii", 1, int(sys.argv[1]))
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
print("set", client.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == linger)
closing = threading.Thread(target=client.close)
closing.start()
begin = time.monotonic()
while time.monotonic() < begin + 0.5:
    os.stat("/usr")
print("goes on", time.monotonic() < begin + 4, flush=True)
listener.accept()[0].close()
closing.join()
"""


@test
def a_linger_stops_nobody():
    (WORK / "linger.py").write_text(LINGER)
    for rules in ([], ["--allow-connect", "*", "--allow-bind", "*"]):
        result = sandbox("python3", "linger.py", 8, options=["--network=host", *rules], timeout=30)
        want(result.output == b"set True\ngoes on True\n" and result.status == 0, rules, result.output)


INTERFACES = """
import array, fcntl, socket, struct, subprocess
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def ask(command, name, value=0):
    try:
        return fcntl.ioctl(s, command, struct.pack("16si20x", name.encode(), value))[16:32].hex()
    except OSError as error:
        return error.strerror
for number, name in socket.if_nameindex():
    print(number, name, *(ask(command, name) for command in (0x8913, 0x8915, 0x8917, 0x8919, 0x891b, 0x8921, 0x8927, 0x8933, 0x8942)))
    print(fcntl.ioctl(s, 0x8910, struct.pack("16si20x", b"", number))[:16])
print(ask(0x8913, "nosuch"), ask(0x8915, "nosuch"))
room = array.array("B", bytes(4096))
length, = struct.unpack("i12x", fcntl.ioctl(s, 0x8912, struct.pack("iiQ", len(room), 0, room.buffer_info()[0])))
print(length, bytes(room[:length]))
print(sorted(a[4][0] for a in socket.getaddrinfo("localhost", 80, flags=socket.AI_ADDRCONFIG, type=socket.SOCK_STREAM)))
for words in ("-o addr", "link", "route", "-6 route", "route get 127.0.0.1", "link show lo", "link show nosuch", "rule"):
    print(subprocess.run(["ip", *words.split()], capture_output=True, check=False))
"""


@test
def interfaces_of_the_host():
    (WORK / "interfaces.py").write_text(INTERFACES)
    native = harness.run(["python3", "interfaces.py"], WORK, 20)
    for rules in ([], ["--allow-connect", "none"]):
        result = sandbox("python3", "interfaces.py", options=["--network=host", *rules])
        want(result.output == native.output and result.status == 0, result.output, "and natively", native.output)
    result = sandbox("ip", "link", "set", "lo", "mtu", "65536", options=["--network=host"])
    want(result.status != 0 and b"not permitted" in result.output, result.output)


@test
def hidden_places_stay_hidden():
    # The way to the current directory is the only thing that may be there.
    way = {part.encode() for part in WORK.parts}
    for place in ("/home", "/root", "/var", "/run"):
        inside = set(sandbox("sh", "-c", "ls -A %s 2>/dev/null" % place).output.split())
        want(inside <= way, place, "shows", inside)
    if os.geteuid() == 0:
        want(sandbox("cat", "/etc/shadow").status != 0, "/etc/shadow can be read")


@test
def time_limit():
    start = time.monotonic()
    want(status_of("sleep", "20", options=["--timeout", "0.3"]) == 143, "not ended by SIGTERM")
    want(status_of("sh", "-c", "trap '' TERM; sleep 20; sleep 20", options=["--timeout", "0.3"]) == 137, "not ended at all")
    want(time.monotonic() - start < 10, "too late")


@test
def signals_reach_the_program():
    script = "trap 'echo got TERM; exit 3' TERM; trap 'echo got HUP; exit 4' HUP; trap 'echo got INT; exit 5' INT; " \
             "trap 'echo got USR1; exit 6' USR1; echo ready; while :; do sleep 0.05; done"
    for name, status in (("TERM", 3), ("HUP", 4), ("INT", 5), ("USR1", 6)):
        with subprocess.Popen([harness.SENTRY, "--", "bash", "-c", script], cwd=WORK, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=harness.ENVIRONMENT,
                              start_new_session=True) as child:
            want(child.stdout.readline() == b"ready\n", "no start")
            child.send_signal(getattr(signal, "SIG" + name))
            try:
                output, _ = child.communicate(timeout=10 * harness.SLOWER)
            except subprocess.TimeoutExpired:
                child.kill()
                raise Failed("the program did not get SIG" + name) from None
            want(child.returncode == status and b"got " + name.encode() in output, name, child.returncode, output)


@test
def standard_streams():
    (WORK / "in").write_text("one\ntwo\n")
    script = "exec %s -- sh -c 'cat; echo error >&2' < in > out 2> err" % harness.SENTRY
    want(harness.run(["sh", "-c", script], WORK).status == 0, "files")
    want((WORK / "out").read_text() == "one\ntwo\n" and (WORK / "err").read_text() == "error\n", "contents of files")
    script = "(echo a; %s -- echo b; echo c) > appended" % harness.SENTRY
    harness.run(["sh", "-c", script], WORK)
    want((WORK / "appended").read_text() == "a\nb\nc\n", "shared offset:", (WORK / "appended").read_text())
    script = "echo x | %s -- cat | cat" % harness.SENTRY
    want(harness.run(["sh", "-c", script], WORK).output == b"x\n", "pipes")
    script = "exec %s -- sh -c 'test ! -e /proc/self/fd/0 && echo closed' 0<&-" % harness.SENTRY
    want(b"closed" in harness.run(["sh", "-c", script], WORK).output, "a closed stream is open inside")
    script = "exec 7</etc/hostname; exec %s -- sh -c 'test ! -e /proc/self/fd/7 && echo closed'" % harness.SENTRY
    want(b"closed" in harness.run(["sh", "-c", script], WORK).output, "an inherited descriptor is open inside")


# Answers each byte; the next one comes just when it looks whether there is one.
ECHO = """
import os, select, sys
p = select.poll()
p.register(0, select.POLLIN)
wait = p.poll if sys.argv[1] == "poll" else lambda: select.select([0], [], [])
while wait() and (byte := os.read(0, 1)):
    os.write(1, byte)
"""


def echo(how, near, far):
    command = [harness.SENTRY, "--", "python3", "-c", ECHO, how]
    with subprocess.Popen(command, cwd=WORK, stdin=far, stdout=far, env=harness.ENVIRONMENT, start_new_session=True) as sandbox:
        try:
            for turn in range(2000):
                os.write(near, b"x")
                want(select.select([near], [], [], 10 * harness.SLOWER)[0], how, "misses byte", turn)
                os.read(near, 1)
        finally:
            sandbox.terminate()


@test
def input_that_comes_while_a_poll_begins():
    for how in ("poll", "select"):
        near, far = socket.socketpair()
        echo(how, near.fileno(), far)
        near, far = pty.openpty()
        tty.setraw(far)
        echo(how, near, far)
        os.close(near)
        os.close(far)


class Terminal:
    """A sandbox on a terminal of its own, as an interactive shell's child would be."""

    def __init__(self, *words, options=(), native=False):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(WORK)
            words = list(words) if native else [str(harness.SENTRY), *options, "--", *words]
            os.execvpe(words[0], words, {**harness.ENVIRONMENT, "PS1": "prompt> ", "TERM": "xterm"})
        self.size(24, 80)
        self.text = b""

    def size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self):
        return termios.tcgetattr(self.fd)

    def send(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, timeout=10):
        """Read until the pattern matches what came since the last match."""
        end = time.monotonic() + timeout * harness.SLOWER
        while True:
            match = re.search(pattern.encode(), self.text)
            if match:
                self.text = self.text[match.end():]
                return match
            left = end - time.monotonic()
            ready = select.select([self.fd], [], [], max(left, 0))[0]
            if not ready:
                raise Failed("no `%s` in %r" % (pattern, self.text[-300:]))
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                data = b""
            if not data:
                raise Failed("the terminal closed before `%s`: %r" % (pattern, self.text[-300:]))
            self.text += data

    def wait(self, options=0, timeout=10):
        end = time.monotonic() + timeout * harness.SLOWER
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG | options)
            if pid:
                return status
            time.sleep(0.01)
        raise Failed("no end; %r" % self.text[-300:])

    def close(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)


def with_terminal(function, *words, native=False):
    terminal = Terminal(*words, native=native)
    try:
        function(terminal)
    finally:
        terminal.close()


@test
def interactive_shell():
    def talk(t):
        t.expect("prompt> ")
        t.send("echo one$((1+1))\n")
        t.expect("one2")
        t.expect("prompt> ")
        t.send("echo abX\x7fc\n")  # line editing
        t.expect("\nabc|abc\r")
        t.expect("prompt> ")
        t.send("sleep 100\n")
        time.sleep(0.3)
        t.send("\x03")
        t.expect("prompt> ")
        t.send("echo st=$?\n")
        t.expect("st=130")
        t.expect("prompt> ")
        t.send("sleep 100\n")
        time.sleep(0.3)
        t.send("\x1a")
        t.expect("Stopped")
        t.expect("prompt> ")
        t.send("jobs\n")
        t.expect("Stopped +sleep 100")
        t.send("fg\n")
        t.expect("sleep 100")
        time.sleep(0.2)
        t.send("\x03")
        t.expect("prompt> ")
        t.size(33, 99)
        t.send("stty size\n")
        t.expect("33 99")
        t.expect("prompt> ")
        t.send("exit 7\n")
        want(os.WEXITSTATUS(t.wait()) == 7, "exit status")
    with_terminal(talk, "bash", "--norc", "-i")


@test
def terminal_keys_without_a_shell():
    def talk(t):
        t.expect("ready")
        t.send("\x03")
        t.expect("got INT")
        want(os.WEXITSTATUS(t.wait()) == 5, "exit status")
    with_terminal(talk, "sh", "-c", "trap 'echo got INT; exit 5' INT; echo ready; while :; do sleep 0.05; done")


# A shell with job control, as far as one command needs it.
SHELL = """
import os, signal, sys, time
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    _, status = os.waitpid(child, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpgrp())
    if not os.WIFSTOPPED(status):
        break
    os.write(1, b"shell: stopped\\n")
    time.sleep(0.2)
    os.tcsetpgrp(0, child)
    os.kill(-child, signal.SIGCONT)
os.write(1, b"shell: ended %d\\n" % os.WEXITSTATUS(status))
"""


@test
def a_stopped_program_stops_the_command():
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(WORK)
        os.execve(sys.executable, [sys.executable, "-c", SHELL, str(harness.SENTRY), "--", "sh", "-c",
                                   "echo ready; sleep 1.5; echo done; exit 9"], harness.ENVIRONMENT)
    t = Terminal.__new__(Terminal)
    t.pid, t.fd, t.text = pid, fd, b""
    try:
        t.expect("ready")
        time.sleep(0.2)
        t.send("\x1a")
        t.expect("shell: stopped")
        t.expect("done")
        t.expect("shell: ended 9")
    finally:
        t.close()


@test
def a_reader_in_the_background_is_stopped():
    def talk(t):
        t.expect("outer> ")
        t.send("%s -- cat &\n" % harness.SENTRY)
        t.expect("outer> ")
        end = time.monotonic() + 10 * harness.SLOWER
        while True:  # the shell tells before its next prompt
            t.send("\n")
            if t.expect("outer> |Stopped").group() == b"Stopped":
                break
            want(time.monotonic() < end, "not stopped")
            time.sleep(0.05)
        for line in ("one", "two"):  # the shell gets its input
            t.send("echo =%s=\n" % line)
            t.expect("(\n|outer> )=%s=\r" % line)
        t.send("fg\n")
        t.expect("-- cat\r\n")
        t.send("from the terminal\n")
        t.expect("from the terminal\r\nfrom the terminal\r\n")
        t.send("\x04")
        t.expect("outer> ")
        # One that ends in the background leaves the modes, which are now the shell's.
        t.send("stty -echo; %s -- sleep 0.3 & stty -ixon; wait; stty -a | grep -o -- -ixon\n" % harness.SENTRY)
        t.expect("\n-ixon\r")
        t.send("exit 4\n")
        want(os.WEXITSTATUS(t.wait()) == 4, "exit status")
    t = Terminal("env", "PS1=outer> ", "bash", "--norc", "--noediting", "-i", native=True)
    try:
        talk(t)
    finally:
        t.close()


@test
def keys_do_not_stop_what_no_shell_can_continue():
    def talk(t):
        t.expect("ready")
        t.send("\x1a")
        t.expect("done")
        want(os.WEXITSTATUS(t.wait()) == 0, "exit status")
    with_terminal(talk, "sh", "-c", "echo ready; sleep 0.5; echo done")


@test
def a_closed_stream_is_closed_outside():
    started = time.monotonic()
    with subprocess.Popen(["bash", "-c", "cat < <(%s -- sh -c 'exec >&- 2>&-; sleep 3')" % harness.SENTRY], cwd=WORK,
                          stdin=subprocess.DEVNULL, env=harness.ENVIRONMENT) as child:
        child.wait(10)
    want(time.monotonic() - started < 2, "the reader waits for the sandbox's end")


@test
def a_terminal_that_nobody_reads_stops_no_timer():
    shared = WORK / "ticks"
    shared.mkdir(exist_ok=True)
    t = Terminal("sh", "-c", "(while :; do date +%N > /ticks/t; sleep 0.1; done) & yes", options=["--bind", "%s:/ticks:rw" % shared])
    try:
        time.sleep(1.5)
        before = (shared / "t").read_text()
        time.sleep(1)
        want((shared / "t").read_text() != before, "timers stand still")
        os.kill(t.pid, signal.SIGTERM)
        want(os.WEXITSTATUS(t.wait()) == 143, "SIGTERM does not get through")
    finally:
        t.close()


@test
def a_terminal_that_goes_away_hangs_up():
    t = Terminal("sleep", "100")
    time.sleep(0.5)
    os.close(t.fd)
    try:
        want(os.WEXITSTATUS(t.wait()) == 129, "not SIGHUP's status")
    finally:
        t.fd = os.open("/dev/null", os.O_RDWR)
        t.close()


@test
def terminal_modes_are_restored():
    for how in ("end", "kernel", "term"):
        t = Terminal("sh", "-c", "stty raw -echo; echo ready; sleep 100" if how != "end" else "stty raw -echo; echo ready")
        try:
            before = t.modes()
            t.expect("ready")
            if how == "kernel":
                children = (pathlib.Path("/proc") / str(t.pid) / "task" / str(t.pid) / "children").read_text().split()
                for child in children:
                    if b"sentry-kernel" in (pathlib.Path("/proc") / child / "cmdline").read_bytes():
                        os.kill(int(child), signal.SIGKILL)
            elif how == "term":
                os.kill(t.pid, signal.SIGTERM)
            t.wait()
            want(t.modes() == before, "after", how)
        finally:
            t.close()


@test
def a_running_sandbox_tells_its_stacks():
    with subprocess.Popen([harness.SENTRY, "--", "sh", "-c", "echo ready; sleep 30"], cwd=WORK, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=harness.ENVIRONMENT) as child:
        try:
            want(child.stdout.readline() == b"ready\n", "no start")
            time.sleep(0.2)
            done = subprocess.run([harness.SENTRY, "debug", "--stacks", str(child.pid)], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=10, check=False)
            want(done.returncode == 0 and b"sleep" in done.stdout and b"nanosleep" in done.stdout, done.returncode, done.stdout)
        finally:
            child.kill()


@test
def each_feature_can_be_done_without():
    names = subprocess.run([harness.SENTRY, "--disable-feature", "list"], stdout=subprocess.PIPE, timeout=10,
                           check=False).stdout.decode().split()
    want(len(names) > 3, "names", names)
    for name in names:
        want(status_of("sh", "-c", "ls -l / | wc -l >/dev/null && exit 3", options=["--disable-feature", name]) == 3, "without", name)
    want(status_of("true", options=["--disable-feature", "no-such"], text="no-such") == 125, "an unknown feature")
    want(status_of("true", options=["--disable-feature", ",".join(names[:2]), "--disable-feature", names[2]]) == 0, "a list")
    want(status_of("true", options=["--disable-feature", names[0] + ",other"], text="`other`") == 125, "an unknown one in a list")


def printed(*words, stdout=subprocess.PIPE):
    return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                          timeout=30, check=False)


@test
def help_lists_what_each_command_takes():
    gofer = pathlib.Path(harness.SENTRY).with_name("gofer")
    for words, options in ((["create"], ("--bundle", "--preserve-fds", "--log-format")), (["run"], ("--keep", "--detach")),
                           (["exec"], ("--cwd", "--user", "--process")), (["update"], ("--memory", "--resources")),
                           (["kill"], ("--all",)), (["delete"], ("--force",)), (["ps"], ("--guest",)), (["list"], ("--quiet",)),
                           (["events"], ("--interval",)), (["state"], ("--root",)), (["checkpoint"], ("--root",)),
                           (["debug"], ("--stacks", "--root")), (["check"], ("no options",)), ([], ("--rootfs", "--stacks")),
                           (["install"], ("--dry-run",)), (["spec"], ("--rootless",)), (["features"], ("JSON",))):
        done = printed(harness.SENTRY, *words, "--help")
        want(done.returncode == 0 and not done.stderr, words, done)
        for option in options:
            want(option in done.stdout.decode(), words, "--help has no", option)
        with open("/dev/full", "w") as full:
            done = printed(harness.SENTRY, *words, "--help", stdout=full)
        want(done.returncode != 0 and b"No space left" in done.stderr, words, "--help to a full disk", done)
    done = printed(gofer, "--help")
    want(done.returncode == 0 and all(mode in done.stdout for mode in (b"--files", b"--proc", b"--net")), done)
    with open("/dev/full", "w") as full:
        want(printed(gofer, "--help", stdout=full).returncode != 0, "gofer --help to a full disk")
    for words in (["check", "--no"], ["debug"], ["debug", "--no"], ["debug", "--stacks", "1", "2"]):
        want(printed(harness.SENTRY, *words).returncode == 125, words)


@test
def the_host_is_checked():
    done = subprocess.run([harness.SENTRY, "check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False)
    want(done.returncode == 0 and b"seccomp notification" in done.stdout, done.stdout)


def main():
    harness.fresh_directory(WORK)
    ok = True
    for name, function in TESTS.items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        try:
            function()
            harness.report("PASS", name)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            harness.report("FAIL", name, str(error)[:1500])
            ok = False
    sys.exit(0 if ok else 1)


main()
