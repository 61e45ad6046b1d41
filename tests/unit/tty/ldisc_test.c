// The line discipline against tables: typed bytes and termios flags give echo, signals and what a reader gets. Each row's
// result was first seen on a pseudo terminal of Linux (whose display also forgets what stands before an interrupt).
#include "sentry/tty/ldisc.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

static struct ldisc ld;
static char display[16384];
static size_t displayed, room = sizeof(display);
static int signals[8];
static int nr_signals, flushes;

static size_t test_room(struct ldisc *l)
{
    return l->stopped ? 0 : room - displayed;
}
static void test_output(struct ldisc *l, const uint8_t *bytes, size_t n)
{
    cr_assert(n <= room - displayed);
    memcpy(display + displayed, bytes, n);
    displayed += n;
}
static void test_flush(struct ldisc *l)
{
    flushes++;
}
static void test_signal(struct ldisc *l, int sig)
{
    signals[nr_signals++] = sig;
}
static void test_nothing(struct ldisc *l) {}
static const struct ldisc_ops test_ops = {test_room,   test_output,  test_flush,
                                          test_signal, test_nothing, test_nothing};

static void start(void)
{
    ldisc_init(&ld, &test_ops);
    displayed = 0;
    room = sizeof(display);
    nr_signals = flushes = 0;
}

static void type(const char *bytes, size_t n)
{
    cr_assert_eq(ldisc_receive(&ld, (const uint8_t *)bytes, n), n);
}

struct row {
    const char *what;
    uint32_t iflag_set, iflag_clear, oflag_set, oflag_clear, lflag_set, lflag_clear;
    const char *typed;
    size_t typed_len;
    const char *echo;
    const char *read; // all that one read gives, NULL: nothing to read
    size_t read_len;
    int signal;
};
#define S(s) s, sizeof(s) - 1
#define NONE NULL, 0
#define TEXT(s) s, sizeof(s) - 1

