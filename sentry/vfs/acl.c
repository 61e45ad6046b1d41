// Access control lists: parsing, checking, inheriting.
#include "sentry/vfs/acl.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include <stdlib.h>
#include <string.h>

// The attribute's form (include/uapi/linux/posix_acl_xattr.h), little-endian.
#define XATTR_VERSION 2u
enum { TAG_USER_OBJ = 1, TAG_USER = 2, TAG_GROUP_OBJ = 4, TAG_GROUP = 8, TAG_MASK = 16, TAG_OTHER = 32 };
struct entry {
    uint16_t tag, perm;
    uint32_t id;
};
_Static_assert(sizeof(struct entry) == 8, "struct posix_acl_xattr_entry");
#define ENTRIES_MAX ((65536u - sizeof(uint32_t)) / sizeof(struct entry))

struct posix_acl {
    unsigned count;
    struct entry e[];
};

bool acl_is_name(const char *name)
{
    return strcmp(name, ACL_NAME_ACCESS) == 0 || strcmp(name, ACL_NAME_DEFAULT) == 0;
}

// posix_acl_valid: the order of tags, each of the three owners once, a mask where names need one.
static bool valid(const struct posix_acl *acl)
{
    static const uint16_t order[] = {TAG_USER_OBJ, TAG_USER, TAG_GROUP_OBJ, TAG_GROUP, TAG_MASK, TAG_OTHER};
    unsigned at = 0, seen = 0;
    for (unsigned i = 0; i < acl->count; i++) {
        const struct entry *e = &acl->e[i];
        bool named = e->tag == TAG_USER || e->tag == TAG_GROUP;
        if ((e->perm & ~7u) || (named && e->id == UINT32_MAX) || (!named && (seen & e->tag)))
            return false;
        while (at < sizeof(order) / sizeof(*order) && order[at] != e->tag)
            at++;
        if (at == sizeof(order) / sizeof(*order))
            return false;
        seen |= e->tag;
    }
    const unsigned needed = TAG_USER_OBJ | TAG_GROUP_OBJ | TAG_OTHER;
    return (seen & needed) == needed && (!(seen & (TAG_USER | TAG_GROUP)) || (seen & TAG_MASK));
}

// *out NULL: an empty list.
static int parse(const void *value, size_t size, struct posix_acl **out)
{
    uint32_t version;
    *out = NULL;
    if (size == 0)
        return 0;
    if (size < sizeof(version) || (size - sizeof(version)) % sizeof(struct entry) != 0)
        return -LX_EINVAL;
    memcpy(&version, value, sizeof(version));
    if (version != XATTR_VERSION)
        return -LX_EOPNOTSUPP;
    size_t count = (size - sizeof(version)) / sizeof(struct entry);
    if (count == 0)
        return 0;
    if (count > ENTRIES_MAX)
        return -LX_EINVAL;
    struct posix_acl *acl = malloc(sizeof(*acl) + count * sizeof(struct entry));
    if (!acl)
        return -LX_ENOMEM;
    acl->count = (unsigned)count;
    memcpy(acl->e, (const char *)value + sizeof(version), count * sizeof(struct entry));
    if (!valid(acl)) {
        free(acl);
        return -LX_EINVAL;
    }
    *out = acl;
    return 0;
}

static int store(struct inode *i, const char *name, const struct posix_acl *acl)
{
    if (!acl) {
        int err = i->ops->removexattr ? i->ops->removexattr(i, name) : -LX_EOPNOTSUPP;
        if (err == -LX_ENODATA)
            err = 0;
        if (!err)
            acl_note(i, name, NULL, 0);
        return err;
    }
    size_t size = sizeof(uint32_t) + acl->count * sizeof(struct entry);
    char *value = malloc(size);
    if (!value)
        return -LX_ENOMEM;
    const uint32_t version = XATTR_VERSION;
    memcpy(value, &version, sizeof(version));
    memcpy(value + sizeof(version), acl->e, acl->count * sizeof(struct entry));
    int err = i->ops->setxattr(i, name, value, size, 0);
    if (!err)
        acl_note(i, name, value, size);
    free(value);
    return err;
}

