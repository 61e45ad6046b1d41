#pragma once
// Messages of the command line and of boot: what was tried, on what, why it failed, what to do.
#include <stdarg.h>

// Exit statuses that the sandbox itself gives.
#define EXIT_SANDBOX 125     // the sandbox failed
#define EXIT_CANNOT_EXEC 126 // the program was found but cannot be executed
#define EXIT_NOT_FOUND 127   // the program was not found

// One line on standard error: "sentry: WHAT OBJECT: REASON; ADVICE". `object`, `advice` may be NULL; `error`
// 0 gives no reason. Returns -error, so that a caller can report and return in one statement.
int boot_fail(const char *what, const char *object, int error, const char *advice);
// Messages go to `take`, without the "sentry: ", from here on. NULL: to standard error again.
void boot_set_sink(void (*take)(const char *text));
// Before the end: what was printed has reached standard output, or this says so. Returns `status`, or 1 where that was 0.
int finish_output(int status);
// A line of free text after "sentry: ".
void boot_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
