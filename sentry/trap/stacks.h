#pragma once
// `sentry debug --stacks`: what each guest thread does now. Kernel lock.
#include <stddef.h>

// Calls `emit` with pieces of text, one line a thread: tid, program, call and its arguments or "running", since when, and
// whether it waits.
void stacks_write(void (*emit)(const char *text, size_t length));
