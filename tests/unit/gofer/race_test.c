// A thread swaps a directory for a symlink to the outside, and a file for one, while the server resolves
// through them: nothing outside is ever reached.
#include "tests/unit/gofer/server_fixture.h"

#include <linux/fs.h>
#include <pthread.h>

TestSuite(race, .init = start, .fini = stop);

static volatile bool stopping;

static void *swap(void *unused)
{
    char a[128], b[128], f[128], g[128];
    snprintf(a, sizeof(a), "%s/dir", inside);
    snprintf(b, sizeof(b), "%s/link", inside);
    snprintf(f, sizeof(f), "%s/file", inside);
    snprintf(g, sizeof(g), "%s/filelink", inside);
    while (!stopping) {
        renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
        renameat2(AT_FDCWD, f, AT_FDCWD, g, RENAME_EXCHANGE);
    }
    return NULL;
}

static void check_is_not_secret(int fd)
{
    char text[16];
    ssize_t got = pread(fd, text, sizeof(text), 0);
    cr_assert(got >= 0 && (got != 6 || memcmp(text, "secret", 6) != 0), "the outside was read");
    close(fd);
}

Test(race, swapped_symlinks_never_lead_outside, .timeout = 30)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/dir", inside);
    mkdir(path, 0755);
    make_file(path, "secret", "mine");
    snprintf(path, sizeof(path), "%s/link", inside);
    cr_assert_eq(symlink("../outside", path), 0);
    make_file(inside, "file", "mine");
    snprintf(path, sizeof(path), "%s/filelink", inside);
    cr_assert_eq(symlink("../outside/secret", path), 0);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, swap, NULL), 0);
    unsigned int reached = 0, stopped = 0;
    for (int i = 0; i < 4000; i++) {
        cr_assert_eq(walk_names(1, 2, 2, (const char *const[]){"dir", "secret"}), 0);
        if (reply.rwalkattr.bound) {
            reached++;
            if (!open_fd(2, O_RDWR))
                check_is_not_secret(take_donated());
            request.tclunk.fid = 2;
            call(np_type_of_tclunk);
        } else {
            cr_assert(reply.rwalkattr.stop == ELOOP || reply.rwalkattr.stop == ENOENT, "%u",
                      reply.rwalkattr.stop);
            stopped++;
        }
        cr_assert_eq(walk_names(1, 3, 0, NULL), 0);
        request.tlcreate =
            (struct np_tlcreate){.fid = 3, .name = np_string("file"), .flags = O_RDWR, .mode = 0644};
        if (!call(np_type_of_tlcreate))
            check_is_not_secret(dup(fid_find(&server.fids, 3)->open_fd));
        request.tclunk.fid = 3;
        cr_assert_eq(call(np_type_of_tclunk), 0);
        // Between the two names: made inside the directory or not at all.
        if (!walk_one(4, "dir")) {
            request.tmake =
                (struct np_tmake){.dfid = 4, .newfid = NP_NOFID, .name = np_string("made"), .mode = S_IFDIR};
            call(np_type_of_tmake);
            request.tunlinkat = (struct np_tunlinkat){.dirfid = 4, .name = np_string("secret")};
            if (i == 3999)
                call(np_type_of_tunlinkat);
            request.tclunk.fid = 4;
            cr_assert_eq(call(np_type_of_tclunk), 0);
        }
    }
    stopping = true;
    pthread_join(thread, NULL);
    cr_assert_gt(reached, 0);
    cr_assert_gt(stopped, 0);
    snprintf(path, sizeof(path), "%s/made", outside);
    cr_assert_eq(access(path, F_OK), -1);
    snprintf(path, sizeof(path), "%s/secret", outside);
    cr_assert_eq(access(path, F_OK), 0);
}
