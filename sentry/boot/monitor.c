#include "sentry/boot/monitor.h"
#include "sentry/boot/control.h"
#include "sentry/boot/debug_socket.h"
#include "sentry/boot/fail.h"
#include "sentry/boot/jail.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define TIMEOUT_GRACE_NS 2000000000ull // between SIGTERM and the end
#define GOFER_WAIT_MS 500              // a kernel process without its Gofer ends within this time
#define FINAL_WAIT_MS 5000 // a kernel process that has reported its status must end within this time

static const int forwarded[] = {SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM, SIGUSR1,   SIGUSR2,
                                SIGTSTP, SIGCONT, SIGWINCH, SIGALRM, SIGVTALRM, SIGPROF};
static sigset_t forwarded_set;

static struct termios saved_modes[3];
static bool has_modes[3];

int monitor_prepare(void)
{
    sigemptyset(&forwarded_set);
    for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
        sigaddset(&forwarded_set, forwarded[i]);
    if (sigprocmask(SIG_BLOCK, &forwarded_set, NULL) < 0 || signal(SIGTTOU, SIG_IGN) == SIG_ERR ||
        signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR)
        return boot_fail("cannot set up signals", NULL, errno, NULL);
    for (int fd = 0; fd < 3; fd++)
        has_modes[fd] = tcgetattr(fd, &saved_modes[fd]) == 0;
    return 0;
}

// Has the shell another job in the foreground of our terminal? Its modes are that job's or the shell's then.
static bool in_background(void)
{
    for (int fd = 0; fd < 3; fd++) {
        pid_t foreground = has_modes[fd] ? tcgetpgrp(fd) : -1; // -1: not our controlling terminal
        if (foreground >= 0 && foreground != getpgrp())
            return true;
    }
    return false;
}

void monitor_restore_terminals(void)
{
    if (in_background())
        return;
    for (int fd = 0; fd < 3; fd++) {
        struct termios now;
        if (has_modes[fd] && tcgetattr(fd, &now) == 0 && memcmp(&now, &saved_modes[fd], sizeof(now)) != 0)
            tcsetattr(fd, TCSADRAIN, &saved_modes[fd]);
    }
}

#define NOBODY 65534u

int monitor_drop_privileges(void)
{
    if (geteuid() == 0) {
        // The kernel process runs as nobody, the Gofer has nobody as its real user: a signal to either needs
        // no more.
        if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, 0, 0) < 0)
            return boot_fail("cannot drop privileges", NULL, errno, NULL);
    }
    int error = jail_drop_capabilities();
    if (error == -EPERM)
        error = jail_clear_capabilities(); // an ordinary user cannot shrink the bounding set
    if (!error && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        error = -errno;
    if (!error && prctl(PR_SET_DUMPABLE, 0) < 0)
        error = -errno;
    return error ? boot_fail("cannot drop privileges", NULL, -error, NULL) : 0;
}

struct monitor {
    struct sandbox *sandbox;
    int signals, timer;
    int debug_listener; // -1: none
    int client;         // who has asked by `sentry debug`; one at a time, -1: nobody
    bool reported;      // CONTROL_EXIT or CONTROL_FAILED has come
    bool expired;
    bool held;  // CONTROL_BUILT has not come
    int status; // exit status
    const struct monitor_container *container;
    char line[512]; // of messages, as far as it has come
    size_t line_length;
    unsigned lines;
};

static bool send_record(struct monitor *m, enum control_kind kind, int value)
{
    struct control_record record = {.kind = kind, .value = value};
    return send(m->sandbox->control, &record, sizeof(record), MSG_NOSIGNAL | MSG_DONTWAIT) ==
           (ssize_t)sizeof(record);
}

// Is there a shell that sees us stop and can continue us? (The rule of orphaned process groups, for our own parent.)
static bool has_shell(void)
{
    pid_t parent = getppid();
    return getpgid(parent) != getpgrp() && getsid(parent) == getsid(0);
}

