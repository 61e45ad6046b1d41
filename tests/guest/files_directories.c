// variants: dynamic static musl-static
// Reading directories: every name once, types, positions, changes meanwhile.
#include "guest.h"
#include <dirent.h>

struct linux_dirent64 {
    unsigned long long d_ino;
    long long d_off;
    unsigned short d_reclen;
    unsigned char d_type;
    char d_name[];
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) {
        printf("%s: %s\n", path, error_name(errno));
        return -1;
    }
    char *names[3000];
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) && count < 3000;) {
        char text[300];
        snprintf(text, sizeof(text), "%s (%d)", entry->d_name, entry->d_type);
        names[count++] = strdup(text);
    }
    closedir(dir);
    qsort(names, count, sizeof(names[0]), by_name);
    if (count < 20)
        for (int i = 0; i < count; i++)
            printf("  %s\n", names[i]);
    int distinct = 1;
    for (int i = 1; i < count; i++)
        distinct &= strcmp(names[i - 1], names[i]) != 0;
    printf("%s: %d names, distinct %d\n", path, count, distinct);
    return count;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    mkdir("dir", 0755);
    list("dir");
    write_file("dir/file", "x");
    mkdir("dir/sub", 0755);
    symlink("file", "dir/link");
    mkfifo("dir/fifo", 0644);
    list("dir");
    unlink("dir/file");
    list("dir");
    list("missing");
    list("dir/link");
    mkdir("many", 0755);
    for (int i = 0; i < 1000; i++) {
        char name[64];
        snprintf(name, sizeof(name), "many/a-name-of-some-length-%04d", i);
        close(open(name, O_CREAT | O_WRONLY, 0644));
    }
    list("many");
    DIR *dir = opendir("many");
    int removed = 0, seen = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        seen++;
        if (entry->d_name[0] != '.') {
            removed += unlinkat(dirfd(dir), entry->d_name, 0) == 0;
        }
    }
    printf("seen %d, removed %d\n", seen, removed);
    rewinddir(dir);
    for (seen = 0; readdir(dir);)
        seen++;
    printf("left %d\n", seen);
    closedir(dir);
    SHOW(rmdir("many"));

    char buffer[4096];
    int fd = open("dir", O_RDONLY | O_DIRECTORY);
    long total = syscall(SYS_getdents64, fd, buffer, sizeof(buffer));
    int entries = 0, well_formed = 1;
    for (long at = 0; at < total;) {
        struct linux_dirent64 *entry = (void *)(buffer + at);
        well_formed &=
            entry->d_reclen % 8 == 0 && entry->d_ino != 0 && strlen(entry->d_name) < entry->d_reclen;
        at += entry->d_reclen;
        entries++;
    }
    printf("getdents64: %d entries, well formed %d\n", entries, well_formed);
    SHOW(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(syscall(SYS_getdents64, fd, buffer, 5));
    TRUTH(syscall(SYS_getdents64, fd, buffer, 40) > 0);
    long after_first = lseek(fd, 0, SEEK_CUR);
    syscall(SYS_getdents64, fd, buffer, 40);
    char second[256];
    strcpy(second, ((struct linux_dirent64 *)buffer)->d_name);
    lseek(fd, after_first, SEEK_SET);
    syscall(SYS_getdents64, fd, buffer, 40);
    TRUTH(strcmp(second, ((struct linux_dirent64 *)buffer)->d_name) == 0);
    lseek(fd, 0, SEEK_SET);
    SHOW(syscall(SYS_getdents64, fd, unmapped_address(), 4096));
    lseek(fd, 0, SEEK_SET);
    TRUTH(syscall(SYS_getdents, fd, buffer, sizeof(buffer)) > 0);
    SHOW(syscall(SYS_getdents, fd, buffer, sizeof(buffer)));
    SHOW(syscall(SYS_getdents64, 99, buffer, sizeof(buffer)));
    SHOW(syscall(SYS_getdents, 99, buffer, sizeof(buffer)));
    int file = open("prog", O_RDONLY);
    SHOW(syscall(SYS_getdents64, file, buffer, sizeof(buffer)));
    int usr = open("/usr", O_RDONLY);
    TRUTH(syscall(SYS_getdents64, usr, buffer, sizeof(buffer)) > 0);
    list("/usr");
    return 0;
}
