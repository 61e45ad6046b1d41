#pragma once
// The standard streams that come from outside: host descriptors behind guest files. Kernel lock.
//
// What the guest closes is closed on the host too, so that whoever reads the other end of a pipe sees its end. A host
// descriptor's O_NONBLOCK is shared with the world outside and is never changed: see stream.c.
#include <stdbool.h>
#include <stdint.h>

struct fdtable;
struct thread_group;
struct tty;

struct stdio_streams {
    int fd[3];         // host descriptors; below 0: stays closed
    int first[3];      // the first stream that is the same open file outside, itself where there is none
    uint32_t uid, gid; // whom the files show as their owner
};
// Fills `first`. Only while the process may still call kcmp (before its filter).
void stdio_find_same(struct stdio_streams *s);
// Puts files for the streams into descriptors 0 to 2 of a table. Takes the descriptors over, also when it fails. *terminal
// (NULL before) gets a reference to the first terminal among them. Needs the mounts and the event loop. 0, -LX_EISDIR for a
// directory, or another -errno.
int stdio_install(const struct stdio_streams *s, struct fdtable *table, struct tty **terminal);

// A file for one more descriptor, a regular file, pipe, socket or memory device, at that number. Takes it over, also when it fails.
// 0, -LX_EPERM for another kind, or another -errno.
int stdio_give(int fd, uint32_t uid, uint32_t gid, struct fdtable *table, int number);

// The process has its numbers: the terminal (or NULL) becomes the controlling terminal of its session, with its group in the
// foreground.
void stdio_control_terminal(struct thread_group *tg, struct tty *terminal);

// A signal that the command line caught, for the foreground group of that terminal (SIGINT, SIGQUIT, SIGTSTP, SIGCONT,
// SIGWINCH), or for the process where the terminal (or NULL) has no foreground group.
void host_tty_signal(struct thread_group *tg, struct tty *terminal, int sig);
// The command line's word for a reader of its terminal: 0, EIO, or -SIGTTIN when it is in the background of its shell. It was
// asked through the hook.
void host_tty_answer(int answer);
extern void (*host_tty_ask_hook)(void); // NULL: nobody needs to be asked
