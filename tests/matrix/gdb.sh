#!/bin/bash
# optional
# packages: gdb gcc
# timeout: 120
# gdb on a program beside it: breakpoints, backtraces, steps, watchpoints, threads, forks, catchpoints, signals, calls of functions,
# changed variables, and a process that is attached.
export LC_ALL=C.UTF-8 HOME=$PWD
cat >program.c <<'END'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int counter;
struct { int a; long b; } pair;
static int add(int n)
{
    counter += n;
    return counter;
}
static int deep(int n)
{
    return n ? deep(n - 1) + 1 : add(0);
}
static void *run(void *p)
{
    pair.b = deep(2);
    return p;
}
static void handler(int s)
{
    pair.a = s;
}
int main(int argc, char **argv)
{
    for (int i = 0; i < 5; i++) {
        int r = add(i * 2);
        if (r > 5)
            pair.a = r;
    }
    pthread_t t;
    pthread_create(&t, 0, run, 0);
    pthread_join(t, 0);
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    if (fork() == 0)
        _exit(deep(1));
    int status;
    wait(&status);
    dprintf(1, "%d %d %ld %d\n", counter, pair.a, pair.b, WEXITSTATUS(status));
    if (argc > 1)
        for (;;)
            pause();
    *(volatile int *)16 = 1;
    return 3;
}
END
gcc -g -O0 -w -pthread -o program program.c || exit
# What is not the same in every run: numbers of processes, addresses, the files of libraries.
gdb_() {
    timeout 60 gdb -nx -batch -ex 'set width 0' -ex 'set confirm off' -ex 'handle SIGUSR1 nostop noprint pass' -ex 'set debuginfod enabled off' "$@" </dev/null 2>&1 |
        sed -E 's/(process|Thread|LWP|Inferior|child|pid) (0x)?[0-9a-f]+/\1 N/g; s/0x[0-9a-f]{6,}/ADDR/g; s/\(LWP [0-9]+\)/(LWP N)/; s/-[0-9]+\)/-N)/' |
        grep -vE '^(\[Thread debugging|Using host lib|warning:|Download failed|[0-9]+\s+(\.\.?/|in )|ADDR in |__|\[(Inferior|Detaching|Attaching|New inferior|New process|New Thread|Thread))'
}
echo "== breakpoint, backtrace, step, finish"
gdb_ -ex 'break add if n == 4' -ex run -ex bt -ex 'info args' -ex finish -ex next -ex 'print r' -ex 'delete' -ex 'until 32' -ex 'print counter' ./program
echo "== watchpoints"
gdb_ -ex 'break main' -ex run -ex 'watch counter' -ex c -ex c -ex 'watch pair.a if pair.a > 12' -ex c -ex 'delete 2' -ex c -ex bt -ex 'info watchpoints' ./program
echo "== hardware breakpoint"
gdb_ -ex 'break main' -ex run -ex 'hbreak deep' -ex c -ex bt -ex 'print counter' ./program
echo "== watchpoint in software"
gdb_ -ex 'set can-use-hw-watchpoints 0' -ex 'break 30' -ex run -ex 'watch pair.a' -ex c -ex 'print r' ./program
echo "== threads"
gdb_ -ex 'break deep if n == 0' -ex run -ex bt -ex 'thread 1' -ex 'bt -1' -ex 'print $_inferior_thread_count' ./program | grep -vE 'start_thread|clone3|^#0 +(ADDR in )?__|Switching'
echo "== variables and calls"
gdb_ -ex 'break 31' -ex run -ex 'set var counter = 100' -ex 'print add(7)' -ex 'print $_siginfo.si_signo' -ex 'print sizeof(pair)' -ex kill ./program
echo "== a signal and its handler"
gdb_ -ex 'handle SIGUSR1 stop print' -ex run -ex 'bt -1' -ex 'break handler' -ex c -ex 'bt 2' -ex 'print s' ./program
echo "== catchpoints"
gdb_ -ex 'catch fork' -ex run -ex 'catch syscall wait4' -ex c -ex c ./program | grep -E 'Catchpoint' | sed -E 's/(forked|call to|returned from).*/\1/'
echo "== the child"
gdb_ -ex 'set follow-fork-mode child' -ex 'break deep if n == 1 && pair.b' -ex run -ex bt ./program | grep -E '^#|deep'
echo "== the crash"
gdb_ -ex run -ex bt -ex 'print $_siginfo._sifields._sigfault.si_addr' ./program
echo "== attached"
./program stay >out &
until grep -q . out; do sleep 0.05; done
gdb_ -p $! -ex 'up-silently 100' -ex 'print counter' -ex 'print pair' -ex 'set var pair.b = 5' -ex detach -ex quit | grep '^\$'
kill -0 $! && echo "it lives"
exec 2>/dev/null # the shell's word about the killed job has its number
gdb_ -p $! -ex 'up-silently 100' -ex 'print pair' -ex kill | grep '^\$'
wait $!
echo "status $?"
