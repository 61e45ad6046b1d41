#!/bin/bash
# optional
# packages: python3
# Python: asyncio, http.server, multiprocessing over sockets and shared memory, socketserver, selectors, passing descriptors.
export LC_ALL=C.UTF-8 HOME=$PWD
cat >net.py <<'END'
import array, asyncio, http.server, multiprocessing, os, selectors, socket, socketserver, ssl, threading, urllib.request
from multiprocessing import connection, managers, shared_memory


async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def asynchronous():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def client(n):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for i in range(5):
            writer.write(b"line %d of %d\n" % (i, n))
            answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer

    answers = await asyncio.gather(*[client(n) for n in range(200)])
    print("asyncio", len(set(answers)), answers[7])
    big = b"z" * 4000000
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 23)
    writer.write(big[:60000] + b"\n")
    print(len(await reader.readline()))
    try:
        await asyncio.wait_for(reader.read(1), 0.05)
    except asyncio.TimeoutError:
        print("timeout")
    process = await asyncio.create_subprocess_exec("tr", "a-z", "A-Z", stdin=-1, stdout=-1)
    print((await process.communicate(b"text"))[0], process.returncode)

    class Datagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, address):
            self.transport.sendto(data[::-1], address)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Datagrams, ("127.0.0.1", 0))
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setblocking(False)
    s.connect(transport.get_extra_info("sockname"))
    await loop.sock_sendall(s, b"abc")
    print(await loop.sock_recv(s, 10))
    server.close()


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def web():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d/" % server.server_port
    text = urllib.request.urlopen(url + "net.py").read()
    print("http", text == open("net.py", "rb").read())
    try:
        urllib.request.urlopen(url + "missing")
    except urllib.error.HTTPError as error:
        print(error.code)
    server.shutdown()


def square(n):
    return n * n


def client(address):
    with connection.Client(address, authkey=b"key") as c:
        c.send({"text": [1, 2]})
        c.send_bytes(b"x" * 1000000)
        print("client got", c.recv())


def processes():
    with multiprocessing.Pool(4) as pool:
        print("pool", sum(pool.map(square, range(1000))))
    for family, address in (("AF_INET", ("127.0.0.1", 0)), ("AF_UNIX", None)):
        with connection.Listener(address, family, authkey=b"key") as listener:
            p = multiprocessing.Process(target=client, args=(listener.address,))
            p.start()
            with listener.accept() as c:
                print(family, c.recv(), len(c.recv_bytes()))
                c.send("answer")
                p.join()
    with multiprocessing.Manager() as manager:
        d = manager.dict()
        workers = [multiprocessing.Process(target=d.update, args=({n: n},)) for n in range(4)]
        [w.start() for w in workers]
        [w.join() for w in workers]
        print("manager", sorted(d.items()))
    memory = shared_memory.SharedMemory(create=True, size=100)
    other = shared_memory.SharedMemory(memory.name)
    memory.buf[5] = 7
    print("shared", other.buf[5])
    other.close()
    memory.close()
    memory.unlink()
    q, e = multiprocessing.Queue(), multiprocessing.Event()
    p = multiprocessing.Process(target=lambda: (e.wait(), q.put(os.getpid())))
    p.start()
    e.set()
    print("queue", q.get() == p.pid)
    p.join()


def descriptors():
    a, b = socket.socketpair()
    r, w = os.pipe()
    socket.send_fds(a, [b"pipe"], [w])
    data, fds, _, _ = socket.recv_fds(b, 10, 4)
    os.write(fds[0], b"through")
    print(data, os.read(r, 10))


def selecting():
    with selectors.DefaultSelector() as selector:
        pairs = [socket.socketpair() for _ in range(100)]
        for n, (a, _) in enumerate(pairs):
            selector.register(a, selectors.EVENT_READ, n)
        for n in range(0, 100, 3):
            pairs[n][1].send(b"x")
        print("selected", sum(key.data for key, _ in selector.select(1)))


asyncio.run(asynchronous())
web()
processes()
descriptors()
selecting()
print(socket.getaddrinfo("localhost", 80, socket.AF_INET, socket.SOCK_STREAM))
print([name for _, name in socket.if_nameindex()][0])
END
python3 net.py
