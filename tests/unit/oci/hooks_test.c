// Hooks: what they are given, how they end, and what is said of it.
#include "sentry/oci/hooks.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char directory[64];
static struct oci_pair annotations[] = {{"a", "1"}, {"b", "\"quoted\""}};
static struct oci_state state = {.id = "box",
                                 .status = "created",
                                 .pid = 42,
                                 .bundle = directory,
                                 .annotations = annotations,
                                 .nr_annotations = 2};

static void set_up(void)
{
    strcpy(directory, "/tmp/sentry-hooks-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    cr_assert_eq(system(command), 0);
}

TestSuite(hooks, .init = set_up, .fini = tear_down);

// Hooks that are shell scripts, run as one kind.
static int run(enum oci_hook_kind kind, const char *const *scripts, unsigned timeout,
               struct oci_hook_run *how, struct oci_error *error)
{
    struct oci_hook list[4] = {0};
    const char *args[4][4];
    struct oci_hooks hooks = {.list = list};
    for (; scripts[hooks.count]; hooks.count++) {
        const char **argv = args[hooks.count];
        argv[0] = "sh";
        argv[1] = "-c";
        argv[2] = scripts[hooks.count];
        argv[3] = NULL;
        list[hooks.count] = (struct oci_hook){.path = "/bin/sh", .args = {argv, 3}, .timeout = timeout};
    }
    struct oci_hook_run plain = {.state = &state};
    how = how ? how : &plain;
    how->state = &state;
    error->text[0] = 0;
    return oci_hooks_run(&hooks, kind, how, error);
}

static int run_one(const char *script, struct oci_error *error)
{
    return run(OCI_HOOK_PRESTART, (const char *[]){script, NULL}, 0, NULL, error);
}

static char *read_file(const char *name)
{
    static char text[4096];
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    text[n > 0 ? n : 0] = 0;
    if (fd >= 0)
        close(fd);
    return text;
}

Test(hooks, the_state_is_on_standard_input_and_the_bundle_is_the_directory)
{
    struct oci_error error;
    char expected[512];
    cr_expect_eq(run_one("cat > state; pwd > where", &error), 0, "%s", error.text);
    snprintf(expected, sizeof(expected),
             "{\"ociVersion\":\"" OCI_VERSION
             "\",\"id\":\"box\",\"status\":\"created\",\"pid\":42,\"bundle\":\"%s\","
             "\"annotations\":{\"a\":\"1\",\"b\":\"\\\"quoted\\\"\"}}",
             directory);
    cr_expect_str_eq(read_file("state"), expected);
    snprintf(expected, sizeof(expected), "%s\n", directory);
    cr_expect_str_eq(read_file("where"), expected);
}

Test(hooks, standard_input_can_be_opened_by_name)
{
    struct oci_error error;
    cr_expect_eq(run_one("cat /dev/stdin > state", &error), 0, "%s", error.text);
    cr_expect(strstr(read_file("state"), "\"id\":\"box\""));
}

Test(hooks, a_hook_that_does_not_read_is_no_failure)
{
    struct oci_error error;
    char *large = malloc(200000);
    memset(large, 'x', 199999);
    large[199999] = 0;
    annotations[0].value = large;
    cr_expect_eq(run_one("exec <&-; true", &error), 0, "%s", error.text);
    cr_expect_eq(run_one("wc -c > size", &error), 0, "%s", error.text);
    cr_expect_gt(atoi(read_file("size")), 199999);
    free(large);
    annotations[0].value = "1";
}

Test(hooks, they_run_in_order_and_the_first_failure_ends_it)
{
    static const char *const scripts[] = {"echo 1 >> log", "echo 2 >> log; exit 7", "echo 3 >> log", NULL};
    static const enum oci_hook_kind kinds[] = {OCI_HOOK_PRESTART, OCI_HOOK_CREATE_RUNTIME,
                                               OCI_HOOK_CREATE_CONTAINER};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct oci_error error;
        cr_expect_eq(run(kinds[i], scripts, 0, NULL, &error), -ECHILD);
        cr_expect_str_eq(error.text, "hook /bin/sh: exit status 7, stdout: , stderr: ");
        cr_expect_str_eq(read_file("log"), "1\n2\n");
        char path[128];
        snprintf(path, sizeof(path), "%s/log", directory);
        unlink(path);
    }
}

