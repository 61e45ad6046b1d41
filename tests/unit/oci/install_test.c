// The edit of Docker's configuration: what is added and taken out, and that the rest stays.
#include "sentry/oci/install.h"
#include "sentry/oci/json.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const args[] = {"--strace", "/tmp/x"};
static const struct install_entry plain = {.name = "sentry", .program = "/usr/bin/sentry"};
static const struct install_entry full = {
    .name = "sentry", .program = "/usr/bin/sentry", .args = args, .nr_args = 2, .make_default = true};

static struct oci_error error;
static bool changed;

// Adds to (or, without an entry, removes "sentry" from) a text and compares without spaces.
static void expect(const char *text, const struct install_entry *entry, const char *result, bool changes)
{
    char *out = NULL, *to;
    int failed = entry ? install_add(text, strlen(text), entry, &out, &changed, &error)
                       : install_remove(text, strlen(text), "sentry", &out, &changed, &error);
    cr_assert_eq(failed, 0, "%s", error.text);
    to = out;
    for (const char *from = out; *from; from++)
        if (*from != ' ' && *from != '\n')
            *to++ = *from;
    *to = 0;
    cr_expect_str_eq(out, result);
    cr_expect_eq(changed, changes, "%s", text);
    free(out);
}

#define ENTRY "\"sentry\":{\"path\":\"/usr/bin/sentry\"}"

Test(install, an_entry_is_added)
{
    expect("", &plain, "{\"runtimes\":{" ENTRY "}}", true);
    expect("{}", &plain, "{\"runtimes\":{" ENTRY "}}", true);
    expect("{\"runtimes\":{}}", &plain, "{\"runtimes\":{" ENTRY "}}", true);
    expect("", &full,
           "{\"default-runtime\":\"sentry\",\"runtimes\":{\"sentry\":{\"path\":\"/usr/bin/"
           "sentry\",\"runtimeArgs\":["
           "\"--strace\",\"/tmp/x\"]}}}",
           true);
}

Test(install, everything_else_stays)
{
    expect(
        "{\"debug\": true, \"n\": 1e3, \"big\": 12345678901234567890, \"none\": null, \"list\": [1, {\"a\": "
        "\"\\u00e9\\n\"}],"
        "\"runtimes\": {\"crun\": {\"path\": \"/c\", \"runtimeArgs\": [\"x\"]}}, \"default-runtime\": "
        "\"crun\"}",
        &plain,
        "{\"debug\":true,\"n\":1e3,\"big\":12345678901234567890,\"none\":null,\"list\":[1,{\"a\":"
        "\"\xc3\xa9\\u000a\"}],"
        "\"default-runtime\":\"crun\",\"runtimes\":{\"crun\":{\"path\":\"/c\",\"runtimeArgs\":[\"x\"]}," ENTRY
        "}}",
        true);
}

Test(install, twice_is_once)
{
    expect("{\"runtimes\":{" ENTRY "}}", &plain, "{\"runtimes\":{" ENTRY "}}", false);
    expect(
        "{\"default-runtime\":\"sentry\",\"runtimes\":{\"sentry\":{\"runtimeArgs\":[\"--strace\",\"/tmp/x\"],"
        "\"path\":\"/usr/bin/sentry\"}}}",
        &full,
        "{\"default-runtime\":\"sentry\",\"runtimes\":{\"sentry\":{\"path\":\"/usr/bin/"
        "sentry\",\"runtimeArgs\":["
        "\"--strace\",\"/tmp/x\"]}}}",
        false);
}

Test(install, another_entry_of_the_name_is_left_alone_unless_it_may_be_replaced)
{
    static const char text[] = "{\"runtimes\":{\n\"sentry\":{\"path\":\"/other\"}}}";
    char *out;
    struct install_entry replace = plain;
    cr_expect_eq(install_add(text, strlen(text), &plain, &out, &changed, &error), -EEXIST);
    cr_expect(strstr(error.text, "line 2: there is another runtime \"sentry\""), "%s", error.text);
    replace.replace = true;
    expect(text, &replace, "{\"runtimes\":{" ENTRY "}}", true);
}

Test(install, it_is_taken_out_again)
{
    expect("{\"debug\":true,\"runtimes\":{" ENTRY "}}", NULL, "{\"debug\":true}", true);
    expect("{\"runtimes\":{\"crun\":{\"path\":\"/c\"}," ENTRY "},\"default-runtime\":\"sentry\"}", NULL,
           "{\"runtimes\":{\"crun\":{\"path\":\"/c\"}}}", true);
    expect("{\"default-runtime\":\"crun\",\"runtimes\":{\"crun\":{\"path\":\"/c\"}}}", NULL,
           "{\"default-runtime\":\"crun\",\"runtimes\":{\"crun\":{\"path\":\"/c\"}}}", false);
    expect("", NULL, "{}", false);
}

