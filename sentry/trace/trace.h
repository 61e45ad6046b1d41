#pragma once
// --strace: one line per call, in the words of strace(1).
//
//     PID COMM NAME(ARGUMENTS) = RESULT [ERRNO (text)] <SECONDS>
//
// Guest memory is read only through the reader, in pieces of bounded size; whatever it refuses is shown as an
// address. Text of the guest is escaped, so that a line is one line.
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TRACE_LINE_MAX 4096 // a buffer of this size holds any line but the most extreme, which end in "..."

// Reads guest memory.
struct trace_reader {
    // Copies up to n bytes from guest address src. Returns bytes copied from the start, maybe fewer than n; 0
    // or less when none can be read.
    ssize_t (*read)(void *ctx, void *dst, uint64_t src, size_t n);
    void *ctx;
};

struct trace_event {
    int32_t pid;      // the guest's number of the thread
    const char *comm; // NUL-terminated, at most 15 bytes are shown
    uint32_t nr;
    uint64_t args[6];
    int64_t result;       // value or -errno
    int no_return;        // the call ended the thread: there is no result
    uint64_t duration_ns; // from receiving the call to its reply
};

// Writes the line with its newline, always terminated, into buf (size >= 8). Returns its length.
size_t trace_format(char *buf, size_t size, const struct trace_reader *reader,
                    const struct trace_event *event);

// The two halves of it, for calls that replace the memory their arguments are in (execve): take
// `NAME(ARGUMENTS)` before, then make the line of it.
size_t trace_format_call(char *buf, size_t size, const struct trace_reader *reader,
                         const struct trace_event *event);
size_t trace_format_line(char *buf, size_t size, const struct trace_event *event, const char *call);
