#!/bin/bash
# optional
# timeout: 120
# 1 GiB through a loopback connection and through a pipe, with a checksum on each side.
cat >move.py <<'END'
import hashlib, os, random, socket, sys
SIZE, PIECE = 1 << 30, 262144
def pieces():
    """Pieces of odd lengths that do not repeat soon."""
    block, at = random.Random(7).randbytes(8 << 20), 0
    left, r = SIZE, random.Random(8)
    while left:
        n = min(left, r.randrange(1, PIECE))
        at = (at * 31 + 17) % (len(block) - PIECE)
        yield memoryview(block)[at:at + n]
        left -= n
def sender(write):
    digest = hashlib.md5()
    for piece in pieces():
        digest.update(piece)
        while piece:
            piece = piece[write(piece):]
    print("sent    ", digest.hexdigest(), flush=True)
def receiver(read):
    digest, total = hashlib.md5(), 0
    while data := read(PIECE):
        digest.update(data)
        total += len(data)
    print("received", digest.hexdigest(), total, flush=True)
def move(name, a, b, read, write):
    print(name, flush=True)
    if (pid := os.fork()) == 0:
        b()
        sender(write)
        os._exit(0)
    a()
    receiver(read)
    print(os.waitpid(pid, 0)[1], flush=True)
listener = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(listener.getsockname())
s, _ = listener.accept()
move("TCP", c.close, s.close, s.recv, c.send)
r, w = os.pipe()
move("a pipe", lambda: os.close(w), lambda: os.close(r), lambda n: os.read(r, n), lambda d: os.write(w, d))
x, y = socket.socketpair()
move("AF_UNIX", x.close, y.close, y.recv, x.send)
END
python3 move.py | sort
