"""dockerd, containerd and podman, started here, with sentry beside runc: the same commands, the same observable result."""
import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import time

import oci
from oci import WORK, Failed, command, eventually, test, want

ENGINES = WORK / "engines"
BRIEF = re.compile(r"[0-9a-f]{64}|\b[0-9a-f]{12}\b")
RUNTIMES = ("sentry", "runc")


def missing(*programs):
    lost = [name for name in programs if not shutil.which(name)]
    return "no " + ", ".join(lost) if lost else None


def remove_groups():
    """What engines make around their containers' control groups and leave."""
    for pattern in ("docker", "libpod_parent/*", "libpod_parent", "default", "conmon"):
        for path in glob.glob("/sys/fs/cgroup/*/" + pattern) + glob.glob("/sys/fs/cgroup/" + pattern):
            with contextlib.suppress(OSError):
                os.rmdir(path)


class Daemon:
    """A daemon of an engine, started on first use; it ends with our pid namespace."""

    def __init__(self, words, log, ready):
        self.words, self.log, self.ready, self.process = words, log, ready, None

    def start(self):
        if self.process:
            want(self.process.poll() is None, "the daemon has ended")
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(word) for word in self.words()], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)
        eventually(self.ready, "the daemon answers: " + self.log.read_text()[-500:], 30)


# --- docker

DOCKER = ENGINES / "docker"
DOCKER_ENV = dict(os.environ, DOCKER_HOST="unix://%s/sock" % DOCKER, DOCKER_CONFIG=str(DOCKER / "client"))


def dockerd_words():
    DOCKER.mkdir(parents=True, exist_ok=True)
    (DOCKER / "daemon.json").write_text(json.dumps({"runtimes": {
        "sentry": {"path": str(oci.harness.SENTRY)},
        "sentry-memory": {"path": str(oci.harness.SENTRY), "runtimeArgs": ["--overlay", "memory"]}}}))
    return dockerd_words_of(DOCKER)


def dockerd_words_of(directory):
    return ["dockerd", "--data-root", directory / "data", "--exec-root", directory / "exec", "--pidfile", directory / "pid", "-H",
            "unix://%s/sock" % directory, "--config-file", directory / "daemon.json", "--exec-opt", "native.cgroupdriver=cgroupfs"]


def docker(*words, **options):
    return command("docker", *words, env=DOCKER_ENV, **options)


dockerd = Daemon(dockerd_words, DOCKER / "log", lambda: docker("version").status == 0)
_image = False


def use_docker():
    global _image
    dockerd.start()
    if not _image:
        with subprocess.Popen(["tar", "-C", str(oci.ROOTFS), "-c", "."], stdout=subprocess.PIPE) as tar:
            done = subprocess.run(["docker", "import", "--change", "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin", "-", "t/busybox"],
                                  stdin=tar.stdout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=DOCKER_ENV, check=False)
        want(done.returncode == 0, done.stdout)
        _image = True


def plain(done):
    """What must be the same: status, output, and of the errors which kind it is."""
    kind = [word for word in ("executable file not found", "permission denied", "no such file or directory", "Read-only")
            if word in done.err]
    return done.status, BRIEF.sub("ID", done.out.replace("\r", "")), kind


def both(function):
    """Calls it for each runtime with a function that runs docker; the lists of facts that it returns must be the same."""
    reason = missing("dockerd", "docker", "containerd", "runc")
    if reason:
        return reason
    use_docker()
    facts = {}
    for runtime in RUNTIMES:
        facts[runtime] = function(runtime)
    if facts["sentry"] != facts["runc"]:
        for ours, theirs in zip(facts["sentry"], facts["runc"]):
            want(ours == theirs, "\nsentry:", ours, "\nrunc:  ", theirs)
        raise Failed("%r %r" % (facts["sentry"], facts["runc"]))
    return None


def run(runtime, *words, **options):
    return docker("run", "--rm", "--runtime", runtime, "--network=none", *words, **options)


