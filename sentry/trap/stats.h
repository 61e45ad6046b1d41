#pragma once
// --stats: calls and Gofer messages by system call, written when the sandbox ends. Kernel lock.
#include <stdint.h>

void stats_init(int fd); // -1: off
void stats_call(uint32_t nr, int64_t result, uint64_t messages);
// Requests sent to the Gofer so far; set by its client. NULL: none.
extern uint64_t (*stats_gofer_messages)(void);
static inline uint64_t stats_messages(void)
{
    return stats_gofer_messages ? stats_gofer_messages() : 0;
}
void stats_kick(void);
void stats_write(void); // once, at the end
