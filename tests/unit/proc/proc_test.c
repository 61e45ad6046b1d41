// proc as a guest reads it: through open and read, with one process in the tables.
#include "sentry/task/user_ns.h"
#include "tests/unit/vfs/vfs_fixture.h"
#include "sentry/boot/config.h"
#include "sentry/fs/devpts/devpts.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/mm/filemap.h"
#include "sentry/task/internal.h"

static struct session session = {.refs = 1, .sid = 1};
static struct process_group group = {.refs = 1, .pgid = 1, .session = &session};
static struct sentry_config config = {.cpus = 3, .memory_limit = 64 << 20};

static void setup(void)
{
    vfs_setup();
    cr_assert_eq(devpts_init(), 0);
    cr_assert_eq(proc_init(&config), 0);
    cr_assert_eq(vfs_mount_at(&current->fs->root, "proc", "proc", "", MNT_NOSUID | MNT_NOEXEC, "/proc"), 0);
    cr_assert_eq(vfs_mount_at(&current->fs->root, "sysfs", "sysfs", "", MNT_RDONLY, "/sys dir"), 0);
    struct thread_group *tg = &fixture_group;
    list_init(&group.members);
    list_init(&tg->pgrp_link);
    list_init(&tg->all_link);
    tg->pgrp = &group;
    tg->linked = true;
    tg->nr_threads = 1;
    tg->exit_signal = 17;
    tg->start_ns = 1230000000;
    list_add(&current->thread_link, &tg->threads);
    list_add(&tg->all_link, &all_groups);
    table_add_group(tg);
    table_add_task(current);
    current->sighand = sighand_alloc();
    current->mm->dumpable = true;
    strcpy(current->comm, "a (b\n");
}

TestSuite(proc, .init = setup);

static bool has(const char *path, const char *text)
{
    return strstr(get_file(path), text) != NULL;
}

static const char *link_of(const char *path)
{
    static char text[256];
    int64_t n = SYS(readlink, PATH1(path), DATA, sizeof(text) - 1);
    if (n < 0) {
        snprintf(text, sizeof(text), "errno %ld", (long)-n);
    } else {
        memcpy(text, DATA_BYTES, (size_t)n);
        text[n] = 0;
    }
    return text;
}

Test(proc, self_is_a_link_to_the_reader)
{
    cr_expect_str_eq(link_of("/proc/self"), "1");
    cr_expect_str_eq(link_of("/proc/thread-self"), "1/task/1");
    cr_expect_str_eq(link_of("/proc/mounts"), "self/mounts");
    cr_expect_str_eq(link_of("/proc/self/cwd"), "/");
    cr_expect_str_eq(link_of("/proc/self/exe"), "errno 2");
}

Test(proc, stat_has_the_52_fields_of_linux)
{
    const char *text = get_file("/proc/self/stat");
    cr_expect(!strncmp(text, "1 (a (b\n) R 0 1 1 0 -1 ", 23), "%s", text);
    unsigned fields = 0;
    for (const char *p = strrchr(text, ')') + 1; *p; p++)
        fields += *p == ' ';
    cr_expect_eq(fields + 2, 52u);
    cr_expect(strstr(text, " 20 0 1 0 123 ") != NULL, "%s", text);
    cr_expect_eq(text[strlen(text) - 1], '\n');
}

Test(proc, status_names_are_escaped_and_columns_are_tabs)
{
    cr_expect(has("/proc/self/status", "Name:\ta (b\\n\nUmask:\t0022\nState:\tR (running)\nTgid:\t1\n"));
    cr_expect(has("/proc/self/status", "\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n"));
    cr_expect(has("/proc/self/status", "\nCapEff:\tffffffffffffffff\n"));
    cr_expect(has("/proc/self/status", "\nCpus_allowed:\t7\nCpus_allowed_list:\t0-2\n"));
    cr_expect(has("/proc/self/status", "\nVmRSS:\t       0 kB\n"));
}

Test(proc, limits_are_in_fixed_columns)
{
    cr_expect(has("/proc/self/limits",
                  "Limit                     Soft Limit           Hard Limit           Units     \n"
                  "Max cpu time              unlimited            unlimited            seconds   \n"));
    cr_expect(has("/proc/self/limits",
                  "Max open files            1024                 4096                 files     \n"));
}

Test(proc, mounts_escape_blanks)
{
    cr_expect(has("/proc/mounts", "proc /proc proc rw,nosuid,noexec,relatime 0 0\n"), "%s",
              get_file("/proc/mounts"));
    cr_expect(has("/proc/mounts", "sysfs /sys\\040dir sysfs ro,relatime 0 0\n"));
    cr_expect(has("/proc/self/mountinfo", " / /sys\\040dir ro,relatime - sysfs sysfs rw\n"), "%s",
              get_file("/proc/self/mountinfo"));
}

