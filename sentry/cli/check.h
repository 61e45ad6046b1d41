#pragma once
// `sentry check`: what this host can do for the sandbox.

// Prints a line for each kernel feature. 0 when a sandbox can be made, 1 when something necessary is missing; EXIT_SANDBOX for arguments
// that it does not have.
int check_main(int argc, char **argv);
