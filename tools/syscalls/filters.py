"""The seccomp programs: which rules each has. bpf.py compiles them."""

import re
from dataclasses import dataclass

from . import bpf, expr
from .table import TableError

ALLOW = "SECCOMP_RET_ALLOW"
NOTIFY = "SECCOMP_RET_USER_NOTIF"
KILL = "SECCOMP_RET_KILL_PROCESS"
TRAP = "SECCOMP_RET_TRAP"

STUB_IP = ("STUB_TEXT_START", "STUB_TEXT_END")
VSYSCALL_IP = ("VSYSCALL_START", "VSYSCALL_END")
HYPERCALLS = ("STUB_HYPERCALL_BASE", "STUB_HC_LAST")

# What the stub may do natively, by the address of its code: it saves the notifications of an exec, and
# rt_sigreturn has no other way. A guest that jumps there gains nothing: each changes only its own process.
STUB_RULES = {
    "rt_sigreturn": "always",
    "rt_sigaction": "always",
    "sigaltstack": "always",
    "mmap": "flags & MAP_ANONYMOUS == MAP_ANONYMOUS && flags & MAP_HUGETLB == 0"
            " || flags & MAP_ANONYMOUS == 0 && fd == STUB_DONATION_FD",
    "munmap": "always",
    "mprotect": "always",
    "close": "fd == STUB_DONATION_FD",
    "close_range": "first == 0 && last == 0xffffffff && flags == 0",
    "personality": "persona == 0 || persona == ADDR_NO_RANDOMIZE",
    "sched_setaffinity": "pid == 0",
    "prctl": "option == PR_SET_MM && arg2 == PR_SET_MM_MAP",
}


# What the stub asks for and the Sentry looks at: it must not trap, as a guest's own does.
STUB_NOTIFIED = ("clone",)


def errno_action(name):
    return f"SECCOMP_RET_ERRNO | {name}"


@dataclass
class Program:
    """A compiled filter. `tag` names the C object filter_TAG."""

    tag: str
    comment: str
    code: list


def _stub_rules(by_name):
    rules = {}
    for name, check in STUB_RULES.items():
        row = by_name[name]
        rules[row.number] = [bpf.Rule(ALLOW, expr.parse(check, row.arg_bits), STUB_IP)]
    for name in STUB_NOTIFIED:
        rules[by_name[name].number] = [bpf.Rule(NOTIFY, ip=STUB_IP)]
    return rules


def _refuse_rules(row):
    """The errno answers of a row. `unless` is turned round: what passes its check goes on to the next rule."""
    action = errno_action(row.refuse_errno)
    if row.refuse_unless is None:
        return [bpf.Rule(action)]
    return [bpf.Rule(NOTIFY, row.refuse_unless), bpf.Rule(action)]


def guest(rows, native):
    """The guests' filter. Without `native`, as under --strace, all that is not refused is notified."""
    rules = _stub_rules({row.name: row for row in rows})
    for row in rows:
        here = rules.setdefault(row.number, [])
        if row.vsyscall:
            here.append(bpf.Rule(ALLOW, ip=VSYSCALL_IP))
        if row.refuse_errno:
            here.extend(_refuse_rules(row))
        if native and row.native is not None:
            if row.native == expr.ALWAYS:
                here.clear()  # the stub's rule adds nothing
            here.append(bpf.Rule(ALLOW, row.native))
        if row.trap is not None:
            here.append(bpf.Rule(TRAP, row.trap))
    rules = {number: tuple(here) for number, here in rules.items() if here}
    return bpf.compile_program(rules, NOTIFY, errno_action("ENOSYS"), HYPERCALLS)


