// variants: dynamic
// Mappings of files: SIGBUS past the end, coherence with read and write, truncation under a mapping, msync, mincore,
// protections, /dev/zero, and what fork shares.
#include "guest.h"
#include <setjmp.h>
#include <sys/uio.h>

#define PAGE 4096
static sigjmp_buf jump;
static volatile int code;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    code = info->si_code;
    siglongjmp(jump, sig);
}

// Touches a byte and says what came of it.
static void touch(const char *what, volatile char *p, int write_value)
{
    int sig = sigsetjmp(jump, 1);
    if (sig == 0) {
        if (write_value >= 0)
            *p = (char)write_value;
        printf("%s: %d\n", what, *p);
    } else {
        printf("%s: signal %d code %d\n", what, sig, code);
    }
    fflush(stdout);
}

static void ends(int fd)
{
    SHOW(ftruncate(fd, PAGE + 100));
    char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    touch("first page", p, 'a');
    touch("behind the end in the last page", p + PAGE + 200, 'b');
    touch("the page after it", p + 2 * PAGE, -1);
    struct stat st;
    fstat(fd, &st);
    printf("size %lld\n", (long long)st.st_size);
    SHOW(ftruncate(fd, 3 * PAGE));
    touch("after it has grown", p + 2 * PAGE, 'c');
    touch("what was behind the end", p + PAGE + 200, -1);
    SHOW(ftruncate(fd, 10));
    touch("cut off", p + 2 * PAGE, -1);
    touch("rest of the page", p + 50, -1);
    SHOW(ftruncate(fd, 3 * PAGE));
    touch("grown again", p + 2 * PAGE, -1);
    SHOW(munmap(p, 4 * PAGE));
    touch("unmapped", p, -1);
}

static void coherence(int fd)
{
    char text[16];
    SHOW(ftruncate(fd, 2 * PAGE));
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    char *r = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    strcpy(p + PAGE, "mapped");
    printf("other mapping: %s\n", q);
    SHOW(pread(fd, text, 7, PAGE));
    printf("read: %s\n", text);
    SHOW(pwrite(fd, "written", 8, PAGE));
    printf("mapping: %s, %s\n", p + PAGE, q);
    strcpy(r, "private");
    SHOW(pread(fd, text, 8, 0));
    printf("file: [%s] private: %s\n", text, r);
    SHOW(msync(p, 2 * PAGE, MS_SYNC));
    SHOW(msync(p, 2 * PAGE, MS_ASYNC | MS_SYNC));
    SHOW(msync(p + 1, PAGE, MS_SYNC));
    struct iovec v = {p, 8};
    SHOW(pwritev(fd, &v, 1, PAGE + 100));
    SHOW(memcmp(q + 100, p, 8));
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        strcpy(p + 200, "child");
        strcpy(r + 200, "hidden");
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("after fork: [%s] [%s]\n", p + 200, r + 200);
    // The file lives on without names and descriptors.
    close(fd);
    printf("after close: %s\n", p + PAGE);
    munmap(p, 2 * PAGE);
    printf("by the other: %s\n", q);
    munmap(q, PAGE);
    munmap(r, 2 * PAGE);
}

static void refusals(void)
{
    int ro = open("file", O_RDONLY), wo = open("file", O_WRONLY), dir = open(".", O_RDONLY), pipes[2];
    SHOW(pipe(pipes));
    show_success("shared write of read-only", (long)mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, ro, 0));
    show_success("private write of read-only",
                 (long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0));
    show_success("write-only", (long)mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, wo, 0));
    show_success("directory", (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dir, 0));
    show_success("pipe", (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, pipes[0], 0));
    show_success("no descriptor", (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, 99, 0));
    show_success("odd offset", (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 100));
    show_success("no length", (long)mmap(NULL, 0, PROT_READ, MAP_SHARED, ro, 0));
    show_success("neither", (long)mmap(NULL, PAGE, PROT_READ, 0, ro, 0));
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
    SHOW(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    touch("write to a read-only mapping", p, 'x');
    munmap(p, PAGE);
    int path = open("file", O_PATH);
    show_success("path only", (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, path, 0));
    close(path);
    // A mapping of it is no open writer, but a program that runs is.
    close(ro), close(wo), close(dir);
}

static void others(void)
{
    unsigned char state[4];
    int zero = open("/dev/zero", O_RDWR);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0);
    show_success("/dev/zero", (long)p);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        p[0] = 'z';
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("shared: %c\n", p[0]);
    munmap(p, PAGE);
    close(zero);
    int fd = open("big", O_RDWR | O_CREAT | O_TRUNC, 0600);
    SHOW(ftruncate(fd, 4 * PAGE));
    p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    memset(p, 1, 4 * PAGE);
    SHOW(mincore(p, 4 * PAGE, state));
    printf("%d%d%d%d\n", state[0] & 1, state[1] & 1, state[2] & 1, state[3] & 1);
    SHOW(mincore(p + 1, PAGE, state));
    SHOW(mincore(p, PAGE, (void *)1));
    SHOW(madvise(p, PAGE, MADV_DONTNEED));
    touch("still there", p, -1);
    SHOW(madvise(p, PAGE, MADV_SEQUENTIAL));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE));
    touch("punched", p + PAGE, -1);
    SHOW(munmap(p, 4 * PAGE));
    SHOW(mincore(p, PAGE, state));
    close(fd);
    // Many mapped files at once.
    bool good = true;
    for (int i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof(name), "many%d", i);
        write_file(name, name);
        fd = open(name, O_RDONLY);
        char *m = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
        good &= m != MAP_FAILED && strcmp(m, name) == 0;
        close(fd);
    }
    TRUTH(good);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    ends(fd);
    coherence(fd);
    refusals();
    others();
    fd = memfd_create("memory", 0);
    ends(fd);
    coherence(fd);
    return 0;
}
