#pragma once
// User namespaces: who is whom in them, and what a capability is good for (user_namespaces(7), kernel/user_namespace.c).
//
// Credentials and inodes hold ids of the first namespace, the sandbox's; a call translates where an id comes from or goes to
// its caller. Kernel lock.
#include "sentry/task/namespace.h"
#include <stdbool.h>

#define ID_NONE UINT32_MAX
#define ID_OVERFLOW 65534u // shown for an id that the namespace has no number for
#define ID_EXTENTS_MAX 340 // of one map, as in Linux
#define USER_NS_DEPTH_MAX 32

struct cred;

struct id_extent {
    uint32_t first, lower, count; // `lower` in the first namespace, once the map is there
};
struct id_map {
    unsigned count;
    struct id_extent *extents;
};
struct user_ns {
    struct ns_common ns;
    struct user_ns *parent; // referenced; NULL for the first
    unsigned level;
    uint32_t owner, group; // who made it
    bool setgroups_allowed, parent_could_setfcap;
    struct id_map uids, gids; // empty until they are written, once
};
extern struct user_ns init_user_ns;

// From a number of the namespace, and to one. ID_NONE when there is none; the munged forms say ID_OVERFLOW then.
uint32_t make_kuid(const struct user_ns *ns, uint32_t uid);
uint32_t make_kgid(const struct user_ns *ns, uint32_t gid);
uint32_t from_kuid(const struct user_ns *ns, uint32_t kuid);
uint32_t from_kgid(const struct user_ns *ns, uint32_t kgid);
// As current's namespace shows them.
uint32_t show_uid(uint32_t kuid);
uint32_t show_gid(uint32_t kgid);

// Is `cap` effective in `ns` for these credentials, for current?
bool cred_ns_capable(const struct cred *c, const struct user_ns *ns, int cap);
bool ns_capable(const struct user_ns *ns, int cap);

// Puts fresh credentials into a namespace of their own, below the one they are in. 0, -LX_EPERM (no number in there, or
// changed root), -LX_ENOSPC, -LX_ENOMEM.
int user_ns_create(struct cred *new, bool chrooted);
// Full capabilities, as whoever makes or enters a namespace has (set_cred_user_ns). Takes over the reference.
void cred_enter_user_ns(struct cred *new, struct user_ns *ns);
// Writes the map of user (or group) ids, as `writer` in its namespace (map_write). 0 or -errno.
int user_ns_write_map(struct user_ns *ns, bool groups, const char *text, const struct cred *writer);
bool user_ns_may_setgroups(const struct user_ns *ns);
