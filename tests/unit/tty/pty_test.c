// Pairs of terminals through the calls a guest makes: numbers, locks, both directions, packet mode, hang-up, job control.
#include "tests/unit/vfs/vfs_fixture.h"
#include "abi/linux/termios.h"
#include "sentry/fs/devpts/devpts.h"
#include "sentry/task/internal.h"
#include "sentry/tty/tty.h"

static struct session session = {.refs = 1, .sid = 1};
static struct process_group foreground = {.refs = 1, .pgid = 1, .session = &session};
static struct process_group background = {.refs = 1, .pgid = 2, .session = &session};
static int64_t master, slave;

static void setup(void)
{
    vfs_setup();
    cr_assert_eq(devpts_init(), 0);
    do_mkdir("/dev", 0755);
    cr_assert_eq(vfs_mount_at(&current->fs->root, "devpts", "devpts", "", 0, "/dev/pts"), 0);
    list_init(&foreground.members);
    list_init(&background.members);
    list_init(&fixture_group.pgrp_link);
    fixture_group.pgrp = &foreground;
    list_add(&fixture_group.pgrp_link, &foreground.members);
    table_add_pgrp(&foreground);
    table_add_pgrp(&background);
    current->sighand = sighand_alloc();
    session.tty = NULL;
    master = do_open("/dev/pts/ptmx", LX_O_RDWR, 0);
    cr_assert_geq(master, 0);
    memset(DATA_BYTES, 0, 4);
    cr_assert_eq(SYS(ioctl, master, LX_TIOCSPTLCK, DATA), 0);
    slave = do_open("/dev/pts/0", LX_O_RDWR, 0);
    cr_assert_geq(slave, 0);
}

TestSuite(pty, .init = setup);

static const char *got(int64_t fd)
{
    static char text[256];
    int64_t n = SYS(read, fd, DATA, sizeof(text) - 1);
    if (n < 0) {
        snprintf(text, sizeof(text), "errno %ld", (long)-n);
        return text;
    }
    memcpy(text, DATA_BYTES, (size_t)n);
    text[n] = 0;
    return text;
}

static int64_t put_int(int64_t fd, uint32_t cmd, int32_t value)
{
    memcpy(DATA_BYTES, &value, sizeof(value));
    return SYS(ioctl, fd, cmd, DATA);
}

static int32_t get_int(int64_t fd, uint32_t cmd)
{
    int32_t value = -1;
    int64_t r = SYS(ioctl, fd, cmd, DATA);
    memcpy(&value, DATA_BYTES, sizeof(value));
    return r < 0 ? (int32_t)r : value;
}

static void set_raw(int min, int time)
{
    struct lx_termios t;
    SYS(ioctl, slave, LX_TCGETS, DATA);
    memcpy(&t, DATA_BYTES, sizeof(t));
    t.c_lflag &= ~(LX_ICANON | LX_ECHO | LX_ISIG);
    t.c_cc[LX_VMIN] = (uint8_t)min;
    t.c_cc[LX_VTIME] = (uint8_t)time;
    memcpy(DATA_BYTES, &t, sizeof(t));
    cr_assert_eq(SYS(ioctl, slave, LX_TCSETS, DATA), 0);
}

Test(pty, a_locked_slave_cannot_be_opened_and_numbers_are_reused)
{
    int64_t other = do_open("/dev/pts/ptmx", LX_O_RDWR, 0);
    cr_expect_eq(get_int(other, LX_TIOCGPTN), 1);
    cr_expect_eq(do_open("/dev/pts/1", LX_O_RDWR, 0), -LX_EIO);
    cr_expect_str_eq(list_dir("/dev/pts", 1024), "0 1 ptmx");
    SYS(close, other);
    cr_expect_str_eq(list_dir("/dev/pts", 1024), "0 ptmx");
    cr_expect_eq(do_open("/dev/pts/1", LX_O_RDWR, 0), -LX_ENOENT);
    other = do_open("/dev/pts/ptmx", LX_O_RDWR, 0);
    cr_expect_eq(get_int(other, LX_TIOCGPTN), 1);
}

Test(pty, typed_lines_reach_the_slave_and_are_echoed)
{
    cr_expect_eq(do_write(master, "ls\n", 3), 3);
    cr_expect_str_eq(got(master), "ls\r\n");
    cr_expect_str_eq(got(slave), "ls\n");
    cr_expect_eq(do_write(slave, "out\n", 4), 4);
    cr_expect_str_eq(got(master), "out\r\n");
    cr_expect_eq(SYS(read, slave, DATA, 1), -LX_EBLOCKED);
}

