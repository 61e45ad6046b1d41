"""Bundles without an engine, sentry beside runc."""
import copy
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import termios
import time

import oci
from oci import RUNC, SENTRY, WORK, configuration, eventually, gone, same, test, want


def shell(text, **changes):
    return configuration("sh", "-c", text, **changes)


def process(config, **changes):
    config = copy.deepcopy(config)
    config["process"].update(changes)
    return config


@test()
def a_program_runs_with_its_status_and_streams():
    same(shell("echo out; echo err >&2; exit 7"))
    same(shell("cat; exit 3"), stdin="a line\n")
    want(SENTRY.run(shell("kill -9 $$")).status == 0, "the first process is not killed from inside")
    same(shell("sh -c 'kill -9 $$'; echo $?"))


@test()
def identity_and_environment():
    facts = "id; pwd; umask; env | sort | grep -v SHLVL; hostname; grep -E 'Cap|NoNew|Groups' /proc/self/status"
    same(shell(facts))
    same(process(shell(facts), user={"uid": 1000, "gid": 1000, "additionalGids": [5, 6], "umask": 0o77}, cwd="/tmp"))
    same(process(shell(facts), user={"uid": 77, "gid": 78}, cwd="/made/here", noNewPrivileges=False))
    same(process(shell(facts), capabilities={kind: ["CAP_NET_ADMIN", "CAP_CHOWN"] for kind in
                                             ("bounding", "effective", "permitted", "inheritable", "ambient")},
                 user={"uid": 5, "gid": 5}))


@test()
def limits():
    config = process(shell("for l in n u c f s; do ulimit -S$l; ulimit -H$l; done"), rlimits=[
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_NPROC", "soft": 300, "hard": 400},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_FSIZE", "soft": 1 << 20, "hard": 1 << 30},
        {"type": "RLIMIT_STACK", "soft": 8 << 20, "hard": 64 << 20}])
    same(config)


@test()
def files_reach_the_root():
    done = SENTRY.run(shell("echo data > /tmp/f; chmod 640 /tmp/f; chown 12:34 /tmp/f; mkdir -p /tmp/d/e; ln -s f /tmp/l"))
    info = os.lstat(oci.ROOTFS / "tmp/f")
    want(done.status == 0 and (info.st_uid, info.st_gid, info.st_mode & 0o777) == (12, 34, 0o640), done, info)
    want((oci.ROOTFS / "tmp/f").read_text() == "data\n" and os.readlink(oci.ROOTFS / "tmp/l") == "f", "contents")
    oci.harness.fresh_directory(oci.ROOTFS / "tmp").chmod(0o1777)


@test()
def a_read_only_root():
    config = shell("touch /x; touch /tmp/x; mkdir /proc/x; touch /dev/shm/ok && echo shm; touch /t/y && echo tmpfs; ls -d /t",
                   root={"path": str(oci.ROOTFS), "readonly": True})
    config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m", "ro"]})
    config["mounts"].append({"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m"]})
    ours = SENTRY.run(config)
    want(not (oci.ROOTFS / "t").exists(), "a mount point was made on the host")
    theirs = RUNC.run(config)
    (oci.ROOTFS / "t").rmdir()
    want((ours.status, ours.out) == (theirs.status, theirs.out), ours, theirs)


