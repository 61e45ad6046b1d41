// Entries of /proc/PID that debuggers and tools read, of a process that waits and of the reader itself.
#include "guest.h"
#include <sys/prctl.h>
#include <time.h>

static char text[16384];

static long slurp_entry(pid_t pid, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    text[0] = 0;
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -errno;
    long total = 0;
    ssize_t n;
    while (total < (long)sizeof(text) - 1 &&
           (n = read(fd, text + total, sizeof(text) - 1 - (size_t)total)) > 0)
        total += n;
    text[total] = 0;
    close(fd);
    return total;
}

static long store(pid_t pid, const char *name, const char *value)
{
    char path[128];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    int fd = open(path, O_WRONLY);
    if (fd < 0)
        return -errno;
    long r = write(fd, value, strlen(value));
    r = r < 0 ? -errno : r;
    close(fd);
    return r;
}

// A child that has closed its end of a pipe, about to wait in `body`.
static pid_t child(void (*body)(void))
{
    int ready[2];
    char c;
    if (pipe(ready))
        exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        close(ready[0]);
        close(ready[1]);
        body();
        _exit(0);
    }
    close(ready[1]);
    if (read(ready[0], &c, 1) != 0)
        exit(1);
    close(ready[0]);
    return pid;
}

static char state_of(pid_t pid)
{
    slurp_entry(pid, "stat");
    char *end = strrchr(text, ')');
    return end ? end[2] : '?';
}

static void until_waiting(pid_t pid, long nr)
{
    while (state_of(pid) != 'S' || slurp_entry(pid, "syscall") <= 0 ||
           (nr >= 0 && strtol(text, NULL, 10) != nr))
        sched_yield();
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void sleeps(void)
{
    for (;;)
        sleep(1000);
}

static void waits(void)
{
    pid_t me = getpid(), inner = fork();
    if (inner == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != me) // dead already
            _exit(0);
        sleeps();
    }
    waitpid(inner, NULL, 0);
}

static int number = 7;
static void waits_on_futex(void)
{
    syscall(SYS_futex, &number, 0, 7, NULL, NULL, 0);
}

static void waiting(const char *what, void (*body)(void), long nr)
{
    pid_t pid = child(body);
    until_waiting(pid, nr);
    slurp_entry(pid, "wchan");
    if (nr >= 0) // a futex may be looked at between two sleeps
        printf("%s: wchan %s\n", what, text);
    slurp_entry(pid, "syscall");
    if (nr >= 0)
        printf("%s: syscall %d\n", what, strtol(text, NULL, 10) == nr);
    long n = slurp_entry(pid, "stack");
    if (getuid() == 0 && nr >= 0)
        printf("%s: stack %d\n", what, n > 0 && strncmp(text, "[<0>] ", 6) == 0);
    end(pid);
}

static void timers(void)
{
    timer_t first, second, third;
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_ptr = (void *)0x1234};
    slurp_entry(getpid(), "timers");
    printf("no timers [%s]\n", text);
    timer_create(CLOCK_MONOTONIC, &event, &first);
    event.sigev_notify = SIGEV_NONE;
    timer_create(CLOCK_REALTIME, &event, &second);
    timer_create(CLOCK_PROCESS_CPUTIME_ID, NULL, &third);
    slurp_entry(getpid(), "timers");
    char *save, *line = strtok_r(text, "\n", &save);
    for (; line; line = strtok_r(NULL, "\n", &save)) {
        char *dot = strrchr(line, '.');
        if (strncmp(line, "notify:", 7) == 0 && dot) {
            bool mine = atoi(dot + 1) == getpid();
            *dot = 0;
            printf("%s mine %d\n", line, mine);
        } else {
            printf("%s\n", line);
        }
    }
    timer_delete(first);
    timer_delete(second);
    timer_delete(third);
}

static void oom(void)
{
    pid_t me = getpid();
    static const char *const values[] = {"300", "1000", "-1", "0", "1001", "x", ""};
    for (unsigned i = 0; i < sizeof(values) / sizeof(*values); i++) {
        long r = store(me, "oom_score_adj", values[i]);
        bool privileged = values[i][0] == '-';
        if (privileged)
            continue; // needs a capability
        slurp_entry(me, "oom_score_adj");
        printf("oom_score_adj %s: %ld now %s", values[i], r < 0 ? r : 0, text);
        slurp_entry(me, "oom_adj");
        printf("oom_adj %s", text);
    }
    printf("oom_adj 5: %d", store(me, "oom_adj", "5") > 0);
    slurp_entry(me, "oom_score_adj");
    printf(" %s", text);
    printf("oom_adj 15: %d", store(me, "oom_adj", "15") > 0);
    slurp_entry(me, "oom_score_adj");
    printf(" %soom_adj 16: %ld\n", text, store(me, "oom_adj", "16"));
    printf("oom_score: %d\n", slurp_entry(me, "oom_score") > 1);
}

static long value = 42;
static const long protected_value = 9;

static void memory(void)
{
    pid_t pid = child(sleeps);
    char path[64];
    long word = 0, changed = 43;
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    int fd = open(path, O_RDWR);
    show_value("read", pread(fd, &word, sizeof(word), (off_t)(uintptr_t)&value));
    printf("word %ld\n", word);
    show_value("write", pwrite(fd, &changed, sizeof(changed), (off_t)(uintptr_t)&value));
    pread(fd, &word, sizeof(word), (off_t)(uintptr_t)&value);
    printf("word %ld, ours %ld\n", word, value);
    show_value("nowhere", pread(fd, &word, sizeof(word), 4096));
    show_value("nowhere", pwrite(fd, &word, sizeof(word), 4096));
    show_value("read-only", pread(fd, &word, sizeof(word), (off_t)(uintptr_t)&protected_value));
    end(pid);
    show_value("after its end", pread(fd, &word, sizeof(word), (off_t)(uintptr_t)&value));
    close(fd);
    if (getuid() == 0) {
        fflush(stdout);
        pid = child(sleeps);
        pid_t other = fork();
        if (other == 0) {
            if (setgid(1234) || setuid(1234))
                _exit(1);
            snprintf(path, sizeof(path), "/proc/%d/mem", pid);
            _exit(open(path, O_RDONLY) >= 0 ? 0 : errno);
        }
        int status;
        waitpid(other, &status, 0);
        printf("as another user: %d\n", WEXITSTATUS(status) == EACCES);
        end(pid);
    } else {
        printf("as another user: 1\n");
    }
}

static void children(void)
{
    pid_t pid = child(sleeps);
    char name[64];
    snprintf(name, sizeof(name), "task/%d/children", getpid());
    slurp_entry(getpid(), name);
    printf("children %d\n", atoi(text) == pid);
    end(pid);
    slurp_entry(getpid(), name);
    printf("none left [%s]\n", text);
    slurp_entry(getpid(), "sched");
    printf("sched %d\n", strstr(text, "#threads: 1)") != NULL && strstr(text, "policy") != NULL);
    printf("auxv %d\n", slurp_entry(getpid(), "auxv") > 100);
    slurp_entry(getpid(), "wchan");
    printf("own wchan %s\n", text);
    slurp_entry(getpid(), "syscall");
    printf("own syscall %d\n", atoi(text) == SYS_read);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    waiting("sleep", sleeps, SYS_clock_nanosleep);
    waiting("wait", waits, SYS_wait4);
    waiting("futex", waits_on_futex, -1);
    while (waitpid(-1, NULL, 0) > 0) // what the waiting child left
        ;
    timers();
    oom();
    memory();
    children();
    return 0;
}
