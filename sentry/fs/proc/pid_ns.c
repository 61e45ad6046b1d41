// ns, uid_map, gid_map and setgroups of a process (fs/proc/namespaces.c, fs/nsfs.c).
#include "sentry/fs/proc/ns_file.h"
#include "sentry/fs/proc/proc.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/sched.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include "sentry/task/user_ns.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_GET_USERNS 0xb701u
#define NS_GET_PARENT 0xb702u
#define NS_GET_NSTYPE 0xb703u
#define NS_GET_OWNER_UID 0xb704u

// A namespace of any kind; the references are the holder's.
struct ns_ref {
    uint64_t type, ino;
    const char *kind;
    struct ns_common *common;
    struct mount_ns *mnt;
};

static const struct file_ops ns_fops;

static void ref_get(const struct ns_ref *r)
{
    if (r->common)
        ns_get(r->common);
    if (r->mnt)
        mount_ns_get(r->mnt);
}

static void ref_put(struct ns_ref *r)
{
    ns_put(r->common);
    mount_ns_put(r->mnt);
    free(r);
}

static void ns_evict(struct inode *i)
{
    ref_put(i->priv);
}

static int ns_setattr(struct inode *i, const struct iattr *a)
{
    return -LX_EPERM;
}

static const struct inode_ops ns_inode_ops = {.setattr = ns_setattr, .evict = ns_evict};

static size_t ns_name(const struct ns_ref *r, char *text, size_t size)
{
    return (size_t)snprintf(text, size, "%s:[%" PRIu64 "]", r->kind, r->ino);
}

static struct file *ns_file(const struct ns_ref *from)
{
    char text[64];
    struct ns_ref *r = malloc(sizeof(*r));
    if (!r)
        return NULL;
    *r = *from;
    ns_name(r, text, sizeof(text));
    struct file *f = anon_file(&ns_fops, NULL, FMODE_READ, 0, text, LX_S_IFREG | 0444);
    if (!f) {
        free(r);
        return NULL;
    }
    ref_get(r);
    f->inode->priv = r;
    f->inode->ops = &ns_inode_ops;
    f->inode->attr.ino = r->ino;
    return f;
}

static struct ns_ref ref_of(struct ns_common *common, const char *kind)
{
    return (struct ns_ref){common->type, common->ino, kind, common, NULL};
}

static int64_t open_ns(const struct ns_ref *r)
{
    struct file *f = ns_file(r);
    if (!f)
        return -LX_ENOMEM;
    int fd = fd_install(current->files, f, 0, true);
    if (fd < 0)
        file_put(f);
    return fd;
}

// Is the namespace one of current's own or below?
static bool below_ours(const struct user_ns *ns)
{
    for (; ns; ns = ns->parent)
        if (ns == current->cred->user_ns)
            return true;
    return false;
}

static int64_t ns_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
    const struct ns_ref *r = f->inode->priv;
    struct user_ns *owner = r->mnt ? mount_ns_owner(r->mnt) : r->common ? r->common->owner : &init_user_ns;
    bool is_user = r->type == LX_CLONE_NEWUSER;
    switch (cmd) {
    case NS_GET_NSTYPE:
        return (int64_t)r->type;
    case NS_GET_PARENT:
        if (!is_user)
            return -LX_EINVAL;
        // fall through
    case NS_GET_USERNS: {
        if (!owner || !below_ours(owner))
            return -LX_EPERM;
        struct ns_ref up = ref_of(&owner->ns, "user");
        return open_ns(&up);
    }
    case NS_GET_OWNER_UID: {
        if (!is_user)
            return -LX_EINVAL;
        uint32_t uid = show_uid(container_of(r->common, struct user_ns, ns)->owner);
        return put_user(uid, arg) ? -LX_EFAULT : 0;
    }
    default:
        return -LX_ENOTTY;
    }
}

static const struct file_ops ns_fops = {.ioctl = ns_ioctl};

bool ns_of_file(const struct file *f, uint64_t *type, struct ns_common **common, struct mount_ns **mnt)
{
    if (!f->inode || f->inode->ops != &ns_inode_ops)
        return false;
    const struct ns_ref *r = f->inode->priv;
    *type = r->type;
    *common = r->common;
    *mnt = r->mnt;
    return true;
}

// --- links

static bool find(const struct pseudo *p, struct ns_ref *out)
{
    const struct task *t = proc_task(p);
    const char *kind = p->node->data;
    if (!t || t->state == TASK_DEAD || !t->fs)
        return false;
    switch (p->node->arg) {
    case LX_CLONE_NEWUSER:
        *out = ref_of(&t->cred->user_ns->ns, kind);
        return true;
    case LX_CLONE_NEWUTS:
        *out = ref_of(&t->uts->ns, kind);
        return true;
    case LX_CLONE_NEWIPC:
        *out = ref_of(&t->ipc->ns, kind);
        return true;
    case LX_CLONE_NEWNS:
        *out = (struct ns_ref){LX_CLONE_NEWNS, t->fs->mnt_ns->ino, kind, NULL, t->fs->mnt_ns};
        return true;
    // One of each for the sandbox, with the numbers that Linux gives its first ones.
    case LX_CLONE_NEWCGROUP:
        *out = (struct ns_ref){LX_CLONE_NEWCGROUP, 4026531835, kind, NULL, NULL};
        return true;
    case LX_CLONE_NEWNET:
        *out = (struct ns_ref){LX_CLONE_NEWNET, 4026531840, kind, NULL, NULL};
        return true;
    case LX_CLONE_NEWPID:
        *out = (struct ns_ref){LX_CLONE_NEWPID, 4026531836, kind, NULL, NULL};
        return true;
    default:
        *out = (struct ns_ref){LX_CLONE_NEWTIME, 4026531834, kind, NULL, NULL};
        return true;
    }
}

