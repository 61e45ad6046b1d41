// mmap, munmap, mprotect, mremap, brk, madvise, msync, mincore: what they do and what they refuse.
#include "guest.h"
#include <sys/uio.h>

static const size_t page = 4096;

static void anonymous(void)
{
    char *map = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TRUTH(map != MAP_FAILED);
    int sum = 0;
    for (size_t i = 0; i < 4 * page; i++)
        sum += map[i];
    printf("zeroed: %d\n", sum);
    memset(map, 1, 4 * page);
    SHOW(munmap(map + page, page));
    SHOW(munmap(map + page, page));
    char *fixed = mmap(map + page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    TRUTH(fixed == map + page);
    printf("fixed: %d %d %d\n", map[0], map[page], map[2 * page]);
    TRUTH(mmap(map, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    TRUTH(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    TRUTH(mmap(NULL, page, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    TRUTH(mmap(NULL, 1UL << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    TRUTH(mmap((void *)123, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    SHOW(munmap((void *)123, page));
    SHOW(munmap(map, 0));
    SHOW(munmap(map, 4 * page));
}

static void protection(void)
{
    char *map = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(mprotect(map, page, PROT_READ));
    SHOW(mprotect(map + 1, page, PROT_READ));
    SHOW(mprotect(map, page, 0x7000));
    SHOW(mprotect(unmapped_address(), page, PROT_READ));
    IN_CHILD("write to read-only", map[0] = 1);
    IN_CHILD("read", printf("%d\n", map[0]));
    SHOW(mprotect(map, page, PROT_READ | PROT_WRITE | PROT_EXEC));
    // mov $42, %eax; ret
    memcpy(map, "\xb8\x2a\x00\x00\x00\xc3", 6);
    printf("generated code: %d\n", ((int (*)(void))map)());
    // The kernel respects protection when it writes for us.
    SHOW(mprotect(map, page, PROT_READ));
    int fd = open("/dev/zero", O_RDONLY);
    SHOW(read(fd, map, 10));
    SHOW(read(fd, map + page, 10));
    SHOW(mprotect(map + page, page, PROT_NONE));
    SHOW(read(fd, map + 2 * page - 5, 10));
    SHOW(mprotect(map + page, page, PROT_WRITE));
    SHOW(read(fd, map + 2 * page - 5, 10));
    close(fd);
    munmap(map, 4 * page);
}

static void remap(void)
{
    char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(map, "remapped");
    char *larger = mremap(map, 2 * page, 64 * page, MREMAP_MAYMOVE);
    printf("larger: %s, end %d\n", larger, larger[63 * page]);
    char *smaller = mremap(larger, 64 * page, page, 0);
    TRUTH(smaller == larger);
    char *target = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *moved = mremap(smaller, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    TRUTH(moved == target);
    printf("moved: %s\n", moved);
    TRUTH(mremap(moved, page, 0, 0) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    TRUTH(mremap(unmapped_address(), page, 2 * page, MREMAP_MAYMOVE) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    TRUTH(mremap(moved + 1, page, page, MREMAP_MAYMOVE) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    munmap(moved, page);
}

static void files(void)
{
    int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0644);
    char text[6000];
    memset(text, 'a', sizeof(text));
    write(fd, text, sizeof(text));
    char *private = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char *shared = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *offset = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, page);
    private[0] = 'p';
    shared[1] = 's';
    shared[page] = 'o';
    char read_back[2];
    pread(fd, read_back, 2, 0);
    printf("file %c%c, private %c%c, shared %c%c, offset %c\n", read_back[0], read_back[1], private[0],
           private[1], shared[0], shared[1], offset[0]);
    pwrite(fd, "W", 1, 10);
    printf("write seen: %c\n", shared[10]);
    printf("rest of the last page: %d\n", shared[6000]);
    IN_CHILD("child writes", shared[20] = 'C'; private[20] = 'P');
    printf("child's write: %c %c\n", shared[20], private[20]);
    SHOW(msync(shared, 2 * page, MS_SYNC));
    SHOW(msync(shared, 2 * page, MS_SYNC | MS_ASYNC));
    SHOW(msync(shared + 1, page, MS_SYNC));
    SHOW(msync(unmapped_address(), page, MS_ASYNC));
    ftruncate(fd, page);
    IN_CHILD("beyond the new end", printf("%c\n", shared[page]));
    ftruncate(fd, 2 * page);
    printf("grown again: %d\n", shared[page]);
    close(fd);
    printf("after close: %c\n", shared[1]);
    int ro = open("mapped", O_RDONLY);
    TRUTH(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    char *ro_map = mmap(NULL, page, PROT_READ, MAP_SHARED, ro, 0);
    SHOW(mprotect(ro_map, page, PROT_READ | PROT_WRITE));
    TRUTH(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0) != MAP_FAILED);
    TRUTH(mmap(NULL, page, PROT_READ, MAP_SHARED, ro, 100) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    TRUTH(mmap(NULL, page, PROT_READ, MAP_SHARED, 99, 0) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    int wo = open("mapped", O_WRONLY);
    TRUTH(mmap(NULL, page, PROT_WRITE, MAP_SHARED, wo, 0) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    int dir = open(".", O_RDONLY);
    TRUTH(mmap(NULL, page, PROT_READ, MAP_SHARED, dir, 0) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    int pipes[2];
    pipe(pipes);
    TRUTH(mmap(NULL, page, PROT_READ, MAP_SHARED, pipes[0], 0) == MAP_FAILED);
    printf("%s\n", error_name(errno));
    int zero = open("/dev/zero", O_RDWR);
    char *zeros = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
    zeros[5] = 1;
    printf("/dev/zero: %d %d\n", zeros[5], zeros[6]);
    struct iovec vector = {shared, 20};
    SHOW(pwritev(1, &vector, 0, 0) == 0 || errno == ESPIPE);
    unlink("mapped");
    printf("unlinked: %c\n", shared[1]);
}

static void file_of_many_mappings(void)
{
    write_file("many", "0123456789");
    int fd = open("many", O_RDONLY);
    int good = 0;
    for (int i = 0; i < 100; i++) {
        char *map = mmap(NULL, 10, PROT_READ, MAP_PRIVATE, fd, 0);
        good += map[i % 10] == '0' + i % 10;
    }
    printf("good mappings: %d\n", good);
    close(fd);
}

static void break_value(void)
{
    char *start = sbrk(0);
    TRUTH(sbrk(3 * page) == start);
    memset(start, 7, 3 * page);
    TRUTH(sbrk(0) == start + 3 * page);
    TRUTH(sbrk(-2 * (long)page) == start + 3 * page);
    printf("kept: %d\n", start[page - 1]);
    sbrk(2 * page);
    printf("fresh again: %d\n", start[2 * page]);
    TRUTH((char *)syscall(SYS_brk, 0) == sbrk(0));
    // Refused: the break stays.
    TRUTH((char *)syscall(SYS_brk, 1) == sbrk(0));
}

static void advice(void)
{
    char *map = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(map, 1, 4 * page);
    SHOW(madvise(map, page, MADV_DONTNEED));
    printf("dropped: %d %d\n", map[0], map[page]);
    SHOW(madvise(map, 4 * page, MADV_NORMAL));
    SHOW(madvise(map, 4 * page, MADV_WILLNEED));
    SHOW(madvise(map + 1, page, MADV_DONTNEED));
    SHOW(madvise(map, page, 12345));
    SHOW(madvise(unmapped_address(), page, MADV_NORMAL));
    unsigned char residency[4];
    SHOW(mincore(map, 4 * page, residency));
    printf("resident: %d %d\n", residency[1] & 1, residency[2] & 1);
    SHOW(mincore(map + 1, page, residency));
    SHOW(mincore(unmapped_address(), page, residency));
    SHOW(mlock(map, page));
    SHOW(munlock(map, page));
    SHOW(mlock(unmapped_address(), page));
    SHOW(munlockall());
    SHOW(madvise(map, page, MADV_DONTFORK));
    SHOW(madvise(map + page, page, MADV_WIPEONFORK));
    IN_CHILD("wiped", printf("%d %d\n", map[page], map[2 * page]));
}

static void grows(void)
{
    volatile char big[600000];
    for (size_t i = 0; i < sizeof(big); i += 1000)
        big[i] = 1;
    int sum = 0;
    for (size_t i = 0; i < sizeof(big); i += 1000)
        sum += big[i];
    printf("stack: %d\n", sum);
}

static void shared_between_processes(void)
{
    int *shared = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 4; i++)
        if (fork() == 0) {
            for (int j = 0; j < 1000; j++)
                __atomic_add_fetch(shared, 1, __ATOMIC_RELAXED);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("shared counter: %d\n", *shared);
}

static void large(void)
{
    size_t size = 256UL << 20;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    TRUTH(map != MAP_FAILED);
    for (size_t i = 0; i < size; i += 1 << 20)
        map[i] = 1;
    SHOW(munmap(map, size));
    void *blocks[200];
    for (int i = 0; i < 200; i++)
        memset(blocks[i] = malloc(50000 + i), i, 50000 + i);
    int sum = 0;
    for (int i = 0; i < 200; i++) {
        sum += ((unsigned char *)blocks[i])[50000];
        free(blocks[i]);
    }
    printf("malloc: %d\n", sum);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    anonymous();
    protection();
    remap();
    files();
    file_of_many_mappings();
    break_value();
    advice();
    grows();
    shared_between_processes();
    large();
    return 0;
}
