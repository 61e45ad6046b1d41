"""What config.json asks for beside the bare process: seccomp, hooks, scheduling, resources, refusals; beside runc."""
import json
import os
import pathlib
import socket
import subprocess

import oci
from bundles import process, shell
from oci import RUNC, SENTRY, WORK, same, test, want


def with_linux(config, **changes):
    config["linux"].update(changes)
    return config


def rule(names, action, errno=None, *conditions):
    out = {"names": names.split(), "action": "SCMP_ACT_" + action}
    if errno is not None:
        out["errnoRet"] = errno
    if conditions:
        out["args"] = [dict(zip(("index", "op", "value", "valueTwo"), condition)) for condition in conditions]
    return out


def profile(default, *rules, **more):
    return dict({"defaultAction": "SCMP_ACT_" + default, "syscalls": list(rules)}, **more)


@test()
def seccomp_profiles():
    chmod = "chmod 777 /dev/shm; echo $?; chmod 700 /dev/shm; echo $?; grep Seccomp /proc/self/status"
    is_777 = (1, "SCMP_CMP_EQ", 0o777)
    for rules in ([rule("chmod fchmodat", "ERRNO", 5)], [rule("chmod fchmodat", "ERRNO", 7, is_777)],
                  [rule("chmod", "ERRNO", 8, is_777), rule("chmod", "ERRNO", 9)],
                  [rule("chmod", "ERRNO", 8, (1, "SCMP_CMP_MASKED_EQ", 0o070, 0o070))],
                  [rule("chmod", "ERRNO", 8, is_777, (1, "SCMP_CMP_EQ", 0o700))],
                  [rule("chmod", "LOG")], [rule("chmod", "TRACE", 3)]):
        same(with_linux(shell(chmod), seccomp=profile("ALLOW", *rules)))
    kills = "sh -c 'mkdir /dev/x'; echo $?; echo after"
    for action in ("KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "ERRNO"):
        same(with_linux(shell(kills), seccomp=profile("ALLOW", rule("mkdir mkdirat", action))))
    first = SENTRY.run(with_linux(oci.configuration("mkdir", "/dev/x"), seccomp=profile("ALLOW", rule("mkdir", "KILL"))))
    want(first.status == 128 + 31, "the first process:", first)


@test()
def seccomp_about_native_calls():
    """A profile that says something of calls that the host runs natively: the guests' filter has no such rows then."""
    text = "sh -c 'echo x | cat'; echo $?; grep Seccomp /proc/self/status"
    same(with_linux(shell(text), seccomp=profile("ALLOW", rule("madvise", "ERRNO", 1, (2, "SCMP_CMP_EQ", 8)))))
    same(with_linux(shell("sh -c :; echo $?"), seccomp=profile("ALLOW", rule("mprotect", "KILL"))))
    same(with_linux(shell("sh -c :; echo $?"), seccomp=profile("ALLOW", rule("mprotect", "ERRNO", 12))))


@test()
def seccomp_of_the_engines():
    """The shape of the engines' default profile: a list of what is allowed, and calls that are newer than it."""
    allowed = pathlib.Path(oci.harness.TOP / "syscall-tables/x86_64.tbl").read_text().splitlines()
    names = [line.split()[1] for line in allowed if line[:1].strip().isdigit() or line[:3].strip().isdigit()]
    names = [name for name in names if name not in ("mkdir", "mkdirat", "clone3", "file_getattr", "file_setattr")]
    want(len(names) > 300, "names of calls", len(names))
    default = profile("ERRNO", rule(" ".join(names), "ALLOW"), rule("clone3", "ERRNO", 38), defaultErrnoRet=1,
                      architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"])
    same(with_linux(shell("mkdir /dev/x; echo $?; sh -c 'echo y'; grep Seccomp /proc/self/status"), seccomp=default))


@test()
def seccomp_holds_what_exec_starts():
    for runtime in (SENTRY, RUNC):
        runtime.create("box-seccomp", with_linux(shell("sleep 30"), seccomp=profile("ALLOW", rule("chmod", "ERRNO", 5))))
        try:
            want(runtime("start", "box-seccomp").status == 0, "start")
            done = runtime("exec", "box-seccomp", "sh", "-c", "chmod 700 /dev/shm; grep Seccomp: /proc/self/status")
            want("Input/output error" in done.err and done.out == "Seccomp:\t2\n", runtime.name, done)
        finally:
            runtime("delete", "--force", "box-seccomp")


HOOK = "echo %s >> $LOG; cat >> $LOG; echo >> $LOG"


@test()
def hooks_run_in_their_order():
    log = WORK / "hooks.log"
    seen = {}
    for runtime in (SENTRY, RUNC):
        log.write_text("")
        kinds = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
        hooks = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", HOOK % kind], "env": ["LOG=%s" % log],
                         "timeout": 20}] for kind in kinds}
        config = shell("true", hooks=hooks, annotations={"a": "b"})
        runtime.create("box-hooks", config)
        want(runtime("start", "box-hooks").status == 0, "start")
        oci.eventually(lambda: runtime.state("box-hooks")["status"] == "stopped", "the end")
        want(runtime("delete", "box-hooks").status == 0, "delete")
        lines = log.read_text().splitlines()
        states = [json.loads(line) for line in lines[1::2]]
        want(all(state["id"] == "box-hooks" and state["annotations"] == {"a": "b"} for state in states), states)
        want(all((state["status"] == "stopped") == ("pid" not in state) for state in states), states)
        seen[runtime.name] = lines[0::2]
    want(seen["sentry"] == seen["runc"] and len(seen["runc"]) == 5, seen)


