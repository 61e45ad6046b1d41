#!/bin/bash
# core
# A static busybox and a dynamic musl program over the same root.
export LC_ALL=C
busybox sh -c 'for i in 1 2 3; do echo $i | busybox sed s/^/n/; done; cd /usr && busybox pwd; (exit 3); echo $?'
seq 1 100 | busybox awk '{s += $1} END {print s}'
busybox find /usr/include/linux -name 'u*.h' | sort | head -n 5
busybox tar -C /usr/include -cf - asm-generic | busybox tar -tf - | wc -l
busybox md5sum /etc/passwd | md5sum - | wc -c
echo compressed text | busybox gzip | busybox gunzip
{ busybox sh -c 'trap "echo trapped" USR1; kill -USR1 $$; sleep 0.05 & wait; kill -KILL $$'; } 2>/dev/null
echo "status $?"
busybox vi --help 2>&1 | head -n 1
cat >program.c <<'END'
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static void *thread(void *p) { *(int *)p += 1; return p; }
int main(void)
{
    int value = 41, status, entries = 0;
    pthread_t t;
    pthread_create(&t, NULL, thread, &value);
    pthread_join(t, NULL);
    pid_t pid = fork();
    if (pid == 0)
        execl("/bin/busybox", "busybox", "echo", "from musl to busybox", (char *)NULL);
    waitpid(pid, &status, 0);
    DIR *d = opendir("/usr/include/linux");
    while (readdir(d))
        entries++;
    printf("%d, status %d, entries %d\n", value, status, entries > 100);
    return 0;
}
END
musl-gcc -O1 -o program program.c && ./program && readelf -l program | grep -o 'ld-musl[^]]*'
musl-gcc -O1 -static -o program-static program.c && ./program-static
