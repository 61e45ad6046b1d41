#!/bin/bash
# optional
# packages: nginx-light wrk curl
# timeout: 120
# nginx: a master and two workers, static files, ranges, 200 connections of wrk, reload with a changed configuration, end.
export LC_ALL=C HOME=$PWD
port=18080
write_configuration() {
    cat >nginx.conf <<END
worker_processes 2;
pid $PWD/nginx.pid;
error_log $PWD/error.log;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $PWD/temp; proxy_temp_path $PWD/temp; fastcgi_temp_path $PWD/temp;
    uwsgi_temp_path $PWD/temp; scgi_temp_path $PWD/temp;
    server {
        listen 127.0.0.1:$port;
        listen [::1]:$port;
        listen unix:$PWD/nginx.sock;
        root $PWD/www;
        add_header Generation $1;
        location /proxy/ { proxy_pass http://unix:$PWD/nginx.sock:/; }
    }
}
END
}
mkdir www
echo hello >www/index.html
head -c 3000000 /dev/zero | tr '\0' x >www/big
write_configuration one
chmod -R a+rX . && nginx -q -c "$PWD/nginx.conf" || exit 1
curl -s "http://127.0.0.1:$port/"
curl -s "http://[::1]:$port/"
curl -s --unix-socket nginx.sock http://nginx/
curl -s "http://127.0.0.1:$port/proxy/index.html"
curl -s "http://127.0.0.1:$port/big" | md5sum
curl -s -r 10-19 "http://127.0.0.1:$port/big"; echo
curl -s -o missing -w '%{http_code}\n' "http://127.0.0.1:$port/missing"
curl -s -o headers -D - "http://127.0.0.1:$port/" | grep Generation
wrk -t2 -c200 -d3s "http://127.0.0.1:$port/" >wrk.log
grep -cE 'Socket errors|Non-2xx' wrk.log
awk '/requests in/ { print ($1 > 1000 ? "served more than a thousand" : "too few: " $0) }' wrk.log
write_configuration two
nginx -c "$PWD/nginx.conf" -s reload 2>>error.log
for _ in $(seq 100); do
    curl -s -o headers -D - "http://127.0.0.1:$port/" | grep -q 'Generation: two' && break
    sleep 0.05
done
curl -s -o headers -D - "http://127.0.0.1:$port/" | grep Generation
master=$(cat nginx.pid)
nginx -c "$PWD/nginx.conf" -s quit 2>>error.log
for _ in $(seq 100); do [ -f nginx.pid ] || break; sleep 0.05; done
[ -f nginx.pid ] && echo "still there: $master"
grep -E '\[(alert|crit|emerg|error)\]' error.log | grep -v 'www/missing'
exit 0
