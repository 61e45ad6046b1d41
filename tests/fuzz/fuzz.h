#pragma once
// What the fuzz targets share: random numbers that a seed repeats, and where inputs come from.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_INPUT_MAX (1u << 20)

static uint64_t fuzz_state = 88172645463325252ull;

static inline uint64_t next(void)
{
    fuzz_state ^= fuzz_state << 13;
    fuzz_state ^= fuzz_state >> 7;
    fuzz_state ^= fuzz_state << 17;
    return fuzz_state;
}

// The body of main(). TARGET --smoke ROUNDS [SEED]: `smoke` makes its own inputs. TARGET [FILE]: `one` gets what is in the file, or
// comes on standard input, cut to FUZZ_INPUT_MAX.
static inline int fuzz_main(int argc, char **argv, void (*smoke)(unsigned long rounds),
                            void (*one)(const uint8_t *bytes, size_t size))
{
    static uint8_t input[FUZZ_INPUT_MAX];
    if (argc >= 3 && !strcmp(argv[1], "--smoke")) {
        if (argc > 3)
            fuzz_state = strtoull(argv[3], NULL, 0);
        smoke(strtoul(argv[2], NULL, 0));
        return 0;
    }
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : stdin;
    if (!file)
        return 1;
    one(input, fread(input, 1, sizeof(input), file));
    return 0;
}
