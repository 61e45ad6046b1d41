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
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {
        {MNT_NOSUID, ",nosuid"},           {MNT_NODEV, ",nodev"},           {MNT_NOEXEC, ",noexec"},
        {MNT_NOATIME, ",noatime"},         {MNT_NODIRATIME, ",nodiratime"}, {MNT_RELATIME, ",relatime"},
        {MNT_NOSYMFOLLOW, ",nosymfollow"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (m->flags & names[i].flag)
            out_printf(out, "%s", names[i].name);
}

static const char *source_of(const struct mount *m)
{
    return m->devname ? m->devname : m->sb->source;
}

static bool read_only(const struct super_block *sb)
{
    return sb->flags & SB_RDONLY;
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
    bool gone = d->unhashed;
    const struct dentry *chain[VFS_PATH_MAX / 2];
    size_t n = 0;
    for (; d->parent != d && n < sizeof(chain) / sizeof(*chain); d = d->parent)
        chain[n++] = d;
    while (n-- > 0) {
        out_printf(out, "/");
        out_escape(out, chain[n]->name, ESCAPED);
    }
    if (gone)
        out_printf(out, "//deleted");
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
    out_escape(out, source_of(m), ESCAPED);
    out_printf(out, " ");
    out_escape(out, place, ESCAPED);
    out_printf(out, " %s %s", m->sb->fstype, read_only(m->sb) || (m->flags & MNT_RDONLY) ? "ro" : "rw");
    add_mount_flags(out, m);
    add_super_options(out, m->sb);
    out_printf(out, " 0 0\n");
}

static void add_propagation(struct out_text *out, const struct mount *m)
{
    if (m->peer_group)
        out_printf(out, " shared:%d", m->peer_group);
    if (m->master) {
        int from = propagation_dominator(m, m->ns);
        out_printf(out, " master:%d", m->master->peer_group);
        if (from && from != m->master->peer_group)
            out_printf(out, " propagate_from:%d", from);
    }
    if (m->unbindable)
        out_printf(out, " unbindable");
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
    out_printf(out, " %s", m->flags & MNT_RDONLY ? "ro" : "rw");
    add_mount_flags(out, m);
    add_propagation(out, m);
    out_printf(out, " - %s ", m->sb->fstype);
    out_escape(out, source_of(m), ESCAPED);
    out_printf(out, " %s", read_only(m->sb) ? "ro" : "rw");
    add_super_options(out, m->sb);
    out_printf(out, "\n");
}

static void mountstats_line(struct out_text *out, struct mount *m, const char *place)
{
    out_printf(out, "device ");
    out_escape(out, source_of(m), ESCAPED);
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
