#!/bin/bash
# 64 threads at one mutex and one condition variable.
cat >threads.c <<'END'
#include <pthread.h>
#include <stdio.h>
enum { N = 64, ROUNDS = 2000 };
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static long total, waiting, generation;
static void barrier(void)
{
    long g = generation;
    if (++waiting == N) {
        waiting = 0;
        generation++;
        pthread_cond_broadcast(&c);
    }
    while (g == generation)
        pthread_cond_wait(&c, &m);
}
static void *run(void *p)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&m);
        total++;
        if (i % 100 == 0)
            barrier();
        pthread_mutex_unlock(&m);
    }
    return p;
}
int main(void)
{
    pthread_t t[N];
    for (int i = 0; i < N; i++)
        if (pthread_create(&t[i], NULL, run, NULL))
            return 1;
    for (int i = 0; i < N; i++)
        pthread_join(t[i], NULL);
    printf("%ld %ld\n", total, generation);
    return 0;
}
END
gcc -O2 -pthread -o threads threads.c && ./threads && ./threads
