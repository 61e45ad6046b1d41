// Which missing calls were logged already: a hash set of fixed size that starts over when it is full.
#include "sentry/trap/missing.h"
#include "sentry/core/log.h"
#include "sentry/trap/call.h"
#include <string.h>

#define MISSING_MAX 512u // a power of two
#define MISSING_FULL (MISSING_MAX / 4 * 3)

static uint64_t seen[MISSING_MAX]; // hashes of pairs, 0 = free; kernel lock
static unsigned seen_count;        // kernel lock

// FNV-1a.
static uint64_t hash(const char *program, uint32_t nr)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *program; program++)
        h = (h ^ (unsigned char)*program) * 0x100000001b3u;
    for (int i = 0; i < 4; i++)
        h = (h ^ (nr >> (8 * i) & 0xff)) * 0x100000001b3u;
    return h ? h : 1;
}

bool missing_call_first(const char *program, uint32_t nr)
{
    uint64_t h = hash(program, nr);
    unsigned i = (unsigned)h & (MISSING_MAX - 1);
    while (seen[i] && seen[i] != h)
        i = (i + 1) & (MISSING_MAX - 1);
    if (seen[i])
        return false;
    if (seen_count >= MISSING_FULL) {
        memset(seen, 0, sizeof(seen));
        seen_count = 0;
        i = (unsigned)h & (MISSING_MAX - 1);
    }
    seen[i] = h;
    seen_count++;
    return true;
}

void missing_call_log(const char *program, uint32_t nr)
{
    char name[64];
    if (!missing_call_first(program, nr))
        return;
    log_escape(name, sizeof(name), program, strlen(program));
    if (nr < syscall_table_size && syscall_table[nr].name)
        log_info("%s: system call %s (%u) is not there: ENOSYS", name, syscall_table[nr].name, nr);
    else
        log_info("%s: system call %u is not there: ENOSYS", name, nr);
}