@test()
def hooks_that_fail():
    marker = WORK / "hook-marker"
    for kind in ("prestart", "createRuntime", "createContainer"):
        for body, timeout in (("echo out; echo err >&2; exit 3", 20), ("exec sleep 20", 1), (None, 20)):
            hook = {"path": "/bin/sh", "args": ["sh", "-c", body], "timeout": timeout} if body else {"path": "/not/there"}
            config = shell("echo started", hooks={kind: [hook]})
            ours, theirs = SENTRY.run(config), RUNC.run(config)
            want(ours.status and theirs.status and "started" not in ours.out, kind, body, ours, theirs)
            want(body != "echo out; echo err >&2; exit 3" or "exit status 3, stdout: out, stderr: err" in ours.err, ours)
    listed = SENTRY("list", "--quiet")
    want(listed.out.strip() == "", "left behind:", listed)
    # After the start a failure is a warning, and the next hook runs (the specification; runc ends the container).
    for kind in ("poststart", "poststop"):
        marker.unlink(missing_ok=True)
        done = SENTRY.run(shell("echo started", hooks={kind: [
            {"path": "/bin/false"}, {"path": "/bin/sh", "args": ["sh", "-c", "echo y > %s" % marker]}]}))
        want(done.status == 0 and done.out == "started\n" and marker.exists(), kind, done)


CREATE_CONTAINER = """exec > %s 2>&1
pwd; for n in mnt net uts ipc user; do test $(readlink /proc/self/ns/$n) = $(readlink /proc/%d/ns/$n) && echo same $n || echo own $n; done
mount -t tmpfs hook %s/mnt && echo of the hook > %s/mnt/file; hostname nobody; echo kept > %s/kept
"""


@test()
def create_container_hooks_run_in_its_namespaces():
    log = WORK / "create-container.log"
    for name in ("mnt", "before"):
        (oci.ROOTFS / name).mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "before", str(oci.ROOTFS / "before")], check=True)
    (oci.ROOTFS / "before/file").write_text("on the host\n")
    seen = {}
    host = os.uname().nodename
    for runtime in (SENTRY, RUNC):
        hook = {"path": "/bin/sh", "args": ["sh", "-c", CREATE_CONTAINER % (log, os.getpid(), oci.ROOTFS, oci.ROOTFS, oci.ROOTFS)]}
        config = shell("cat /mnt/file /before/file /kept; hostname", hooks={"createContainer": [hook, hook]})
        done = runtime.run(config)
        seen[runtime.name] = (done.status, done.out, log.read_text(), os.listdir(oci.ROOTFS / "mnt"), os.uname().nodename == host)
        (oci.ROOTFS / "kept").unlink(missing_ok=True)
    subprocess.run(["umount", str(oci.ROOTFS / "before")], check=True)
    want(seen["sentry"] == seen["runc"] and "of the hook" in seen["runc"][1], seen)


