// `gofer --files`: the only process of a sandbox with host files.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gofer/jail.h"
#include "gofer/loop.h"
#include "gofer/modes.h"
#include "seccomp_programs.h"

#ifdef SENTRY_SANITIZED
#define FILTER filter_gofer_files_sanitizer
#else
#define FILTER filter_gofer_files_trap
#endif

static int close_all_but(const struct gofer_config *config, const struct gofer_export *exports, int config_fd,
                         int listen_fd)
{
    int keep[GOFER_EXPORTS_MAX + 3] = {config_fd, config->connection_fd, listen_fd};
    for (uint32_t i = 0; i < config->export_count; i++)
        keep[3 + i] = exports[i].source == GOFER_SOURCE_PATH ? -1 : exports[i].fd;
    return jail_close_others(keep, 3 + config->export_count);
}

static bool is_listening(int fd)
{
    int listens = 0;
    socklen_t size = sizeof(listens);
    return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
}

static int prepare_loop(struct loop *loop, uint32_t kind)
{
    if (kind == GOFER_LOOP_POLL)
        return 0;
    int error = loop_uring_prepare(loop);
    if (!error || kind == GOFER_LOOP_AUTO)
        return 0;
    fprintf(stderr, "gofer: io_uring is not to be had: %s; use --disable-feature io-uring\n",
            strerror(-error));
    return error;
}

int gofer_files_main(int argc, char **argv)
{
    static struct host host;
    static struct loop loop = {.host = &host, .listener = -1};
    struct gofer_config config;
    struct gofer_export *exports;
    int config_fd = gofer_fd_argument(argc, argv, "--config-fd");
    if (config_fd < 0 || gofer_config_read(config_fd, &config, &exports))
        return GOFER_EXIT_FAILED;
    int listen_fd = gofer_fd_argument(argc, argv, "--listen-fd");
    if (close_all_but(&config, exports, config_fd, listen_fd))
        return GOFER_EXIT_FAILED;
    close(config_fd);
    host.owner = config.owner;
    host.self_uid = config.self_uid;
    host.self_gid = config.self_gid;
    host.locks = listen_fd >= 0;
    bool mounts = !(config.waive & GOFER_WAIVE_MOUNTS);
    int error = jail_exports(&config, exports, &host);
    free(exports);
    if (error)
        return GOFER_EXIT_FAILED;
    error = host_open_self(&host, mounts);
    if (error) {
        fprintf(stderr, "gofer: cannot open /proc/self/fd: %s\n", strerror(-error));
        return GOFER_EXIT_FAILED;
    }
    error = host_check(&host);
    if (error) {
        fprintf(
            stderr,
            "gofer: cannot resolve names safely: openat2(2): %s; a seccomp profile around it must allow it\n",
            strerror(-error));
        return GOFER_EXIT_FAILED;
    }
    // Leaves the working directory at "/"; the descriptor of /proc/self/fd lives on.
    if ((mounts && jail_empty_root()) || fchdir(host.self_fds) < 0)
        return GOFER_EXIT_FAILED;
    if (jail_confine(&config, &host, -1))
        return GOFER_EXIT_FAILED;
    host.uid = geteuid();
    host.gid = getegid();
    loop.message_limit = config.message_limit;
    loop.fid_limit = server_fid_limit(config.fid_limit);
    if (is_listening(listen_fd)) { // those who connect share the descriptors
        loop.fid_limit = loop.fid_limit / 8 + 1;
        loop.listener = listen_fd;
    } else if (listen_fd >= 0 && loop_add(&loop, listen_fd)) {
        return GOFER_EXIT_FAILED;
    }
    if (prepare_loop(&loop, config.loop) ||
        (config.connection_fd >= 0 && loop_add(&loop, config.connection_fd)))
        return GOFER_EXIT_FAILED;
    if (jail_filter(&FILTER))
        return GOFER_EXIT_FAILED;
    error = loop.ring ? loop_uring_run(&loop) : loop_poll_run(&loop);
    if (error)
        fprintf(stderr, "gofer: the loop ended: %s\n", strerror(-error));
    return error ? GOFER_EXIT_FAILED : 0;
}
