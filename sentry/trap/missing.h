#pragma once
// Calls without a handler, in the log.
#include <stdbool.h>
#include <stdint.h>

// Logs that `program` (a thread's name) made call `nr`, which is not there: once for each program and call.
// The memory of what was logged is bounded; a guest that fills it with invented names meets the log's own
// rate limit. Kernel lock.
void missing_call_log(const char *program, uint32_t nr);
// The part that remembers: true when the pair is new.
bool missing_call_first(const char *program, uint32_t nr);
