// Standard input, output and error of the first process.
#include "sentry/core/hostcall.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/signal.h"
#include "abi/linux/stat.h"
#include "sentry/boot/config.h"
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
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static struct tty *controlling; // the terminal among the standard streams; a reference

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

static int open_terminal(int fd, const struct stat *st, uint32_t access, uint32_t uid, struct file **out)
{
    uint32_t mode = fmode_of(access);
    struct tty *t = host_tty_open(fd, st->st_rdev, mode & FMODE_READ, mode & FMODE_WRITE);
    if (!t)
        return -LX_ENOMEM;
    int err = 0;
    if (devpts_find(t->index) != t)
        err = devpts_add(t, -1, uid, DEVPTS_GID_TTY, DEVPTS_MODE);
    if (!err)
        err = devpts_open_peer(t, access | LX_O_NOCTTY, out);
    if (!err && !controlling)
        controlling = tty_get(t);
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

static int open_stream(int fd, const struct sentry_config *config, struct file **out)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || host_fstat(fd, &st))
        return -errno;
    uint32_t access = (uint32_t)flags & (LX_O_ACCMODE | LX_O_APPEND | LX_O_NONBLOCK);
    if (S_ISDIR(st.st_mode))
        return -LX_EISDIR;
    if (is_terminal(fd, &st))
        return open_terminal(fd, &st, access, config->uid, out);
    if (open_own_device(&st, access, out)) {
        close(fd);
        return 0;
    }
    struct inode *i = host_inode(fd, &st, access, config->uid, config->gid);
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

int stdio_install(const struct boot_fds *fds, const struct sentry_config *config, struct fdtable *table)
{
    int first[3] = {0, 1, 2}; // the first stream that is the same open file
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < 3; i++)
        for (int j = 0; j < i && first[i] == i; j++)
            if (fds->stdio[i] >= 0 && fds->stdio[j] >= 0 && same_open_file(fds->stdio[i], fds->stdio[j]))
                first[i] = j;
    struct file *files[3] = {NULL, NULL, NULL};
    for (int i = 0; i < 3; i++) {
        if (fds->stdio[i] < 0)
            continue;
        int err = 0;
        if (first[i] != i) {
            files[i] = file_get(files[first[i]]);
            close(fds->stdio[i]);
        } else {
            err = open_stream(fds->stdio[i], config, &files[i]);
        }
        if (!err)
            err = fd_set_at(table, i, files[i], false);
        if (err < 0)
            return err;
    }
    return 0;
}

void stdio_control_terminal(struct thread_group *tg)
{
    struct session *s = tg->pgrp ? tg->pgrp->session : NULL;
    if (!controlling || !s || s->tty || controlling->session)
        return;
    controlling->session = s;
    controlling->fg_pgid = tg->pgrp->pgid;
    s->tty = controlling;
    init_has_shell = true;
}

void host_tty_signal(int sig)
{
    if (sig == LX_SIGCONT && init_tg && init_tg->job == JOB_STOPPED)
        send_signal_group(init_tg, sig, NULL);
    if (controlling && controlling->fg_pgid) {
        send_signal_pgrp(controlling->fg_pgid, sig, NULL);
    } else if (init_tg && !init_tg->zombie && sig != LX_SIGWINCH) {
        send_signal_group(init_tg, sig, NULL);
    }
}
