// variants: dynamic static
// inotify: which events come, in which order, and the errors of its calls.
#include "guest.h"
#include <sys/inotify.h>
#include <sys/ioctl.h>

static int in;

static void show_events(const char *what)
{
    static char buffer[8192] __attribute__((aligned(8)));
    printf("%s:", what);
    ssize_t n;
    uint32_t cookie = 0;
    while ((n = read(in, buffer, sizeof(buffer))) > 0) {
        for (char *at = buffer; at < buffer + n;) {
            struct inotify_event *e = (struct inotify_event *)at;
            printf(" [%d %x %s%s]", e->wd, e->mask, e->len ? e->name : "-",
                   !e->cookie            ? ""
                   : e->cookie == cookie ? " same"
                                         : " cookie");
            cookie = e->cookie;
            at += sizeof(*e) + e->len;
        }
    }
    printf(" %s\n", n < 0 ? error_name(errno) : "end");
}

static void touch(const char *name, const char *text)
{
    int fd = open(name, O_CREAT | O_WRONLY, 0644);
    if (write(fd, text, strlen(text)) < 0)
        printf("write %s\n", error_name(errno));
    close(fd);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    SHOW(inotify_init1(0x12345));
    in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    mkdir("watched", 0755);
    SHOW(inotify_add_watch(in, "watched", IN_ALL_EVENTS));
    SHOW(inotify_add_watch(in, "none", IN_ALL_EVENTS));
    SHOW(inotify_add_watch(in, "watched", 0));
    SHOW(inotify_add_watch(in, "prog", IN_ALL_EVENTS | IN_ONLYDIR));
    SHOW(inotify_add_watch(in, "watched", IN_ALL_EVENTS | IN_MASK_CREATE));
    SHOW(inotify_add_watch(0, "watched", IN_ALL_EVENTS));
    SHOW(inotify_add_watch(99, "watched", IN_ALL_EVENTS));
    show_events("nothing yet");
    touch("watched/a", "text");
    show_events("create and write");
    int fd = open("watched/a", O_RDONLY);
    char c;
    SHOW(read(fd, &c, 1));
    close(fd);
    show_events("read");
    chmod("watched/a", 0600);
    show_events("chmod");
    truncate("watched/a", 1);
    show_events("truncate");
    rename("watched/a", "watched/b");
    show_events("rename inside");
    rename("watched/b", "outside");
    show_events("rename away");
    rename("outside", "watched/c");
    show_events("rename in");
    mkdir("watched/dir", 0755);
    show_events("mkdir");
    rmdir("watched/dir");
    show_events("rmdir");
    symlink("x", "watched/link");
    link("watched/c", "watched/hard");
    show_events("links");
    unlink("watched/hard");
    unlink("watched/link");
    show_events("unlink");
    int wd = inotify_add_watch(in, "watched/c", IN_MODIFY | IN_DELETE_SELF | IN_ATTRIB | IN_MOVE_SELF);
    printf("second watch %d\n", wd);
    touch("watched/c", "1");
    touch("watched/c", "2");
    show_events("both watches");
    int pending = -1;
    touch("watched/d", "");
    SHOW(ioctl(in, FIONREAD, &pending));
    printf("%d bytes wait\n", pending);
    SHOW(read(in, &c, 1));
    show_events("left");
    unlink("watched/c");
    show_events("removed file");
    SHOW(inotify_rm_watch(in, wd));
    SHOW(inotify_rm_watch(in, 1));
    show_events("removed watch");
    SHOW(inotify_rm_watch(in, 1));
    SHOW(inotify_add_watch(in, "watched", IN_CREATE | IN_ONESHOT));
    touch("watched/e", "");
    touch("watched/f", "");
    show_events("once");
    SHOW(inotify_add_watch(in, "watched", IN_DELETE_SELF));
    unlink("watched/d");
    unlink("watched/e");
    unlink("watched/f");
    SHOW(rmdir("watched"));
    show_events("removed directory");
    close(in);
    SHOW(inotify_add_watch(in, ".", IN_CREATE));
    return 0;
}
