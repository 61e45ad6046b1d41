// Random operations on the files of the working directory. The same seed gives the same operations, and on the same kind of
// file system the same results: a run in the sandbox is compared line by line with a native one (run.py).
//
//   fsx SEED COUNT [--trace FROM TO] [--without WORD...]
//
// Every thousandth operation prints the sum of all results so far; with --trace the operations FROM to TO print theirs.
#include "fsx.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct slot slots[SLOTS];
struct mapping maps[MAPS];
bool no_fallocate, no_shared_maps, no_rename_flags, no_xattrs, no_holes, no_set_id, no_maps, no_removed_files;

static uint64_t state, sum = 14695981039346656037ull;
static unsigned long number, trace_from = 1, trace_to;

uint64_t chance(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state * 2685821657736338717ull >> 11) % below;
}

const char *known_path(unsigned index)
{
    static const char *const directories[] = {".", "a", "b", "a/c"};
    static const char *const names[] = {"f", "g", "h", "a", "b", "c"};
    static char path[NAMES][32];
    snprintf(path[index], sizeof(path[index]), "%s/%s", directories[index / 6], names[index % 6]);
    return path[index];
}

const char *some_path(void)
{
    return known_path((unsigned)chance(NAMES));
}

struct slot *some_slot(void)
{
    unsigned first = (unsigned)chance(SLOTS);
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *slot = &slots[(first + i) % SLOTS];
        if (slot->fd >= 0)
            return slot;
    }
    return NULL;
}

unsigned char *some_bytes(size_t size)
{
    static unsigned char bytes[CHUNK_MAX];
    uint64_t seed = chance(UINT32_MAX) | 1;
    for (size_t i = 0; i < size; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        bytes[i] = (unsigned char)(seed >> 56);
    }
    return bytes;
}

uint64_t sum_of(const void *bytes, size_t size)
{
    uint64_t result = 14695981039346656037ull;
    for (size_t i = 0; i < size; i++)
        result = (result ^ ((const unsigned char *)bytes)[i]) * 1099511628211ull;
    return result;
}

long outcome(long result)
{
    return result < 0 ? -errno : result;
}

void note(const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    for (int i = 0; i < length && i < (int)sizeof(text) - 1; i++)
        sum = (sum ^ (unsigned char)text[i]) * 1099511628211ull;
    if (number >= trace_from && number <= trace_to)
        printf("%lu %s\n", number, text);
}

static const struct {
    operation *run;
    unsigned weight;
} operations[] = {
    {do_open, 10},     {do_close, 5},  {do_read, 14}, {do_write, 16},  {do_truncate, 5},
    {do_fallocate, 3}, {do_seek, 3},   {do_copy, 3},  {do_map, 3},     {do_touch_map, 8},
    {do_unmap, 2},     {do_sync, 1},   {do_check, 4}, {do_mkdir, 3},   {do_rmdir, 2},
    {do_unlink, 3},    {do_rename, 4}, {do_link, 3},  {do_symlink, 1}, {do_stat, 6},
    {do_list, 3},      {do_mode, 2},   {do_times, 2}, {do_xattr, 2},   {do_access, 2},
};

static void one_operation(void)
{
    unsigned total = 0;
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        total += operations[i].weight;
    unsigned at = (unsigned)chance(total);
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (at < operations[i].weight) {
            operations[i].run();
            return;
        }
        at -= operations[i].weight;
    }
}

static void leave_out(const char *word)
{
    no_fallocate |= !strcmp(word, "fallocate");
    no_shared_maps |= !strcmp(word, "shared-maps");
    no_rename_flags |= !strcmp(word, "rename-flags");
    no_xattrs |= !strcmp(word, "xattrs");
    no_holes |= !strcmp(word, "holes");
    no_set_id |= !strcmp(word, "set-id");
    no_maps |= !strcmp(word, "maps");
    no_removed_files |= !strcmp(word, "removed-files"); // attributes of open files whose names are gone
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    state = strtoull(argv[1], NULL, 10) * 2654435761u + 88172645463325252ull;
    unsigned long count = strtoul(argv[2], NULL, 10);
    for (int i = 3; i < argc; i++) {
        if (!strcmp(argv[i], "--trace") && i + 2 < argc) {
            trace_from = strtoul(argv[++i], NULL, 10);
            trace_to = strtoul(argv[++i], NULL, 10);
        } else if (!strcmp(argv[i], "--without") && i + 1 < argc) {
            leave_out(argv[++i]);
        }
    }
    umask(022);
    for (int i = 0; i < SLOTS; i++)
        slots[i].fd = -1;
    for (number = 1; number <= count; number++) {
        one_operation();
        if (number % 1000 == 0) {
            printf("%lu operations: %016llx\n", number, (unsigned long long)sum);
            fflush(stdout);
        }
    }
    for (unsigned i = 0; i < NAMES; i++)
        do_list();
    printf("end: %016llx\n", (unsigned long long)sum);
    return 0;
}
