#include "tests/unit/vfs/vfs_fixture.h"

// The filesystem below: a tmpfs that counts what it is asked.
static struct super_block *lower_sb;
static struct dentry *lower_root;
static unsigned lookups;
static struct inode_ops counting;
static int (*real_lookup)(struct inode *, struct dentry *);

static int count_lookup(struct inode *dir, struct dentry *d)
{
    lookups++;
    int err = real_lookup(dir, d);
    if (err == 0 && d->inode && d->inode->ops->lookup)
        d->inode->ops = &counting;
    return err;
}

static int mount_lower(const struct fs_type *t, const char *source, const char *options,
                       struct super_block **sb, struct dentry **root)
{
    lower_sb->refs++;
    *sb = lower_sb;
    *root = dentry_get(lower_root);
    return 0;
}

// The root is the lower while it is filled; then an overlay over it.
static void setup(void)
{
    static struct fs_type type = {.name = "counted", .mount = mount_lower};
    vfs_setup();
    fs_type_register(&type);
    cr_assert_eq(tmpfs_create(64 << 20, 0755, 0, 0, &lower_sb, &lower_root), 0);
    vfs_test_root(lower_sb, lower_root);
    do_mkdir("/d", 0755);
    do_mkdir("/d/sub", 0755);
    put_file("/d/sub/deep", "deep");
    put_file("/d/one", "1");
    put_file("/d/two", "2");
    put_file("/f", "lower");
    SYS(link, PATH1("/f"), PATH2("/hard"));
    do_symlink("d/one", "/link");
    SYS(chown, PATH1("/f"), 1000, 1001);
    SYS(chmod, PATH1("/f"), 0640);
    dentry_shrink(0);
    counting = *lower_root->inode->ops;
    real_lookup = counting.lookup;
    counting.lookup = count_lookup;
    lower_root->inode->ops = &counting;
    struct super_block *sb;
    struct dentry *root;
    struct fs_type *overlay = fs_type_find("overlay");
    cr_assert_eq(overlay->mount(overlay, "counted", "lower=counted", &sb, &root), 0);
    vfs_test_root(sb, root);
}

// What the lower shows now, read past the overlay.
static const char *below(const char *path)
{
    struct path p, start = {vfs_fs.root.mnt, lower_root};
    struct file *f;
    static char text[100];
    if (path_lookup_from(&start, path, 0, &p))
        return "gone";
    cr_assert_eq(vfs_open_raw(&p, LX_O_RDONLY, &f), 0);
    int64_t n = kernel_read(f, text, sizeof(text) - 1, 0);
    cr_assert_geq(n, 0);
    text[n] = 0;
    file_put(f);
    path_put(&p);
    return text;
}

TestSuite(overlay, .init = setup);

Test(overlay, shows_the_lower)
{
    cr_assert_str_eq(get_file("/f"), "lower");
    cr_assert_str_eq(get_file("/link"), "1");
    cr_assert_str_eq(list_dir("/", 1000), "d f hard link");
    cr_assert_str_eq(list_dir("/d", 80), "one sub two");
    struct lx_stat st;
    do_stat("/f", &st);
    cr_assert_eq(st.uid, 1000);
    cr_assert_eq(st.mode, LX_S_IFREG | 0640);
    cr_assert_eq(st.size, 5);
}

Test(overlay, asks_the_lower_once_for_each_name)
{
    struct lx_stat st;
    do_stat("/d/sub/deep", &st);
    do_stat("/d/none", &st);
    get_file("/link");
    unsigned before = lookups;
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(do_stat("/d/sub/deep", &st), 0);
        cr_assert_eq(do_stat("/d/none", &st), -LX_ENOENT);
        cr_assert_str_eq(get_file("/link"), "1");
    }
    cr_assert_eq(lookups, before);
}

