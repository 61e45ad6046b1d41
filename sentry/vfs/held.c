// The files that a waiting call holds (fdget() and the poll table of fs/select.c).
#include "sentry/vfs/held.h"
#include "abi/linux/errno.h"
#include "sentry/vfs/file.h"
#include <stdlib.h>

#define FIRST_POLLED 8u
// A larger array is freed when the call ends.
#define POLLED_KEEP 64u

struct file *held_look(struct held_files *h, int fd, struct file *file)
{
    for (unsigned i = 0; i < h->nr_held; i++)
        if (h->seen[i].fd == fd)
            return h->seen[i].file;
    if (file && h->nr_seen < HELD_SEEN)
        h->seen[h->nr_seen++] = (struct held_file){file, fd};
    return file;
}

void held_wait(struct held_files *h, struct fdtable *table)
{
    unsigned seen = h->nr_seen;
    h->nr_seen = h->nr_held;
    for (unsigned i = h->nr_held; i < seen; i++) {
        // The lock may have been dropped since the look: what another thread has closed is not ours to touch.
        struct held_file look = h->seen[i];
        if (fd_lookup_now(table, look.fd) != look.file)
            continue;
        file_get(look.file);
        h->seen[h->nr_seen++] = look;
    }
    h->nr_held = h->nr_seen;
}

int held_poll(struct held_files *h, struct file *file)
{
    if (h->nr_polled == h->max_polled) {
        unsigned max = h->max_polled ? h->max_polled * 2 : FIRST_POLLED;
        struct file **more = realloc(h->polled, max * sizeof(struct file *));
        if (!more)
            return -LX_ENOMEM;
        h->polled = more;
        h->max_polled = max;
    }
    h->polled[h->nr_polled++] = file_get(file);
    return 0;
}

void held_poll_drop(struct held_files *h)
{
    while (h->nr_polled)
        file_put(h->polled[--h->nr_polled]);
}

void held_drop(struct held_files *h)
{
    h->nr_seen = 0;
    while (h->nr_held)
        file_put(h->seen[--h->nr_held].file);
    held_poll_drop(h);
    if (h->max_polled > POLLED_KEEP)
        held_free(h);
}

void held_free(struct held_files *h)
{
    if (h->nr_held || h->nr_polled)
        held_drop(h);
    free(h->polled);
    h->polled = NULL;
    h->max_polled = 0;
}
