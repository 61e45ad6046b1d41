#pragma once
// Memory files that carry bytes from one of our processes to the next.
#include <stddef.h>

// A memfd (close-on-exec) that holds n bytes and is sealed against every change, its seals included; the
// offset is 0. With `executable` it may be executed also where the host's default says no. -errno on failure.
int memory_file_sealed(const char *name, const void *bytes, size_t n, int executable);