Test(proc, descriptors_are_magic_links)
{
    put_file("/f", "text");
    int64_t fd = do_open("/f", LX_O_RDWR, 0);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", (int)fd);
    cr_expect_str_eq(link_of(path), "/f");
    SYS(unlink, PATH1("/f"));
    cr_expect_str_eq(link_of(path), "/f (deleted)");
    cr_expect_str_eq(get_file(path), "text", "an open of the link reaches a file without a name");
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", (int)fd);
    cr_expect(has(path, "pos:\t0\nflags:\t0100002\nmnt_id:\t") ||
              has(path, "pos:\t0\nflags:\t02\nmnt_id:\t"));
    SYS(close, fd);
    cr_expect_str_eq(get_file(path), "errno 2");
    cr_expect_str_eq(list_dir("/proc/self/fd", 1024), "0", "its own descriptor alone");
}

Test(proc, a_dead_process_vanishes)
{
    struct lx_stat st;
    cr_expect_eq(do_stat("/proc/1", &st), 0);
    fixture_group.linked = false;
    list_del(&fixture_group.hash_link);
    list_del(&current->hash_link);
    list_del(&fixture_group.all_link);
    cr_expect_eq(do_stat("/proc/1", &st), -LX_ENOENT);
    cr_expect(!strstr(list_dir("/proc", 4096), "1 "));
}

Test(proc, missing_names_are_ENOENT_even_when_made)
{
    struct lx_stat st;
    cr_expect_eq(do_stat("/proc/none", &st), -LX_ENOENT);
    cr_expect_eq(do_stat("/proc/01", &st), -LX_ENOENT);
    cr_expect_eq(do_stat("/proc/99", &st), -LX_ENOENT);
    cr_expect_eq(do_open("/proc/none", LX_O_CREAT | LX_O_RDWR, 0600), -LX_ENOENT);
    cr_expect_eq(do_mkdir("/proc/none", 0700), -LX_ENOENT);
}

Test(proc, another_users_process_is_closed)
{
    static struct task other;
    static struct thread_group other_group;
    static struct cred other_cred = {
        .refs = 1, .uid = 5, .euid = 5, .suid = 5, .fsuid = 5, .user_ns = &init_user_ns};
    other = fixture_task;
    other_group = fixture_group;
    other.tg = &other_group;
    other.tid = other_group.pid = 7;
    other_group.leader = &other;
    other.cred = &other_cred;
    other.refs = other_group.refs = 10;
    list_init(&other_group.threads);
    list_init(&other.thread_link);
    list_add(&other.thread_link, &other_group.threads);
    list_add(&other_group.all_link, &all_groups);
    table_add_group(&other_group);
    become(6, 6);
    cr_expect_str_eq(link_of("/proc/7/cwd"), "errno 13");
    cr_expect_str_eq(get_file("/proc/7/environ"), "errno 13");
    cr_expect_eq(do_open("/proc/7/maps", LX_O_RDONLY, 0), -LX_EACCES);
    cr_expect_eq(do_open("/proc/7/fd", LX_O_RDONLY, 0), -LX_EACCES);
    cr_expect(has("/proc/7/status", "Uid:\t5\t5\t5\t5\n"));
    struct lx_stat st;
    cr_expect_eq(do_stat("/proc/7/status", &st), 0);
    cr_expect_eq(st.uid, 5u);
}

Test(proc, comm_can_be_set)
{
    int64_t fd = do_open("/proc/self/comm", LX_O_WRONLY | LX_O_TRUNC, 0);
    cr_expect_eq(do_write(fd, "a name that is far too long", 27), 27);
    cr_expect_str_eq(get_file("/proc/self/comm"), "a name that is \n");
}

Test(proc, oom_score_adj_checks_range_and_right)
{
    int64_t fd = do_open("/proc/self/oom_score_adj", LX_O_WRONLY, 0);
    cr_expect_eq(do_write(fd, "1001\n", 5), -LX_EINVAL);
    cr_expect_eq(do_write(fd, "500\n", 4), 4);
    cr_expect_str_eq(get_file("/proc/self/oom_score_adj"), "500\n");
    become(6, 6);
    cr_expect_eq(do_write(fd, "-1\n", 3), -LX_EACCES);
}

Test(proc, sysctl_numbers_keep_what_root_writes)
{
    int64_t fd = do_open("/proc/sys/vm/swappiness", LX_O_RDWR, 0);
    cr_expect_eq(do_write(fd, "7\n", 2), 2);
    cr_expect_str_eq(get_file("/proc/sys/vm/swappiness"), "7\n");
    cr_expect_eq(do_write(fd, "201\n", 4), -LX_EINVAL);
    cr_expect_eq(do_write(fd, "x\n", 2), -LX_EINVAL);
    become(6, 6);
    cr_expect_eq(do_open("/proc/sys/vm/swappiness", LX_O_RDWR, 0), -LX_EACCES);
    cr_expect_str_eq(get_file("/proc/sys/kernel/ostype"), "Linux\n");
}

