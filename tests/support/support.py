"""Which rows of the system call table the traces of the guest tests prove.

A row claims `supported` only when a guest program whose output in the sandbox equalled Linux's was seen, in the trace of
that very run, to make the call with one success and with one of its errors. ENOSYS is no error of a call.
"""
import re

LINE = re.compile(r"^\d+ \S+ ([a-z_][a-z0-9_]*)\(.*\) = (\?|-?\d+|0x[0-9a-f]+)(?: (E[A-Z0-9_]+) \(.*\))? <\d+\.\d+>$")

# Calls without an error that a program could provoke (their man pages), and calls that return only by one.
NEVER_FAIL = frozenset("""alarm brk exit exit_group getegid geteuid getgid getpgrp getpid getppid gettid getuid
    munlockall personality restart_syscall rt_sigreturn sched_yield set_tid_address setfsgid setfsuid sync umask
    """.split())
NEVER_SUCCEED = frozenset(["pause", "rt_sigsuspend"])


class Seen:
    """What the traces show of one call."""

    def __init__(self):
        self.success = False
        self.error = False
        self.unseen_result = False  # run by the host, or without a result
        self.interrupted = False  # EINTR whenever a handler runs


def read_traces(paths):
    """Returns {name of the call: Seen}."""
    seen = {}
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as trace:
            for line in trace:
                match = LINE.match(line.rstrip("\n"))
                if not match:
                    continue
                name, result, errno = match.groups()
                call = seen.setdefault(name, Seen())
                if result == "?" and errno == "ERESTARTNOHAND":
                    call.interrupted = True
                elif result == "?":
                    call.unseen_result = True
                elif errno is None:
                    call.success = True
                elif errno not in (None, "ENOSYS"):
                    call.error = True
    return seen


def missing(row, seen):
    """What the traces lack for the row to be supported: a list of words, empty when nothing."""
    call = seen.get(row.name)
    if call is None:
        return ["a call"]
    if call.unseen_result and (row.path == "native" or row.name in NEVER_FAIL):
        # The host kernel answers: the trace shows that it was let through, the equal output that it was right.
        return []
    if call.interrupted and row.name in NEVER_SUCCEED:
        return []
    lacks = []
    if not call.success and row.name not in NEVER_SUCCEED:
        lacks.append("a success")
    if not call.error and row.name not in NEVER_FAIL:
        lacks.append("an error")
    return lacks


def promote(lines, rows, seen):
    """Lines of the table in which `partial` becomes `supported` where the traces prove it and the note names no gap."""
    out = list(lines)
    for row in rows:
        # Elsewhere the note is the reason of the path.
        gap = row.note if row.path == "emulated" and not row.refuse_errno and not row.vsyscall else ""
        if row.status == "partial" and not gap and not missing(row, seen):
            index = row.line - 1
            out[index] = re.sub(r"\bpartial  ( *)\(", r"supported\1(", out[index], count=1)
    return out
