#!/bin/bash
# optional
# packages: postgresql-15 postgresql-client-15 postgresql-contrib
# timeout: 240
# PostgreSQL 15: initdb, tables, a parallel query, LISTEN and NOTIFY, pgbench with 8 clients, a killed backend, an immediate stop
# in the middle of pgbench and recovery.
export LC_ALL=C PATH=/usr/lib/postgresql/15/bin:$PATH HOME=$PWD PGHOST=$PWD/run PGPORT=15499 PGUSER=postgres PGDATABASE=postgres
mkdir data run
as=()
if [ "$(id -u)" = 0 ]; then # the server refuses root
    chmod a+rwx . && chown -R 65534:65534 data run
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
"${as[@]}" initdb -D data -A trust -U postgres --no-locale -E UTF8 >initdb.log 2>&1 || { cat initdb.log; exit 1; }
control() { "${as[@]}" pg_ctl -D data -w -t 60 -s "$@"; }
start() { control -l "$PWD/run/log" -o "-p $PGPORT -k $PWD/run -c listen_addresses=127.0.0.1" start || { cat run/log; exit 1; }; }
sql() { psql -X -At "$@" 2>&1; }
start
sql -c 'select 6 * 7'
sql -h 127.0.0.1 -c 'select count(*) from pg_class where relname = $$pg_class$$'
sql <<'END'
create table t (id serial primary key, name text unique, n int);
insert into t (name, n) select 'name ' || i, i % 10 from generate_series(1, 20000) i;
select n, count(*), sum(id) from t group by n order by n;
insert into t (name) values ('name 5');
begin; update t set n = 99; rollback;
select count(*) from t where n = 99;
set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; set force_parallel_mode = on;
select count(*), sum(n) from t;
END
sql -c 'listen channel' -c "notify channel, 'text'" | grep -o 'notification "channel" with payload "text"'
pgbench -q -i -s 1 >pgbench.log 2>&1 || cat pgbench.log
pgbench -n -c 8 -j 2 -t 50 2>&1 | grep -E 'actually processed|failed'
pgbench -n -S -h 127.0.0.1 -c 8 -t 200 2>&1 | grep -E 'actually processed|failed'
sql -c 'select count(*) from pgbench_history'
sql -c 'select sum(abalance) = (select sum(bbalance) from pgbench_branches) from pgbench_accounts'
# One backend is killed: the others restart, and the data is there.
backend=$(sql -c 'select pg_backend_pid()' -c 'select pg_sleep(0)' | head -n 1)
(sql -c 'select pg_sleep(30)' >killed.log) &
until victim=$(sql -c "select pid from pg_stat_activity where query like '%pg_sleep(30)%' and pid <> pg_backend_pid()") &&
    [ -n "$victim" ]; do sleep 0.05; done
[ "$backend" != "$victim" ] && kill -9 "$victim"
wait
grep -c 'server closed the connection unexpectedly' killed.log
until sql -c 'select 1' | grep -q '^1$'; do sleep 0.05; done
# Stopped at once in the middle of the load: what was acknowledged is there.
(pgbench -n -c 8 -T 30 >load.log 2>&1) &
sleep 2
acknowledged=$(sql -c 'select count(*) from pgbench_history')
control -m immediate stop
wait
start
sql -c "select count(*) >= $acknowledged from pgbench_history"
sql -c 'select sum(abalance) = (select sum(bbalance) from pgbench_branches) from pgbench_accounts'
control -m fast stop
grep -cE 'PANIC' run/log
exit 0