// Stops as the program has stopped, so that the shell sees it. The shell gets its terminal modes, and the
// program its own when a SIGCONT brings both back.
static void stop_ourselves(struct monitor *m)
{
    if (m->container)
        return; // nobody waits for a stop
    if (!has_shell()) {
        (void)send_record(m, CONTROL_CONTINUE, 0);
        return;
    }
    if (in_background()) {
        raise(SIGSTOP);
        (void)send_record(m, CONTROL_CONTINUE, 0);
        return;
    }
    struct termios guest_modes[3];
    for (int fd = 0; fd < 3; fd++)
        has_modes[fd] = has_modes[fd] && tcgetattr(fd, &guest_modes[fd]) == 0;
    monitor_restore_terminals();
    raise(SIGSTOP);
    for (int fd = 0; fd < 3; fd++) {
        if (has_modes[fd] && tcgetattr(fd, &saved_modes[fd]) == 0)
            tcsetattr(fd, TCSADRAIN, &guest_modes[fd]);
    }
    (void)send_record(m, CONTROL_CONTINUE, 0);
}

// What Linux does to a process of our group that reads from the terminal: 0 nothing, -SIGTTIN stops it, EIO fails.
static int reading_from_terminal(void)
{
    if (!in_background())
        return 0;
    return has_shell() ? -SIGTTIN : EIO;
}

