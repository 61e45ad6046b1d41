#pragma once
// The standard streams that come from outside: host descriptors behind guest files. Kernel lock.
//
// What the guest closes is closed on the host too, so that whoever reads the other end of a pipe sees its end. A host
// descriptor's O_NONBLOCK is shared with the world outside and is never changed: see stream.c.
#include <stdbool.h>
#include <stdint.h>

struct boot_fds;
struct sentry_config;
struct fdtable;
struct thread_group;
struct tty;

// Puts files for fds->stdio into descriptors 0 to 2 of the first process (a number below 0 stays closed); streams that are one
// open file outside are one open file inside. Needs the mounts and the event loop. Takes the descriptors over. Once, while the
// process may still call kcmp (before its filter). 0, -LX_EISDIR for a directory, or another -errno.
int stdio_install(const struct boot_fds *fds, const struct sentry_config *config, struct fdtable *table);

// The first process has its numbers: the terminal among its standard streams, if any, becomes the controlling terminal of its
// session, with its group in the foreground.
void stdio_control_terminal(struct thread_group *tg);

// A signal that the command line caught, for the foreground group of that terminal (SIGINT, SIGQUIT, SIGTSTP, SIGCONT,
// SIGWINCH), or for the first process where no terminal has a foreground group.
void host_tty_signal(int sig);
