#include "sentry/boot/memory_file.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

Test(memory_file, holds_the_bytes_and_starts_at_zero)
{
    int fd = memory_file_sealed("test", "hello", 5, 0);
    char text[8] = "";
    cr_assert_geq(fd, 0);
    cr_assert_eq(read(fd, text, sizeof(text)), 5);
    cr_assert_str_eq(text, "hello");
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

Test(memory_file, nothing_can_change_it)
{
    int fd = memory_file_sealed("test", "hello", 5, 1);
    cr_assert_eq(write(fd, "x", 1), -1);
    cr_assert_eq(errno, EPERM);
    cr_assert_eq(ftruncate(fd, 0), -1);
    cr_assert_eq(ftruncate(fd, 9), -1);
    cr_assert_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
}
