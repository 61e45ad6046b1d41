// variants: dynamic musl
// Threads made and joined in loops by several processes at once; detached ones; processes that end while some are being made.
#include "guest.h"

enum { PROCESSES = 4, ROUNDS = 60 };
static int counted;

static void *count(void *argument)
{
    __atomic_fetch_add(&counted, 1, __ATOMIC_SEQ_CST);
    return argument;
}

static void *makes_more(void *argument)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, count, NULL) == 0)
            pthread_join(thread, NULL);
    }
    return argument;
}

static int joined(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t threads[3];
        for (intptr_t j = 0; j < 3; j++)
            if (pthread_create(&threads[j], NULL, count, (void *)j))
                return 1;
        for (intptr_t j = 0; j < 3; j++) {
            void *result;
            if (pthread_join(threads[j], &result) || (intptr_t)result != j)
                return 2;
        }
    }
    return counted == ROUNDS * 3 ? 0 : 3;
}

static int nested(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, makes_more, NULL))
            return 1;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    return counted == 80 ? 0 : 2;
}

static int detached(void)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &attr, count, NULL))
            return 1;
    }
    while (__atomic_load_n(&counted, __ATOMIC_SEQ_CST) < ROUNDS)
        usleep(200);
    return 0;
}

static int ends_early(void)
{
    for (int i = 0; i < 4; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, makes_more, NULL);
    }
    usleep(1000);
    _exit(0);
}

int main(void)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } kinds[] = {{"joined", joined}, {"nested", nested}, {"detached", detached}, {"ends early", ends_early}};
    pid_t children[4 * PROCESSES];
    for (int i = 0; i < 4 * PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(kinds[i % 4].run());
    }
    int status[4] = {0};
    for (int i = 0; i < 4 * PROCESSES; i++) {
        int s = -1;
        waitpid(children[i], &s, 0);
        status[i % 4] |= s;
    }
    for (int i = 0; i < 4; i++)
        printf("%s: %d\n", kinds[i].name, status[i]);
    return 0;
}
