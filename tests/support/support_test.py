"""The support checker itself: what counts as proof."""
import os
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import support  # noqa: E402
from syscalls import table  # noqa: E402


def row(name="dup", path="emulated", status="supported", rest=""):
    handler = "-" if path == "native" else "sys_" + name
    return table.parse_row(f"1  {name}  {handler}  {path}  {status}  (fd:fd){rest}", "x:1")


def seen(*lines):
    with tempfile.NamedTemporaryFile("w", suffix=".strace") as trace:
        trace.write("".join(line + "\n" for line in lines))
        trace.flush()
        return support.read_traces([trace.name])


GOOD = "5 prog dup(3) = 4 <0.000010>"
BAD = "5 prog dup(99) = -1 EBADF (Bad file descriptor) <0.000010>"


class Proof(unittest.TestCase):
    def test_success_and_error(self):
        self.assertEqual(support.missing(row(), seen(GOOD, BAD)), [])

    def test_each_alone_is_not_enough(self):
        self.assertEqual(support.missing(row(), seen(GOOD)), ["an error"])
        self.assertEqual(support.missing(row(), seen(BAD)), ["a success"])
        self.assertEqual(support.missing(row(), seen()), ["a call"])

    def test_enosys_is_no_error(self):
        line = "5 prog dup(3) = -1 ENOSYS (Function not implemented) <0.000010>"
        self.assertEqual(support.missing(row(), seen(GOOD, line)), ["an error"])

    def test_an_error_without_a_name_proves_nothing(self):
        self.assertEqual(support.missing(row(), seen("5 prog dup(3) = -1 600 <0.000010>")), ["a call"])

    def test_another_call_proves_nothing(self):
        self.assertEqual(support.missing(row(), seen(GOOD.replace("dup", "dup2"), BAD.replace("dup", "dup2"))), ["a call"])

    def test_a_result_inside_an_argument_proves_nothing(self):
        line = '5 prog write(1, "dup(3) = 4 <0.1>", 16) = 16 <0.000010>'
        self.assertEqual(support.missing(row(), seen(line)), ["a call"])

    def test_cut_lines_prove_nothing(self):
        self.assertEqual(support.missing(row(), seen("5 prog dup(3) = 4 <0.00")), ["a call"])

    def test_addresses_are_successes(self):
        self.assertEqual(support.missing(row(), seen("5 prog dup(3) = 0x7f0000000000 <0.000010>", BAD)), [])

    def test_calls_without_errors(self):
        self.assertEqual(support.missing(row("getppid"), seen("5 prog getppid() = 4 <0.000010>")), [])

    def test_calls_without_success(self):
        line = "5 prog pause() = -1 EINTR (Interrupted system call) <0.000010>"
        self.assertEqual(support.missing(row("pause"), seen(line)), [])
        line = "5 prog pause() = ? ERESTARTNOHAND (To be restarted if no handler) <0.000010>"
        self.assertEqual(support.missing(row("pause"), seen(line)), [])
        self.assertEqual(support.missing(row(), seen(line.replace("pause", "dup"))), ["a success", "an error"])

    def test_native_calls_are_seen_only(self):
        native = row("munmap", "native", "partial", " native={always} reason")
        line = "5 prog munmap(0x1000, 4096) = ? <0.000010>"
        self.assertEqual(support.missing(native, seen(line)), [])
        self.assertEqual(support.missing(row(), seen("5 prog dup(3) = ? <0.000010>")), ["a success", "an error"])


class Promotion(unittest.TestCase):
    def promoted(self, one):
        text = f"  1  dup   {'sys_dup':<20} emulated  {one}(fd:fd)"
        parsed = table.parse_row(text, "x:1")
        parsed.line = 1
        return support.promote([text], [parsed], seen(GOOD, BAD))[0]

    def test_proven_rows(self):
        line = self.promoted("partial    ")
        self.assertEqual(table.parse_row(line, "x:1").status, "supported")
        self.assertEqual(len(line), len(f"  1  dup   {'sys_dup':<20} emulated  supported  (fd:fd)"))

    def test_a_note_about_a_gap_keeps_it(self):
        text = "1  dup  sys_dup  emulated  partial    (fd:fd) half of it"
        parsed = table.parse_row(text, "x:1")
        parsed.line = 1
        self.assertEqual(support.promote([text], [parsed], seen(GOOD, BAD)), [text])


if __name__ == "__main__":
    unittest.main()
