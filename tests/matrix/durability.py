#!/usr/bin/python3
# optional
# packages: postgresql-15 postgresql-client-15 postgresql-contrib redis-server redis-tools
# timeout: 120
"""PostgreSQL under pgbench and Redis with an AOF, killed with everything around them in the middle, and started again on the same
files: nothing that was acknowledged is lost. Natively a pid namespace is killed, else the whole sandbox."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

prefix = sys.argv[1:]
here = pathlib.Path(tempfile.mkdtemp(prefix="durability-", dir="/var/tmp"))
here.chmod(0o755)
os.chdir(here)
ROUNDS = 2
CLIENTS = 6

COMMON = """
export LC_ALL=C PATH=/usr/lib/postgresql/15/bin:$PATH HOME=$PWD PGHOST=$PWD/run PGPORT=15498 PGUSER=postgres PGDATABASE=postgres
as=(); if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
start() {
    rm -f data/postmaster.pid
    "${as[@]}" pg_ctl -D data -w -t 60 -s -l "$PWD/run/log" -o "-p $PGPORT -k $PWD/run -c listen_addresses=" start || tail run/log
}
redis() {
    (cd cache && exec redis-server --bind 127.0.0.1 --port 16398 --appendonly yes --appendfsync always --save '' --daemonize yes \\
        --dir "$PWD" --logfile "$PWD/log" >/dev/null)
    until redis-cli -p 16398 ping 2>/dev/null | grep -q PONG; do sleep 0.05; done
}
"""
MAKE = """
mkdir data run cache
if [ "$(id -u)" = 0 ]; then chmod a+rx . && chown -R 65534:65534 data run; fi
"${as[@]}" initdb -D data -A trust -U postgres --no-locale -E UTF8 >initdb.log 2>&1 || cat initdb.log
start
psql -X -q -c 'create table t (client int, n int)'
pgbench -q -i >/dev/null 2>&1
"${as[@]}" pg_ctl -D data -w -s -m fast stop
"""
# Each line is what a client was told that it has.
LOAD = """
start
redis
pgbench -n -c 8 -j 2 -T 60 >/dev/null 2>&1 &
for client in $(seq CLIENTS); do
    for n in $(seq FIRST 1000000); do echo "insert into t values ($client, $n) returning 'sql ' || client || ' ' || n;"; done |
        psql -X -At -q &
    yes "incr n$client" | redis-cli -p 16398 | sed -u "s/^/redis $client /" &
done
wait
"""
CHECK = """
start
psql -X -At -c "select 'sql ' || client || ' ' || n from t" |  sort >rows
psql -X -At -c 'select (select sum(abalance) from pgbench_accounts) = (select sum(bbalance) from pgbench_branches)'
psql -X -At -c 'select (select sum(delta) from pgbench_history) = (select sum(tbalance) from pgbench_tellers)'
"${as[@]}" pg_ctl -D data -w -s -m fast stop
redis
for client in $(seq CLIENTS); do echo "redis $client $(redis-cli -p 16398 get n$client)"; done
redis-cli -p 16398 shutdown
grep -c PANIC run/log
"""


def start(script, first=0):
    script = COMMON + script.replace("CLIENTS", str(CLIENTS)).replace("FIRST", str(first))
    if prefix:
        owners = ["--owners", "set"] if os.geteuid() == 0 else []
        words = prefix[:-1] + owners + ["--host-nodes", "all", "--bind", "%s:%s:rw" % (here, here), "--"]
    else:
        words = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-pf", "--kill-child", "--mount-proc"]
    return subprocess.Popen(words + ["bash", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def acknowledged(process):
    """What clients were told until all is killed: some time after each of them has been told something."""
    told, all_told = b"", False
    os.set_blocking(process.stdout.fileno(), False)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        part = process.stdout.read1(1 << 20)
        told += part or b""
        if not all_told and len(set(re.findall(rb"^(\w+ \d+) ", told, re.M))) >= 2 * CLIENTS:
            all_told, end = True, time.monotonic() + 1.5
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    os.set_blocking(process.stdout.fileno(), True)
    told += process.stdout.read()
    return told[:told.rfind(b"\n") + 1].decode()


def check(told):
    output = start(CHECK).communicate()[0].decode()
    there = dict(re.findall(r"^redis (\d+) (\d+)$", output, re.M))
    rows = set(pathlib.Path("rows").read_text().split("\n"))
    sql = [line for line in told.splitlines() if re.fullmatch(r"sql \d+ \d+", line)]
    counted = {}
    for client, n in re.findall(r"^redis (\d+) (\d+)$", told, re.M):
        counted[client] = max(counted.get(client, 0), int(n))
    others = [line for line in told.splitlines()
              if not re.fullmatch(r"(sql|redis) \d+ \d+|.* fatal: the monitor is gone", line)]
    print("clients that were told something: %d %d, rows enough: %s, other lines: %s" %
          (len({line.split()[1] for line in sql}), len(counted), len(sql) > 100, others[:3]))
    print("rows lost:", len([line for line in sql if line not in rows]))
    print("counts lost:", sum(int(there.get(client, 0)) < n for client, n in counted.items()))
    print([line for line in output.splitlines() if not line.startswith("redis ")], flush=True)


try:
    print(start(MAKE).communicate()[0].decode(), end="")
    everything = ""
    for number in range(ROUNDS):
        everything += acknowledged(start(LOAD, number * 1000000))
        check(everything)
finally:
    shutil.rmtree(here, ignore_errors=True)
