#!/bin/bash
# optional
# packages: nodejs
# timeout: 120
# Node: worker_threads with shared memory, child_process in its forms, timers, streams, the file system, a server.
export LC_ALL=C.UTF-8 HOME=$PWD
cat >main.mjs <<'END_OF_PROGRAM'
import { Worker, isMainThread, parentPort, workerData, MessageChannel } from 'node:worker_threads';
import { spawn, exec, execFile, fork, spawnSync, execSync } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import fs from 'node:fs/promises';
import http from 'node:http';
import zlib from 'node:zlib';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
if (!isMainThread) {
    const cells = new Int32Array(workerData.shared);
    for (let i = 0; i < 10000; i++) Atomics.add(cells, 0, 1);
    Atomics.add(cells, 1, 1);
    Atomics.notify(cells, 1);
    parentPort.on('message', m => { parentPort.postMessage(m * 2); parentPort.close(); });
} else if (process.argv[2] === 'child') {
    process.on('message', m => { process.send({ got: m }, () => process.disconnect()); });
} else {
    const shared = new SharedArrayBuffer(8);
    const workers = Array.from({ length: 8 }, () => new Worker(self, { workerData: { shared } }));
    const exits = workers.map(w => once(w, 'exit'));
    const answers = await Promise.all(workers.map(async (w, i) => { w.postMessage(i); return (await once(w, 'message'))[0]; }));
    console.log('workers', answers.join(), new Int32Array(shared).join());
    await Promise.all(exits);
    const endless = new Worker('for (;;) ;', { eval: true });
    await once(endless, 'online');
    console.log('terminated', await endless.terminate());
    const failing = new Worker('throw new Error("from a worker")', { eval: true });
    console.log((await once(failing, 'error'))[0].message);

    const child = spawn('sh', ['-c', 'cat; exit 3']);
    child.stdin.end('to the child\n');
    let text = '';
    for await (const chunk of child.stdout) text += chunk;
    console.log(JSON.stringify(text), child.exitCode ?? (await once(child, 'exit'))[0]);
    console.log((await promisify(exec)('echo $((6*7))')).stdout.trim());
    console.log(await promisify(execFile)('no-such-program').catch(e => e.code));
    const kid = fork(self, ['child']);
    kid.send({ x: [1, 2, 3] });
    console.log(JSON.stringify((await once(kid, 'message'))[0]), (await once(kid, 'exit')).join());
    const sleeper = spawn('sleep', ['100']);
    sleeper.kill('SIGTERM');
    console.log((await once(sleeper, 'exit')).join());
    console.log(spawnSync('sh', ['-c', 'kill -9 $$']).signal, execSync('seq 3').toString().trim().split('\n').join());
    console.log(await promisify(exec)('sleep 10', { timeout: 50 }).catch(e => e.signal));

    let ticks = 0;
    await new Promise(done => { const t = setInterval(() => { if (++ticks === 20) { clearInterval(t); done(); } }, 2); });
    console.log('ticks', ticks);
    await fs.mkdir('d');
    await Promise.all(Array.from({ length: 50 }, (_, i) => fs.writeFile('d/' + i, 'x'.repeat(i))));
    console.log('files', (await fs.readdir('d')).length, (await fs.stat('d/49')).size);
    await fs.rm('d', { recursive: true });
    const server = http.createServer((q, r) => r.end(q.url));
    await new Promise(done => server.listen(0, '127.0.0.1', done));
    const port = server.address().port;
    const bodies = await Promise.all(Array.from({ length: 20 }, async (_, i) =>
        (await fetch(`http://127.0.0.1:${port}/${i}`)).text()));
    console.log('http', bodies.join(''));
    server.close();
    server.closeAllConnections();
    console.log('zlib', (await promisify(zlib.gunzip)(await promisify(zlib.gzip)(Buffer.alloc(1e6)))).length);
    process.on('SIGUSR2', () => { console.log('signal'); process.exit(4); });
    process.kill(process.pid, 'SIGUSR2');
    setTimeout(() => console.log('too late'), 5000);
}
END_OF_PROGRAM
node main.mjs
echo "status $?"
node -e 'null.x' 2>&1 | grep TypeError
sh -c 'node -e "process.abort()"; echo $?' 2>/dev/null
echo "status $?"
