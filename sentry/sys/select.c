// select(2), pselect6(2) (fs/select.c of Linux).
#include "abi/linux/poll.h"
#include "sentry/ipc/poll.h"
#include "sentry/ipc/timeout.h"
#include "sentry/task/task.h"
#include "syscall_handlers.h"
#include <stdlib.h>
#include <string.h>

#define IN_SET (EV_RDNORM | EV_RDBAND | EV_IN | EV_HUP | EV_ERR | EV_NVAL)
#define OUT_SET (EV_WRBAND | EV_WRNORM | EV_OUT | EV_ERR | EV_NVAL)
#define EX_SET (EV_PRI | EV_NVAL)
#define WORD_BITS 64u
// Sets of up to this many descriptors need no allocation.
#define SELECT_ON_STACK 1024u

struct select_waiter {
    struct poll_table pt;
    uint32_t events;
    int err;
};

// The three sets the guest gave, and the three that it gets. NULL pointers of the guest are empty sets.
struct select_sets {
    uint64_t *in[3], *out[3];
    unsigned words;
};

static void select_add(struct poll_table *pt, struct wait_queue *q)
{
    struct select_waiter *w = container_of(pt, struct select_waiter, pt);
    if (!w->err)
        w->err = block_add(q, w->events);
}

// Asks for the files as the table is then, as Linux does. With `w` registers the call, which holds them.
// Returns how many bits are set in the results, or -LX_EBADF.
static int select_all(struct select_sets *s, struct select_waiter *w)
{
    static const uint32_t masks[3] = {IN_SET, OUT_SET, EX_SET};
    int ready = 0;
    held_poll_drop(&current->call.held);
    for (unsigned word = 0; word < s->words; word++) {
        uint64_t any = s->in[0][word] | s->in[1][word] | s->in[2][word];
        for (; any; any &= any - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(any);
            struct file *f = fd_lookup_now(current->files, (int)(word * WORD_BITS + bit));
            bool closed = !f || (f->mode & FMODE_PATH);
            if (closed && current->call.first)
                return -LX_EBADF;
            uint32_t wanted = 0;
            for (int k = 0; k < 3; k++)
                if (s->in[k][word] >> bit & 1)
                    wanted |= masks[k];
            if (w && !closed) {
                w->events = wanted;
                if (!w->err)
                    w->err = held_poll(&current->call.held, f);
            }
            // Closed while the call waited: every set has it.
            uint32_t events = closed ? EV_NVAL : file_poll(f, w ? &w->pt : NULL);
            for (int k = 0; k < 3; k++) {
                if ((s->in[k][word] >> bit & 1) && (events & masks[k])) {
                    s->out[k][word] |= 1ull << bit;
                    ready++;
                }
            }
        }
    }
    return ready;
}

static int get_sets(struct select_sets *s, unsigned n, const uint64_t user[3])
{
    for (int k = 0; k < 3; k++) {
        if (!user[k] || n == 0)
            continue;
        if (copy_in(s->in[k], user[k], s->words * sizeof(uint64_t)))
            return -LX_EFAULT;
        // Bits behind the last descriptor count for nothing.
        if (n % WORD_BITS)
            s->in[k][s->words - 1] &= (1ull << (n % WORD_BITS)) - 1;
    }
    return 0;
}

static int64_t select_once(struct select_sets *s, unsigned n, const uint64_t user[3], uint64_t deadline)
{
    int err = get_sets(s, n, user);
    if (err)
        return err;
    int ready = select_all(s, NULL);
    if (ready < 0)
        return ready;
    if (!ready && !current->call.timed_out && deadline != 0) {
        struct select_waiter w = {.pt = {select_add}};
        ready = select_all(s, &w);
        if (!w.err && !ready)
            return block_until(deadline);
        block_cancel();
        if (w.err)
            return w.err;
    }
    for (int k = 0; k < 3; k++)
        if (user[k] && s->words && copy_out(user[k], s->out[k], s->words * sizeof(uint64_t)))
            return -LX_EFAULT;
    return ready;
}

static int64_t do_select(int nfds, const uint64_t user[3], uint64_t deadline)
{
    if (nfds < 0)
        return -LX_EINVAL;
    // Sets end with the table, which in Linux has never fewer than 64 entries.
    unsigned max = current->files->size > 64 ? current->files->size : 64;
    unsigned n = (unsigned)nfds < max ? (unsigned)nfds : max;
    struct select_sets s = {.words = (n + WORD_BITS - 1) / WORD_BITS};
    uint64_t small[6 * SELECT_ON_STACK / WORD_BITS], *bits = small;
    if (n > SELECT_ON_STACK) {
        bits = malloc(6 * s.words * sizeof(uint64_t));
        if (!bits)
            return -LX_ENOMEM;
    }
    memset(bits, 0, 6 * s.words * sizeof(uint64_t));
    for (unsigned k = 0; k < 3; k++) {
        s.in[k] = bits + k * s.words;
        s.out[k] = bits + (3 + k) * s.words;
    }
    int64_t ret = select_once(&s, n, user, deadline);
    if (bits != small)
        free(bits);
    return ret;
}

int64_t sys_select(struct call *c)
{
    struct timeout_state *t = call_state(c, struct timeout_state);
    if (c->first) {
        int err = timeout_begin(t, TIMEOUT_TIMEVAL, c->args[4]);
        if (err)
            return err;
        c->interrupted = -LX_ERESTARTNOHAND;
    }
    return timeout_end(t, do_select(arg_int(c, 0), &c->args[1], t->deadline));
}

int64_t sys_pselect6(struct call *c)
{
    struct timeout_state *t = call_state(c, struct timeout_state);
    if (c->first) {
        struct lx_sigset_argpack pack = {0, 0};
        if (c->args[5] && copy_in(&pack, c->args[5], sizeof(pack)))
            return -LX_EFAULT;
        int err = timeout_begin(t, TIMEOUT_TIMESPEC, c->args[4]);
        if (!err)
            err = temporary_mask(pack.set, pack.size);
        if (err)
            return err;
        c->interrupted = -LX_ERESTARTNOHAND;
    }
    return timeout_end(t, do_select(arg_int(c, 0), &c->args[1], t->deadline));
}