void acl_note(struct inode *i, const char *name, const void *value, size_t size)
{
    struct posix_acl *acl;
    if (!acl_is_name(name) || parse(value, size, &acl) || (!acl && !i->acls))
        return;
    if (!i->acls && !(i->acls = calloc(1, sizeof(*i->acls)))) {
        free(acl);
        return;
    }
    struct posix_acl **place = strcmp(name, ACL_NAME_ACCESS) == 0 ? &i->acls->access : &i->acls->deflt;
    free(*place);
    *place = acl;
    if (!i->acls->access && !i->acls->deflt)
        acl_forget(i);
}

void acl_forget(struct inode *i)
{
    if (!i->acls)
        return;
    free(i->acls->access);
    free(i->acls->deflt);
    free(i->acls);
    i->acls = NULL;
}

// The nine bits that say the same as far as they can. True when they say all of it.
static bool as_mode(const struct posix_acl *acl, uint32_t *mode)
{
    bool all = true;
    uint32_t bits = 0, mask = 0;
    for (unsigned i = 0; i < acl->count; i++) {
        const struct entry *e = &acl->e[i];
        if (e->tag == TAG_USER_OBJ)
            bits |= (uint32_t)e->perm << 6;
        else if (e->tag == TAG_GROUP_OBJ)
            bits |= (uint32_t)e->perm << 3;
        else if (e->tag == TAG_OTHER)
            bits |= e->perm;
        else
            all = false;
        if (e->tag == TAG_MASK)
            mask = 01000u | (uint32_t)e->perm << 3;
    }
    *mode = mask ? (bits & ~070u) | (mask & 070u) : bits;
    return all;
}

static int set_access(const struct path *p, struct posix_acl *acl)
{
    struct inode *i = p->dentry->inode;
    uint32_t bits;
    bool all = as_mode(acl, &bits);
    struct iattr attr = {.valid = ATTR_MODE | ATTR_CTIME, .ctime = vfs_now()};
    attr.mode = (i->attr.mode & 07000) | bits;
    if (current && !cred_in_group(current->cred, i->attr.gid) && !capable(LX_CAP_FSETID))
        attr.mode &= ~(uint32_t)LX_S_ISGID;
    int err = vfs_setattr(p, i, &attr);
    return err ? err : store(i, ACL_NAME_ACCESS, all ? NULL : acl);
}

int acl_set(const struct path *p, const char *name, const void *value, size_t size)
{
    struct inode *i = p->dentry->inode;
    struct posix_acl *acl;
    if (!(i->sb->flags & SB_ACL) || LX_S_ISLNK(i->attr.mode) || !i->ops->setxattr)
        return -LX_EOPNOTSUPP;
    int err = parse(value, size, &acl);
    if (err)
        return err;
    if (!inode_owner_or_capable(i))
        err = -LX_EPERM;
    else if (strcmp(name, ACL_NAME_ACCESS) == 0)
        err = acl ? set_access(p, acl) : store(i, name, NULL);
    else if (!LX_S_ISDIR(i->attr.mode))
        err = acl ? -LX_EACCES : 0;
    else
        err = store(i, name, acl);
    free(acl);
    return err;
}

// What the mask lets through of an entry.
static bool masked_allows(const struct posix_acl *acl, const struct entry *e, unsigned want)
{
    for (unsigned i = 0; i < acl->count; i++)
        if (acl->e[i].tag == TAG_MASK)
            return (e->perm & acl->e[i].perm & want) == want;
    return (e->perm & want) == want;
}

