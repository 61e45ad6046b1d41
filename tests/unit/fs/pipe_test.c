// Pipes through their system calls.
#include "abi/linux/poll.h"
#include "tests/unit/net/harness.h"

static int rd, wr;
static void open_pipe(uint32_t flags)
{
    cr_assert_eq(CALL(pipe2, fixture_addr(0), flags), 0);
    int fds[2];
    memcpy(fds, harness_memory(0), sizeof(fds));
    rd = fds[0];
    wr = fds[1];
}
static void setup(void)
{
    harness_setup();
    open_pipe(0);
}
TestSuite(pipe, .init = setup);

static short poll_fd(int fd, short events)
{
    struct lx_pollfd p = {fd, events, 0x55};
    memcpy(harness_memory(64), &p, sizeof(p));
    cr_assert_geq(CALL(poll, fixture_addr(64), 1, 0), 0);
    memcpy(&p, harness_memory(64), sizeof(p));
    cr_assert_eq(p.events, events, "only revents is written");
    return p.revents;
}

Test(pipe, bytes_come_in_order_and_a_read_waits_for_them)
{
    cr_assert_eq(do_read(rd, 10), -LX_EBLOCKED);
    cr_assert_not(harness_woken());
    struct file *w = fd_lookup(current->files, wr);
    struct iov_iter it;
    char text[] = "hello";
    struct task other = fixture_task;
    struct task *reader = current;
    memset(&other.call, 0, sizeof(other.call));
    current = &other;
    iter_init_kernel(&it, text, 5);
    cr_assert_eq(w->ops->write(w, &it, NULL), 5);
    current = reader;
    cr_assert(harness_woken());
    cr_assert_eq(harness_again(sys_read), 5);
    cr_assert_arr_eq(READ_TEXT, "hello", 5);
}

Test(pipe, it_is_full_after_sixteen_pages_and_writable_after_one_is_read)
{
    cr_assert_eq(CALL(fcntl, (uint64_t)wr, LX_F_SETFL, LX_O_NONBLOCK), 0);
    cr_assert_eq(CALL(write, (uint64_t)wr, fixture_addr(8192), 70000), 65536);
    cr_assert_eq(CALL(write, (uint64_t)wr, fixture_addr(8192), 1), -LX_EAGAIN);
    cr_assert_eq(poll_fd(wr, EV_OUT), 0);
    cr_assert_eq(do_read(rd, 4095), 4095);
    cr_assert_eq(poll_fd(wr, EV_OUT), 0, "a page is not free before its last byte is read");
    cr_assert_eq(do_read(rd, 1), 1);
    cr_assert_eq(poll_fd(wr, EV_OUT), EV_OUT);
    cr_assert_eq(CALL(write, (uint64_t)wr, fixture_addr(8192), 5000), 4096);
}

Test(pipe, small_writes_merge_into_a_page)
{
    cr_assert_eq(CALL(fcntl, (uint64_t)wr, LX_F_SETFL, LX_O_NONBLOCK), 0);
    for (int i = 0; i < 65536; i++)
        cr_assert_eq(do_write(wr, "x", 1), 1, "byte %d", i);
    cr_assert_eq(do_write(wr, "x", 1), -LX_EAGAIN);
    cr_assert_eq(do_read(rd, 65536), 65536);
    cr_assert_eq(poll_fd(rd, EV_IN), 0);
}

Test(pipe, a_blocked_write_goes_on_where_it_stopped)
{
    for (int i = 0; i < 100000; i++)
        fixture_guest[8192 + i] = (unsigned char)(i * 7 >> 3);
    cr_assert_eq(CALL(write, (uint64_t)wr, fixture_addr(8192), 100000), -LX_EBLOCKED);
    cr_assert_eq(fixture_task.call.interrupted, 65536, "a signal would end it with what went in");
    struct call blocked = fixture_task.call;
    struct file *r = fd_lookup(current->files, rd);
    static char got[100000];
    struct iov_iter it;
    iter_init_kernel(&it, got, 65536);
    cr_assert_eq(r->ops->read(r, &it, NULL), 65536);
    cr_assert(harness_woken());
    memcpy(fixture_task.call.state.bytes, blocked.state.bytes, sizeof(blocked.state.bytes));
    cr_assert_eq(harness_again(sys_write), 100000);
    iter_init_kernel(&it, got + 65536, 34464);
    cr_assert_eq(r->ops->read(r, &it, NULL), 34464);
    cr_assert_arr_eq(got, &fixture_guest[8192], 100000);
}

