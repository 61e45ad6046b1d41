// maps and smaps_rollup: the host's text of the guest process, without what is ours and with the guest's file names.
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
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (parse_line(line, &m) && !is_ours(&m))
            translate(out, mm, &m);
}

PROC_SHOW(maps)
{
    int host_pid;
    struct mm *mm = mm_of(p, &host_pid);
    if (!mm)
        return 0;
    struct out_text in = {NULL, 0, 0, false};
    int err = proc_host_read(GOFER_PROC_MAPS, host_pid, 0, &in);
    if (!err) {
        out_add(&in, "", 1);
        if (!in.failed)
            proc_translate_maps(mm, in.data, out);
    }
    out_free(&in);
    mm_put(mm);
    return err == -LX_EOPNOTSUPP || err == -LX_ESRCH || err == -LX_ENOENT ? 0 : err;
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
