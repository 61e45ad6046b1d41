#pragma once
// mount(2) and umount2(2).
#define LX_MS_RDONLY 1u
#define LX_MS_NOSUID 2u
#define LX_MS_NODEV 4u
#define LX_MS_NOEXEC 8u
#define LX_MS_SYNCHRONOUS 16u
#define LX_MS_REMOUNT 32u
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
