#include "sentry/oci/hooks.h"
#include "sentry/oci/json_write.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_MAX 512  // bytes that are kept of each stream
#define ROUNDS_AFTER 64 // readings of what a hook has left in its streams when it has ended

char *oci_state_json(const struct oci_state *state)
{
    struct json_writer w = {0};
    json_put_object(&w, NULL);
    json_put_string(&w, "ociVersion", state->version ? state->version : OCI_VERSION);
    json_put_string(&w, "id", state->id);
    json_put_string(&w, "status", state->status);
    if (state->pid)
        json_put_i64(&w, "pid", state->pid);
    json_put_string(&w, "bundle", state->bundle);
    if (state->nr_annotations) {
        json_put_object(&w, "annotations");
        for (size_t i = 0; i < state->nr_annotations; i++)
            json_put_string(&w, state->annotations[i].name, state->annotations[i].value);
        json_put_end(&w, '}');
    }
    json_put_end(&w, '}');
    if (w.error) {
        free(w.text);
        return NULL;
    }
    return w.text;
}

// A hook that runs. Descriptors are -1 once they are closed.
struct child {
    pid_t pid;        // -1: none of the host
    int ended;        // can be read when it has ended
    int input;        // our end of its standard input
    int output[2];    // of standard output and error
    int started;      // carries an errno, when it could not be executed
    const char *text; // left to write
    size_t left;
    char kept[2][OUTPUT_MAX + 1];
    size_t used[2];
    int error; // of the start
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static _Noreturn void execute(const struct oci_hook *hook, const struct oci_hook_run *run, int report)
{
    static const char *const none[] = {NULL};
    const char *alone[] = {hook->path, NULL};
    sigset_t mask;
    sigemptyset(&mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    for (int signo = 1; signo < NSIG; signo++)
        signal(signo, SIG_DFL);
    setpgid(0, 0);
    const char *directory = run->directory ? run->directory : run->state->bundle;
    int error = run->enter ? -run->enter(run->context) : 0;
    if (!error && chdir(directory) < 0)
        error = errno;
    if (!error) {
        const char **argv = hook->args.count ? hook->args.list : alone;
        // Without "env" a hook has ours (as runc has it), with an empty one none.
        char *const *envp = (char *const *)(hook->env.list ? (void *)hook->env.list : (void *)environ);
        if (hook->env.list && hook->env.count == 0)
            envp = (char *const *)(uintptr_t)none;
        execve(hook->path, (char *const *)(uintptr_t)argv, envp);
        error = errno;
    }
    ssize_t unused = write(report, &error, sizeof(error));
    (void)unused;
    _exit(127);
}

// Puts `from` at `to` across an exec, also where they are the same already.
static void place(int from, int to)
{
    if (from == to)
        fcntl(from, F_SETFD, 0);
    else
        dup2(from, to);
}

static int start(const struct oci_hook *hook, const struct oci_hook_run *run, struct child *c)
{
    int input[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, report[2] = {-1, -1};
    int failed = pipe2(input, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 ||
                         pipe2(report, O_CLOEXEC) < 0
                     ? -errno
                     : 0;
    c->pid = failed || run->begin ? -1 : fork();
    if (!failed && !run->begin && c->pid < 0)
        failed = -errno;
    if (!failed && c->pid == 0) {
        // Above the three first, so that none of them is overwritten before it is placed.
        int ends[3] = {fcntl(input[0], F_DUPFD_CLOEXEC, 3), fcntl(out[1], F_DUPFD_CLOEXEC, 3),
                       fcntl(err[1], F_DUPFD_CLOEXEC, 3)};
        int at = fcntl(report[1], F_DUPFD_CLOEXEC, 3);
        for (int fd = 0; fd < 3; fd++)
            place(ends[fd], fd);
        close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
        execute(hook, run, at);
    }
    if (!failed) {
        const int streams[3] = {input[0], out[1], err[1]};
        c->ended =
            run->begin ? run->begin(run->context, hook, streams) : (int)syscall(SYS_pidfd_open, c->pid, 0);
        if (c->ended < 0)
            failed = run->begin ? c->ended : -errno;
    }
    close_fd(&input[0]);
    close_fd(&out[1]);
    close_fd(&err[1]);
    close_fd(&report[1]);
    c->input = input[1];
    c->output[0] = out[0];
    c->output[1] = err[0];
    c->started = report[0];
    if (c->pid > 0)
        setpgid(c->pid, c->pid); // whoever is first
    if (!failed)
        fcntl(c->input, F_SETFL, O_NONBLOCK);
    return failed;
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

// Writes on, and ends the input with the text. A hook that does not read is no failure.
static void feed(struct child *c)
{
    ssize_t n = write(c->input, c->text, c->left);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        close_fd(&c->input);
    if (n > 0) {
        c->text += n;
        c->left -= (size_t)n;
    }
    if (c->left == 0)
        close_fd(&c->input);
}

static void drain(struct child *c, int stream)
{
    char buffer[4096];
    ssize_t n = read(c->output[stream], buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        close_fd(&c->output[stream]);
        return;
    }
    size_t room = OUTPUT_MAX - c->used[stream];
    size_t take = (size_t)n < room ? (size_t)n : room;
    memcpy(c->kept[stream] + c->used[stream], buffer, take);
    c->used[stream] += take;
}

// Serves the hook's streams until it has ended. False: the deadline has passed.
static bool serve(struct child *c, int64_t deadline)
{
    for (int rounds = 0; rounds < ROUNDS_AFTER;) {
        struct pollfd fds[5] = {{.fd = c->ended, .events = POLLIN},
                                {.fd = c->input, .events = POLLOUT},
                                {.fd = c->output[0], .events = POLLIN},
                                {.fd = c->output[1], .events = POLLIN},
                                {.fd = c->started, .events = POLLIN}};
        int64_t left = deadline - now_ms();
        if (deadline && left <= 0)
            return false;
        int n = poll(fds, 5, deadline ? (int)(left > 1000000000 ? 1000000000 : left) : -1);
        if (n < 0 && errno != EINTR)
            return false;
        if (n <= 0)
            continue;
        if (fds[1].revents)
            feed(c);
        for (int i = 0; i < 2; i++)
            if (fds[2 + i].revents)
                drain(c, i);
        if (fds[4].revents) {
            if (read(c->started, &c->error, sizeof(c->error)) != sizeof(c->error))
                c->error = 0;
            close_fd(&c->started);
        }
        // What it left running may hold the streams: the end of the hook itself counts.
        if (fds[0].revents && !fds[2].revents && !fds[3].revents && !fds[4].revents)
            break;
        rounds += fds[0].revents != 0;
    }
    return true;
}

static int explain(struct child *c, const struct oci_hook *hook, int status, bool late,
                   struct oci_error *error)
{
    if (late)
        return oci_fail(error, ETIMEDOUT, "hook %s ran longer than its timeout of %u s", hook->path,
                        hook->timeout);
    if (c->error)
        return oci_fail_errno(error, c->error, "cannot execute the hook %s", hook->path);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    for (int i = 0; i < 2; i++) {
        while (c->used[i] && c->kept[i][c->used[i] - 1] == '\n')
            c->used[i]--;
        c->kept[i][c->used[i]] = 0;
    }
    return oci_fail(error, ECHILD, "hook %s: %s %d, stdout: %s, stderr: %s", hook->path,
                    WIFSIGNALED(status) ? "ended by signal" : "exit status",
                    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), c->kept[0], c->kept[1]);
}

static int run_hook(const struct oci_hook *hook, const struct oci_hook_run *run, const char *state,
                    struct oci_error *error)
{
    struct child c = {.ended = -1, .text = state, .left = strlen(state)};
    int status = 0;
    int failed = start(hook, run, &c);
    bool late = !failed && !serve(&c, hook->timeout ? now_ms() + (int64_t)hook->timeout * 1000 : 0);
    if (run->end && c.ended >= 0) {
        int lost = run->end(run->context, c.ended, &status);
        c.ended = -1;
        if (lost && !late)
            failed = lost;
    }
    if (c.pid > 0) {
        if (late || failed)
            kill(-c.pid, SIGKILL);
        while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close_fd(&c.input);
    close_fd(&c.output[0]);
    close_fd(&c.output[1]);
    close_fd(&c.started);
    close_fd(&c.ended);
    return failed ? oci_fail_errno(error, -failed, "cannot run the hook %s", hook->path)
                  : explain(&c, hook, status, late, error);
}

int oci_hooks_run(const struct oci_hooks *hooks, enum oci_hook_kind kind, const struct oci_hook_run *run,
                  struct oci_error *error)
{
    bool warns = kind == OCI_HOOK_POSTSTART || kind == OCI_HOOK_POSTSTOP;
    if (hooks->count == 0)
        return 0;
    char *state = oci_state_json(run->state);
    if (!state)
        return oci_fail_errno(error, ENOMEM, "cannot describe the container to its hooks");
    // A hook that does not read its input ends no command.
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    int failed = 0;
    for (size_t i = 0; i < hooks->count && !failed; i++) {
        struct oci_error reason = {{0}};
        failed = run_hook(&hooks->list[i], run, state, &reason);
        if (failed && warns) {
            if (run->warn)
                run->warn(run->context, reason.text);
            failed = 0;
        } else if (failed && error) {
            *error = reason;
        }
    }
    sigaction(SIGPIPE, &before, NULL);
    free(state);
    return failed;
}