@test()
def docker_run():
    def facts(runtime):
        image = "t/busybox"
        return [plain(done) for done in (
            run(runtime, image, "sh", "-c", "id; pwd; hostname | wc -c; env | sort | grep -v HOSTNAME; exit 4"),
            run(runtime, "-i", image, "cat", stdin="through\n"),
            run(runtime, image, "nosuch"), run(runtime, image, "/etc/passwd"), run(runtime, image, "/no/such"),
            run(runtime, "-u", "1000:1000", "-w", "/tmp", "-e", "A=B", "--hostname", "box", image, "sh", "-c",
                "id; pwd; echo $A; hostname; grep Cap /proc/self/status; touch x; ls -ln x | cut -c1-40"),
            run(runtime, "--read-only", "--cap-drop=all", "--tmpfs", "/t:rw,size=1m", image, "sh", "-c",
                "touch /t/x && echo ok; grep Cap /proc/self/status; touch /x"),
            run(runtime, "--group-add", "55", "--shm-size", "1m", "--sysctl", "kernel.msgmax=9000", image, "sh", "-c",
                "id; df -k /dev/shm | tail -1 | sed 's/.* //'; cat /proc/sys/kernel/msgmax"),
            run(runtime, "--security-opt", "no-new-privileges", "--ulimit", "nofile=500:600", image, "sh", "-c",
                "grep NoNewPrivs /proc/self/status; ulimit -n; ulimit -Hn"),
            run(runtime, "-t", image, "sh", "-c", "tty; echo in a terminal; exit 3"))]
    return both(facts)


@test()
def docker_volumes():
    def facts(runtime):
        volume = oci.harness.fresh_directory(ENGINES / "volume")
        (volume / "old").write_text("old\n")
        results = [plain(run(runtime, "-v", "%s:/v" % volume, "t/busybox", "sh", "-c",
                             "cat /v/old; echo new > /v/new; mkdir /v/d; ls /v; wc -l < /etc/hosts; ls /etc/resolv.conf")),
                   plain(run(runtime, "-v", "%s:/v:ro" % volume, "t/busybox", "sh", "-c", "cat /v/new; touch /v/x"))]
        return results + [sorted(os.listdir(volume)), (volume / "new").read_text()]
    return both(facts)


LOOP = "echo log; trap 'exit 9' TERM; while :; do sleep 0.05; done"


@test()
def docker_containers_live():
    def facts(runtime):
        docker("rm", "-f", "live")
        results = [plain(docker("run", "-d", "--runtime", runtime, "--network=none", "--name", "live", "t/busybox", "sh", "-c", LOOP))]
        eventually(lambda: "log" in docker("logs", "live").out, "log")
        results += [plain(done) for done in (
            docker("exec", "live", "sh", "-c", "echo in; exit 6"),
            docker("exec", "-u", "5:6", "-e", "X=Y", "-w", "/tmp", "live", "sh", "-c", "id; echo $X; pwd"),
            docker("exec", "live", "nosuch"), docker("exec", "-i", "live", "cat", stdin="abc\n"),
            docker("exec", "-t", "live", "sh", "-c", "tty; exit 2"),
            docker("logs", "live"), docker("pause", "live"), docker("exec", "live", "true"), docker("unpause", "live"),
            docker("top", "live", "-o", "args"), docker("exec", "live", "sh", "-c", "echo written > /root/w"),
            docker("cp", "live:/root/w", "-", timeout=20))]
        results[-1] = "written" in results[-1][1]
        (ENGINES / "file").write_text("copied\n")
        results += [plain(done) for done in (
            docker("cp", ENGINES / "file", "live:/root/c"), docker("exec", "live", "cat", "/root/c"))]
        results.append(sorted(docker("diff", "live").out.split("\n")))
        results += [plain(done) for done in (
            docker("stop", "-t", "5", "live"), docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "live"),
            docker("start", "live"), docker("kill", "live"),
            docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "live"),
            docker("restart", "-t", "1", "live"), docker("rm", "-f", "live"))]
        return results
    return both(facts)


@test()
def docker_networks():
    reason = missing("iptables", "nsenter")
    if reason:
        return reason

    def facts(runtime):
        docker("rm", "-f", "server")
        serve = "while :; do echo hello from $(hostname) | nc -l -p 80; done"
        server = docker("run", "-d", "--runtime", runtime, "--name", "server", "--hostname", "box", "-p", "127.0.0.1:8080:80",
                        "t/busybox", "sh", "-c", serve)
        address = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "server").out.strip()

        def ask(where, *words):
            def once():
                done = command(*words, timeout=5) if where is None else docker(
                    "run", "--rm", "--runtime", runtime, *where, "t/busybox", *words, timeout=20)
                ask.last = plain(done)
                return "hello" in done.out
            try:
                eventually(once, "an answer", 15)
            except Failed:
                pass
            return ask.last
        results = [plain(server), ask([], "nc", address, "80"), ask(None, oci.BUSYBOX, "nc", "127.0.0.1", "8080"),
                   ask(["--network=container:server"], "nc", "127.0.0.1", "80"),
                   ask(["--network=host"], "nc", "127.0.0.1", "8080"),
                   plain(docker("run", "--rm", "--runtime", runtime, "t/busybox", "sh", "-c", "wc -l < /etc/resolv.conf")),
                   plain(docker("rm", "-f", "server"))]
        return results
    return both(facts)


