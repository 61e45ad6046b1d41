"""Compiles ordered rules to classic BPF for seccomp.

A program decides on the call number first, by binary search, and looks at the instruction pointer and arguments only
below the numbers that have such rules. This keeps the host kernel's bitmap of calls that are always allowed (5.11 and
later) working: it holds calls whose verdict needs nothing but architecture and number. Rules of one call are tried in
the order given, the first that matches decides. Constants stay symbolic, so the C compiler resolves them.
"""

from dataclasses import dataclass

from . import expr

LOAD_NR = "offsetof(struct seccomp_data, nr)"
LOAD_ARCH = "offsetof(struct seccomp_data, arch)"
LOAD_IP_LOW = "offsetof(struct seccomp_data, instruction_pointer)"
LOAD_IP_HIGH = "offsetof(struct seccomp_data, instruction_pointer) + 4"
MAX_INSTRUCTIONS = 4096


def _low(value):
    return f"BPF_LOW({value})"


def _high(value):
    return f"BPF_HIGH({value})"


def _arg(index, high):
    return f"offsetof(struct seccomp_data, args) + {8 * index + (4 if high else 0)}"


@dataclass(frozen=True)
class Rule:
    """When the instruction pointer lies in `ip` (a pair of constants, end exclusive; None: anywhere) and the check
    holds, the verdict is `action` (a C expression)."""

    action: str
    check: tuple = expr.ALWAYS
    ip: tuple = None

    @property
    def unconditional(self):
        return self.ip is None and self.check == expr.ALWAYS


class Assembler:
    """Instructions with labels; jumps go forward only."""

    def __init__(self):
        self.code = []  # ("stmt", op, k) | ("jump", op, k, if_true, if_false) | ("label", name); None falls through
        self.labels = 0

    def label(self):
        self.labels += 1
        return self.labels

    def mark(self, label):
        self.code.append(("label", label))

    def load(self, offset):
        self.code.append(("stmt", "BPF_LD | BPF_W | BPF_ABS", offset))

    def mask(self, value):
        self.code.append(("stmt", "BPF_ALU | BPF_AND | BPF_K", value))

    def ret(self, action):
        self.code.append(("stmt", "BPF_RET | BPF_K", action))

    def jump(self, op, value, if_true=None, if_false=None):
        self.code.append(("jump", f"BPF_JMP | {op} | BPF_K", value, if_true, if_false))

    def goto(self, label):
        self.code.append(("goto", label))

    def assemble(self):
        """The program as a list of C initializers."""
        where, position = {}, 0
        for item in self.code:
            if item[0] == "label":
                where[item[1]] = position
            else:
                position += 1
        if position > MAX_INSTRUCTIONS:
            raise ValueError(f"{position} instructions, the host kernel takes {MAX_INSTRUCTIONS}")
        out = []
        for item in self.code:
            if item[0] == "label":
                continue
            here = len(out) + 1
            if item[0] == "stmt":
                out.append(f"BPF_STMT({item[1]}, {item[2]})")
                continue
            if item[0] == "goto":
                out.append(f"BPF_STMT(BPF_JMP | BPF_JA, {self._distance(where[item[1]], here, 1 << 20)})")
                continue
            hops = [0 if label is None else self._distance(where[label], here, 256) for label in item[3:]]
            out.append(f"BPF_JUMP({item[1]}, {item[2]}, {hops[0]}, {hops[1]})")
        return out

    @staticmethod
    def _distance(target, here, limit):
        if not 0 <= target - here < limit:
            raise ValueError(f"jump over {target - here} instructions")
        return target - here


