#pragma once
// POSIX access control lists (fs/posix_acl.c of Linux; the drafts of POSIX 1003.1e). Kernel lock.
//
// A list is an extended attribute of its file. What has been set, inherited or read is also kept parsed at the inode, where
// permission checks and the making of files look; a list that lies below an overlay counts from the first look at the
// file's attributes on.
#include "sentry/vfs/vfs.h"

#define ACL_NAME_ACCESS "system.posix_acl_access"
#define ACL_NAME_DEFAULT "system.posix_acl_default"

struct posix_acl;
struct inode_acls {                   // inode->acls
    struct posix_acl *access, *deflt; // NULL: none
};

bool acl_is_name(const char *name);
// The attribute `name` of the inode is now `value`; size 0: it is gone. Keeps the parsed form; other names are no matter.
void acl_note(struct inode *i, const char *name, const void *value, size_t size);
void acl_forget(struct inode *i);
// setxattr(2) and removexattr(2) (size 0) of such a name: 0 or -errno.
int acl_set(const struct path *p, const char *name, const void *value, size_t size);
// May current, who is not the owner, do this? The inode has an access list.
bool acl_allows(const struct inode *i, int mask);
// After a change of the mode, the list follows. 0 or -errno.
int acl_chmod(struct inode *i);
// The mode of a new file in `dir`: less the umask, or less what the directory's default list takes.
uint32_t acl_new_mode(const struct inode *dir, uint32_t mode);
// Gives a file just made what it inherits; `asked` is the mode before acl_new_mode(). 0 or -errno.
int acl_inherit(const struct inode *dir, struct inode *made, uint32_t asked);
