#pragma once
// Memory for many small objects of one life time, freed at once.
#include <stddef.h>

struct arena;

// NULL: no memory.
struct arena *arena_new(void);
void arena_free(struct arena *arena);
// `count` zeroed objects of `size` bytes, aligned for any type. NULL: no memory, or the product overflows.
void *arena_alloc(struct arena *arena, size_t count, size_t size);
// A NUL-terminated copy of `length` bytes. NULL: no memory.
char *arena_copy(struct arena *arena, const char *text, size_t length);
