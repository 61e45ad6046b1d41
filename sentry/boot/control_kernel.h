#pragma once
// The kernel's end of the control socket. Kernel lock.
#include <stdint.h>

// Takes the socket over and watches it. Once, after event_init.
void control_init(int fd);
// Tells the monitor that the first process has stopped, so that it stops too and the shell outside sees it.
void control_stopped(int sig);
// The last record: how the sandbox ended (CONTROL_EXIT, CONTROL_FAILED). Ends the kernel process.
_Noreturn void control_finish(uint32_t kind, int value, const char *text);