Test(pty, first_terminal_of_a_leader_controls_its_session)
{
    cr_expect_not_null(session.tty);
    cr_expect_eq(get_int(slave, LX_TIOCGPGRP), 1);
    cr_expect_eq(get_int(slave, LX_TIOCGSID), 1);
    cr_expect_eq(SYS(ioctl, slave, LX_TIOCSCTTY, 0), 0);
    cr_expect_eq(put_int(slave, LX_TIOCSPGRP, 2), 0);
    cr_expect_eq(get_int(master, LX_TIOCGPGRP), 2);
    cr_expect_eq(put_int(slave, LX_TIOCSPGRP, 1), -LX_ENOTTY,
                 "an orphaned background group may not take it back");
    SYS(ioctl, slave, LX_TIOCNOTTY, 0);
    cr_expect_null(session.tty);
    cr_expect_eq(SYS(ioctl, slave, LX_TIOCGPGRP, DATA), -LX_ENOTTY);
    int64_t again = do_open("/dev/pts/0", LX_O_RDWR | LX_O_NOCTTY, 0);
    cr_expect_null(session.tty, "O_NOCTTY");
    SYS(close, again);
}

Test(pty, background_reads_of_an_orphan_are_EIO)
{
    struct tty *t = session.tty;
    t->fg_pgid = 2;
    cr_expect_eq(SYS(read, slave, DATA, 1), -LX_EIO);
    cr_expect_eq(do_write(slave, "x", 1), 1, "writing is allowed without TOSTOP");
    current->blocked = SIGBIT(22);
    cr_expect_eq(put_int(slave, LX_TIOCSPGRP, 1), 0, "with SIGTTOU blocked it may take the foreground");
}

Test(pty, VMIN_and_VTIME)
{
    set_raw(3, 0);
    do_write(master, "ab", 2);
    cr_expect_eq(SYS(read, slave, DATA, 10), -LX_EBLOCKED);
    do_write(master, "c", 1);
    cr_expect_str_eq(got(slave), "abc");
    set_raw(0, 0);
    cr_expect_str_eq(got(slave), "");
    set_raw(0, 5);
    struct call *c = fixture_call((uint64_t)slave, DATA, 10, 0, 0, 0);
    cr_expect_eq(sys_read(c), -LX_EBLOCKED);
    c->timed_out = true;
    cr_expect_eq(sys_read(c), 0);
}

Test(pty, packet_mode_reports_flow_and_flushes)
{
    cr_expect_eq(put_int(master, LX_TIOCPKT, 1), 0);
    do_write(slave, "x", 1);
    cr_expect_eq(SYS(read, master, DATA, 10), 2);
    cr_expect(DATA_BYTES[0] == 0 && DATA_BYTES[1] == 'x');
    SYS(ioctl, slave, LX_TCFLSH, LX_TCIFLUSH);
    cr_expect_eq(SYS(read, master, DATA, 10), 1);
    cr_expect_eq(DATA_BYTES[0], LX_TIOCPKT_FLUSHREAD);
    do_write(master, "\023", 1);
    cr_expect_eq(SYS(read, master, DATA, 10), 1);
    cr_expect_eq(DATA_BYTES[0], LX_TIOCPKT_STOP);
}

Test(pty, closing_a_side_hangs_up_the_other)
{
    do_write(slave, "last", 4);
    SYS(close, slave);
    cr_expect_str_eq(got(master), "last");
    cr_expect_eq(SYS(read, master, DATA, 1), -LX_EIO);
    slave = do_open("/dev/pts/0", LX_O_RDWR, 0);
    cr_expect_eq(SYS(read, master, DATA, 1), -LX_EBLOCKED);
    SYS(close, master);
    cr_expect_eq(SYS(read, slave, DATA, 1), 0);
    cr_expect_eq(do_write(slave, "x", 1), -LX_EIO);
    cr_expect_eq(SYS(ioctl, slave, LX_TCGETS, DATA), -LX_EIO);
    cr_expect_null(session.tty);
}

Test(pty, a_blocked_write_counts_what_it_has_written)
{
    static uint8_t many[16000];
    memset(many, 'x', sizeof(many));
    memcpy(DATA_BYTES, many, sizeof(many));
    struct call *c = fixture_call((uint64_t)slave, DATA, sizeof(many), 0, 0, 0);
    cr_expect_eq(sys_write(c), -LX_EBLOCKED);
    uint64_t first = c->state.words[0];
    cr_expect(first > 8000 && first < sizeof(many));
    cr_expect_eq(c->interrupted, (int64_t)first);
}

Test(pty, dangerous_requests_are_refused)
{
    cr_expect_eq(SYS(ioctl, slave, LX_TIOCSTI, DATA), -LX_EIO);
    cr_expect_eq(SYS(ioctl, slave, LX_TIOCLINUX, DATA), -LX_ENOTTY);
}
