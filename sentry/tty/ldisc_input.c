// Input half of the line discipline: signals, flow control, line editing, canonical and raw reads.
#include "sentry/tty/ldisc.h"
#include <signal.h>
#include <string.h>

#define EOF_MARK 0 // __DISABLED_CHAR: an EOF character in the buffer, and a disabled entry of c_cc

static bool flag_l(const struct ldisc *ld, uint32_t flag)
{
    return ld->termios.c_lflag & flag;
}
static bool flag_i(const struct ldisc *ld, uint32_t flag)
{
    return ld->termios.c_iflag & flag;
}
static uint8_t cc(const struct ldisc *ld, int i)
{
    return ld->termios.c_cc[i];
}
static uint8_t *at(struct ldisc *ld, uint64_t position)
{
    return &ld->buffer[position % LDISC_BUFFER];
}

void ldisc_default_termios(struct lx_termios *t)
{
    static const uint8_t characters[LX_NCCS] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0};
    memset(t, 0, sizeof(*t));
    t->c_iflag = LX_ICRNL | LX_IXON;
    t->c_oflag = LX_OPOST | LX_ONLCR;
    t->c_cflag = LX_B38400 | LX_CS8 | LX_CREAD;
    t->c_lflag = LX_ISIG | LX_ICANON | LX_ECHO | LX_ECHOE | LX_ECHOK | LX_ECHOCTL | LX_ECHOKE | LX_IEXTEN;
    memcpy(t->c_cc, characters, sizeof(characters));
}

void ldisc_init(struct ldisc *ld, const struct ldisc_ops *ops)
{
    memset(ld, 0, sizeof(*ld));
    ld->ops = ops;
    ldisc_default_termios(&ld->termios);
}

void ldisc_flush_input(struct ldisc *ld)
{
    ld->tail = ld->canon_head = ld->head = 0;
    memset(ld->line_end, 0, sizeof(ld->line_end));
    ld->lnext = ld->erasing = ld->pushed = false;
}

void ldisc_stop(struct ldisc *ld)
{
    if (ld->stopped)
        return;
    ld->stopped = true;
    ld->ops->flow(ld);
}

void ldisc_start(struct ldisc *ld)
{
    if (!ld->stopped || ld->stopped_by_ioctl)
        return;
    ld->stopped = false;
    ld->ops->flow(ld);
    ldisc_drain_echo(ld);
}

static void put(struct ldisc *ld, uint8_t c)
{
    *at(ld, ld->head++) = c;
}

static void put_marked(struct ldisc *ld, uint8_t c)
{
    if (flag_i(ld, LX_PARMRK) && c == 0xff)
        put(ld, c);
    put(ld, c);
}

static void finish_erasing(struct ldisc *ld)
{
    if (ld->erasing) {
        ldisc_echo_raw(ld, '/');
        ld->erasing = false;
    }
}

static void echo_typed(struct ldisc *ld, uint8_t c)
{
    finish_erasing(ld);
    if (ld->canon_head == ld->head)
        ld->canon_column = ld->column;
    ldisc_echo_char(ld, c);
}

enum erase_kind { ERASE_CHAR, ERASE_WORD, ERASE_LINE };

static void echo_erased_tab(struct ldisc *ld)
{
    unsigned columns = 0;
    bool after_tab = false;
    for (uint64_t p = ld->head; p != ld->canon_head && !after_tab;) {
        uint8_t c = *at(ld, --p);
        if (c == '\t')
            after_tab = true;
        else if (ldisc_is_control(c))
            columns += flag_l(ld, LX_ECHOCTL) ? 2 : 0;
        else if (!ldisc_is_continuation(ld, c))
            columns++;
    }
    ldisc_echo_erase_tab(ld, columns, after_tab);
}

static void echo_back_space(struct ldisc *ld)
{
    ldisc_echo_raw(ld, '\b');
    ldisc_echo_raw(ld, ' ');
    ldisc_echo_raw(ld, '\b');
}

// Shows that the character starting with `c` at ld->head (already taken off) is gone.
static void echo_erased(struct ldisc *ld, uint8_t c, uint64_t bytes, enum erase_kind kind)
{
    if (!flag_l(ld, LX_ECHO))
        return;
    if (flag_l(ld, LX_ECHOPRT)) {
        if (!ld->erasing) {
            ldisc_echo_raw(ld, '\\');
            ld->erasing = true;
        }
        ldisc_echo_char(ld, c);
        for (uint64_t i = 1; i < bytes; i++)
            ldisc_echo_raw(ld, *at(ld, ld->head + i));
    } else if (kind == ERASE_CHAR && !flag_l(ld, LX_ECHOE)) {
        ldisc_echo_char(ld, cc(ld, LX_VERASE));
    } else if (c == '\t') {
        echo_erased_tab(ld);
    } else {
        if (ldisc_is_control(c) && flag_l(ld, LX_ECHOCTL))
            echo_back_space(ld);
        if (!ldisc_is_control(c) || flag_l(ld, LX_ECHOCTL))
            echo_back_space(ld);
    }
}

