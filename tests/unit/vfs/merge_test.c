#include "tests/unit/vfs/vfs_fixture.h"
#include "abi/linux/mman.h"
#include <sys/stat.h>

#define PATH3(s) str_at(12288, (s))

// Everything lies in the tmpfs that is the root; /m shows /l with /u on top.
static void setup(void)
{
    vfs_setup();
    for (const char **d = (const char *[]){"/l", "/u", "/w", "/m", NULL}; *d; d++)
        cr_assert_eq(do_mkdir(*d, 0755), 0);
    put_file("/l/f", "lower");
    do_mkdir("/u/a", 0755);
    do_mkdir("/u/b", 0755);
    strcpy((char *)DATA_BYTES, "lowerdir=/l,upperdir=/u,workdir=/w");
    cr_assert_eq(SYS(mount, PATH2("o"), PATH1("/m"), PATH3("overlay"), 0, DATA), 0);
}

static int64_t do_rename(const char *from, const char *to, unsigned flags)
{
    return SYS(renameat2, LX_AT_FDCWD, PATH1(from), LX_AT_FDCWD, PATH2(to), flags);
}

TestSuite(merge, .init = setup);

// A thread of the guest may be about to map the descriptor, and a number that is free comes to stand for another file.
Test(merge, what_was_mapped_from_stays_open_until_the_file_is_closed)
{
    struct host_map map;
    struct stat was, st;
    int64_t fd = do_open("/m/f", LX_O_RDONLY, 0);
    struct file *f = fd_lookup(current->files, (int)fd);
    cr_assert_eq(f->ops->map(f, 0, 4096, LX_PROT_READ, LX_MAP_SHARED, &map), 0);
    cr_assert_eq(fstat(map.fd, &was), 0);
    // The merged file is the last to have the lower one.
    cr_assert_eq(SYS(close, do_open("/m/f", LX_O_WRONLY, 0)), 0);
    cr_assert_eq(SYS(unlink, PATH1("/l/f")), 0);
    put_file("/m/f", "upper");
    cr_assert_eq(SYS(pread64, fd, DATA, 5, 0), 5);
    cr_assert_eq(memcmp(DATA_BYTES, "upper", 5), 0);
    cr_assert_eq(fstat(map.fd, &st), 0, "it is closed");
    cr_assert(st.st_dev == was.st_dev && st.st_ino == was.st_ino, "it stands for another file");
    cr_assert_eq(SYS(close, fd), 0);
    cr_assert_eq(fstat(map.fd, &st), -1);
}

// Layers may change under a merge, which then must not make a directory lie in itself.
Test(merge, no_rename_makes_a_directory_lie_in_itself)
{
    struct lx_stat st;
    cr_assert_eq(do_stat("/m/a", &st), 0);
    cr_assert_eq(do_stat("/m/b", &st), 0);
    cr_assert_eq(do_rename("/u/b", "/u/a/b", 0), 0);
    cr_assert_eq(do_rename("/m/a", "/m/b/a", 0), -LX_ESTALE);
    put_file("/m/b/x", "");
    cr_assert_eq(do_rename("/m/a", "/m/b/x", LX_RENAME_EXCHANGE), -LX_ESTALE);
    cr_assert_eq(do_rename("/m/b/x", "/m/a", LX_RENAME_EXCHANGE), -LX_ESTALE);
    cr_assert_str_eq(list_dir("/u/a/b", 1000), "x");
}

// There is no room for the whiteout: nothing has happened.
Test(merge, a_rename_that_cannot_hide_the_old_name_changes_nothing)
{
    char name[32];
    cr_assert_eq(SYS(mount, PATH2("t"), PATH1("/l"), PATH3("tmpfs"), 0, str_at(DATA_AT, "nr_inodes=20")), 0);
    for (const char **d = (const char *[]){"/l/l", "/l/u", "/l/w", "/l/m", NULL}; *d; d++)
        cr_assert_eq(do_mkdir(*d, 0755), 0);
    put_file("/l/l/f", "lower");
    str_at(DATA_AT, "lowerdir=/l/l,upperdir=/l/u,workdir=/l/w");
    cr_assert_eq(SYS(mount, PATH2("o"), PATH1("/l/m"), PATH3("overlay"), 0, DATA), 0);
    put_file("/l/m/f", "upper");
    for (int i = 0, err = 0; !err; i++) {
        snprintf(name, sizeof(name), "/l/fill%d", i);
        err = (int)do_mkdir(name, 0755);
        cr_assert(!err || err == -LX_ENOSPC);
    }
    cr_assert_eq(do_rename("/l/m/f", "/l/m/g", 0), -LX_ENOSPC);
    dentry_shrink(0);
    cr_assert_str_eq(get_file("/l/m/f"), "upper");
    cr_assert_str_eq(list_dir("/l/u", 1000), "f");
    cr_assert_str_eq(list_dir("/l/w/work", 1000), "");
    SYS(rmdir, PATH1("/l/fill0"));
    cr_assert_eq(do_rename("/l/m/f", "/l/m/g", 0), 0);
    cr_assert_str_eq(list_dir("/l/m", 1000), "g");
    cr_assert_str_eq(list_dir("/l/u", 1000), "f g");
}
