#!/bin/bash
# timeout: 180
# tar and gzip of /usr/include, there and back.
export LC_ALL=C
tar --sort=name --owner=0 --group=0 --numeric-owner -C /usr -cf include.tar include
sha256sum <include.tar
gzip -1 -n -k include.tar && gzip -t include.tar.gz && gzip -l include.tar.gz | awk 'NR == 2 {print $2}'
mkdir out
tar -C out -xzf include.tar.gz
diff -r --no-dereference /usr/include out/include && echo the same
find out -type f | wc -l
tar -tzf include.tar.gz | wc -l
rm -rf out && ls
