// What is remembered of a container comes back, and a bad memory does no harm.
#include "sentry/oci/container.h"
#include <sys/wait.h>
#include <signal.h>
#include <poll.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static struct oci_error error;

static void make_root(void)
{
    strcpy(root, "/tmp/container-test-XXXXXX");
    cr_assert(mkdtemp(root) != NULL);
}

static void remove_root(void)
{
    cr_expect_eq(rmdir(root), 0, "something is left");
}

TestSuite(oci_container, .init = make_root, .fini = remove_root);

Test(oci_container, the_state_comes_back)
{
    struct container c, again;
    struct oci_pair annotation = {"a", "line\n\"quoted\""};
    cr_assert_eq(container_make(root, "id.1", &c, &error), 0, "%s", error.text);
    c.pid = getpid();
    c.pid_start = process_start_time(getpid());
    c.status = CONTAINER_RUNNING;
    strcpy(c.bundle, "/b");
    strcpy(c.rootfs, "/b/rootfs");
    c.annotations = &annotation;
    c.nr_annotations = 1;
    c.cgroup_shared = true;
    cr_assert_eq(container_save(&c, &error), 0, "%s", error.text);
    cr_assert_eq(container_open(root, "id.1", false, &again, &error), 0, "%s", error.text);
    cr_expect_eq(again.pid, getpid());
    cr_expect_eq(container_status_now(&again), CONTAINER_RUNNING);
    cr_expect(again.cgroup_shared && strcmp(again.rootfs, "/b/rootfs") == 0);
    cr_expect(again.nr_annotations == 1 && strcmp(again.annotations[0].value, annotation.value) == 0);
    again.pid_start++; // the number was given out again
    cr_expect_eq(container_status_now(&again), CONTAINER_STOPPED);
    cr_expect_eq(container_pidfd(&again), -ESRCH);
    container_close(&again);
    cr_expect_eq(container_remove(root, &c, &error), 0);
    cr_expect_eq(container_open(root, "id.1", false, &again, &error), -ENOENT);
}

Test(oci_container, a_name_is_taken_once)
{
    struct container c, other;
    cr_assert_eq(container_make(root, "id", &c, &error), 0);
    cr_expect_eq(container_make(root, "id", &other, &error), -EEXIST);
    cr_expect_str_eq(error.text, "container with id exists: id");
    static const char *const bad[] = {"", ".", "..", "a/b", "../x", "a b", "\n", "\xff"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_eq(container_make(root, bad[i], &other, &error), -EINVAL, "%s", bad[i]);
    cr_expect_eq(container_remove(root, &c, &error), 0);
}

Test(oci_container, a_state_that_makes_no_sense_is_none)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "{\"pid\": -1}",
                                        "{\"pid\": \"x\", \"status\": 7}",
                                        "{\"pid\": 99999999999, \"cgroups\": {}, \"annotations\": []}"};
    struct container c, again;
    cr_assert_eq(container_make(root, "id", &c, &error), 0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cr_assert_eq(write_file_whole(c.fd, "state.json", texts[i], strlen(texts[i])), 0);
        cr_assert_eq(container_open(root, "id", false, &again, &error), 0, "%s", texts[i]);
        cr_expect_eq(again.pid, 0, "%s", texts[i]);
        cr_expect_eq(container_pidfd(&again), -ESRCH);
        container_close(&again);
    }
    cr_expect_eq(container_remove(root, &c, &error), 0);
}

Test(oci_container, files_are_bounded)
{
    struct container c;
    char *text;
    size_t length;
    cr_assert_eq(container_make(root, "id", &c, &error), 0);
    cr_assert_eq(write_file_whole(c.fd, "f", "0123456789", 10), 0);
    cr_expect_eq(read_file_at(c.fd, "f", 10, &text, &length), 0);
    cr_expect(length == 10 && strcmp(text, "0123456789") == 0);
    cr_expect_eq(read_file_at(c.fd, "f", 9, &text, &length), -EFBIG);
    cr_expect_eq(container_remove(root, &c, &error), 0);
}

Test(oci_container, children_are_the_monitor_s_and_nobody_else_s)
{
    static struct container c;
    int hold[2], fds[4];
    cr_assert_eq(pipe(hold), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(hold[1]);
        _exit((int)read(hold[0], &byte, 1));
    }
    cr_assert_gt(child, 0);
    c.pid = getpid();
    c.pid_start = process_start_time(getpid());
    cr_assert_eq(container_children(&c, fds, 4), 1);
    close(hold[1]);
    struct pollfd end = {.fd = fds[0], .events = POLLIN};
    cr_expect_eq(poll(&end, 1, 10000), 1);
    close(fds[0]);
    cr_expect_eq(container_children(&c, fds, 4), 0, "a zombie");
    cr_assert_eq(waitpid(child, NULL, 0), child);

    child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    cr_assert_gt(child, 0);
    cr_expect_eq(container_children(&c, fds, 0), 0);
    c.pid_start++; // the number was given out again
    cr_expect_eq(container_children(&c, fds, 4), 0);
    kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    close(hold[0]);
}
