#!/bin/bash
# optional
# packages: acl attr
# timeout: 120
# tar with sparse files, extended attributes, access control lists, hard links and times of nanoseconds.
export LC_ALL=C HOME=$PWD
umask 022
mkdir -p src/dir && cd src || exit 1
truncate -s 40M holes
for at in 0 1048576 9999744 41942980; do printf 'data at %d' "$at" | dd of=holes bs=1 seek="$at" conv=notrunc status=none; done
truncate -s 8M empty-holes
seq 1 3000 >dir/text && ln dir/text dir/hard && ln -s text dir/link
setfattr -n user.note -v 'a note' dir/text
[ "$(id -u)" != 0 ] || { setfacl -m u:1234:r-x dir && setfacl -d -m g:99:rwx dir && setfacl -m u:7:- dir/text; }
touch -d '2010-10-10 10:10:10.101010101' dir/text && touch -h -d '2011-11-11' dir dir/link holes empty-holes .
cd ..
sha256sum src/holes
tar --sort=name --numeric-owner --owner=0 --group=0 --format=posix --sparse --acls --xattrs --xattrs-include='*' --pax-option=exthdr.name=%d/%f,delete=atime,delete=ctime -C src -cf one.tar .
[ "$(stat -c %s one.tar)" -lt 300000 ] && echo 'a small archive'
tar --acls --xattrs -tvvf one.tar | awk '{$4 = $5 = ""; print}'
mkdir out && tar --sparse --acls --xattrs --xattrs-include='*' -C out -xpf one.tar
sha256sum out/holes
for f in holes empty-holes; do [ "$(stat -c %b out/$f)" -lt 2000 ] && echo "$f is sparse"; done
stat -c "%n %h %a %y" out/dir/text out/dir
find out ! -type l | sort | xargs -n 1 getfattr -d -m -
find out ! -type l | sort | xargs -n 1 getfacl -n -p
(cd src && tar -df ../one.tar && echo "no difference")
cp --sparse=always src/holes copy && cmp src/holes copy && [ "$(stat -c %b copy)" -lt 2000 ] && echo 'cp kept the holes'