static void erase(struct ldisc *ld, enum erase_kind kind)
{
    if (ld->head == ld->canon_head)
        return;
    if (kind == ERASE_LINE && !flag_l(ld, LX_ECHO)) {
        ld->head = ld->canon_head;
        return;
    }
    if (kind == ERASE_LINE && !(flag_l(ld, LX_ECHOK) && flag_l(ld, LX_ECHOKE) && flag_l(ld, LX_ECHOE))) {
        ld->head = ld->canon_head;
        finish_erasing(ld);
        ldisc_echo_char(ld, cc(ld, LX_VKILL));
        if (flag_l(ld, LX_ECHOK))
            ldisc_echo_raw(ld, '\n');
        return;
    }
    bool seen_word = false;
    while (ld->head != ld->canon_head) {
        uint64_t head = ld->head;
        uint8_t c;
        do {
            c = *at(ld, --head);
        } while (ldisc_is_continuation(ld, c) && head != ld->canon_head);
        if (ldisc_is_continuation(ld, c))
            break; // never half a character
        if (kind == ERASE_WORD) {
            bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                        c == '_' || c >= 0xc0;
            if (word)
                seen_word = true;
            else if (seen_word)
                break;
        }
        uint64_t bytes = ld->head - head;
        ld->head = head;
        echo_erased(ld, c, bytes, kind);
        if (kind == ERASE_CHAR)
            break;
    }
    if (ld->head == ld->canon_head && flag_l(ld, LX_ECHO))
        finish_erasing(ld);
}

static void signal_character(struct ldisc *ld, int sig, uint8_t c)
{
    if (!flag_l(ld, LX_NOFLSH)) {
        ld->echo_used = 0;
        ld->ops->flush_output(ld);
        ldisc_flush_input(ld);
        ld->ops->flushed_input(ld);
    }
    ld->ops->signal(ld, sig);
    if (flag_i(ld, LX_IXON))
        ldisc_start(ld);
    if (flag_l(ld, LX_ECHO))
        ldisc_echo_char(ld, c);
}

static void reprint(struct ldisc *ld, uint8_t c)
{
    finish_erasing(ld);
    ldisc_echo_char(ld, c);
    ldisc_echo_raw(ld, '\n');
    for (uint64_t p = ld->canon_head; p != ld->head; p++)
        ldisc_echo_char(ld, *at(ld, p));
}

static void end_line(struct ldisc *ld, uint8_t c)
{
    ld->line_end[ld->head % LDISC_BUFFER] = true;
    put(ld, c);
    ld->canon_head = ld->head;
}

// Editing characters of canonical mode. Returns true when `c` was one.
static bool canonical_character(struct ldisc *ld, uint8_t c)
{
    bool extended = flag_l(ld, LX_IEXTEN);
    if (c == '\n') {
        if (flag_l(ld, LX_ECHO) || flag_l(ld, LX_ECHONL))
            ldisc_echo_raw(ld, '\n');
        end_line(ld, c);
        return true;
    }
    if (c == EOF_MARK)
        return false; // never special: a zero entry of c_cc is disabled
    if (c == cc(ld, LX_VERASE))
        erase(ld, ERASE_CHAR);
    else if (c == cc(ld, LX_VKILL))
        erase(ld, ERASE_LINE);
    else if (c == cc(ld, LX_VWERASE) && extended)
        erase(ld, ERASE_WORD);
    else if (c == cc(ld, LX_VLNEXT) && extended) {
        ld->lnext = true;
        if (flag_l(ld, LX_ECHO)) {
            finish_erasing(ld);
            if (flag_l(ld, LX_ECHOCTL)) {
                ldisc_echo_raw(ld, '^');
                ldisc_echo_raw(ld, '\b');
            }
        }
    } else if (c == cc(ld, LX_VREPRINT) && flag_l(ld, LX_ECHO) && extended)
        reprint(ld, c);
    else if (c == cc(ld, LX_VEOF))
        end_line(ld, EOF_MARK);
    else if (c == cc(ld, LX_VEOL) || (c == cc(ld, LX_VEOL2) && extended)) {
        if (flag_l(ld, LX_ECHO))
            echo_typed(ld, c);
        if (flag_i(ld, LX_PARMRK) && c == 0xff)
            put(ld, c);
        end_line(ld, c);
    } else
        return false;
    return true;
}

static void receive_literal(struct ldisc *ld, uint8_t c)
{
    if (flag_l(ld, LX_ECHO))
        echo_typed(ld, c);
    put_marked(ld, c);
}

