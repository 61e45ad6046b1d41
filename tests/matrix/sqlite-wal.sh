#!/bin/bash
# optional
# packages: sqlite3
# timeout: 300
# A database in WAL mode from four processes, one of which is killed in the middle of its work again and again: what was
# committed is there and the database is whole.
export LC_ALL=C HOME=$PWD
sqlite3 db 'pragma journal_mode = wal; create table t (who integer, n integer, text text, primary key (who, n));'
# writer WHO: counts up, one transaction each, and says on standard output what has been committed.
writer() {
    for n in $(seq 1 300); do
        echo "insert into t values ($1, $n, hex(randomblob(100))); select $n;"
    done | sqlite3 -cmd '.timeout 60000' db
}
for round in 1 2 3; do
    sqlite3 db 'delete from t;'
    for who in 1 2 3; do writer $who >"said.$who" 2>"errors.$who" & done
    who=4
    ( writer $who >said.4 2>errors.4 ) &
    victim=$!
    # As soon as it has committed something it is shot, with whatever it was doing.
    while [ "$(wc -l <said.4)" -lt 20 ]; do :; done
    kill -9 "$(cat /proc/$victim/task/$victim/children 2>/dev/null | awk '{print $NF}')" 2>/dev/null || pkill -9 -P $victim
    wait
    for who in 1 2 3; do
        echo "round $round writer $who: $(sqlite3 db "select count(*), max(n) from t where who = $who;") $(cat errors.$who)"
    done
    last=$(tail -n 1 said.4)
    sqlite3 db "select 'what the fourth said is there', count(*) >= ${last:-0} from t where who = 4;
        select 'no gap', count(*) = max(n) from t where who = 4; pragma integrity_check; pragma wal_checkpoint(truncate);"
    stat -c '%s' db-wal 2>/dev/null || echo 'no log left'
done
