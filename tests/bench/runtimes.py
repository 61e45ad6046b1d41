#!/usr/bin/python3
"""The OCI runtime beside crun, runc and runsc, interleaved: medians, memory and limits.

usage: runtimes.py [--runs N] [--containers N] [--docker-runs N] [--json FILE] [NAME...]
NAME is one of run, exec, memory, idle, docker; without one all of them. Needs root. Everything happens in mount, pid and
network namespaces of its own, with the control groups of version 1 only where there are both (crun refuses to have both).
Times are milliseconds, memory is the PSS of all processes of a container, in KiB; the program's own is in it for every runtime.
"""
import argparse
import json
import os
import pathlib
import platform
import random
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oci"))
import oci  # noqa: E402

# Beside the tests, not in their place.
oci.WORK = oci.harness.BUILD / "bench-oci"
oci.STATE, oci.ROOTFS = oci.WORK / "state", oci.WORK / "rootfs"
import engines  # noqa: E402

INSIDE = "--inside"
RUN_LIMIT_CRUN, RUN_LIMIT_RUNSC = 1.5, 0.25
PSS_LIMIT_KB = 12 * 1024
DOCKER_LIMIT = 1.05

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--runs", type=int, default=20)
arguments.add_argument("--containers", type=int, default=50)
arguments.add_argument("--docker-runs", type=int, default=20)
arguments.add_argument("--json", default=str(oci.harness.BUILD / "bench-oci.json"))
arguments.add_argument("names", nargs="*")


