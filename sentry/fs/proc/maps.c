// maps, smaps, smaps_rollup and numa_maps: the host's text of the guest process, without what is ours and with the guest's file names.
#include "sentry/fs/proc/proc.h"
#include "abi/linux/errno.h"
#include "abi/stub/layout.h"
#include "abi/gofer_proc.h"
#include "sentry/mm/filemap.h"
#include "sentry/task/task.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

struct mapping {
    uint64_t start, end, offset, ino;
    unsigned major, minor;
    char permissions[5];
    const char *name; // rest of the line, "" when none
};

static bool parse_line(const char *line, struct mapping *m)
{
    int used = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 "%n", &m->start, &m->end,
               m->permissions, &m->offset, &m->major, &m->minor, &m->ino, &used) != 7)
        return false;
    m->name = line + used;
    while (*m->name == ' ')
        m->name++;
    return true;
}

static bool is_ours(const struct mapping *m)
{
    return m->start < STUB_RANGE_END && m->end > STUB_BASE;
}

// The kernel pads the columns up to a name to 73 characters.
static void add_mapping(struct out_text *out, const struct mapping *m, unsigned major, unsigned minor,
                        uint64_t ino, const char *name)
{
    size_t start = out->len;
    out_printf(out, "%08" PRIx64 "-%08" PRIx64 " %s %08" PRIx64 " %02x:%02x %" PRIu64 " ", m->start, m->end,
               m->permissions, m->offset, major, minor, ino);
    if (*name) {
        while (out->len - start < 73 && !out->failed)
            out_add(out, " ", 1);
        out_printf(out, "%s", name);
    }
    out_add(out, "\n", 1);
}

static void translate(struct out_text *out, struct mm *mm, const struct mapping *m)
{
    const char *name = m->name;
    if (m->ino == 0 && name[0] != '/') { // anonymous, [heap], [stack], [vdso]
        add_mapping(out, m, 0, 0, 0, name);
        return;
    }
    uint64_t dev = makedev(m->major, m->minor), ino = m->ino;
    const char *guest = filemap_name(mm, &dev, &ino);
    if (guest) {
        add_mapping(out, m, major(dev), minor(dev), ino, guest);
        return;
    }
    // Shared anonymous memory keeps its host name; any other host path stays hidden.
    bool harmless = strncmp(name, "/dev/zero", 9) == 0 || strncmp(name, "/memfd:", 7) == 0 ||
                    strncmp(name, "/SYSV", 5) == 0;
    add_mapping(out, m, 0, harmless ? 1 : 0, harmless ? m->ino : 0, harmless ? name : "");
}

// The address space, kept while the lock is dropped. NULL: it has none.
static struct mm *mm_of(const struct pseudo *p, int *host_pid)
{
    const struct task *t = proc_task(p);
    if (!t || !t->mm || t->mm->dead || t->tg->dead)
        return NULL;
    *host_pid = t->tg->host_pid;
    return mm_get(t->mm);
}

void proc_translate_maps(struct mm *mm, char *text, struct out_text *out)
{
    struct mapping m;
    char *save;
    bool ours = true; // of the mapping that the figures of smaps belong to
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (parse_line(line, &m)) {
            ours = is_ours(&m);
            if (!ours)
                translate(out, mm, &m);
        } else if (!ours) {
            out_printf(out, "%s\n", line);
        }
    }
}

static int show_maps(const struct pseudo *p, struct out_text *out, int file)
{
    int host_pid;
    struct mm *mm = mm_of(p, &host_pid);
    if (!mm)
        return 0;
    struct out_text in = {NULL, 0, 0, false};
    int err = proc_host_read(file, host_pid, 0, &in);
    if (!err) {
        out_add(&in, "", 1);
        if (!in.failed)
            proc_translate_maps(mm, in.data, out);
    }
    out_free(&in);
    mm_put(mm);
    return err == -LX_EOPNOTSUPP || err == -LX_ESRCH || err == -LX_ENOENT ? 0 : err;
}

