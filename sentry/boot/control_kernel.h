#pragma once
// The kernel's end of the control sockets. Kernel lock.
#include "sentry/boot/control.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tty;

// Tells the monitor that all processes are there, and waits until they are in the control groups. The monitor's end ends us.
// 0 or -errno. Before control_init.
int control_wait_for_go(int fd);
// Takes the monitor's socket over and watches it. Once, after event_init.
void control_init(int fd);
// Tells the monitor that the first process has stopped, so that it stops too and the shell outside sees it.
void control_stopped(int sig);
// Asks the monitor whether the program may read from the terminal now; host_tty_answer() takes the answer.
void control_may_read(void);
// The last record: how the sandbox ended (CONTROL_EXIT, CONTROL_FAILED). Ends the kernel process.
_Noreturn void control_finish(uint32_t kind, int value, const char *text);
// What is done with the first process when clients say so. Each returns 0 or -errno.
struct control_first {
    int (*start)(void);
    int (*hold)(void);   // client_held() is called when it is done
    int (*give)(int fd); // one more descriptor, taken over
};
// Tells the monitor that everything is there. NULL: the first process has begun already.
void control_ready(const struct control_first *first);
// Does what control_ready() was told. 0; -EINVAL when nothing waits; -errno of the start, and it goes on waiting.
int control_start(void);
// The first process waits before its program. 0, or the same errors.
int control_hold(void);
int control_give(int fd);
bool control_is_waiting(void);
// The terminal of the first process (borrowed, may be NULL), where signals of the monitor go.
void control_terminal(struct tty *t);

// One record to a monitor or client; `flags` as sendmsg(2). 0 or -errno.
int control_send(int fd, uint32_t kind, int value, const char *text, size_t length, int flags);
// Receives one without waiting, and the descriptors with it (close-on-exec). 1; 0 at the end of the connection; -EAGAIN; -EPROTO
// for anything else than one whole record; -errno.
int control_receive(int fd, struct control_record *r, int fds[CONTROL_FDS_MAX], unsigned *nr_fds);
