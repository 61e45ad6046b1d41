#pragma once
// Where the commands of the runtime say what went wrong: standard error, and the file that --log names, where an engine looks
// for the last line.
#include "sentry/oci/error.h"
#include <stdbool.h>

// `path` NULL: standard error alone. 0 or -errno.
int report_open(const char *path, bool json, struct oci_error *error);
// One line to both; text is escaped.
void report_error(const char *text);
// The same about a container of that name; "": none.
void report_error_of(const char *name, const char *text);
// To the log alone, or to standard error where there is none.
void report_warning(const char *text);
// From here on standard error is the container's, not ours: lines go to the log alone. For the monitor.
void report_leave_stderr(void);
// What boot code says (fail.h) goes to the log from here on, and the last of it is kept: "" while there is none.
void report_take_boot_messages(void);
const char *report_last_boot_message(void);
