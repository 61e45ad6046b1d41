// variants: dynamic static
// Terminals: a pty pair, line discipline, window size, job control signals, hang-up.
#include "guest.h"
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static volatile int window_changes, interrupts;

static void on_signal(int signal)
{
    if (signal == SIGWINCH)
        window_changes++;
    else
        interrupts++;
}

static void show_read(const char *what, int fd)
{
    char text[256];
    struct pollfd p = {fd, POLLIN, 0};
    poll(&p, 1, 1000);
    sleep_ms(20); // the other end may hand over in pieces
    ssize_t n = read(fd, text, sizeof(text));
    printf("%s: %zd [", what, n);
    for (ssize_t i = 0; i < n; i++)
        if (text[i] < 32)
            printf("\\%d", text[i]);
        else
            putchar(text[i]);
    printf("]%s%s\n", n < 0 ? " " : "", n < 0 ? error_name(errno) : "");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("standard input is a terminal: %d\n", isatty(0));
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    TRUTH(master >= 0);
    SHOW(isatty(master));
    SHOW(grantpt(master));
    SHOW(unlockpt(master));
    char *name = ptsname(master);
    TRUTH(name && strncmp(name, "/dev/pts/", 9) == 0);
    int slave = open(name, O_RDWR | O_NOCTTY);
    TRUTH(slave >= 0);
    SHOW(isatty(slave));
    TRUTH(ttyname(slave) && strcmp(ttyname(slave), name) == 0);
    struct termios t;
    SHOW(tcgetattr(slave, &t));
    printf("iflag %o oflag %o lflag %o cflag %o, VINTR %d VEOF %d VERASE %d\n", t.c_iflag, t.c_oflag,
           t.c_lflag, t.c_cflag, t.c_cc[VINTR], t.c_cc[VEOF], t.c_cc[VERASE]);
    struct winsize size = {24, 80, 0, 0}, got;
    SHOW(ioctl(master, TIOCSWINSZ, &size));
    SHOW(ioctl(slave, TIOCGWINSZ, &got));
    printf("%d x %d\n", got.ws_row, got.ws_col);
    SHOW(ioctl(slave, 0x1234567, &got));
    SHOW(tcgetpgrp(slave));

    // Canonical mode with echo.
    write(master, "hello\n", 6);
    show_read("slave reads a line", slave);
    show_read("echo", master);
    write(master, "ab\177c\n", 5);
    show_read("erase", slave);
    show_read("echo", master);
    write(master, "no newline", 10);
    struct pollfd p = {slave, POLLIN, 0};
    SHOW(poll(&p, 1, 20));
    write(master, "\004", 1);
    show_read("end of file flushes", slave);
    write(master, "\004", 1);
    show_read("end of file", slave);
    write(slave, "out\n", 4);
    show_read("echo and output", master);
    // Raw mode.
    struct termios raw = t;
    cfmakeraw(&raw);
    SHOW(tcsetattr(slave, TCSANOW, &raw));
    write(master, "r\003\r", 3);
    show_read("raw", slave);
    write(slave, "x\n", 2);
    show_read("raw output", master);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 1;
    tcsetattr(slave, TCSANOW, &raw);
    show_read("VTIME", slave);
    SHOW(tcsetattr(slave, TCSANOW, &t));
    int pending = -1;
    write(master, "xyz\n", 4);
    sleep_ms(20);
    SHOW(ioctl(slave, FIONREAD, &pending));
    printf("pending %d\n", pending);
    SHOW(tcflush(slave, TCIFLUSH));
    SHOW(ioctl(slave, FIONREAD, &pending));
    printf("pending %d\n", pending);
    tcflush(master, TCIFLUSH);
    SHOW(tcdrain(slave));

    // A session with the terminal as its controlling terminal.
    fflush(stdout);
    int ready[2];
    pipe(ready);
    pid_t pid = fork();
    if (pid == 0) {
        close(master);
        setsid();
        SHOW(open("/dev/tty", O_RDWR));
        SHOW(ioctl(slave, TIOCSCTTY, 0));
        int tty = open("/dev/tty", O_RDWR);
        TRUTH(tty >= 0);
        TRUTH(tcgetpgrp(tty) == getpid());
        TRUTH(tcgetsid(tty) == getpid());
        struct sigaction action = {.sa_handler = on_signal};
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGWINCH, &action, NULL);
        write(ready[1], "1", 1);
        while (!interrupts)
            sleep_ms(1);
        printf("interrupted\n");
        write(ready[1], "2", 1);
        while (!window_changes)
            sleep_ms(1);
        printf("window changed\n");
        // A background group is stopped when it reads, and may not take the terminal silently.
        pid_t background = fork();
        if (background == 0) {
            setpgid(0, 0);
            char byte;
            read(tty, &byte, 1);
            _exit(1);
        }
        setpgid(background, background);
        int status;
        waitpid(background, &status, WUNTRACED);
        show_status("background read", status);
        SHOW(tcsetpgrp(tty, background));
        TRUTH(tcgetpgrp(tty) == background);
        kill(background, SIGKILL);
        waitpid(background, &status, 0);
        signal(SIGTTOU, SIG_IGN);
        SHOW(tcsetpgrp(tty, getpid()));
        SHOW(tcsetpgrp(tty, 999999));
        write(ready[1], "3", 1);
        for (;;)
            pause(); // until the hang-up
    }
    char byte;
    read(ready[0], &byte, 1);
    write(master, "\003", 1);
    read(ready[0], &byte, 1);
    size.ws_col = 100;
    ioctl(master, TIOCSWINSZ, &size);
    read(ready[0], &byte, 1);
    close(slave);
    close(master);
    int status;
    waitpid(pid, &status, 0);
    show_status("hang-up", status);
    // The other direction: the last slave closes.
    int other;
    SHOW(openpty(&master, &other, NULL, NULL, NULL) == 0);
    write(other, "last words", 10);
    close(other);
    show_read("what was written", master);
    show_read("after the close", master);
    SHOW(ioctl(0, TIOCSTI, "x"));
    return 0;
}
