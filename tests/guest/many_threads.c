// variants: dynamic
// 10,000 threads made and joined, and 2,000 that live at the same time.
#include "guest.h"
#include <sys/resource.h>

#define LIVE 2000
#define ALL 10000

static pthread_barrier_t everybody;
static unsigned sum;

static void *adds(void *arg)
{
    __atomic_add_fetch(&sum, (unsigned)(uintptr_t)arg, __ATOMIC_SEQ_CST);
    return arg;
}

static void *waits(void *arg)
{
    pthread_barrier_wait(&everybody);
    return adds(arg);
}

int main(void)
{
    static pthread_t threads[LIVE];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    unsigned failed = 0;
    for (unsigned i = 0; i < ALL; i += 10) {
        for (unsigned j = 0; j < 10; j++)
            failed += pthread_create(&threads[j], &small, adds, (void *)(uintptr_t)(i + j)) != 0;
        for (unsigned j = 0; j < 10; j++) {
            void *r = NULL;
            failed += pthread_join(threads[j], &r) != 0 || r != (void *)(uintptr_t)(i + j);
        }
    }
    printf("sum %u, failed %u\n", sum, failed);
    sum = 0;
    pthread_barrier_init(&everybody, NULL, LIVE + 1);
    for (unsigned i = 0; i < LIVE; i++)
        failed += pthread_create(&threads[i], &small, waits, (void *)(uintptr_t)i) != 0;
    if (failed)
        return 1;
    char line[200];
    FILE *f = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof(line), f))
        if (!strncmp(line, "Threads:", 8))
            printf("%s", line);
    fclose(f);
    pthread_barrier_wait(&everybody);
    for (unsigned i = 0; i < LIVE; i++)
        failed += pthread_join(threads[i], NULL) != 0;
    printf("sum %u, failed %u\n", sum, failed);
    return 0;
}
