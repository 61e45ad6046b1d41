#include "sentry/oci/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Copies what is printable and writes the rest as \xNN; stops where the next piece does not fit.
static void escape(char *to, size_t size, const char *from)
{
    size_t used = 0;
    for (; *from; from++) {
        unsigned char c = (unsigned char)*from;
        char piece[5];
        size_t n = (size_t)snprintf(piece, sizeof(piece), c >= 0x20 && c < 0x7f ? "%c" : "\\x%02x", c);
        if (used + n >= size)
            break;
        memcpy(to + used, piece, n);
        used += n;
    }
    to[used] = 0;
}

__attribute__((format(printf, 3, 0))) static void set(struct oci_error *error, const char *reason,
                                                      const char *fmt, va_list args)
{
    char text[OCI_ERROR_TEXT];
    if (!error)
        return;
    vsnprintf(text, sizeof(text), fmt, args);
    escape(error->text, sizeof(error->text), text);
    size_t used = strlen(error->text);
    if (reason)
        snprintf(error->text + used, sizeof(error->text) - used, ": %s", reason);
}

int oci_fail(struct oci_error *error, int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    set(error, NULL, fmt, args);
    va_end(args);
    return -code;
}

int oci_fail_errno(struct oci_error *error, int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    set(error, strerror(code), fmt, args);
    va_end(args);
    return -code;
}

void oci_error_prefix(struct oci_error *error, const char *fmt, ...)
{
    char old[OCI_ERROR_TEXT];
    if (!error)
        return;
    memcpy(old, error->text, sizeof(old));
    old[sizeof(old) - 1] = 0;
    va_list args;
    va_start(args, fmt);
    set(error, NULL, fmt, args);
    va_end(args);
    size_t used = strlen(error->text);
    snprintf(error->text + used, sizeof(error->text) - used, ": %s", old);
}
