#include "sentry/boot/config_codec.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char *words(const char *s)
{
    return (char *)(uintptr_t)s;
}

static struct sentry_config example(void)
{
    static char *argv[] = {(char *)(uintptr_t) "prog", (char *)(uintptr_t) "", (char *)(uintptr_t) "a b",
                           NULL};
    static char *envp[] = {(char *)(uintptr_t) "K=V", NULL};
    static uint32_t groups[] = {4, 24};
    static struct mount_config mounts[2];
    static struct link_config links[1];
    mounts[0] = (struct mount_config){
        .kind = MOUNT_TMPFS, .destination = words("/"), .size = 1ull << 40, .mode = 0755};
    mounts[1] = (struct mount_config){.kind = MOUNT_GOFER,
                                      .destination = words("/usr"),
                                      .export_name = words("e0"),
                                      .readonly = true,
                                      .nodev = true,
                                      .shared = true};
    links[0] = (struct link_config){words("/bin"), words("usr/bin")};
    return (struct sentry_config){.argv = argv,
                                  .envp = envp,
                                  .cwd = words("/tmp"),
                                  .hostname = words("h"),
                                  .uid = 7,
                                  .umask = 027,
                                  .ignored_signals = 1ull << 63,
                                  .limits = {[15] = {1, 2}},
                                  .gid = 8,
                                  .groups = groups,
                                  .nr_groups = 2,
                                  .mounts = mounts,
                                  .nr_mounts = 2,
                                  .links = links,
                                  .nr_links = 1,
                                  .memory_limit = 1ull << 33,
                                  .cpus = 3,
                                  .max_tasks = 99,
                                  .strace = true,
                                  .begins = true,
                                  .log_level = 2,
                                  .disabled_features = FEATURE_LANDLOCK,
                                  .stdio_tty = {true, false, true}};
}

static int written(const struct sentry_config *config, const struct kernel_params *params)
{
    int fd = memfd_create("config", 0);
    cr_assert_eq(config_write(fd, config, params), 0);
    return fd;
}

Test(config_codec, what_is_written_is_read_back)
{
    struct sentry_config in = example(), out;
    struct kernel_params params = {.control = 5, .gofer = 6, .stdio = {0, -1, 2}}, params_out;
    int fd = written(&in, &params);
    cr_assert_eq(config_read(fd, &out, &params_out), 0);
    cr_assert_eq(memcmp(&params, &params_out, sizeof(params)), 0);
    cr_assert_str_eq(out.argv[0], "prog");
    cr_assert_str_eq(out.argv[1], "");
    cr_assert_str_eq(out.argv[2], "a b");
    cr_assert_null(out.argv[3]);
    cr_assert_str_eq(out.envp[0], "K=V");
    cr_assert_str_eq(out.cwd, "/tmp");
    cr_assert_null(out.domainname);
    cr_assert_eq(out.uid, 7);
    cr_assert_eq(out.umask, 027);
    cr_assert_eq(out.ignored_signals, 1ull << 63);
    cr_assert(out.limits[15].cur == 1 && out.limits[15].max == 2);
    cr_assert_eq(out.nr_groups, 2);
    cr_assert_eq(out.groups[1], 24);
    cr_assert_eq(out.nr_mounts, 2);
    cr_assert_eq(out.mounts[0].size, 1ull << 40);
    cr_assert_eq(out.mounts[0].mode, 0755);
    cr_assert_null(out.mounts[0].export_name);
    cr_assert_eq(out.mounts[1].kind, MOUNT_GOFER);
    cr_assert_str_eq(out.mounts[1].export_name, "e0");
    cr_assert(out.mounts[1].readonly && out.mounts[1].nodev && out.mounts[1].shared);
    cr_assert(!out.mounts[1].overlay && !out.mounts[1].noexec && !out.mounts[1].nosuid);
    cr_assert_str_eq(out.links[0].target, "usr/bin");
    cr_assert_eq(out.memory_limit, 1ull << 33);
    cr_assert_eq(out.cpus, 3);
    cr_assert_eq(out.max_tasks, 99);
    cr_assert(out.strace && !out.stats && !out.network_host);
    cr_assert(out.begins && !out.container);
    cr_assert_eq(out.disabled_features, FEATURE_LANDLOCK);
    cr_assert(out.stdio_tty[0] && !out.stdio_tty[1] && out.stdio_tty[2]);
}

Test(config_codec, every_truncation_is_refused)
{
    struct sentry_config in = example(), out;
    struct kernel_params params = {0};
    int fd = written(&in, &params);
    off_t size = lseek(fd, 0, SEEK_END);
    for (off_t n = size - 1; n >= 0; n--) {
        cr_assert_eq(ftruncate(fd, n), 0);
        cr_assert_eq(config_read(fd, &out, &params), -EPROTO, "%ld of %ld bytes", (long)n, (long)size);
    }
}

Test(config_codec, bytes_after_the_end_are_refused)
{
    struct sentry_config in = example(), out;
    struct kernel_params params = {0};
    int fd = written(&in, &params);
    cr_assert_eq(ftruncate(fd, lseek(fd, 0, SEEK_END) + 1), 0);
    cr_assert_eq(config_read(fd, &out, &params), -EPROTO);
}

Test(config_codec, a_length_beyond_the_end_is_refused)
{
    struct sentry_config in = example(), out;
    struct kernel_params params = {0};
    int fd = written(&in, &params);
    uint32_t huge = 0x7fffffff;
    // The number of arguments comes right after the magic number and the parameters.
    cr_assert_eq(pwrite(fd, &huge, 4, (off_t)(4 + sizeof(params))), 4);
    cr_assert_eq(config_read(fd, &out, &params), -EPROTO);
    huge = 0x100000;
    cr_assert_eq(pwrite(fd, &huge, 4, (off_t)(4 + sizeof(params))), 4);
    cr_assert_eq(config_read(fd, &out, &params), -EPROTO);
}
