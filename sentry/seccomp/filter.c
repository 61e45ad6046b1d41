#include "sentry/seccomp/filter.h"
#include "sentry/seccomp/bpf.h"
#include "abi/linux/errno.h"
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 32768u   // instructions, MAX_INSNS_PER_PATH of Linux
#define FILTER_COST 4u     // what each filter counts besides its instructions
#define ALL_MAX (8u << 20) // instructions of all filters of the sandbox: 64 MiB

struct seccomp_filter {
    unsigned refs;
    unsigned chain; // cost of this one and all below
    unsigned count;
    unsigned length;
    bool log;
    struct seccomp_filter *below; // referenced
    struct lx_sock_filter code[];
};

static unsigned all_instructions; // kernel lock

int seccomp_filter_create(const struct lx_sock_filter *code, unsigned length, bool log,
                          struct seccomp_filter *below, struct seccomp_filter **out)
{
    int r = bpf_check(code, length);
    if (r)
        return r;
    unsigned chain = length + FILTER_COST + (below ? below->chain : 0);
    if (chain > CHAIN_MAX || all_instructions + length + FILTER_COST > ALL_MAX)
        return -LX_ENOMEM;
    struct seccomp_filter *f = malloc(sizeof(*f) + length * sizeof(*code));
    if (!f)
        return -LX_ENOMEM;
    *f = (struct seccomp_filter){.refs = 1,
                                 .chain = chain,
                                 .count = 1 + (below ? below->count : 0),
                                 .length = length,
                                 .log = log,
                                 .below = below};
    memcpy(f->code, code, length * sizeof(*code));
    all_instructions += length + FILTER_COST;
    *out = f;
    return 0;
}

struct seccomp_filter *seccomp_filter_get(struct seccomp_filter *f)
{
    if (f)
        f->refs++;
    return f;
}

void seccomp_filter_put(struct seccomp_filter *f)
{
    while (f && --f->refs == 0) {
        struct seccomp_filter *below = f->below;
        all_instructions -= f->length + FILTER_COST;
        free(f);
        f = below;
    }
}

uint32_t seccomp_filter_run(const struct seccomp_filter *f, const struct lx_seccomp_data *data, bool *logs)
{
    uint32_t strictest = LX_SECCOMP_RET_ALLOW;
    *logs = false;
    for (; f; f = f->below) {
        uint32_t r = bpf_run(f->code, f->length, data);
        if ((int32_t)(r & LX_SECCOMP_RET_ACTION_FULL) < (int32_t)(strictest & LX_SECCOMP_RET_ACTION_FULL)) {
            strictest = r;
            *logs = f->log;
        }
    }
    return strictest;
}

bool seccomp_filter_extends(const struct seccomp_filter *f, const struct seccomp_filter *old)
{
    if (!old)
        return true;
    while (f && f != old)
        f = f->below;
    return f;
}

const struct lx_sock_filter *seccomp_filter_program(const struct seccomp_filter *f, uint64_t n,
                                                    unsigned *length, bool *log)
{
    while (f && f->count > n + 1)
        f = f->below;
    if (!f || f->count != n + 1)
        return NULL;
    *length = f->length;
    *log = f->log;
    return f->code;
}

unsigned seccomp_filter_count(const struct seccomp_filter *f)
{
    return f ? f->count : 0;
}
