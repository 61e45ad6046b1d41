#pragma once
// The command line of `sentry [OPTIONS] -- PROGRAM [ARG...]`.
#include "sentry/boot/net_rules.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum network_option { NETWORK_NONE, NETWORK_HOST };

struct bind_option {
    char *source;      // as given; allocated, with the destination behind it
    char *destination; // absolute guest path
    bool readonly;
};

struct server_option {
    char *socket;      // of a 9P server on this host
    char *export_name; // what it calls the tree
    char *destination; // absolute guest path
    bool readonly;
};

struct tmpfs_option {
    char *destination; // allocated
    uint64_t size;     // 0: default
    uint32_t mode;
    bool noexec;
};

struct options {
    char *rootfs;                  // NULL: the default root
    bool overlay_none;             // writes to --rootfs reach it
    char *overlay_store;           // directory of the host for what is written; NULL: memory
    uint64_t overlay_size;         // bytes, 0: default
    bool owners_set;               // files get the owners and modes that the program asks for
    bool host_fifos, host_sockets; // may be made where the program writes to the host
    struct bind_option *binds;
    size_t nr_binds;
    struct tmpfs_option *tmpfs;
    size_t nr_tmpfs;
    struct server_option *servers;
    size_t nr_servers;
    char *cwd;
    char **environment; // K=V of --env, in order
    size_t nr_environment;
    bool clear_environment;
    bool user_given;
    uint32_t uid, gid;
    char *hostname;
    enum network_option network;
    struct net_rules net_rules;
    uint64_t memory;     // bytes, 0: no limit
    uint64_t cpus_milli; // thousandths of a CPU, 0: no limit
    unsigned pids;       // 0: default
    uint64_t timeout_ns; // 0: none
    bool strace, stats;
    char *strace_file, *stats_file, *log_file; // NULL: standard error
    int log_level;
    uint64_t disabled_features; // FEATURE_*
    char **argv;                // the program and its arguments, NULL-terminated
    bool nested;
    bool help, version, list_features;
};

// Reads the command line (argv[0] is skipped). 0, or -EINVAL after a message. options_free() frees its lists, also after a
// failure; the strings of other fields are argv's.
int options_parse(int argc, char **argv, struct options *options);
void options_free(struct options *options);
void options_usage(void);

// Parts, exposed for tests. Each returns false for malformed input.
bool option_size(const char *text, uint64_t *bytes);              // 4096, 64k, 1.5g, 2GiB
bool option_duration(const char *text, uint64_t *ns);             // 5, 1.5s, 200ms, 2m, 1h
bool option_cpus(const char *text, uint64_t *milli);              // 0.5, 2
bool option_user(const char *text, uint32_t *uid, uint32_t *gid); // UID[:GID]
bool option_bind(char *text, struct bind_option *bind);           // SRC:DST[:ro|rw]; text is cut up
bool option_server(char *text, struct server_option *server);     // SOCKET:NAME:DST[:ro|rw]; text is cut up
bool option_overlay(char *text,
                    struct options *o); // memory[,size=N], file=DIR[,size=N], none; text is cut up
bool option_tmpfs(char *text, struct tmpfs_option *tmpfs); // DST[:size=,mode=,noexec]; text is cut up
