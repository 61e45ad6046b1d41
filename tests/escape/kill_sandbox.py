"""Kills parts of a sandbox with SIGKILL at random moments: no process survives and nothing hangs (invariant 7).

usage: kill_sandbox.py SENTRY [--user UID] [--mutation NAME] [--rounds N] [--victims NAME,...] [--stopped]
  --stopped   the kernel process and the Gofer are stopped before the command line is killed, so that nothing but the
              host's own means can end them
Prints one PASS or FAIL line. Runs as root in a pid namespace of its own with /proc mounted.
"""
import argparse
import os
import random
import signal
import sys
import time

from sandbox import Sandbox, processes

# Forks, execs, waits, makes threads' worth of calls and files, without an end.
WORKLOAD = ["sh", "-c", "while :; do (ls -l /usr > /tmp/a; cat /tmp/a | wc -l > /dev/null); sleep 0.001 & done"]
VICTIMS = ["monitor", "gofer", "kernel", "zygote", "proc_gofer"]


def survivors(before, patience=5.0):
    end = time.monotonic() + patience
    left = set()
    while time.monotonic() < end:
        left = set(processes()) - before
        if not left:
            return left
        time.sleep(0.005)
    return left


def kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def one_round(options, victim, delay):
    before = set(processes())
    start = time.monotonic()
    sandbox = Sandbox(options.sentry, WORKLOAD, user=options.user, mutation=options.mutation, cwd="/usr")
    if options.stopped:
        parts = sandbox.find()
        for name in ("gofer", "kernel"):
            kill(parts[name].pid, signal.SIGSTOP)
        kill(parts["monitor"].pid, signal.SIGKILL)
    else:
        process, end = None, start + 5
        while not process and sandbox.child.poll() is None and time.monotonic() < end:
            sandbox._look()
            process = getattr(sandbox, victim)
        if not process:
            return "%s is not there: %s" % (victim, sandbox.end()[1])
        time.sleep(delay)
        kill(process.pid, signal.SIGKILL)
    start = time.monotonic()
    try:
        sandbox.child.wait(timeout=5)
    except Exception:  # pylint: disable=broad-except
        return "the command line goes on after %s was killed at %.4f s" % (victim, delay)
    left = survivors(before)
    if left:
        names = [open("/proc/%d/cmdline" % pid, "rb").read().replace(b"\0", b" ") for pid in left
                 if os.path.exists("/proc/%d" % pid)]
        return "%s killed at %.4f s: %d processes survive for %.1f s: %s" % \
            (victim, delay, len(left), time.monotonic() - start, names[:3])
    if not options.stopped and victim != "monitor" and process is not sandbox.monitor and sandbox.child.returncode != 125:
        return "%s killed at %.4f s: exit status %d" % (victim, delay, sandbox.child.returncode)
    sandbox.child.stdout.close()
    return None


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("sentry")
    arguments.add_argument("--user", type=int)
    arguments.add_argument("--mutation")
    arguments.add_argument("--rounds", type=int, default=1)
    arguments.add_argument("--victims", default=",".join(VICTIMS), help="which parts, in turn")
    arguments.add_argument("--stopped", action="store_true")
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    victims = options.victims.split(",")
    generator = random.Random(options.seed)
    for number in range(options.rounds):
        victim = victims[number % len(victims)]
        reason = one_round(options, victim, generator.uniform(0, 0.12))
        if reason:
            print("FAIL kill (seed %d, round %d): %s" % (options.seed, number, reason))
            break
    else:
        print("PASS kill (seed %d, %d rounds)" % (options.seed, options.rounds))
    sys.stdout.flush()
    for pid in set(processes()) - {1, os.getpid()}:
        if pid > 2:
            kill(pid, signal.SIGKILL)


main()
