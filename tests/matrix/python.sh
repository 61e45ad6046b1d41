#!/bin/bash
# core
# timeout: 120
# Python with threads, subprocess, tempfile, json and more.
export LC_ALL=C.UTF-8 HOME=$PWD PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
cat >script.py <<'END'
import asyncio, collections, concurrent.futures, glob, hashlib, json, mmap, multiprocessing, os, queue, random, select
import shutil, signal, socket, sqlite3, struct, subprocess, sys, tempfile, threading, time, zlib

total = 0
lock = threading.Lock()
def work(n):
    global total
    for _ in range(1000):
        with lock:
            total += n
threads = [threading.Thread(target=work, args=(i,)) for i in range(10)]
[t.start() for t in threads]
[t.join() for t in threads]
print("threads", total)

q = queue.Queue()
threading.Thread(target=lambda: [q.put(i) for i in range(5)]).start()
print("queue", [q.get(timeout=5) for _ in range(5)])

print(subprocess.run(["sh", "-c", "cat; exit 3"], input=b"to the child\n", stdout=subprocess.PIPE).stdout)
print(subprocess.run(["sh", "-c", "exit 3"]).returncode, subprocess.run(["sh", "-c", "kill -9 $$"]).returncode)
p1 = subprocess.Popen(["seq", "1", "1000"], stdout=subprocess.PIPE)
p2 = subprocess.Popen(["tail", "-n", "1"], stdin=p1.stdout, stdout=subprocess.PIPE)
p1.stdout.close()
print(p2.communicate(), p1.wait())
try:
    subprocess.run(["no-such-program"])
except FileNotFoundError as error:
    print("error", error.errno)
try:
    subprocess.run(["sleep", "10"], timeout=0.1)
except subprocess.TimeoutExpired:
    print("timed out")

with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "file.json")
    data = {"list": list(range(10)), "text": "h\u00e9llo", "nested": {"a": [None, True, 1.5]}}
    with open(path, "w") as f:
        json.dump(data, f)
    with open(path) as f:
        print(json.load(f) == data, os.path.getsize(path))
    for i in range(20):
        open(os.path.join(directory, "f%02d" % i), "w").close()
    print(len(os.listdir(directory)), len(glob.glob(directory + "/f1*")))
    shutil.copytree(directory, directory + "/copy")
    print(sorted(os.listdir(directory + "/copy"))[:3])
print(os.path.exists(directory))
with tempfile.TemporaryFile() as f:
    f.write(b"0123456789" * 1000)
    f.flush()
    m = mmap.mmap(f.fileno(), 0)
    m[5:8] = b"xyz"
    print(m[:12], len(m))
    m.close()
    f.seek(0)
    print(f.read(10))

a, b = socket.socketpair()
a.sendall(b"over a socket pair")
print(select.select([b], [], [], 1)[0] == [b], b.recv(100))
server = socket.socket(socket.AF_UNIX)
server.bind("sock")
server.listen()
def serve():
    c, _ = server.accept()
    c.sendall(c.recv(100).upper())
    c.close()
t = threading.Thread(target=serve)
t.start()
client = socket.socket(socket.AF_UNIX)
client.connect("sock")
client.sendall(b"question")
print(client.recv(100))
t.join()

caught = []
signal.signal(signal.SIGUSR1, lambda s, f: caught.append(s))
os.kill(os.getpid(), signal.SIGUSR1)
signal.setitimer(signal.ITIMER_REAL, 0.02)
signal.signal(signal.SIGALRM, lambda s, f: caught.append(s))
time.sleep(0.2)
print("signals", [int(c) for c in caught])

pid = os.fork()
if pid == 0:
    os._exit(7)
print("fork", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

def square(x):
    return x * x
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(3) as pool:
        print("pool", pool.map(square, range(8)))
with concurrent.futures.ThreadPoolExecutor(4) as ex:
    print("futures", sum(ex.map(square, range(100))))

async def main():
    async def one(n):
        await asyncio.sleep(0.01 * n)
        return n
    process = await asyncio.create_subprocess_exec("echo", "async child", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return await asyncio.gather(*(one(i) for i in range(4))), out, process.returncode
print("asyncio", asyncio.run(main()))

db = sqlite3.connect("test.db")
db.execute("create table t (a, b)")
db.executemany("insert into t values (?, ?)", [(i, str(i)) for i in range(500)])
db.commit()
print("sqlite", db.execute("select sum(a), count(*) from t").fetchone())
print("zlib", len(zlib.decompress(zlib.compress(b"a" * 100000))), hashlib.sha256(b"x").hexdigest()[:16])
print(struct.pack("<IHB", 1, 2, 3), collections.Counter("mississippi").most_common(1))
random.seed(5)
print(random.randrange(10**6), len(os.urandom(16)), os.cpu_count() >= 1)
try:
    open("/nonexistent/file")
except OSError as error:
    print(error.strerror)
print(sys.version_info[:2] >= (3, 9), os.get_terminal_size.__name__)
sys.stdout.flush()
os.write(2, b"to standard error\n")
sys.exit(5)
END
python3 script.py
echo "status $?"
python3 -c 'import os; print(os.stat("script.py").st_size, os.getcwd().endswith("python.sh"))'
python3 -m json.tool <<<'{"a": [1, 2]}'
python3 -c 'raise SystemExit("stopped")'
echo "status $?"