static int64_t ns_text(const struct pseudo *p, char *buf, size_t size)
{
    char text[64];
    struct ns_ref r;
    if (!find(p, &r))
        return -LX_ENOENT;
    ns_name(&r, text, sizeof(text));
    return pseudo_link_text(text, buf, size);
}

static int ns_link(const struct pseudo *p, struct path *out)
{
    struct ns_ref r;
    if (!find(p, &r))
        return -LX_ENOENT;
    struct file *f = ns_file(&r);
    if (!f)
        return -LX_ENOMEM;
    *out = f->path;
    path_get(out);
    file_put(f);
    return 0;
}

#define NS(name_, kind_, type_)                                                                \
    {                                                                                          \
        .name = name_, .mode = LX_S_IFLNK | 0777, .flags = PSEUDO_PTRACE, .readlink = ns_text, \
        .get_link = ns_link, .data = kind_, .arg = type_                                       \
    }
const struct pseudo_node proc_ns_rows[] = {
    NS("cgroup", "cgroup", LX_CLONE_NEWCGROUP),
    NS("ipc", "ipc", LX_CLONE_NEWIPC),
    NS("mnt", "mnt", LX_CLONE_NEWNS),
    NS("net", "net", LX_CLONE_NEWNET),
    NS("pid", "pid", LX_CLONE_NEWPID),
    NS("pid_for_children", "pid", LX_CLONE_NEWPID),
    NS("time", "time", LX_CLONE_NEWTIME),
    NS("time_for_children", "time", LX_CLONE_NEWTIME),
    NS("user", "user", LX_CLONE_NEWUSER),
    NS("uts", "uts", LX_CLONE_NEWUTS),
    {.name = NULL},
};

// --- maps

// Lower ids as the reader's namespace numbers them; for a reader inside, as the parent does.
static int show_map(const struct pseudo *p, struct out_text *out, bool groups)
{
    const struct task *t = proc_task(p);
    if (!t || !t->cred)
        return -LX_ESRCH;
    const struct user_ns *ns = t->cred->user_ns, *reader = current ? current->cred->user_ns : ns;
    if (reader == ns && ns->parent)
        reader = ns->parent;
    const struct id_map *map = groups ? &ns->gids : &ns->uids;
    for (unsigned i = 0; i < map->count; i++) {
        const struct id_extent *e = &map->extents[i];
        uint32_t lower = groups ? from_kgid(reader, e->lower) : from_kuid(reader, e->lower);
        out_printf(out, "%10u %10u %10u\n", e->first, lower, e->count);
    }
    return 0;
}

static int64_t store_map(const struct pseudo *p, const char *text, size_t n, bool groups)
{
    const struct task *t = proc_task(p);
    if (!t || !t->cred)
        return -LX_ESRCH;
    if (n >= PSEUDO_WRITE_MAX || strlen(text) != n)
        return -LX_EINVAL;
    int err = user_ns_write_map(t->cred->user_ns, groups, text, current->cred);
    return err ? err : (int64_t)n;
}

PROC_SHOW(uid_map)
{
    return show_map(p, out, false);
}

PROC_SHOW(gid_map)
{
    return show_map(p, out, true);
}

PROC_STORE(uid_map)
{
    return store_map(p, text, n, false);
}

PROC_STORE(gid_map)
{
    return store_map(p, text, n, true);
}

PROC_SHOW(setgroups)
{
    const struct task *t = proc_task(p);
    if (!t || !t->cred)
        return -LX_ESRCH;
    out_printf(out, "%s\n", t->cred->user_ns->setgroups_allowed ? "allow" : "deny");
    return 0;
}

// proc_setgroups_write
PROC_STORE(setgroups)
{
    const struct task *t = proc_task(p);
    if (!t || !t->cred)
        return -LX_ESRCH;
    struct user_ns *ns = t->cred->user_ns;
    size_t len = strcspn(text, "\n");
    bool allow = len == 5 && memcmp(text, "allow", 5) == 0, deny = len == 4 && memcmp(text, "deny", 4) == 0;
    if (!ns_capable(ns, LX_CAP_SYS_ADMIN))
        return -LX_EACCES;
    if ((!allow && !deny) || len + (text[len] == '\n') != n)
        return -LX_EINVAL;
    if (allow ? !ns->setgroups_allowed : ns->gids.count > 0)
        return -LX_EPERM;
    ns->setgroups_allowed = allow;
    return (int64_t)n;
}
