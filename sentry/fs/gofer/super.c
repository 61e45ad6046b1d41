// Mounting exports of the Gofer.
#include "sentry/fs/gofer/gofer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "sentry/core/log.h"
#include "sentry/fs/gofer/fs.h"
#include "sentry/fs/tmpfs/data.h"

#define TIMEOUT_SECONDS 120 // a host's slow disk is no reason to end; a dead Gofer is seen at once
#define FIDS_SPARE 64

struct gofer_connection gofer;
static struct list_head mounted = LIST_INIT(mounted);

static void lost(const char *why)
{
    kernel_fatal("%s", why);
}

static void put_super(struct super_block *sb)
{
    struct gofer_fs *fs = sb->priv;
    list_del(&fs->mounted);
    free(fs);
}

static const struct super_ops super_ops = {.put_super = put_super};

static int attach_root(struct gofer_fs *fs, const char *export, struct dentry **root)
{
    struct np_attr attr;
    uint32_t flags, fid = gofer.nr_free ? gofer.free_fids[--gofer.nr_free] : gofer.next_fid++;
    if (fid >= GOFER_FIDS_MAX)
        return -LX_ENFILE;
    int err = GOFER_BLOCKING(gofer_attach(&gofer.client, fid, export, &attr, &flags));
    if (err) {
        gofer.free_fids[gofer.nr_free++] = fid;
        return err;
    }
    fs->read_only = flags & NP_EXPORT_RO;
    fs->xattrs = flags & NP_EXPORT_XATTRS;
    gofer.nr_fids++;
    struct inode *inode = gofer_inode_get(fs->sb, NULL, "", 0, &attr, NULL, 0);
    if (!inode) {
        gofer.dead_fids[gofer.nr_dead++] = fid;
        gofer.nr_fids--;
        return -LX_ENOMEM;
    }
    gofer_inode(inode)->fid = fid; // not on the list: never evicted
    *root = dentry_alloc_root(inode);
    return *root ? 0 : -LX_ENOMEM;
}

static int gofer_mount(const struct fs_type *type, const char *source, const char *options,
                       struct super_block **sb, struct dentry **root)
{
    bool shared = options && strstr(options, "shared");
    if (!source || !*source || strlen(source) >= sizeof((*sb)->source))
        return -LX_EINVAL;
    list_for_each(old, &mounted, struct gofer_fs, mounted)
    {
        if (!strcmp(old->sb->source, source) && old->shared == shared) {
            *sb = old->sb;
            old->sb->refs++;
            *root = dentry_get(old->root);
            return 0;
        }
    }
    struct gofer_fs *fs = calloc(1, sizeof(*fs));
    *sb = fs ? sb_alloc(type->name, &super_ops, fs) : NULL;
    if (!*sb) {
        free(fs);
        return -LX_ENOMEM;
    }
    strcpy((*sb)->source, source);
    fs->sb = *sb;
    fs->shared = shared;
    fs->nowait_writes = true;
    list_init(&fs->mounted);
    for (unsigned i = 0; i < GOFER_BUCKETS; i++)
        list_init(&fs->buckets[i]);
    int err = attach_root(fs, source, root);
    if (err) {
        sb_put(*sb);
        return err;
    }
    if (fs->read_only)
        (*sb)->flags |= SB_RDONLY;
    fs->root = *root;
    list_add_tail(&fs->mounted, &mounted);
    return 0;
}

// For memory files: short enough to be asked for under the kernel lock.
static int make_memfd(int *rw, int *ro)
{
    return gofer_memfd(&gofer.client, rw, ro);
}

int gofer_fs_init(int fd)
{
    static struct fs_type type = {.name = "9p", .mount = gofer_mount};
    struct rlimit files = {.rlim_cur = 1024};
    getrlimit(RLIMIT_NOFILE, &files);
    list_init(&gofer.fid_lru);
    list_init(&gofer.fd_lru);
    gofer.max_fids = GOFER_FIDS_MAX - FIDS_SPARE;
    gofer.max_fds = files.rlim_cur / 2 < 8192 ? (unsigned)(files.rlim_cur / 2) : 8192;
    int err = gofer_connect(&gofer.client, fd, TIMEOUT_SECONDS, lost);
    if (err) {
        log_error("the Gofer does not speak our protocol: error %d", -err);
        return err;
    }
    if (!fs_type_find(type.name))
        fs_type_register(&type);
    mem_data_make_pair = make_memfd;
    return 0;
}

uint64_t gofer_fs_messages(void)
{
    return atomic_load_explicit(&gofer.client.messages, memory_order_relaxed);
}
