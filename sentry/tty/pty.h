#pragma once
// Pseudo terminals (drivers/tty/pty.c): a slave with its line discipline, and the master that types and displays.
#include "sentry/tty/ldisc.h"
#include "sentry/tty/ring.h"
#include "sentry/tty/tty.h"

struct pty {
    struct tty tty; // the slave side; first, so that the two convert
    struct ldisc ld;
    struct wait_queue master_wait;
    struct ring typed;   // written by the master, not yet taken by the line discipline
    struct ring display; // written by the slave, not yet read by the master
    uint32_t ispeed, ospeed;
    struct lx_winsize winsize;
    bool locked;       // until TIOCSPTLCK
    bool slave_closed; // it was open and is no more
    bool master_closed;
    bool packet;           // TIOCPKT
    uint8_t packet_status; // LX_TIOCPKT_* to report
};

// A new pair. NULL: no memory.
struct pty *pty_alloc(void);
static inline struct pty *pty_of(struct tty *t)
{
    return (struct pty *)(void *)t;
}
extern const struct tty_ops pty_slave_ops;

// Moves typed bytes into the line discipline and wakes whom that concerns.
void pty_push(struct pty *p);
void pty_packet_event(struct pty *p, uint8_t set, uint8_t clear);

// The master side (pty_master.c). Opens a new pair on `f`: the open of /dev/ptmx. 0 or -errno.
int pty_open_master(struct file *f);
