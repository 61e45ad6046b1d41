#!/usr/bin/python3
# optional
# packages: nginx-light wrk redis-server redis-tools postgresql-15 postgresql-client-15 postgresql-contrib memcached dnsmasq-base bind9-dnsutils curl openssl openssh-server openssh-client rsync
# timeout: 120
"""Servers in the sandbox with --network=host, their clients outside: once with the namespace as the boundary, once under a policy that
lets them listen on loopback and connect to nobody."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

prefix = sys.argv[1:]
POLICIES = [[], ["--allow-connect", "none", "--allow-bind", "tcp:127.0.0.0/8,udp:127.0.0.0/8,tcp:[::1],udp:[::1]"]]
PATH = "/usr/lib/postgresql/15/bin:/usr/sbin:" + os.environ.get("PATH", "/usr/bin:/bin")

# name: (port, what makes its files, the server in the foreground, its client)
SERVERS = {
    "nginx": (14601, """
mkdir -p www && echo hello >www/index.html && head -c 3000000 /dev/zero | tr '\\0' x >www/big
cat >nginx.conf <<END
daemon off; worker_processes 2; pid $PWD/nginx.pid; error_log $PWD/error.log; events { worker_connections 1024; }
http { access_log off; client_body_temp_path $PWD/t; proxy_temp_path $PWD/t; fastcgi_temp_path $PWD/t; uwsgi_temp_path $PWD/t;
scgi_temp_path $PWD/t; server { listen 127.0.0.1:14601; listen [::1]:14601; root $PWD/www; } }
END""", "exec nginx -q -c $PWD/nginx.conf", """
curl -s http://127.0.0.1:14601/; curl -s 'http://[::1]:14601/'; curl -s http://127.0.0.1:14601/big | md5sum
curl -s -r 5-9 http://127.0.0.1:14601/big; echo
wrk -t2 -c200 -d2s http://127.0.0.1:14601/ | grep -cE 'Socket errors|Non-2xx'"""),
    "redis": (14602, "", "exec redis-server --bind 127.0.0.1 --port 14602 --save '' --appendonly no", """
redis-cli -p 14602 set key value; redis-cli -p 14602 get key
redis-benchmark -p 14602 -q -n 5000 -c 50 -t set,get,lpush 2>&1 | tr '\\r' '\\n' | grep -c 'requests per second'
redis-benchmark -p 14602 -q -n 20000 -P 16 -t set,get 2>&1 | tr '\\r' '\\n' | grep -c 'requests per second'
head -c 2000000 /dev/zero | tr '\\0' y | redis-cli -p 14602 -x set big; redis-cli -p 14602 get big | md5sum"""),
    "postgres": (14603, """
mkdir -p data && chown 65534 data; setpriv --reuid=65534 --regid=65534 --clear-groups initdb -D data -A trust -U postgres --no-locale >/dev/null 2>&1""",
                 """exec setpriv --reuid=65534 --regid=65534 --clear-groups postgres -D data -p 14603 -k '' -c listen_addresses=127.0.0.1""", """
export PGHOST=127.0.0.1 PGPORT=14603 PGUSER=postgres PGDATABASE=postgres
until psql -XAtc 'select 6 * 7' 2>/dev/null; do sleep 0.1; done
pgbench -q -i >/dev/null 2>&1; pgbench -n -c 8 -j 2 -t 50 2>&1 | grep -E 'actually processed|failed'
psql -XAtc 'select count(*), sum(delta) is not null from pgbench_history'"""),
    "memcached": (14604, "", "exec memcached -u root -l 127.0.0.1 -p 14604 -U 14604", """
python3 - <<'END'
import socket, struct
s = socket.create_connection(("127.0.0.1", 14604))
def talk(line):
    s.sendall(line)
    return s.recv(65536)
print(talk(b"set key 0 0 5\\r\\nvalue\\r\\n"), talk(b"get key\\r\\n"))
s.sendall(b"set big 0 0 900000\\r\\n" + b"x" * 900000 + b"\\r\\n")
print(s.recv(100))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(5)
u.sendto(struct.pack("!HHHH", 7, 0, 1, 0) + b"get key\\r\\n", ("127.0.0.1", 14604))
print(u.recv(1000)[8:])
END"""),
    "dnsmasq": (14605, "", """exec dnsmasq -k -C /dev/null --no-resolv --no-hosts --port=14605 --pid-file= --user=root --listen-address=127.0.0.1,::1 \\
--bind-interfaces --address=/name.test/10.1.2.3 --address=/name.test/fd00::1 --txt-record=text.test,hello""", """
ask() { dig +short +tries=2 +time=2 -p 14605 "$@"; }
ask @127.0.0.1 name.test; ask @127.0.0.1 +tcp name.test AAAA; ask @::1 text.test TXT
for _ in $(seq 50); do echo name.test; done >many; dig +short -p 14605 @127.0.0.1 -f many | sort | uniq -c"""),
    "ssh": (14606, "mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f id; cp id.pub keys; chmod 600 host id keys",
            """mkdir -p /run/sshd; exec /usr/sbin/sshd -D -f /dev/null -p 14606 -o ListenAddress=127.0.0.1 -h "$PWD/host" -o UsePAM=yes \\
-o AuthorizedKeysFile="$PWD/keys" -o StrictModes=no -o PidFile=none -o PrintMotd=no -o PrintLastLog=no -E "$PWD/log" """, """
remote() { ssh -p 14606 -i id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1 "$@" 2>/dev/null; }
remote 'echo hello; exit 7' </dev/null; echo "status $?"
head -c 3000000 /dev/zero | remote md5sum; remote 'head -c 3000000 /dev/zero' </dev/null | md5sum"""),
    "tls": (14607, """openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
echo hello >index.html; head -c 2000000 /dev/zero | tr '\\0' y >big""", "exec openssl s_server -quiet -accept 127.0.0.1:14607 -cert pem -key key -WWW", """
curl -s --resolve localhost:14607:127.0.0.1 --cacert pem https://localhost:14607/index.html
curl -s --resolve localhost:14607:127.0.0.1 --cacert pem https://localhost:14607/big | md5sum"""),
    "rsync": (14608, """mkdir -p tree/a/b; for i in $(seq 50); do echo $i >tree/a/b/$i; done; head -c 1000000 /dev/zero >tree/big
printf 'use chroot = no\\nuid = root\\ngid = root\\n[tree]\\npath = %s/tree\\n' "$PWD" >conf""",
              "exec rsync --daemon --no-detach --address=127.0.0.1 --port=14608 --config=$PWD/conf", """
rsync -a --port=14608 rsync://127.0.0.1/tree/ copy/ && diff -r tree copy && find copy -type f | wc -l; rm -r copy"""),
    "python": (14609, "echo hello >index.html", "exec python3 -m http.server --bind 127.0.0.1 14609", "curl -s http://127.0.0.1:14609/index.html"),
}


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def run(name, policy):
    port, files, server, client = SERVERS[name]
    environment = {**os.environ, "PATH": PATH, "LC_ALL": "C", "HOME": os.getcwd()}
    subprocess.run(["bash", "-c", files], env=environment, check=False)
    words = ["bash", "-c", server]
    if prefix:
        words = prefix[:-1] + ["--network", "host", "--owners", "set", "--host-nodes", "all", "--bind", "%s:%s:rw" % (os.getcwd(), os.getcwd()), *policy, "--"] + words
    with open("server.log", "wb") as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True)
    end = time.monotonic() + 20
    while not listens(port) and time.monotonic() < end and process.poll() is None:
        time.sleep(0.05)
    print("==", name, flush=True)
    if not listens(port):
        print("it does not listen", pathlib.Path("server.log").read_text(errors="replace")[-600:])
    subprocess.run(["timeout", "30", "bash", "-c", client], env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=False)
    process.send_signal(signal.SIGKILL if prefix else signal.SIGTERM)
    process.wait()
    while listens(port):
        time.sleep(0.02)


if os.geteuid() != 0:
    print("needs root")
    sys.exit()
for rules in POLICIES:
    for one in SERVERS:
        directory = tempfile.mkdtemp(prefix="outside-", dir="/var/tmp")
        os.chmod(directory, 0o755)
        os.chdir(directory)
        try:
            run(one, rules)
        finally:
            os.chdir("/")
            shutil.rmtree(directory, ignore_errors=True)
