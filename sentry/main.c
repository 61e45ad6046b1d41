// Entry point of the `sentry` program: the command line, the runtime and, re-executed, the kernel.
int main(void) { return 125; }
