#pragma once
// `sentry check`: what this host can do for the sandbox.

// Prints a line for each kernel feature. 0 when a sandbox can be made, 1 when something necessary is missing.
int check_host(void);
