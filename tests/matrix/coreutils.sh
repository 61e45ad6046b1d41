#!/bin/bash
# shellcheck disable=SC2010,SC2038,SC2116 # written as people write them
# core
# The core utilities on inputs made here.
export LC_ALL=C HOME=$PWD
umask 022
seq 1 2000 | awk '{print $1 * 7919 % 2003, "line", $1}' >data
sort -n data | head -n 3
sort -k3,3nr -S 1M data | md5sum
sort -u -k2,2 data | wc -l
cut -d' ' -f1 data | uniq -c | sort -rn | head -n 1
tr 'a-z' 'A-Z' <data | tail -n 2
wc data
nl data | sed -n '5p'
paste -d, <(seq 1 3) <(seq 4 6)
join <(printf 'a 1\nb 2\n') <(printf 'a x\nb y\n')
comm -12 <(seq 1 5) <(seq 3 8)
split -l 500 data part- && wc -l part-*
cat part-* | cmp - data && echo same
csplit -s data 100 200 && ls xx*
tac data | head -n 1
rev <<<abc
fold -w 10 <<<"a rather long line of text"
fmt -w 20 <<<"several words that are to be filled into lines"
expand <<<$'a\tb' ; unexpand -a <<<"        x"
od -An -tx1 <<<"bytes"
base64 <<<"some text" | tee encoded | base64 -d
md5sum data; sha1sum data; sha256sum data; sha512sum data | cut -c1-32; b2sum data | cut -c1-32; cksum data; sum data
echo "$(md5sum data)" | md5sum -c
dd if=/dev/zero of=zeros bs=4096 count=16 status=none && stat -c '%s %F %a' zeros
dd if=data of=piece bs=1 skip=10 count=20 status=none && cat piece; echo
dd if=/dev/zero of=sparse bs=1 count=1 seek=1M status=none && stat -c %s sparse
truncate -s 100 zeros && stat -c %s zeros
mkdir -p tree/a/b tree/c && touch tree/a/file tree/a/b/deep && ln -s ../c tree/a/link && ln tree/a/file tree/hard
ls -lR tree | grep -v '^total' | sed -E 's/ +/ /g' | cut -d' ' -f1,2,9-
ls -A1F tree/a
stat -c '%n %F %h %A' tree/*
cp -r tree copy && diff -r tree copy && echo copied
cp -a tree archive && readlink archive/a/link
cp -l data data-link && stat -c %h data
mv copy moved && ls -d moved copy 2>&1
mv -n data moved/ && ls moved
cp moved/data .
install -m 750 data installed && stat -c '%a' installed
rm -r moved && ls moved 2>&1
rmdir tree/c && ls tree
rm tree 2>&1
rm -rf tree archive
touch -d '2020-02-03 04:05:06 UTC' dated && stat -c '%y' dated && date -u -r dated +%F
date -u -d '@1234567890' '+%Y-%m-%d %H:%M:%S'
date -u -d '2024-02-29 + 1 year' +%F
chmod u=rwx,go=r dated && stat -c %a dated
chmod -R a-w . && chmod -R u+w . && stat -c %a dated
test -r dated -a ! -w /etc/passwd-not-there && echo tested
realpath --relative-to=/usr /usr/bin/../lib
readlink -f ./data | sed 's,.*/,,'
basename /a/b/c.txt .txt; dirname /a/b/c.txt
pwd | sed 's,.*/,,'
expr 7 \* 6; expr length abcdef
factor 1234567 ; numfmt --to=iec 123456789
seq -s, 10 -3 1
shuf --random-source=data -n 3 data
env -i A=1 B=2 env | sort
printf '%05d %x %s\n' 42 255 text
yes | head -n 3
tsort <<<"a b
b c"
echo x | tee t1 t2 >/dev/null && cat t1 t2
nice -n 5 nice; nohup true; echo "nohup $?"
timeout 5 true; echo "timeout $?"
stdbuf -oL echo buffered
sleep 0.01
mktemp -u XXXXXX | wc -c
mktemp -d tmp.XXXXXX | wc -c
du -a --apparent-size -b data | cut -f1
df --output=target /proc | tail -n 1
id -u >/dev/null && id -un >/dev/null && groups >/dev/null && echo identified
uname -s -m -o
whoami >/dev/null && nproc >/dev/null && hostid >/dev/null && uptime >/dev/null; echo $?
tty; echo "tty $?"
mkfifo ff && (cat ff & echo through >ff; wait)
sync
link data hard2 && unlink hard2
cat missing; echo "status $?"
ls missing; echo "status $?"
cp missing x; echo "status $?"
cat data >/dev/full; echo "status $?"
ls / | grep -c -E '^(usr|etc|bin|lib|dev|proc|tmp)$'
chown "$(id -u):$(id -g)" data && echo owned
xargs -n 2 echo <<<"1 2 3 4 5"
seq 1 20 | xargs -P 4 -n 1 sh -c 'exit 0' && echo parallel
find . -type f -name 'part-*' -exec wc -l {} + | tail -n 1