PROC_SHOW(maps)
{
    return show_maps(p, out, GOFER_PROC_MAPS);
}

PROC_SHOW(smaps)
{
    return show_maps(p, out, GOFER_PROC_SMAPS);
}

PROC_SHOW(smaps_rollup)
{
    int host_pid;
    struct mm *mm = mm_of(p, &host_pid);
    if (!mm)
        return -LX_ESRCH;
    mm_put(mm);
    int err = proc_host_read(GOFER_PROC_SMAPS_ROLLUP, host_pid, 0, out);
    return err == -LX_EOPNOTSUPP ? 0 : err;
}

// Each line of the host's begins with an address and a policy; file= would be a path of the host.
static void translate_numa(struct out_text *out, char *text)
{
    char *lines, *words;
    for (char *line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
        uint64_t start;
        if (sscanf(line, "%" SCNx64, &start) != 1 || (start >= STUB_BASE && start < STUB_RANGE_END))
            continue;
        bool first = true;
        for (char *word = strtok_r(line, " ", &words); word; word = strtok_r(NULL, " ", &words)) {
            if (strncmp(word, "file=", 5) == 0)
                continue;
            out_printf(out, first ? "%s" : " %s", word);
            first = false;
        }
        out_add(out, "\n", 1);
    }
}

PROC_SHOW(numa_maps)
{
    int host_pid;
    struct mm *mm = mm_of(p, &host_pid);
    if (!mm)
        return 0;
    mm_put(mm);
    struct out_text in = {NULL, 0, 0, false};
    int err = proc_host_read(GOFER_PROC_NUMA_MAPS, host_pid, 0, &in);
    if (!err) {
        out_add(&in, "", 1);
        if (!in.failed)
            translate_numa(out, in.data);
    }
    out_free(&in);
    return err == -LX_EOPNOTSUPP || err == -LX_ESRCH || err == -LX_ENOENT ? 0 : err;
}

// --- pagemap

#define PAGE_SHIFT 12
#define PAGEMAP_MOVE_MAX 65536u
#define PAGEMAP_FLAGS (~0ull << 55) // the rest is a frame number, or a place in the swap

static int64_t pagemap_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    const struct pseudo *p = pseudo_of(f->inode);
    int host_pid;
    struct mm *mm =
        pseudo_may_access(p) ? mm_of(p, &host_pid) : NULL; // an exec since the open may have changed both
    if (!mm)
        return 0;
    mm_put(mm);
    uint64_t at = (uint64_t)*pos;
    if (at % 8 || it->count % 8)
        return -LX_EINVAL;
    size_t want = it->count < PAGEMAP_MOVE_MAX ? it->count : PAGEMAP_MOVE_MAX;
    uint64_t *entries = want ? malloc(want) : NULL;
    if (!entries)
        return want ? -LX_ENOMEM : 0;
    file_get(f);
    int64_t n = proc_host_pread(GOFER_PROC_PAGEMAP, host_pid, entries, want, at);
    file_put(f);
    if (!pseudo_may_access(p)) // the lock was dropped
        n = 0;
    for (int64_t i = 0; i < n / 8; i++) {
        uint64_t address = (at / 8 + (uint64_t)i) << PAGE_SHIFT;
        bool ours = address >= STUB_BASE && address < STUB_RANGE_END;
        entries[i] = ours ? 0 : entries[i] & PAGEMAP_FLAGS;
    }
    if (n > 0)
        n = iter_copy_to(it, entries, (size_t)n);
    free(entries);
    if (n > 0)
        *pos += n;
    return n == -LX_ESRCH || n == -LX_ENOENT || n == -LX_EOPNOTSUPP ? 0 : n;
}

const struct file_ops proc_pagemap_fops = {.read = pagemap_read, .lseek = dir_lseek};