@test()
def docker_limits():
    def facts(runtime):
        docker("rm", "-f", "limits")
        results = [plain(docker("run", "-d", "--runtime", runtime, "--network=none", "--name", "limits", "--memory", "64m", "--cpus",
                                "0.5", "--cpuset-cpus", "0", "t/busybox", "sleep", "1000"))]
        pid = int(docker("inspect", "-f", "{{.State.Pid}}", "limits").out)
        groups = dict(line.split(":")[1:] for line in open("/proc/%d/cgroup" % pid).read().split())

        def read(controller, name):
            path = "/sys/fs/cgroup/%s%s/%s" % (controller, groups.get(controller, ""), name)
            return open(path).read() if os.path.exists(path) else None
        for _ in range(2):
            results += [read("memory", "memory.limit_in_bytes"), read("cpu", "cpu.cfs_quota_us"), read("cpuset", "cpuset.cpus")]
            results.append(plain(docker("update", "--memory", "100m", "--memory-swap", "100m", "--cpus", "0.7", "limits")))
        results.append(docker("stats", "--no-stream", "--format", "{{.MemUsage}}", "limits").out.split("/")[1])
        results.append(plain(docker("rm", "-f", "limits")))
        return results
    return both(facts)


@test()
def docker_tells_of_the_oom_killer():
    eat = "x=$(dd if=/dev/zero bs=1M count=200 2>/dev/null | tr '\\0' a); echo ${#x}"

    def facts(runtime):
        results = []
        for text in (eat, "(%s); echo child $?" % eat):
            docker("rm", "-f", "oom")
            results.append(plain(docker("run", "--runtime", runtime, "--network=none", "--name", "oom", "--memory", "48m",
                                        "--memory-swap", "48m", "t/busybox", "sh", "-c", text, timeout=60)))
            results.append(plain(docker("inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", "oom")))
        docker("rm", "-f", "oom")
        return results
    return both(facts)


@test()
def docker_options():
    def facts(runtime):
        return [plain(run(runtime, "--pid=host", "t/busybox", "sh", "-c", "test $(ls -d /proc/[0-9]* | wc -l) -gt 0 && echo some")),
                plain(run(runtime, "--ipc=host", "t/busybox", "echo", "ipc")),
                plain(run(runtime, "--cpus=1", "--read-only", "--cap-drop=all", "-u", "65534", "--tmpfs=/tmp:rw,size=1g,mode=1777,noexec",
                          "-i", "t/busybox", "sh", "-c", "id -u; cat; touch /tmp/x && echo ok", stdin="standard input\n"))]
    reason = both(facts)
    if reason:
        return reason
    done = docker("run", "--name", "inmemory", "--runtime", "sentry-memory", "--network=none", "t/busybox", "sh", "-c",
                  "echo x > /kept; cat /kept")
    want(done.out == "x\n" and "kept" not in docker("diff", "inmemory").out, done, docker("diff", "inmemory"))
    docker("rm", "-f", "inmemory")
    return None