Test(overlay, writing_copies_up_and_keeps_attributes)
{
    struct lx_stat was, st;
    do_stat("/f", &was);
    int64_t reader = do_open("/f", LX_O_RDONLY, 0);
    int64_t fd = do_open("/f", LX_O_RDWR, 0);
    cr_assert_eq(SYS(pwrite64, fd, PATH1("U"), 1, 0), 1);
    cr_assert_str_eq(get_file("/f"), "Uower");
    cr_assert_str_eq(below("f"), "lower");
    do_stat("/f", &st);
    cr_assert_eq(st.ino, was.ino);
    cr_assert_eq(st.uid, 1000);
    cr_assert_eq(st.mode, was.mode);
    cr_assert_eq(SYS(read, reader, DATA, 5), 5);
    cr_assert_eq(memcmp(DATA_BYTES, "Uower", 5), 0, "who had it open sees the write");
    cr_assert_str_eq(get_file("/hard"), "Uower", "hard links below stay links");
    cr_assert_eq(SYS(unlink, PATH1("/f")), 0);
    cr_assert_str_eq(get_file("/hard"), "Uower");
    dentry_shrink(0);
    cr_assert_str_eq(get_file("/hard"), "Uower", "and the change outlives the cache");
}

Test(overlay, large_files_are_copied_whole)
{
    struct path start = {vfs_fs.root.mnt, lower_root}, p;
    struct file *f;
    cr_assert_eq(path_lookup_from(&start, "d/two", 0, &p), 0);
    cr_assert_eq(vfs_open_raw(&p, LX_O_RDWR, &f), 0);
    static unsigned char bytes[700000];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = i < 300000 || i > 400000 ? (unsigned char)(i * 7 + i / 4096) : 0;
    struct iov_iter it;
    iter_init_kernel(&it, bytes, sizeof(bytes));
    int64_t pos = 0;
    cr_assert_eq(file_write(f, &it, &pos), (int64_t)sizeof(bytes));
    file_put(f);
    path_put(&p);
    int64_t fd = do_open("/d/two", LX_O_RDWR | LX_O_APPEND, 0);
    cr_assert_eq(do_write(fd, "end", 3), 3);
    for (size_t at = 0; at < sizeof(bytes); at += 50000) {
        cr_assert_eq(SYS(pread64, fd, DATA, 50000, at), 50000);
        cr_assert_eq(memcmp(DATA_BYTES, bytes + at, 50000), 0);
    }
    cr_assert_eq(SYS(pread64, fd, DATA, 10, sizeof(bytes)), 3);
}

Test(overlay, metadata_changes_stay_above)
{
    cr_assert_eq(SYS(chmod, PATH1("/d/one"), 0600), 0);
    cr_assert_eq(SYS(chown, PATH1("/d"), 7, 8), 0);
    struct lx_stat st;
    dentry_shrink(0);
    do_stat("/d/one", &st);
    cr_assert_eq(st.mode & 0777, 0600);
    do_stat("/d", &st);
    cr_assert_eq(st.uid, 7);
    cr_assert_str_eq(get_file("/d/one"), "1");
    struct path start = {vfs_fs.root.mnt, lower_root}, p;
    path_lookup_from(&start, "d/one", 0, &p);
    cr_assert_eq(p.dentry->inode->attr.mode & 0777, 0644);
    path_put(&p);
    cr_assert_eq(SYS(truncate, PATH1("/f"), 2), 0);
    cr_assert_str_eq(get_file("/f"), "lo");
    cr_assert_str_eq(below("f"), "lower");
}

Test(overlay, removed_names_stay_removed)
{
    cr_assert_eq(SYS(unlink, PATH1("/d/one")), 0);
    cr_assert_eq(SYS(rmdir, PATH1("/d")), -LX_ENOTEMPTY);
    dentry_shrink(0);
    cr_assert_str_eq(get_file("/d/one"), "errno 2");
    cr_assert_str_eq(list_dir("/d", 1000), "sub two");
    cr_assert_str_eq(below("d/one"), "1");
    put_file("/d/one", "again");
    cr_assert_str_eq(get_file("/d/one"), "again");
    cr_assert_str_eq(list_dir("/d", 1000), "one sub two");
    SYS(unlink, PATH1("/d/one"));
    dentry_shrink(0);
    cr_assert_str_eq(get_file("/d/one"), "errno 2");
    SYS(unlink, PATH1("/d/two"));
    SYS(unlink, PATH1("/d/sub/deep"));
    cr_assert_eq(SYS(rmdir, PATH1("/d/sub")), 0);
    cr_assert_eq(SYS(rmdir, PATH1("/d")), 0);
    cr_assert_str_eq(list_dir("/", 1000), "f hard link");
    cr_assert_eq(do_mkdir("/d", 0755), 0);
    cr_assert_str_eq(list_dir("/d", 1000), "", "a directory made over a removed one is empty");
    cr_assert_str_eq(get_file("/d/sub/deep"), "errno 2");
}