static const struct row rows[] = {
    {"a line is echoed and read whole", 0, 0, 0, 0, 0, 0, S("abc\n"), "abc\r\n", TEXT("abc\n"), 0},
    {"an unfinished line is not readable", 0, 0, 0, 0, 0, 0, S("abc"), "abc", NONE, 0},
    {"carriage return ends a line", 0, 0, 0, 0, 0, 0, S("abc\r"), "abc\r\n", TEXT("abc\n"), 0},
    {"IGNCR drops it", LX_IGNCR, 0, 0, 0, 0, 0, S("a\rb\n"), "ab\r\n", TEXT("ab\n"), 0},
    {"INLCR turns newline round", LX_INLCR, LX_ICRNL, 0, 0, 0, 0, S("a\n"), "a^M", NONE, 0},
    {"one read gives one line", 0, 0, 0, 0, 0, 0, S("a\nb\n"), "a\r\nb\r\n", TEXT("a\n"), 0},
    {"erase", 0, 0, 0, 0, 0, 0, S("ab\177c\n"), "ab\b \bc\r\n", TEXT("ac\n"), 0},
    {"erase at the start does nothing", 0, 0, 0, 0, 0, 0, S("\177\177x\n"), "x\r\n", TEXT("x\n"), 0},
    {"erase without ECHOE shows the character", 0, 0, 0, 0, 0, LX_ECHOE, S("ab\177\n"), "ab^?\r\n",
     TEXT("a\n"), 0},
    {"erase of a control character takes two columns", 0, 0, 0, 0, 0, 0, S("a\001\177\n"),
     "a^A\b \b\b \b\r\n", TEXT("a\n"), 0},
    {"erase of a tab goes back to its start", 0, 0, 0, 0, 0, 0, S("ab\t\177\n"), "ab\t\b\b\b\b\b\b\r\n",
     TEXT("ab\n"), 0},
    {"erase in UTF-8 takes the whole character", LX_IUTF8, 0, 0, 0, 0, 0, S("a\303\251\177\n"),
     "a\303\251\b \b\r\n", TEXT("a\n"), 0},
    {"kill", 0, 0, 0, 0, 0, 0, S("abc\025d\n"), "abc\b \b\b \b\b \bd\r\n", TEXT("d\n"), 0},
    {"kill without ECHOKE starts a new line", 0, 0, 0, 0, 0, LX_ECHOKE, S("abc\025d\n"), "abc^U\r\nd\r\n",
     TEXT("d\n"), 0},
    {"word erase", 0, 0, 0, 0, 0, 0, S("ab cd \027x\n"), "ab cd \b \b\b \b\b \bx\r\n", TEXT("ab x\n"), 0},
    {"ECHOPRT shows what is erased", 0, 0, 0, 0, LX_ECHOPRT, 0, S("ab\177\177c\n"), "ab\\ba/c\r\n",
     TEXT("c\n"), 0},
    {"reprint", 0, 0, 0, 0, 0, 0, S("ab\022c\n"), "ab^R\r\nabc\r\n", TEXT("abc\n"), 0},
    {"literal next", 0, 0, 0, 0, 0, 0, S("a\026\003\n"), "a^\b^C\r\n", TEXT("a\003\n"), 0},
    {"EOF ends an unfinished line", 0, 0, 0, 0, 0, 0, S("ab\004"), "ab", TEXT("ab"), 0},
    {"EOF at the start is end of file", 0, 0, 0, 0, 0, 0, S("\004"), "", TEXT(""), 0},
    {"interrupt", 0, 0, 0, 0, 0, 0, S("ab\003"), "ab^C", NONE, SIGINT},
    {"quit", 0, 0, 0, 0, 0, 0, S("\034"), "^\\", NONE, SIGQUIT},
    {"suspend", 0, 0, 0, 0, 0, 0, S("\032"), "^Z", NONE, SIGTSTP},
    {"no signal without ISIG", 0, 0, 0, 0, 0, LX_ISIG, S("\003\n"), "^C\r\n", TEXT("\003\n"), 0},
    {"NOFLSH keeps what was typed", 0, 0, 0, 0, LX_NOFLSH, 0, S("a\nb\003"), "a\r\nb^C", TEXT("a\n"), SIGINT},
    {"no echo", 0, 0, 0, 0, 0, LX_ECHO, S("abc\n"), "", TEXT("abc\n"), 0},
    {"ECHONL echoes the newline alone", 0, 0, 0, 0, LX_ECHONL, LX_ECHO, S("abc\n"), "\r\n", TEXT("abc\n"), 0},
    {"raw mode gives bytes at once", 0, LX_ICRNL, 0, LX_OPOST, 0, LX_ICANON | LX_ECHO | LX_ISIG,
     S("a\r\003\004"), "", TEXT("a\r\003\004"), 0},
    {"raw mode echoes a newline as a control character", 0, 0, 0, LX_OPOST, 0, LX_ICANON, S("a\n"), "a^J",
     TEXT("a\n"), 0},
    {"raw mode echoes a converted return as newline", 0, 0, 0, LX_OPOST, 0, LX_ICANON, S("a\r"), "a\n",
     TEXT("a\n"), 0},
    {"ISTRIP", LX_ISTRIP, 0, 0, 0, 0, 0, S("\341\n"), "a\r\n", TEXT("a\n"), 0},
    {"IUCLC", LX_IUCLC, 0, 0, 0, 0, 0, S("AB\n"), "ab\r\n", TEXT("ab\n"), 0},
    {"PARMRK doubles 0xff", LX_PARMRK, 0, 0, 0, 0, LX_ECHO, S("\377\n"), "", TEXT("\377\377\n"), 0},
    {"a zero byte is never special", 0, 0, 0, 0, 0, 0, S("a\0b\n"), "a^@b\r\n", TEXT("a\0b\n"), 0},
    {"tabs become spaces with XTABS", 0, 0, LX_XTABS, 0, 0, 0, S("a\tb\n"), "a       b\r\n", TEXT("a\tb\n"),
     0},
};

Test(ldisc, typed_bytes_table)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        start();
        struct lx_termios t = ld.termios;
        t.c_iflag = (t.c_iflag | r->iflag_set) & ~r->iflag_clear;
        t.c_oflag = (t.c_oflag | r->oflag_set) & ~r->oflag_clear;
        t.c_lflag = (t.c_lflag | r->lflag_set) & ~r->lflag_clear;
        ldisc_set_termios(&ld, &t);
        type(r->typed, r->typed_len);
        cr_expect(displayed == strlen(r->echo) && !memcmp(display, r->echo, displayed), "%s: echo is '%.*s'",
                  r->what, (int)displayed, display);
        cr_expect(ldisc_readable(&ld, 1) == (r->read != NULL), "%s: readable", r->what);
        if (r->read) {
            uint8_t got[64];
            size_t n = ldisc_read(&ld, got, sizeof(got));
            cr_expect(n == r->read_len && !memcmp(got, r->read, n), "%s: read '%.*s'", r->what, (int)n,
                      (char *)got);
        }
        cr_expect(nr_signals == (r->signal != 0) && (!r->signal || signals[0] == r->signal), "%s: signal",
                  r->what);
    }
}