def guest_hook(text, **more):
    return dict({"path": "/bin/busybox", "args": ["sh", "-c", text], "timeout": 20}, **more)


@test()
def start_container_hooks_are_guests():
    """They run before the program, which is the first process all the same, with its identity and in its world."""
    facts = "cat > /dev/shm/state; { id -u; pwd; hostname; echo $E; cat /proc/1/comm | wc -l; test $$ != 1; echo $?; } > /dev/shm/facts"
    seen = {}
    for runtime in (SENTRY, RUNC):
        config = shell("echo $$; cat /dev/shm/state; echo; cat /dev/shm/facts /dev/shm/second",
                       hooks={"startContainer": [guest_hook(facts, env=["E=of the hook", "PATH=/bin"]),
                                                 guest_hook("cat /dev/shm/facts | wc -l > /dev/shm/second")]},
                       annotations={"a": "b"})
        config["process"]["user"] = {"uid": 1000, "gid": 1000}
        config["process"]["cwd"] = "/tmp"
        done = runtime.run(config)
        want(done.status == 0, runtime.name, done)
        first, state, rest = done.out.split("\n", 2)
        state = json.loads(state)
        want(first == "1" and state.pop("id").startswith("run-") and state.pop("bundle"), done)
        state.pop("ociVersion")
        seen[runtime.name] = (state, rest)
    want(seen["sentry"] == seen["runc"], seen)
    want(seen["sentry"][0] == {"status": "created", "pid": 1, "annotations": {"a": "b"}}, seen)


@test()
def start_container_hooks_that_fail():
    for hook in (guest_hook("echo out; echo err >&2; exit 3"), guest_hook("exec sleep 20", timeout=1),
                 {"path": "/not/there"}, {"path": "/usr/bin/python3"}, guest_hook("kill -9 $$")):
        marker = oci.ROOTFS / "tmp/second"
        hooks = {"startContainer": [hook, guest_hook("echo > /tmp/second")], "poststop": [
            {"path": "/bin/sh", "args": ["sh", "-c", "echo y > %s" % (WORK / "after")]}]}
        for start in (False, True):
            (WORK / "after").unlink(missing_ok=True)
            if start:
                output = SENTRY.create("box-hook", shell("echo started", hooks=hooks))
                done = SENTRY("start", "box-hook")
                done.out += output.read_text()
                want(oci.gone(SENTRY.pid("box-hook")) and SENTRY("state", "box-hook").status, "still there")
                want(SENTRY("delete", "--force", "box-hook").status == 0, "an engine's delete")
            else:
                done = SENTRY.run(shell("echo started", hooks=hooks))
            want(done.status and "started" not in done.out and hook["path"] in done.err, hook, done)
            want(not marker.exists() and (WORK / "after").exists(), "the hooks after it", hook)
        want("exit 3" not in str(hook) or "exit status 3, stdout: out, stderr: err" in done.err, done)
        want(hook.get("timeout") != 1 or "timeout of 1 s" in done.err, done)
    want(SENTRY("list", "--quiet").out.strip() == "", "left behind")


