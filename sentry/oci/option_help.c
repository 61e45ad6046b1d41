// `sentry COMMAND --help`
#include "sentry/oci/command.h"
#include <stdio.h>

static void print_options(const struct oci_option *options)
{
    for (; options->name; options++) {
        char left[64], letter[6] = "";
        if (!options->name[0])
            continue;
        if (options->letter)
            snprintf(letter, sizeof(letter), "-%c, ", options->letter);
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, options->name, options->form ? " " : "",
                 options->form ? options->form : "");
        printf(options->help ? "  %-34s %s\n" : "  %s%s\n", left, options->help ? options->help : "");
    }
}

void oci_print_help(const struct oci_command *command, const struct oci_option *options,
                    const struct oci_option *globals)
{
    printf("usage: sentry [GLOBAL OPTION...] %s [OPTION...] %s\n\n%s\n", command->name, command->arguments,
           command->help);
    if (options->name) {
        puts("\noptions:");
        print_options(options);
    }
    puts("\nglobal options, before the command:");
    print_options(globals);
}
