#include "tests/unit/vfs/vfs_fixture.h"

TestSuite(fdtable, .init = vfs_setup);

Test(fdtable, lowest_free_number_is_taken)
{
    for (int i = 0; i < 5; i++)
        cr_assert_eq(do_open("/", LX_O_RDONLY, 0), i);
    SYS(close, 3);
    SYS(close, 1);
    cr_assert_eq(SYS(dup, 0), 1);
    cr_assert_eq(SYS(dup, 0), 3);
    cr_assert_eq(SYS(dup, 0), 5);
    cr_assert_eq(SYS(fcntl, 0, LX_F_DUPFD, 10), 10);
    cr_assert_eq(SYS(fcntl, 0, LX_F_DUPFD, 10), 11);
    cr_assert_eq(SYS(dup, 0), 6);
    cr_assert_eq(SYS(close, 7), -LX_EBADF);
    cr_assert_eq(SYS(dup, 99), -LX_EBADF);
    cr_assert_eq(SYS(dup, -1), -LX_EBADF);
}

Test(fdtable, limit_is_the_callers)
{
    fixture_group.rlim[7].cur = 4;
    for (int i = 0; i < 4; i++)
        cr_assert_eq(do_open("/", LX_O_RDONLY, 0), i);
    cr_assert_eq(do_open("/", LX_O_RDONLY, 0), -LX_EMFILE);
    cr_assert_eq(do_open("/never_made", LX_O_CREAT | LX_O_RDWR, 0644), -LX_EMFILE);
    struct lx_stat st;
    cr_assert_eq(do_stat("/never_made", &st), -LX_ENOENT);
    cr_assert_eq(SYS(dup2, 0, 4), -LX_EBADF);
    cr_assert_eq(SYS(fcntl, 0, LX_F_DUPFD, 4), -LX_EINVAL);
    cr_assert_eq(SYS(fcntl, 0, LX_F_DUPFD, 2), -LX_EMFILE);
}

Test(fdtable, dup2_and_dup3)
{
    put_file("/f", "abc");
    int64_t fd = do_open("/f", LX_O_RDONLY, 0);
    cr_assert_eq(SYS(dup2, fd, 100), 100);
    cr_assert_eq(SYS(read, fd, DATA, 1), 1);
    cr_assert_eq(SYS(read, 100, DATA, 1), 1);
    cr_assert_eq(DATA_BYTES[0], 'b', "the position is shared");
    cr_assert_eq(SYS(dup2, fd, fd), fd);
    cr_assert_eq(SYS(dup2, 55, 55), -LX_EBADF);
    cr_assert_eq(SYS(dup3, fd, fd, 0), -LX_EINVAL);
    cr_assert_eq(SYS(dup3, fd, 7, LX_O_CLOEXEC), 7);
    cr_assert_eq(SYS(fcntl, 7, LX_F_GETFD), 1);
    cr_assert_eq(SYS(fcntl, 100, LX_F_GETFD), 0);
    cr_assert_eq(SYS(dup3, fd, 7, 1), -LX_EINVAL);
    fdtable_close_on_exec(current->files);
    cr_assert_eq(SYS(fcntl, 7, LX_F_GETFD), -LX_EBADF);
    cr_assert_eq(SYS(fcntl, 100, LX_F_GETFD), 0);
}

Test(fdtable, copies_share_files)
{
    put_file("/f", "abc");
    do_open("/f", LX_O_RDONLY, 0);
    struct fdtable *copy = fdtable_dup(current->files);
    cr_assert_eq(copy->slots[0].file, current->files->slots[0].file);
    cr_assert_eq(copy->slots[0].file->refs, 2);
    SYS(close, 0);
    cr_assert_eq(copy->slots[0].file->refs, 1);
    fdtable_put(copy);
}

