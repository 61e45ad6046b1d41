#!/bin/bash
# shellcheck disable=SC2010,SC2038,SC2116 # written as people write them
# core
# timeout: 120
# A walk over a real tree: every header counted.
export LC_ALL=C
find /usr/include -name '*.h' | sort >headers
wc -l <headers
xargs wc -l <headers | tail -n 1
find /usr/include -name '*.h' | xargs wc -l | awk '$2 != "total"' | sort | md5sum
find /usr/include -type d | sort | md5sum
find /usr/include -type l -printf '%p %l\n' | sort | md5sum
find /usr/include -type f -size +100k -printf '%s %m %p\n' | sort
grep -rl --include='*.h' 'pthread_create' /usr/include | sort