Test(install, what_is_not_dockers_is_refused)
{
    static const char *const bad[] = {
        "[]", "{", "{\"runtimes\":[]}", "nonsense", "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *out;
        cr_expect_eq(install_add(bad[i], strlen(bad[i]), &plain, &out, &changed, &error), -EINVAL, "%s",
                     bad[i]);
        cr_expect_eq(install_remove(bad[i], strlen(bad[i]), "sentry", &out, &changed, &error), -EINVAL, "%s",
                     bad[i]);
    }
}

// The commands, on files.

static char directory[64], path[96], target[96];

static void set_up(void)
{
    strcpy(directory, "/tmp/sentry-install-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/daemon.json", directory);
    snprintf(target, sizeof(target), "%s/real.json", directory);
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    cr_assert_eq(system(command), 0);
}

TestSuite(install_command, .init = set_up, .fini = tear_down);

static int run(const char *command, const char *option, const char *file)
{
    char *argv[] = {(char *)(uintptr_t)command, (char[]){"--path"}, (char *)(uintptr_t)file,
                    (char *)(uintptr_t)option, NULL};
    return install_main(option ? 4 : 3, argv);
}

static char *content(const char *file)
{
    static char text[4096];
    int fd = open(file, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    text[n > 0 ? n : 0] = 0;
    if (fd >= 0)
        close(fd);
    return text;
}

static void write_file(const char *file, const char *text, mode_t mode)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, mode);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

static unsigned entries(void)
{
    char command[128];
    snprintf(command, sizeof(command), "test $(ls -A %s | wc -l) = 1", directory);
    return system(command) == 0 ? 1 : 2;
}

Test(install_command, the_file_is_made_changed_and_restored)
{
    cr_expect_eq(run("install", NULL, path), 0);
    char self[4096] = "";
    cr_assert_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
    cr_expect(strstr(content(path), self), "%s", content(path));
    cr_expect_eq(run("uninstall", NULL, path), 0);
    cr_expect_str_eq(content(path), "{}\n");
    cr_expect_eq(entries(), 1, "no temporary file is left");
}

Test(install_command, mode_and_symbolic_link_stay)
{
    struct stat st;
    write_file(target, "{\"debug\": true}", 0640);
    cr_assert_eq(symlink("real.json", path), 0);
    cr_expect_eq(run("install", "--default", path), 0);
    cr_expect(lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
    cr_expect(stat(target, &st) == 0 && (st.st_mode & 07777) == 0640);
    cr_expect(strstr(content(target), "\"default-runtime\": \"sentry\"") &&
              strstr(content(target), "\"debug\": true"));
}

Test(install_command, nothing_changes_in_a_dry_run_or_on_error)
{
    write_file(path, "{\"debug\": true}", 0644);
    cr_expect_eq(run("install", "--dry-run", path), 0);
    cr_expect_str_eq(content(path), "{\"debug\": true}");
    write_file(path, "{\"debug\": tru", 0644);
    cr_expect_eq(run("install", NULL, path), 1);
    cr_expect_str_eq(content(path), "{\"debug\": tru");
    cr_expect_eq(run("install", "--bad", path), 1);
    cr_expect_eq(entries(), 1);
    unlink(path);
    cr_expect_eq(run("install", "--dry-run", path), 0);
    cr_expect_eq(access(path, F_OK), -1);
}

// The file that is there is never written to: who has it open reads the old one to its end.
Test(install_command, the_file_is_replaced_as_a_whole)
{
    struct stat before, after;
    write_file(path, "{\"debug\": true}", 0644);
    int fd = open(path, O_RDONLY);
    cr_assert_eq(stat(path, &before), 0);
    cr_expect_eq(run("install", NULL, path), 0);
    cr_assert_eq(stat(path, &after), 0);
    cr_expect_neq(before.st_ino, after.st_ino);
    char text[64] = "";
    cr_expect_eq(read(fd, text, sizeof(text) - 1), 15);
    cr_expect_str_eq(text, "{\"debug\": true}");
    close(fd);
    cr_expect_eq(run("install", NULL, path), 0);
    cr_assert_eq(stat(path, &before), 0);
    cr_expect_eq(before.st_ino, after.st_ino, "nothing to change");
}
