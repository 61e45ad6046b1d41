#!/usr/bin/python3
"""What a load does to the sandbox: a fork bomb stays inside, memory comes back, a deaf thread delays nobody,
sockets and what they hold are bounded."""
import pathlib
import select
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

SOURCE = pathlib.Path(__file__).resolve().parent / "load.c"
WORK = harness.fresh_directory(harness.OUT / "work" / "load")
PIDS = 100
LIMIT = 90


def descendants(pid):
    found = []
    for task in pathlib.Path("/proc/%d/task" % pid).glob("*/children"):
        try:
            for child in task.read_text().split():
                found += [int(child)] + descendants(int(child))
        except OSError:
            pass
    return found


def start(*words, options=()):
    return subprocess.Popen([str(harness.SENTRY), *options, "--log", "/dev/null", "--", "./load", *words], cwd=WORK,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def line_of(process, deadline):
    """One line of output, or what there is at the deadline."""
    text = b""
    while not text.endswith(b"\n") and time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 1)[0]:
            byte = process.stdout.read1(1)
            if not byte:
                break
            text += byte
    return text


def fork_bomb():
    with start("bomb", options=("--pids", str(PIDS))) as process:
        line = line_of(process, time.monotonic() + LIMIT)
        time.sleep(1)  # it goes on, refused
        count = len(descendants(process.pid))
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        took = time.monotonic() - began
    if line != b"refused: EAGAIN\n":
        return "inside: %r" % line
    if count > PIDS + 10:
        return "%d processes on the host" % count
    if took > 10:
        return "it took %.1f s to stop" % took
    return None


def resident(pid):
    for row in pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines():
        if row.startswith("Pss_Anon:"):
            return int(row.split()[1])
    raise ValueError("no Pss_Anon")


def kernel_of(process):
    for pid in descendants(process.pid):
        if b"sentry-kernel" in pathlib.Path("/proc/%d/cmdline" % pid).read_bytes():
            return pid
    raise ValueError("no kernel process")


def memory():
    with start("churn") as process:
        deadline = time.monotonic() + LIMIT
        sizes = []
        for _ in range(6):
            if line_of(process, deadline) != b"round\n":
                process.kill()
                return "a round did not end"
            sizes.append(resident(kernel_of(process)))
            process.stdin.write(b"x")
            process.stdin.flush()
        process.kill()
    # The first rounds fill caches; from then on nothing may stay.
    return None if sizes[-1] - sizes[2] < 300 else "KiB after each round: %s" % sizes


def deaf_thread():
    result = harness.run([harness.SENTRY, "--log", "/dev/null", "--", "./load", "deaf"], WORK, 30)
    wanted = b"killed by 9, others went on: 1\n"
    return None if result.output == wanted else repr(result.output[:200])


# What each load of sockets counts, and by how many KiB the Sentry may have grown while it runs and afterwards.
SIZES = "".join("%d: 1 1\n" % value for value in (0, 1, -1, 1 << 30, 2147483647, -2147483648)) + "force: -1\n"
SOCKETS = {
    "connects": ("100000 connects, 0 failed\n", 40000, 4000),
    "half-open": ("5000 connects wait, the last is ready: 0\nrefused without the listener: 1, other errors: 0\n", 40000, 4000),
    "buffers": (SIZES * 2 + "filled: No buffer space available, at most 256 MiB: 1\n", 300000, 4000),
    # What files were made of is kept for others.
    "descriptors": ("a full queue: refused\na chain: long\ncircles\n", 80000, 24000),
    "flood": ("10000 datagrams were taken or lost\n", 80000, 4000),
    # 10,000 idle connections: at most 2 KiB each.
    "idle": ("5000 connections, 10000 bytes, the other process: y\n", 20000, 6000),
}


def sockets(name):
    expected, most, left = SOCKETS[name]
    words = [str(harness.SENTRY), "--user", "1000", "--log", "/dev/null", "--", "./net", name]
    with subprocess.Popen(words, cwd=WORK, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        deadline = time.monotonic() + LIMIT
        if line_of(process, deadline) != b"ready\n":
            process.kill()
            return "it does not start"
        kernel = kernel_of(process)
        before = peak = resident(kernel)
        process.stdin.write(b"x\n")
        process.stdin.flush()
        output = b""
        while not output.endswith(b"done\n") and time.monotonic() < deadline:
            if select.select([process.stdout], [], [], 0.05)[0]:
                part = process.stdout.read1(4096)
                output += part
                if not part:
                    break
            peak = max(peak, resident(kernel))
        settled = time.monotonic() + 5  # what is free goes back after a while
        after = resident(kernel)
        while after - before > left and time.monotonic() < settled:
            time.sleep(0.1)
            after = resident(kernel)
        process.stdin.write(b"x\n")
        process.stdin.close()
        status = process.wait(10)
    if output.decode() != expected + "done\n" or status != 0:
        return "status %d, %r" % (status, output)
    if peak - before > most or after - before > left:
        return "KiB before %d, at most %d, after %d" % (before, peak, after)
    return None


def main():
    subprocess.run(["gcc", "-O1", "-w", "-o", WORK / "net", SOURCE.with_name("net.c")], check=True)
    subprocess.run(["gcc", "-O1", "-w", "-pthread", "-o", WORK / "load", SOURCE], check=True)
    good = True
    for test in (fork_bomb, memory, deaf_thread):
        problem = test()
        harness.report("FAIL" if problem else "PASS", test.__name__, *((problem,) if problem else ()))
        good = good and not problem
    for name in SOCKETS:
        problem = sockets(name)
        harness.report("FAIL" if problem else "PASS", "sockets: " + name, *((problem,) if problem else ()))
        good = good and not problem
    return 0 if good else 1


sys.exit(main())
