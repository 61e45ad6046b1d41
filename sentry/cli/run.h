#pragma once
#include "sentry/cli/options.h"

// Runs a program in a sandbox of its own. Returns the exit status of `sentry`.
int run_sandbox(const struct options *options);
