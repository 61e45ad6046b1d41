#!/bin/bash
# optional
# packages: dbus dbus-bin
# dbus-daemon: a session bus, names, who is connected (SO_PEERCRED), signals, a service that is started when it is called.
export LC_ALL=C HOME=$PWD
mkdir services
cat >services/started.service <<END
[D-BUS Service]
Name=org.example.Started
Exec=$(command -v bash) -c "echo started >'$PWD/started'; sleep 0.2"
END
cat >bus.conf <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=$PWD/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>$PWD/services</servicedir>
  <limit name="service_start_timeout">2000</limit>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
END
dbus-daemon --config-file=bus.conf --fork --print-pid >pid --nosyslog
export DBUS_SESSION_BUS_ADDRESS=unix:path=$PWD/bus
call() {
    method=$1
    shift
    dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / "org.freedesktop.DBus.$method" "$@" 2>&1
}
call ListNames | grep -c org.freedesktop.DBus
call ListActivatableNames | grep -o org.example.Started
call GetConnectionUnixUser string:org.freedesktop.DBus | grep -c uint32
call GetConnectionUnixProcessID string:org.freedesktop.DBus | grep -o '[0-9]*$' | cmp - pid && echo 'its process'
call NoSuchMethod | cut -d: -f1
touch seen
dbus-monitor --session "interface='org.example.I'" >seen &
until grep -q 'member=Said' seen; do dbus-send --session --type=signal / org.example.I.Said string:hello; sleep 0.05; done
grep -m 1 -o 'string "hello"' seen
kill %1
dbus-send --session --print-reply --dest=org.example.Started / org.example.I.Call >/dev/null 2>error; grep -o 'org.freedesktop.DBus.Error[A-Za-z.]*' error | head -n 1
cat started
kill "$(cat pid)"
