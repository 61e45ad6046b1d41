"""The table generator refuses bad rows with file:line and the reason, and reads what it should."""

import os
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
sys.dont_write_bytecode = True

from syscalls import expr, filters, table  # noqa: E402

GOOD = "0  read  sys_read  emulated  supported  (fd:fd, buf:out[ret], count:size)"


class Rows(unittest.TestCase):
    def refused(self, row, reason):
        with self.assertRaises(table.TableError) as caught:
            table.parse_row(row, "x.tbl:7")
        self.assertEqual(str(caught.exception)[:9], "x.tbl:7: ")
        self.assertIn(reason, str(caught.exception))

    def test_good_row(self):
        row = table.parse_row(GOOD + "  a note", "x.tbl:7")
        self.assertEqual((row.number, row.name, row.handler, row.note), (0, "read", "sys_read", "a note"))
        self.assertEqual(row.args[1].reference, "ret")

    def test_no_row(self):
        self.refused("read sys_read", "a row is")

    def test_tab(self):
        self.refused(GOOD.replace("  ", "\t"), "tab")

    def test_unknown_path(self):
        self.refused(GOOD.replace("emulated", "pretended"), "path 'pretended'")

    def test_unknown_status(self):
        self.refused(GOOD.replace("supported", "fine"), "status 'fine'")

    def test_handler_of_another_name(self):
        self.refused(GOOD.replace("sys_read", "sys_write"), "must be 'sys_read'")

    def test_status_without_handler(self):
        self.refused(GOOD.replace("sys_read", "-"), "needs a handler")

    def test_handler_without_status(self):
        self.refused(GOOD.replace("supported", "none"), "supported or partial")

    def test_unknown_type(self):
        self.refused(GOOD.replace("count:size", "count:number"), "unknown type 'number'")

    def test_reference_to_nothing(self):
        self.refused(GOOD.replace("out[ret]", "out[length]"), "refers to 'length'")

    def test_reference_missing(self):
        self.refused(GOOD.replace("out[ret]", "out"), "needs [ARGUMENT]")

    def test_reference_too_many(self):
        self.refused(GOOD.replace("fd:fd", "fd:fd[count]"), "takes no [ARGUMENT]")

    def test_seven_arguments(self):
        self.refused("0 x - emulated none (a:int, b:int, c:int, d:int, e:int, f:int, g:int)", "more than six")

    def test_argument_twice(self):
        self.refused("0 x - emulated none (a:int, a:int)", "'a' is taken")

    def test_native_without_check(self):
        self.refused("0 x - native partial (a:int) reason", "go together")

    def test_check_without_native(self):
        self.refused("0 x - emulated none (a:int) native={always} reason", "go together")

    def test_native_without_reason(self):
        self.refused("0 x - native partial (a:int) native={always}", "needs a note")

    def test_refused_without_errno(self):
        self.refused("0 x - refused none (a:int) reason", "go together")

    def test_refused_with_handler(self):
        self.refused("0 x sys_x refused none (a:int) refuse={EPERM} reason", "no handler")

    def test_field_twice(self):
        self.refused("0 x - refused none (a:int) refuse={EPERM} refuse={EPERM} reason", "twice")

    def test_unknown_field(self):
        self.refused("0 x - emulated none (a:int) nativ={always} reason", "unknown or malformed")

    def test_bad_checks(self):
        for check, reason in (("b == 1", "no argument"), ("a = 1", "cannot read"), ("a == 1 &&", "too early"),
                              ("a == 1 2", "after the end"), ("a & 3 <= 2", "no order"), ("a in (1, 2", "too early"),
                              ("a == &", "constant is expected")):
            self.refused(f"0 x - native partial (a:int) native={{{check}}} reason", reason)


class Tables(unittest.TestCase):
    def load(self, edit):
        with open(os.path.join(TOP, "syscall-tables", "x86_64.tbl"), encoding="utf-8") as source:
            lines = source.read().splitlines()
        first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
        edit(lines, first)
        with tempfile.NamedTemporaryFile("w", suffix=".tbl") as copy:
            copy.write("\n".join(lines) + "\n")
            copy.flush()
            return table.load(copy.name)

    def bad(self, edit, reason):
        with self.assertRaises(table.TableError) as caught:
            self.load(edit)
        self.assertRegex(str(caught.exception), r"\.tbl:\d+: ")
        self.assertIn(reason, str(caught.exception))

    def test_whole_table(self):
        rows = self.load(lambda lines, first: None)
        self.assertEqual(rows[0].name, "read")
        self.assertEqual(rows[-1].number, 469)

    def test_row_missing(self):
        self.bad(lambda lines, first: lines.pop(first + 3), "no row for 3")

    def test_row_twice(self):
        self.bad(lambda lines, first: lines.insert(first, lines[first]), "each once")

    def test_number_that_does_not_exist(self):
        self.bad(lambda lines, first: lines.append("500  new  -  emulated  none  ()"), "no call 500")

    def test_name_twice(self):
        self.bad(lambda lines, first: lines.__setitem__(first + 1, lines[first].replace("0", "1", 1)), "already")

    def test_numbers_are_the_hosts(self):
        """Names and numbers agree with the system headers, as far as those go."""
        headers = subprocess.run(["cc", "-dM", "-E", "-include", "asm/unistd_64.h", "-x", "c", "/dev/null"], check=True,
                                 capture_output=True, text=True).stdout
        known = {}
        for line in headers.splitlines():
            words = line.split()
            if len(words) == 3 and words[1].startswith("__NR_") and words[2].isdigit():
                known[words[1][5:]] = int(words[2])
        ours = {row.name: row.number for row in self.load(lambda lines, first: None)}
        self.assertGreater(len(known), 350)
        self.assertEqual({name: ours.get(name) for name in known}, known)


class AllowLists(unittest.TestCase):
    def bad(self, text, reason):
        rows = table.load(os.path.join(TOP, "syscall-tables", "x86_64.tbl"))
        with tempfile.NamedTemporaryFile("w", suffix=".tbl") as copy:
            copy.write(text)
            copy.flush()
            with self.assertRaises(table.TableError) as caught:
                filters.load_allow_list(copy.name, rows)
        self.assertRegex(str(caught.exception), r"\.tbl:\d+: ")
        self.assertIn(reason, str(caught.exception))

    def test_bad_rows(self):
        self.bad("read allow {always} why\n", "before the first")
        self.bad("[base]\nread allow always why\n", "a row is")
        self.bad("[base]\nread allow {always}\n", "a row is")
        self.bad("[base]\nraed allow {always} why\n", "no call 'raed'")
        self.bad("[base]\nread allow {size == 3} why\n", "no argument")
        self.bad("[base] limit 1\nread allow {always} why\nwrite allow {always} why\n", "call 2 of at most 1")


class Checks(unittest.TestCase):
    ARGS = {"a": (0, 32), "b": (1, 64)}

    def test_as_c(self):
        self.assertEqual(expr.to_c(expr.parse("always", self.ARGS)), "true")
        self.assertEqual(expr.to_c(expr.parse("a & X|Y == X && b <= 5 || a in (1, 2)", self.ARGS)),
                         "(((uint32_t)args[0] & (uint32_t)(X|Y)) == (uint32_t)(X) && (uint64_t)args[1] <= (uint64_t)(5))"
                         " || (((uint32_t)args[0] == (uint32_t)(1) || (uint32_t)args[0] == (uint32_t)(2)))")


if __name__ == "__main__":
    unittest.main()
