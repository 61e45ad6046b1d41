#pragma once
// The kernel process: `sentry` executed again as "sentry-kernel", first in its pid namespace, with the
// capabilities of its user namespace until the jail is closed.
#define KERNEL_PROCESS_NAME "sentry-kernel"

// main() of the kernel process. argv[1] is the number of the configuration's descriptor.
int kernel_process_main(int argc, char **argv);