@test(core=False)
def docker_build_with_sentry_as_default():
    reason = missing("dockerd", "docker")
    if reason:
        return reason
    data = ENGINES / "default"
    data.mkdir(parents=True, exist_ok=True)
    (data / "daemon.json").write_text(json.dumps({"default-runtime": "sentry",
                                                  "runtimes": {"sentry": {"path": str(oci.harness.SENTRY)}}}))
    env = dict(DOCKER_ENV, DOCKER_HOST="unix://%s/sock" % data, DOCKER_BUILDKIT="0")
    daemon = Daemon(lambda: ["dockerd", "--data-root", data / "data", "--exec-root", data / "exec", "--pidfile", data / "pid", "-H",
                             "unix://%s/sock" % data, "--config-file", data / "daemon.json", "--iptables=false",
                             "--ip-forward=false", "--bridge=none"], data / "log",
                    lambda: command("docker", "version", env=env).status == 0)
    daemon.start()
    context = oci.harness.fresh_directory(data / "context")
    with subprocess.Popen(["tar", "-C", str(oci.ROOTFS), "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(["docker", "import", "--change", "ENV PATH=/bin", "-", "t/busybox"], stdin=tar.stdout, env=env, check=True,
                       stdout=subprocess.DEVNULL)
    (context / "file").write_text("of the context\n")
    (context / "Dockerfile").write_text(
        "FROM t/busybox\nCOPY file /file\nRUN cat /file > /built && id -u >> /built && mkdir -p /home/worker && chown 1000 /home/worker\nUSER user\n"
        "WORKDIR /home/worker\nRUN echo mine > here\nCMD cat /built here; id -un; pwd\n")
    done = command("docker", "build", "--network=none", "-t", "t/built", context, env=env, timeout=120)
    want(done.status == 0, done)
    done = command("docker", "run", "--rm", "--network=none", "t/built", env=env)
    want(done.out == "of the context\n0\nmine\nuser\n/home/worker\n", done)
    shutil.copy(oci.BUSYBOX, context / "busybox")
    (context / "Dockerfile").write_text("FROM scratch\nCOPY busybox /busybox\nUSER 65534\nENTRYPOINT [\"/busybox\"]\n")
    done = command("docker", "build", "-t", "t/scratch", context, env=env, timeout=120)
    want(done.status == 0, done)
    done = command("docker", "run", "--rm", "--net=none", "--cap-drop=all", "--cpus=1", "--read-only",
                   "--tmpfs=/tmp:rw,size=1g,mode=1777,noexec", "-i", "t/scratch", "sh", "-c", "cat; /busybox id -u; echo x > /tmp/x; echo y > /y",
                   env=env, stdin="over standard input\n")
    want(done.out == "over standard input\n65534\n" and "Read-only" in done.err, done)
    daemon.process.terminate()
    return None


@test(core=False)
def docker_with_mapped_users():
    reason = missing("dockerd")
    if reason:
        return reason
    use_docker()
    data = ENGINES / "mapped"
    data.mkdir(parents=True, exist_ok=True)
    for name in ("subuid", "subgid"):
        (data / name).write_text("nobody:100000:65536\nnogroup:100000:65536\n")
        subprocess.run(["mount", "--bind", str(data / name), "/etc/" + name], check=True)
    words = ["dockerd", "--userns-remap=nobody:nogroup", "--data-root", data / "data", "--exec-root", data / "exec", "--pidfile",
             data / "pid", "-H", "unix://%s/sock" % data, "--config-file", DOCKER / "daemon.json", "--iptables=false",
             "--ip-forward=false", "--bridge=none"]
    env = dict(DOCKER_ENV, DOCKER_HOST="unix://%s/sock" % data)
    for path in (WORK, ENGINES, oci.harness.OUT):
        path.chmod(0o755)
    daemon = Daemon(lambda: words, data / "log", lambda: command("docker", "version", env=env).status == 0)
    daemon.start()
    with subprocess.Popen(["tar", "-C", str(oci.ROOTFS), "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(["docker", "import", "--change", "ENV PATH=/bin", "-", "t/busybox"], stdin=tar.stdout, env=env, check=True,
                       stdout=subprocess.DEVNULL)
    facts = []
    for runtime in RUNTIMES:
        facts.append([plain(command("docker", "run", "--rm", "--runtime", runtime, "--network=none", "t/busybox", "sh", "-c",
                                    "id -u; touch /x; chown 5:6 /x; ls -ln /x | cut -c1-40; ls -ln /etc/hosts | cut -c1-40",
                                    env=env))])
    daemon.process.terminate()
    want(facts[0] == facts[1], facts)
    return None


# --- containerd

CONTAINERD = ENGINES / "containerd"


def containerd_words():
    CONTAINERD.mkdir(parents=True, exist_ok=True)
    (CONTAINERD / "config.toml").write_text(
        'version = 2\nroot = "%s/root"\nstate = "%s/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        '[grpc]\naddress = "%s/sock"\n' % (CONTAINERD, CONTAINERD, CONTAINERD))
    return ["containerd", "-c", CONTAINERD / "config.toml"]


def ctr(*words, **options):
    return command("ctr", "-a", CONTAINERD / "sock", *words, **options)


containerd = Daemon(containerd_words, CONTAINERD / "log", lambda: ctr("version").status == 0)


def ctr_run(runtime, *words, **options):
    program = oci.SENTRY.program if runtime == "sentry" else oci.RUNC.program
    return ctr("run", *words[:1], "--rootfs", "--runtime", "io.containerd.runc.v2", "--runc-binary", program, oci.ROOTFS, *words[1:],
               **options)


@test()
def containerd_tasks():
    reason = missing("containerd", "ctr")
    if reason:
        return reason
    containerd.start()
    facts = {}
    for runtime in RUNTIMES:
        name = "task-" + runtime
        results = [plain(ctr_run(runtime, "--rm", name, "/bin/sh", "-c", "echo out; exit 3")),
                   plain(ctr_run(runtime, "-d", name, "/bin/sleep", "1000"))[0]]
        results += [plain(done) for done in (
            ctr("t", "exec", "--exec-id", "e1", name, "/bin/sh", "-c", "echo in; exit 4"), ctr("t", "pause", name))]
        results.append("PAUSED" in ctr("t", "ls").out)
        results.append(plain(ctr("t", "resume", name)))
        results.append("memory.usage_in_bytes" in ctr("t", "metrics", name).out)
        results.append(len(ctr("t", "ps", name).out.splitlines()))
        results.append(plain(ctr("t", "kill", "-s", "KILL", name)))
        eventually(lambda n=name: "STOPPED" in ctr("t", "ls").out, "stopped")
        results += [plain(ctr("t", "rm", name))[0], plain(ctr("c", "rm", name))]
        facts[runtime] = results
    want(facts["sentry"] == facts["runc"], facts)
    return None


@test(core=False)
def containerd_a_hundred_containers():
    reason = missing("containerd", "ctr")
    if reason:
        return reason
    from concurrent.futures import ThreadPoolExecutor
    containerd.start()

    def one(number):
        done = ctr_run("sentry", "--rm", "many-%d" % number, "/bin/sh", "-c", "echo %d" % number, timeout=120)
        return (done.status, done.out) == (0, "%d\n" % number)
    with ThreadPoolExecutor(8) as pool:
        good = sum(pool.map(one, range(100)))
    want(good == 100, "%d of 100" % good)
    left = [entry for entry in os.listdir("/proc") if entry.isdigit() and not oci.gone(int(entry)) and
            "sentry" in command("cat", "/proc/%s/comm" % entry).out]
    want(not left, "processes are left", left)
    return None


# --- podman

PODMAN = ENGINES / "podman"


def podman_environment(directory, **more):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "containers.conf").write_text(
        '[containers]\ndefault_ulimits = ["nofile=1024:1024","nproc=1024:1024"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime_supports_nocgroup = ["sentry"]\n')
    (directory / "storage.conf").write_text('[storage]\ndriver = "vfs"\nrunroot = "%s/run"\ngraphroot = "%s/graph"\n' %
                                            (directory, directory))
    return dict(os.environ, CONTAINERS_CONF=str(directory / "containers.conf"),
                CONTAINERS_STORAGE_CONF=str(directory / "storage.conf"), **more)


def podman_facts(runtime, podman, *options):
    facts = [plain(done) for done in (
        podman("run", "--rm", *options, "t/busybox", "sh", "-c", "echo out; id -u; pwd; exit 3"),
        podman("run", "-d", "--name", "p1", *options, "t/busybox", "sh", "-c", "echo log; sleep 1000"),
        podman("exec", "p1", "sh", "-c", "echo in; exit 4"), podman("logs", "p1"))]
    copy = PODMAN / "copy"
    facts.append(plain(podman("cp", "p1:/etc/passwd", copy)))
    facts.append(copy.read_text() if copy.exists() else None)
    facts += [plain(done) for done in (podman("kill", "p1"), podman("wait", "p1"), podman("rm", "-f", "-t", "0", "p1"))]
    return facts


@test(core=False)
def podman_containers():
    reason = missing("podman", "conmon", "runc")
    if reason:
        return reason
    environment = podman_environment(PODMAN)
    with subprocess.Popen(["tar", "-C", str(oci.ROOTFS), "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(["podman", "import", "--change", "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin", "-", "t/busybox"], stdin=tar.stdout,
                       env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    facts = {}
    for runtime in RUNTIMES:
        program = oci.SENTRY.program if runtime == "sentry" else oci.RUNC.program

        def podman(*words, program=program):
            return command("podman", "--runtime", program, *words, env=environment)
        facts[runtime] = podman_facts(runtime, podman, "--network=none")
        if shutil.which("catatonit"):
            facts[runtime] += [plain(podman("pod", "create", "--name", "pod", "--network=none"))[0],
                               plain(podman("run", "--rm", "--pod", "pod", "t/busybox", "echo", "in a pod")),
                               plain(podman("pod", "rm", "-f", "-t", "0", "pod"))[0]]
    for ours, theirs in zip(facts["sentry"], facts["runc"]):
        want(ours == theirs, "\nsentry:", ours, "\nrunc:  ", theirs)
    return None


def podman_hooks(log):
    """A directory of hooks for every stage, as podman reads them."""
    directory = oci.harness.fresh_directory(PODMAN / "hooks")
    for stage in ("prestart", "createRuntime", "createContainer", "poststart", "poststop", "startContainer"):
        told = "cat > /dev/null; echo %s $(basename $PWD) >> %s" % (stage, log)
        if stage == "startContainer":
            told = "cat > /dev/null; echo %s $(id -u) $PWD > /tmp/started" % stage
        (directory / (stage + ".json")).write_text(json.dumps({
            "version": "1.0.0", "when": {"always": True}, "stages": [stage], "hook": {"path": "/bin/sh", "args": ["sh", "-c", told]}}))
    return directory


def with_descriptors(words, environment):
    """Runs it with a pipe to read from as 3 and one to write to as 4. Status, output, and what came through the second."""
    given, gives = os.pipe(), os.pipe()
    os.write(given[1], b"passed on\n")
    os.close(given[1])

    def place():
        for fd, high in ((given[0], 103), (gives[1], 104)):
            os.dup2(fd, high)
        os.dup2(103, 3)
        os.dup2(104, 4)
    done = subprocess.run([str(word) for word in words], env=environment, close_fds=False, preexec_fn=place, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=False)
    os.close(given[0])
    os.close(gives[1])
    answer = os.read(gives[0], 100)
    os.close(gives[0])
    return done.returncode, done.stdout, answer


@test(core=False)
def podman_hooks_descriptors_and_user_namespaces():
    reason = missing("podman", "conmon", "runc", "unshare")
    if reason:
        return reason
    environment = podman_environment(PODMAN)
    with subprocess.Popen(["tar", "-C", str(oci.ROOTFS), "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(["podman", "import", "--change", "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin", "-", "t/options"], stdin=tar.stdout,
                       env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = PODMAN / "hooks.log"
    facts = {}
    for runtime in RUNTIMES:
        words = ["podman", "--runtime", oci.SENTRY.program if runtime == "sentry" else oci.RUNC.program]
        log.write_text("")
        hooks = podman_hooks(log)
        facts[runtime] = [plain(command(*words, "--hooks-dir", hooks, "run", "--rm", "--network=none", "t/options", "cat", "/tmp/started",
                                        env=environment)), re.sub("[0-9a-f]{64}", "ID", log.read_text())]
        facts[runtime].append(with_descriptors([*words, "run", "--rm", "--network=none", "--preserve-fds=2", "t/options", "sh", "-c",
                                                "cat <&3; echo answer >&4"], environment))
        with subprocess.Popen(["unshare", "--user", "sh", "-c", "read x"], stdin=subprocess.PIPE) as holder:
            eventually(lambda pid=holder.pid: os.readlink("/proc/%d/ns/user" % pid) != os.readlink("/proc/self/ns/user"), "a user namespace")
            for name in ("gid_map", "uid_map"):
                with open("/proc/%d/%s" % (holder.pid, name), "w") as file:
                    file.write("0 0 65536\n")
            facts[runtime].append(plain(command(*words, "run", "--rm", "--network=none", "--userns=ns:/proc/%d/ns/user" % holder.pid,
                                                "t/options", "sh", "-c", "id -u; echo x > /x; chown 5:6 /x; ls -ln /x | cut -c1-40",
                                                env=environment)))
            holder.stdin.close()
    for ours, theirs in zip(facts["sentry"], facts["runc"]):
        want(ours == theirs, "\nsentry:", ours, "\nrunc:  ", theirs)
    want("passed on" in str(facts["runc"]) and "createContainer ID" in str(facts["runc"]) and "startContainer 0 /" in str(facts["runc"]), facts)
    return None
