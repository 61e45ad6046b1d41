// One connection of a command, and the process that it may have started.
#include "sentry/boot/client.h"
#include "abi/linux/errno.h"
#include "abi/linux/signal.h"
#include "sentry/boot/config_codec.h"
#include "sentry/boot/control_kernel.h"
#include "sentry/boot/launch.h"
#include "sentry/core/event.h"
#include "sentry/core/log.h"
#include "sentry/exec/exec.h"
#include "sentry/fs/proc/out_text.h"
#include "sentry/task/task.h"
#include "sentry/trap/pause.h"
#include "sentry/trap/stacks.h"
#include "sentry/trap/trap.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 1024
#define ANSWERED 1 // by a request itself, or later

struct client {
    struct list_head link;
    struct host_watch watch; // its fd is the connection
    struct task *task;       // launched, has not registered; borrowed from the launch
    struct thread_group *tg; // its process; referenced
    struct tty *terminal;    // of that process; a reference
    bool gone;               // the connection has ended: what it started is killed when it is there
    bool holds;              // it waits for client_held()
    bool tells;              // not all of `text` was taken yet; no request is read meanwhile
    struct out_text text;    // an answer
    size_t sent;             // of it
    unsigned nr_kept;
    int kept[CONTROL_PRESERVE_MAX]; // descriptors for the process that it is about to start
};

static struct list_head clients = LIST_INIT(clients); // kernel lock
static unsigned nr_clients;                           // kernel lock
static const struct sentry_config *sandbox;           // never changes
static struct fs_struct *root_fs;                     // never changes

int clients_init(const struct sentry_config *config, const struct fs_struct *fs)
{
    sandbox = config;
    root_fs = fs_dup(fs);
    return root_fs ? 0 : -ENOMEM;
}

static void answer(struct client *c, uint32_t kind, int value, const char *text)
{
    if (!c->gone && control_send(c->watch.fd, kind, value, text, strlen(text), MSG_DONTWAIT))
        log_debug("an answer to a command is lost");
}

// Sends as much of the text as there is room for, and its end. The rest follows when the command has read.
static void pass_text(struct client *c)
{
    int err = 0;
    while (!err && c->sent < c->text.len) {
        size_t n = c->text.len - c->sent;
        n = n < CONTROL_TEXT_MAX ? n : CONTROL_TEXT_MAX;
        err = control_send(c->watch.fd, CONTROL_TEXT, 0, c->text.data + c->sent, n, MSG_DONTWAIT);
        c->sent += err ? 0 : n;
    }
    if (!err)
        err = control_send(c->watch.fd, CONTROL_TEXT_END, 0, "", 0, MSG_DONTWAIT);
    c->tells = err == -EAGAIN;
    if (c->tells)
        return;
    out_free(&c->text);
    c->sent = 0;
}

// False: there was no memory for all of it, and the command is told nothing.
static bool begin_text(struct client *c)
{
    if (c->text.failed)
        return false;
    pass_text(c);
    return true;
}

static void disconnect(struct client *c)
{
    if (c->gone)
        return;
    c->gone = true;
    host_watch_del(&c->watch);
    close(c->watch.fd);
}

static void drop_kept(struct client *c)
{
    while (c->nr_kept > 0)
        close(c->kept[--c->nr_kept]);
}

static int keep(struct client *c, int fd)
{
    if (c->nr_kept == CONTROL_PRESERVE_MAX) {
        close(fd);
        return -LX_EMFILE;
    }
    c->kept[c->nr_kept++] = fd;
    return 0;
}

static void client_free(struct client *c)
{
    disconnect(c);
    drop_kept(c);
    out_free(&c->text);
    launch_release_terminal(c->terminal);
    tg_put(c->tg);
    list_del(&c->link);
    nr_clients--;
    free(c);
}

// Whoever started a process and goes away takes it along.
static void client_leaves(struct client *c)
{
    disconnect(c);
    if (c->tg)
        group_exit(c->tg, LX_SIGKILL); // client_process_ended() frees it
    else if (!c->task)
        client_free(c);
}

static bool is_held; // the first process waits before its program, or has begun after that; kernel lock

void client_held(void)
{
    is_held = true;
    list_for_each_safe(c, &clients, struct client, link)
    {
        if (c->holds)
            answer(c, CONTROL_DONE, 0, "");
        c->holds = false;
    }
}

void client_signal_unstarted(int sig)
{
    if (sig == LX_SIGKILL || (!signal_default_ignored(sig) && !signal_default_stops(sig)))
        control_finish(CONTROL_EXIT, sig, "");
}

