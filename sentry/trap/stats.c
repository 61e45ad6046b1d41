#include "sentry/trap/stats.h"
#include "sentry/trap/call.h"
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define NUMBERS 512

static int stats_fd = -1; // never changes after stats_init
static struct {
    uint64_t calls, errors, messages;
} by_number[NUMBERS];  // kernel lock
static uint64_t kicks; // kernel lock
uint64_t (*stats_gofer_messages)(void);

void stats_init(int fd)
{
    stats_fd = fd;
}

void stats_call(uint32_t nr, int64_t result, uint64_t messages)
{
    if (nr >= NUMBERS)
        return;
    by_number[nr].calls++;
    by_number[nr].messages += messages;
    if (result < 0 && result > -512)
        by_number[nr].errors++;
}

void stats_kick(void)
{
    kicks++;
}

static void put(const char *line, int length)
{
    ssize_t unused = write(stats_fd, line, (size_t)length);
    (void)unused;
}

void stats_write(void)
{
    char line[160];
    uint64_t calls = 0, errors = 0, messages = 0;
    if (stats_fd < 0)
        return;
    put(line,
        snprintf(line, sizeof(line), "%-24s %12s %12s %16s\n", "call", "calls", "errors", "gofer messages"));
    for (unsigned nr = 0; nr < NUMBERS; nr++) {
        if (!by_number[nr].calls)
            continue;
        const char *name = nr < syscall_table_size && syscall_table[nr].name ? syscall_table[nr].name : "?";
        put(line, snprintf(line, sizeof(line), "%-24s %12" PRIu64 " %12" PRIu64 " %16" PRIu64 "\n", name,
                           by_number[nr].calls, by_number[nr].errors, by_number[nr].messages));
        calls += by_number[nr].calls;
        errors += by_number[nr].errors;
        messages += by_number[nr].messages;
    }
    put(line, snprintf(line, sizeof(line), "%-24s %12" PRIu64 " %12" PRIu64 " %16" PRIu64 "\n", "total",
                       calls, errors, messages));
    put(line, snprintf(line, sizeof(line), "gofer messages in all: %" PRIu64 "\nkicks: %" PRIu64 "\n",
                       stats_messages(), kicks));
}
