// Standard input, output and error of a process that was launched from outside.
#include "sentry/core/hostcall.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/signal.h"
#include "abi/linux/stat.h"
#include "sentry/fs/devpts/devpts.h"
#include "sentry/fs/hostfile/hostfile.h"
#include "sentry/fs/hostfile/regular.h"
#include "sentry/fs/hostfile/terminal.h"
#include "sentry/task/task.h"
#include "sentry/vfs/chrdev.h"
#include "sentry/vfs/file.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static uint32_t fmode_of(uint32_t access)
{
    access &= LX_O_ACCMODE;
    return (access != LX_O_WRONLY ? FMODE_READ : 0) | (access != LX_O_RDONLY ? FMODE_WRITE : 0);
}

static bool is_terminal(int fd, const struct stat *st)
{
    struct lx_termios t;
    return S_ISCHR(st->st_mode) && ioctl(fd, LX_TCGETS, &t) == 0;
}

static int open_terminal(int fd, const struct stat *st, uint32_t access, const struct stdio_streams *s,
                         struct file **out, struct tty **terminal)
{
    uint32_t mode = fmode_of(access);
    struct tty *t = host_tty_open(fd, st->st_rdev, mode & FMODE_READ, mode & FMODE_WRITE);
    if (!t)
        return -LX_ENOMEM;
    int err = 0;
    if (devpts_find(t->index) != t)
        err = devpts_add(t, -1, s->uid, DEVPTS_GID_TTY, DEVPTS_MODE);
    if (!err)
        err = devpts_open_peer(t, access | LX_O_NOCTTY, out);
    if (!err && !*terminal)
        *terminal = tty_get(t);
    tty_put(t);
    return err;
}

// /dev/null, zero, full, random and urandom are our own devices, so the host's is not needed. False: not one of them.
static bool open_own_device(const struct stat *st, uint32_t access, struct file **out)
{
    static const char *const names[] = {
        [3] = "/dev/null", [5] = "/dev/zero", [7] = "/dev/full", [8] = "/dev/random", [9] = "/dev/urandom"};
    unsigned number = minor(st->st_rdev);
    if (!S_ISCHR(st->st_mode) || major(st->st_rdev) != 1 || number >= sizeof(names) / sizeof(names[0]) ||
        !names[number])
        return false;
    struct file *f = anon_file(NULL, NULL, fmode_of(access), access, names[number], LX_S_IFCHR | 0666);
    if (!f)
        return false;
    f->inode->attr.rdev = lx_makedev(1, number);
    if (chrdev_open(f->inode, f)) {
        f->ops = NULL;
        file_put(f);
        return false;
    }
    *out = f;
    return true;
}

static int open_stream(int fd, const struct stdio_streams *s, struct file **out, struct tty **terminal)
{
    struct stat st = {0};
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || host_fstat(fd, &st) || S_ISDIR(st.st_mode)) {
        int err = flags < 0 || !S_ISDIR(st.st_mode) ? -errno : -LX_EISDIR;
        close(fd);
        return err;
    }
    uint32_t access = (uint32_t)flags & (LX_O_ACCMODE | LX_O_APPEND | LX_O_NONBLOCK);
    if (is_terminal(fd, &st))
        return open_terminal(fd, &st, access, s, out, terminal);
    if (open_own_device(&st, access, out)) {
        close(fd);
        return 0;
    }
    struct inode *i = host_inode(fd, &st, access, s->uid, s->gid);
    if (!i)
        return -LX_ENOMEM;
    char name[64];
    host_inode_name(&st, name, sizeof(name));
    bool seekable = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
    *out = inode_file(i, fmode_of(access) | (seekable ? FMODE_SEEKABLE | FMODE_HOST_POS : 0), access, name);
    return *out ? 0 : -LX_ENOMEM;
}

static bool same_open_file(int a, int b)
{
    pid_t self = getpid();
    return syscall(SYS_kcmp, self, self, KCMP_FILE, (unsigned long)a, (unsigned long)b) == 0;
}

void stdio_find_same(struct stdio_streams *s)
{
    for (int i = 0; i < 3; i++) {
        s->first[i] = i;
        for (int j = 0; j < i && s->first[i] == i; j++)
            if (s->fd[i] >= 0 && s->fd[j] >= 0 && same_open_file(s->fd[i], s->fd[j]))
                s->first[i] = j;
    }
}

int stdio_install(const struct stdio_streams *s, struct fdtable *table, struct tty **terminal)
{
    struct file *files[3] = {NULL, NULL, NULL};
    int err = 0;
    for (int i = 0; i < 3; i++) {
        if (s->fd[i] < 0)
            continue;
        struct file *shared = s->first[i] < i ? files[s->first[i]] : NULL;
        if (err || shared)
            close(s->fd[i]); // taken over in any case
        if (err)
            continue;
        if (shared)
            files[i] = file_get(shared);
        else
            err = open_stream(s->fd[i], s, &files[i], terminal);
        int fd = err ? err : fd_set_at(table, i, files[i], false);
        err = fd < 0 ? fd : 0;
    }
    return err;
}

int stdio_give(int fd, uint32_t uid, uint32_t gid, struct fdtable *table, int number)
{
    const struct stdio_streams s = {.uid = uid, .gid = gid};
    struct stat st;
    struct tty *none = NULL;
    struct file *f = NULL;
    int err = host_fstat(fd, &st) ? -errno : 0;
    bool streams = !err && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
    if (streams)
        err = open_stream(fd, &s, &f, &none);
    else if (!err && !open_own_device(&st, (uint32_t)fcntl(fd, F_GETFL) & LX_O_ACCMODE, &f))
        err = -LX_EPERM;
    if (!streams)
        close(fd);
    if (err)
        return err;
    err = fd_set_at(table, number, f, false);
    if (err < 0)
        file_put(f);
    return err < 0 ? err : 0;
}

void stdio_control_terminal(struct thread_group *tg, struct tty *terminal)
{
    struct session *s = tg->pgrp ? tg->pgrp->session : NULL;
    if (!terminal || !s || s->tty || terminal->session)
        return;
    terminal->session = s;
    terminal->fg_pgid = tg->pgrp->pgid;
    s->tty = terminal;
}

void host_tty_signal(struct thread_group *tg, struct tty *terminal, int sig)
{
    if (sig == LX_SIGCONT && tg && tg->job == JOB_STOPPED)
        send_signal_group(tg, sig, NULL);
    if (terminal && terminal->fg_pgid) {
        send_signal_pgrp(terminal->fg_pgid, sig, NULL);
    } else if (tg && !tg->zombie && sig != LX_SIGWINCH) {
        send_signal_group(tg, sig, NULL);
    }
}
