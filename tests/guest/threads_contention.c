// variants: dynamic static musl
// 64 threads hammer a mutex and a condition variable.
#include "guest.h"
#include <semaphore.h>

enum { THREADS = 64, ROUNDS = 500 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t semaphore;
static long total, turns, written;
static int turn;

static void *hammer(void *argument)
{
    int number = (int)(intptr_t)argument;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        total++;
        pthread_mutex_unlock(&mutex);
    }
    for (int i = 0; i < 10; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != number)
            pthread_cond_wait(&condition, &mutex);
        turn++;
        turns++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    for (int i = 0; i < 50; i++) {
        sem_wait(&semaphore);
        pthread_rwlock_wrlock(&rwlock);
        written++;
        pthread_rwlock_unlock(&rwlock);
        sem_post(&semaphore);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    sem_init(&semaphore, 0, 3);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, hammer, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("total %ld turns %ld written %ld\n", total, turns, written);
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 20000000;
    soon.tv_sec += soon.tv_nsec / 1000000000;
    soon.tv_nsec %= 1000000000;
    pthread_mutex_lock(&mutex);
    printf("timed wait: %s\n", error_name(pthread_cond_timedwait(&condition, &mutex, &soon)));
    pthread_mutex_unlock(&mutex);
    return 0;
}