def guest_second(rows, native):
    """Added by the stub when a guest installs a filter of its own: calls of the guest that the first filter would run
    or refuse by itself trap, so that the guest's filter is asked. The first filter decides about what the stub then
    calls. Without `native`, for what stands on the filter without native rows."""
    rules = {}
    for row in rows:
        if native and row.native is not None:
            rules[row.number] = (bpf.Rule(ALLOW, ip=STUB_IP), bpf.Rule(TRAP, row.native))
        elif row.refuse_errno:
            unless = [bpf.Rule(ALLOW, row.refuse_unless)] if row.refuse_unless is not None else []
            rules[row.number] = (bpf.Rule(ALLOW, ip=STUB_IP), *unless, bpf.Rule(TRAP))
    return bpf.compile_program(rules, ALLOW, ALLOW, HYPERCALLS)


@dataclass
class AllowRow:
    name: str
    rule: bpf.Rule
    reason: str
    section: str


ALLOW_ROW = re.compile(r"^([a-z_][a-z0-9_]*)\s+(allow|E[A-Z0-9]+)\s+\{([^}]*)\}\s+(\S.*)$")
SECTION = re.compile(r"^\[([a-z-]+)\](?:\s+limit\s+(\d+))?$")


def load_allow_list(path, rows):
    """Read an allow-list of one of our own processes. Raises TableError."""
    by_name = {row.name: row for row in rows}
    section, limit, out, names = None, None, [], set()
    with open(path, encoding="utf-8") as source:
        for lineno, line in enumerate(source, 1):
            line = line.rstrip()
            where = f"{path}:{lineno}"
            if not line or line.startswith("#"):
                continue
            match = SECTION.match(line)
            if match:
                section, limit = match.group(1), int(match.group(2) or 1000)
                continue
            match = ALLOW_ROW.match(line)
            if not match:
                raise TableError(f"{where}: a row is: call action {{CHECK}} reason")
            if section is None:
                raise TableError(f"{where}: a row before the first [section]")
            name, action, check, reason = match.groups()
            if name not in by_name:
                raise TableError(f"{where}: no call '{name}' in x86_64.tbl")
            row = by_name[name]
            try:
                parsed = expr.parse(check, row.arg_bits)
            except expr.CheckError as error:
                raise TableError(f"{where}: {error}") from None
            names.add(name)
            if len(names) > limit:
                raise TableError(f"{where}: call {len(names)} of at most {limit} in [{section}]")
            out.append((row.number, AllowRow(name, bpf.Rule(ALLOW if action == "allow" else errno_action(action),
                                                            parsed), reason, section)))
    return out


def allow_program(allow_rows, sections, default):
    rules = {}
    for number, row in allow_rows:
        if row.section in sections:
            rules.setdefault(number, []).append(row.rule)
    return bpf.compile_program({n: tuple(r) for n, r in rules.items()}, default, default)


def all_programs(rows, table_dir):
    """Every program that is built in, in a fixed order."""
    programs = [
        Program("guest", "guests", guest(rows, True)),
        Program("guest_trace", "guests under --strace, audit or recording: nothing runs unseen", guest(rows, False)),
        Program("guest_second", "stacked on `guest` when the guest installs a filter", guest_second(rows, True)),
        Program("guest_second_trace", "stacked on `guest_trace`", guest_second(rows, False)),
    ]
    for tag in ("sentry", "gofer_files", "gofer_proc", "gofer_net"):
        allow_rows = load_allow_list(f"{table_dir}/{tag.replace('_', '-')}-filter.tbl", rows)
        variants = [("", ("base",))]
        if any(row.section == "host-network" for _, row in allow_rows):
            variants.append(("_net", ("base", "host-network")))
        for suffix, sections in variants:
            programs.append(Program(tag + suffix, "a violation kills the process",
                                    allow_program(allow_rows, sections, KILL)))
            programs.append(Program(tag + suffix + "_trap", "a violation is SIGSYS, whose handler can name the call",
                                    allow_program(allow_rows, sections, TRAP)))
        every = ("base", "host-network", "sanitizer")
        programs.append(Program(tag + "_sanitizer", "sanitizer builds; a violation is SIGSYS",
                                allow_program(allow_rows, every, TRAP)))
    return programs