bool acl_allows(const struct inode *i, int mask)
{
    const struct posix_acl *acl = i->acls->access;
    const struct cred *c = current->cred;
    const unsigned want = (unsigned)mask & 7u;
    bool in_some_group = false;
    for (unsigned k = 0; k < acl->count; k++) {
        const struct entry *e = &acl->e[k];
        switch (e->tag) {
        case TAG_USER:
            if (c->fsuid == e->id)
                return masked_allows(acl, e, want);
            break;
        case TAG_GROUP_OBJ:
        case TAG_GROUP:
            if (!cred_in_group(c, e->tag == TAG_GROUP ? e->id : i->attr.gid))
                break;
            in_some_group = true;
            if ((e->perm & want) == want)
                return masked_allows(acl, e, want);
            break;
        case TAG_OTHER:
            return !in_some_group && (e->perm & want) == want;
        }
    }
    return false;
}

static struct posix_acl *clone(const struct posix_acl *acl)
{
    size_t size = sizeof(*acl) + acl->count * sizeof(struct entry);
    struct posix_acl *copy = malloc(size);
    if (copy)
        memcpy(copy, acl, size);
    return copy;
}

int acl_chmod(struct inode *i)
{
    if (!i->acls || !i->acls->access)
        return 0;
    struct posix_acl *acl = clone(i->acls->access);
    if (!acl)
        return -LX_ENOMEM;
    struct entry *group = NULL;
    for (unsigned k = 0; k < acl->count; k++) {
        struct entry *e = &acl->e[k];
        if (e->tag == TAG_USER_OBJ)
            e->perm = (uint16_t)(i->attr.mode >> 6 & 7);
        else if (e->tag == TAG_OTHER)
            e->perm = (uint16_t)(i->attr.mode & 7);
        else if (e->tag == TAG_MASK || (e->tag == TAG_GROUP_OBJ && !group))
            group = e; // the mask, which comes later, wins
    }
    if (group)
        group->perm = (uint16_t)(i->attr.mode >> 3 & 7);
    int err = store(i, ACL_NAME_ACCESS, acl);
    free(acl);
    return err;
}

// posix_acl_create_masq: list and mode each lose what the other does not have.
static void narrow(struct posix_acl *acl, uint32_t *mode)
{
    struct entry *group = NULL;
    for (unsigned k = 0; k < acl->count; k++) {
        struct entry *e = &acl->e[k];
        if (e->tag == TAG_USER_OBJ) {
            e->perm &= (uint16_t)(*mode >> 6 & 7);
            *mode &= ~0700u | (uint32_t)e->perm << 6;
        } else if (e->tag == TAG_OTHER) {
            e->perm &= (uint16_t)(*mode & 7);
            *mode &= ~07u | e->perm;
        } else if (e->tag == TAG_MASK || (e->tag == TAG_GROUP_OBJ && !group)) {
            group = e;
        }
    }
    if (group) {
        group->perm &= (uint16_t)(*mode >> 3 & 7);
        *mode &= ~070u | (uint32_t)group->perm << 3;
    }
}

static const struct posix_acl *default_of(const struct inode *dir)
{
    return dir->acls ? dir->acls->deflt : NULL;
}

uint32_t acl_new_mode(const struct inode *dir, uint32_t mode)
{
    const struct posix_acl *deflt = default_of(dir);
    if (!deflt)
        return current ? mode & ~current->fs->umask : mode;
    struct posix_acl *acl = clone(deflt);
    if (!acl) // as little as can be
        return mode & ~077u;
    narrow(acl, &mode);
    free(acl);
    return mode;
}

int acl_inherit(const struct inode *dir, struct inode *made, uint32_t asked)
{
    const struct posix_acl *deflt = default_of(dir);
    if (!deflt || !made->ops->setxattr)
        return 0;
    struct posix_acl *acl = clone(deflt);
    if (!acl)
        return -LX_ENOMEM;
    uint32_t bits;
    narrow(acl, &asked);
    int err = LX_S_ISDIR(made->attr.mode) ? store(made, ACL_NAME_DEFAULT, deflt) : 0;
    if (!err && !as_mode(acl, &bits))
        err = store(made, ACL_NAME_ACCESS, acl);
    free(acl);
    return err;
}
