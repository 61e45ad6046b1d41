#!/bin/bash
# strace on programs beside it: children and threads, system calls picked out by strace and by its seccomp filter, signals, paths,
# injected results. What is printed are the calls that are the same in every run.
export LC_ALL=C.UTF-8
cat >threads.c <<'END'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static void *run(void *p)
{
    write(1, "thread\n", 7);
    return p;
}
static void handler(int s) { write(1, "signal\n", 7); }
int main(void)
{
    pthread_t t;
    pthread_create(&t, NULL, run, NULL);
    pthread_join(t, NULL);
    signal(SIGUSR1, handler);
    if (fork() == 0)
        _exit(write(1, "child\n", 6));
    int status;
    wait(&status);
    raise(SIGUSR1);
    if (vfork() == 0)
        execl("/bin/echo", "echo", "program", NULL);
    wait(&status);
    printf("%d\n", WEXITSTATUS(status));
    return 0;
}
END
gcc -w -O1 -pthread -o threads threads.c || exit
# Process numbers, and which of two processes is a line's.
mask() { sed -E 's/^(\[pid +)?[0-9]+\]? +//; s/si_(pid|utime|stime)=[0-9]+/si_\1=N/g; s/0x[0-9a-f]{4,}/ADDR/g'; }
for filter in "" --seccomp-bpf; do
    echo "== writes, children and threads $filter"
    strace -f $filter -e trace=write -o log ./threads
    echo "status $?"
    mask <log | sort
    echo "== files $filter"
    strace -f $filter -e trace=openat,faccessat,newfstatat,statx -P /etc/passwd -o log sh -c 'cat /etc/passwd >/dev/null; test -e /etc/passwd'
    mask <log | grep -E 'passwd|exited'
    echo "== execve $filter"
    strace -f $filter -qq -e trace=execve -e signal=none -o log sh -c '/bin/true; /bin/false; exec /bin/echo done'
    echo "status $?"
    mask <log | sed 's/ADDR.*vars/VARS/; s/, 0x.*/ .../'
done
echo "== signals"
{ strace -e trace=none -o log sh -c 'kill -USR1 $$'; } 2>/dev/null
echo "status $?"
mask <log
echo "== injected"
strace -e trace=openat -e inject=openat:error=EMFILE:when=3+ -o log cat /etc/passwd /etc/group
echo "status $?"
tail -n 4 log | grep -c INJECTED
echo "== counts"
strace -c -f -U name,calls,errors -o log sh -c 'for i in 1 2 3; do /bin/true; done'
grep -cE '^(execve|wait4) ' log
echo "== attached"
mkfifo pipe
sh -c 'read line <pipe; echo "heard $line"' &
child=$!
strace -p $child -e trace=write -o log 2>attached &
until grep -q attached attached; do sleep 0.05; done
echo hello >pipe
wait $child
echo "status $?"
wait
mask <log
