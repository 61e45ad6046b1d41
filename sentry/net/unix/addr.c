// Names of AF_UNIX sockets: in the filesystem, abstract, and made up (autobind).
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/net/unix/unix.h"
#include "sentry/task/task.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_AT ((uint32_t)offsetof(struct lx_sockaddr_un, path))
#define NAMES_BUCKETS 256u
#define AUTOBIND_MAX 0x100000u // five hexadecimal digits

static struct list_head names[NAMES_BUCKETS]; // abstract names, unix_sock.name_link
static bool names_ready;

void unix_addr_put(struct unix_addr *a)
{
    if (a && --a->refs == 0)
        free(a);
}

int unix_check_name(const uint8_t *addr, uint32_t len)
{
    uint16_t family;
    if (len <= PATH_AT || len > sizeof(struct lx_sockaddr_un))
        return -LX_EINVAL;
    memcpy(&family, addr, sizeof(family));
    return family == LX_AF_UNIX ? 0 : -LX_EINVAL;
}

static struct list_head *bucket(const uint8_t *addr, uint32_t len)
{
    if (!names_ready) {
        for (unsigned i = 0; i < NAMES_BUCKETS; i++)
            list_init(&names[i]);
        names_ready = true;
    }
    uint32_t h = 2166136261u;
    for (uint32_t i = 0; i < len; i++)
        h = (h ^ addr[i]) * 16777619u;
    return &names[h % NAMES_BUCKETS];
}

static struct unix_sock *find_abstract(const uint8_t *addr, uint32_t len, int type)
{
    list_for_each(u, bucket(addr, len), struct unix_sock,
                  name_link) if (u->addr->len == len && u->sk.type == type &&
                                 memcmp(&u->addr->sun, addr, len) == 0) return u;
    return NULL;
}

static struct unix_addr *make_addr(const uint8_t *addr, uint32_t len)
{
    struct unix_addr *a = calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    a->refs = 1;
    a->len = len;
    memcpy(&a->sun, addr, len);
    return a;
}

static int bind_abstract(struct unix_sock *u, const uint8_t *addr, uint32_t len)
{
    if (find_abstract(addr, len, u->sk.type))
        return -LX_EADDRINUSE;
    u->addr = make_addr(addr, len);
    if (!u->addr)
        return -LX_ENOMEM;
    list_add_tail(&u->name_link, bucket(addr, len));
    return 0;
}

static int autobind(struct unix_sock *u)
{
    static uint32_t next;
    struct lx_sockaddr_un sun = {.family = LX_AF_UNIX};
    if (u->addr)
        return 0;
    for (uint32_t i = 0; i < AUTOBIND_MAX; i++) {
        char digits[8];
        snprintf(digits, sizeof(digits), "%05x", next++ & (AUTOBIND_MAX - 1));
        memcpy(sun.path + 1, digits, 5);
        int err = bind_abstract(u, (const uint8_t *)&sun, PATH_AT + 6);
        if (err != -LX_EADDRINUSE)
            return err;
    }
    return -LX_ENOSPC;
}

static int bind_path(struct unix_sock *u, const uint8_t *addr, uint32_t len)
{
    struct lx_sockaddr_un sun = {0};
    char name[LX_UNIX_PATH_MAX + 1];
    memcpy(&sun, addr, len);
    size_t n = strnlen(sun.path, len - PATH_AT);
    memcpy(name, sun.path, n);
    name[n] = '\0';
    // A path that fills sun_path has no NUL, and is told with one more byte.
    struct unix_addr *a = calloc(1, sizeof(*a) + 1);
    if (!a)
        return -LX_ENOMEM;
    a->refs = 1;
    a->len = PATH_AT + (uint32_t)n + 1;
    a->sun.family = LX_AF_UNIX;
    memcpy(a->sun.path, name, n);
    struct path path;
    // A socket with a name makes no second file, but a file in the way is told first.
    if (u->addr) {
        unix_addr_put(a);
        if (path_lookup(LX_AT_FDCWD, name, 0, &path))
            return -LX_EINVAL;
        path_put(&path);
        return -LX_EADDRINUSE;
    }
    int err = vfs_mknod_path(LX_AT_FDCWD, name, LX_S_IFSOCK | 0777, 0, &path);
    if (!err && (u->addr || u->dead)) { // bound meanwhile by another thread
        path_put(&path);
        err = -LX_EINVAL;
    }
    if (err) {
        unix_addr_put(a);
        return err == -LX_EEXIST ? -LX_EADDRINUSE : err;
    }
    u->addr = a;
    u->path = path;
    path.dentry->inode->socket = u;
    return 0;
}

int unix_bind(struct socket *s, const uint8_t *addr, uint32_t len)
{
    struct unix_sock *u = unix_sk(s);
    uint16_t family;
    if (len < sizeof(family) || len > sizeof(struct lx_sockaddr_un))
        return -LX_EINVAL;
    memcpy(&family, addr, sizeof(family));
    if (family != LX_AF_UNIX)
        return -LX_EINVAL;
    if (len == PATH_AT)
        return autobind(u);
    if (addr[PATH_AT] == 0)
        return u->addr ? -LX_EINVAL : bind_abstract(u, addr, len);
    unix_get(u); // making the name may drop the kernel lock
    int err = bind_path(u, addr, len);
    unix_put(u);
    return err;
}

void unix_unname(struct unix_sock *u)
{
    list_del(&u->name_link);
    if (!u->path.dentry)
        return;
    struct inode *i = u->path.dentry->inode;
    if (i && i->socket == u)
        i->socket = NULL;
    struct path path = u->path;
    u->path = (struct path){NULL, NULL};
    path_put(&path);
}

static struct unix_sock *find_path(const uint8_t *addr, uint32_t len, int type, int *err)
{
    char name[LX_UNIX_PATH_MAX + 1];
    size_t n = strnlen((const char *)addr + PATH_AT, len - PATH_AT);
    memcpy(name, addr + PATH_AT, n);
    name[n] = '\0';
    struct path path;
    *err = path_lookup(LX_AT_FDCWD, name, LOOKUP_FOLLOW, &path);
    if (*err)
        return NULL;
    struct inode *i = path.dentry->inode;
    struct unix_sock *u = NULL;
    *err = inode_permission(i, MAY_WRITE);
    if (!*err) {
        u = LX_S_ISSOCK(i->attr.mode) ? i->socket : NULL;
        if (!u)
            *err = -LX_ECONNREFUSED;
        else if (u->sk.type != type)
            *err = -LX_EPROTOTYPE;
    }
    if (u && !*err)
        unix_get(u);
    else
        u = NULL;
    path_put(&path);
    return u;
}

struct unix_sock *unix_find(const uint8_t *addr, uint32_t len, int type, int *err)
{
    if (addr[PATH_AT])
        return find_path(addr, len, type, err);
    struct unix_sock *u = find_abstract(addr, len, type);
    if (!u) {
        *err = -LX_ECONNREFUSED;
        return NULL;
    }
    return unix_get(u);
}
