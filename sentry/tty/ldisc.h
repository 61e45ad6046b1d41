#pragma once
// The N_TTY line discipline (drivers/tty/n_tty.c of Linux): what becomes of typed bytes (echo, editing, signals, lines) and of
// written bytes (output processing). It knows nothing of files or tasks: its owner gives it a sink and a signal function.
// Everything here: kernel lock.
#include "abi/linux/termios.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LDISC_BUFFER 4096u // N_TTY_BUF_SIZE: the longest line is one less
#define LDISC_ECHO 4096u

struct ldisc;
struct ldisc_ops {
    // Free bytes at the display side; 0 while output is stopped.
    size_t (*room)(struct ldisc *ld);
    // Takes n bytes for the display side; n is at most what room() said.
    void (*output)(struct ldisc *ld, const uint8_t *bytes, size_t n);
    // Discards output that the display side has not taken yet (a signal character without NOFLSH).
    void (*flush_output)(struct ldisc *ld);
    // SIGINT, SIGQUIT or SIGTSTP for the foreground process group.
    void (*signal)(struct ldisc *ld, int sig);
    // ^S and ^Q: `stopped` has changed.
    void (*flow)(struct ldisc *ld);
    // Typed bytes were thrown away by a signal character.
    void (*flushed_input)(struct ldisc *ld);
};

struct ldisc {
    const struct ldisc_ops *ops;
    struct lx_termios termios;
    // Typed bytes: positions only grow, an index is position modulo LDISC_BUFFER. tail <= canon_head <= head.
    uint64_t tail, canon_head, head;
    uint8_t buffer[LDISC_BUFFER];
    bool line_end[LDISC_BUFFER]; // this byte ends a line (newline, EOF, EOL)
    uint8_t echo[LDISC_ECHO];    // echo that found no room
    size_t echo_used;
    unsigned column, canon_column;
    bool lnext;   // the next byte is literal
    bool erasing; // inside \.../ of ECHOPRT
    bool stopped; // by the STOP character or TCOOFF
    bool stopped_by_ioctl;
    bool pushed;            // buffered bytes became a line when ICANON was set
    uint64_t last_input_ns; // CLOCK_MONOTONIC, kept by the owner for VTIME
};

void ldisc_init(struct ldisc *ld, const struct ldisc_ops *ops);
// The state of a terminal just opened (tty_std_termios).
void ldisc_default_termios(struct lx_termios *t);

// Typed bytes. Returns how many were taken: fewer when the buffer is full (never in an unfinished canonical line, whose
// excess is dropped as Linux does).
size_t ldisc_receive(struct ldisc *ld, const uint8_t *bytes, size_t n);
// Written bytes, through output processing. Returns how many were consumed.
size_t ldisc_write(struct ldisc *ld, const uint8_t *bytes, size_t n);
// Would a read return something now? `amount` is how many bytes raw mode wants.
bool ldisc_readable(const struct ldisc *ld, size_t amount);
size_t ldisc_available(const struct ldisc *ld); // FIONREAD
// Takes up to n bytes: at most one line in canonical mode. *eof_line is set when the line ended (an empty one is end of file).
size_t ldisc_read(struct ldisc *ld, uint8_t *out, size_t n);

void ldisc_set_termios(struct ldisc *ld, const struct lx_termios *t);
void ldisc_flush_input(struct ldisc *ld);
void ldisc_stop(struct ldisc *ld);
void ldisc_start(struct ldisc *ld);
// The display side has room again: pending echo goes out.
void ldisc_drain_echo(struct ldisc *ld);

static inline bool ldisc_canonical(const struct ldisc *ld)
{
    return (ld->termios.c_lflag & LX_ICANON) && !(ld->termios.c_lflag & LX_EXTPROC);
}

// --- shared by the two halves (ldisc_input.c, ldisc_output.c)
// Echo of one byte as it is / in ^X form when ECHOCTL asks for it.
void ldisc_echo_raw(struct ldisc *ld, uint8_t c);
void ldisc_echo_char(struct ldisc *ld, uint8_t c);
void ldisc_echo_erase_tab(struct ldisc *ld, unsigned columns, bool after_tab);
static inline bool ldisc_is_control(uint8_t c)
{
    return c < 32 || c == 127;
}
static inline bool ldisc_is_continuation(const struct ldisc *ld, uint8_t c)
{
    return (ld->termios.c_iflag & LX_IUTF8) && (c & 0xc0) == 0x80;
}
