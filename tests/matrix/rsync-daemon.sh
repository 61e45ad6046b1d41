#!/bin/bash
# optional
# packages: rsync
# rsync: a daemon, trees copied and updated from and to it, a password, a module that may not be written.
export LC_ALL=C HOME=$PWD
mkdir src up
for i in $(seq 60); do mkdir -p "src/d$((i % 7))"; seq "$i" 3000 >"src/d$((i % 7))/f$i"; done
ln -s d1 src/link
ln src/d1/f1 src/hard
echo 'user:secret' >secrets; echo secret >password; chmod 600 secrets password
cat >rsyncd.conf <<END
use chroot = no
pid file = $PWD/pid
log file = $PWD/log
uid = $(id -u)
gid = $(id -g)
[read]
path = $PWD/src
[write]
path = $PWD/up
read only = no
auth users = user
secrets file = $PWD/secrets
END
rsync --daemon --config=rsyncd.conf --port=18730 --address=127.0.0.1
until [ -s pid ] && rsync rsync://127.0.0.1:18730/ >/dev/null 2>&1; do sleep 0.05; done
url=rsync://127.0.0.1:18730
rsync "$url/" | sed 's/[[:space:]]*$//'
rsync -aH "$url/read/" dst/ && diff -r src dst && echo same
echo more >>src/d3/f3; rm src/d2/f2
sleep 0.1
rsync -aHi --delete "$url/read/" dst/ | sed '/^\./d; s/^>f[^ ]*/changed/' | sort
diff -r src dst && echo same
rsync -a src/ "$url/read/" >refused 2>&1; echo "status $?"; grep -c 'read only' refused
rsync -a --password-file=password src/ rsync://user@127.0.0.1:18730/write/ && diff -r src up && echo same
rsync -a src/ rsync://user@127.0.0.1:18730/write/ </dev/null >refused 2>&1; echo "status $?"
rsync -az --bwlimit=20000 "$url/read/d1" z/ && diff -r src/d1 z/d1 && echo same
kill "$(cat pid)"
