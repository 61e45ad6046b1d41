// Guest memory through /proc/PID/mem, where process_vm_readv(2) is refused. That file ignores the protection of pages
// (FOLL_FORCE, proc_pid_mem(5)): what the guest itself could not read or write must be EFAULT all the same, so its maps are
// looked at first. A guest that changes them at the same time harms its own pages only: the host never writes to the file
// behind a mapping that the guest may not write.
#include "sentry/mm/proc_mem.h"
#include "abi/gofer_proc.h"
#include "abi/linux/errno.h"
#include "sentry/task/task.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MAPS_CHUNK 65536

int (*proc_mem_open)(int file, int host_tid);

static int open_files(struct task *t)
{
    struct mm *m = t->mm;
    if (m->host_mem >= 0)
        return 0;
    int memory = proc_mem_open(GOFER_PROC_MEM, t->trap.host_tid);
    if (memory < 0)
        return memory;
    int maps = proc_mem_open(GOFER_PROC_MAPS, t->trap.host_tid);
    if (maps < 0) {
        close(memory);
        return maps;
    }
    m->host_mem = memory;
    m->host_maps = maps;
    return 0;
}

// PROCMAP_QUERY of proc_pid_maps(5) (Linux 6.11), as far as it is used: the mapping that an address is in.
struct procmap_query {
    uint64_t size, flags, address, start, end, what, unused[5];
    uint32_t more[4];
};
_Static_assert(sizeof(struct procmap_query) == 0x68, "procmap_query");
#define PROCMAP_QUERY _IOWR('f', 17, struct procmap_query)
#define MAPPING_READABLE 1u
#define MAPPING_WRITABLE 2u

bool proc_mem_no_query;

// How many bytes from `at` on, at most `n`, lie in a row in mappings that allow it. False: the host cannot be asked so.
static bool query_allowed(int maps, gaddr_t at, size_t n, bool write, size_t *good)
{
    const uint64_t wanted = write ? MAPPING_WRITABLE : MAPPING_READABLE;
    *good = 0;
    while (*good < n) {
        struct procmap_query q = {.size = sizeof(q), .address = at + *good};
        if (ioctl(maps, PROCMAP_QUERY, &q) < 0)
            return errno != ENOTTY;
        if (!(q.what & wanted) || q.end <= at + *good)
            return true;
        *good = q.end - at < n ? q.end - at : n;
    }
    return true;
}

// The same from the text. The lines come in the order of addresses.
static size_t read_allowed(int maps, gaddr_t at, size_t n, bool write)
{
    static char text[MAPS_CHUNK]; // kernel lock
    size_t kept = 0, good = 0;
    off_t offset = 0;
    for (;;) {
        ssize_t got = pread(maps, text + kept, sizeof(text) - 1 - kept, offset);
        if (got <= 0)
            return good;
        offset += got;
        size_t length = kept + (size_t)got;
        text[length] = 0;
        char *line = text;
        for (char *end; (end = strchr(line, '\n')); line = end + 1) {
            uint64_t from, to;
            char mode[5];
            if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, mode) != 3)
                return good;
            if (to <= at + good)
                continue;
            if (from > at + good || (write ? mode[1] != 'w' : mode[0] != 'r'))
                return good;
            good = to - at < n ? to - at : n;
            if (good == n)
                return good;
        }
        kept = length - (size_t)(line - text);
        if (kept >= sizeof(text) - 1)
            return good;
        memmove(text, line, kept);
    }
}

static size_t allowed(int maps, gaddr_t at, size_t n, bool write)
{
    size_t good;
    if (!proc_mem_no_query && query_allowed(maps, at, n, write, &good))
        return good;
    proc_mem_no_query = true;
    return read_allowed(maps, at, n, write);
}

static ssize_t copy(struct task *t, void *local, gaddr_t remote, size_t n, bool write)
{
    if (t->mm_gone || !t->mm || open_files(t))
        return -LX_EFAULT;
    n = allowed(t->mm->host_maps, remote, n, write);
    if (n == 0)
        return -LX_EFAULT;
    ssize_t done = write ? pwrite(t->mm->host_mem, local, n, (off_t)remote)
                         : pread(t->mm->host_mem, local, n, (off_t)remote);
    return done <= 0 ? -LX_EFAULT : done;
}

static ssize_t mem_read(struct task *t, void *dst, gaddr_t src, size_t n)
{
    return copy(t, dst, src, n, false);
}

static ssize_t mem_write(struct task *t, gaddr_t dst, const void *src, size_t n)
{
    return copy(t, (void *)(uintptr_t)src, dst, n, true);
}

static bool mem_valid(struct task *t)
{
    return !t->mm_gone;
}

void proc_mem_forget(struct mm *m)
{
    if (m->host_mem >= 0) {
        close(m->host_mem);
        close(m->host_maps);
    }
    m->host_mem = m->host_maps = -1;
}

const struct uaccess_ops proc_mem_ops = {.read = mem_read, .write = mem_write, .valid = mem_valid};
