// Mounting tmpfs, and memfds, which live on an internal one.
#include "sentry/fs/tmpfs/node.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static uint64_t default_size;
static struct super_block *memfd_sb;

void tmpfs_set_default_size(uint64_t bytes)
{
    default_size = bytes;
}

uint64_t tmpfs_default_size(void)
{
    return default_size;
}

static void put_super(struct super_block *sb)
{
    free(sb->priv);
}

static size_t show_options(struct super_block *sb, char *buf, size_t size)
{
    const struct tmpfs_super *s = sb->priv;
    int n = 0;
    if (s->size_option)
        n = snprintf(buf, size, ",size=%lluk", (unsigned long long)(s->size_option / 1024));
    if (s->inodes_option && n >= 0 && (size_t)n < size)
        n += snprintf(buf + n, size - (size_t)n, ",nr_inodes=%llu", (unsigned long long)s->inodes_option);
    if (s->mode_option != 01777 && n >= 0 && (size_t)n < size)
        n += snprintf(buf + n, size - (size_t)n, ",mode=%o", s->mode_option);
    return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

static const struct super_ops tmpfs_super_ops; // below

static int create_super(uint64_t bytes, uint64_t inodes, uint32_t mode, struct super_block **out)
{
    struct tmpfs_super *s = calloc(1, sizeof(*s));
    struct super_block *sb = s ? sb_alloc("tmpfs", &tmpfs_super_ops, s) : NULL;
    if (!sb) {
        free(s);
        return -LX_ENOMEM;
    }
    sb->flags |= SB_ACL;
    mem_account_init(&s->account, bytes ? bytes : default_size, inodes);
    s->size_option = bytes;
    s->inodes_option = inodes;
    s->mode_option = mode;
    *out = sb;
    return 0;
}

static int create(uint64_t bytes, uint64_t inodes, uint32_t mode, uint32_t uid, uint32_t gid,
                  struct super_block **sb, struct dentry **root)
{
    int err = create_super(bytes, inodes, mode, sb);
    if (err)
        return err;
    struct inode *i = tmpfs_new_inode(*sb, LX_S_IFDIR | (mode & 07777), 0, uid, gid, &err);
    *root = i ? dentry_alloc_root(i) : NULL;
    if (*root)
        return 0;
    sb_put(*sb);
    return -LX_ENOMEM;
}

int tmpfs_create(uint64_t bytes, uint32_t mode, uint32_t uid, uint32_t gid, struct super_block **sb,
                 struct dentry **root)
{
    return create(bytes, 0, mode, uid, gid, sb, root);
}

struct file *tmpfs_memfd(const char *name, uint32_t seals, uint32_t mode)
{
    if (!memfd_sb && create_super(0, 0, 01777, &memfd_sb))
        return NULL;
    int err;
    uint32_t uid = current ? current->cred->fsuid : 0, gid = current ? current->cred->fsgid : 0;
    struct inode *i = tmpfs_new_inode(memfd_sb, LX_S_IFREG | mode, 0, uid, gid, &err);
    if (!i)
        return NULL;
    i->attr.nlink = 0;
    tmpfs_node(i)->seals = seals;
    return inode_file(i, FMODE_READ | FMODE_WRITE | FMODE_SEEKABLE, 2, name); // O_RDWR
}

// "512m", "1g", "50%" (of RAM); false when it is none of them.
static bool parse_size(const char *text, uint64_t *out)
{
    char *end;
    unsigned long long v = strtoull(text, &end, 10);
    if (end == text)
        return false;
    unsigned shift = 0;
    if (*end == '%') {
        struct mem_account whole;
        mem_account_init(&whole, 0, 0);
        *out = v > 100 ? whole.max_pages * 2 * MEM_PAGE : whole.max_pages * 2 * MEM_PAGE / 100 * v;
        return end[1] == 0;
    }
    switch (*end | 0x20) {
    case 'k':
        shift = 10;
        break;
    case 'm':
        shift = 20;
        break;
    case 'g':
        shift = 30;
        break;
    default:
        *out = v;
        return *end == 0;
    }
    *out = v << shift;
    return end[1] == 0 && v <= UINT64_MAX >> shift;
}

struct options {
    uint64_t size, inodes; // 0: not given
    uint32_t mode, uid, gid;
    bool with_size, with_inodes;
};

static bool parse_number(const char *text, int base, uint32_t max, uint32_t *out)
{
    char *end;
    unsigned long v = strtoul(text, &end, base);
    *out = (uint32_t)v;
    return end != text && *end == 0 && v <= max;
}

static bool parse_one(const char *key, const char *value, struct options *o)
{
    if (!value)
        return strcmp(key, "inode32") == 0 || strcmp(key, "inode64") == 0;
    if (strcmp(key, "size") == 0)
        return o->with_size = parse_size(value, &o->size);
    if (strcmp(key, "nr_blocks") == 0)
        return o->with_size =
                   parse_size(value, &o->size) && !__builtin_mul_overflow(o->size, MEM_PAGE, &o->size);
    if (strcmp(key, "nr_inodes") == 0)
        return o->with_inodes = parse_size(value, &o->inodes);
    if (strcmp(key, "mode") == 0)
        return parse_number(value, 8, 07777, &o->mode);
    if (strcmp(key, "uid") == 0)
        return parse_number(value, 10, UINT32_MAX - 1, &o->uid);
    if (strcmp(key, "gid") == 0)
        return parse_number(value, 10, UINT32_MAX - 1, &o->gid);
    return false;
}

static int parse_options(const char *text, struct options *o)
{
    char *copy = strdup(text ? text : ""), *rest = copy, *one;
    if (!copy)
        return -LX_ENOMEM;
    bool good = true;
    while ((one = strsep(&rest, ",")) != NULL && good) {
        char *value = strchr(one, '=');
        if (value)
            *value++ = 0;
        good = *one == 0 || parse_one(one, value, o);
    }
    free(copy);
    return good ? 0 : -LX_EINVAL;
}

static int tmpfs_mount(const struct fs_type *t, const char *source, const char *options,
                       struct super_block **sb, struct dentry **root)
{
    struct options o = {
        .mode = 01777, .uid = current ? current->cred->fsuid : 0, .gid = current ? current->cred->fsgid : 0};
    int err = parse_options(options, &o);
    if (!err)
        err = create(o.size, o.inodes, o.mode, o.uid, o.gid, sb, root);
    if (err == 0 && source && *source) {
        memset((*sb)->source, 0, sizeof((*sb)->source));
        strncpy((*sb)->source, source, sizeof((*sb)->source) - 1);
    }
    return err;
}

// shmem_reconfigure: limits may change, but not below what is used; mode and owner are the root's own by now.
static int reconfigure(struct super_block *sb, const char *options)
{
    struct tmpfs_super *s = sb->priv;
    struct options o = {0};
    int err = parse_options(options, &o);
    if (err)
        return err;
    struct mem_account fresh;
    mem_account_init(&fresh, o.size, o.inodes);
    if ((o.with_size && fresh.max_pages < s->account.pages) ||
        (o.with_inodes && fresh.max_inodes < s->account.inodes))
        return -LX_EINVAL;
    if (o.with_size) {
        s->account.max_pages = fresh.max_pages;
        s->size_option = o.size;
    }
    if (o.with_inodes) {
        s->account.max_inodes = fresh.max_inodes;
        s->inodes_option = o.inodes;
    }
    return 0;
}

static const struct super_ops tmpfs_super_ops = {
    .put_super = put_super, .show_options = show_options, .reconfigure = reconfigure};

void tmpfs_init(void)
{
    static struct fs_type type = {.name = "tmpfs", .mount = tmpfs_mount, .guest_may_mount = true};
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        mem_data_limit_descriptors(files.rlim_cur);
    mem_ram_bytes();
    if (!fs_type_find("tmpfs"))
        fs_type_register(&type);
}
