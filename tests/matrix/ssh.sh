#!/bin/bash
# optional
# packages: openssh-server openssh-client
# timeout: 120
# OpenSSH, client and server on loopback: commands, exit status, 3 MB both ways, a terminal, forwarding, sftp and scp.
export LC_ALL=C HOME=$PWD
[ "$(id -u)" = 0 ] || { echo 'needs root'; exit 0; }
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f id
cp id.pub keys
chmod 600 host id keys
"$(command -v sshd || echo /usr/sbin/sshd)" -f /dev/null -p 12299 -o ListenAddress=127.0.0.1 -h "$PWD/host" -o UsePAM=yes \
    -o AuthorizedKeysFile="$PWD/keys" -o StrictModes=no -o PidFile="$PWD/pid" -o 'Subsystem=sftp internal-sftp' \
    -o PrintMotd=no -o PrintLastLog=no -E "$PWD/log"
until [ -s pid ]; do sleep 0.02; done
options=(-i id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)
# Root's home is not everywhere.
remote() { ssh -p 12299 "${options[@]}" root@127.0.0.1 "$@" 2> >(grep -v 'home directory' >&2); }
remote 'echo hello; id -u; exit 7' </dev/null
echo "status $?"
head -c 3000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null >data || head -c 3000000 /dev/urandom >data
remote "cat >'$PWD/copy'" <data
cmp data copy && echo 'same there'
remote "cat '$PWD/copy'" </dev/null | cmp - data && echo 'same back'
remote -tt 'test -t 0 && tty | sed s/[0-9]*$//; stty -a | grep -o isig' </dev/null | tr -d '\r' | grep -v 'home directory'
scp -q -P 12299 "${options[@]}" data root@127.0.0.1:"$PWD/copy2" && cmp data copy2 && echo 'scp'
printf 'put data copy3\nls -1 copy3\n' | sftp -q -P 12299 "${options[@]}" -b - root@127.0.0.1:"$PWD" >sftp.log 2>&1
cmp data copy3 && echo 'sftp'
ssh -p 12299 "${options[@]}" -N -L 12300:127.0.0.1:12299 root@127.0.0.1 &
for _ in $(seq 100); do
    ssh -p 12300 "${options[@]}" root@127.0.0.1 'echo through the tunnel' 2>/dev/null </dev/null && break
    sleep 0.05
done
kill %1
ssh -p 12299 "${options[@]}" -o PubkeyAuthentication=no -o BatchMode=yes root@127.0.0.1 true 2>&1 </dev/null | grep -c 'Permission denied'
kill "$(cat pid)"
wait
