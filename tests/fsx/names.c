// Operations on names and attributes.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fsx.h"

void do_mkdir(void)
{
    const char *path = some_path();
    note("mkdir %s = %ld", path, outcome(mkdir(path, 0755)));
}

void do_rmdir(void)
{
    const char *path = some_path();
    note("rmdir %s = %ld", path, outcome(rmdir(path)));
}

void do_unlink(void)
{
    const char *path = some_path();
    note("unlink %s = %ld", path, outcome(unlink(path)));
}

void do_rename(void)
{
    static const unsigned flags[] = {0, 0, 0, 1, 2};
    const char *from = some_path(), *to = some_path();
    unsigned flag = flags[chance(no_rename_flags ? 3 : 5)];
    note("rename %s %s %u = %ld", from, to, flag,
         outcome(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flag)));
}

void do_link(void)
{
    const char *from = some_path(), *to = some_path();
    note("link %s %s = %ld", from, to, outcome(link(from, to)));
}

void do_symlink(void)
{
    static const char *const targets[] = {"f", "a", "../b/g", "c", "nowhere", "a/c/h"};
    const char *target = targets[chance(6)], *path = some_path();
    char text[64];
    note("symlink %s %s = %ld", target, path, outcome(symlink(target, path)));
    ssize_t length = readlink(path, text, sizeof(text));
    note("readlink = %ld %.*s", outcome(length), length > 0 ? (int)length : 0, text);
}

static void note_stat(const char *what, const char *path, long result, const struct stat *st)
{
    if (result < 0)
        note("%s %s = %ld", what, path, result);
    else if (S_ISDIR(st->st_mode)) // its size and links are the file system's own
        note("%s %s = %o %u %u", what, path, st->st_mode, st->st_uid, st->st_gid);
    else
        note("%s %s = %o %u %u %lu %ld", what, path, st->st_mode, st->st_uid, st->st_gid,
             (unsigned long)st->st_nlink, (long)st->st_size);
}

void do_stat(void)
{
    struct stat st;
    struct slot *slot = some_slot();
    const char *path = some_path();
    switch (chance(3)) {
    case 0:
        note_stat("stat", path, outcome(stat(path, &st)), &st);
        break;
    case 1:
        note_stat("lstat", path, outcome(lstat(path, &st)), &st);
        break;
    default:
        if (slot && !no_removed_files)
            note_stat("fstat", "", outcome(fstat(slot->fd, &st)), &st);
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void do_list(void)
{
    static const char *const directories[] = {".", "a", "b", "a/c", "a/a", "b/a"};
    const char *path = directories[chance(6)];
    char *names[64], all[512] = "";
    size_t count = 0;
    DIR *directory = opendir(path);
    if (!directory) {
        note("list %s = %ld", path, outcome(-1));
        return;
    }
    struct dirent *entry;
    while (count < 64 && (entry = readdir(directory)) != NULL) {
        if (asprintf(&names[count], "%s:%d", entry->d_name, entry->d_type) > 0)
            count++;
    }
    closedir(directory);
    qsort(names, count, sizeof(names[0]), compare);
    for (size_t i = 0; i < count; i++) {
        strncat(all, names[i], sizeof(all) - strlen(all) - 2);
        strcat(all, " ");
        free(names[i]);
    }
    note("list %s: %s", path, all);
}

void do_mode(void)
{
    // The owner keeps his rights: natively root needs none.
    static const unsigned modes[] = {0755, 0700, 0777, 0744, 0711, 04755, 01777};
    struct slot *slot = some_slot();
    const char *path = some_path();
    unsigned mode = modes[chance(no_set_id ? 5 : 7)];
    struct stat st;
    if (chance(2)) {
        long result = outcome(chmod(path, mode));
        if (result == 0)
            result = outcome(stat(path, &st));
        note_stat("chmod", path, result, &st);
    } else if (slot && !no_removed_files) {
        long result = outcome(fchmod(slot->fd, mode & 01777));
        if (result == 0)
            result = outcome(fstat(slot->fd, &st));
        note_stat("fchmod", "", result, &st);
    }
}

void do_times(void)
{
    const char *path = some_path();
    struct timespec times[2] = {{(time_t)chance(2000000000), (long)chance(1000000000)},
                                {(time_t)chance(2000000000), (long)chance(1000000000)}};
    struct stat st;
    bool follow = chance(2);
    long result = outcome(utimensat(AT_FDCWD, path, times, follow ? 0 : AT_SYMLINK_NOFOLLOW));
    if (result == 0)
        result = outcome(follow ? stat(path, &st) : lstat(path, &st));
    if (result == 0 &&
        S_ISLNK(
            st.st_mode)) // following it on the way, by another of its names, may have moved its access time
        note("utimens %s: %ld.%09ld", path, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    else if (result == 0)
        note("utimens %s: %ld.%09ld %ld.%09ld", path, (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
             (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    else
        note("utimens %s = %ld", path, result);
}

void do_xattr(void)
{
    static const char *const names[] = {"user.a", "user.b"};
    const char *path = some_path(), *name = names[chance(2)];
    char value[128];
    size_t size = chance(100);
    unsigned char *bytes = some_bytes(size);
    int flags = (int)chance(3);
    if (no_xattrs)
        return;
    switch (chance(3)) {
    case 0:
        note("setxattr %s %s %zu %d = %ld", path, name, size, flags,
             outcome(setxattr(path, name, bytes, size, flags)));
        break;
    case 1:
        note("removexattr %s %s = %ld", path, name, outcome(removexattr(path, name)));
        break;
    default: {
        long got = outcome(getxattr(path, name, value, sizeof(value)));
        note("getxattr %s %s = %ld %llx", path, name, got,
             got > 0 ? (unsigned long long)sum_of(value, (size_t)got) : 0);
    }
    }
}

void do_access(void)
{
    const char *path = some_path();
    int mode = (int)chance(8);
    note("access %s %d = %ld", path, mode, outcome(access(path, mode)));
}
