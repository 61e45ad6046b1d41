// The text of a place (fs/d_path.c).
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "sentry/task/task.h"
#include <stdio.h>

// Writes backwards from `end`; NULL when `start` is passed.
static char *prepend(char *start, char *end, const char *s, size_t n)
{
    if (!end || (size_t)(end - start) < n)
        return NULL;
    end -= n;
    memcpy(end, s, n);
    return end;
}

int path_name(const struct path *p, char *buf, size_t size)
{
    struct dentry *d = p->dentry;
    if (d->inode && (d->inode->sb->flags & SB_ANON)) {
        if (d->name_static) {
            int n = snprintf(buf, size, "%s[%llu]", d->name, (unsigned long long)d->inode->attr.ino);
            return n < 0 || (size_t)n >= size ? -LX_ENAMETOOLONG : n;
        }
        if (d->name_len >= size)
            return -LX_ENAMETOOLONG;
        memcpy(buf, d->name, d->name_len + 1u);
        return d->name_len;
    }
    if (size == 0)
        return -LX_ENAMETOOLONG;
    char *end = buf + size;
    *--end = 0;
    char *text_end = end;
    if (d->unhashed)
        end = prepend(buf, end, " (deleted)", 10);
    struct mount *m = p->mnt;
    const struct path *root = current ? &current->fs->root : NULL;
    char *before = end;
    while (end) {
        if (root && root->dentry == d && root->mnt == m)
            break;
        if (m && d == m->root) {
            if (m->parent) {
                d = m->mountpoint;
                m = m->parent;
                continue;
            }
            if (root && !m->internal) {
                if (end == before)
                    end = prepend(buf, end, "/", 1);
                before = NULL;
                end = prepend(buf, end, "(unreachable)", 13);
            }
            break;
        }
        if (d->parent == d) {
            if (end != before)
                break;
            // A file without a directory (memfd, O_TMPFILE): its own name.
            end = prepend(buf, end, d->name, d->name_len);
            if (end && *end != '/')
                end = prepend(buf, end, "/", 1);
            before = NULL;
            break;
        }
        end = prepend(buf, end, d->name, d->name_len);
        end = prepend(buf, end, "/", 1);
        d = d->parent;
    }
    if (end && end == before)
        end = prepend(buf, end, "/", 1);
    if (!end)
        return -LX_ENAMETOOLONG;
    size_t len = (size_t)(text_end - end);
    memmove(buf, end, len + 1);
    return (int)len;
}
