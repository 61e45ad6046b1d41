#pragma once
// A taken-over Sentry, for tests/escape: there it answers CONTINUE to whatever a guest asks it to let pass,
// and donates every descriptor it has. Nothing of it is in the real program.
#include "sentry/trap/call.h"

#ifdef SENTRY_MUTANTS
// True when the call carries the mark of the test program; its result is in *result.
bool hostile_call(const struct call *c, int64_t *result);
#else
static inline bool hostile_call(const struct call *c, int64_t *result)
{
    (void)c;
    (void)result;
    return false;
}
#endif
