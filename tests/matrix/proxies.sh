#!/bin/bash
# optional
# packages: haproxy lighttpd curl
# haproxy before two servers of lighttpd: balancing, health checks, one server dies, the socket for orders, reload.
export LC_ALL=C HOME=$PWD
for n in 1 2; do
    mkdir "www$n"
    echo "server $n" >"www$n/index.txt"
    cat >"light$n.conf" <<END
server.document-root = "$PWD/www$n"
server.port = 1818$n
server.bind = "127.0.0.1"
server.upload-dirs = ( "$PWD" )
server.errorlog = "$PWD/light$n.log"
server.pid-file = "$PWD/light$n.pid"
END
    lighttpd -f "light$n.conf"
done
cat >haproxy.cfg <<END
global
    stats socket $PWD/orders mode 600 level admin
    pidfile $PWD/haproxy.pid
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
    retries 2
    option redispatch
frontend in
    bind 127.0.0.1:18190
    bind $PWD/front.sock
    default_backend out
backend out
    balance roundrobin
    option httpchk GET /index.txt
    server one 127.0.0.1:18181 check inter 200
    server two 127.0.0.1:18182 check inter 200
END
# Nobody may be there to wait for a process that ends.
gone() { ! [ -d "/proc/$1" ] || grep -q '^State:.*zombie' "/proc/$1/status" 2>/dev/null; }
order() { python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect("orders"); s.sendall(sys.argv[1].encode() + b"\n")
out = b""
while True:
    b = s.recv(65536)
    if not b: break
    out += b
print(out.decode().strip())' "$1"; }
haproxy -f haproxy.cfg -D || exit 1
for _ in 1 2 3 4 5 6; do curl -s http://127.0.0.1:18190/index.txt; done | sort | uniq -c
curl -s --unix-socket front.sock http://front/index.txt | cut -c 1-6
for _ in $(seq 20); do curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:18190/index.txt & done | sort | uniq -c
kill "$(cat light1.pid)"
until order 'show stat' | grep '^out,one' | grep -q DOWN; do sleep 0.05; done
for _ in 1 2 3 4; do curl -s http://127.0.0.1:18190/index.txt; done
order 'disable server out/two'
curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:18190/index.txt
order 'enable server out/two'
until order 'show stat' | grep '^out,two' | grep -q UP; do sleep 0.05; done
curl -s http://127.0.0.1:18190/index.txt
old=$(cat haproxy.pid)
haproxy -f haproxy.cfg -D -sf "$old"
until gone "$old"; do sleep 0.05; done
curl -s http://127.0.0.1:18190/index.txt
kill "$(cat haproxy.pid)" "$(cat light2.pid)"