class Runtime:
    def __init__(self, name, program, *options):
        self.name = name
        self.words = [str(program), "--root", str(oci.STATE / name)] + list(options)

    def __call__(self, *words):
        """Runs a command of the runtime with its output in a file: what it starts may hold it for longer than it lives."""
        with open(oci.WORK / "output", "wb") as output:
            done = subprocess.run(self.words + [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=output, timeout=120, check=False)
        oci.want(done.returncode == 0, self.name, words, (oci.WORK / "output").read_text("utf-8", "replace"))

    def time(self, *words):
        begin = time.monotonic()
        self(*words)
        return (time.monotonic() - begin) * 1000

    def start(self, name, bundle):
        self("create", "--bundle", bundle, "--pid-file", oci.WORK / "pid", name)
        self("start", name)

    def delete(self, name):
        self("delete", "--force", name)


def find_runtimes():
    # runsc's own network refuses many kernels, and none of the others makes one.
    candidates = [Runtime("sentry", oci.harness.SENTRY)]
    candidates += [Runtime(name, shutil.which(name), *more) for name, *more in
                   (["crun"], ["runc"], ["runsc", "--network=none"]) if shutil.which(name)]
    good = []
    bundle = oci.bundle(oci.configuration("/bin/true"))
    for runtime in candidates:
        try:
            runtime("run", "--bundle", bundle, "first")
            good.append(runtime)
        except oci.Failed as why:
            oci.want(runtime.name != "sentry", why)
            print("%s does not run here: %s" % (runtime.name, str(why).strip().splitlines()[-1]))
    return good


def interleaved(runtimes, runs, measure):
    samples = {runtime.name: [] for runtime in runtimes}
    for number in range(runs):
        # In another order each time: what one leaves to the host's kernel (namespaces, grace periods of RCU) is the next one's.
        for runtime in random.Random(number).sample(runtimes, len(runtimes)):
            samples[runtime.name].append(measure(runtime, number))
    return {name: statistics.median(values) for name, values in samples.items()}


def limit(name, value, base, factor):
    """One limit: the sandbox's value against another's times a factor. None where the other was not measured."""
    if base is None:
        return {"what": name, "ratio": None, "most": factor, "good": None}
    return {"what": name, "ratio": value / base, "most": factor, "good": value <= base * factor}


# --- what is measured


def bench_run(runtimes, options):
    bundle = oci.bundle(oci.configuration("/bin/true"))
    times = interleaved(runtimes, options.runs, lambda runtime, number: runtime.time("run", "--bundle", bundle, "run-%d" % number))
    return times, [limit("times crun", times["sentry"], times.get("crun"), RUN_LIMIT_CRUN),
                   limit("times runsc", times["sentry"], times.get("runsc"), RUN_LIMIT_RUNSC)]


def bench_exec(runtimes, options):
    bundle = oci.bundle(oci.configuration("/bin/sleep", "1000"))
    for runtime in runtimes:
        runtime.start("exec", bundle)
    try:
        times = interleaved(runtimes, options.runs, lambda runtime, number: runtime.time("exec", "exec", "/bin/true"))
    finally:
        for runtime in runtimes:
            runtime.delete("exec")
    return times, [limit("times runc", times["sentry"], times.get("runc"), 1)]


def processes():
    return {int(entry) for entry in os.listdir("/proc") if entry.isdigit()}


def pss_kb(pids):
    total = 0
    for pid in pids:
        try:
            lines = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines()
        except OSError:  # it has ended, or has no memory
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def settled(before):
    """The processes that are new, once two looks show the same and the same memory."""
    last = None
    for _ in range(40):
        now = sorted(processes() - before)
        look = now, pss_kb(now)
        if look == last:
            break
        last = look
        time.sleep(0.25)
    return last


def idle_of(runtime, count, bundle):
    """Starts so many containers that sleep. Milliseconds for each, and the KiB of each."""
    before = processes()
    begin = time.monotonic()
    try:
        for number in range(count):
            runtime.start("idle-%03d" % number, bundle)
        each = (time.monotonic() - begin) * 1000 / count
        pids, memory = settled(before)
    finally:
        failures = []
        for number in range(count):  # every one, whatever becomes of the others
            try:
                runtime.delete("idle-%03d" % number)
            except oci.Failed as why:
                failures.append(str(why))
    oci.want(not failures, failures)
    oci.eventually(lambda: all(oci.gone(pid) for pid in pids), "the containers of %s are gone" % runtime.name)
    return each, memory / count


def bench_memory(runtimes, options):
    bundle = oci.bundle(oci.configuration("/bin/sleep", "1000"))
    memory = {runtime.name: idle_of(runtime, 1, bundle)[1] for runtime in runtimes}
    return memory, [limit("of %d KiB" % PSS_LIMIT_KB, memory["sentry"], PSS_LIMIT_KB, 1),
                    limit("times runsc", memory["sentry"], memory.get("runsc"), 1)]


def bench_idle(runtimes, options):
    bundle = oci.bundle(oci.configuration("/bin/sleep", "1000"))
    both = {runtime.name: idle_of(runtime, options.containers, bundle) for runtime in runtimes}
    return {"%s %s" % (name, what): value for name, pair in both.items() for what, value in zip(("start", "memory"), pair)}, []


def docker_words():
    engines.DOCKER.mkdir(parents=True, exist_ok=True)
    (engines.DOCKER / "daemon.json").write_text(json.dumps({"runtimes": {
        "sentry": {"path": str(oci.harness.SENTRY)}, "crun": {"path": shutil.which("crun") or "/usr/bin/crun"},
        "runsc": {"path": shutil.which("runsc") or "/usr/bin/runsc", "runtimeArgs": ["--network=none"]}}}))
    return engines.dockerd_words_of(engines.DOCKER) + ["--iptables=false", "--ip-forward=false", "--bridge=none"]


def bench_docker(runtimes, options):
    reason = engines.missing("dockerd", "docker", "containerd", "runc")
    if reason:
        print("docker: %s: not measured" % reason)
        return {}, []
    engines.dockerd.words = docker_words
    engines.use_docker()

    def once(runtime, _):
        begin = time.monotonic()
        done = engines.run(runtime.name, "t/busybox", "/bin/true")
        oci.want(done.status == 0, runtime.name, done)
        return (time.monotonic() - begin) * 1000
    compared = [runtime for runtime in runtimes if runtime.name in ("sentry", "runc")]
    for runtime in compared:
        once(runtime, 0)
    try:
        times = interleaved(compared, options.docker_runs, once)
    finally:
        engines.dockerd.process.terminate()
        engines.dockerd.process.wait()
    return times, [limit("times runc", times["sentry"], times.get("runc"), DOCKER_LIMIT)]


BENCHES = {
    "run": ("run of a bundle with /bin/true, ms", bench_run),
    "exec": ("exec of /bin/true, ms", bench_exec),
    "memory": ("memory of an idle container, KiB", bench_memory),
    "idle": ("idle containers, ms of create and start, KiB of each", bench_idle),
    "docker": ("docker run --rm --network=none of /bin/true, ms", bench_docker),
}


def show(title, values, limits):
    print("%s: %s" % (title, ", ".join("%s %.1f" % pair for pair in values.items())))
    for row in limits:
        if row["good"] is None:
            print("    %s: not compared" % row["what"])
        else:
            print("    sentry: %.2f %s, limit %.2f: %s" % (row["ratio"], row["what"], row["most"], "ok" if row["good"] else "FAIL"))
    sys.stdout.flush()


def inside(options):
    oci.leave_orphans_to_parent()
    oci.take_orphans(False)
    if os.path.ismount("/sys/fs/cgroup/unified"):
        # crun takes the directory for a hierarchy whatever is mounted there; what it writes goes with our namespace.
        subprocess.run(["umount", "/sys/fs/cgroup/unified"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", "/sys/fs/cgroup/unified"], check=True)
    oci.harness.fresh_directory(oci.WORK)
    oci.make_rootfs(oci.ROOTFS)
    # As /run is, where runtimes keep their state.
    oci.STATE.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(oci.STATE)], check=True)
    result = {"kernel": platform.release(), "cpus": os.cpu_count(), "time": int(time.time()), "runs": options.runs,
              "containers": options.containers, "docker_runs": options.docker_runs}
    try:
        runtimes = find_runtimes()
        for name in options.names or BENCHES:
            title, function = BENCHES[name]
            values, limits = function(runtimes, options)
            show(title, values, limits)
            result[name] = {"values": values, "limits": limits}
    finally:
        engines.remove_groups()
        subprocess.run(["umount", str(oci.STATE)], check=False)
        shutil.rmtree(oci.WORK, ignore_errors=True)
    pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    print("written: %s" % options.json)


def main():
    words = sys.argv[1:]
    options = arguments.parse_args([word for word in words if word != INSIDE])
    unknown = set(options.names) - set(BENCHES)
    if unknown:
        sys.exit("runtimes.py: no benchmark %s; there are %s" % (", ".join(unknown), ", ".join(BENCHES)))
    if os.geteuid() != 0:
        sys.exit("runtimes.py: needs root")
    if INSIDE in words:
        inside(options)
        return
    os.execvp("unshare", ["unshare", "-mnpf", "--mount-proc", "--kill-child", sys.executable, "-B", __file__, INSIDE, *words])


main()
