// Entry point of the `gofer` program, the broker for files and sockets.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gofer/modes.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments;
} modes[] = {
    {"--files", gofer_files_main, "--config-fd N [--listen-fd N]"},
    {"--proc", gofer_proc_main, "--connection-fd N --proc-fd N [--memory 1] [--session N]"},
    {"--net", gofer_net_main, "--connection-fd N [--policy-fd N] [--no-landlock 1]"},
};

static int usage(FILE *to)
{
    fputs("gofer: started by sentry, not by hand. Modes:\n", to);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        fprintf(to, "  gofer %s %s\n", modes[i].name, modes[i].arguments);
    return fflush(to) == 0 && !ferror(to) ? 0 : GOFER_EXIT_FAILED;
}

int gofer_fd_argument(int argc, char **argv, const char *name)
{
    for (int i = 0; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) != 0)
            continue;
        char *end;
        long value = strtol(argv[i + 1], &end, 10);
        if (*end || end == argv[i + 1] || value < 0 || value > INT_MAX)
            return -1;
        return (int)value;
    }
    return -1;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (!strcmp(argv[1], modes[i].name))
            return modes[i].run(argc - 2, argv + 2);
    }
    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return usage(stdout);
    (void)usage(stderr);
    return GOFER_EXIT_FAILED;
}
