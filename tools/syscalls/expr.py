"""The register checks of the tables: parsing, and their form as a C expression.

    CHECK      := AND { "||" AND }
    AND        := COMPARISON { "&&" COMPARISON }
    COMPARISON := "always" | NAME [ "&" VALUE ] ( "==" | "!=" | "<=" | ">=" ) VALUE | NAME [ "&" VALUE ] "in" "(" VALUE, ... ")"
    VALUE      := constants joined by "|", each optionally in parentheses or behind "~"

Constants stay text: they are resolved by the C compiler from syscall-tables/constants.h.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(r"\s*(&&|\|\||==|!=|<=|>=|[&|~(),]|0[xX][0-9a-fA-F]+[uUlL]*|[0-9]+[uUlL]*|[A-Za-z_][A-Za-z0-9_]*)")


class CheckError(Exception):
    """A check that does not follow the grammar."""


@dataclass(frozen=True)
class Comparison:
    """One test of one argument. `op` is ==, !=, <=, >= or in; `mask` is None or the text of a constant."""

    arg: int
    bits: int
    mask: str
    op: str
    values: tuple


ALWAYS = ((),)  # one alternative without conditions


class _Parser:
    def __init__(self, text, args):
        self.tokens = []
        self.args = args
        pos = 0
        text = text.strip()
        while pos < len(text):
            match = TOKEN.match(text, pos)
            if not match:
                raise CheckError(f"cannot read '{text[pos:]}'")
            self.tokens.append(match.group(1))
            pos = match.end()
        self.pos = 0

    def peek(self):
        return self.tokens[self.pos] if self.pos < len(self.tokens) else None

    def take(self, expected=None):
        token = self.peek()
        if token is None:
            raise CheckError("ends too early")
        if expected is not None and token != expected:
            raise CheckError(f"'{expected}' expected, not '{token}'")
        self.pos += 1
        return token

    def value(self):
        parts = [self.constant()]
        while self.peek() == "|":
            self.take()
            parts.append(self.constant())
        return "|".join(parts)

    def constant(self):
        token = self.take()
        if token == "~":
            # In 64 bits, or the upper half of a mask made from an unsigned int would be lost.
            return "~(uint64_t)" + self.constant()
        if token == "(":
            inner = self.value()
            self.take(")")
            return f"({inner})"
        if not re.match(r"[A-Za-z0-9_]", token):
            raise CheckError(f"a constant is expected, not '{token}'")
        return token

    def comparison(self):
        name = self.take()
        if name not in self.args:
            raise CheckError(f"'{name}' is no argument of this call")
        index, bits = self.args[name]
        mask = None
        if self.peek() == "&":
            self.take()
            mask = self.value()
        op = self.take()
        if op == "in":
            self.take("(")
            values = [self.value()]
            while self.peek() == ",":
                self.take()
                values.append(self.value())
            self.take(")")
            return Comparison(index, bits, mask, op, tuple(values))
        if op not in ("==", "!=", "<=", ">="):
            raise CheckError(f"a comparison is expected, not '{op}'")
        if mask and op in ("<=", ">="):
            raise CheckError("a masked value has no order")
        return Comparison(index, bits, mask, op, (self.value(),))

    def check(self):
        if self.tokens == ["always"]:
            return ALWAYS
        alternatives = []
        while True:
            terms = [self.comparison()]
            while self.peek() == "&&":
                self.take()
                terms.append(self.comparison())
            alternatives.append(tuple(terms))
            if self.peek() != "||":
                break
            self.take()
        if self.peek() is not None:
            raise CheckError(f"'{self.peek()}' after the end")
        return tuple(alternatives)


def parse(text, args):
    """Parse a check. `args` maps names to (index, bits). Returns alternatives, each a tuple of Comparison."""
    return _Parser(text, args).check()


def _c_comparison(comparison):
    cast = "(uint32_t)" if comparison.bits == 32 else "(uint64_t)"
    left = f"{cast}args[{comparison.arg}]"
    if comparison.mask:
        left = f"({left} & {cast}({comparison.mask}))"
    if comparison.op == "in":
        return "(" + " || ".join(f"{left} == {cast}({value})" for value in comparison.values) + ")"
    return f"{left} {comparison.op} {cast}({comparison.values[0]})"


def to_c(check):
    """The check as a C expression over `const uint64_t args[6]`."""
    if check == ALWAYS:
        return "true"
    return " || ".join("(" + " && ".join(_c_comparison(term) for term in terms) + ")" for terms in check)
