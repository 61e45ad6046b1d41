// The trace formatter on hostile calls: the input is a call, a result and the guest memory behind every
// pointer. A line must end in a newline, hold printable ASCII only and stay inside its buffer.
#include "tests/fuzz/fuzz.h"
#include "sentry/trace/trace.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct input {
    const uint8_t *bytes;
    size_t size;
};

// Memory repeats the input; odd 4 KiB pages beyond the first are not there.
static ssize_t read_input(void *ctx, void *dst, uint64_t src, size_t n)
{
    const struct input *in = ctx;
    if (in->size == 0 || src >> 12 & 1)
        return -1;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)dst)[i] = in->bytes[(src + i) % in->size];
    return (ssize_t)n;
}

static void try_one(const uint8_t *bytes, size_t size)
{
    struct {
        uint32_t nr;
        uint16_t buffer;
        char comm[16];
        uint64_t args[6];
        int64_t result;
    } fixed = {0};
    size_t head = size < sizeof(fixed) ? size : sizeof(fixed);
    memcpy(&fixed, bytes, head);
    fixed.comm[15] = '\0';
    struct input in = {bytes + head, size - head};
    struct trace_reader reader = {read_input, &in};
    struct trace_event event = {.pid = 1,
                                .comm = fixed.comm,
                                .nr = fixed.nr % 512,
                                .result = fixed.result,
                                .duration_ns = fixed.args[0]};
    memcpy(event.args, fixed.args, sizeof(event.args));
    size_t room = 8 + fixed.buffer % TRACE_LINE_MAX;
    char *line = malloc(room); // exactly, so that the sanitizer sees each byte too many
    if (!line)
        return;
    size_t n = trace_format(line, room, &reader, &event);
    if (n == 0 || n >= room || line[n] != '\0' || line[n - 1] != '\n')
        abort();
    for (size_t i = 0; i + 1 < n; i++)
        if (line[i] < 0x20 || line[i] >= 0x7f)
            abort();
    free(line);
}

static void smoke(unsigned long rounds)
{
    uint8_t bytes[512];
    for (unsigned long i = 0; i < rounds; i++) {
        for (size_t j = 0; j < sizeof(bytes); j++)
            bytes[j] = next() % 3 ? 0 : (uint8_t)(next() % (next() % 2 ? 8 : 256));
        try_one(bytes, next() % (sizeof(bytes) + 1));
    }
    printf("%lu inputs\n", rounds);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, smoke, try_one);
}
