// Operations on the contents of files.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fsx.h"

static unsigned char buffer[CHUNK_MAX];

static int64_t some_offset(void)
{
    // Mostly small; sometimes beyond a mebibyte, where files in memory change their form.
    return (int64_t)(chance(8) ? chance(200000) : chance(SIZE_MAX_FILE - CHUNK_MAX));
}

static size_t some_length(void)
{
    switch (chance(4)) {
    case 0:
        return chance(64);
    case 1:
        return 4096;
    default:
        return chance(CHUNK_MAX);
    }
}

void do_open(void)
{
    static const int extra[] = {
        0,       0,        O_CREAT,     O_CREAT,    O_CREAT | O_EXCL,  O_CREAT | O_TRUNC,
        O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_CREAT | O_APPEND};
    struct slot *slot = &slots[chance(SLOTS)];
    const char *path = some_path();
    int access = (int)chance(3), flags = extra[chance(sizeof(extra) / sizeof(extra[0]))];
    if (slot->fd >= 0)
        close(slot->fd);
    slot->fd = -1;
    int fd = open(path, access | flags, 0644);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        note("open %s %o: not a file", path, access | flags);
        close(fd);
        return;
    }
    note("open %s %o = %ld", path, access | flags, outcome(fd < 0 ? -1 : 0));
    if (fd >= 0)
        *slot = (struct slot){fd, access != O_WRONLY, access != O_RDONLY, flags & O_APPEND};
}

void do_close(void)
{
    struct slot *slot = some_slot();
    if (!slot)
        return;
    note("close = %ld", outcome(close(slot->fd)));
    slot->fd = -1;
}

void do_read(void)
{
    struct slot *slot = some_slot();
    size_t length = some_length();
    int64_t offset = some_offset();
    if (!slot)
        return;
    long got;
    if (chance(3)) {
        got = outcome(pread(slot->fd, buffer, length, offset));
    } else {
        struct iovec parts[2] = {{buffer, length / 3}, {buffer + length / 3, length - length / 3}};
        got = outcome(readv(slot->fd, parts, 2));
        offset = lseek(slot->fd, 0, SEEK_CUR);
    }
    note("read %zu at %ld = %ld %llx", length, (long)offset, got,
         got > 0 ? (unsigned long long)sum_of(buffer, (size_t)got) : 0);
}

void do_write(void)
{
    struct slot *slot = some_slot();
    size_t length = some_length();
    int64_t offset = some_offset();
    if (!slot)
        return;
    unsigned char *bytes = some_bytes(length);
    struct stat st;
    if (slot->appends && fstat(slot->fd, &st) == 0 && st.st_size > (off_t)SIZE_MAX_FILE)
        return;
    if (chance(4)) {
        note("pwrite %zu at %ld = %ld", length, (long)offset,
             outcome(pwrite(slot->fd, bytes, length, offset)));
        return;
    }
    if (lseek(slot->fd, 0, SEEK_CUR) > (off_t)SIZE_MAX_FILE)
        lseek(slot->fd, 0, SEEK_SET);
    struct iovec parts[2] = {{bytes, length / 2}, {bytes + length / 2, length - length / 2}};
    long done = outcome(writev(slot->fd, parts, 2));
    note("writev %zu = %ld, at %ld", length, done, (long)lseek(slot->fd, 0, SEEK_CUR));
}

void do_truncate(void)
{
    int64_t size = some_offset();
    if (chance(2)) {
        const char *path = some_path();
        note("truncate %s %ld = %ld", path, (long)size, outcome(truncate(path, size)));
        return;
    }
    struct slot *slot = some_slot();
    if (slot && !no_removed_files)
        note("ftruncate %ld = %ld", (long)size, outcome(ftruncate(slot->fd, size)));
}

void do_fallocate(void)
{
    static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};
    struct slot *slot = some_slot();
    int mode = modes[chance(3)];
    int64_t offset = some_offset();
    size_t length = some_length();
    if (slot && !no_fallocate)
        note("fallocate %d %ld %zu = %ld", mode, (long)offset, length,
             outcome(fallocate(slot->fd, mode, offset, (off_t)length)));
}

