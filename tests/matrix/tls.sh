#!/bin/bash
# optional
# packages: curl openssl
# curl to a server of openssl: certificates accepted and refused, versions, 2 MB, a client certificate.
export LC_ALL=C HOME=$PWD
new() { openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.pem" -days 2 -subj "/CN=$1" \
    -addext "subjectAltName=DNS:$1" 2>/dev/null; }
new localhost
new other
echo hello >index.html
head -c 2000000 /dev/zero | tr '\0' y >big
openssl s_server -quiet -accept 14499 -cert localhost.pem -key localhost.key -CAfile other.pem -verify 1 -WWW >server.log 2>&1 &
until curl -s --cacert localhost.pem https://localhost:14499/index.html >first 2>/dev/null; do sleep 0.05; done
cat first
curl -sS --cacert localhost.pem https://localhost:14499/big | md5sum
curl -s --cacert other.pem https://localhost:14499/index.html; echo "status $?"
curl -s --cacert localhost.pem https://127.0.0.1:14499/index.html; echo "status $?"
curl -s --tls-max 1.2 -w '%{ssl_verify_result} %{http_version}\n' --cacert localhost.pem https://localhost:14499/index.html
curl -sS --cert other.pem --key other.key --cacert localhost.pem https://localhost:14499/index.html
echo | openssl s_client -connect localhost:14499 -CAfile localhost.pem 2>&1 | grep -E 'Verify return code|^New' | sort -u # once more for each ticket that comes before the end
curl -s --max-time 2 http://localhost:14499/; echo "status $?"
kill %1
