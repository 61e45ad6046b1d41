#!/usr/bin/python3
"""What of the tables is not a unit test: the compatibility page shows what the table says."""
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def main():
    check = subprocess.run([sys.executable, TOP / "tools/gen-syscalls.py", "--check-docs", TOP / "docs/compatibility.md"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print("PASS compatibility page" if check.returncode == 0 else "FAIL compatibility page: " + check.stdout.strip())
    return check.returncode


sys.exit(main())