Test(ldisc, output_processing)
{
    static const struct {
        uint32_t set, clear;
        const char *written, *shown;
    } table[] = {
        {0, 0, "a\nb", "a\r\nb"},          {0, LX_ONLCR, "a\nb", "a\nb"}, {LX_OCRNL, 0, "a\rb", "a\nb"},
        {LX_ONOCR, 0, "\rab\rc", "ab\rc"}, {LX_OLCUC, 0, "aZ1", "AZ1"},   {LX_XTABS, 0, "ab\tc", "ab      c"},
        {0, LX_OPOST, "a\n\tb", "a\n\tb"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        start();
        ld.termios.c_oflag = (ld.termios.c_oflag | table[i].set) & ~table[i].clear;
        size_t n = strlen(table[i].written);
        cr_expect_eq(ldisc_write(&ld, (const uint8_t *)table[i].written, n), n);
        cr_expect(displayed == strlen(table[i].shown) && !memcmp(display, table[i].shown, displayed),
                  "row %zu: '%.*s'", i, (int)displayed, display);
    }
}

Test(ldisc, short_reads_continue_the_line_and_take_a_following_eof)
{
    uint8_t got[8];
    start();
    type("abcdef\n", 7);
    cr_expect_eq(ldisc_read(&ld, got, 3), 3u);
    cr_expect_eq(ldisc_read(&ld, got, 8), 4u);
    cr_expect(!memcmp(got, "def\n", 4));
    type("abc\004", 4);
    cr_expect_eq(ldisc_read(&ld, got, 3), 3u);
    cr_expect(!ldisc_readable(&ld, 1), "the EOF character went with the bytes before it");
}

Test(ldisc, xoff_stops_output_and_holds_echo_back)
{
    start();
    type("\023", 1);
    cr_expect(ld.stopped);
    cr_expect_eq(ldisc_write(&ld, (const uint8_t *)"x", 1), 0u);
    type("ab", 2);
    cr_expect_eq(displayed, 0u);
    type("\021", 1);
    cr_expect(!ld.stopped);
    cr_expect(displayed == 2 && !memcmp(display, "ab", 2));
    cr_expect_eq(ldisc_write(&ld, (const uint8_t *)"x", 1), 1u);
}

Test(ldisc, an_overlong_line_keeps_its_newline)
{
    uint8_t got[LDISC_BUFFER];
    start();
    ld.termios.c_lflag &= ~LX_ECHO;
    for (int i = 0; i < 5000; i++)
        type("x", 1);
    cr_expect(!ldisc_readable(&ld, 1));
    type("\n", 1);
    size_t n = ldisc_read(&ld, got, sizeof(got));
    cr_expect_eq(n, LDISC_BUFFER - 1);
    cr_expect_eq(got[n - 1], '\n');
}

Test(ldisc, raw_input_stops_at_a_full_buffer)
{
    static uint8_t many[6000];
    uint8_t got[100];
    start();
    ld.termios.c_lflag = 0;
    cr_expect_eq(ldisc_receive(&ld, many, sizeof(many)), LDISC_BUFFER - 1);
    cr_expect_eq(ldisc_read(&ld, got, sizeof(got)), 100u);
    cr_expect_eq(ldisc_receive(&ld, many, sizeof(many)), 100u);
}

Test(ldisc, leaving_and_entering_canonical_mode_keeps_bytes)
{
    uint8_t got[8];
    start();
    struct lx_termios canonical = ld.termios, raw = ld.termios;
    raw.c_lflag &= ~LX_ICANON;
    type("ab", 2);
    ldisc_set_termios(&ld, &raw);
    cr_expect(ldisc_readable(&ld, 2));
    ldisc_set_termios(&ld, &canonical);
    cr_expect(ldisc_readable(&ld, 1));
    cr_expect_eq(ldisc_read(&ld, got, 8), 2u);
    type("c\n", 2);
    cr_expect_eq(ldisc_read(&ld, got, 8), 2u);
}
