// Reading guest memory for the trace: strings, data and bare pointers.
#include "sentry/trace/decode.h"
#include <string.h>

#define PAGE 4096u

size_t trace_read_part(const struct decoder *d, void *dst, uint64_t src, size_t n)
{
    size_t done = 0;
    while (done < n) {
        uint64_t addr = src + done;
        size_t piece = PAGE - addr % PAGE;
        if (piece > n - done)
            piece = n - done;
        if (addr < src || addr + piece < addr)
            break;
        ssize_t got = d->reader->read(d->reader->ctx, (char *)dst + done, addr, piece);
        if (got <= 0)
            break;
        done += (size_t)got > piece ? piece : (size_t)got;
        if ((size_t)got < piece)
            break;
    }
    return done;
}

int trace_read(const struct decoder *d, void *dst, uint64_t src, size_t n)
{
    return src != 0 && trace_read_part(d, dst, src, n) == n;
}

void trace_pointer(const struct decoder *d, uint64_t addr)
{
    if (addr == 0)
        text_add(d->text, "NULL");
    else
        text_printf(d->text, "%#llx", (unsigned long long)addr);
}

void trace_string(const struct decoder *d, uint64_t addr, size_t max)
{
    char s[TRACE_PATH_MAX + 1];
    if (max > TRACE_PATH_MAX)
        max = TRACE_PATH_MAX;
    size_t got = addr ? trace_read_part(d, s, addr, max + 1) : 0;
    size_t len = strnlen(s, got);
    // Neither an end nor max bytes: it runs into memory that is not there.
    if (got == 0 || (len == got && got <= max))
        trace_pointer(d, addr);
    else
        text_quoted(d->text, s, len > max ? max : len, len > max);
}

void trace_data(const struct decoder *d, uint64_t addr, uint64_t size)
{
    char data[TRACE_DATA_MAX];
    size_t n = size > sizeof(data) ? sizeof(data) : (size_t)size;
    if (addr == 0 || trace_read_part(d, data, addr, n) != n)
        trace_pointer(d, addr);
    else
        text_quoted(d->text, data, n, size > n);
}