void do_seek(void)
{
    static const int whence[] = {SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE};
    struct slot *slot = some_slot();
    int how = whence[chance(no_removed_files ? 2 : no_holes ? 3 : 5)];
    int64_t offset = some_offset() - (chance(4) ? 0 : 100000);
    if (slot)
        note("lseek %ld %d = %ld", (long)offset, how, outcome(lseek(slot->fd, offset, how)));
}

void do_copy(void)
{
    struct slot *from = some_slot(), *to = some_slot();
    off_t in = some_offset(), out = some_offset();
    size_t length = some_length();
    if (!from || to == from)
        return;
    long done;
    if (chance(2)) {
        done = outcome(copy_file_range(from->fd, &in, to->fd, &out, length, 0));
    } else {
        if (lseek(to->fd, 0, SEEK_CUR) > (off_t)SIZE_MAX_FILE)
            lseek(to->fd, 0, SEEK_SET);
        done = outcome(sendfile(to->fd, from->fd, &in, length));
    }
    note("copy %zu = %ld, %ld %ld", length, done, (long)in, (long)out);
}

static void drop(struct mapping *map)
{
    munmap(map->address, map->length);
    close(map->fd);
    map->address = NULL;
}

void do_map(void)
{
    struct mapping *map = &maps[chance(MAPS)];
    struct slot *slot = some_slot();
    bool shared = chance(3), writes = chance(2);
    int64_t offset = (int64_t)chance(8) * 4096;
    size_t length = (1 + chance(16)) * 4096;
    if (!slot || no_maps || (shared && no_shared_maps))
        return;
    if (map->address)
        drop(map);
    void *address = mmap(NULL, length, PROT_READ | (writes ? PROT_WRITE : 0),
                         shared ? MAP_SHARED : MAP_PRIVATE, slot->fd, offset);
    note("mmap %ld %zu %d %d = %ld", (long)offset, length, shared, writes,
         outcome(address == MAP_FAILED ? -1 : 0));
    if (address != MAP_FAILED)
        *map = (struct mapping){address, length, offset, dup(slot->fd), writes, shared};
}

// Bytes of a mapping that lie inside the file; only they mean something.
static size_t inside(const struct mapping *map)
{
    struct stat st;
    if (fstat(map->fd, &st) < 0 || st.st_size <= map->offset)
        return 0;
    size_t size = (size_t)(st.st_size - map->offset);
    return size < map->length ? size : map->length;
}

void do_touch_map(void)
{
    struct mapping *map = &maps[chance(MAPS)];
    size_t at = chance(16 * 4096), length = some_length();
    bool writes = chance(2);
    unsigned char *bytes = some_bytes(length);
    if (!map->address)
        return;
    size_t size = inside(map);
    if (at >= size)
        return;
    if (length > size - at)
        length = size - at;
    // A private mapping does not say whether it shows what was written after it was made.
    if (writes && map->writes)
        memcpy(map->address + at, bytes, length);
    else if (map->shared)
        note("mapped %zu at %zu: %llx", length, at, (unsigned long long)sum_of(map->address + at, length));
}

void do_unmap(void)
{
    struct mapping *map = &maps[chance(MAPS)];
    bool synced = chance(2);
    if (!map->address)
        return;
    if (synced)
        note("msync = %ld", outcome(msync(map->address, map->length, MS_SYNC)));
    drop(map);
}

void do_sync(void)
{
    struct slot *slot = some_slot();
    bool data = chance(2);
    if (slot && chance(8) == 0)
        note("fsync = %ld", outcome(data ? fdatasync(slot->fd) : fsync(slot->fd)));
}

// The whole of a file.
void do_check(void)
{
    const char *path = some_path();
    int fd = open(path, O_RDONLY | O_NOFOLLOW);
    struct stat st;
    uint64_t sum = 0;
    long total = 0, got = 0;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        note("check %s: %ld", path, outcome(fd < 0 ? -1 : 0));
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
        sum = sum * 31 + sum_of(buffer, (size_t)got);
        total += got;
    }
    note("check %s: %ld of %ld bytes, %llx", path, total, (long)st.st_size, (unsigned long long)sum);
    close(fd);
}