@test()
def start_container_hooks_and_the_first_process():
    """It waits without a program: whatever a hook does to it, and whatever comes from outside."""
    poke = ("for f in status stat maps cmdline environ comm limits mounts wchan smaps_rollup; do cat /proc/1/$f; done;"
            "ls -l /proc/1/fd /proc/1/exe /proc/1/cwd; kill -9 1; kill -TERM 1; kill -STOP 1; ps; true")
    done = SENTRY.run(shell("echo $$", hooks={"startContainer": [guest_hook("{ %s; } > /dev/null 2>&1" % poke)]}))
    want(done.status == 0 and done.out == "1\n", done)
    for end in ("KILL", "TERM", "delete"):
        SENTRY.create("box-held", shell("echo started", hooks={"startContainer": [guest_hook("sleep 30")]}))
        with subprocess.Popen([SENTRY.program, "--root", str(SENTRY.root), "start", "box-held"], stderr=subprocess.DEVNULL) as start:
            oci.eventually(lambda: "sleep" in SENTRY("ps", "--guest", "box-held").out, "the hook")
            want(SENTRY.state("box-held")["status"] == "created", "the status")
            if end == "delete":
                want(SENTRY("delete", "--force", "box-held").status == 0, "delete")
            else:
                want(SENTRY("kill", "box-held", end).status == 0, "kill")
            want(start.wait(20) != 0 and oci.gone(SENTRY.pid("box-held")), end)
        SENTRY("delete", "--force", "box-held")
    # A command that is killed takes its hook along, and the next one begins again.
    output = SENTRY.create("box-held", shell("echo started", hooks={"startContainer": [
        guest_hook("test -e /dev/shm/once && exit; echo > /dev/shm/once; sleep 30")]}))
    with subprocess.Popen([SENTRY.program, "--root", str(SENTRY.root), "start", "box-held"]) as start:
        oci.eventually(lambda: "sleep" in SENTRY("ps", "--guest", "box-held").out, "the hook")
        start.kill()
    want(SENTRY("start", "box-held").status == 0, "start again")
    oci.eventually(lambda: output.read_text() == "started\n", "the program")
    want(SENTRY("delete", "--force", "box-held").status == 0, "delete")


@test()
def descriptors_that_are_passed_on():
    """Pipes, sockets and files from 3 on, for the first process and for others; nothing beyond them, and of no other kind."""
    out = WORK / "passed-on"
    into = "exec 3<&0 </dev/null 4>>%s 5</dev/null 7</etc/passwd; exec \"$@\"" % out
    facts = "read a <&3; echo $a; cat <&3; echo written >&4; cat <&5; (: <&6) 2>/dev/null || echo no 6; (: <&7) 2>/dev/null || echo no 7"
    seen = {}
    for runtime in (SENTRY, RUNC):
        out.write_text("before\n")
        base = ("sh", "-c", into, "sh", runtime.program, "--root", runtime.root)
        done = oci.command(*base, "run", "--preserve-fds", "3", "-b", oci.bundle(shell(facts)), "fds", stdin="one\ntwo\n")
        want(done.out == "one\ntwo\nno 6\nno 7\n", runtime.name, done)
        runtime.create("fds", shell("sleep 30"))
        try:
            want(runtime("start", "fds").status == 0, "start")
            done = oci.command(*base, "exec", "--preserve-fds=3", "fds", "sh", "-c", facts, stdin="three\n")
            want(done.out == "three\nno 6\nno 7\n", runtime.name, done)
            done = oci.command(*base, "exec", "fds", "sh", "-c", "(: <&3) 2>/dev/null || echo no 3", "--preserve-fds", "3")
            want(done.out == "no 3\n", runtime.name, done)
        finally:
            runtime("delete", "--force", "fds")
        activation = "exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\""
        done = oci.command("sh", "-c", activation, "sh", *base[4:], "run", "-b", oci.bundle(
            shell("cat <&3; echo $LISTEN_FDS $LISTEN_PID")), "fds")
        want(done.out == "1 1\n", runtime.name, done)
        seen[runtime.name] = out.read_text()
    want(seen["sentry"] == seen["runc"] == "before\nwritten\nwritten\n", seen)
    for text, reason in (("exec 3</", "is a directory"), ("exec 3<&-", "is present"), ("exec 3</dev/kmsg", "leads to the host's kernel"),
                         ("exec 3<>/dev/ptmx", "is a terminal")):
        done = oci.command("sh", "-c", text + "; exec \"$@\"", "sh", SENTRY.program, "--root", SENTRY.root, "run", "--preserve-fds",
                           "1", "-b", oci.bundle(shell("echo started")), "fds")
        want(done.status == 1 and reason in done.err and not done.out, text, done)
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        client.connect(listener.getsockname())
        peer = listener.accept()[0]
        with peer, subprocess.Popen(["sh", "-c", "exec 3<&0 </dev/null; exec \"$@\"", "sh", SENTRY.program, "--root", str(SENTRY.root),
                                     "run", "--preserve-fds", "1", "-b", str(oci.bundle(shell("read a <&3; echo got $a >&3"))),
                                     "fds"], stdin=peer) as run:
            client.sendall(b"over TCP\n")
            peer.close()
            want(client.makefile().readline() == "got over TCP\n" and run.wait(20) == 0, "a socket")


