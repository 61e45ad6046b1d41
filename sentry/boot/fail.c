#include "sentry/boot/fail.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// One write for the whole line, so that lines of several processes do not mix.
static void say_line(const char *line, size_t length)
{
    ssize_t unused = write(STDERR_FILENO, line, length);
    (void)unused;
}

static void (*sink)(const char *text);

void boot_set_sink(void (*take)(const char *text))
{
    sink = take;
}

void boot_say(const char *fmt, ...)
{
    char line[2048];
    int prefix = snprintf(line, sizeof(line), "sentry: ");
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line + prefix, sizeof(line) - (size_t)prefix - 1, fmt, args);
    va_end(args);
    size_t length = (size_t)prefix + (n < 0 ? 0 : (size_t)n);
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    line[length] = 0;
    if (sink) {
        sink(line + prefix);
        return;
    }
    line[length++] = '\n';
    say_line(line, length);
}

int boot_fail(const char *what, const char *object, int error, const char *advice)
{
    boot_say("%s%s%s%s%s%s%s", what, object ? " " : "", object ? object : "", error ? ": " : "",
             error ? strerror(error) : "", advice ? "; " : "", advice ? advice : "");
    return -error;
}

int finish_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    (void)boot_fail("cannot write to", "standard output", errno, NULL);
    return status ? status : 1;
}
