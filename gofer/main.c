// Entry point of the `gofer` program, the broker for files and sockets.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gofer/modes.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} modes[] = {
    {"--files", gofer_files_main},
    {"--proc", gofer_proc_main},
    {"--net", gofer_net_main},
};

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
    fprintf(stderr, "gofer: started by sentry, not by hand. Modes: --files --config-fd N, --proc "
                    "--connection-fd N --proc-fd M\n");
    return GOFER_EXIT_FAILED;
}
