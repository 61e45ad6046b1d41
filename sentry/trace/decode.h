#pragma once
// Inside of sentry/trace: what decoders share.
#include "sentry/trace/text.h"
#include "sentry/trace/trace.h"
#include "trace_types.h"

#define TRACE_REF_RESULT 6 // the argument's size is the result
#define TRACE_DATA_MAX 32  // bytes of data shown
#define TRACE_PATH_MAX 512 // bytes of a path shown
#define TRACE_ITEMS_MAX 8  // elements of an array shown

// One argument of a call, from the table: its type and the argument it depends on (-1: none).
struct trace_arg {
    enum trace_type type;
    int reference;
};
struct trace_row {
    const char *name; // NULL: no such call
    int nr_args;
    struct trace_arg args[6];
};
extern const struct trace_row trace_rows[];
extern const unsigned trace_rows_size;

struct decoder {
    struct text *text;
    const struct trace_reader *reader;
    const struct trace_event *event;
};

static inline int trace_failed(const struct decoder *d)
{
    return d->event->no_return || d->event->result < 0;
}
// Reads n bytes exactly. Returns 0 when any of them cannot be read.
int trace_read(const struct decoder *d, void *dst, uint64_t src, size_t n);
// Reads what there is of n bytes, page by page.
size_t trace_read_part(const struct decoder *d, void *dst, uint64_t src, size_t n);

void trace_pointer(const struct decoder *d, uint64_t addr);
void trace_string(const struct decoder *d, uint64_t addr, size_t max);
void trace_data(const struct decoder *d, uint64_t addr, uint64_t size);
void trace_mode(const struct decoder *d, uint32_t mode);
void trace_open_flags(const struct decoder *d, uint64_t flags);
void trace_signal(const struct decoder *d, uint64_t sig);
// One argument by its type. `ref` is the value of the argument it depends on.
void trace_argument(const struct decoder *d, enum trace_type type, uint64_t value, uint64_t ref);
// Arguments that are structures in guest memory. Returns 0 when the type is none of them.
int trace_struct(const struct decoder *d, enum trace_type type, uint64_t addr, uint64_t ref);
