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
    if (s->mode_option != 01777 && n >= 0 && (size_t)n < size)
        n += snprintf(buf + n, size - (size_t)n, ",mode=%o", s->mode_option);
    return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

static const struct super_ops tmpfs_super_ops = {.put_super = put_super, .show_options = show_options};

static int create_super(uint64_t bytes, uint64_t inodes, uint32_t mode, struct super_block **out)
{
    struct tmpfs_super *s = calloc(1, sizeof(*s));
    struct super_block *sb = s ? sb_alloc("tmpfs", &tmpfs_super_ops, s) : NULL;
    if (!sb) {
        free(s);
        return -LX_ENOMEM;
    }
    mem_account_init(&s->account, bytes ? bytes : default_size, inodes);
    s->size_option = bytes;
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

static int tmpfs_mount(const struct fs_type *t, const char *source, const char *options,
                       struct super_block **sb, struct dentry **root)
{
    uint64_t size = 0, inodes = 0;
    uint32_t mode = 01777;
    uint32_t uid = current ? current->cred->fsuid : 0, gid = current ? current->cred->fsgid : 0;
    char *copy = strdup(options ? options : ""), *rest = copy, *one;
    if (!copy)
        return -LX_ENOMEM;
    bool good = true;
    while ((one = strsep(&rest, ",")) != NULL && good) {
        char *value = strchr(one, '=');
        if (value)
            *value++ = 0;
        if (*one == 0)
            continue;
        char *end = NULL;
        if (value && strcmp(one, "size") == 0)
            good = parse_size(value, &size);
        else if (value && strcmp(one, "nr_blocks") == 0)
            good = parse_size(value, &size) && !__builtin_mul_overflow(size, MEM_PAGE, &size);
        else if (value && strcmp(one, "nr_inodes") == 0)
            good = parse_size(value, &inodes);
        else if (value && strcmp(one, "mode") == 0)
            good = (mode = (uint32_t)strtoul(value, &end, 8)) <= 07777 && end != value && *end == 0;
        else if (value && strcmp(one, "uid") == 0)
            good = (uid = (uint32_t)strtoul(value, &end, 10), end != value && *end == 0);
        else if (value && strcmp(one, "gid") == 0)
            good = (gid = (uint32_t)strtoul(value, &end, 10), end != value && *end == 0);
        else
            good = false;
    }
    free(copy);
    if (!good)
        return -LX_EINVAL;
    int err = create(size, inodes, mode, uid, gid, sb, root);
    if (err == 0 && source && *source) {
        memset((*sb)->source, 0, sizeof((*sb)->source));
        strncpy((*sb)->source, source, sizeof((*sb)->source) - 1);
    }
    return err;
}

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
