#include "sentry/cli/options.h"
#include "sentry/boot/config.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static int parse_words(const char *const *words, struct options *o)
{
    int count = 0;
    while (words[count])
        count++;
    return options_parse(count, (char **)(uintptr_t)words, o);
}
// The words are literals and live as long as the options that point to them.
#define PARSE(o, ...)                                                      \
    ({                                                                     \
        static const char *const words_[] = {"sentry", __VA_ARGS__, NULL}; \
        parse_words(words_, (o));                                          \
    })

Test(options, program_follows_the_double_dash)
{
    struct options o;
    cr_assert_eq(PARSE(&o, "--pids", "7", "--", "--strange", "-x"), 0);
    cr_assert_eq(o.pids, 7);
    cr_assert_str_eq(o.argv[0], "--strange");
    cr_assert_str_eq(o.argv[1], "-x");
    cr_assert_null(o.argv[2]);
    options_free(&o);
}

Test(options, program_may_follow_without_dashes)
{
    struct options o;
    cr_assert_eq(PARSE(&o, "--cwd=/tmp", "ls", "--help"), 0);
    cr_assert_str_eq(o.argv[0], "ls");
    cr_assert(!o.help);
    options_free(&o);
}

Test(options, values_come_with_equals_or_as_the_next_word)
{
    struct options o;
    cr_assert_eq(PARSE(&o, "--hostname=a", "--env", "A=1", "--env=B=2", "x"), 0);
    cr_assert_str_eq(o.hostname, "a");
    cr_assert_eq(o.nr_environment, 2);
    cr_assert_str_eq(o.environment[1], "B=2");
    options_free(&o);
}

Test(options, optional_values_come_with_equals_only)
{
    struct options o;
    cr_assert_eq(PARSE(&o, "--strace", "x"), 0);
    cr_assert(o.strace);
    cr_assert_null(o.strace_file);
    cr_assert_str_eq(o.argv[0], "x");
    options_free(&o);
    cr_assert_eq(PARSE(&o, "--strace=f", "x"), 0);
    cr_assert_str_eq(o.strace_file, "f");
    options_free(&o);
}

Test(options, binds_are_read_only_unless_asked)
{
    struct options o;
    cr_assert_eq(PARSE(&o, "--bind", "a:/b", "--bind", "c:/d:rw", "--bind=e:/f:ro", "x"), 0);
    cr_assert_eq(o.nr_binds, 3);
    cr_assert(o.binds[0].readonly && !o.binds[1].readonly && o.binds[2].readonly);
    cr_assert_str_eq(o.binds[1].source, "c");
    cr_assert_str_eq(o.binds[1].destination, "/d");
    options_free(&o);
}

Test(options, features_are_named)
{
    struct options o;
    cr_assert_eq(PARSE(&o, "--disable-feature", "landlock", "--disable-feature=io-uring", "x"), 0);
    cr_assert_eq(o.disabled_features, FEATURE_LANDLOCK | FEATURE_IO_URING);
    options_free(&o);
    cr_assert_eq(PARSE(&o, "--disable-feature", "list"), 0);
    cr_assert(o.list_features);
    options_free(&o);
}

Test(options, mistakes_are_refused)
{
    static const char *const wrong[] = {
        "--nonsense",       "--bin=a:/b",          "-x",
        "--clear-env=1",    "--overlay=some",      "--bind=a",
        "--bind=a:b",       "--bind=:/b",          "--bind=a:/b:rx",
        "--tmpfs=tmp",      "--tmpfs=/t:size=0",   "--tmpfs=/t:mode=9",
        "--tmpfs=/t:x",     "--cwd=rel",           "--env==x",
        "--user=root",      "--user=1:",           "--user=4294967295",
        "--hostname=",      "--network=some",      "--memory=x",
        "--memory=1q",      "--memory=0",          "--cpus=0",
        "--memory=7m",      "--cpus=-1",           "--pids=0",
        "--pids=1x",        "--timeout=0",         "--timeout=5d",
        "--log-level=loud", "--disable-feature=x",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct options o;
        cr_assert_eq(parse_words((const char *[]){"sentry", wrong[i], "--", "x", NULL}, &o), -EINVAL, "%s",
                     wrong[i]);
        options_free(&o);
    }
    struct options o;
    cr_assert_eq(PARSE(&o, "--"), -EINVAL);
    cr_assert_eq(PARSE(&o, "--cwd"), -EINVAL);
}

Test(options, sizes)
{
    uint64_t n;
    cr_assert(option_size("4096", &n) && n == 4096);
    cr_assert(option_size("64k", &n) && n == 65536);
    cr_assert(option_size("1.5G", &n) && n == 3ull << 29);
    cr_assert(option_size("2MiB", &n) && n == 2u << 20);
    cr_assert(option_size("2mb", &n) && n == 2u << 20);
    cr_assert(!option_size("", &n));
    cr_assert(!option_size("99999999999999999999", &n));
    cr_assert(!option_size("99999999999t", &n));
    cr_assert(!option_size("1.", &n));
}

Test(options, durations)
{
    uint64_t n;
    cr_assert(option_duration("5", &n) && n == 5000000000u);
    cr_assert(option_duration("0.25s", &n) && n == 250000000u);
    cr_assert(option_duration("200ms", &n) && n == 200000000u);
    cr_assert(option_duration("2m", &n) && n == 120000000000u);
    cr_assert(option_duration("1h", &n) && n == 3600000000000u);
    cr_assert(!option_duration("99999999999999h", &n));
    cr_assert(!option_duration("s", &n));
}

Test(options, users)
{
    uint32_t uid, gid;
    cr_assert(option_user("1000", &uid, &gid) && uid == 1000 && gid == 1000);
    cr_assert(option_user("1:2", &uid, &gid) && uid == 1 && gid == 2);
    cr_assert(!option_user("1:2:3", &uid, &gid));
    cr_assert(!option_user("-1", &uid, &gid));
}

Test(options, tmpfs_settings)
{
    struct tmpfs_option t;
    char text[] = "/t:size=1m,mode=700,noexec";
    cr_assert(option_tmpfs(text, &t));
    cr_assert_str_eq(t.destination, "/t");
    cr_assert_eq(t.size, 1u << 20);
    cr_assert_eq(t.mode, 0700);
    cr_assert(t.noexec);
}
