#include "sentry/task/user_ns.h"
#include "sentry/task/task.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/sched.h"
#include <stdlib.h>
#include <string.h>

static struct id_extent everybody = {0, 0, UINT32_MAX};
struct user_ns init_user_ns = {
    .ns = {.refs = 1, .type = LX_CLONE_NEWUSER, .ino = 4026531837},
    .setgroups_allowed = true,
    .uids = {1, &everybody},
    .gids = {1, &everybody},
};

static uint32_t down(const struct id_map *m, uint32_t id)
{
    for (unsigned i = 0; i < m->count; i++) {
        const struct id_extent *e = &m->extents[i];
        if (id >= e->first && id - e->first < e->count)
            return e->lower + (id - e->first);
    }
    return ID_NONE;
}

static uint32_t up(const struct id_map *m, uint32_t kid)
{
    for (unsigned i = 0; i < m->count; i++) {
        const struct id_extent *e = &m->extents[i];
        if (kid >= e->lower && kid - e->lower < e->count)
            return e->first + (kid - e->lower);
    }
    return ID_NONE;
}

uint32_t make_kuid(const struct user_ns *ns, uint32_t uid)
{
    return down(&ns->uids, uid);
}

uint32_t make_kgid(const struct user_ns *ns, uint32_t gid)
{
    return down(&ns->gids, gid);
}

uint32_t from_kuid(const struct user_ns *ns, uint32_t kuid)
{
    return up(&ns->uids, kuid);
}

uint32_t from_kgid(const struct user_ns *ns, uint32_t kgid)
{
    return up(&ns->gids, kgid);
}

uint32_t show_uid(uint32_t kuid)
{
    uint32_t uid = current ? from_kuid(current->cred->user_ns, kuid) : kuid;
    return uid == ID_NONE ? ID_OVERFLOW : uid;
}

uint32_t show_gid(uint32_t kgid)
{
    uint32_t gid = current ? from_kgid(current->cred->user_ns, kgid) : kgid;
    return gid == ID_NONE ? ID_OVERFLOW : gid;
}

// cap_capable
bool cred_ns_capable(const struct cred *c, const struct user_ns *ns, int cap)
{
    for (;; ns = ns->parent) {
        if (ns == c->user_ns)
            return c->cap_effective >> cap & 1;
        if (ns->level <= c->user_ns->level)
            return false;
        if (ns->parent == c->user_ns && ns->owner == c->euid)
            return true;
    }
}

bool ns_capable(const struct user_ns *ns, int cap)
{
    return cred_ns_capable(current->cred, ns, cap);
}

static void free_user_ns(struct ns_common *common)
{
    struct user_ns *ns = container_of(common, struct user_ns, ns);
    free(ns->uids.extents);
    free(ns->gids.extents);
    free(ns);
}

void cred_enter_user_ns(struct cred *new, struct user_ns *ns)
{
    struct user_ns *old = new->user_ns;
    new->securebits = 0;
    new->cap_inheritable = new->cap_ambient = 0;
    new->cap_permitted = new->cap_effective = new->cap_bounding = LX_CAP_FULL;
    new->user_ns = ns;
    ns_put(&old->ns);
}

int user_ns_create(struct cred *new, bool chrooted)
{
    struct user_ns *parent = new->user_ns;
    if (parent->level >= USER_NS_DEPTH_MAX)
        return -LX_ENOSPC;
    if (chrooted || from_kuid(parent, new->euid) == ID_NONE || from_kgid(parent, new->egid) == ID_NONE)
        return -LX_EPERM;
    struct user_ns *ns = calloc(1, sizeof(*ns));
    int err = ns ? ns_init(&ns->ns, LX_CLONE_NEWUSER, parent, free_user_ns) : -LX_ENOMEM;
    if (err) {
        free(ns);
        return err;
    }
    ns->parent = parent; // the reference is ns.owner's
    ns->level = parent->level + 1;
    ns->owner = new->euid;
    ns->group = new->egid;
    ns->setgroups_allowed = parent->setgroups_allowed;
    ns->parent_could_setfcap = new->cap_effective >> LX_CAP_SETFCAP & 1;
    cred_enter_user_ns(new, ns);
    return 0;
}

bool user_ns_may_setgroups(const struct user_ns *ns)
{
    return ns->gids.count && ns->setgroups_allowed;
}

