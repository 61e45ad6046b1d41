#pragma once
// Names of the kernel features that have a fallback (--disable-feature NAME).
#include <stdint.h>

struct feature {
    const char *name;
    uint64_t bit;        // FEATURE_*
    const char *without; // what is done instead
};
extern const struct feature features[];
extern const unsigned feature_count;
// The bit of a name, or 0.
uint64_t feature_by_name(const char *name);
