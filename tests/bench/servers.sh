#!/bin/bash
# Servers under load, all on loopback: prints one figure a line. Run it natively and in the sandbox:
#   tests/bench/servers.sh; build/bin/sentry --bind "$PWD/tests/bench:/bench" -- /bench/servers.sh
# `./dev bench servers` does so several times, also with runsc, and compares.
# Needs nginx-light wrk redis-server redis-tools postgresql-15 postgresql-contrib memcached.
export LC_ALL=C PATH=/usr/lib/postgresql/15/bin:/usr/sbin:$PATH
work=$(mktemp -d /tmp/servers.XXXXXX) && cd "$work" || exit 1
chmod 755 "$work"

echo "TCP ping-pong of 1 byte, us:           $(python3 - <<'END'
import os, socket, time
a = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    c = socket.create_connection(a.getsockname()); c.setsockopt(6, 1, 1)
    while b := c.recv(1): c.send(b)
    os._exit(0)
s, _ = a.accept(); s.setsockopt(6, 1, 1)
best = 1e9
for _ in range(5):
    t = time.perf_counter()
    for _ in range(2000): s.send(b"x"); s.recv(1)
    best = min(best, time.perf_counter() - t)
print("%.1f" % (best / 2000 * 1e6))
END
)"
for kind in pipe unix; do
    echo "$kind ping-pong of 1 byte, us:          $(kind=$kind python3 - <<'END'
import os, socket, time
if os.environ["kind"] == "pipe":
    (r, b), (a, w) = os.pipe(), os.pipe()
    ours, theirs = (a, b), (r, w)
else:
    x, y = socket.socketpair()
    ours, theirs = (x.fileno(), x.fileno()), (y.fileno(), y.fileno())
if os.fork() == 0:
    for fd in set(ours): os.close(fd)
    while b := os.read(theirs[0], 1): os.write(theirs[1], b)
    os._exit(0)
best = 1e9
for _ in range(5):
    t = time.perf_counter()
    for _ in range(2000): os.write(ours[1], b"x"); os.read(ours[0], 1)
    best = min(best, time.perf_counter() - t)
print("%.1f" % (best / 2000 * 1e6))
os._exit(0)
END
)"
done
echo "TCP throughput, 64 KiB pieces, MB/s:   $(python3 - <<'END'
import os, socket, time
a = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    c = socket.create_connection(a.getsockname()); d = bytes(65536)
    for _ in range(16384): c.sendall(d)
    os._exit(0)
s, _ = a.accept(); b = bytearray(65536); n = 0; t = time.perf_counter()
while k := s.recv_into(b): n += k
print("%.0f" % (n / (time.perf_counter() - t) / 1e6))
END
)"
echo "connect, accept, close, a second:      $(python3 - <<'END'
import os, socket, time
a = socket.create_server(("127.0.0.1", 0), backlog=100)
to = a.getsockname()
if os.fork() == 0:
    a.close()
    while True:
        # One at a time: where the queue overflows, Linux makes the next wait a second.
        try:
            with socket.create_connection(to) as c: c.recv(1)
        except OSError: os._exit(0)
t = time.perf_counter()
for _ in range(3000): a.accept()[0].close()
print("%.0f" % (3000 / (time.perf_counter() - t)))
a.close()
END
)"

mkdir www && head -c 1024 /dev/zero | tr '\0' x >www/index.html
cat >nginx.conf <<END
worker_processes 2; pid $work/nginx.pid; error_log $work/error.log;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path $work/t; proxy_temp_path $work/t; fastcgi_temp_path $work/t; uwsgi_temp_path $work/t;
    scgi_temp_path $work/t; server { listen 127.0.0.1:18980; root $work/www; } }
END
nginx -q -c "$work/nginx.conf" 2>/dev/null
echo "nginx, 1 KiB, 50 connections, req/s:   $(wrk -t2 -c50 -d4s http://127.0.0.1:18980/ | awk '/Requests.sec/ { print int($2) }')"
kill "$(cat nginx.pid)"

redis-server --port 18979 --save '' --appendonly no --daemonize yes --dir "$work" --pidfile "$work/redis.pid" >/dev/null
until redis-cli -p 18979 ping >/dev/null 2>&1; do sleep 0.05; done
rate() { redis-benchmark -p 18979 --csv "$@" | tail -n 1 | cut -d, -f2 | tr -d '"' | cut -d. -f1; }
echo "redis SET, 50 connections, a second:   $(rate -n 20000 -t set)"
echo "redis GET, 50 connections, a second:   $(rate -n 20000 -t get)"
echo "redis GET, 16 in a pipeline, a second: $(rate -n 200000 -P 16 -t get)"
redis-cli -p 18979 shutdown nosave

as=(); mkdir data run
if [ "$(id -u)" = 0 ]; then chown 65534:65534 data run; as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
"${as[@]}" initdb -D data -A trust -U postgres --no-locale >/dev/null 2>&1
"${as[@]}" pg_ctl -D data -w -s -l run/log -o "-p 18978 -k $work/run -c listen_addresses=" start
pg() { "$@" -h "$work/run" -p 18978 -U postgres postgres 2>&1; }
pg pgbench -q -i >/dev/null
echo "pgbench, 8 clients, tps:               $(pg pgbench -n -c 8 -T 4 | awk '/^tps/ { print int($3) }')"
echo "pgbench -S, 8 clients, tps:            $(pg pgbench -n -S -c 8 -T 4 | awk '/^tps/ { print int($3) }')"
"${as[@]}" pg_ctl -D data -w -s -m immediate stop
rm -rf "$work"
