#pragma once
// Why a command of the runtime failed: one sentence that names what was tried, on what, and why it failed.
//
// Functions below sentry/oci return 0 or -errno and, with an error, leave the sentence here. The command line
// prints or logs it; text that came from outside of the runtime (documents, output of hooks) is escaped.
#include <stddef.h>

#define OCI_ERROR_TEXT 2048

struct oci_error {
    char text[OCI_ERROR_TEXT]; // no line feed, printable ASCII only
};

// Sets the sentence, cut to the size of the text, and returns -code. `error` may be NULL.
int oci_fail(struct oci_error *error, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// The same, followed by ": " and strerror(code).
int oci_fail_errno(struct oci_error *error, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// Puts "CONTEXT: " before the sentence that is there.
void oci_error_prefix(struct oci_error *error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
