# unshare, nsenter, setpriv, chroot and hostname of util-linux and coreutils: namespaces of the program's own.
before=$(hostname)
unshare -Ur sh -c 'id; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; stat -c %U:%G .'
unshare -U id -u
unshare -Uru sh -c 'hostname inner && hostname && uname -n && cat /proc/sys/kernel/hostname'
unshare -Urm sh -c 'mount -t tmpfs none /tmp && echo hi >/tmp/inside && cat /tmp/inside && umount /tmp'
unshare -Urm sh -c 'mkdir m && mount -t tmpfs -o size=64k none m && mkdir m/a m/b && touch m/a/x &&
    mount --bind m/a m/b && ls m/b && mount -o remount,bind,ro m/b && ! touch m/b/y 2>/dev/null && findmnt -n -o FSTYPE m'
ls m 2>/dev/null; rmdir m
# A root of its own: the new one needs nothing but a shell.
unshare -Urm sh -c 'mkdir r && mount -t tmpfs none r && cd r && mkdir bin lib lib64 old usr && mount --rbind /usr usr &&
    rmdir bin lib lib64 && ln -s usr/bin usr/lib usr/lib64 . && pivot_root . old && cd / &&
    ls -A / | tr "\n" " " && echo && ls -d old/usr'
rmdir r
unshare -Uri sh -c 'readlink /proc/self/ns/ipc' | tr -d 0-9
unshare -Ur sh -c 'unshare -Ur sh -c "id -u; cat /proc/self/uid_map"'
unshare -Ur --keep-caps chroot / id -u
unshare -Uru sh -c 'hostname one; sh -c "hostname; kill -STOP \$\$" & sleep 0.2
    nsenter --uts=/proc/$!/ns/uts hostname; kill -KILL $!; wait $! 2>/dev/null'
unshare --fork -Ur sh -c 'echo $?'
unshare -Ur setpriv --inh-caps=-all --bounding-set=-all sh -c 'grep CapBnd /proc/self/status; chroot / true 2>&1'
unshare -Ur nsenter --user=/proc/self/ns/user true 2>&1
test "$(hostname)" = "$before" && echo same
