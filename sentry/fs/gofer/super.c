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
#define PLAIN_HANDLES_MAX 512 // open fids of a plain server
#define SERVERS_MAX 8         // beside the sandbox's own

struct gofer_connection gofer;
static struct gofer_connection *servers[SERVERS_MAX]; // fixed after start
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
    struct gofer_connection *c = fs->connection;
    uint32_t flags, fid;
    int err = gofer_fid_take(c, &fid);
    if (err)
        return err;
    err = GOFER_BLOCKING(gofer_attach(&c->client, fid, export, &attr, &flags));
    if (err) {
        gofer_fid_give_back(c, fid, false);
        return err;
    }
    fs->read_only = flags & NP_EXPORT_RO;
    fs->xattrs = flags & NP_EXPORT_XATTRS;
    c->nr_fids++;
    struct inode *inode = gofer_inode_get(fs->sb, NULL, "", 0, &attr, NULL, 0);
    if (!inode) {
        gofer_fid_give_back(c, fid, true);
        c->nr_fids--;
        return -LX_ENOMEM;
    }
    gofer_inode(inode)->fid = fid; // not on the list: never evicted
    *root = dentry_alloc_root(inode);
    return *root ? 0 : -LX_ENOMEM;
}

// The option server=N: the N-th server that the operator named, from 1 on.
static struct gofer_connection *connection_by(const char *options)
{
    const char *option = options ? strstr(options, "server=") : NULL;
    unsigned long number = option ? strtoul(option + strlen("server="), NULL, 10) : 0;
    if (!option)
        return &gofer;
    return number >= 1 && number <= SERVERS_MAX ? servers[number - 1] : NULL;
}

static int gofer_mount(const struct fs_type *type, const char *source, const char *options,
                       struct super_block **sb, struct dentry **root)
{
    bool shared = options && strstr(options, "shared");
    struct gofer_connection *connection = connection_by(options);
    if (!connection)
        return -LX_ENODEV;
    if (!source || !*source || strlen(source) >= sizeof((*sb)->source))
        return -LX_EINVAL;
    list_for_each(old, &mounted, struct gofer_fs, mounted)
    {
        if (!strcmp(old->sb->source, source) && old->shared == shared && old->connection == connection) {
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
    (*sb)->flags |= SB_ACL;
    fs->sb = *sb;
    fs->connection = connection;
    fs->shared = shared;
    fs->nowait_writes = true;
    list_init(&fs->mounted);
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
static int make_memfd(bool store, int *rw, int *ro)
{
    return gofer_memfd(&gofer.client, store, rw, ro);
}

static int connect_to(struct gofer_connection *c, int fd, uint32_t uid, bool plain_will_do)
{
    struct rlimit files = {.rlim_cur = 1024};
    getrlimit(RLIMIT_NOFILE, &files);
    list_init(&c->fid_lru);
    list_init(&c->fd_lru);
    int err = gofer_connect(&c->client, fd, TIMEOUT_SECONDS, lost);
    if (!err && c->client.plain && !plain_will_do)
        err = -LX_EPROTONOSUPPORT;
    if (err) {
        log_error("a file server does not speak our protocol: error %d", -err);
        return err;
    }
    c->client.uid = uid;
    c->plain = c->client.plain;
    c->max_fids = GOFER_FIDS_MAX - FIDS_SPARE;
    c->max_fds = c->plain                    ? PLAIN_HANDLES_MAX
                 : files.rlim_cur / 2 < 8192 ? (unsigned)(files.rlim_cur / 2)
                                             : 8192;
    return 0;
}

int gofer_fs_add_server(unsigned index, int fd, uint32_t uid)
{
    if (index >= SERVERS_MAX)
        return -LX_E2BIG;
    servers[index] = calloc(1, sizeof(*servers[index]));
    return servers[index] ? connect_to(servers[index], fd, uid, true) : -LX_ENOMEM;
}

int gofer_fs_init(int fd)
{
    static struct fs_type type = {.name = "9p", .mount = gofer_mount};
    int err = connect_to(&gofer, fd, 0, false);
    if (err)
        return err;
    if (!fs_type_find(type.name))
        fs_type_register(&type);
    mem_data_make_pair = make_memfd;
    return 0;
}

uint64_t gofer_fs_messages(void)
{
    uint64_t sum = atomic_load_explicit(&gofer.client.messages, memory_order_relaxed);
    for (unsigned i = 0; i < SERVERS_MAX && servers[i]; i++)
        sum += atomic_load_explicit(&servers[i]->client.messages, memory_order_relaxed);
    return sum;
}
