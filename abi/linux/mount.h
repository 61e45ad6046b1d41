#pragma once
// mount(2), umount2(2) and the calls that replace them.
#include <stdint.h>
#define LX_MS_RDONLY 1u
#define LX_MS_NOSUID 2u
#define LX_MS_NODEV 4u
#define LX_MS_NOEXEC 8u
#define LX_MS_SYNCHRONOUS 16u
#define LX_MS_REMOUNT 32u
#define LX_MS_NOSYMFOLLOW 256u
#define LX_MS_NOATIME 1024u
#define LX_MS_NODIRATIME 2048u
#define LX_MS_BIND 4096u
#define LX_MS_MOVE 8192u
#define LX_MS_REC 16384u
#define LX_MS_SILENT 32768u
#define LX_MS_UNBINDABLE (1u << 17)
#define LX_MS_PRIVATE (1u << 18)
#define LX_MS_SLAVE (1u << 19)
#define LX_MS_SHARED (1u << 20)
#define LX_MS_RELATIME (1u << 21)
#define LX_MS_STRICTATIME (1u << 24)
#define LX_MS_MGC_VAL 0xC0ED0000u
#define LX_MS_MGC_MSK 0xffff0000u
#define LX_MNT_FORCE 1u
#define LX_MNT_DETACH 2u
#define LX_MNT_EXPIRE 4u
#define LX_UMOUNT_NOFOLLOW 8u
#define LX_MS_NOUSER (1u << 31)

// fsopen(2), fspick(2), fsconfig(2), fsmount(2)
#define LX_FSOPEN_CLOEXEC 1u
#define LX_FSPICK_CLOEXEC 1u
#define LX_FSPICK_SYMLINK_NOFOLLOW 2u
#define LX_FSPICK_NO_AUTOMOUNT 4u
#define LX_FSPICK_EMPTY_PATH 8u
#define LX_FSCONFIG_SET_FLAG 0u
#define LX_FSCONFIG_SET_STRING 1u
#define LX_FSCONFIG_SET_BINARY 2u
#define LX_FSCONFIG_SET_PATH 3u
#define LX_FSCONFIG_SET_PATH_EMPTY 4u
#define LX_FSCONFIG_SET_FD 5u
#define LX_FSCONFIG_CMD_CREATE 6u
#define LX_FSCONFIG_CMD_RECONFIGURE 7u
#define LX_FSCONFIG_CMD_CREATE_EXCL 8u
#define LX_FSMOUNT_CLOEXEC 1u
#define LX_MOUNT_ATTR_RDONLY 1u
#define LX_MOUNT_ATTR_NOSUID 2u
#define LX_MOUNT_ATTR_NODEV 4u
#define LX_MOUNT_ATTR_NOEXEC 8u
#define LX_MOUNT_ATTR__ATIME 0x70u
#define LX_MOUNT_ATTR_RELATIME 0u
#define LX_MOUNT_ATTR_NOATIME 0x10u
#define LX_MOUNT_ATTR_STRICTATIME 0x20u
#define LX_MOUNT_ATTR_NODIRATIME 0x80u
#define LX_MOUNT_ATTR_IDMAP 0x100000u
#define LX_MOUNT_ATTR_NOSYMFOLLOW 0x200000u

// open_tree(2), move_mount(2), mount_setattr(2)
#define LX_OPEN_TREE_CLONE 1u
#define LX_OPEN_TREE_CLOEXEC 0x80000u
#define LX_MOVE_MOUNT_F_SYMLINKS 1u
#define LX_MOVE_MOUNT_F_AUTOMOUNTS 2u
#define LX_MOVE_MOUNT_F_EMPTY_PATH 4u
#define LX_MOVE_MOUNT_T_SYMLINKS 0x10u
#define LX_MOVE_MOUNT_T_AUTOMOUNTS 0x20u
#define LX_MOVE_MOUNT_T_EMPTY_PATH 0x40u
#define LX_MOVE_MOUNT_SET_GROUP 0x100u
#define LX_MOVE_MOUNT_BENEATH 0x200u
struct lx_mount_attr {
    uint64_t attr_set, attr_clr, propagation, userns_fd;
};
#define LX_MOUNT_ATTR_SIZE_VER0 32u
_Static_assert(sizeof(struct lx_mount_attr) == LX_MOUNT_ATTR_SIZE_VER0, "struct mount_attr");
