// Fuzz target of the codec: whatever decodes must encode to the same bytes. Reads one input from standard
// input or from the file named (AFL++, plain replay), or makes N mutated inputs of its own: `ninep_fuzz
// --smoke N [SEED]`.
#include "tests/fuzz/fuzz.h"
#include <stdio.h>
#include <stdlib.h>

#include "abi/ninep/ninep.h"

static struct np_message message;
static uint8_t again[1 << 17];

static void try_one(const uint8_t *bytes, size_t size)
{
    // A copy of exactly this size, so that a sanitizer sees any access beyond it.
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    if (np_decode(&message, copy, size) == 0) {
        ptrdiff_t length = np_encode(&message, again, sizeof(again));
        if (length != (ptrdiff_t)size || memcmp(again, bytes, size) != 0) {
            fprintf(stderr, "%s does not encode to what it was decoded from\n", np_name(message.type));
            abort();
        }
    }
    free(copy);
}

static void smoke(unsigned long rounds)
{
    static uint8_t wire[1 << 16];
    unsigned int row_count = 0, decoded = 0;
    while (np_row(row_count) >= 0)
        row_count++;
    for (unsigned long i = 0; i < rounds; i++) {
        size_t size = NP_HEADER_SIZE + next() % (i % 4 ? 64 : 6000);
        for (size_t j = 0; j < size; j++)
            wire[j] = next() % 3 ? 0 : (uint8_t)(next() % (next() % 2 ? 4 : 256));
        wire[4] = (uint8_t)np_row((unsigned int)(next() % row_count));
        uint32_t announced = (uint32_t)(next() % 16 ? size : next());
        memcpy(wire, &announced, 4);
        try_one(wire, size);
        // The same again cut or grown to what its contents claim, as far as a scan over nearby sizes finds
        // it.
        for (size_t other = size > 24 ? size - 24 : NP_HEADER_SIZE; other < size + 24 && other < sizeof(wire);
             other++) {
            announced = (uint32_t)other;
            memcpy(wire, &announced, 4);
            decoded += np_decode(&message, wire, other) == 0;
            try_one(wire, other);
        }
    }
    printf("%lu inputs, %u decoded\n", rounds, decoded);
    if (rounds >= 1000 && decoded < rounds / 100)
        exit(1);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, smoke, try_one);
}
