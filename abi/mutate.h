#pragma once
// Mutation checks: a protection is taken out, and the test that claims to see it must fail.
//
// Only the test programs of tests/escape are built with SENTRY_MUTANTS; there the environment variable
// SENTRY_MUTATION names what is taken out. Everywhere else mutated() is a constant, so that nothing of it is
// in the binary.
#include <stdbool.h>

#ifdef SENTRY_MUTANTS
bool mutated(const char *name);
#else
static inline bool mutated(const char *name)
{
    (void)name;
    return false;
}
#endif
