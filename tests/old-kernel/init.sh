#!/bin/sh
# First process of the emulated machine (see run.py): tests, a line for each, and the end.
/usr/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 TERM=dumb TZ=UTC
if [ ! -e /moved ]; then
    # The root of an initramfs cannot be pivoted away from: go on in a tmpfs.
    mount -t tmpfs none /new
    for name in /*; do
        [ "$name" = /new ] || cp -a "$name" /new/
    done
    : >/new/moved
    mkdir -p /new/new
    exec switch_root /new /init
fi
mount -t proc proc /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts none /dev/pts
mount -t tmpfs none /dev/shm
mount -t tmpfs -o mode=1777 none /tmp
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
cd /tmp || exit 1

verdict() { # TITLE GOOD [FILE]
    if [ "$2" = 0 ]; then
        echo "PASS $1"
    else
        echo "FAIL $1"
        [ -z "$3" ] || { grep "^+" "$3"; head -n 12 "$3"; } | sed "s/^/    /"
    fi
}

# run TITLE USER WORDS...: the same output and status natively and in the sandbox.
run() {
    title=$1 user=$2
    shift 2
    as=
    [ "$user" = 0 ] || as="/usr/bin/setpriv --reuid=$user --regid=$user --clear-groups"
    for where in native sandbox; do
        rm -rf /tmp/work
        mkdir /tmp/work
        cp /guest/* /tmp/work/ 2>/dev/null
        words=""
        [ $where = native ] || words="/sentry/sentry $options --"
        [ -z "$program" ] || { rm -f /tmp/work/*; cp "/guest/$program" /tmp/work/prog; }
        chown -R "$user:$user" /tmp/work
        # shellcheck disable=SC2086 # lists of words
        (cd /tmp/work && $as /usr/bin/timeout -s KILL 300 $words "$@" </dev/null >/tmp/$where.out 2>&1; echo "status $?" >>/tmp/$where.out)
    done
    diff /tmp/native.out /tmp/sandbox.out >/tmp/difference 2>&1
    same=$?
    # A run that fails in both places proves nothing.
    tail -n 1 /tmp/native.out | grep -q '^status 0' || { same=1; cat /tmp/native.out >>/tmp/difference; }
    verdict "$title" $same /tmp/difference
}

echo "kernel $(uname -r)"
options=''
program=''
/sentry/sentry check >/tmp/check 2>&1
verdict "sentry check" $? /tmp/check
cat /tmp/check
run "a pipeline as root" 0 bash -c 'ls -l /usr | sort | head -n 3; (exit 3); echo $?'
run "a pipeline as a user" 1000 bash -c 'ls -l /usr | sort | head -n 3; id; (exit 3); echo $?'
run "an archive" 0 bash -c 'cd /usr && tar -cf - bin | gzip -1 | gzip -d | tar -tf - | wc -l'
for program in $(cd /guest && ls); do
    run "$program as root" 0 ./prog
done
for program in hello.static process_fork.dynamic process_exec.dynamic signals.static threads.dynamic files_names.static pipes.dynamic; do
    [ ! -e /guest/$program ] || run "$program as a user" 1000 ./prog
done
options="--disable-feature pidfd-getfd --disable-feature wait-killable --log /dev/null"
for program in hello.static process_fork.dynamic signals.static threads.dynamic; do
    [ ! -e /guest/$program ] || run "$program with fallbacks" 0 ./prog
done
echo END
poweroff -f