Test(fdtable, close_range_closes_or_marks)
{
    for (int i = 0; i < 6; i++)
        do_open("/", LX_O_RDONLY, 0);
    cr_assert_eq(SYS(close_range, 2, 3, 0), 0);
    cr_assert_eq(SYS(fcntl, 2, LX_F_GETFD), -LX_EBADF);
    cr_assert_eq(SYS(fcntl, 4, LX_F_GETFD), 0);
    cr_assert_eq(SYS(close_range, 4, ~0u, LX_CLOSE_RANGE_CLOEXEC), 0);
    cr_assert_eq(SYS(fcntl, 5, LX_F_GETFD), 1);
    cr_assert_eq(SYS(close_range, 5, 4, 0), -LX_EINVAL);
    struct fdtable *shared = fdtable_get(current->files);
    cr_assert_eq(SYS(close_range, 0, ~0u, LX_CLOSE_RANGE_UNSHARE), 0);
    cr_assert_neq(current->files, shared);
    cr_assert_not_null(shared->slots[0].file);
    fdtable_put(shared);
}

static int64_t lock(int64_t fd, int cmd, int type, int64_t start, int64_t len)
{
    struct lx_flock fl = {.type = (int16_t)type, .start = start, .len = len};
    memcpy(DATA_BYTES, &fl, sizeof(fl));
    return SYS(fcntl, fd, cmd, DATA);
}

Test(fdtable, posix_locks_belong_to_the_table)
{
    put_file("/f", "x");
    struct fdtable *first = current->files, *second = fdtable_alloc();
    int64_t a = do_open("/f", LX_O_RDWR, 0);
    cr_assert_eq(lock(a, LX_F_SETLK, LX_F_WRLCK, 0, 10), 0);
    cr_assert_eq(lock(a, LX_F_SETLK, LX_F_RDLCK, 3, 2), 0, "the middle is downgraded");
    current->files = second;
    int64_t b = do_open("/f", LX_O_RDWR, 0);
    cr_assert_eq(lock(b, LX_F_SETLK, LX_F_RDLCK, 0, 1), -LX_EAGAIN);
    cr_assert_eq(lock(b, LX_F_SETLK, LX_F_RDLCK, 3, 2), 0);
    cr_assert_eq(lock(b, LX_F_SETLK, LX_F_WRLCK, 3, 1), -LX_EAGAIN);
    cr_assert_eq(lock(b, LX_F_SETLK, LX_F_WRLCK, 10, 0), 0);
    cr_assert_eq(lock(b, LX_F_GETLK, LX_F_WRLCK, 0, 0), 0);
    struct lx_flock fl;
    memcpy(&fl, DATA_BYTES, sizeof(fl));
    cr_assert_neq(fl.type, LX_F_UNLCK);
    cr_assert_eq(fl.pid, 1);
    cr_assert_eq(lock(b, LX_F_SETLKW, LX_F_WRLCK, 0, 1), -LX_EBLOCKED);
    current->files = first;
    cr_assert_eq(lock(a, LX_F_SETLKW, LX_F_WRLCK, 20, 1), -LX_EDEADLK);
    int64_t again = do_open("/f", LX_O_RDONLY, 0);
    SYS(close, again); // any descriptor of the file releases all of the owner's locks
    current->files = second;
    cr_assert_eq(lock(b, LX_F_SETLK, LX_F_WRLCK, 0, 10), 0);
}

Test(fdtable, flock_belongs_to_the_open_file)
{
    put_file("/f", "x");
    int64_t a = do_open("/f", LX_O_RDONLY, 0), b = do_open("/f", LX_O_RDONLY, 0), c = SYS(dup, a);
    cr_assert_eq(SYS(flock, a, LX_LOCK_EX), 0);
    cr_assert_eq(SYS(flock, b, LX_LOCK_SH | LX_LOCK_NB), -LX_EAGAIN);
    cr_assert_eq(SYS(flock, b, LX_LOCK_SH), -LX_EBLOCKED);
    cr_assert_eq(SYS(flock, c, LX_LOCK_SH), 0, "a copy is the same open file");
    cr_assert_eq(SYS(flock, b, LX_LOCK_SH | LX_LOCK_NB), 0);
    cr_assert_eq(SYS(flock, b, LX_LOCK_EX | LX_LOCK_NB), -LX_EAGAIN);
    SYS(close, a);
    cr_assert_eq(SYS(flock, b, LX_LOCK_EX | LX_LOCK_NB), -LX_EAGAIN);
    SYS(close, c);
    cr_assert_eq(SYS(flock, b, LX_LOCK_EX | LX_LOCK_NB), 0);
    cr_assert_eq(SYS(flock, b, 77), -LX_EINVAL);
}
