#pragma once
// runc's command line: global options, a sub-command, its options and arguments.
#include "sentry/boot/net_rules.h"
#include "sentry/oci/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum oci_network { OCI_NETWORK_AUTO, OCI_NETWORK_NONE, OCI_NETWORK_HOST };
enum oci_rootless { OCI_ROOTLESS_AUTO, OCI_ROOTLESS_TRUE, OCI_ROOTLESS_FALSE };

// Options before the sub-command: runc's, and our own, which an engine passes as runtimeArgs.
struct oci_globals {
    const char *root;       // --root; NULL: the default
    const char *log;        // --log
    const char *log_format; // --log-format
    bool debug;
    const char *rootless; // --rootless
    bool systemd_cgroup;
    const char *criu;           // accepted, unused
    const char *cgroup_manager; // crun's name for it: cgroupfs, disabled
    // Our own.
    const char *network, *allow_connect, *allow_bind, *overlay, *strace, *disable_features,
        *allow_annotations;
    bool help, version;
};

// OCI_JOINED: given again, values are joined by commas.
enum oci_option_kind { OCI_FLAG, OCI_TEXT, OCI_JOINED, OCI_LIST, OCI_NUMBER };

struct oci_list {
    const char **items; // NULL-terminated once there is one
    size_t count;
};

struct oci_option {
    const char *name; // without dashes; "": none
    char letter;      // 0: none
    enum oci_option_kind kind;
    void *value;      // bool *, const char **, struct oci_list *, int64_t *
    const char *form; // what a value looks like; NULL: it takes none
    const char *help; // NULL: the name says it
};
#define OCI_OPTIONS_END                     \
    {                                       \
        NULL, 0, OCI_FLAG, NULL, NULL, NULL \
    }

// Reads the options at the beginning of a command's arguments, as Go's flag package does: one dash or two, "=value" or the next
// word, up to the first word that is none, or "--". Returns how many words were options, or -EINVAL. --help, where the options
// have none of that name, prints them as those of the running command and ends the process.
int oci_options(int argc, char **argv, const struct oci_option *options, struct oci_error *error);

struct oci_command {
    const char *name;
    const char *arguments; // for help
    const char *help;
    // argv[0] is the command's name. Returns the exit status; messages are reported by then.
    int (*run)(const struct oci_globals *globals, int argc, char **argv);
};
extern const struct oci_command oci_commands[]; // ends with a NULL name

// Prints what `command` takes; `globals` are the options before it.
void oci_print_help(const struct oci_command *command, const struct oci_option *options,
                    const struct oci_option *globals);

// Is this command line runc's, and not `sentry [OPTIONS] -- PROGRAM`? A known sub-command after global options says so.
bool oci_is_command_line(int argc, char **argv);
// Runs it. Returns the exit status.
int oci_main(int argc, char **argv);

// The network policy of the options. 0 or -EINVAL.
int oci_net_rules(const struct oci_globals *globals, struct net_rules *rules, struct oci_error *error);
// Do the options' values mean something? 0 or -EINVAL.
int oci_check_globals(const struct oci_globals *globals, struct oci_error *error);
// For commands: `count` arguments must be left after the options. 0 or -EINVAL.
int oci_arguments(int argc, int used, int least, int most, const char *command, struct oci_error *error);
// Reports the error (to --log too) and returns the exit status 1.
int oci_fail_command(const struct oci_error *error);

// The commands, one file each or a few in one.
int oci_create(const struct oci_globals *globals, int argc, char **argv);
int oci_run(const struct oci_globals *globals, int argc, char **argv);
int oci_start(const struct oci_globals *globals, int argc, char **argv);
int oci_state_command(const struct oci_globals *globals, int argc, char **argv);
int oci_list_command(const struct oci_globals *globals, int argc, char **argv);
int oci_kill(const struct oci_globals *globals, int argc, char **argv);
int oci_delete(const struct oci_globals *globals, int argc, char **argv);
int oci_exec(const struct oci_globals *globals, int argc, char **argv);
int oci_pause(const struct oci_globals *globals, int argc, char **argv);
int oci_resume(const struct oci_globals *globals, int argc, char **argv);
int oci_ps(const struct oci_globals *globals, int argc, char **argv);
int oci_events(const struct oci_globals *globals, int argc, char **argv);
int oci_update(const struct oci_globals *globals, int argc, char **argv);
int oci_not_yet(const struct oci_globals *globals, int argc, char **argv);