static void receive_one(struct ldisc *ld, uint8_t c)
{
    if (flag_i(ld, LX_ISTRIP))
        c &= 0x7f;
    if (flag_i(ld, LX_IUCLC) && flag_l(ld, LX_IEXTEN) && c >= 'A' && c <= 'Z')
        c = (uint8_t)(c - 'A' + 'a');
    if (flag_l(ld, LX_EXTPROC)) {
        put(ld, c);
        return;
    }
    if (ld->lnext) {
        ld->lnext = false;
        receive_literal(ld, c);
        return;
    }
    if (flag_i(ld, LX_IXON) && c != EOF_MARK) {
        if (c == cc(ld, LX_VSTART)) {
            ldisc_start(ld);
            return;
        }
        if (c == cc(ld, LX_VSTOP)) {
            ldisc_stop(ld);
            return;
        }
    }
    if (flag_l(ld, LX_ISIG) && c != EOF_MARK) {
        int sig = c == cc(ld, LX_VINTR)   ? SIGINT
                  : c == cc(ld, LX_VQUIT) ? SIGQUIT
                  : c == cc(ld, LX_VSUSP) ? SIGTSTP
                                          : 0;
        if (sig) {
            signal_character(ld, sig, c);
            return;
        }
    }
    if (ld->stopped && flag_i(ld, LX_IXON) && flag_i(ld, LX_IXANY))
        ldisc_start(ld);
    bool converted = false;
    if (c == '\r') {
        if (flag_i(ld, LX_IGNCR))
            return;
        converted = flag_i(ld, LX_ICRNL);
        if (converted)
            c = '\n';
    } else if (c == '\n' && flag_i(ld, LX_INLCR)) {
        c = '\r';
    }
    if (flag_l(ld, LX_ICANON) && canonical_character(ld, c))
        return;
    if (converted &&
        flag_l(ld, LX_ECHO)) { // raw mode: a newline typed as such is echoed as ^J, this one is not
        finish_erasing(ld);
        ldisc_echo_raw(ld, c);
        put_marked(ld, c);
        return;
    }
    receive_literal(ld, c);
}

size_t ldisc_receive(struct ldisc *ld, const uint8_t *bytes, size_t n)
{
    size_t done = 0;
    unsigned most = flag_i(ld, LX_PARMRK) ? 2 : 1; // places that one byte may take
    for (; done < n; done++) {
        uint64_t used = ld->head - ld->tail;
        if (used + most >= LDISC_BUFFER) {
            if (!flag_l(ld, LX_ICANON) || ld->canon_head != ld->tail)
                break;
            ld->head -= most; // an over-long line: its last places are written again and again
        }
        receive_one(ld, bytes[done]);
    }
    return done;
}

size_t ldisc_available(const struct ldisc *ld)
{
    if (!ldisc_canonical(ld))
        return ld->head - ld->tail;
    size_t n = 0;
    for (uint64_t p = ld->tail; p != ld->canon_head; p++)
        if (!(ld->line_end[p % LDISC_BUFFER] && ld->buffer[p % LDISC_BUFFER] == EOF_MARK))
            n++;
    return n;
}

bool ldisc_readable(const struct ldisc *ld, size_t amount)
{
    if (ldisc_canonical(ld))
        return ld->canon_head != ld->tail;
    return ld->head - ld->tail >= (amount ? amount : 1);
}

size_t ldisc_read(struct ldisc *ld, uint8_t *out, size_t n)
{
    bool canonical = ldisc_canonical(ld);
    uint64_t end = canonical ? ld->canon_head : ld->head;
    size_t done = 0;
    while (ld->tail != end) {
        size_t i = ld->tail % LDISC_BUFFER;
        bool line_end = canonical && ld->line_end[i];
        bool eof = line_end && ld->buffer[i] == EOF_MARK && !ld->pushed;
        if (done == n && !eof)
            break;
        if (!eof)
            out[done++] = ld->buffer[i];
        ld->line_end[i] = false;
        ld->tail++;
        if (line_end) {
            ld->pushed = false;
            break;
        }
    }
    if (!canonical)
        ld->canon_head = ld->tail;
    return done;
}

void ldisc_set_termios(struct ldisc *ld, const struct lx_termios *t)
{
    uint32_t changed = ld->termios.c_lflag ^ t->c_lflag;
    bool had_ixon = flag_i(ld, LX_IXON);
    ld->termios = *t;
    if (changed & (LX_ICANON | LX_EXTPROC)) {
        memset(ld->line_end, 0, sizeof(ld->line_end));
        if (!flag_l(ld, LX_ICANON) || ld->head == ld->tail) {
            ld->canon_head = ld->tail;
            ld->pushed = false;
        } else {
            ld->line_end[(ld->head - 1) % LDISC_BUFFER] = true;
            ld->canon_head = ld->head;
            ld->pushed = true;
        }
        ld->erasing = ld->lnext = false;
    }
    if (had_ixon && !flag_i(ld, LX_IXON))
        ldisc_start(ld);
}