static int kill_first(struct client *c, int sig)
{
    if (sig < 0 || sig > LX_NSIG)
        return -LX_EINVAL;
    if (control_is_waiting()) {
        answer(c, CONTROL_DONE, 0, ""); // this may be the end
        client_signal_unstarted(sig);
        return ANSWERED;
    }
    if (!init_tg || init_tg->zombie)
        return -LX_ESRCH;
    return send_signal_group(init_tg, sig, NULL);
}

static int kill_all(struct client *c, int sig)
{
    if (sig < 0 || sig > LX_NSIG)
        return -LX_EINVAL;
    if (control_is_waiting())
        return kill_first(c, sig);
    // A signal may end several processes of the list at once: so walk numbers, not members.
    int last = 0;
    for (;;) {
        struct thread_group *next = NULL;
        list_for_each(tg, &all_groups, struct thread_group,
                      all_link) if (tg->pid > last && (!next || tg->pid < next->pid)) next = tg;
        if (!next)
            return 0;
        last = next->pid;
        send_signal_group(next, sig, NULL);
    }
}

static bool list_processes(struct client *c)
{
    list_for_each(tg, &all_groups, struct thread_group, all_link)
    {
        char comm[TASK_COMM_LEN * 4 + 1];
        const struct task *t = group_thread(tg) ? group_thread(tg) : tg->leader;
        if (!t)
            continue;
        out_printf(&c->text, "%d %d %u %s\n", tg->pid, tg->parent ? tg->parent->pid : 0,
                   t->cred ? t->cred->uid : 0,
                   log_escape(comm, sizeof(comm), t->comm, strnlen(t->comm, TASK_COMM_LEN)));
    }
    return begin_text(c);
}

static struct client *asks_for_stacks; // while the text is made; kernel lock

static void add_stack(const char *text, size_t length)
{
    out_add(&asks_for_stacks->text, text, length);
}

static bool show_stacks(struct client *c)
{
    asks_for_stacks = c;
    stacks_write(add_stack);
    asks_for_stacks = NULL;
    return begin_text(c);
}

// The streams that came with the request take their places; those that are one open file outside are one here.
static bool arrange_streams(int value, const int *fds, unsigned nr_fds, struct stdio_streams *s)
{
    unsigned next = 1;
    for (int i = 0; i < 3; i++) {
        s->fd[i] = -1;
        s->first[i] = i;
        if (!(value & CONTROL_EXEC_STREAM(i)))
            continue;
        if (next >= nr_fds)
            return false;
        s->fd[i] = fds[next++];
        if (CONTROL_EXEC_SAME_OF(value, i) < i)
            s->first[i] = CONTROL_EXEC_SAME_OF(value, i);
    }
    return next == nr_fds;
}

static int launch(struct client *c, struct sentry_config *config, const struct stdio_streams *streams)
{
    struct exec_image *image;
    struct launch_plan plan = {.config = config, .streams = *streams, .fs = fs_dup(root_fs)};
    plan.streams.uid = config->uid;
    plan.streams.gid = config->gid;
    config->max_tasks = max_tasks;
    config->memory_limit = sandbox->memory_limit;
    config->cpus = sandbox->cpus;
    if (!plan.fs) {
        for (int i = 0; i < 3; i++)
            if (streams->fd[i] >= 0)
                close(streams->fd[i]);
        return -LX_ENOMEM;
    }
    int err = launch_prepare(&plan, &c->task, &c->terminal);
    if (err)
        return err;
    unsigned given = 0, count = c->nr_kept;
    c->nr_kept = 0;
    while (given < count && !err) {
        err = launch_give(c->task, c->kept[given], given);
        given++;
    }
    while (given < count)
        close(c->kept[given++]);
    if (!err)
        err = launch_find(config, c->task, &image);
    if (!err)
        err = trap_launch(c->task, image);
    if (err) {
        task_abandon(c->task);
        c->task = NULL;
    }
    return err;
}

static int begin_exec(struct client *c, int value, const int *fds, unsigned nr_fds)
{
    struct sentry_config config;
    struct kernel_params params;
    struct stdio_streams streams;
    if (nr_fds == 0 || c->task || c->tg || !arrange_streams(value, fds, nr_fds, &streams)) {
        for (unsigned i = 0; i < nr_fds; i++)
            close(fds[i]);
        return -LX_EINVAL;
    }
    int err = config_read(fds[0], &config, &params);
    close(fds[0]);
    if (!err && ((control_is_waiting() && !is_held) || !init_tg || init_tg->zombie))
        err = -LX_ESRCH;
    if (!err && pause_is_on())
        err = -LX_EBUSY;
    if (err) {
        for (unsigned i = 1; i < nr_fds; i++)
            close(fds[i]);
    } else {
        err = launch(c, &config, &streams);
    }
    config_free(&config);
    return err;
}

