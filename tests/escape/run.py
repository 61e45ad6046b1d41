#!/usr/bin/python3
"""Escape: invariants on the running system, a hostile Sentry, and sudden deaths.

usage: run.py [--rounds N] [NAME...]    names: inspect, hostile, guests, features, broker, policy, bounds, kill, mutations

Each mutation takes one protection out of a second pair of programs (tests/escape/CMakeLists.txt); the check that claims
to see that protection must fail then, or the check itself is worth nothing.
"""
import argparse
import contextlib
import errno
import os
import pathlib
import pty
import shutil
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
MUTANTS = harness.BUILD / "release/tests/escape"
ORDINARY_USER = 65533
# Everything that an ordinary user must be able to execute.
SHARED = pathlib.Path("/var/tmp/sentry-escape-test")

# mutation -> the check of inspect_sandbox.py that must see it, and whether as an ordinary user
MUTATIONS = {
    "capabilities": ("capabilities", False),
    "dumpable": ("dumpable", True),
    "empty-root,landlock": ("empty-root", False),
    "kernel-namespaces": ("kernel-namespaces", False),
    "guest-namespaces": ("guest-namespaces", False),
    "namespace-limits": ("namespace-limits", False),
    "descriptors": ("descriptors", False),
    "limits": ("limits", False),
    "oom": ("oom", False),
    "session": ("session", False),
    "sentry-filter": ("filters", False),
    "gofer-filter": ("filters", False),
    "seals": ("seals", False),
}
# mutations -> what the hostile guest must get hold of then, and whether as an ordinary user
REACHES = {
    "landlock": ("openat /\n", False),
    "landlock,empty-root": ("openat /etc/passwd\n", False),
    "namespace-limits,capabilities": ("unshare of a ", False),
    "read-only": ("fchmod of descriptor", True),
}


# mutations -> what the output or the log of the guest `bounds` must say then, in a line of its own
BOUNDS = {
    "careless-handler,continue-guard": b"the host answers uname",
    "log-escape": b"\x1b[31mred",
    "table-limit": b"more descriptors than the limit",
}


def python(script, *words, timeout, user=None):
    """One of the scripts beside this one, as root in a pid namespace of its own. Its lines."""
    argv = harness.isolation(timeout) + [sys.executable, "-B", str(HERE / script)] + [str(word) for word in words]
    if user is not None:
        argv += ["--user", str(user)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          timeout=timeout + 10, start_new_session=True)
    return done.stdout.decode("utf-8", "backslashreplace").splitlines()


def verdicts(prefix, lines):
    known = [line for line in lines if line.startswith(("PASS ", "FAIL "))]
    if not known:
        harness.report("FAIL", prefix, "no verdict", lines[-10:])
    for line in known:
        verdict, _, rest = line.partition(" ")
        name, _, reason = rest.partition(": ")
        harness.report(verdict, "%s %s" % (prefix, name), reason)


def program(directory, name):
    """A copy that everybody may execute."""
    target = SHARED / directory / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        source = MUTANTS / name if directory == "mutants" else harness.SENTRY.parent / name
        shutil.copy2(source, target)
        target.chmod(0o755)
    return target


def sentry(directory):
    program(directory, "gofer")
    return program(directory, "sentry")


def test_inspect():
    real = sentry("real")
    fallbacks = [word for name in ("pidfd-getfd", "wait-killable", "io-uring")
                 for word in ("--option=--disable-feature=%s" % name,)]
    verdicts("inspect as root:", python("inspect_sandbox.py", real, timeout=30))
    verdicts("inspect as a user:", python("inspect_sandbox.py", real, timeout=30, user=ORDINARY_USER))
    verdicts("inspect with a network:", python("inspect_sandbox.py", real, "--option=--network=host", timeout=30))
    verdicts("inspect with a network, as a user:",
             python("inspect_sandbox.py", real, "--option=--network=host", timeout=30, user=ORDINARY_USER))
    verdicts("inspect with fallbacks:", python("inspect_sandbox.py", real, *fallbacks, timeout=30))
    # What --nested does not waive. An ordinary user may not shrink the bounding set, which no_new_privs makes void.
    checks = ["capabilities", "no-new-privs", "filters", "dumpable", "guest-descriptors", "memory-descriptors", "descriptors",
              "monitor-descriptors", "limits", "oom", "session", "seals", "user"]
    nested = ["--option=--nested", "--option=--disable-feature=process-vm,pidfd-getfd"]
    verdicts("inspect nested:", python("inspect_sandbox.py", real, *checks, "bounding-sets", *nested, timeout=30))
    verdicts("inspect nested as a user:", python("inspect_sandbox.py", real, *checks, *nested, timeout=30, user=ORDINARY_USER))