static char warned[3][512];
static int warnings;

static void warn(void *context, const char *text)
{
    cr_assert_eq(context, (void *)&warnings);
    snprintf(warned[warnings++], sizeof(warned[0]), "%s", text);
}

Test(hooks, after_start_and_after_stop_failures_are_warnings)
{
    static const char *const scripts[] = {"exit 1", "echo two >> log", "exit 3", NULL};
    static const enum oci_hook_kind kinds[] = {OCI_HOOK_POSTSTART, OCI_HOOK_POSTSTOP};
    struct oci_error error;
    for (int i = 0; i < 2; i++) {
        struct oci_hook_run how = {.warn = warn, .context = &warnings};
        warnings = 0;
        cr_expect_eq(run(kinds[i], scripts, 0, &how, &error), 0);
        cr_assert_eq(warnings, 2);
        cr_expect_str_eq(warned[1], "hook /bin/sh: exit status 3, stdout: , stderr: ");
        cr_expect_eq(run(kinds[i], scripts, 0, NULL, &error), 0, "without somebody to tell");
    }
    cr_expect_str_eq(read_file("log"), "two\ntwo\ntwo\ntwo\n");
}

Test(hooks, output_is_in_the_message_escaped_and_bounded)
{
    struct oci_error error;
    cr_expect_eq(run_one("printf 'a\\033b\\n'; echo why >&2; exit 2", &error), -ECHILD);
    cr_expect_str_eq(error.text, "hook /bin/sh: exit status 2, stdout: a\\x1bb, stderr: why");
    cr_expect_eq(run_one("head -c 1000000 /dev/zero | tr '\\0' x; exit 2", &error), -ECHILD);
    cr_expect_lt(strlen(error.text), OCI_ERROR_TEXT);
    cr_expect(strstr(error.text, "xxxx"));
}