void client_launched(struct task *t, int err)
{
    list_for_each_safe(c, &clients, struct client, link)
    {
        if (c->task != t)
            continue;
        c->task = NULL;
        answer(c, CONTROL_DONE, err, "");
        if (err) {
            if (c->gone)
                client_free(c);
            return;
        }
        c->tg = tg_get(t->tg);
        stdio_control_terminal(c->tg, c->terminal);
        if (c->gone)
            group_exit(c->tg, LX_SIGKILL);
        return;
    }
}

void client_process_ended(struct thread_group *tg, int wait_status)
{
    list_for_each_safe(c, &clients, struct client, link) if (c->tg == tg)
    {
        answer(c, CONTROL_EXIT, wait_status, "");
        client_free(c);
        return;
    }
}

// True while the connection may go on.
static bool take(struct client *c, const struct control_record *r, const int *fds, unsigned nr_fds)
{
    int err = 0;
    bool preserve = r->kind == CONTROL_PRESERVE || r->kind == CONTROL_PRESERVE_EXEC;
    if ((nr_fds && r->kind != CONTROL_EXEC && !preserve) || (preserve && nr_fds != 1)) {
        for (unsigned i = 0; i < nr_fds; i++)
            close(fds[i]);
        return false;
    }
    switch (r->kind) {
    case CONTROL_START:
        err = control_start();
        break;
    case CONTROL_HOLD:
        c->holds = true;
        err = control_hold();
        c->holds = c->holds && !err;
        if (!err)
            err = ANSWERED; // by client_held()
        break;
    case CONTROL_PRESERVE:
        err = control_give(fds[0]);
        break;
    case CONTROL_PRESERVE_EXEC:
        err = keep(c, fds[0]);
        break;
    case CONTROL_KILL:
        err = kill_first(c, r->value);
        break;
    case CONTROL_KILL_ALL:
        err = kill_all(c, r->value);
        break;
    case CONTROL_PAUSE:
        err = pause_begin();
        break;
    case CONTROL_RESUME:
        err = pause_end();
        break;
    case CONTROL_TASKS:
        err = r->value > 0 ? 0 : -LX_EINVAL;
        if (!err)
            max_tasks = (unsigned)r->value;
        break;
    case CONTROL_LIST:
        return list_processes(c);
    case CONTROL_STACKS:
        return show_stacks(c);
    case CONTROL_EXEC:
        err = begin_exec(c, r->value, fds, nr_fds);
        if (!err)
            err = ANSWERED; // by client_launched()
        break;
    case CONTROL_SIGNAL:
        if (c->tg && r->value > 0 && r->value <= LX_NSIG)
            host_tty_signal(c->tg, c->terminal, r->value);
        return true;
    case CONTROL_WINSIZE:
        if (c->tg)
            host_tty_signal(c->tg, c->terminal, LX_SIGWINCH);
        return true;
    default:
        return false;
    }
    if (err != ANSWERED)
        answer(c, CONTROL_DONE, err, "");
    return true;
}

static void arm(struct client *c)
{
    (void)host_watch_arm(&c->watch, c->tells ? EV_OUT : EV_IN);
}

static void ready(struct host_watch *w, uint32_t events)
{
    (void)events;
    struct client *c = container_of(w, struct client, watch);
    if (c->tells) {
        pass_text(c);
        arm(c);
        return;
    }
    struct control_record r;
    int fds[CONTROL_FDS_MAX];
    unsigned nr_fds;
    int n = control_receive(w->fd, &r, fds, &nr_fds);
    if (n == -EAGAIN || n == -EINTR) {
        arm(c);
        return;
    }
    // What a request does may end this client.
    bool goes_on = n > 0 && take(c, &r, fds, nr_fds);
    list_for_each(still, &clients, struct client, link)
    {
        if (still != c || c->gone)
            continue;
        if (goes_on)
            arm(c);
        else
            client_leaves(c);
        return;
    }
}

void client_add(int fd)
{
    struct client *c = nr_clients < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
    if (!c || host_watch_add(&c->watch, fd, EV_IN, ready)) {
        free(c);
        close(fd);
        return;
    }
    list_add_tail(&c->link, &clients);
    nr_clients++;
}
