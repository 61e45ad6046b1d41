#pragma once
// Terminals as the guest sees them: the slave side of a pseudo terminal, or the host terminal behind a standard stream.
// A struct tty is what a session controls; job control (jobctl.c), ioctls (ioctl.c) and files (file.c) are the same for both
// kinds, the rest is behind tty_ops. Everything here: kernel lock.
//
// References: each open file and each entry of devpts holds the tty. tty->session and session->tty are weak both ways: the
// session's leader clears them when it ends, the tty when it is freed.
#include "abi/linux/termios.h"
#include "sentry/core/wait.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file;
struct file_ops;
struct inode;
struct iov_iter;
struct process_group;
struct session;
struct task;
struct tty;

#define TTY_MAJOR_PTS 136u

enum tty_when { TTY_NOW, TTY_DRAIN, TTY_FLUSH }; // TCSETS, TCSETSW, TCSETSF

struct tty_ops {
    // As the file operations, after job control and hang-up were looked at.
    int64_t (*read)(struct tty *t, struct file *f, struct iov_iter *it);
    int64_t (*write)(struct tty *t, struct file *f, struct iov_iter *it);
    uint32_t (*poll)(struct tty *t, struct file *f, struct poll_table *pt);
    int64_t (*get_termios)(struct tty *t, struct lx_termios2 *out);
    int64_t (*set_termios)(struct tty *t, const struct lx_termios2 *in, enum tty_when when);
    int64_t (*get_winsize)(struct tty *t, struct lx_winsize *out);
    int64_t (*set_winsize)(struct tty *t, const struct lx_winsize *in); // raises SIGWINCH where it changes
    int64_t (*flush)(struct tty *t, int queue);                         // LX_TCIFLUSH...
    int64_t (*flow)(struct tty *t, int action);                         // LX_TCOOFF...
    int64_t (*send_break)(struct tty *t, int arg, bool posix);          // TCSBRK, TCSBRKP
    int64_t (*input_bytes)(struct tty *t);
    int64_t (*output_bytes)(struct tty *t);
    int (*open)(struct tty *t, struct file *f);   // one more file; 0 or -errno. Optional
    void (*close)(struct tty *t, struct file *f); // one file less. Optional
    void (*free)(struct tty *t);
};

struct tty {
    unsigned refs;
    int index; // N of /dev/pts/N
    const struct tty_ops *ops;
    struct session *session; // that it controls; weak
    int fg_pgid;             // foreground process group, 0 when none
    struct wait_queue wait;  // readers and writers of this side
    bool hung_up;            // the other side is gone for ever
    bool exclusive;          // TIOCEXCL
    unsigned files;          // open files of this side
};

void tty_init(struct tty *t, const struct tty_ops *ops); // refs 1
struct tty *tty_get(struct tty *t);
void tty_put(struct tty *t);
uint64_t tty_rdev(const struct tty *t); // st_rdev of its node

// --- files of a terminal (file.c)
extern const struct file_ops tty_file_ops;
// Makes `f` a file of `t` (its own reference), and `t` current's controlling terminal where open(2) would. 0 or -errno.
int tty_open_file(struct tty *t, struct file *f);
// Registers /dev/tty, /dev/ptmx and the pts numbers. Once at start; 0 or -errno.
int tty_register_devices(void);

// --- ioctls (ioctl.c). `master`: asked through the master side; then `t` is still the slave's tty.
// Bits per second that c_cflag names; `given` where it names any speed (BOTHER).
uint32_t tty_speed(uint32_t cflag, uint32_t given);
int64_t tty_ioctl(struct tty *t, struct file *f, bool master, uint32_t cmd, uint64_t arg);

// --- job control (jobctl.c)
// The controlling terminal of current, or NULL. Borrowed.
struct tty *current_tty(void);
// May current change or use the terminal? 0; -LX_EIO in an orphaned group; -LX_ERESTARTSYS after `sig` was sent.
int tty_check_background(struct tty *t, int sig);
// current reads from a terminal whose user has the whole sandbox in the background: SIGTTIN and -LX_ERESTARTSYS, or -LX_EIO.
int tty_stop_reader(void);
// A session leader ends: its terminal belongs to nobody, SIGHUP (and SIGCONT) to the foreground group. tty_disassociate_ctty.
void tty_session_leader_exit(struct session *s);
// The terminal is gone: SIGHUP and SIGCONT to the session's leader and the foreground group, the session loses it.
void tty_hangup(struct tty *t);
void tty_signal_foreground(struct tty *t, int sig);
// Makes it the controlling terminal of current's session (current leads it), current's group in the foreground.
void tty_set_controlling(struct tty *t);
int64_t tty_jobctl_ioctl(struct tty *t, struct file *f, bool master, uint32_t cmd, uint64_t arg);
bool tty_is_jobctl_ioctl(uint32_t cmd);
