#!/usr/bin/python3
# core
"""An interactive bash on a terminal: line editing, ^C, ^Z, fg, window size, ^D. Prints what a person would see."""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

prefix = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(PS1="prompt$ ", TERM="dumb", HISTFILE="/dev/null", INPUTRC="/dev/null", HOME="/tmp")
    argv = prefix + ["bash", "--norc", "--noprofile", "-i"]
    os.execvp(argv[0], argv)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 90, 0, 0))


def until(pattern, limit=10.0):
    text = b""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if re.search(pattern, text):
            break
        if select.select([fd], [], [], 0.1)[0]:
            try:
                data = os.read(fd, 4096)
            except OSError:
                break
            if not data:
                break
            text += data
    else:
        print("TIMEOUT waiting for", pattern)
    return text.decode("utf-8", "replace")


def say(what, keys, pattern=rb"prompt\$ $", keep=r"."):
    os.write(fd, keys)
    text = until(pattern)
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
    print("== %s" % what)
    for line in lines:
        if re.match(keep, line) and not re.match(r"^(bash: (cannot set terminal|no job control)|\S*prompt\$ *$)", line):
            print("  " + re.sub(r"\[(\d+)\] \d+", r"[\1] PID", line))


until(rb"prompt\$ $")
say("command", b"echo hello\r")
say("line editing", b"echo abXX\x7f\x7fc\x01\x05d\r")
say("window size", b"stty size\r")
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
# The shell may draw its prompt once more when it hears of the change: whenever that is.
say("window size after a change", b"stty size\r", rb"\n\d+ \d+\r\n(.*\n)*.*prompt\$ $", keep=r"\d+ \d+$")
os.write(fd, b"sleep 30\r")
time.sleep(0.5)
say("interrupt", b"\x03")
say("status", b"echo status $?\r")
os.write(fd, b"sleep 31\r")
time.sleep(0.5)
say("stop", b"\x1a")
say("jobs", b"jobs\r")
os.write(fd, b"fg\r")
time.sleep(0.3)
say("interrupt the foreground job", b"\x03")
say("background", b"sleep 32 &\r")
say("kill it", b"kill %1; wait %1; echo status $?\r")
os.write(fd, b"cat\r")
time.sleep(0.3)
os.write(fd, b"typed\r")
time.sleep(0.2)
say("end of file for cat", b"\x04")
say("tty", b"tty | sed 's,[0-9]*$,N,'\r")
say("pipeline", b"seq 1 3 | sort -r | head -n 1\r")
say("exit", b"exit 3\r", rb"exit\r\n")
_, status = os.waitpid(pid, 0)
print("status", os.waitstatus_to_exitcode(status))
