#include "sentry/core/hostcall.h"
#include "sentry/mm/filemap.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILEMAPS_MAX 4096

struct filemap {
    struct list_head link; // in mm.file_maps
    uint64_t dev, ino;     // as the host's maps show them
    uint64_t guest_dev, guest_ino;
    char *name;
};

static struct filemap *find(struct mm *m, uint64_t dev, uint64_t ino)
{
    list_for_each(f, &m->file_maps, struct filemap, link) if (f->dev == dev && f->ino == ino) return f;
    return NULL;
}

static int add(struct mm *m, const struct filemap *like, const char *name)
{
    struct filemap *f = calloc(1, sizeof(*f));
    char *copy = strdup(name);
    if (!f || !copy) {
        free(f);
        free(copy);
        return -LX_ENOMEM;
    }
    *f = *like;
    f->name = copy;
    list_add(&f->link, &m->file_maps);
    return 0;
}

void filemap_add(struct mm *m, int fd, const struct file *file)
{
    struct stat st;
    char name[VFS_PATH_MAX];
    unsigned n = 0;

    if (host_fstat(fd, &st) != 0 || find(m, st.st_dev, st.st_ino))
        return;
    list_for_each(f, &m->file_maps, struct filemap, link) n++;
    if (n >= FILEMAPS_MAX || path_name(&file->path, name, sizeof(name)) < 0)
        return;
    const struct filemap like = {.dev = st.st_dev,
                                 .ino = st.st_ino,
                                 .guest_dev = file->inode->attr.dev,
                                 .guest_ino = file->inode->attr.ino};
    (void)add(m, &like, name);
}

const char *filemap_name(struct mm *m, uint64_t *dev, uint64_t *ino)
{
    const struct filemap *f = find(m, *dev, *ino);
    if (!f)
        return NULL;
    *dev = f->guest_dev;
    *ino = f->guest_ino;
    return f->name;
}

int filemap_dup(struct mm *to, const struct mm *from)
{
    list_for_each(f, &from->file_maps, struct filemap, link) if (add(to, f, f->name)) return -LX_ENOMEM;
    return 0;
}

void filemap_free(struct mm *m)
{
    list_for_each_safe(f, &m->file_maps, struct filemap, link)
    {
        list_del(&f->link);
        free(f->name);
        free(f);
    }
}
