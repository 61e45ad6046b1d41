#pragma once
// UTF-8 as RFC 3629 has it: shortest form, no surrogates, nothing above U+10FFFF.
#include <stddef.h>

// The length of the sequence that begins at `s`, which is before `end`. 0: none.
size_t utf8_length(const unsigned char *s, const unsigned char *end);