def _comparison(asm, c, fail):
    """Falls through when it holds, goes to `fail` otherwise."""
    if c.bits == 64 and c.op in ("<=", ">="):
        done = asm.label()
        asm.load(_arg(c.arg, True))
        # Upper halves that differ decide alone.
        if c.op == "<=":
            asm.jump("BPF_JGT", _high(c.values[0]), fail)
            asm.jump("BPF_JEQ", _high(c.values[0]), None, done)
            asm.load(_arg(c.arg, False))
            asm.jump("BPF_JGT", _low(c.values[0]), fail)
        else:
            asm.jump("BPF_JGE", _high(c.values[0]), None, fail)
            asm.jump("BPF_JEQ", _high(c.values[0]), None, done)
            asm.load(_arg(c.arg, False))
            asm.jump("BPF_JGE", _low(c.values[0]), None, fail)
        asm.mark(done)
        return
    if c.op in ("<=", ">="):
        asm.load(_arg(c.arg, False))
        if c.op == "<=":
            asm.jump("BPF_JGT", _low(c.values[0]), fail)
        else:
            asm.jump("BPF_JGE", _low(c.values[0]), None, fail)
        return
    done = asm.label()
    for value in c.values:
        # Each value is tried in turn; `!=` is the equality test with its ends swapped.
        missed = asm.label()
        if c.bits == 64:
            asm.load(_arg(c.arg, True))
            if c.mask:
                asm.mask(_high(c.mask))
            asm.jump("BPF_JEQ", _high(value), None, missed)
        if c.bits == 64 or value == c.values[0]:
            asm.load(_arg(c.arg, False))
            if c.mask:
                asm.mask(_low(c.mask))
        asm.jump("BPF_JEQ", _low(value), fail if c.op == "!=" else done, missed)
        asm.mark(missed)
    if c.op != "!=":
        asm.goto(fail)
    asm.mark(done)


def _rule(asm, rule):
    """Returns the action when the rule matches, falls through otherwise."""
    missed = asm.label()
    if rule.ip:
        start, end = rule.ip
        asm.load(LOAD_IP_HIGH)
        asm.jump("BPF_JEQ", _high(start), None, missed)
        asm.load(LOAD_IP_LOW)
        asm.jump("BPF_JGE", _low(start), None, missed)
        # The last address, not the end: the end of a range may lie in the next 4 GiB.
        asm.jump("BPF_JGT", _low(f"{end} - 1"), missed)
    for terms in rule.check:
        next_alternative = asm.label()
        for term in terms:
            _comparison(asm, term, next_alternative)
        asm.ret(rule.action)
        asm.mark(next_alternative)
    asm.mark(missed)


def _block(asm, rules, default):
    for rule in rules:
        _rule(asm, rule)
        if rule.unconditional:
            return
    asm.ret(default)


def _tree(asm, intervals, default):
    """Binary search: the accumulator holds the number. Intervals are (first number, rules), ascending."""
    if len(intervals) == 1:
        _block(asm, intervals[0][1], default)
        return
    middle = len(intervals) // 2
    left = asm.label()
    right = asm.label()
    asm.jump("BPF_JGE", str(intervals[middle][0]), None, left)
    asm.goto(right)
    asm.mark(left)
    _tree(asm, intervals[:middle], default)
    asm.mark(right)
    _tree(asm, intervals[middle:], default)


def _intervals(rules_of):
    intervals = [(0, ())]
    for number in sorted(rules_of):
        for first, rules in ((number, tuple(rules_of[number])), (number + 1, tuple(rules_of.get(number + 1, ())))):
            if intervals[-1][0] == first:
                intervals[-1] = (first, rules)
            elif intervals[-1][1] != rules:
                intervals.append((first, rules))
    merged = []
    for first, rules in intervals:
        if not merged or merged[-1][1] != rules:
            merged.append((first, rules))
    return merged


def compile_program(rules_of, default, foreign, hypercalls=None):
    """Compile a program.

    rules_of    {number: [Rule, ...]}, first match wins
    default     verdict of everything else
    foreign     verdict of i386 entry and of x32 numbers
    hypercalls  (first, last) constants of numbers that have the x32 bit but no such call; they get the default
    """
    asm = Assembler()
    x86_64, number, plain = asm.label(), asm.label(), asm.label()
    asm.load(LOAD_ARCH)
    asm.jump("BPF_JEQ", "AUDIT_ARCH_X86_64", x86_64)
    asm.ret(foreign)
    asm.mark(x86_64)
    asm.load(LOAD_NR)
    asm.jump("BPF_JSET", "X32_SYSCALL_BIT", number, plain)
    asm.mark(number)
    if hypercalls:
        not_ours = asm.label()
        asm.jump("BPF_JGE", hypercalls[0], None, not_ours)
        asm.jump("BPF_JGT", hypercalls[1], not_ours)
        asm.ret(default)
        asm.mark(not_ours)
    asm.ret(foreign)
    asm.mark(plain)
    _tree(asm, _intervals(rules_of), default)
    return asm.assemble()
