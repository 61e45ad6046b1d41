"""Reads and checks syscall-tables/x86_64.tbl."""

import re
from dataclasses import dataclass, field

from . import expr
from .types import NEEDS_REFERENCE, TYPES

PATHS = ("emulated", "native", "continue", "refused")
STATUSES = ("supported", "partial", "none")
NUMBERS = frozenset(range(0, 337)) | frozenset(range(424, 470))

ROW = re.compile(r"^\s*(\d+)\s+([a-z_][a-z0-9_]*)\s+(\S+)\s+(\S+)\s+(\S+)\s+\(([^)]*)\)\s*(.*)$")
ARGUMENT = re.compile(r"^([a-z_][a-z0-9_]*):([a-z_0-9]+)(?:\[([a-z_0-9]+)\])?$")
FIELD = re.compile(r"^(native|refuse|vsyscall|trap)=\{([^}]*)\}\s*")


class TableError(Exception):
    """A row that is wrong: the message starts with file:line."""


@dataclass
class Argument:
    name: str
    type: str
    reference: str = None  # name of the argument in brackets, or "ret"


@dataclass
class Row:
    number: int
    name: str
    handler: str  # None: nobody answers
    path: str
    status: str
    args: list
    note: str
    native: tuple = None  # alternatives, see expr.parse
    native_text: str = None
    refuse_errno: str = None
    refuse_unless: tuple = None
    vsyscall: bool = False
    trap: tuple = None  # alternatives
    line: int = 0
    arg_bits: dict = field(default_factory=dict)  # name -> (index, bits)


def _arguments(text, fail):
    args = []
    for part in (p.strip() for p in text.split(",")) if text.strip() else ():
        match = ARGUMENT.match(part)
        if not match:
            fail(f"argument '{part}' is not NAME:TYPE or NAME:TYPE[ARGUMENT]")
        name, type_, reference = match.groups()
        if type_ not in TYPES:
            fail(f"argument '{name}' has the unknown type '{type_}'")
        if name in ("always", "in") or any(a.name == name for a in args):
            fail(f"argument name '{name}' is taken")
        if (type_ in NEEDS_REFERENCE) != (reference is not None):
            fail(f"type '{type_}' of '{name}' " + ("needs" if reference is None else "takes no") + " [ARGUMENT]")
        args.append(Argument(name, type_, reference))
    if len(args) > 6:
        fail("more than six arguments")
    for arg in args:
        if arg.reference not in (None, "ret") and all(other.name != arg.reference for other in args):
            fail(f"'{arg.name}' refers to '{arg.reference}', which is no argument of this call")
    return args


def _fields(row, rest, fail):
    """Take the fields off the front of `rest`, return the note."""
    seen = set()
    while True:
        match = FIELD.match(rest)
        if not match:
            break
        key, value = match.groups()
        rest = rest[match.end():]
        if key in seen:
            fail(f"field '{key}' twice")
        seen.add(key)
        try:
            if key == "native":
                row.native, row.native_text = expr.parse(value, row.arg_bits), value
            elif key == "trap":
                row.trap = expr.parse(value, row.arg_bits)
            elif key == "vsyscall":
                if value != "native":
                    fail("vsyscall={native} is the only form")
                row.vsyscall = True
            else:
                parts = re.match(r"^(E[A-Z0-9]+)(?:\s+unless\s+(.*))?$", value.strip())
                if not parts:
                    fail("refuse={ERRNO} or refuse={ERRNO unless CHECK}")
                row.refuse_errno = parts.group(1)
                if parts.group(2):
                    row.refuse_unless = expr.parse(parts.group(2), row.arg_bits)
        except expr.CheckError as error:
            fail(f"{key}: {error}")
    if "={" in rest or "}" in rest:
        fail(f"unknown or malformed field in '{rest}'")
    return rest.strip()


def _check(row, fail):
    if row.path not in PATHS:
        fail(f"path '{row.path}' is none of {', '.join(PATHS)}")
    if row.status not in STATUSES:
        fail(f"status '{row.status}' is none of {', '.join(STATUSES)}")
    if row.handler not in (None, "sys_" + row.name):
        fail(f"handler '{row.handler}' must be 'sys_{row.name}' or '-'")
    if (row.path == "native") != (row.native is not None):
        fail("path native and native={...} go together")
    always_refused = row.refuse_errno is not None and row.refuse_unless is None
    if (row.path == "refused") != always_refused:
        fail("path refused and refuse={ERRNO} go together")
    if row.path == "refused" and (row.handler or row.status != "none"):
        fail("a refused call has no handler, and its status is none")
    if row.status != "none" and not row.handler and row.path != "native":
        fail(f"status '{row.status}' needs a handler")
    if row.status == "none" and row.handler:
        fail("a call with a handler is supported or partial")
    if row.trap is not None and not row.handler:
        fail("trap={...} needs a handler")
    if not row.note and (row.path != "emulated" or row.refuse_errno):
        fail(f"path '{row.path}' needs a note with the reason")


def parse_row(text, where):
    """Parse one row. `where` is file:line. Raises TableError."""

    def fail(reason):
        raise TableError(f"{where}: {reason}")

    if "\t" in text:
        fail("tab: use spaces")
    match = ROW.match(text)
    if not match:
        fail("a row is: number name handler path status (arguments) [fields] note")
    number, name, handler, path, status, args, rest = match.groups()
    row = Row(int(number), name, None if handler == "-" else handler, path, status, _arguments(args, fail), "")
    row.arg_bits = {a.name: (i, TYPES[a.type][1]) for i, a in enumerate(row.args)}
    row.note = _fields(row, rest, fail)
    _check(row, fail)
    return row


def load(path):
    """Read the table. Raises TableError for the first bad row, a number out of order, twice or missing."""
    rows = []
    names = {}
    with open(path, encoding="utf-8") as source:
        for lineno, line in enumerate(source, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            where = f"{path}:{lineno}"
            row = parse_row(line, where)
            row.line = lineno
            if row.number not in NUMBERS:
                raise TableError(f"{where}: x86-64 has no call {row.number} in Linux 6.18")
            if rows and row.number <= rows[-1].number:
                raise TableError(f"{where}: number {row.number} after {rows[-1].number}: rows are in order, each once")
            if row.name in names:
                raise TableError(f"{where}: name '{row.name}' is in line {names[row.name]} already")
            names[row.name] = lineno
            rows.append(row)
    missing = sorted(NUMBERS - {row.number for row in rows})
    if missing:
        raise TableError(f"{path}:1: no row for {', '.join(map(str, missing))}")
    return rows
