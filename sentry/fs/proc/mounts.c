// mounts, mountinfo and mountstats (fs/proc_namespace.c).
#include "sentry/fs/proc/proc.h"
#include "abi/linux/errno.h"
#include "sentry/task/task.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ESCAPED " \t\n#"

static void add_mount_flags(struct out_text *out, const struct mount *m)
{
    out_printf(out, "%s%s%s%s,relatime", m->flags & MNT_RDONLY ? "ro" : "rw",
               m->flags & MNT_NOSUID ? ",nosuid" : "", m->flags & MNT_NODEV ? ",nodev" : "",
               m->flags & MNT_NOEXEC ? ",noexec" : "");
}

static void add_super_options(struct out_text *out, struct super_block *sb)
{
    char text[512];
    if (sb->ops && sb->ops->show_options)
        out_add(out, text, sb->ops->show_options(sb, text, sizeof(text)));
}

// Where the mount is, for current; false when that is outside of its root.
static bool place_of(struct mount *m, char *buf)
{
    const struct path at = {m, m->root};
    int n = path_name(&at, buf, VFS_PATH_MAX);
    return n > 0 && strncmp(buf, "(unreachable)", 13) != 0;
}

// The mount's root within its filesystem.
static void add_root_in_super(struct out_text *out, const struct dentry *d)
{
    if (d->parent == d) {
        out_printf(out, "/");
        return;
    }
    const struct dentry *chain[64];
    int n = 0;
    for (; d->parent != d && n < 64; d = d->parent)
        chain[n++] = d;
    while (n-- > 0) {
        out_printf(out, "/");
        out_escape(out, chain[n]->name, ESCAPED);
    }
}

typedef void line_fn(struct out_text *out, struct mount *m, const char *place);

static int each_mount(const struct pseudo *p, struct out_text *out, line_fn *line)
{
    const struct task *t = proc_task(p);
    if (!t || !t->fs || !t->fs->mnt_ns)
        return -LX_EINVAL;
    char *place = malloc(VFS_PATH_MAX);
    if (!place)
        return -LX_ENOMEM;
    list_for_each(m, &t->fs->mnt_ns->mounts, struct mount, link) if (place_of(m, place)) line(out, m, place);
    free(place);
    return 0;
}

static void mounts_line(struct out_text *out, struct mount *m, const char *place)
{
    out_escape(out, m->sb->source, ESCAPED);
    out_printf(out, " ");
    out_escape(out, place, ESCAPED);
    out_printf(out, " %s ", m->sb->fstype);
    add_mount_flags(out, m);
    add_super_options(out, m->sb);
    out_printf(out, " 0 0\n");
}

static void mountinfo_line(struct out_text *out, struct mount *m, const char *place)
{
    uint64_t dev = m->sb->dev;
    unsigned major = (unsigned)((dev >> 8) & 0xfff),
             minor = (unsigned)((dev & 0xff) | ((dev >> 12) & 0xfff00));
    out_printf(out, "%d %d %u:%u ", m->id, m->parent ? m->parent->id : 1, major, minor);
    add_root_in_super(out, m->root);
    out_printf(out, " ");
    out_escape(out, place, ESCAPED);
    out_printf(out, " ");
    add_mount_flags(out, m);
    out_printf(out, " - %s ", m->sb->fstype);
    out_escape(out, m->sb->source, ESCAPED);
    out_printf(out, " %s", m->sb->flags & SB_RDONLY ? "ro" : "rw");
    add_super_options(out, m->sb);
    out_printf(out, "\n");
}

static void mountstats_line(struct out_text *out, struct mount *m, const char *place)
{
    out_printf(out, "device ");
    out_escape(out, m->sb->source, ESCAPED);
    out_printf(out, " mounted on ");
    out_escape(out, place, ESCAPED);
    out_printf(out, " with fstype %s\n", m->sb->fstype);
}

PROC_SHOW(mounts)
{
    return each_mount(p, out, mounts_line);
}

PROC_SHOW(mountinfo)
{
    return each_mount(p, out, mountinfo_line);
}

PROC_SHOW(mountstats)
{
    return each_mount(p, out, mountstats_line);
}
