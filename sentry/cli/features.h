#pragma once
// Names of the kernel features that have a fallback (--disable-feature NAME).
#include <stdbool.h>
#include <stdint.h>

struct feature {
    const char *name;
    uint64_t bit;        // FEATURE_*
    const char *without; // what is done instead
};
extern const struct feature features[];
extern const unsigned feature_count;
#define FEATURE_NAME_MAX 64
// Adds the bits of names with commas between them. False: `unknown` is the first that is none, cut to what fits.
bool features_by_list(const char *list, uint64_t *bits, char unknown[FEATURE_NAME_MAX]);
