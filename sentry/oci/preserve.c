#include "sentry/oci/preserve.h"
#include "sentry/oci/client.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define ANSWER_MS 10000

static int listening; // of socket activation
static int kept;      // with those of --preserve-fds

static int number_of(const char *text)
{
    char *end;
    long value = text ? strtol(text, &end, 10) : 0;
    return text && *text && !*end && value > 0 && value <= CONTROL_PRESERVE_MAX ? (int)value : 0;
}

// The value of the option, wherever it stands: what it really is, is known once all options are read.
static int find_option(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *name = argv[i] + strspn(argv[i], "-");
        size_t n = strlen("preserve-fds");
        if (name == argv[i] || strncmp(name, "preserve-fds", n) != 0)
            continue;
        if (name[n] == '=')
            return number_of(name + n + 1);
        if (!name[n])
            return i + 1 < argc ? number_of(argv[i + 1]) : 0;
    }
    return 0;
}

int preserve_keep(int argc, char **argv, struct oci_error *error)
{
    const char *pid = getenv("LISTEN_PID");
    listening = pid && strtol(pid, NULL, 10) == getpid() ? number_of(getenv("LISTEN_FDS")) : 0;
    kept = listening + find_option(argc, argv);
    (void)close_range(3 + (unsigned)kept, ~0u, 0);
    for (int fd = 3; fd < 3 + kept; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return oci_fail(error, EBADF, "please check that preserved-fd %d (of %d) is present", fd - 3,
                            kept);
    return 0;
}

static int check_kind(int fd, struct oci_error *error)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &st) < 0)
        return oci_fail_errno(error, errno, "--preserve-fds: descriptor %d", fd);
    const char *what = S_ISDIR(st.st_mode) ? "a directory"
                       : isatty(fd)        ? "a terminal"
                       : flags & O_PATH    ? "only a path"
                                           : NULL;
    unsigned number = minor(st.st_rdev); // null, zero, full, random, urandom: the guest gets its own
    bool memory = S_ISCHR(st.st_mode) && major(st.st_rdev) == 1 &&
                  (number == 3 || number == 5 || (number >= 7 && number <= 9));
    if (!what && !S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode) && !memory)
        what = "of a kind that leads to the host's kernel";
    if (!what)
        return 0;
    return oci_fail(error, EOPNOTSUPP,
                    "--preserve-fds: descriptor %d is %s; a guest gets regular files, pipes and sockets", fd,
                    what);
}

int preserve_check(int64_t wanted, struct oci_error *error)
{
    if (wanted < 0 || wanted > CONTROL_PRESERVE_MAX - listening)
        return oci_fail(error, EINVAL, "--preserve-fds takes a number up to %d",
                        CONTROL_PRESERVE_MAX - listening);
    int count = listening + (int)wanted;
    if (count > kept)
        return oci_fail(error, EINVAL, "--preserve-fds: only one of them counts");
    for (int fd = 3 + count; fd < 3 + kept; fd++)
        close(fd); // words of the program that looked like the option
    kept = count;
    for (int fd = 3; fd < 3 + kept; fd++) {
        int failed = check_kind(fd, error);
        if (failed)
            return failed;
    }
    return 0;
}

int preserve_environment(struct oci_process *process, struct oci_error *error)
{
    char *text;
    if (!listening)
        return 0;
    const char **env = calloc(process->env.count + 3, sizeof(*env));
    if (!env || asprintf(&text, "LISTEN_FDS=%d", listening) < 0)
        return oci_fail(error, ENOMEM, "out of memory");
    for (size_t i = 0; i < process->env.count; i++)
        env[i] = process->env.list[i];
    env[process->env.count] = text;
    env[process->env.count + 1] = "LISTEN_PID=1";
    process->env = (struct oci_strings){env, process->env.count + 2};
    return 0;
}

int preserve_send(int connection, uint32_t kind, struct oci_error *error)
{
    for (int fd = 3; fd < 3 + kept; fd++) {
        struct control_record record;
        int failed = client_send(connection, kind, 0, &fd, 1);
        int n = failed ? 0 : client_receive(connection, &record, ANSWER_MS);
        if (n != 1 || record.kind != CONTROL_DONE || record.value > 0 || record.value < -4095)
            return oci_fail(error, EPROTO, "the container does not take descriptor %d", fd);
        if (record.value)
            return oci_fail_errno(error, -record.value, "the container does not take descriptor %d", fd);
    }
    return 0;
}

bool preserve_any(void)
{
    return kept > 0;
}

void preserve_close(void)
{
    for (int fd = 3; fd < 3 + kept; fd++)
        close(fd);
    kept = 0;
}
