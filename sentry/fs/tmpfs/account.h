#pragma once
// What a memory filesystem may use. Kernel lock.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mem_account {
    uint64_t pages, max_pages; // 4 KiB each
    uint64_t inodes, max_inodes;
    bool store; // larger files lie in the operator's store instead of memory; never changes
};
#define MEM_PAGE 4096u

static inline bool mem_charge(struct mem_account *a, uint64_t pages)
{
    if (pages > a->max_pages || a->pages > a->max_pages - pages)
        return false;
    a->pages += pages;
    return true;
}
static inline void mem_uncharge(struct mem_account *a, uint64_t pages)
{
    a->pages -= pages;
}
// Of a symlink's text: a short one costs no more than its inode.
static inline uint64_t mem_target_pages(size_t len)
{
    return len < 128 ? 0 : 1;
}
// Sets limits for a filesystem of `bytes` (0: the default size).
void mem_account_init(struct mem_account *a, uint64_t bytes, uint64_t inodes);
// The host's memory, asked once: the first call must come before the jail's filter.
uint64_t mem_ram_bytes(void);
