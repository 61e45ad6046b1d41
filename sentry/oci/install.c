// The commands `install` and `uninstall`: options, reading the file, replacing it as a whole.
#include "sentry/oci/install.h"
#include "sentry/boot/fail.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAEMON_JSON "/etc/docker/daemon.json"
#define FILE_MAX (1u << 20)

struct request {
    const char *path;
    bool dry_run, remove;
    struct install_entry entry;
    char program[PATH_MAX];
};

static void usage(bool remove)
{
    if (remove)
        puts("usage: sentry uninstall [OPTION...]\n\nTake the runtime out of Docker's configuration.\n");
    else
        puts("usage: sentry install [OPTION...] [-- ARG...]\n\n"
             "Add this program to Docker's configuration as a runtime; ARG... are options that it is always "
             "given.\n");
    puts("  --path FILE        the configuration (default: " DAEMON_JSON ")\n"
         "  --name NAME        the name of the runtime (default: sentry)\n"
         "  --dry-run          print what the file would hold, and change nothing");
    if (!remove)
        puts("  --program PATH     the program (default: this one)\n"
             "  --default          make it Docker's default runtime\n"
             "  --replace          replace another runtime of that name");
}

// "--option VALUE" and "--option=VALUE". NULL: another option.
static const char *value_of(const char *option, int argc, char **argv, int *i)
{
    size_t n = strlen(option);
    if (strncmp(argv[*i], option, n) != 0)
        return NULL;
    if (argv[*i][n] == '=')
        return argv[*i] + n + 1;
    return !argv[*i][n] && *i + 1 < argc ? argv[++*i] : NULL;
}

static int parse(int argc, char **argv, struct request *r)
{
    *r = (struct request){
        .path = DAEMON_JSON, .remove = strcmp(argv[0], "uninstall") == 0, .entry = {.name = "sentry"}};
    for (int i = 1; i < argc; i++) {
        const char *value;
        if (strcmp(argv[i], "--dry-run") == 0) {
            r->dry_run = true;
        } else if ((value = value_of("--path", argc, argv, &i))) {
            r->path = value;
        } else if ((value = value_of("--name", argc, argv, &i))) {
            r->entry.name = value;
        } else if (!r->remove && (value = value_of("--program", argc, argv, &i))) {
            r->entry.program = value;
        } else if (!r->remove && strcmp(argv[i], "--default") == 0) {
            r->entry.make_default = true;
        } else if (!r->remove && strcmp(argv[i], "--replace") == 0) {
            r->entry.replace = true;
        } else if (!r->remove && strcmp(argv[i], "--") == 0) {
            r->entry.args = (const char *const *)(argv + i + 1);
            r->entry.nr_args = (size_t)(argc - i - 1);
            break;
        } else {
            return boot_fail("unknown argument", argv[i], EINVAL, "see --help");
        }
    }
    const char *name = r->entry.name;
    if (!name[0] ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != strlen(name))
        return boot_fail("--name: letters, digits, '_', '.' and '-' are expected, not", name, EINVAL, NULL);
    return 0;
}

// An absolute path that can be executed, without symbolic links of the moment.
static int find_program(struct request *r)
{
    if (r->remove)
        return 0;
    const char *given = r->entry.program ? r->entry.program : "/proc/self/exe";
    if (!realpath(given, r->program) || access(r->program, X_OK) < 0)
        return boot_fail("cannot use the program", given, errno, NULL);
    r->entry.program = r->program;
    return 0;
}

