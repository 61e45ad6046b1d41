#pragma once
// devpts: the directory of terminals. One instance for the sandbox. Kernel lock.
#include <stdint.h>

struct file;
struct tty;

#define DEVPTS_GID_TTY 5u
#define DEVPTS_MODE 0620u
#define DEVPTS_MAX 4096 // /proc/sys/kernel/pty/max

// Registers the filesystem type "devpts". Once at start; 0 or -errno.
int devpts_init(void);
// Gives a terminal its number (`index`, or the lowest free one when -1) and its node; holds a reference until removed.
// 0, -LX_ENOSPC, -LX_EBUSY or -LX_ENOMEM.
int devpts_add(struct tty *t, int index, uint32_t uid, uint32_t gid, uint32_t mode);
void devpts_remove(struct tty *t);
struct tty *devpts_find(int index); // borrowed; NULL
int devpts_count(void);             // /proc/sys/kernel/pty/nr
// A file on the terminal's own node, wherever devpts is mounted, or on no mount at all. No permission is asked (TIOCGPTPEER,
// the standard streams). 0 and a reference in *out, or -errno.
int devpts_open_peer(struct tty *t, uint32_t o_flags, struct file **out);
