#!/bin/bash
# optional
# packages: redis-server redis-tools
# timeout: 120
# redis-server: commands over TCP and a socket of the filesystem, redis-benchmark, AOF: a kill loses nothing acknowledged.
export LC_ALL=C HOME=$PWD
port=16399
start() {
    redis-server --bind 127.0.0.1 --port $port --unixsocket "$PWD/redis.sock" --appendonly yes --appendfsync always \
        --save '' --daemonize yes --dir "$PWD" --pidfile "$PWD/redis.pid" --logfile "$PWD/redis.log" >/dev/null
    for _ in $(seq 200); do redis-cli -p $port ping 2>/dev/null | grep -q PONG && return; sleep 0.05; done
    echo 'does not start'; tail redis.log; exit 1
}
start
redis-cli -p $port set key value
redis-cli -s redis.sock get key
redis-cli -p $port rpush list a b c
redis-cli -p $port lrange list 0 -1
redis-cli -p $port eval 'return redis.call("incrby", KEYS[1], 5)' 1 counter
(redis-cli -p $port --raw blpop empty 5 | tail -n 1 >blocked) &
until redis-cli -p $port info clients | grep -q 'blocked_clients:1'; do sleep 0.02; done
redis-cli -p $port rpush empty woken
wait $!
cat blocked
redis-benchmark -p $port -q -n 2000 -c 50 -t set,get,incr,lpush 2>&1 | tr '\r' '\n' | grep -c 'requests per second'
redis-benchmark -p $port -q -n 20000 -P 16 -t set,get 2>&1 | tr '\r' '\n' | grep -c 'requests per second'
redis-cli -p $port bgrewriteaof
until redis-cli -p $port info persistence | grep -q 'aof_rewrite_in_progress:0'; do sleep 0.05; done
redis-cli -p $port info persistence | grep -E 'aof_last_(bgrewrite|write)_status' | tr -d '\r'
# Numbers that were acknowledged are there after a kill.
redis-cli -p $port del n
seq 1 1000 | sed 's/.*/incr n/' | redis-cli -p $port | tail -n 1
kill -9 "$(cat redis.pid)"
start
redis-cli -p $port get n
redis-cli -p $port get key
redis-cli -p $port shutdown
for _ in $(seq 100); do [ -f redis.pid ] || break; sleep 0.05; done
grep -c 'Redis is now ready to exit' redis.log
