#!/bin/bash
# optional
# packages: memcached
# memcached: text protocol over TCP, UDP and a socket of the filesystem, 100 connections at a time.
export LC_ALL=C HOME=$PWD
user=(); [ "$(id -u)" = 0 ] && user=(-u root)
memcached "${user[@]}" -l 127.0.0.1 -p 11299 -U 11299 -d -P "$PWD/pid"
memcached "${user[@]}" -s "$PWD/sock" -d -P "$PWD/pid2"
until [ -s pid ] && [ -S sock ]; do sleep 0.02; done
python3 - <<'END'
import socket, threading, struct
def talk(s, line):
    s.sendall(line)
    return s.recv(65536)
def connect():
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", 11299))
        except ConnectionRefusedError:
            threading.Event().wait(0.02)
s = connect()
print(talk(s, b"set key 0 0 5\r\nvalue\r\n"), talk(s, b"get key\r\n"), talk(s, b"delete key\r\n"), talk(s, b"get key\r\n"))
talk(s, b"set n 0 0 1\r\n0\r\n")
def count():
    c = connect()
    for _ in range(20):
        talk(c, b"incr n 1\r\n")
threads = [threading.Thread(target=count) for _ in range(100)]
[t.start() for t in threads]; [t.join() for t in threads]
print(talk(s, b"get n\r\n"))
big = b"x" * 900000
s.sendall(b"set big 0 0 %d\r\n" % len(big) + big + b"\r\n")
print(s.recv(100))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(5)
u.sendto(struct.pack("!HHHH", 7, 0, 1, 0) + b"get n\r\n", ("127.0.0.1", 11299))
print(u.recv(1000)[8:])
p = socket.socket(socket.AF_UNIX); p.connect("sock")
print(talk(p, b"set a 1 0 1\r\nb\r\n"), talk(p, b"gets a\r\n")[:9])
END
kill "$(cat pid)" "$(cat pid2)"
