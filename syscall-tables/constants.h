#pragma once
// The constants that the tables name, for the generated filters and register checks: the host's own, and what
// Debian 12's headers do not know yet. Guest and host are both x86-64, so the values are the guest's too.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <asm/prctl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include "abi/stub/layout.h"

#define BPF_LOW(value) ((uint32_t)(uint64_t)(value))
#define BPF_HIGH(value) ((uint32_t)((uint64_t)(value) >> 32))
#define X32_SYSCALL_BIT 0x40000000u

#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#ifndef MFD_NOEXEC_SEAL // 6.3
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC 16u
#endif
#ifndef FUTEX_LOCK_PI2 // 5.14
#define FUTEX_LOCK_PI2 13
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS // 6.6
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, uint64_t)
#endif
#ifndef PROCMAP_QUERY // 6.11
#define PROCMAP_QUERY 0xc0686611
#endif
#ifndef NS_GET_PID_IN_PIDNS // 6.11
#define NS_GET_PID_IN_PIDNS _IOR(NSIO, 0x8, int)
#endif
#ifndef PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE // 6.11
#define PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE _IO(0xFF, 6)
#endif
// What the kernel takes for the type of a socket, without SOCK_NONBLOCK and SOCK_CLOEXEC.
#define SOCK_TYPE_MASK 0xf
// The page of the legacy vsyscalls, the same in every process.
#define VSYSCALL_START 0xffffffffff600000
#define VSYSCALL_END 0xffffffffff601000
