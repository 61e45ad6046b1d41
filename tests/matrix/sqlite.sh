#!/bin/bash
# timeout: 120
# sqlite3: 10,000 rows, each journal mode, integrity.
export LC_ALL=C HOME=$PWD
{
    echo 'create table t (id integer primary key, name text, value real);'
    echo 'begin;'
    seq 1 10000 | awk '{printf "insert into t (name, value) values (\x27name %d\x27, %f);\n", $1, $1 * 1.5}'
    echo 'commit;'
} >insert.sql
sqlite3 db.sqlite <insert.sql
sqlite3 db.sqlite 'select count(*), sum(value), max(name) from t; create index i on t (name); pragma integrity_check;'
sqlite3 db.sqlite "select * from t where name = 'name 5000';"
for mode in delete truncate persist wal; do
    sqlite3 db.sqlite "pragma journal_mode = $mode; insert into t (name, value) values ('$mode', 1); select count(*) from t;"
done
for i in $(seq 1 50); do echo "insert into t (name, value) values ('single', $i);"; done | sqlite3 db.sqlite
sqlite3 db.sqlite "select count(*) from t where name = 'single'; delete from t where id % 2; vacuum; select count(*) from t;"
sqlite3 db.sqlite .dump | wc -l
(sqlite3 db.sqlite 'begin exclusive; select 1;' '.shell sleep 0.5' 'commit;') & sleep 0.2
sqlite3 -cmd '.timeout 5000' db.sqlite 'update t set value = 0; select changes() > 0;'
wait
