#pragma once
// wait4 and waitid options of the guest's ABI (uapi/linux/wait.h).
#define LX_WNOHANG 0x00000001u
#define LX_WUNTRACED 0x00000002u
#define LX_WSTOPPED LX_WUNTRACED
#define LX_WEXITED 0x00000004u
#define LX_WCONTINUED 0x00000008u
#define LX_WNOWAIT 0x01000000u
#define LX_WNOTHREAD 0x20000000u
#define LX_WALL 0x40000000u
#define LX_WCLONE 0x80000000u

#define LX_P_ALL 0
#define LX_P_PID 1
#define LX_P_PGID 2
#define LX_P_PIDFD 3