@test()
def a_user_namespace_by_path():
    """Files belong to whom its maps say, as with a new one that has these maps."""
    maps = [{"containerID": 0, "hostID": 200000, "size": 1000}]
    facts = "echo > /tmp/x; stat -c '%u %g' /tmp/x /bin/busybox; chown 5:6 /tmp/x; stat -c '%u %g' /tmp/x"
    with subprocess.Popen(["unshare", "--user", "sleep", "100"]) as other:
        try:
            ours = os.readlink("/proc/self/ns/user")
            oci.eventually(lambda: os.readlink("/proc/%d/ns/user" % other.pid) != ours, "the namespace")
            config = with_linux(shell(facts))
            user = {"type": "user", "path": "/proc/%d/ns/user" % other.pid}
            config["linux"]["namespaces"].append(user)
            without = SENTRY.run(config)
            want(without.status and "has no maps" in without.err, without)
            for name in ("uid_map", "gid_map"):
                pathlib.Path("/proc/%d/%s" % (other.pid, name)).write_text("0 200000 1000\n")
            joined = SENTRY.run(config)
            owner = os.stat(oci.ROOTFS / "tmp/x")
            (oci.ROOTFS / "tmp/x").unlink()
            want((owner.st_uid, owner.st_gid) == (200005, 200006), "the file's owner", owner, joined)
            user.pop("path")
            made = SENTRY.run(with_linux(config, uidMappings=maps, gidMappings=maps))
            want(joined.status == 0 and joined.out == made.out, joined, made)
            user["path"] = "/proc/self/ns/net"
            wrong = SENTRY.run(config)
            want(wrong.status and "cannot join the user namespace" in wrong.err, wrong)
        finally:
            other.kill()
            (oci.ROOTFS / "tmp/x").unlink(missing_ok=True)


@test()
def scheduling_is_remembered():
    facts = "set -- $(cat /proc/self/stat); shift 18; echo $1; ionice -p 1"
    done = SENTRY.run(process(shell(facts), scheduler={"policy": "SCHED_BATCH", "nice": 5},
                              ioPriority={"class": "IOPRIO_CLASS_IDLE"}))
    want(done.out == "5\nidle\n", done)
    done = SENTRY.run(process(shell(facts), ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 2}))
    want(done.out == "0\nbest-effort: prio 2\n", done)


@test()
def names_and_parameters():
    same(with_linux(shell("cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shmmni; hostname; cat /proc/sys/kernel/domainname",
                          hostname="host-name"),
                    sysctl={"net/core/somaxconn": "77", "kernel.shmmni": "99", "kernel.domainname": "domain"}))
    done = SENTRY.run(shell("hostname; cat /proc/sys/kernel/domainname", domainname="of.config"))
    want(done.out == "box\nof.config\n", done)