@test()
def a_tmpfs_that_starts_with_what_the_image_has():
    (oci.ROOTFS / "data/sub").mkdir(parents=True)
    (oci.ROOTFS / "data/file").write_text("of the image\n")
    config = shell("cat /data/file; echo more >> /data/file; rm -r /data/sub; touch /data/new; ls /data; cat /data/file; ls /fresh")
    for place in ("/data", "/fresh"):
        config["mounts"].append({"destination": place, "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]})
    same(config)
    want((oci.ROOTFS / "data/file").read_text() == "of the image\n" and not (oci.ROOTFS / "data/new").exists(), "the image changed")
    (oci.ROOTFS / "fresh").rmdir()


@test()
def bind_mounts():
    source = oci.harness.fresh_directory(WORK / "source")
    (source / "file").write_text("content\n")
    (source / "sub").mkdir()
    config = shell("cat /v/file /one; echo x > /v/new; echo y > /ro/new; ls /v /ro; cat /missing/file")
    config["mounts"] += [
        {"destination": "/v", "type": "bind", "source": str(source), "options": ["rbind", "rw"]},
        {"destination": "/ro", "type": "bind", "source": str(source), "options": ["bind", "ro"]},
        {"destination": "/one", "type": "bind", "source": str(source / "file"), "options": ["bind", "ro"]}]
    done = same(config)
    want("x" in (source / "new").read_text(), done)
    for name in ("v", "ro"):
        (oci.ROOTFS / name).rmdir()
    (oci.ROOTFS / "one").unlink()


@test()
def masked_and_read_only_paths():
    (oci.ROOTFS / "etc/secret").mkdir(exist_ok=True)
    (oci.ROOTFS / "etc/secret/key").write_text("key")
    (oci.ROOTFS / "etc/hidden").write_text("hidden")
    config = shell("ls /etc/secret; cat /etc/hidden; echo x > /etc/passwd; echo 1 > /proc/sys/kernel/panic; echo $?")
    config["linux"]["maskedPaths"] += ["/etc/secret", "/etc/hidden", "/no/such/path"]
    config["linux"]["readonlyPaths"] += ["/etc/passwd"]
    same(config)


@test()
def sysctls_of_the_guest():
    config = shell("cat /proc/sys/kernel/msgmax /proc/sys/net/core/somaxconn; hostname; cat /proc/sys/kernel/domainname")
    config["linux"]["sysctl"] = {"kernel.msgmax": "9000", "net.core.somaxconn": "77"}
    config["domainname"] = "example.org"
    done = SENTRY.run(config)
    want(done.out == "9000\n77\nbox\nexample.org\n", done)


@test()
def a_seccomp_profile():
    for default, rules in (
            ("SCMP_ACT_ALLOW", [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95},
                                {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [
                                    {"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}]}]),
            ("SCMP_ACT_ALLOW", [{"names": ["madvise", "mkdir"], "action": "SCMP_ACT_ERRNO"}]),
            ("SCMP_ACT_ALLOW", [{"names": ["symlink", "symlinkat"], "action": "SCMP_ACT_KILL_PROCESS"}])):
        config = shell("mkdir /tmp/d; echo $?; kill -USR1 $$; kill -0 $$; echo $?; (ln -s x /tmp/l); echo $?; "
                       "rm -rf /tmp/d /tmp/l; grep Seccomp: /proc/self/status")
        config["linux"]["seccomp"] = {"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rules}
        same(config)


@test()
def programs_that_cannot_run():
    for args in (["nosuch"], ["/no/such"], ["/etc"], ["/etc/passwd"]):
        ours, theirs = SENTRY.run(configuration(*args)), RUNC.run(configuration(*args))
        want(ours.status == theirs.status == 1, ours, theirs)
        for words in ("executable file not found", "no such file or directory", "permission denied"):
            want((words in ours.err) == (words in theirs.err), ours, theirs)


LOOP = "trap 'echo term; exit 9' TERM; trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done"


@test()
def the_life_of_a_container():
    for runtime in (SENTRY, RUNC):
        name = "life-" + runtime.name
        output = runtime.create(name, shell(LOOP))
        want(runtime.state(name)["status"] == "created", runtime.state(name))
        want(output.read_text() == "", "the program ran before start")
        want(runtime.state(name)["pid"] == runtime.pid(name), "pid")
        want(runtime("start", name).status == 0, "start")
        eventually(lambda: "ready" in output.read_text(), "ready")
        want(runtime.state(name)["status"] == "running", runtime.state(name))
        want(runtime("start", name).status == 1, "a second start")
        want(runtime("delete", name).status == 1, "delete of a running container")
        want(name in runtime("list", "-q").out.split(), "list")
        want(runtime("kill", name, "USR1").status == 0, "kill USR1")
        eventually(lambda: "usr1" in output.read_text(), "usr1")
        want(runtime("kill", name).status == 0, "kill")
        eventually(lambda: runtime.state(name)["status"] == "stopped", "stopped")
        want(output.read_text().endswith("term\n"), output.read_text())
        want(runtime("kill", name).status == 1, "kill of a stopped container")
        want(runtime("delete", name).status == 0, "delete")
        want(runtime("delete", name).status == 1, "a second delete")
        want(runtime("delete", "--force", name).status == 0, "a second delete --force")
        want(runtime.state(name)["status"] == "none", "state")
    want(not list((oci.STATE / "sentry").iterdir()), "something is left")


@test()
def the_monitor_ends_as_the_program_does():
    # As a shim: a sub-reaper that waits for the process in the pid file.
    for runtime in (SENTRY, RUNC):
        for text, ends in (("exit 5", 5), ("exit 0", 0)):
            name = "status-" + runtime.name
            runtime.create(name, shell(text))
            runtime("start", name)
            _, status = os.waitpid(runtime.pid(name), 0)
            want(os.waitstatus_to_exitcode(status) == ends, runtime.name, text, status)
            want(runtime("delete", name).status == 0, "delete")
        runtime.create(name, shell("sleep 100"))
        runtime("start", name)
        runtime("kill", name, "KILL")
        _, status = os.waitpid(runtime.pid(name), 0)
        want(os.waitstatus_to_exitcode(status) == -signal.SIGKILL, runtime.name, status)
        want(runtime("delete", name).status == 0, "delete")


@test()
def a_created_container_can_be_killed_and_deleted():
    name = "created"
    SENTRY.create(name, shell("echo never"))
    pid = SENTRY.pid(name)
    want(SENTRY("kill", name, "TERM").status == 0, "kill")
    _, status = os.waitpid(pid, 0)
    want(os.waitstatus_to_exitcode(status) == -signal.SIGTERM, status)
    want(SENTRY("delete", name).status == 0, "delete")
    SENTRY.create(name, shell("echo never"))
    pid = SENTRY.pid(name)
    want(SENTRY("delete", name).status == 0 and gone(pid), "delete of a created container")
    os.waitpid(pid, 0)


@test()
def exec_of_further_processes():
    for runtime in (SENTRY, RUNC):
        name = "exec-" + runtime.name
        output = runtime.create(name, shell(LOOP))
        runtime("start", name)
        eventually(lambda: "ready" in output.read_text(), "ready")
        results = [
            runtime("exec", name, "sh", "-c", "echo out; exit 6"),
            runtime("exec", "-e", "A=B", "--cwd", "/tmp", "-u", "1000:1000", name, "sh", "-c", "echo $A $(pwd) $(id -u) $HOME"),
            runtime("exec", name, "cat", stdin="through\n"),
            runtime("exec", name, "nosuch"),
            runtime("exec", name, "sh", "-c", "kill -TERM $$"),
        ]
        facts = [(r.status, r.out) for r in results]
        if runtime is SENTRY:
            ours = facts
        else:
            want(ours == facts, "sentry:", ours, "runc:", facts)
        pid_file = WORK / "exec.pid"
        done = subprocess.run([runtime.program, "--root", str(runtime.root), "exec", "--detach", "--pid-file",
                               str(pid_file), name, "sh", "-c", "exit 8"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, check=False)
        want(done.returncode == 0, "exec --detach")
        _, status = os.waitpid(int(pid_file.read_text()), 0)
        want(os.waitstatus_to_exitcode(status) == 8, status)
        runtime("kill", name, "KILL")
        os.waitpid(runtime.pid(name), 0)
        want(runtime("delete", name).status == 0, "delete")
        want(runtime("exec", name, "true").status == 255 or runtime is RUNC, "exec in a deleted container")


@test()
def the_end_of_a_detached_exec_ends_its_process():
    name = "exec-kill"
    output = SENTRY.create(name, shell(LOOP))
    SENTRY("start", name)
    eventually(lambda: "ready" in output.read_text(), "ready")
    pid_file = WORK / "exec.pid"
    subprocess.run([SENTRY.program, "--root", str(SENTRY.root), "exec", "--detach", "--pid-file", str(pid_file), name,
                    "sleep", "1000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   timeout=20, check=True)
    want("sleep" in SENTRY("ps", "--guest", name).out, SENTRY("ps", "--guest", name))
    os.kill(int(pid_file.read_text()), signal.SIGKILL)
    os.waitpid(int(pid_file.read_text()), 0)
    eventually(lambda: "sleep 1000" not in SENTRY("ps", name, "-ef").out, "the process ends")
    want(SENTRY.state(name)["status"] == "running", "the container")
    want(SENTRY("delete", "--force", name).status == 0, "delete")
    os.waitpid(SENTRY.pid(name), 0)


def ticks(pid):
    """Processor time of a process and all its descendants."""
    total = 0
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            chain = int(entry)
            while chain not in (0, 1, pid):
                chain = int(open("/proc/%d/stat" % chain).read().rsplit(")", 1)[1].split()[1])
            if chain == pid:
                fields = open("/proc/%s/stat" % entry).read().rsplit(")", 1)[1].split()
                total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total


@test()
def pause_takes_no_processor_time():
    name = "pause"
    busy = "echo ready; (while :; do :; done) & (while :; do sleep 0.001; done) & while :; do echo $((n=n+1)) > /tmp/n; done"
    output = SENTRY.create(name, shell(busy))
    SENTRY("start", name)
    eventually(lambda: "ready" in output.read_text(), "ready")
    time.sleep(0.3)
    want(SENTRY("pause", name).status == 0, "pause")
    want(SENTRY.state(name)["status"] == "paused", SENTRY.state(name))
    want(SENTRY("pause", name).status == 1 and SENTRY("exec", name, "true").status == 255, "twice, and exec")
    number, before = (oci.ROOTFS / "tmp/n").read_text(), ticks(SENTRY.pid(name))
    time.sleep(1)
    want(ticks(SENTRY.pid(name)) == before, "processor time", before, ticks(SENTRY.pid(name)))
    want((oci.ROOTFS / "tmp/n").read_text() == number, "it went on")
    want(SENTRY("resume", name).status == 0 and SENTRY.state(name)["status"] == "running", "resume")
    eventually(lambda: (oci.ROOTFS / "tmp/n").read_text() != number, "goes on")
    want(SENTRY("pause", name).status == 0, "pause again")
    want(SENTRY("kill", name, "KILL").status == 0, "kill of a paused container")
    os.waitpid(SENTRY.pid(name), 0)
    want(SENTRY("delete", name).status == 0, "delete")


@test()
def processes_by_the_numbers_of_the_host():
    name = "ps"
    output = SENTRY.create(name, shell("sleep 1001 & sleep 1002 & echo ready; wait"))
    SENTRY("start", name)
    eventually(lambda: "ready" in output.read_text(), "ready")
    eventually(lambda: "sleep 1002" in SENTRY("ps", name).out, "ps shows the guest's words")
    table = SENTRY("ps", name, "-ef").out
    want("sleep 1001" in table and "sentry" not in table and "zygote" not in table, table)
    numbers = [int(word) for word in SENTRY("ps", "-f", "json", name).out.strip("[]\n").split(",")]
    want(len(numbers) == 3 and all(not gone(number) for number in numbers), numbers)
    want(len(SENTRY("ps", "--guest", name).out.splitlines()) == 4, "ps --guest")
    SENTRY("delete", "--force", name)
    want(all(gone(number) for number in numbers), "guests are left")
    os.waitpid(SENTRY.pid(name), 0)


@test()
def a_terminal_over_the_console_socket():
    for runtime in (SENTRY, RUNC):
        name = "terminal-" + runtime.name
        config = process(shell("tty; stty size; read line; echo got $line; stty size; exit 4"), terminal=True,
                         consoleSize={"height": 30, "width": 90})
        path = WORK / "console"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(1)
        with subprocess.Popen([runtime.program, "--root", str(runtime.root), "create", "-b", str(oci.bundle(config)),
                               "--pid-file", str(WORK / (name + ".pid")), "--console-socket", str(path), name],
                              stdin=subprocess.DEVNULL) as create:
            listener.settimeout(20)
            connection, _ = listener.accept()
            _, fds, _, _ = socket.recv_fds(connection, 100, 1)
            want(create.wait(20) == 0, "create")
        runtime("start", name)
        text = b""
        end = time.monotonic() + 15
        sent = False
        while time.monotonic() < end:
            try:
                text += os.read(fds[0], 4096)
            except OSError:
                break
            if b"\n" in text and not sent and b"30 90" in text:
                fcntl.ioctl(fds[0], termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
                os.write(fds[0], b"word\n")
                sent = True
        os.close(fds[0])
        _, status = os.waitpid(runtime.pid(name), 0)
        want(os.waitstatus_to_exitcode(status) == 4 and text.replace(b"\r", b"").split(b"\n") ==
             [b"/dev/pts/0", b"30 90", b"word", b"got word", b"33 77", b""], runtime.name, status, text)
        want(runtime("delete", name).status == 0, "delete")


@test()
def errors_are_written_to_the_log_as_json():
    log = WORK / "log.json"
    log.unlink(missing_ok=True)
    done = SENTRY("--log", log, "--log-format", "json", "state", "nothing")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    want(done.status == 1 and lines[-1]["level"] == "error" and "does not exist" in lines[-1]["msg"], done, lines)
    want(SENTRY("--systemd-cgroup", "state", "x").status == 1, "--systemd-cgroup")
    for word in ("checkpoint", "restore"):
        done = SENTRY(word, "x")
        want(done.status == 1 and "not there yet" in done.err, done)


@test()
def limits_can_be_read_and_changed():
    for runtime in (SENTRY, RUNC):
        name = "limits-" + runtime.name
        config = shell("echo ready; while :; do sleep 0.05; done")
        config["linux"]["cgroupsPath"] = "/oci-" + name
        config["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 50}}
        output = runtime.create(name, config)
        runtime("start", name)
        eventually(lambda: "ready" in output.read_text(), "ready")
        done = runtime("events", "--stats", name)
        stats = json.loads(done.out)
        want(stats["type"] == "stats" and stats["id"] == name, done)
        want(stats["data"]["memory"]["usage"]["limit"] == 64 << 20 and stats["data"]["cpu"]["usage"]["total"] > 0, done)
        want(runtime("update", "--memory", "100m", name).status == 0, "update")
        want(json.loads(runtime("events", "--stats", name).out)["data"]["memory"]["usage"]["limit"] == 100 << 20, "the new limit")
        want(runtime("update", "--resources", "-", name, stdin='{"memory": {"limit": 80000000}}').status == 0, "update from a document")
        want(runtime("update", "--memory", "much", name).status == 1, "a limit that is no number")
        runtime("delete", "--force", name)
        os.waitpid(runtime.pid(name), 0)


def family(pid):
    return [pid] + sum((family(int(child)) for child in open("/proc/%d/task/%d/children" % (pid, pid)).read().split()), [])


@test()
def every_process_is_in_every_control_group():
    # With a hook the monitor joins first, without one the sandbox is built meanwhile.
    used = {}
    for name, hooks in (("joins-late", {}), ("joins-first", {"prestart": [{"path": "/bin/true"}]})):
        config = shell("sleep 100", hooks=hooks)
        config["linux"]["cgroupsPath"] = "/oci-" + name
        SENTRY.create(name, config)
        for state in ("created", "running"):
            members = family(SENTRY.pid(name))
            want(len(members) >= 5, state, members)
            for pid in members:
                groups = [line.split(":", 2) for line in open("/proc/%d/cgroup" % pid).read().splitlines()]
                outside = [words for words in groups if words[2] != "/oci-" + name]
                want(groups and not outside, name, state, "process", pid, "of", members, "is in", outside)
            want(SENTRY("start", name).status == (0 if state == "created" else 1), "start", state)
        used[name] = json.loads(SENTRY("events", "--stats", name).out)["data"]["memory"]["usage"]["usage"]
        SENTRY("delete", "--force", name)
        os.waitpid(SENTRY.pid(name), 0)
    # Not what the host's kernel took for namespaces, which is most of the rest.
    want(used["joins-late"] > 400 << 10, "the memory of the sandbox is accounted elsewhere:", used)


@test()
def tasks_are_limited_exactly():
    for limit, fails in ((5, True), (6, False)):
        config = shell("sleep 0.5 & sleep 0.5 & sleep 0.5 & sleep 0.5 & sleep 0.5 & wait")
        config["linux"]["resources"] = {"pids": {"limit": limit}}
        done = SENTRY.run(config)
        want(("fork" in done.err) == fails, limit, done)


@test()
def messages_name_the_container():
    for words in (("state", "nobody"), ("start", "nobody"), ("kill", "nobody"), ("exec", "nobody", "true"), ("ps", "nobody"),
                  ("events", "--stats", "nobody"), ("update", "nobody"), ("pause", "nobody"), ("delete", "nobody")):
        done = SENTRY(*words)
        want(done.status in (1, 255) and "nobody: " in done.err and "container does not exist" in done.err, words, done)
    SENTRY.create("somebody", shell("exec sleep 100"))
    done = SENTRY("run", "-b", oci.bundle(shell("true")), "somebody")
    want(done.status == 1 and done.err.count("somebody") == 1, done)
    SENTRY("start", "somebody")
    done = SENTRY("start", "somebody")
    want("somebody: cannot start an already running container" in done.err, done)
    done = oci.command("setpriv", "--reuid", "12345", "--clear-groups", SENTRY.program, "--root", SENTRY.root, "state", "somebody")
    want(done.status == 1 and "another user's" in done.err, done)
    done = oci.command(SENTRY.program, "debug", "--root", SENTRY.root, "--stacks", "somebody")
    want(done.status == 0 and "nanosleep" in done.out, done)
    done = oci.command(SENTRY.program, "debug", "--root", SENTRY.root, "--stacks")
    want(done.status == 0 and "nanosleep" in done.out, done)
    done = oci.command(SENTRY.program, "debug", "--root", SENTRY.root, "--stacks", "nobody")
    want(done.status == 1 and "nobody: container does not exist" in done.err, done)
    SENTRY("delete", "--force", "somebody")
    os.waitpid(SENTRY.pid("somebody"), 0)
    done = SENTRY("--disable-feature", "io-uring,wait-killable", "--disable-feature=ns-pid", "run", "-b", oci.bundle(shell("echo ran")), "somebody")
    want(done.out == "ran\n", done)
    done = SENTRY("--disable-feature", "io-uring", "--disable-feature", "none,ns-pid", "run", "-b", oci.bundle(shell("true")), "somebody")
    want(done.status == 1 and '"none"' in done.err, done)


@test()
def long_answers_come_whole():
    # More than a socket holds at a time.
    SENTRY.create("crowd", shell("for i in $(seq 400); do sleep 100 & done; wait"))
    want(SENTRY("start", "crowd").status == 0, "start")
    eventually(lambda: len(SENTRY("ps", "--guest", "crowd").out.splitlines()) == 402, "401 processes below a title")
    done = oci.command(SENTRY.program, "debug", "--root", SENTRY.root, "--stacks", "crowd")
    want(done.status == 0 and len(done.out.splitlines()) == 401, done)
    SENTRY("delete", "--force", "crowd")
    os.waitpid(SENTRY.pid("crowd"), 0)


@test()
def annotations_that_the_operator_allows():
    config = shell("echo kept > /kept; cat /kept", annotations={"org.sentry.overlay": "memory"})
    name = "annotated"
    done = SENTRY("--allow-annotations", "overlay", "run", "-b", oci.bundle(config), name)
    want(done.out == "kept\n" and not (oci.ROOTFS / "kept").exists(), done)
    done = SENTRY("run", "-b", oci.bundle(config), name)
    want(done.out == "kept\n" and (oci.ROOTFS / "kept").exists() and "--allow-annotations" in done.err, done)
    (oci.ROOTFS / "kept").unlink()


@test()
def what_the_caller_has_open_stays_with_him():
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    output = WORK / "open.out"
    with open(output, "wb") as file:
        subprocess.run([SENTRY.program, "--root", str(SENTRY.root), "create", "-b", str(oci.bundle(shell("sleep 100"))),
                        "--pid-file", str(WORK / "open.pid"), "open"], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                       close_fds=False, timeout=30, check=True)
    os.close(writer)
    want(os.read(reader, 1) == b"", "somebody holds it")
    SENTRY("start", "open")
    for words in (["sleep", "100"],):
        subprocess.run([SENTRY.program, "--root", str(SENTRY.root), "exec", "--detach", "open", *words], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30, check=True)
    want(SENTRY("delete", "--force", "open").status == 0, "delete")
    os.waitpid(SENTRY.pid("open"), 0)


@test()
def what_each_process_may():
    name = "may"
    SENTRY.create(name, shell("sleep 1000"))
    SENTRY("start", name)
    monitor = SENTRY.pid(name)
    for pid in [monitor] + [int(word) for word in open("/proc/%d/task/%d/children" % (monitor, monitor)).read().split()]:
        comm = open("/proc/%d/comm" % pid).read().strip()
        status = dict(line.split(":\t", 1) for line in open("/proc/%d/status" % pid).read().splitlines() if ":\t" in line)
        allowed = 0x1f if comm == "gofer" else 0
        for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
            want(int(status[kind], 16) & ~allowed == 0, comm, kind, status[kind])
        want(status["NoNewPrivs"] == "1", comm, "no_new_privs")
        want(os.listdir("/proc/%d/root" % pid) == [] or pid == monitor, comm, "sees files")
        want(not os.path.exists("/proc/%d/root/usr/sbin/runc" % pid), comm, "sees the host")
    want(os.path.exists("/proc/%d/root/bin/busybox" % monitor), "the monitor's root is not the container's")
    SENTRY("delete", "--force", name)
    os.waitpid(monitor, 0)


@test()
def a_program_that_starts_quickly():
    SENTRY.run(configuration("true"))
    times = []
    for _ in range(10):
        begin = time.monotonic()
        want(SENTRY.run(configuration("true")).status == 0, "true")
        times.append(time.monotonic() - begin)
    want(min(times) < 0.15, "the quickest of ten runs of true took %.0f ms" % (min(times) * 1000))
