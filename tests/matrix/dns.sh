#!/bin/bash
# optional
# packages: dnsmasq-base bind9-dnsutils
# dnsmasq asked by dig over UDP and TCP, bound to one address and to all of them.
export LC_ALL=C HOME=$PWD
start() {
    dnsmasq -C /dev/null --no-resolv --no-hosts --port=15399 --pid-file="$PWD/pid" --user="$(id -un)" --cache-size=100 \
        --address=/name.test/10.1.2.3 --address=/name.test/fd00::1 --txt-record=text.test,hello --mx-host=mail.test,mx.test,5 "$@"
    until [ -s pid ]; do sleep 0.02; done
}
# Nobody may be there to wait for a process that ends.
gone() { ! [ -d "/proc/$1" ] || grep -q '^State:.*zombie' "/proc/$1/status" 2>/dev/null; }
stop() { pid=$(cat pid); kill "$pid"; until gone "$pid"; do sleep 0.02; done; rm -f pid; }
ask() { dig +short +tries=2 +time=2 -p 15399 "$@"; }
start --listen-address=127.0.0.1 --bind-interfaces
ask @127.0.0.1 name.test
ask @127.0.0.1 +tcp name.test AAAA
ask @127.0.0.1 text.test TXT
ask @127.0.0.1 mail.test MX
ask @127.0.0.1 -x 127.0.0.1
dig -p 15399 @127.0.0.1 other.test | grep -o 'status: [A-Z]*'
for _ in $(seq 50); do echo name.test; done >many
dig +short -p 15399 @127.0.0.1 -f many | sort | uniq -c
stop
start
ask @127.0.0.1 name.test
ask @127.0.0.5 name.test
ask @::1 name.test
stop