Test(overlay, lower_directories_can_be_renamed)
{
    cr_assert_eq(SYS(rename, PATH1("/d"), PATH2("/moved")), 0);
    dentry_shrink(0);
    cr_assert_str_eq(get_file("/moved/sub/deep"), "deep");
    cr_assert_str_eq(get_file("/d/sub/deep"), "errno 2");
    cr_assert_str_eq(list_dir("/", 1000), "f hard link moved");
    put_file("/moved/sub/deep", "new");
    put_file("/moved/sub/other", "o");
    cr_assert_str_eq(list_dir("/moved/sub", 1000), "deep other");
    cr_assert_eq(SYS(rename, PATH1("/moved/sub"), PATH2("/d")), 0);
    dentry_shrink(0);
    cr_assert_str_eq(get_file("/d/deep"), "new");
    cr_assert_str_eq(below("d/sub/deep"), "deep");
}

Test(overlay, files_replace_files)
{
    put_file("/new", "N");
    cr_assert_eq(SYS(rename, PATH1("/new"), PATH2("/f")), 0);
    cr_assert_str_eq(get_file("/f"), "N");
    cr_assert_str_eq(get_file("/hard"), "lower");
    cr_assert_eq(SYS(unlink, PATH1("/f")), 0);
    dentry_shrink(0);
    cr_assert_str_eq(get_file("/f"), "errno 2", "the lower's file does not come back");
    cr_assert_eq(SYS(rename, PATH1("/d/one"), PATH2("/d/two")), 0);
    dentry_shrink(0);
    cr_assert_str_eq(get_file("/d/two"), "1");
    cr_assert_str_eq(list_dir("/d", 1000), "sub two");
}

Test(overlay, exchange_of_lower_names)
{
    cr_assert_eq(SYS(renameat2, LX_AT_FDCWD, PATH1("/f"), LX_AT_FDCWD, PATH2("/d"), LX_RENAME_EXCHANGE), 0);
    dentry_shrink(0);
    cr_assert_str_eq(get_file("/d"), "lower");
    cr_assert_str_eq(get_file("/f/sub/deep"), "deep");
    cr_assert_str_eq(list_dir("/", 1000), "d f hard link");
}

Test(overlay, attributes_of_the_lower_can_be_changed)
{
    struct path start = {vfs_fs.root.mnt, lower_root}, p;
    path_lookup_from(&start, "f", 0, &p);
    cr_assert_eq(p.dentry->inode->ops->setxattr(p.dentry->inode, "user.low", "v", 1, 0), 0);
    cr_assert_eq(SYS(getxattr, PATH1("/f"), PATH2("user.low"), DATA, 10), 1);
    cr_assert_eq(SYS(setxattr, PATH1("/f"), PATH2("user.up"), DATA, 1, 0), 0);
    cr_assert_eq(SYS(removexattr, PATH1("/f"), PATH2("user.low")), 0);
    cr_assert_eq(SYS(listxattr, PATH1("/f"), DATA, 100), 8);
    cr_assert_eq(p.dentry->inode->ops->listxattr(p.dentry->inode, NULL, 0), 9);
    path_put(&p);
}

Test(overlay, evicted_names_leave_nothing_behind)
{
    char name[32];
    struct lx_stat st;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "/t%d", i);
        put_file(name, "x");
        cr_assert_eq(SYS(link, PATH1(name), PATH2("/second")), 0);
        cr_assert_eq(SYS(unlink, PATH1(name)), 0);
        cr_assert_eq(SYS(unlink, PATH1("/second")), 0);
    }
    cr_assert_eq(SYS(statfs, PATH1("/"), DATA), 0);
    struct lx_statfs s;
    memcpy(&s, DATA_BYTES, sizeof(s));
    cr_assert_eq(s.files - s.ffree, 1, "the root is the only inode that differs from below");
    cr_assert_eq(s.blocks, s.bfree);
    cr_assert_eq(do_stat("/t1", &st), -LX_ENOENT);
}