Test(proc, configured_processors_and_memory_show)
{
    cr_expect(has("/proc/meminfo", "MemTotal:          65536 kB\n"), "%s", get_file("/proc/meminfo"));
    cr_expect(has("/proc/stat", "\ncpu2 ") && !has("/proc/stat", "\ncpu3 "));
    cr_expect_str_eq(get_file("/sys dir/devices/system/cpu/online"), "0-2\n");
    cr_expect_str_eq(get_file("/sys dir/devices/system/cpu/cpu2/topology/core_id"), "2\n");
    cr_expect_str_eq(get_file("/sys dir/devices/system/cpu/cpu3/online"), "errno 2");
}

Test(proc, short_directory_buffers_give_every_name_once)
{
    char *wide = strdup(list_dir("/proc", 32768));
    cr_expect_str_eq(list_dir("/proc", 64), wide);
    cr_expect(!strncmp(wide, "1 ", 2));
    free(wide);
}

Test(proc, arguments_come_from_the_guest)
{
    memcpy(fixture_guest + 40960, "prog\0arg\0X=1\0", 13);
    current->mm->arg_start = fixture_addr(40960);
    current->mm->arg_end = current->mm->env_start = fixture_addr(40969);
    current->mm->env_end = fixture_addr(40980);
    int64_t fd = do_open("/proc/self/cmdline", LX_O_RDONLY, 0);
    cr_expect_eq(SYS(read, fd, DATA, 100), 9);
    cr_expect(!memcmp(DATA_BYTES, "prog\0arg\0", 9));
    cr_expect(!strncmp(get_file("/proc/self/environ"), "X=1", 4));
    memcpy(fixture_guest + 40960, "a longer title\0", 15); // runs over the arguments' end
    cr_expect_str_eq(get_file("/proc/self/cmdline"), "a longer title");
}

Test(proc, smaps_keep_the_figures_of_what_is_shown_only)
{
    char host[] = "00601000-00602000 rw-p 00000000 00:00 0 \n"
                  "Size:                  4 kB\n"
                  "VmFlags: rd wr mr mw me ac \n"
                  "700000000000-700000010000 r-xp 00000000 00:01 5 /memfd:stub (deleted)\n"
                  "Size:                 64 kB\n"
                  "00800000-00801000 r--p 00000000 fe:01 78 /host/secret/other\n"
                  "FilePmdMapped:         0 kB\n";
    struct out_text out = {NULL, 0, 0, false};
    struct mm mm = {.refs = 1};
    list_init(&mm.file_maps);
    proc_translate_maps(&mm, host, &out);
    out_add(&out, "", 1);
    cr_expect_str_eq(out.data, "00601000-00602000 rw-p 00000000 00:00 0 \n"
                               "Size:                  4 kB\n"
                               "VmFlags: rd wr mr mw me ac \n"
                               "00800000-00801000 r--p 00000000 00:00 0 \n"
                               "FilePmdMapped:         0 kB\n");
    out_free(&out);
}

Test(proc, maps_hide_the_stub_and_rename_files)
{
    char host[] = "00400000-00401000 r-xp 00001000 fe:01 77 /host/secret/prog\n"
                  "00601000-00602000 rw-p 00000000 00:00 0 \n"
                  "7fff0000-7fff1000 rw-p 00000000 00:00 0                          [stack]\n"
                  "700000000000-700000010000 r-xp 00000000 00:01 5 /memfd:stub (deleted)\n"
                  "00700000-00701000 rw-s 00000000 00:01 6 /memfd:shm (deleted)\n"
                  "00800000-00801000 r--p 00000000 fe:01 78 /host/secret/other\n";
    struct out_text out = {NULL, 0, 0, false};
    struct mm mm = {.refs = 1};
    list_init(&mm.file_maps);
    proc_translate_maps(&mm, host, &out);
    out_add(&out, "", 1);
    cr_expect_str_eq(
        out.data,
        "00400000-00401000 r-xp 00001000 00:00 0 \n"
        "00601000-00602000 rw-p 00000000 00:00 0 \n"
        "7fff0000-7fff1000 rw-p 00000000 00:00 0                                  [stack]\n"
        "00700000-00701000 rw-s 00000000 00:01 6                                  /memfd:shm (deleted)\n"
        "00800000-00801000 r--p 00000000 00:00 0 \n");
    out_free(&out);
}
