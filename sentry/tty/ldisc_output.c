// Output half of the line discipline: OPOST, column tracking, echo.
#include "sentry/tty/ldisc.h"
#include <string.h>

#define EXPANSION_MAX 8 // a tab at column 0

// What one byte becomes on the display. Updates the column. Returns the length of `out`.
static size_t process(struct ldisc *ld, uint8_t c, uint8_t out[EXPANSION_MAX])
{
    uint32_t flags = ld->termios.c_oflag;
    out[0] = c;
    if (!(flags & LX_OPOST))
        return 1;
    switch (c) {
    case '\n':
        if (flags & LX_ONLRET)
            ld->column = 0;
        if (flags & LX_ONLCR) {
            ld->canon_column = ld->column = 0;
            out[0] = '\r';
            out[1] = '\n';
            return 2;
        }
        ld->canon_column = ld->column;
        return 1;
    case '\r':
        if ((flags & LX_ONOCR) && ld->column == 0)
            return 0;
        if (flags & LX_OCRNL) {
            out[0] = '\n';
            if (flags & LX_ONLRET)
                ld->canon_column = ld->column = 0;
            return 1;
        }
        ld->canon_column = ld->column = 0;
        return 1;
    case '\t': {
        unsigned spaces = 8 - (ld->column & 7);
        ld->column += spaces;
        if ((flags & LX_TABDLY) != LX_XTABS)
            return 1;
        memset(out, ' ', spaces);
        return spaces;
    }
    case '\b':
        if (ld->column > 0)
            ld->column--;
        return 1;
    default:
        if (ldisc_is_control(c))
            return 1;
        if ((flags & LX_OLCUC) && c >= 'a' && c <= 'z')
            out[0] = (uint8_t)(c - 'a' + 'A');
        if (!ldisc_is_continuation(ld, c))
            ld->column++;
        return 1;
    }
}

size_t ldisc_write(struct ldisc *ld, const uint8_t *bytes, size_t n)
{
    size_t done = 0;
    ldisc_drain_echo(ld);
    if (ld->echo_used)
        return 0;
    if (!(ld->termios.c_oflag & LX_OPOST)) {
        size_t room = ld->ops->room(ld);
        done = n < room ? n : room;
        if (done)
            ld->ops->output(ld, bytes, done);
        return done;
    }
    uint8_t block[1024];
    while (done < n) {
        size_t room = ld->ops->room(ld), used = 0;
        if (room > sizeof(block))
            room = sizeof(block);
        while (done < n && used + EXPANSION_MAX <= room)
            used += process(ld, bytes[done++], block + used);
        if (used == 0)
            break;
        ld->ops->output(ld, block, used);
    }
    return done;
}

void ldisc_drain_echo(struct ldisc *ld)
{
    if (!ld->echo_used)
        return;
    size_t room = ld->ops->room(ld), n = ld->echo_used < room ? ld->echo_used : room;
    if (!n)
        return;
    uint8_t out[LDISC_ECHO];
    memcpy(out, ld->echo, n);
    ld->echo_used -= n;
    memmove(ld->echo, ld->echo + n, ld->echo_used);
    ld->ops->output(ld, out, n);
}

// Echo keeps its order: what finds no room waits, and what finds the waiting room full is lost, as in Linux.
static void emit(struct ldisc *ld, const uint8_t *bytes, size_t n)
{
    ldisc_drain_echo(ld);
    if (!ld->echo_used && ld->ops->room(ld) >= n) {
        if (n)
            ld->ops->output(ld, bytes, n);
        return;
    }
    if (n > LDISC_ECHO - ld->echo_used)
        return;
    memcpy(ld->echo + ld->echo_used, bytes, n);
    ld->echo_used += n;
}

void ldisc_echo_raw(struct ldisc *ld, uint8_t c)
{
    uint8_t out[EXPANSION_MAX];
    emit(ld, out, process(ld, c, out));
}

void ldisc_echo_char(struct ldisc *ld, uint8_t c)
{
    if ((ld->termios.c_lflag & LX_ECHOCTL) && ldisc_is_control(c) && c != '\t') {
        ldisc_echo_raw(ld, '^');
        ldisc_echo_raw(ld, c ^ 0100);
        return;
    }
    ldisc_echo_raw(ld, c);
}

void ldisc_echo_erase_tab(struct ldisc *ld, unsigned columns, bool after_tab)
{
    if (!after_tab)
        columns += ld->canon_column;
    for (unsigned n = 8 - (columns & 7); n; n--) {
        uint8_t back = '\b';
        emit(ld, &back, 1);
        if (ld->column > 0)
            ld->column--;
    }
}
