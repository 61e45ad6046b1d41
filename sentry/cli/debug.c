#include "sentry/cli/debug.h"
#include "sentry/boot/debug_socket.h"
#include "sentry/boot/fail.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_WAIT_MS 5000

static int number_of(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && value > 0 && value <= INT_MAX ? (int)value : 0;
}

// The one sandbox that runs, when no number was given. 0 after a message.
static pid_t only_sandbox(void)
{
    char directory[PATH_MAX];
    DIR *dir = debug_directory(directory, sizeof(directory)) ? NULL : opendir(directory);
    pid_t found = 0;
    unsigned count = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        pid_t pid = number_of(entry->d_name);
        int fd = pid ? debug_connect(pid) : -1;
        if (fd < 0)
            continue;
        close(fd);
        if (++count == 2)
            boot_say("several sandboxes run; name one of them:\n  sentry debug --stacks %d", (int)found);
        if (count >= 2)
            boot_say("  sentry debug --stacks %d", (int)pid);
        found = pid;
    }
    if (dir)
        closedir(dir);
    if (count == 0)
        boot_say("no sandbox of this user runs");
    return count == 1 ? found : 0;
}

// Copies the answer to standard output until the other end closes.
static int show_answer(int fd)
{
    char text[4096];
    for (;;) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        int n = poll(&waiting, 1, ANSWER_WAIT_MS);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return boot_fail("no answer from the sandbox", NULL, n < 0 ? errno : ETIMEDOUT, NULL);
        ssize_t got = read(fd, text, sizeof(text));
        if (got < 0 && errno != EINTR)
            return boot_fail("cannot read the answer", NULL, errno, NULL);
        if (got == 0)
            return 0;
        if (got > 0)
            fwrite(text, 1, (size_t)got, stdout);
    }
}

int debug_main(int argc, char **argv)
{
    pid_t pid = argc == 4 ? number_of(argv[3]) : 0;
    if (argc < 3 || argc > 4 || strcmp(argv[2], "--stacks") != 0 || (argc == 4 && !pid)) {
        boot_say("usage: sentry debug --stacks [PID]");
        return EXIT_SANDBOX;
    }
    if (!pid)
        pid = only_sandbox();
    if (!pid)
        return 1;
    int fd = debug_connect(pid);
    if (fd < 0) {
        boot_say("cannot reach the sandbox of process %d: %s; the number is that of the `sentry` command",
                 (int)pid, strerror(-fd));
        return 1;
    }
    return write(fd, "s", 1) == 1 && show_answer(fd) == 0 ? 0 : 1;
}
