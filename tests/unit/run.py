#!/usr/bin/python3
"""Run what CTest knows: unit tests, filter tests in the simulator, and the fuzz targets' short runs."""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

only = []
if harness.PRESET == "tsan":
    harness.report("SKIP", "unit tests of Criterion", "its arena at a fixed address lies where the thread sanitizer's shadow is")
    only = ["-R", "^fuzz/"]
done = subprocess.run(["ctest", "--test-dir", str(harness.BUILD / harness.PRESET), "--output-on-failure",
                       "-j%d" % harness.JOBS, *only, "--timeout", "120"],
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
detail = []
failed = 0
for line in done.stdout.decode("utf-8", "backslashreplace").splitlines():
    match = re.match(r" *\d+/\d+ Test +#\d+: (\S+) \.+(.*)", line)
    if not match:
        detail.append(line)
        continue
    if "Passed" in match.group(2):
        harness.report("PASS", match.group(1))
    else:
        failed += 1
        harness.report("FAIL", match.group(1), re.sub(r"^[ *]+|\s+$", "", match.group(2)))
if done.returncode != 0:
    print("\n".join("    " + line for line in detail if line.strip())[:20000])
    if not failed:
        harness.report("FAIL", "ctest", "ended with status %d" % done.returncode)
sys.exit(1 if done.returncode else 0)