@test()
def what_is_refused():
    """Broken and hostile configurations: both refuse, ours by the name of the field, and nothing is left."""
    def namespaces(*names):
        return [{"type": name} for name in names]

    cases = [
        (shell("echo ran", root={"path": "/not/there"}), ""),
        (with_linux(shell("echo ran"), namespaces=namespaces("pid", "mount", "network", "ipc")), "hostname"),
        (with_linux(shell("echo ran"), namespaces=namespaces("pid", "pid", "mount", "uts")), "linux.namespaces[1].type"),
        (with_linux(shell("echo ran"), namespaces=namespaces("pod", "mount", "uts")), "linux.namespaces[0].type"),
        (with_linux(shell("echo ran"), sysctl={"kernel.pid_max": "5"}), "linux.sysctl.kernel.pid_max"),
        (with_linux(shell("echo ran"), sysctl={"kernel.hostname": "x"}), "linux.sysctl.kernel.hostname"),
        (with_linux(shell("echo ran"), rootfsPropagation="odd"), "linux.rootfsPropagation"),
        (with_linux(shell("echo ran"), mountLabel="x"), "linux.mountLabel"),
        (with_linux(shell("echo ran"), seccomp=profile("NOTIFY")), "linux.seccomp.defaultAction"),
        (with_linux(shell("echo ran"), devices=[{"type": "x", "path": "/dev/x", "major": 1, "minor": 1}]),
         "linux.devices[0].type"),
        (with_linux(shell("echo ran"), resources={"unified": {"memory.high": "9"}}), "linux.resources.unified"),
        (process(shell("echo ran"), args=[]), "process"),
        (process(shell("echo ran"), cwd="relative"), "process.cwd"),
        (process(shell("echo ran"), selinuxLabel="x"), "process.selinuxLabel"),
        (process(shell("echo ran"), oomScoreAdj=5000), "process.oomScoreAdj"),
        (process(shell("echo ran"), rlimits=[{"type": "RLIMIT_ODD", "soft": 1, "hard": 1}]), "process.rlimits[0].type"),
        (process(shell("echo ran"), rlimits=[{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}]), "process.rlimits[0]"),
        (shell("echo ran", mounts=[{"destination": "/mnt", "type": "odd", "source": "x"}]), "mounts[0].type"),
        ('{"ociVersion": "1.0.2", "process": {"args": ["echo", "ran"]', "line 1"),
        ("[" * 100000, "line 1"),
        ("", "line 1"),
    ]
    for config, name in cases:
        ours, theirs = SENTRY.run(config), RUNC.run(config)
        want(ours.status and theirs.status, config, ours, theirs)
        want("ran" not in ours.out and name in ours.err, name, ours)
    listed = SENTRY("list", "--quiet")
    want(listed.out.strip() == "", "left behind:", listed)


@test()
def annotations_count_only_where_they_are_allowed():
    marker = oci.ROOTFS / "annotated"
    for allowed, reaches in ((None, True), ("network", True), ("overlay", False), ("network,overlay", False)):
        marker.unlink(missing_ok=True)
        config = shell("echo x > /annotated", annotations={"org.sentry.overlay": "memory"})
        words = ["--allow-annotations", allowed] if allowed else []
        done = oci.command(SENTRY.program, "--root", SENTRY.root, *words, "run", "-b", oci.bundle(config), "box-annotated")
        want(done.status == 0 and marker.exists() == reaches, allowed, done)
        want(("annotation org.sentry.overlay changes nothing" in done.err) == reaches, allowed, done)
    marker.unlink(missing_ok=True)
    config = shell("echo ran", annotations={"org.sentry.overlay": "odd"})
    done = oci.command(SENTRY.program, "--root", SENTRY.root, "--allow-annotations=overlay", "run", "-b",
                       oci.bundle(config), "box-annotated")
    want(done.status and "--overlay takes" in done.err and not done.out, done)


@test()
def a_written_specification_runs():
    for words in ((), ("--rootless",)):
        path = oci.harness.fresh_directory(WORK / "spec")
        want(SENTRY("spec", "--bundle", path, *words).status == 0, "spec")
        want(SENTRY("spec", "--bundle", path, *words).status == 1, "it is there already")
        config = json.loads((path / "config.json").read_text())
        config["root"]["path"] = str(oci.ROOTFS)
        config["process"].update(terminal=False, args=["sh", "-c", "hostname; id -u; mount | wc -l"])
        done = SENTRY.run(config)
        want(done.status == 0 and done.out.splitlines()[:2] == ["sentry", "0"], words, done)
    features = json.loads(SENTRY("features").out)
    want(features["linux"]["seccomp"]["enabled"] and "rbind" in features["mountOptions"], features)


@test()
def docker_is_told_of_the_runtime():
    path = oci.harness.fresh_directory(WORK / "daemon") / "daemon.json"
    path.write_text('{"debug": true}')
    want(SENTRY("install", "--path", path, "--dry-run", "--", "--overlay=memory").status == 0, "dry run")
    want(path.read_text() == '{"debug": true}', "a dry run changes nothing")
    want(SENTRY("install", "--path", path, "--", "--overlay=memory").status == 0, "install")
    entry = json.loads(path.read_text())
    program = os.path.realpath(str(oci.harness.SENTRY))
    want(entry == {"debug": True, "runtimes": {"sentry": {"path": program, "runtimeArgs": ["--overlay=memory"]}}}, entry)
    want(SENTRY("uninstall", "--path", path).status == 0 and json.loads(path.read_text()) == {"debug": True}, "uninstall")
