#!/usr/bin/env python3
"""Makes from syscall-tables/ what is built from it.

  gen-syscalls.py --out DIR          C sources of the dispatch table, trace table and seccomp programs
  gen-syscalls.py --docs FILE        write the compatibility page
  gen-syscalls.py --check-docs FILE  fail when that page is out of date
  gen-syscalls.py --check            only read and check the tables

A bad row is reported as file:line: reason, and the exit status is 1.
"""

import argparse
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tools"))
sys.dont_write_bytecode = True

from syscalls import docs, emit, filters, table  # noqa: E402


def generate(out, rows, programs):
    """Write all generated sources into `out`."""
    files = {
        "syscall_handlers.h": emit.handlers_header(rows),
        "syscall_dispatch.inc": emit.dispatch(rows),
        "trace_table.inc": emit.trace_table(rows),
        "trace_types.h": emit.decoder_names(),
        "seccomp_programs.h": emit.filters_header(programs),
    }
    for program in programs:
        files[f"filter_{program.tag}.c"] = emit.filter_source(program)
    for name, text in files.items():
        emit.write_if_changed(os.path.join(out, name), text)
    # The build's output: always new, so that it knows the tables were read.
    with open(os.path.join(out, "stamp"), "w", encoding="utf-8") as stamp:
        stamp.write("")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=os.path.join(TOP, "syscall-tables"), metavar="DIR")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--list-programs", action="store_true", help="names of the seccomp programs, for the build")
    parser.add_argument("--out", metavar="DIR")
    parser.add_argument("--docs", metavar="FILE")
    parser.add_argument("--check-docs", metavar="FILE")
    options = parser.parse_args()
    try:
        rows = table.load(os.path.join(options.tables, "x86_64.tbl"))
        programs = filters.all_programs(rows, options.tables)
    except (table.TableError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if options.list_programs:
        print(";".join(program.tag for program in programs), end="")
    if options.out:
        generate(options.out, rows, programs)
    if options.docs:
        emit.write_if_changed(os.path.abspath(options.docs), docs.page(rows))
    if options.check_docs:
        try:
            with open(options.check_docs, encoding="utf-8") as page:
                current = page.read()
        except FileNotFoundError:
            current = None
        if current != docs.page(rows):
            print(f"{options.check_docs} is out of date: run tools/gen-syscalls.py --docs {options.check_docs}",
                  file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
