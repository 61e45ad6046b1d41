// The devices every program expects.
#include "guest.h"
#include <sys/sysmacros.h>

static void node(const char *path)
{
    struct stat st;
    if (stat(path, &st) == -1)
        printf("%s: %s\n", path, error_name(errno));
    else
        printf("%s: %o %d:%d\n", path, st.st_mode & S_IFMT, major(st.st_rdev), minor(st.st_rdev));
}

static void link_of(const char *path)
{
    char target[256] = "";
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    printf("%s -> %s\n", path, n < 0 ? error_name(errno) : target);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    char buffer[64], other[64];
    node("/dev/null");
    node("/dev/zero");
    node("/dev/full");
    node("/dev/random");
    node("/dev/urandom");
    node("/dev/tty");
    link_of("/dev/fd");
    link_of("/dev/stdin");
    link_of("/dev/stdout");
    link_of("/dev/stderr");
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR);
    SHOW(read(null, buffer, 10));
    SHOW(write(null, buffer, 10));
    SHOW(lseek(null, 100, SEEK_SET));
    memset(buffer, 1, sizeof(buffer));
    SHOW(read(zero, buffer, 64));
    printf("%d %d\n", buffer[0], buffer[63]);
    SHOW(write(zero, buffer, 64));
    SHOW(read(full, buffer, 64));
    SHOW(write(full, buffer, 64));
    SHOW(write(full, buffer, 0));
    SHOW(read(zero, unmapped_address(), 5));
    char *large = malloc(1 << 20);
    SHOW(read(zero, large, 1 << 20));
    int random = open("/dev/urandom", O_RDONLY);
    SHOW(read(random, buffer, 64));
    SHOW(read(random, other, 64));
    TRUTH(memcmp(buffer, other, 64) != 0);
    SHOW(open("/dev/tty", O_RDWR));
    SHOW(open("/dev/missing", O_RDWR));
    SHOW(write(open("/dev/fd/1", O_WRONLY), "through fd\n", 11));
    SHOW(write(open("/dev/stdout", O_WRONLY), "through stdout\n", 15));
    SHOW(write(open("/proc/self/fd/2", O_WRONLY), "through proc\n", 13));
    int shm = open("/dev/shm/test-object", O_RDWR | O_CREAT | O_EXCL, 0600);
    TRUTH(shm >= 0);
    SHOW(ftruncate(shm, 8192));
    int *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, shm, 0);
    int again = open("/dev/shm/test-object", O_RDWR);
    int *other_map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
    map[7] = 5;
    printf("shared memory object: %d\n", other_map[7]);
    SHOW(unlink("/dev/shm/test-object"));
    int memory = syscall(SYS_memfd_create, "name", 2 /* MFD_ALLOW_SEALING */);
    TRUTH(memory >= 0);
    SHOW(syscall(SYS_memfd_create, "name", 0x1000));
    SHOW(syscall(SYS_memfd_create, unmapped_address(), 0));
    SHOW(write(memory, "memfd", 5));
    SHOW(fcntl(memory, 1034 /* F_GET_SEALS */));
    SHOW(fcntl(memory, 1033 /* F_ADD_SEALS */, 8 /* F_SEAL_WRITE */));
    SHOW(write(memory, "memfd", 5));
    SHOW(fcntl(memory, 1034));
    char target[64] = "", path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
    readlink(path, target, sizeof(target) - 1);
    printf("%s\n", target);
    return 0;
}
