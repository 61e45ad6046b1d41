"""The pair inside an ordinary container: Docker's default seccomp profile and capabilities, under runc."""
import shutil
import subprocess

import engines
import oci
from engines import docker, missing
from oci import WORK, test, want

_image = False


def use_image():
    """The busybox root with the pair in /opt. Why there can be none."""
    global _image
    if oci.harness.PRESET != "release":
        return "programs with sanitizers need libraries that the image has not"
    reason = missing("dockerd", "docker", "containerd", "runc")
    if reason:
        return reason
    engines.use_docker()
    if _image:
        return None
    context = oci.harness.fresh_directory(WORK / "nested")
    for name in ("sentry", "gofer"):
        shutil.copy2(oci.SENTRY.program if name == "sentry" else oci.harness.SENTRY.with_name("gofer"), context / name)
    (context / "Dockerfile").write_text("FROM t/busybox\nCOPY sentry gofer /opt/\nENV PATH=/opt:/usr/sbin:/usr/bin:/sbin:/bin\n")
    done = oci.command("docker", "build", "-q", "-t", "t/nested", context, env=dict(engines.DOCKER_ENV, DOCKER_BUILDKIT="0"), timeout=120)
    want(done.status == 0, done)
    _image = True
    return None


def inside(*words, options=(), **more):
    return docker("run", "--rm", "-i", "--network=none", *options, "t/nested", *words, **more)


WAIVED = ("waived by --nested", "invariant 3 in part", "invariant 5 in part", "invariant 7 in part", "waived without process_vm_readv")


@test()
def nested_in_a_container():
    reason = use_image()
    if reason:
        return reason
    done = inside("sentry", "--", "true")
    want(done.status == 125 and "user namespaces" in done.err, "without --nested", done)
    done = inside("sentry", "check")
    want(done.status == 1 and "With --nested, which is weaker, one can." in done.out, done)
    done = inside("sentry", "--nested", "--", "sh", "-c", "id -u; cat; echo x > /tmp/x && cat /tmp/x; (exit 3); echo $?; exit 4", stdin="through\n")
    want(done.status == 4 and done.out == "0\nthrough\nx\n3\n", done)
    for word in WAIVED:
        want(word in done.err, word, "is not said", done.err)
    done = inside("sentry", "--nested", "--user", "1000:1000", "--", "sh", "-c", "id -u; cat /etc/passwd | wc -l; ls -d /root/* /opt/sentry")
    want(done.out == "1000\n2\n" and "/opt/sentry: No such" in done.err, done)
    done = inside("sentry", "--nested", "--rootfs", "/", "--", "sh", "-c", "ls /opt; echo x > /kept; cat /kept; mount -t tmpfs x /tmp; unshare true")
    want(done.out == "gofer\nsentry\nx\n" and "ermitted" in done.err + done.out, done)
    done = inside("sentry", "--nested", "--", "id", "-u", options=("--user", "1000"))
    want(done.out == "1000\n", "as an ordinary user", done)
    done = inside("sentry", "--nested", "--", "true", options=("--cap-drop=all", "--user", "1000", "--security-opt=no-new-privileges", "--read-only"))
    want(done.status == 0, "without any capability", done)
    done = inside("sentry", "--nested", "--", "echo", "more", options=("--cap-add=SYS_PTRACE",))
    want(done.out == "more\n" and "process_vm_readv" not in done.err, "with process_vm_readv", done)
    for more in (("--network", "host"), ("--owners", "set"), ("--disable-feature", "landlock")):
        done = inside("sentry", "--nested", *more, "--", "true")
        want(done.status == 125 and "--nested" in done.err, more, done)
    return None


def processes(container):
    """The processes of the container by the name that each has given itself, with the host's numbers."""
    found = {}
    for line in docker("top", container, "-eo", "pid,comm").out.splitlines()[1:]:
        pid, name = line.split(None, 1)
        found.setdefault(name.strip(), []).append(int(pid))
    return found


def status(pid, field):
    for line in open("/proc/%d/status" % pid):
        if line.startswith(field + ":"):
            return line.split()[1:]
    return None


def start(name):
    docker("rm", "-f", name)
    done = docker("run", "-d", "--name", name, "--network=none", "t/nested", "sh", "-c",
                  "sentry --nested -- sh -c 'sleep 1001 & sleep 1002 & wait' 2>/dev/null & while :; do sleep 0.2; done")
    want(done.status == 0, done)
    oci.eventually(lambda: len([line for line in docker("top", name, "-eo", "pid,args").out.splitlines() if "sleep 100" in line]) >= 3,
                   "the guests")
    listing = docker("top", name, "-eo", "pid,ppid,args").out.splitlines()[1:]
    return {int(line.split(None, 2)[0]): line.split(None, 2)[2] for line in listing}


@test()
def nested_processes_are_held():
    """What --nested does not waive, seen from outside of the container (SECURITY.md)."""
    reason = use_image()
    if reason:
        return reason
    for victim in ("sentry --nested", "sentry-kernel", "gofer --files", "gofer --proc", "zygote"):
        listing = start("held")
        ours = {pid: text for pid, text in listing.items() if not text.startswith(("sh -c sentry", "sleep 0.2"))}
        guests = [pid for pid, text in ours.items() if "sleep 100" in text and not text.startswith("sentry")]
        want(len(guests) == 3 and len(ours) == 9, "processes", ours)
        for pid, text in ours.items():
            for field in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                want(int(status(pid, field)[0], 16) == 0, text, "has", field, status(pid, field))
            want(status(pid, "NoNewPrivs") == ["1"], text, "may gain privileges")
            filters = 1 if text.startswith("sentry --nested") else 2
            want(int(status(pid, "Seccomp_filters")[0]) >= filters, text, "has no filter of its own")
        for pid in guests:
            want(oci.os.listdir("/proc/%d/fd" % pid) == [], "a guest holds descriptors")
            want(status(pid, "Uid")[0] == "65534", "a guest is root")
        hit = [pid for pid, text in ours.items() if text.startswith(victim)]
        want(hit, victim, "is not there", ours)
        oci.os.kill(hit[0], 9)
        oci.eventually(lambda left=tuple(ours): all(oci.gone(pid) for pid in left), "the end of all after that of " + victim)
    docker("rm", "-f", "held")
    return None
