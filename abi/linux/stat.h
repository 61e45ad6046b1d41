#pragma once
// File types, stat, statx, statfs and directory entries on x86-64.
#include "abi/linux/time.h"
#include <stdint.h>

#define LX_S_IFMT 0170000u
#define LX_S_IFSOCK 0140000u
#define LX_S_IFLNK 0120000u
#define LX_S_IFREG 0100000u
#define LX_S_IFBLK 0060000u
#define LX_S_IFDIR 0040000u
#define LX_S_IFCHR 0020000u
#define LX_S_IFIFO 0010000u
#define LX_S_ISUID 04000u
#define LX_S_ISGID 02000u
#define LX_S_ISVTX 01000u
#define LX_S_IXGRP 0010u
#define LX_S_ISREG(m) (((m)&LX_S_IFMT) == LX_S_IFREG)
#define LX_S_ISDIR(m) (((m)&LX_S_IFMT) == LX_S_IFDIR)
#define LX_S_ISLNK(m) (((m)&LX_S_IFMT) == LX_S_IFLNK)
#define LX_S_ISCHR(m) (((m)&LX_S_IFMT) == LX_S_IFCHR)
#define LX_S_ISBLK(m) (((m)&LX_S_IFMT) == LX_S_IFBLK)
#define LX_S_ISFIFO(m) (((m)&LX_S_IFMT) == LX_S_IFIFO)
#define LX_S_ISSOCK(m) (((m)&LX_S_IFMT) == LX_S_IFSOCK)

// Types of directory entries: the type bits of the mode, shifted.
#define LX_DT_UNKNOWN 0
#define LX_DT_FIFO 1
#define LX_DT_CHR 2
#define LX_DT_DIR 4
#define LX_DT_BLK 6
#define LX_DT_REG 8
#define LX_DT_LNK 10
#define LX_DT_SOCK 12
#define LX_MODE_TO_DT(m) (((m)&LX_S_IFMT) >> 12)

// dev_t as stat(2) shows it (new_encode_dev).
static inline uint64_t lx_makedev(uint32_t major, uint32_t minor)
{
    return ((uint64_t)(minor & 0xff)) | ((uint64_t)(major & 0xfff) << 8) |
           ((uint64_t)(minor & ~0xffu) << 12) | ((uint64_t)(major & ~0xfffu) << 32);
}
static inline uint32_t lx_major(uint64_t dev)
{
    return (uint32_t)(((dev >> 8) & 0xfff) | ((dev >> 32) & ~0xfffu));
}
static inline uint32_t lx_minor(uint64_t dev)
{
    return (uint32_t)((dev & 0xff) | ((dev >> 12) & ~0xffu));
}

struct lx_stat {
    uint64_t dev, ino, nlink;
    uint32_t mode, uid, gid, pad0;
    uint64_t rdev;
    int64_t size, blksize, blocks;
    uint64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
    int64_t unused[3];
};
_Static_assert(sizeof(struct lx_stat) == 144, "struct stat");

struct lx_statx_timestamp {
    int64_t sec;
    uint32_t nsec;
    int32_t reserved;
};
struct lx_statx {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, pad0;
    uint64_t ino, size, blocks, attributes_mask;
    struct lx_statx_timestamp atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mnt_id;
    uint32_t dio_mem_align, dio_offset_align;
    uint64_t spare[12];
};
_Static_assert(sizeof(struct lx_statx) == 256, "struct statx");
#define LX_STATX_BASIC_STATS 0x7ffu
#define LX_STATX_BTIME 0x800u
#define LX_STATX_MNT_ID 0x1000u
#define LX_STATX_RESERVED 0x80000000u
#define LX_STATX_ATTR_IMMUTABLE 0x10u
#define LX_STATX_ATTR_APPEND 0x20u
#define LX_STATX_ATTR_MOUNT_ROOT 0x2000u

struct lx_statfs {
    int64_t type, bsize;
    uint64_t blocks, bfree, bavail, files, ffree;
    int32_t fsid[2];
    int64_t namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct lx_statfs) == 120, "struct statfs");
#define LX_ST_RDONLY 0x1
#define LX_ST_NOSUID 0x2
#define LX_ST_NODEV 0x4
#define LX_ST_NOEXEC 0x8
#define LX_ST_VALID 0x20
#define LX_ST_RELATIME 0x1000
#define LX_ST_NOSYMFOLLOW 0x2000

#define LX_TMPFS_MAGIC 0x01021994u
#define LX_OVERLAYFS_SUPER_MAGIC 0x794c7630u
#define LX_PROC_SUPER_MAGIC 0x9fa0u
#define LX_DEVPTS_SUPER_MAGIC 0x1cd1u
#define LX_V9FS_MAGIC 0x01021997u
#define LX_PIPEFS_MAGIC 0x50495045u
#define LX_SOCKFS_MAGIC 0x534F434Bu
#define LX_ANON_INODE_FS_MAGIC 0x09041934u
#define LX_SYSFS_MAGIC 0x62656572u

struct lx_dirent64 { // followed by the name and its NUL, padded to 8
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
};
#define LX_DIRENT64_NAME 19 // offset of the name

#ifndef LX_UTIME_NOW
#define LX_UTIME_NOW 0x3fffffff
#define LX_UTIME_OMIT 0x3ffffffe
#endif