// The file's text; an absent file is an empty one. The caller frees it.
static int read_config(const char *path, char **text, size_t *length, struct stat *st)
{
    *length = 0;
    *text = calloc(1, FILE_MAX + 1);
    *st = (struct stat){.st_mode = 0644, .st_uid = geteuid(), .st_gid = getegid()};
    if (!*text)
        return boot_fail("cannot read", path, ENOMEM, NULL);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : boot_fail("cannot read", path, errno, NULL);
    int error = fstat(fd, st) < 0 ? errno : !S_ISREG(st->st_mode) ? EINVAL : 0;
    while (!error && *length <= FILE_MAX) {
        ssize_t n = read(fd, *text + *length, FILE_MAX + 1 - *length);
        if (n < 0 && errno == EINTR)
            continue;
        error = n < 0 ? errno : 0;
        if (n <= 0)
            break;
        *length += (size_t)n;
    }
    close(fd);
    if (!error && *length > FILE_MAX)
        error = EFBIG;
    return error ? boot_fail("cannot read", path, error, NULL) : 0;
}

static int write_all(int fd, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0) {
            text += n;
            left -= (size_t)n;
        }
    }
    return 0;
}

static void sync_directory(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

// A file beside it takes its place at once, with its mode and owner: nobody reads half of it, also after a
// crash.
static int replace_file(const char *path, const char *text, const struct stat *st)
{
    char temporary[PATH_MAX];
    if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int)sizeof(temporary))
        return boot_fail("cannot write", path, ENAMETOOLONG, NULL);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return boot_fail("cannot write beside", path, errno, errno == EACCES ? "run it as root" : NULL);
    int error = write_all(fd, text);
    if (!error)
        error = write_all(fd, "\n");
    if (!error &&
        (fchmod(fd, st->st_mode & 07777) < 0 || fchown(fd, st->st_uid, st->st_gid) < 0 || fsync(fd) < 0))
        error = errno;
    close(fd);
    if (!error && rename(temporary, path) < 0)
        error = errno;
    if (error) {
        (void)unlink(temporary);
        return boot_fail("cannot replace", path, error, NULL);
    }
    sync_directory(path);
    return 0;
}

// Where the file really is: a symbolic link stays one. The directory is made where it is missing.
static int locate(const char *given, char *path, bool make)
{
    char copy[PATH_MAX];
    if (realpath(given, path))
        return 0;
    if (errno != ENOENT)
        return boot_fail("cannot read", given, errno, NULL);
    if (snprintf(path, PATH_MAX, "%s", given) >= PATH_MAX ||
        snprintf(copy, PATH_MAX, "%s", given) >= PATH_MAX)
        return boot_fail("cannot read", given, ENAMETOOLONG, NULL);
    const char *directory = dirname(copy);
    if (make && mkdir(directory, 0755) < 0 && errno != EEXIST)
        return boot_fail("cannot make", directory, errno, NULL);
    return 0;
}

static int edit(const struct request *r, const char *path, const char *text, size_t length,
                const struct stat *st)
{
    struct oci_error error;
    char *out = NULL;
    bool changed = false;
    int failed = r->remove ? install_remove(text, length, r->entry.name, &out, &changed, &error)
                           : install_add(text, length, &r->entry, &out, &changed, &error);
    if (failed) {
        boot_say("%s: %s", path, error.text);
        return failed;
    }
    if (r->dry_run)
        failed = puts(out) < 0 || fflush(stdout) != 0 ? boot_fail("cannot print", NULL, errno, NULL) : 0;
    else if (changed)
        failed = replace_file(path, out, st);
    if (!failed && !r->dry_run)
        boot_say(changed ? "%s: changed; `systemctl reload docker`, or SIGHUP to dockerd, makes it known"
                         : "%s: nothing to change",
                 path);
    free(out);
    return failed;
}

int install_main(int argc, char **argv)
{
    struct request r;
    char path[PATH_MAX], *text = NULL;
    size_t length;
    struct stat st;
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        usage(strcmp(argv[0], "uninstall") == 0);
        return 0;
    }
    int failed = parse(argc, argv, &r);
    if (!failed)
        failed = find_program(&r);
    if (!failed)
        failed = locate(r.path, path, !r.dry_run && !r.remove);
    if (!failed)
        failed = read_config(path, &text, &length, &st);
    if (!failed)
        failed = edit(&r, path, text, length, &st);
    free(text);
    return failed ? 1 : 0;
}
