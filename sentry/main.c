// Entry point of the `sentry` program: the command line and, executed again, the kernel process.
#include "sentry/boot/fail.h"
#include "sentry/boot/kernel_process.h"
#include "sentry/cli/check.h"
#include "sentry/cli/debug.h"
#include "sentry/cli/features.h"
#include "sentry/cli/options.h"
#include "sentry/cli/run.h"
#include "sentry/oci/command.h"
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], KERNEL_PROCESS_NAME) == 0)
        return kernel_process_main(argc, argv);
    if (argc >= 2 && strcmp(argv[1], "check") == 0)
        return finish_output(check_main(argc, argv));
    if (argc >= 2 && strcmp(argv[1], "debug") == 0)
        return finish_output(debug_main(argc, argv));
    if (oci_is_command_line(argc, argv))
        return oci_main(argc, argv);
    struct options options;
    if (options_parse(argc, argv, &options))
        return EXIT_SANDBOX;
    if (options.help) {
        options_usage();
        return finish_output(0);
    }
    if (options.version) {
        puts("sentry " SENTRY_VERSION);
        return finish_output(0);
    }
    if (options.list_features) {
        for (unsigned i = 0; i < feature_count; i++)
            puts(features[i].name);
        return finish_output(0);
    }
    return run_sandbox(&options);
}
