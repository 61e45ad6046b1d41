#!/bin/bash
# optional
# packages: rsync acl attr
# timeout: 180
# rsync -aHAX of a tree with everything in it, there, again, after changes, and over a pipe; then what is different.
export LC_ALL=C HOME=$PWD
umask 022
mkdir -p src/dir/deep src/empty && cd src || exit 1
seq 1 2000 >dir/text && head -c 300000 /dev/zero >dir/zeroes && printf '#!/bin/sh\n' >dir/run && chmod 755 dir/run
truncate -s 5M sparse && echo end >>sparse
ln dir/text dir/hard1 && ln dir/text dir/deep/hard2 && ln -s dir/text link && ln -s nowhere dangling
mkfifo fifo && chmod 640 dir/text && chmod 1777 empty
setfattr -n user.color -v red dir/text && setfattr -n user.long -v "$(seq -s, 1 200)" dir
if [ "$(id -u)" = 0 ]; then
    setfacl -m u:1000:rw,g:2000:r dir/text && setfacl -d -m u:1000:rwx dir/deep
    chown 1000:2000 dir/run && mknod null c 1 3
    setfattr -n trusted.secret -v x dir
fi
touch -d '2001-02-03 04:05:06.123456789' dir/text link -h && touch -d '1999-12-31' dir
cd ..
# Debian's rsync sets the times of files and links only.
show() {
    (cd "$1" && find . -type f -printf '%P f %m %U:%G %n %s %TY-%Tm-%Td %TT\n' -o -printf '%P %y %m %U:%G %l\n' | sort &&
        find . ! -type l | sort | xargs getfacl -n -p && find . | sort | xargs -n 1 getfattr -d -h -m -)
}
show src >want
grep -cE '.' want
rsync -aHAX src/ dst/ && show dst | diff want - && echo 'the same'
rsync -aHAXi src/ dst/ | grep -v '^\.d\.\.t' || echo 'nothing to do'
echo more >>src/dir/text && rm src/link && mv src/dir/run src/dir/deep/ && chmod 600 src/sparse
rsync -aHAXi --delete src/ dst/ | grep -v '^\.d\.\.t' | sort
show src | diff - <(show dst) && echo 'the same again'
rsync -aHAXS --rsh="sh -c 'shift; exec \"\$@\"' sh" src/ host:"$PWD/piped/" 2>&1 && show src | diff - <(show piped) && echo 'the same over a pipe'
[ "$(stat -c %b piped/sparse)" -lt 1000 ] && echo 'still sparse'
[ "$(stat -c %i piped/dir/text)" = "$(stat -c %i piped/dir/hard1)" ] && echo 'still linked'
