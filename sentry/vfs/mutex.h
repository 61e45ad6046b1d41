#pragma once
// A sleeping lock for work that may drop the kernel lock (a Gofer message in the middle of a directory change).
// Itself protected by the kernel lock; waiting drops it. Never held over a blocked call.
#include <stdbool.h>
#include <stdint.h>

struct vfs_mutex {
    uint32_t seq; // futex word, changes at each release somebody waits for
    uint32_t waiters;
    bool held;
};
void vfs_mutex_lock(struct vfs_mutex *m);
bool vfs_mutex_trylock(struct vfs_mutex *m);
void vfs_mutex_unlock(struct vfs_mutex *m);
