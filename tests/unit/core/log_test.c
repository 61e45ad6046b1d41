#include "sentry/core/log.h"
#include "tests/unit/fixture.h"
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

Test(log, escape_is_printable_and_bounded)
{
    char out[64];
    cr_assert_str_eq(log_escape(out, sizeof(out), "a b\n\x1b\\\xff", 7), "a b\\x0a\\x1b\\x5c\\xff");
    char small[6];
    cr_assert_str_eq(log_escape(small, sizeof(small), "abc\n\n", 5), "abc");
    cr_assert_str_eq(log_escape(small, sizeof(small), "abcdefgh", 8), "abcde");
}

static void many(int fd, int lines)
{
    log_open(fd, LOG_WARN);
    for (int i = 0; i < lines; i++)
        log_warn("line %d\n\x1b[2J", i);
    log_info("not at this level");
}
Test(log, a_site_is_rate_limited_and_no_control_character_passes)
{
    int fds[2];
    static char buf[65536];
    fixture_setup();
    memcpy(current->comm, "a\nb", 4);
    cr_assert_eq(pipe(fds), 0);
    many(fds[1], 500);
    log_open(-1, LOG_WARN);
    close(fds[1]);
    size_t n = 0;
    ssize_t got;
    while ((got = read(fds[0], buf + n, sizeof(buf) - 1 - n)) > 0)
        n += (size_t)got;
    unsigned lines = 0;
    for (size_t i = 0; i < n; i++) {
        lines += buf[i] == '\n';
        cr_assert(buf[i] == '\n' || (buf[i] >= 0x20 && buf[i] < 0x7f));
    }
    cr_assert_eq(lines, LOG_BURST);
    cr_assert_not_null(strstr(buf, "[1 a\\x0ab] line 0??[2J"));
}