Test(hooks, a_signal_is_named)
{
    struct oci_error error;
    cr_expect_eq(run_one("kill -TERM $$", &error), -ECHILD);
    cr_expect(strstr(error.text, "ended by signal 15"), "%s", error.text);
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

// The hook and what it has started are gone afterwards.
Test(hooks, a_timeout_kills_the_whole_group, .timeout = 30)
{
    struct oci_error error;
    static const char *const scripts[] = {"echo $$ > pid; sleep 1000 & wait", NULL};
    int64_t start = now_ms();
    cr_expect_eq(run(OCI_HOOK_PRESTART, scripts, 1, NULL, &error), -ETIMEDOUT);
    cr_expect_str_eq(error.text, "hook /bin/sh ran longer than its timeout of 1 s");
    cr_expect_geq(now_ms() - start, 1000);
    pid_t group = atoi(read_file("pid"));
    cr_assert_gt(group, 1);
    while (kill(-group, 0) == 0) // killed, but perhaps not reaped yet
        usleep(10000);
    cr_expect_eq(errno, ESRCH);
}

Test(hooks, in_time_is_in_time)
{
    struct oci_error error;
    static const char *const scripts[] = {"true", "true", NULL};
    cr_expect_eq(run(OCI_HOOK_PRESTART, scripts, 30, NULL, &error), 0, "%s", error.text);
}

// A daemon that keeps the streams open does not hold the command up.
Test(hooks, what_a_hook_leaves_running_is_not_waited_for, .timeout = 30)
{
    struct oci_error error;
    cr_expect_eq(run_one("(sleep 25; true) & echo $! > pid", &error), 0, "%s", error.text);
    kill(atoi(read_file("pid")), SIGKILL);
    cr_expect_eq(run_one("(while :; do echo x; done) & echo $! > pid", &error), 0, "%s", error.text);
    kill(atoi(read_file("pid")), SIGKILL);
}

Test(hooks, what_cannot_be_executed_is_named)
{
    struct oci_error error = {{0}};
    struct oci_hook hook = {.path = "/nonexistent/hook"};
    struct oci_hooks hooks = {&hook, 1};
    struct oci_hook_run how = {.state = &state};
    cr_expect_eq(oci_hooks_run(&hooks, OCI_HOOK_PRESTART, &how, &error), -ENOENT);
    cr_expect_str_eq(error.text, "cannot execute the hook /nonexistent/hook: No such file or directory");
    hook.path = "/tmp";
    cr_expect_eq(oci_hooks_run(&hooks, OCI_HOOK_PRESTART, &how, &error), -EACCES);
}

Test(hooks, the_environment_is_given_empty_or_ours)
{
    struct oci_error error = {{0}};
    const char *args[] = {"sh", "-c", "echo \"$ONE,$TWO\" >> log", NULL}, *env[] = {"TWO=2", NULL},
               *none[] = {NULL};
    struct oci_hook list[3] = {{.path = "/bin/sh", .args = {args, 3}},
                               {.path = "/bin/sh", .args = {args, 3}, .env = {env, 1}},
                               {.path = "/bin/sh", .args = {args, 3}, .env = {none, 0}}};
    struct oci_hooks hooks = {list, 3};
    struct oci_hook_run how = {.state = &state};
    setenv("ONE", "1", 1);
    cr_expect_eq(oci_hooks_run(&hooks, OCI_HOOK_CREATE_RUNTIME, &how, &error), 0, "%s", error.text);
    cr_expect_str_eq(read_file("log"), "1,\n,2\n,\n");
}

Test(hooks, without_arguments_the_path_is_the_name)
{
    struct oci_error error = {{0}};
    struct oci_hook hook = {.path = "/bin/true"};
    struct oci_hooks hooks = {&hook, 1};
    struct oci_hook_run how = {.state = &state};
    cr_expect_eq(oci_hooks_run(&hooks, OCI_HOOK_POSTSTOP, &how, &error), 0, "%s", error.text);
}

Test(hooks, no_descriptor_but_the_three_and_no_ignored_signal)
{
    struct oci_error error;
    int fd = open("/dev/null", O_RDONLY); // without close-on-exec
    cr_assert_geq(fd, 3);
    signal(SIGUSR1, SIG_IGN);
    cr_expect_eq(run_one("ls /proc/self/fd | wc -l > count; grep SigIgn /proc/$$/status > signals", &error),
                 0, "%s", error.text);
    cr_expect_eq(atoi(read_file("count")), 4); // and the one of ls itself
    cr_expect_str_eq(read_file("signals"), "SigIgn:\t0000000000000000\n");
    close(fd);
}

static int enter_fails(void *context)
{
    return *(int *)context;
}

static int enter_elsewhere(void *context)
{
    return setenv("ENTERED", context, 1);
}

Test(hooks, namespaces_are_entered_before_the_exec)
{
    static const char *const scripts[] = {"echo $ENTERED > entered; pwd > where", NULL};
    struct oci_error error;
    int code = -EPERM;
    char text[] = "yes";
    struct oci_hook_run how = {.enter = enter_elsewhere, .context = text, .directory = "/"};
    cr_expect_eq(run(OCI_HOOK_CREATE_CONTAINER, (const char *[]){"test \"$PWD$ENTERED\" = /yes", NULL}, 0,
                     &how, &error),
                 0, "%s", error.text);
    how = (struct oci_hook_run){.enter = enter_fails, .context = &code};
    cr_expect_eq(run(OCI_HOOK_CREATE_CONTAINER, scripts, 0, &how, &error), -EPERM);
    cr_expect_str_eq(read_file("entered"), "");
    cr_expect_null(getenv("ENTERED"));
}