// --- writing maps

static bool overlaps(const struct id_extent *list, unsigned n, const struct id_extent *e)
{
    for (unsigned i = 0; i < n; i++) {
        const struct id_extent *o = &list[i];
        if ((e->first <= o->first + o->count - 1 && o->first <= e->first + e->count - 1) ||
            (e->lower <= o->lower + o->count - 1 && o->lower <= e->lower + e->count - 1))
            return true;
    }
    return false;
}

// A number that spaces precede and a space or the end of the line follows.
static bool number(const char **at, uint32_t *out)
{
    char *end;
    while (**at == ' ' || **at == '\t')
        ++*at;
    if (**at < '0' || **at > '9')
        return false;
    unsigned long long v = strtoull(*at, &end, 10);
    if (v > UINT32_MAX || (*end && *end != ' ' && *end != '\t' && *end != '\n'))
        return false;
    *out = (uint32_t)v;
    *at = end;
    return true;
}

// Lines of "first lower count". 0 or -LX_EINVAL.
static int parse(const char *text, struct id_extent *list, unsigned *count)
{
    while (*text) {
        struct id_extent e;
        if (*count == ID_EXTENTS_MAX || !number(&text, &e.first) || !number(&text, &e.lower) ||
            !number(&text, &e.count))
            return -LX_EINVAL;
        while (*text == ' ' || *text == '\t')
            text++;
        if (*text && *text++ != '\n')
            return -LX_EINVAL;
        if (e.first == ID_NONE || e.lower == ID_NONE || e.first + e.count <= e.first ||
            e.lower + e.count <= e.lower || overlaps(list, *count, &e))
            return -LX_EINVAL;
        list[(*count)++] = e;
    }
    return *count ? 0 : -LX_EINVAL;
}

static bool covers_root(const struct id_extent *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (list[i].lower == 0)
            return true;
    return false;
}

// new_idmap_permitted. Lower ids are the parent's here.
static bool permitted(const struct user_ns *ns, bool groups, const struct id_extent *list, unsigned n,
                      const struct cred *writer)
{
    // verify_root_map: who maps the parent's root must have been able to give files capabilities there.
    if (!groups && covers_root(list, n)) {
        if (writer->user_ns == ns ? !ns->parent_could_setfcap
                                  : !cred_ns_capable(writer, ns->parent, LX_CAP_SETFCAP))
            return false;
    }
    if (n == 1 && list->count == 1 && ns->owner == writer->euid) {
        if (!groups && make_kuid(ns->parent, list->lower) == writer->euid)
            return true;
        if (groups && !ns->setgroups_allowed && make_kgid(ns->parent, list->lower) == writer->egid)
            return true;
    }
    int cap = groups ? LX_CAP_SETGID : LX_CAP_SETUID;
    return ns_capable(ns->parent, cap) && cred_ns_capable(writer, ns->parent, cap);
}

int user_ns_write_map(struct user_ns *ns, bool groups, const char *text, const struct cred *writer)
{
    struct id_map *map = groups ? &ns->gids : &ns->uids;
    const struct user_ns *parent = ns->parent;
    if (!parent || (writer->user_ns != ns && writer->user_ns != parent))
        return -LX_EPERM;
    if (map->count || !cred_ns_capable(writer, ns, LX_CAP_SYS_ADMIN))
        return -LX_EPERM;
    struct id_extent list[ID_EXTENTS_MAX];
    unsigned n = 0;
    int err = parse(text, list, &n);
    if (err)
        return err;
    if (!permitted(ns, groups, list, n, writer))
        return -LX_EPERM;
    for (unsigned i = 0; i < n; i++) {
        const struct id_map *below = groups ? &parent->gids : &parent->uids;
        uint32_t first = down(below, list[i].lower), last = down(below, list[i].lower + list[i].count - 1);
        // All of it in one extent below, as Linux wants it.
        if (first == ID_NONE || last == ID_NONE || last - first != list[i].count - 1)
            return -LX_EPERM;
        list[i].lower = first;
    }
    map->extents = malloc(n * sizeof(*list));
    if (!map->extents)
        return -LX_ENOMEM;
    memcpy(map->extents, list, n * sizeof(*list));
    map->count = n;
    return 0;
}
