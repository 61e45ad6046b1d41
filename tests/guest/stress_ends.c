// variants: dynamic musl-static
// Processes that end, or become another program, while their threads are in every kind of call: exit_group, exec by the
// leader and by another thread, a fatal signal from outside, at moments that wander over the calls.
#include "guest.h"
#include <poll.h>
#include <sys/socket.h>

enum { THREADS = 7, ROUNDS = 60 };
static int channel[2], pair[2];

static void *busy(void *argument)
{
    char buffer[512];
    struct stat info;
    pthread_mutex_t never = PTHREAD_MUTEX_INITIALIZER;
    switch ((int)(intptr_t)argument) {
    case 0:
        for (;;) // files of the host: the Sentry lets go of its lock
            stat("/usr/include/stdio.h", &info), stat("/usr/nothing", &info);
    case 1:
        for (;;) {
            int fd = open("/etc/passwd", O_RDONLY);
            if (read(fd, buffer, sizeof(buffer)) < 0)
                break;
            close(fd);
        }
        break;
    case 2:
        (void)!read(channel[0], buffer, 1);
        break;
    case 3:
        pthread_mutex_lock(&never);
        pthread_mutex_lock(&never);
        break;
    case 4:
        for (;;) {
            int fd = open("/proc/self/exe", O_RDONLY);
            char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
            close(fd);
            if (p == MAP_FAILED)
                break;
            munmap(p, 4096);
        }
        break;
    case 5:
        for (;;) {
            pid_t pid = vfork();
            if (pid == 0)
                _exit(0);
            if (pid > 0)
                waitpid(pid, NULL, 0);
        }
    case 6:
        for (;;) {
            struct pollfd p = {.fd = pair[0], .events = POLLIN};
            poll(&p, 1, 1);
            open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
            close(3 + 20);
        }
    }
    for (;;)
        pause();
}

static void become(void)
{
    char *const argv[] = {"prog", "become", NULL};
    execv("/proc/self/exe", argv);
    _exit(99);
}

static void *becomes(void *argument)
{
    usleep((unsigned)(intptr_t)argument);
    become();
    return NULL;
}

static void *exits(void *argument)
{
    usleep((unsigned)(intptr_t)argument);
    _exit(17);
}

static _Noreturn void process(int kind, unsigned delay)
{
    if (pipe(channel) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        _exit(98);
    pthread_t thread;
    for (intptr_t i = 0; i < THREADS; i++)
        pthread_create(&thread, NULL, busy, (void *)i);
    if (kind == 2)
        pthread_create(&thread, NULL, becomes, (void *)(intptr_t)delay);
    else if (kind == 3)
        pthread_create(&thread, NULL, exits, (void *)(intptr_t)delay);
    else
        usleep(delay);
    if (kind == 0)
        _exit(17);
    if (kind == 1)
        become();
    if (kind == 5)
        pthread_exit(NULL); // the leader alone; the parent ends the rest
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "become"))
        return 42;
    static const char *const names[] = {
        "exit_group", "exec",           "exec by another thread", "exit by another thread",
        "killed",     "killed headless"};
    int wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int kind = i % 6;
        unsigned delay = (unsigned)(i * 137) % 4000;
        pid_t pid = fork();
        if (pid == 0)
            process(kind, delay);
        if (kind >= 4) {
            usleep(1000 + delay);
            kill(pid, SIGKILL);
        }
        int status = -1;
        if (waitpid(pid, &status, 0) != pid)
            wrong++;
        int expected = kind >= 4 ? SIGKILL : (kind == 1 || kind == 2 ? 42 : 17) << 8;
        if (status != expected) {
            printf("%s after %u: status %x\n", names[kind], delay, (unsigned)status);
            wrong++;
        }
    }
    printf("wrong: %d\n", wrong);
    return 0;
}