Test(pipe, packets_keep_their_bounds)
{
    open_pipe(LX_O_DIRECT);
    cr_assert_eq(do_write(wr, "abcdef", 6), 6);
    cr_assert_eq(do_write(wr, "ghi", 3), 3);
    cr_assert_eq(do_read(rd, 4), 4, "the rest of the packet is lost");
    cr_assert_eq(do_read(rd, 100), 3);
    cr_assert_arr_eq(READ_TEXT, "ghi", 3);
}

Test(pipe, the_ends_see_each_other_go)
{
    cr_assert_eq(do_write(wr, "ab", 2), 2);
    cr_assert_eq(CALL(close, (uint64_t)wr), 0);
    cr_assert_eq(poll_fd(rd, EV_IN), EV_IN | EV_HUP);
    cr_assert_eq(do_read(rd, 100), 2);
    cr_assert_eq(do_read(rd, 100), 0);
    cr_assert_eq(poll_fd(rd, EV_IN), EV_HUP);
    open_pipe(0);
    cr_assert_eq(CALL(close, (uint64_t)rd), 0);
    cr_assert_eq(poll_fd(wr, EV_OUT), EV_OUT | EV_ERR);
    cr_assert_eq(do_write(wr, "ab", 2), -LX_EPIPE);
}

Test(pipe, its_size_can_change)
{
    cr_assert_eq(CALL(fcntl, (uint64_t)wr, LX_F_GETPIPE_SZ), 65536);
    cr_assert_eq(CALL(fcntl, (uint64_t)wr, LX_F_SETPIPE_SZ, 5000), 8192);
    cr_assert_eq(CALL(fcntl, (uint64_t)wr, LX_F_SETFL, LX_O_NONBLOCK), 0);
    cr_assert_eq(CALL(write, (uint64_t)wr, fixture_addr(8192), 10000), 8192);
    cr_assert_eq(CALL(fcntl, (uint64_t)wr, LX_F_SETPIPE_SZ, 4096), -LX_EBUSY);
    cr_assert_eq(CALL(fcntl, (uint64_t)wr, LX_F_SETPIPE_SZ, 1048577), -LX_EPERM);
    cr_assert_eq(CALL(fcntl, (uint64_t)wr, LX_F_SETPIPE_SZ, 1048576), 1048576);
    cr_assert_eq(do_read(rd, 10000), 8192);
}

Test(pipe, memory_that_ends_makes_a_short_transfer)
{
    cr_assert_eq(CALL(write, (uint64_t)wr, fixture_addr(FIXTURE_GUEST_SIZE - 100), 300), 100);
    cr_assert_eq(do_read(rd, 300), 100);
    cr_assert_eq(CALL(write, (uint64_t)wr, 4096, 10), -LX_EFAULT);
    cr_assert_eq(CALL(read, (uint64_t)rd, 4096, 0), 0);
}

Test(pipe, tee_copies_and_splice_moves)
{
    int rd1 = rd, wr1 = wr;
    open_pipe(0);
    cr_assert_eq(do_write(wr1, "hello world", 11), 11);
    cr_assert_eq(CALL(tee, (uint64_t)rd1, (uint64_t)wr, 5, 0), 5);
    cr_assert_eq(do_read(rd, 100), 5);
    cr_assert_arr_eq(READ_TEXT, "hello", 5);
    cr_assert_eq(CALL(splice, (uint64_t)rd1, 0, (uint64_t)wr, 0, 100, 0), 11);
    cr_assert_eq(do_read(rd, 100), 11);
    cr_assert_arr_eq(READ_TEXT, "hello world", 11);
    cr_assert_eq(CALL(splice, (uint64_t)rd1, 0, (uint64_t)wr, 0, 100, 2), -LX_EAGAIN);
    cr_assert_eq(CALL(tee, (uint64_t)rd1, (uint64_t)wr1, 5, 0), -LX_EINVAL, "the same pipe");
    cr_assert_eq(CALL(splice, (uint64_t)rd1, fixture_addr(0), (uint64_t)wr, 0, 100, 2), -LX_ESPIPE);
}