def test_kill(rounds):
    real = sentry("real")
    verdicts("kill Sentry and Gofer as root:", python("kill_sandbox.py", real, "--rounds", rounds, "--victims", "kernel,gofer",
                                                      timeout=60 + rounds))
    verdicts("kill the other parts as root:", python("kill_sandbox.py", real, "--rounds", rounds // 4, "--victims",
                                                     "monitor,zygote,proc_gofer", timeout=60 + rounds))
    verdicts("kill as a user:", python("kill_sandbox.py", real, "--rounds", rounds // 4, timeout=120, user=ORDINARY_USER))
    verdicts("kill with everything stopped:", python("kill_sandbox.py", real, "--stopped", timeout=30))
    verdicts("kill with everything stopped, as a user:",
             python("kill_sandbox.py", real, "--stopped", timeout=30, user=ORDINARY_USER))
    lines = python("kill_sandbox.py", sentry("mutants"), "--stopped", "--mutation", "parent-death", timeout=30)
    seen = any(line.startswith("FAIL ") for line in lines)
    harness.report("PASS" if seen else "FAIL", "mutation parent-death", "" if seen else "not seen by the kill test",
                   [] if seen else lines[-3:])


@contextlib.contextmanager
def host_targets():
    """What a guest might get hold of: a loopback port, an abstract socket, and a terminal. Yields (port, name, terminal)."""
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as abstract:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        name = "sentry-escape-%d" % os.getpid()
        abstract.bind("\0" + name)
        abstract.listen()
        master, slave = pty.openpty()
        try:
            yield tcp.getsockname()[1], name, slave
        finally:
            os.close(master)
            os.close(slave)


def hostile(mutation, user=None):
    """The output of the hostile guest under a hostile Sentry."""
    work = harness.fresh_directory(SHARED / "work", user)
    shutil.copy2(MUTANTS / "reach", work / "reach")
    if user is not None:
        os.chown(work / "reach", user, user)
    with host_targets() as (port, name, terminal):
        words = [sentry("mutants"), "--", "./reach", port, name, "/etc/hostname"]
        argv = harness.isolation(30, user) + [str(word) for word in words]
        done = subprocess.run(argv, cwd=work, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              env={**harness.ENVIRONMENT, "SENTRY_MUTATION": mutation}, timeout=40)
    return done.returncode, done.stdout.decode("utf-8", "backslashreplace")


def test_hostile():
    for title, user in (("as root", None), ("as a user", ORDINARY_USER)):
        status, output = hostile("hostile", user)
        lines = output.splitlines()
        reached = [line for line in lines if line.startswith("REACHED ")]
        good = status == 0 and not reached and bool(lines) and lines[-1].startswith("held ")
        harness.report("PASS" if good else "FAIL", "hostile Sentry " + title,
                       "" if good else "status %d" % status, [] if good else reached[:20] or lines[-5:])


def test_guests():
    """Guests that attack the stub, the kick and the hypercalls: only they end."""
    work = harness.fresh_directory(SHARED / "guests")
    shutil.copy2(MUTANTS / "misbehave", work / "misbehave")

    def attack(item):
        title, options, user = item
        log = work / ("log of " + title)
        words = [sentry("real"), *options, "--log", "/dev/null" if user else log, "--", "./misbehave"]
        done = harness.run(words, work, 120, user)
        lines = done.output.decode("utf-8", "backslashreplace").splitlines()
        bad = [line for line in lines if line.endswith((", NOT CAUGHT", ": LIVES", "does not answer"))]
        good = done.status == 0 and not bad and lines[-1:] == ["neighbours fine"]
        if good and not user:
            good = "broke the stub's protocol" in log.read_text()
        harness.report("PASS" if good else "FAIL", "misbehaving guests " + title, "" if good else "status %d" % done.status,
                       [] if good else bad[:20] or lines[-5:])
    fallbacks = [word for name in ("wait-killable", "ns-pid") for word in ("--disable-feature", name)]
    nested = ["--nested", "--disable-feature", "process-vm,pidfd-getfd"]
    harness.parallel(attack, [("as root", [], None), ("as a user, with fallbacks", fallbacks, ORDINARY_USER), ("nested", nested, None)])


# What the host may lack, as (call, its number, errno): the sandbox is refused, and the message names it.
NECESSARY = [("Landlock", 444, errno.ENOSYS), ("pidfd_getfd", 438, errno.EPERM), ("process_vm_readv", 310, errno.EPERM),
             ("openat2", 437, errno.ENOSYS), ("mount of", 442, errno.ENOSYS), ("memory file", 319, errno.ENOSYS),
             ("namespaces", 272, errno.EPERM), ("empty root", 155, errno.EPERM), ("filter", 317, errno.EPERM),
             ("session keyring", 250, errno.EPERM)]


def test_features():
    """A missing feature is an error that names it, or a weaker mode that was asked for by name (invariant 8)."""
    work = harness.fresh_directory(SHARED / "features")

    def without(number, error, *options, mutation=None):
        words = [sys.executable, harness.TOP / "tests/harness.py", "--deny", number, error,
                 sentry("mutants" if mutation else "real"), *options, "--", "sh", "-c", "echo runs"]
        done = harness.run(words, work, 20, env={"SENTRY_MUTATION": mutation} if mutation else None)
        return done.status, done.output.decode("utf-8", "backslashreplace")

    def verdict(name, good, output):
        harness.report("PASS" if good else "FAIL", name, "" if good else "status %d" % output[0], [] if good else
                       output[1].splitlines()[-5:])

    for name, number, error in NECESSARY:
        output = without(number, error)
        verdict("without " + name, output[0] == 125 and name in output[1] and "runs" not in output[1], output)
    for name, number, error, feature in (("Landlock", 444, errno.ENOSYS, "landlock"),
                                         ("pidfd_getfd", 438, errno.EPERM, "pidfd-getfd")):
        output = without(number, error, "--disable-feature", feature)
        verdict("without %s, as asked for" % name, output[0] == 0 and "runs" in output[1], output)
    output = without(444, errno.ENOSYS, "--disable-feature", "landlock")
    verdict("what is waived is said", "landlock" in output[1].lower(), output)
    output = without(425, errno.EPERM)
    verdict("without io_uring the Gofer polls", output == (0, "runs\n"), output)
    output = without(444, errno.ENOSYS, mutation="landlock")
    verdict("mutation landlock, for a silent downgrade", output[0] != 125 or "Landlock" not in output[1], output)


class Broker:
    """A `gofer --net` of our own, to be asked what no Sentry of ours would ask (abi/gofer_net.h)."""

    SOCKET, BIND, CONNECT, LISTEN, ROUTE = 1, 2, 3, 4, 5

    def __init__(self):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(5)
        words = ["unshare", "-m", program("real", "gofer"), "--net", "--connection-fd", str(theirs.fileno())]
        self.process = subprocess.Popen([str(word) for word in words], pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        theirs.close()

    def ask(self, operation, family=0, value=0, address=b"", fd=None):
        """The errno and the descriptors that came."""
        packet = struct.pack("<IIiiI28s", 7, operation, family, value, len(address), address[:28])
        socket.send_fds(self.channel, [packet], [] if fd is None else [fd])
        data, descriptors, _, _ = socket.recv_fds(self.channel, 64, 4)
        serial, error = struct.unpack("<Ii", data)
        assert serial == 7
        return error, descriptors

    def end(self):
        self.channel.close()
        self.process.wait(timeout=5)
        self.process.stderr.close()


def inet_address(port):
    return struct.pack("<H", socket.AF_INET) + struct.pack(">H", port) + bytes([127, 0, 0, 1]) + bytes(8)


class Keeper:
    """A `gofer --net` under a policy, asked by a Sentry that a guest has taken over (abi/gofer_net_policy.h)."""

    EVENTS, SOCKET, BIND, CONNECT, LISTEN, ACCEPT, NAME, SEND, RECV, SHUTDOWN, SETOPT, GETOPT, POLL, QUEUED, CLOSE = range(32, 47)

    def __init__(self, rules, mutation=None):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(5)
        policy = os.memfd_create("policy", 0)
        for direction, protocols, address, *ports in rules:
            os.write(policy, struct.pack("<BBBB16sHH", direction, protocols, 4, 32, socket.inet_aton(address), ports[0], ports[-1]))
        os.lseek(policy, 0, os.SEEK_SET)
        words = ["unshare", "-m", program("mutants" if mutation else "real", "gofer"), "--net", "--connection-fd",
                 theirs.fileno(), "--policy-fd", policy]
        self.process = subprocess.Popen([str(word) for word in words], pass_fds=(theirs.fileno(), policy),
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env={**os.environ, "SENTRY_MUTATION": mutation or ""})
        os.close(policy)
        theirs.close()

    def ask(self, operation, handle=0, family=0, value=0, level=0, size=None, address=b"", data=b"", fd=None, length=None):
        """The errno, the value, the data and the descriptors that came."""
        packet = struct.pack("<IIIiiiII28s36x", 7, operation, handle, family, value, level, len(data) if size is None else size,
                             len(address) if length is None else length, address[:28])
        socket.send_fds(self.channel, [packet + data], [] if fd is None else [fd])
        answer, descriptors, _, _ = socket.recv_fds(self.channel, 70000, 4)
        if not answer:
            return None
        _, error, value = struct.unpack_from("<Iii", answer)
        return error, value, answer[88:], descriptors

    def socket(self, kind, protocol=0, family=socket.AF_INET):
        return self.ask(self.SOCKET, family=family, value=kind, level=protocol)[1]

    def error(self, *words, **named):
        return errno.errorcode.get(self.ask(*words, **named)[0], "ok")

    def end(self):
        self.channel.close()
        self.process.wait(timeout=5)
        self.process.stderr.close()


def hostile_requests(keeper, allowed, forbidden, closed):
    """What it reaches beyond a policy that allows TCP to port `allowed`, and UDP bound to it: names, in the order tried."""
    stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
    reached = []

    def refused(name, error, *others):
        if error not in ("EACCES", *others):
            reached.append("%s (%s)" % (name, error))

    def v6(address, port):
        return struct.pack("<H", socket.AF_INET6) + struct.pack(">HI", port, 0) + socket.inet_pton(socket.AF_INET6, address) + bytes(4)

    to = inet_address(forbidden)
    refused("connect", keeper.error(keeper.CONNECT, keeper.socket(stream), address=to))
    refused("connect of a datagram socket", keeper.error(keeper.CONNECT, keeper.socket(datagram), address=inet_address(allowed)))
    refused("sendto", keeper.error(keeper.SEND, keeper.socket(datagram), address=to, data=b"x"))
    for flags in (0x20000000, socket.MSG_OOB, 0x20000000 | socket.MSG_MORE):
        refused("MSG_FASTOPEN", keeper.error(keeper.SEND, keeper.socket(stream), value=flags, address=to, data=b"x"), "EISCONN")
    for name, address in (("::1", v6("::1", allowed)), ("mapped", v6("::ffff:127.0.0.1", forbidden)),
                          ("mapped any", v6("::ffff:0.0.0.0", forbidden)), ("::", v6("::", forbidden)),
                          ("compatible", v6("::127.0.0.1", allowed))):
        refused("connect to " + name, keeper.error(keeper.CONNECT, keeper.socket(stream, family=socket.AF_INET6), address=address))
        refused("sendto " + name, keeper.error(keeper.SEND, keeper.socket(datagram, family=socket.AF_INET6), address=address,
                                               data=b"x"))
    mixed = keeper.socket(datagram, family=socket.AF_INET6)
    refused("an IPv4 address for IPv6", keeper.error(keeper.SEND, mixed, address=to, data=b"x"))
    refused("no family", keeper.error(keeper.SEND, keeper.socket(datagram), address=b"\0\0" + to[2:], data=b"x"), "EAFNOSUPPORT")
    refused("a short address", keeper.error(keeper.SEND, keeper.socket(datagram), address=to, length=8, data=b"x"), "EAFNOSUPPORT")
    refused("any address", keeper.error(keeper.CONNECT, keeper.socket(stream), address=to[:4] + bytes(12)))
    again = keeper.socket(stream)
    keeper.ask(keeper.CONNECT, again, address=inet_address(allowed))
    keeper.ask(keeper.CONNECT, again, address=bytes(16))
    refused("another connect after disconnecting", keeper.error(keeper.CONNECT, again, address=to))
    refused("listening without a bind", keeper.error(keeper.LISTEN, keeper.socket(stream)))
    refused("listening after disconnecting", keeper.error(keeper.LISTEN, again))
    free = keeper.socket(stream)
    keeper.ask(keeper.BIND, free, address=inet_address(0))
    refused("listening at a port of the host's choice", keeper.error(keeper.LISTEN, free))
    for kind, port in ((stream, closed), (datagram, closed), (stream, allowed)):
        refused("bind", keeper.error(keeper.BIND, keeper.socket(kind), address=inet_address(port)))
    refused("bind to all addresses", keeper.error(keeper.BIND, keeper.socket(datagram), address=inet_address(allowed)[:4] + bytes(12)))
    refused("bind of ::", keeper.error(keeper.BIND, keeper.socket(datagram, family=socket.AF_INET6), address=v6("::", allowed)))
    # Whom the policy does not know is not heard by a socket that no rule names.
    ear = keeper.socket(datagram)
    keeper.ask(keeper.BIND, ear, address=inet_address(0))
    name = keeper_name(keeper, ear)
    with socket.socket(socket.AF_INET, datagram) as stranger:
        stranger.sendto(b"orders", ("127.0.0.1", name))
        for flags in (0, socket.MSG_PEEK, socket.MSG_TRUNC, socket.MSG_OOB):
            error, _, data, _ = keeper.ask(keeper.RECV, ear, value=flags, size=100)
            if not error or data:
                reached.append("what a stranger sends, with flags %d" % flags)
    for family, kind, protocol in ((socket.AF_INET, socket.SOCK_RAW, 0), (socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_UNIX, stream, 0),
                                   (socket.AF_PACKET, datagram, 0), (socket.AF_NETLINK, datagram, 0), (socket.AF_VSOCK, stream, 0),
                                   (socket.AF_INET, stream, 132), (socket.AF_INET, stream, 262), (socket.AF_INET6, datagram, 1)):
        refused("a socket of %d, %d, %d" % (family, kind, protocol),
                keeper.error(keeper.SOCKET, family=family, value=kind, level=protocol), "EPROTONOSUPPORT")
    for level, option in ((socket.SOL_SOCKET, socket.SO_BINDTODEVICE), (socket.SOL_SOCKET, 26), (socket.IPPROTO_IP, socket.IP_OPTIONS),
                          (socket.IPPROTO_IP, 19), (socket.IPPROTO_IPV6, 57), (socket.IPPROTO_TCP, 30), (socket.IPPROTO_TCP, 31)):
        refused("option %d of level %d" % (option, level),
                keeper.error(keeper.SETOPT, keeper.socket(datagram if level != 6 else stream), level=level, value=option,
                             data=struct.pack("<i", 1)), "ENOPROTOOPT")
    refused("option of reading", keeper.error(keeper.GETOPT, keeper.socket(stream), level=socket.SOL_SOCKET, value=socket.SO_PEERCRED,
                                              size=12), "ENOPROTOOPT")
    refused("another ioctl", keeper.error(keeper.QUEUED, keeper.socket(datagram), value=0x8914), "EINVAL")
    for handle in (0, 1, 2, 3, 4, 5, 0xffff, 0x7fffffff, 0xffffffff):
        refused("handle %#x" % handle, keeper.error(keeper.NAME, handle), "EBADF")
    gone = keeper.socket(stream)
    keeper.ask(keeper.CLOSE, gone)
    keeper.socket(stream)
    refused("a handle that was closed", keeper.error(keeper.NAME, gone), "EBADF")
    for operation in (0, 1, 2, 3, 4, 31, 48, 0xffffffff):
        refused("operation %d" % operation, keeper.error(operation, keeper.socket(stream), address=to), "EINVAL", "EBADF")
    return reached


def keeper_name(keeper, handle):
    """The port of a socket's own address."""
    packet = struct.pack("<IIIiiiII28s36x", 7, keeper.NAME, handle, 0, 0, 0, 0, 0, b"")
    keeper.channel.send(packet)
    return struct.unpack_from(">H", keeper.channel.recv(70000), 26)[0]


def answers_after_disconnecting():
    """The errno of an answer to who was heard at a port that a rule names: while the socket has it, and when it has given it back."""
    keeper = Keeper([(1, 2, "127.0.0.1", 1, 65535)])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        served = keeper.socket(socket.SOCK_DGRAM)
        keeper.ask(keeper.BIND, served, address=inet_address(0))
        client.sendto(b"question", ("127.0.0.1", keeper_name(keeper, served)))
        keeper.ask(keeper.RECV, served, size=100)
        to = inet_address(client.getsockname()[1])
        errors = [keeper.error(keeper.SEND, served, address=to, data=b"answer")]
        keeper.ask(keeper.CONNECT, served, address=bytes(16))
        errors.append(keeper.error(keeper.SEND, served, address=to, data=b"unasked"))
    keeper.end()
    return errors


def closes_at_once(keeper, port, seconds):
    """Does it answer at once when a connection with unsent bytes is closed that is to linger?"""
    stream = keeper.socket(socket.SOCK_STREAM)
    keeper.ask(keeper.CONNECT, stream, address=inet_address(port))
    while keeper.error(keeper.SEND, stream, data=bytes(60000)) == "ok":
        pass
    if keeper.error(keeper.SETOPT, stream, level=socket.SOL_SOCKET, value=socket.SO_LINGER, data=struct.pack("ii", 1, seconds)) != "ok":
        return False
    begin = time.monotonic()
    try:
        keeper.ask(keeper.CLOSE, stream)
    except TimeoutError:
        return False
    return time.monotonic() - begin < 4


@contextlib.contextmanager
def policy_targets():
    """Ports with a listener and a datagram socket: one the policy allows, one it does not; and one with nothing."""
    with contextlib.ExitStack() as stack:
        ports = []
        while len(ports) < 3:
            tcp = stack.enter_context(socket.socket())
            udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            tcp.bind(("127.0.0.1", 0))
            tcp.listen()
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            udp.setblocking(False)
            ports.append((tcp.getsockname()[1], tcp, udp))
        for s in ports[2][1:]:
            s.close()
        yield ports


def test_policy():
    checks = {}
    with policy_targets() as ((allowed, _, heard), (forbidden, listener, unheard), (closed, _, _)):
        rules = [(0, 1, "127.0.0.1", allowed), (1, 2, "127.0.0.1", closed + 1 if closed + 1 != allowed else closed + 2)]
        keeper = Keeper(rules)
        error, _, _, descriptors = keeper.ask(keeper.EVENTS)
        checks["readiness comes as an epoll, and no socket"] = error == 0 and len(descriptors) == 1 and \
            os.readlink("/proc/self/fd/%d" % descriptors[0]) == "anon_inode:[eventpoll]"
        os.close(descriptors[0])
        stream = keeper.socket(socket.SOCK_STREAM)
        checks["what is allowed is connected"] = keeper.error(keeper.CONNECT, stream, address=inet_address(allowed)) in \
            ("ok", "EINPROGRESS")
        checks["no reply carries a descriptor"] = not any(
            keeper.ask(keeper.SOCKET, family=socket.AF_INET, value=kind)[3] for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))
        reached = hostile_requests(keeper, allowed, forbidden, closed)
        checks["a hostile Sentry gets no further"] = not reached
        if reached:
            harness.report("FAIL", "policy of the network", "reached", reached)
        listener.setblocking(False)
        checks["nothing came to who is not allowed"] = not any(map(something_came, (listener.accept, lambda: unheard.recv(9), lambda: heard.recv(9))))
        for seconds in (8, -1):
            checks["it waits for no linger of %d s" % seconds] = closes_at_once(keeper, allowed, seconds)
        with socket.socket() as ours:
            checks["a descriptor ends it and gets no number"] = keeper.ask(keeper.NAME, stream, fd=ours.fileno()) is None
        keeper.end()
        checks["who was heard at a port is not answered from another"] = answers_after_disconnecting() == ["ok", "EACCES"]
        sentry("mutants")
        keeper = Keeper(rules, "network-policy")
        reached = hostile_requests(keeper, allowed, forbidden, closed)
        checks["mutation network-policy"] = all(any(name.startswith(start) for name in reached)
                                                for start in ("connect (", "sendto (", "bind (", "what a stranger"))
        keeper.end()
    for name, good in checks.items():
        harness.report("PASS" if good else "FAIL", "policy of the network: " + name)
    shown = python("inspect_sandbox.py", sentry("real"), "--option=--network=host", "--option=--allow-connect=udp:127.0.0.1:9", timeout=30)
    verdicts("inspect under a policy:", shown)


def something_came(call):
    try:
        call()
        return True
    except BlockingIOError:
        return False


def test_broker():
    checks = {}
    broker = Broker()
    with host_targets() as (port, name, _), socket.socket(socket.AF_UNIX) as other:
        unix = struct.pack("<H", socket.AF_UNIX) + b"\0" + name.encode()
        error, (inet,) = broker.ask(Broker.SOCKET, socket.AF_INET, socket.SOCK_STREAM)
        checks["a TCP socket is made"] = error == 0
        for family in (socket.AF_UNIX, socket.AF_PACKET, socket.AF_NETLINK, socket.AF_VSOCK, -1):
            checks["no socket of family %d" % family] = \
                broker.ask(Broker.SOCKET, family, socket.SOCK_STREAM) == (errno.EPROTONOSUPPORT, [])
        checks["no raw socket"] = broker.ask(Broker.SOCKET, socket.AF_INET, socket.SOCK_RAW) == (errno.EPROTONOSUPPORT, [])
        checks["no socket of another family is connected"] = broker.ask(Broker.CONNECT, address=unix, fd=other.fileno())[0] == \
            errno.ENOTSOCK and broker.ask(Broker.CONNECT, address=inet_address(port), fd=other.fileno())[0] == errno.ENOTSOCK
        checks["no address of another family"] = broker.ask(Broker.CONNECT, address=unix, fd=inet)[0] == errno.EAFNOSUPPORT and \
            broker.ask(Broker.BIND, address=unix, fd=inet)[0] == errno.EAFNOSUPPORT
        checks["no length beyond the packet"] = broker.ask(Broker.BIND, address=inet_address(0) + bytes(64), fd=inet)[0] == \
            errno.EAFNOSUPPORT
        checks["a file is no socket"] = broker.ask(Broker.BIND, address=inet_address(0), fd=broker.process.stderr.fileno())[0] == \
            errno.ENOTSOCK
        checks["nothing without a socket"] = broker.ask(Broker.LISTEN)[0] == errno.ENOTSOCK
        checks["no other kind of netlink request"] = all(broker.ask(Broker.ROUTE, family=0, value=kind)[0] == errno.EINVAL
                                                         for kind in (-1, 6, 16, 20, 24, 1 << 30)) and \
            all(broker.ask(Broker.ROUTE, family=family, value=0)[0] == errno.EAFNOSUPPORT for family in (1, 7, 17, 255, -1)) and \
            broker.ask(Broker.ROUTE, family=0, value=5)[0] == errno.EAFNOSUPPORT
        checks["no unknown operation"] = broker.ask(99, fd=inet)[0] == errno.EINVAL
        checks["a connection is made"] = broker.ask(Broker.CONNECT, address=inet_address(port), fd=inet)[0] in \
            (0, errno.EINPROGRESS)
        os.close(inet)
        end = time.monotonic() + 2  # it closes after its answer
        while len(os.listdir("/proc/%d/fd" % broker.process.pid)) > 5 and time.monotonic() < end:
            time.sleep(0.01)
        checks["nothing is kept"] = len(os.listdir("/proc/%d/fd" % broker.process.pid)) == 5
        broker.channel.send(b"no request")
        checks["another size ends it"] = broker.channel.recv(64) == b""
        broker.end()
        broker = Broker()
        socket.send_fds(broker.channel, [struct.pack("<IIiiI28s", 7, Broker.LISTEN, 0, 0, 0, b"")], [other.fileno()] * 2)
        checks["two descriptors end it"] = broker.channel.recv(64) == b""
    broker.end()
    for name, good in checks.items():
        harness.report("PASS" if good else "FAIL", "broker of the network: " + name)


def bounds(mutation):
    """What a guest that tries the Sentry's care with its own data gets to see, and the log of it."""
    work = harness.fresh_directory(SHARED / "bounds")
    shutil.copy2(MUTANTS / "bounds", work / "bounds")
    log = work / "log"
    words = [sentry("mutants"), "--log", log, "--log-level", "debug", "--", "./bounds", os.uname().version]
    done = harness.run(words, work, 30, env={"SENTRY_MUTATION": mutation})
    return done.status, done.output + log.read_bytes()


def test_bounds():
    status, output = bounds("careless-handler")
    found = [text for text in BOUNDS.values() if text in output]
    good = status == 0 and not found and b"uname may not let the host run" in output and b"\\x1b[31mred" in output
    harness.report("PASS" if good else "FAIL", "a handler's mistake, a name with escapes, a table at its limit",
                   "" if good else "status %d, %r" % (status, found or output[-400:]))


def test_mutations():
    for mutation, text in BOUNDS.items():
        _, output = bounds(mutation)
        harness.report("PASS" if text in output else "FAIL", "mutation " + mutation,
                       "" if text in output else "not seen: %r" % output[-400:])
    for mutation, (name, as_user) in MUTATIONS.items():
        lines = python("inspect_sandbox.py", sentry("mutants"), name, "--mutation", mutation, timeout=20,
                       user=ORDINARY_USER if as_user else None)
        seen = any(line.startswith("FAIL " + name) for line in lines)
        harness.report("PASS" if seen else "FAIL", "mutation " + mutation, "" if seen else "not seen by " + name,
                       [] if seen else lines[-3:])
    for mutation, (reach, as_user) in REACHES.items():
        _, output = hostile("hostile," + mutation, ORDINARY_USER if as_user else None)
        seen = "REACHED " + reach in output + "\n"
        harness.report("PASS" if seen else "FAIL", "mutation " + mutation,
                       "" if seen else "the hostile guest reaches no more than before",
                       [] if seen else output.splitlines()[-3:])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=200)
    arguments.add_argument("names", nargs="*")
    options = arguments.parse_args()
    tests = {"inspect": test_inspect, "hostile": test_hostile, "guests": test_guests, "features": test_features, "broker": test_broker, "policy": test_policy, "bounds": test_bounds, "kill": lambda: test_kill(options.rounds),
             "mutations": test_mutations}
    if os.geteuid() != 0:
        for name in tests:
            harness.report("SKIP", name, "needs root, to look at processes of other users")
        return
    harness.fresh_directory(SHARED)
    SHARED.chmod(0o755)
    try:
        for name in options.names or tests:
            try:
                tests[name]()
            except Exception as error:  # pylint: disable=broad-except
                harness.report("FAIL", name, "%s: %s" % (type(error).__name__, error))
    finally:
        shutil.rmtree(SHARED, ignore_errors=True)
    sys.exit(1 if harness.failures else 0)


main()