static int status_of_wait(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void protocol_error(struct monitor *m)
{
    boot_say("the kernel process sent something that is no record; the sandbox is ended");
    m->reported = true;
    m->status = EXIT_SANDBOX;
}

static void failed_to_start(struct monitor *m, const struct control_record *record)
{
    m->reported = true;
    m->status = record->value == ENOENT || record->value == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_EXEC;
    char name[CONTROL_TEXT_MAX + 1];
    uint32_t n = record->length;
    for (uint32_t i = 0; i < n; i++)
        name[i] = record->text[i] >= 32 && record->text[i] < 127 ? record->text[i] : '?';
    name[n] = 0;
    if (m->container) {
        m->container->failed(record->value > 0 && record->value < 134 ? record->value : EINVAL, name);
        return;
    }
    (void)boot_fail(
        "cannot run", name, record->value > 0 && record->value < 134 ? record->value : EINVAL,
        m->status == EXIT_NOT_FOUND
            ? "it must exist in the sandbox, which has /usr and the current directory, or --rootfs, and what "
              "--bind adds"
            : "it must be an x86-64 ELF program, or a script whose interpreter is one, with execute "
              "permission");
}

// Hands the connection of a command to the kernel process.
static void pass_client(struct monitor *m)
{
    int fd = debug_accept(m->container->clients);
    if (fd < 0)
        return;
    struct control_record record = {.kind = CONTROL_CLIENT};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } with = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&with.head), &fd, sizeof(fd));
    struct iovec part = {&record, sizeof(record)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &with, .msg_controllen = sizeof(with)};
    (void)sendmsg(m->sandbox->control, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

#define LAST_MESSAGES 256  // reads after the end of the kernel process
#define RECORDS_IN_ROW 256 // before everybody else has a turn
#define LINES_MAX 1000     // of our processes; whoever says more has lost his mind, or was taken over

// Text of our own processes, one of which may be taken over: cut into lines, escaped, bounded.
static void take_messages(struct monitor *m)
{
    char bytes[512];
    ssize_t n = read(m->container->messages, bytes, sizeof(bytes));
    for (ssize_t i = 0; i < n; i++) {
        bool end = bytes[i] == '\n' || m->line_length == sizeof(m->line) - 1;
        if (bytes[i] != '\n')
            m->line[m->line_length++] = bytes[i] >= 32 && bytes[i] < 127 ? bytes[i] : '?';
        if (!end)
            continue;
        m->line[m->line_length] = 0;
        m->line_length = 0;
        if (m->lines++ < LINES_MAX)
            m->container->say(m->line);
    }
}

static void end_client(struct monitor *m)
{
    if (m->client >= 0)
        close(m->client);
    m->client = -1;
}

static void accept_client(struct monitor *m)
{
    int fd = debug_accept(m->debug_listener);
    if (fd < 0)
        return;
    end_client(m); // a new one takes over from one that does not end
    m->client = fd;
}

// One byte asks for the stacks; anything else, or the end, lets the client go.
static void serve_client(struct monitor *m)
{
    char byte;
    ssize_t n = recv(m->client, &byte, 1, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != 1 || byte != 's' || !send_record(m, CONTROL_STACKS, 0))
        end_client(m);
}

// What the kernel says may hold anything; the client's terminal gets text.
static void pass_text(struct monitor *m, struct control_record *record)
{
    if (m->client < 0)
        return;
    for (uint32_t i = 0; i < record->length; i++) {
        if (record->text[i] != '\n' && (record->text[i] < 32 || record->text[i] > 126))
            record->text[i] = '?';
    }
    if (record->length && send(m->client, record->text, record->length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        end_client(m);
}

// False when there is none.
static bool receive_record(struct monitor *m)
{
    struct control_record record;
    ssize_t n = recv(m->sandbox->control, &record, sizeof(record), MSG_DONTWAIT | MSG_TRUNC);
    // It ended without having read a signal that we forwarded: that error comes once, before its last record.
    if (n < 0 && errno == ECONNRESET)
        n = recv(m->sandbox->control, &record, sizeof(record), MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) { // closed: the process ends, its pidfd tells
        close(m->sandbox->control);
        m->sandbox->control = -1;
        return false;
    }
    if (n != (ssize_t)sizeof(record) || record.length > CONTROL_TEXT_MAX) {
        protocol_error(m);
        return true;
    }
    switch (record.kind) {
    case CONTROL_EXIT:
        m->reported = true;
        m->status = status_of_wait(record.value);
        if (m->container)
            *m->container->wait_status = record.value & 0xffff;
        return true;
    case CONTROL_BUILT:
        if (!m->held) {
            protocol_error(m);
            return true;
        }
        m->held = false;
        m->container->built();
        (void)send_record(m, CONTROL_GO, 0);
        return true;
    case CONTROL_READY:
        if (m->container)
            m->container->ready();
        else
            protocol_error(m);
        return true;
    case CONTROL_FAILED:
        failed_to_start(m, &record);
        return true;
    case CONTROL_STOPPED:
        stop_ourselves(m);
        return true;
    case CONTROL_MAY_READ:
        (void)send_record(m, CONTROL_TERMINAL, reading_from_terminal());
        return true;
    case CONTROL_TEXT:
        pass_text(m, &record);
        return true;
    case CONTROL_TEXT_END:
        end_client(m);
        return true;
    default:
        protocol_error(m);
        return true;
    }
}

static void forward_signal(struct monitor *m)
{
    struct signalfd_siginfo info;
    if (read(m->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    int signo = (int)info.ssi_signo;
    if (signo == SIGWINCH)
        (void)send_record(m, CONTROL_WINSIZE, 0);
    else
        (void)send_record(m, CONTROL_SIGNAL, signo);
}

static void arm_timer(int timer, uint64_t ns)
{
    struct itimerspec when = {.it_value = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)}};
    timerfd_settime(timer, 0, &when, NULL);
}

static void time_is_up(struct monitor *m)
{
    uint64_t count;
    if (read(m->timer, &count, sizeof(count)) < 0)
        return;
    if (m->expired) {
        boot_say("the program did not end after SIGTERM; the sandbox is ended");
        m->reported = true;
        m->status = 128 + SIGKILL;
        return;
    }
    m->expired = true;
    boot_say("the time limit is reached; the program gets SIGTERM");
    (void)send_record(m, CONTROL_SIGNAL, SIGTERM);
    arm_timer(m->timer, TIMEOUT_GRACE_NS);
}

static void report_death(struct monitor *m)
{
    siginfo_t info = {0};
    m->reported = true;
    m->status = EXIT_SANDBOX;
    if (waitid(P_PIDFD, (id_t)m->sandbox->kernel_pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return;
    if (info.si_code == CLD_EXITED) {
        if (info.si_status != EXIT_SANDBOX) // 125 comes with a message of its own
            boot_say("the kernel process ended with status %d and no result", info.si_status);
    } else {
        boot_say("the kernel process was killed by signal %d (%s); the sandbox has ended", info.si_status,
                 strsignal(info.si_status));
    }
}

// True when the kernel process has ended within the time.
static bool wait_for_end(struct monitor *m, int ms)
{
    struct pollfd end = {.fd = m->sandbox->kernel_pidfd, .events = POLLIN};
    int n;
    do {
        n = poll(&end, 1, ms);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

// A Gofer ends when the kernel process has closed its side, which is seen before the death of that process.
static void gofer_ended(struct monitor *m)
{
    bool both = wait_for_end(m, GOFER_WAIT_MS);
    while (m->sandbox->control >= 0 && !m->reported && receive_record(m))
        ;
    if (m->reported)
        return;
    if (both) {
        report_death(m);
        return;
    }
    boot_say("the Gofer has ended; the sandbox is ended");
    m->reported = true;
    m->status = EXIT_SANDBOX;
}

// The program's input and output are the kernel process's now: whoever is at the other end of a pipe must see the program
// close it. A terminal stays open, because its modes are restored at the end; standard error stays ours for messages.
static void leave_streams(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 2 && null >= 0; fd++)
        if (!has_modes[fd])
            dup2(null, fd);
    if (null > 2)
        close(null);
}

// What our processes said last, which may be why they ended.
static void last_messages(struct monitor *m)
{
    struct pollfd waiting = {.fd = m->container ? m->container->messages : -1, .events = POLLIN};
    for (int i = 0; i < LAST_MESSAGES && poll(&waiting, 1, 0) > 0 && waiting.revents & POLLIN; i++)
        take_messages(m);
}

int monitor_run(struct sandbox *sandbox, const struct monitor_options *options)
{
    struct monitor m = {.sandbox = sandbox, .status = EXIT_SANDBOX, .client = -1};
    m.container = options->container;
    m.held = m.container && m.container->built;
    if (!m.container)
        leave_streams();
    m.debug_listener = options->debug_listener;
    m.signals = signalfd(-1, &forwarded_set, SFD_CLOEXEC | SFD_NONBLOCK);
    m.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (m.signals < 0 || m.timer < 0) {
        (void)boot_fail("cannot make the monitor's descriptors", NULL, errno, NULL);
        m.reported = true;
    }
    if (options->timeout_ns)
        arm_timer(m.timer, options->timeout_ns);
    unsigned in_row = 0;
    bool messages = m.container;
    while (!m.reported) {
        struct pollfd waiting[] = {
            {.fd = sandbox->control, .events = POLLIN},
            {.fd = m.held ? -1 : m.signals, .events = POLLIN},
            {.fd = m.timer, .events = POLLIN},
            {.fd = sandbox->kernel_pidfd, .events = POLLIN},
            {.fd = sandbox->gofer_pidfd, .events = POLLIN},
            {.fd = m.debug_listener, .events = POLLIN},
            {.fd = m.client, .events = POLLIN},
            {.fd = m.container && !m.held ? m.container->clients : -1, .events = POLLIN},
            {.fd = messages ? m.container->messages : -1, .events = POLLIN},
        };
        if (poll(waiting, sizeof(waiting) / sizeof(waiting[0]), -1) < 0) {
            if (errno == EINTR)
                continue;
            (void)boot_fail("the monitor cannot wait", NULL, errno, NULL);
            break;
        }
        bool records = waiting[0].revents;
        if (records && in_row++ < RECORDS_IN_ROW) {
            (void)receive_record(&m);
            continue; // records first: a status counts more than the death that follows it
        }
        in_row = 0;
        if (waiting[8].revents & POLLIN)
            take_messages(&m);
        else if (waiting[8].revents)
            messages = false; // nobody is left who could say something
        if (waiting[3].revents && !records) {
            last_messages(&m);
            report_death(&m);
        } else if (waiting[4].revents) {
            gofer_ended(&m);
        } else if (waiting[1].revents) {
            forward_signal(&m);
        } else if (waiting[2].revents) {
            time_is_up(&m);
        } else if (waiting[5].revents) {
            accept_client(&m);
        } else if (waiting[6].revents) {
            serve_client(&m);
        } else if (waiting[7].revents) {
            pass_client(&m);
        }
    }
    if (m.status != EXIT_SANDBOX && !m.expired)
        (void)wait_for_end(&m, FINAL_WAIT_MS);
    sandbox_kill(sandbox);
    monitor_restore_terminals();
    end_client(&m);
    debug_unlink();
    close(m.signals);
    close(m.timer);
    return m.status;
}
