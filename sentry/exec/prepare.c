// Finding and checking a program: permissions, scripts, ELF headers, interpreter.
#include "sentry/exec/exec.h"
#include "abi/linux/capability.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/resource.h"
#include "abi/linux/stat.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 256 // BINPRM_BUF_SIZE
#define ELF_HEAD_BYTES 4096

// Who may execute a program need not be able to read it: *readable tells (would_dump of fs/exec.c).
static int open_program(int dirfd, const char *name, unsigned lookup, struct file **out, bool *readable)
{
    struct path p;
    int err = path_lookup(dirfd, name, lookup, &p);
    if (err)
        return err;
    struct inode *i = p.dentry->inode;
    if ((i->attr.mode & LX_S_IFMT) == LX_S_IFLNK)
        err = -LX_ELOOP;
    else if ((i->attr.mode & LX_S_IFMT) != LX_S_IFREG || (p.mnt->flags & MNT_NOEXEC))
        err = -LX_EACCES;
    else
        err = path_permission(&p, MAY_EXEC);
    if (!err)
        err = vfs_open_raw(&p, LX_O_RDONLY, out);
    if (!err)
        *readable = path_permission(&p, MAY_READ) == 0;
    path_put(&p);
    return err;
}

// "#!interpreter [argument]": fs/binfmt_script.c. 0 and the two strings (argument may be empty), or -LX_ENOEXEC.
static int parse_script(char *head, size_t len, char **interp, char **arg)
{
    head[len] = 0;
    char *end = memchr(head, '\n', len);
    if (!end) {
        // The line is longer than what was read: good only when the interpreter's name is complete.
        char *p = head + 2;
        while (*p == ' ' || *p == '\t')
            p++;
        if (!*p)
            return -LX_ENOEXEC;
        if (len == HEAD_BYTES && !strpbrk(p, " \t"))
            return -LX_ENOEXEC;
        end = head + len;
    }
    while (end > head + 2 && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = 0;
    char *p = head + 2;
    while (*p == ' ' || *p == '\t')
        p++;
    if (!*p)
        return -LX_ENOEXEC;
    *interp = p;
    while (*p && *p != ' ' && *p != '\t')
        p++;
    while (*p == ' ' || *p == '\t')
        *p++ = 0;
    *arg = p;
    return 0;
}

static void base_name(char comm[TASK_COMM_LEN], const char *name)
{
    const char *slash = strrchr(name, '/');
    snprintf(comm, TASK_COMM_LEN, "%s", slash ? slash + 1 : name);
}

static int take_interpreter(struct exec_image *im)
{
    uint8_t head[ELF_HEAD_BYTES];
    bool readable;
    int err = open_program(LX_AT_FDCWD, im->exe_elf.interp, LOOKUP_FOLLOW, &im->interp, &readable);
    if (err)
        return err;
    im->unreadable |= !readable;
    int64_t n = kernel_read(im->interp, head, sizeof(head), 0);
    if (n < 0)
        return (int)n;
    err = elf_read(im->interp, head, (size_t)n, &im->interp_elf);
    return err == -LX_ENOEXEC ? -LX_ELIBBAD : err;
}

// get_vfs_caps_from_disk: revisions 1 to 3 of struct vfs_cap_data. One that belongs to another user namespace gives nothing.
static void take_file_caps(struct inode *i, struct exec_cred_file *who)
{
    uint32_t data[6];
    if (!i->ops || !i->ops->getxattr)
        return;
    int64_t n = i->ops->getxattr(i, "security.capability", data, sizeof(data));
    if (n < 4)
        return;
    uint32_t revision = data[0] & 0xff000000u;
    unsigned words = revision == 0x01000000u ? 1 : 2;
    size_t size = 4 + words * 8u + (revision == 0x03000000u ? 4 : 0);
    if ((revision != 0x01000000u && revision != 0x02000000u && revision != 0x03000000u) || (size_t)n != size)
        return;
    if (revision == 0x03000000u && data[5] != 0)
        return;
    for (unsigned w = 0; w < words; w++) {
        who->cap_permitted |= (uint64_t)data[1 + 2 * w] << 32 * w;
        who->cap_inheritable |= (uint64_t)data[2 + 2 * w] << 32 * w;
    }
    who->cap_permitted &= LX_CAP_FULL;
    who->cap_inheritable &= LX_CAP_FULL;
    who->cap_effective = data[0] & 1;
    who->has_caps = true;
}

static int take_credentials(struct exec_image *im, const struct file *f)
{
    struct exec_cred_file who = {
        .mode = f->inode->attr.mode, .uid = f->inode->attr.uid, .gid = f->inode->attr.gid};
    if (f->path.mnt && (f->path.mnt->flags & MNT_NOSUID))
        who.mode &= ~06000u;
    else
        take_file_caps(f->inode, &who);
    int err = cred_for_exec(current, &who, &im->cred, &im->secure);
    if (!err)
        im->dumpable = cred_exec_dumpable(current->cred, im->cred);
    return err;
}

static int search_program(int dirfd, const char *name, unsigned lookup, struct exec_image *im)
{
    char path[VFS_PATH_MAX];
    uint8_t head[ELF_HEAD_BYTES];
    snprintf(path, sizeof(path), "%s", name);
    for (int depth = 0;; depth++) {
        if (im->exe)
            file_put(im->exe);
        im->exe = NULL;
        bool readable;
        int err = open_program(dirfd, path, lookup, &im->exe, &readable);
        if (err)
            return err;
        err = inode_deny_write(im->exe->inode);
        if (err)
            return err;
        im->exe->mode |= FMODE_RUNS;
        int64_t n = kernel_read(im->exe, head, sizeof(head), 0);
        if (n < 0)
            return (int)n;
        if (n < 2 || head[0] != '#' || head[1] != '!') {
            err = elf_read(im->exe, head, (size_t)n, &im->exe_elf);
            if (!err)
                err = take_credentials(im, im->exe);
            im->unreadable = !readable;
            return err;
        }
        if (depth == EXEC_INTERPRETERS_MAX)
            return -LX_ELOOP;
        char line[HEAD_BYTES + 1], *interp, *arg;
        size_t len = (size_t)n < HEAD_BYTES ? (size_t)n : HEAD_BYTES;
        memcpy(line, head, len);
        err = parse_script(line, len, &interp, &arg);
        if (err)
            return err;
        // The script's name takes the place of its argv[0].
        strings_drop_first(&im->strings);
        err = strings_prepend(&im->strings, depth == 0 ? im->filename : path);
        if (!err && *arg)
            err = strings_prepend(&im->strings, arg);
        if (!err)
            err = strings_prepend(&im->strings, interp);
        if (err)
            return err;
        snprintf(path, sizeof(path), "%s", interp);
        dirfd = LX_AT_FDCWD;
        lookup = LOOKUP_FOLLOW;
    }
}

// `im` has its strings. Frees nothing on failure.
static int finish_image(int dirfd, const char *name, unsigned lookup, struct exec_image *im)
{
    // What the program is told as its own name when a descriptor was given (execveat(2)).
    if (dirfd == LX_AT_FDCWD || name[0] == '/')
        snprintf(im->filename, sizeof(im->filename), "%s", name);
    else if (name[0] == 0)
        snprintf(im->filename, sizeof(im->filename), "/dev/fd/%d", dirfd);
    else if ((size_t)snprintf(im->filename, sizeof(im->filename), "/dev/fd/%d/%s", dirfd, name) >=
             sizeof(im->filename))
        return -LX_ENAMETOOLONG;
    int err = search_program(dirfd, name, lookup, im);
    if (err)
        return err;
    if (name[0] == 0) {
        const struct dentry *d = im->exe->path.dentry;
        snprintf(im->comm, sizeof(im->comm), "%s", d->name ? d->name : "");
    } else {
        base_name(im->comm, name);
    }
    if (im->exe_elf.interp[0])
        err = take_interpreter(im);
    im->doomed = im->exe_elf.doomed || (im->interp && im->interp_elf.doomed);
    return err;
}

void exec_image_free(struct exec_image *im)
{
    if (!im)
        return;
    if (im->exe)
        file_put(im->exe);
    if (im->interp)
        file_put(im->interp);
    cred_put(im->cred);
    free(im->strings.bytes);
    free(im);
}

static size_t string_budget(void)
{
    uint64_t quarter = current->tg->rlim[LX_RLIMIT_STACK].cur / 4;
    if (quarter < EXEC_ARG_MAX_STRING)
        quarter = EXEC_ARG_MAX_STRING;
    return quarter < EXEC_ARGS_MAX ? quarter : EXEC_ARGS_MAX;
}

int exec_prepare(int dirfd, const char *name, unsigned lookup, char *const argv[], char *const envp[],
                 struct exec_image **out)
{
    struct exec_image *im = calloc(1, sizeof(*im));
    int err = im ? 0 : -LX_ENOMEM;
    for (unsigned i = 0; !err && argv[i]; i++, im->strings.argc++)
        err = strings_add(&im->strings, argv[i], strlen(argv[i]));
    for (unsigned i = 0; !err && envp[i]; i++, im->strings.envc++)
        err = strings_add(&im->strings, envp[i], strlen(envp[i]));
    if (!err)
        err = finish_image(dirfd, name, lookup, im);
    if (err)
        exec_image_free(im);
    else
        *out = im;
    return err;
}

int exec_prepare_guest(int dirfd, const char *name, unsigned lookup, gaddr_t argv, gaddr_t envp,
                       struct exec_image **out)
{
    struct exec_image *im = calloc(1, sizeof(*im));
    if (!im)
        return -LX_ENOMEM;
    size_t budget = string_budget();
    int err = strings_add_guest(&im->strings, argv, budget, &im->strings.argc);
    if (!err && im->strings.argc == 0)
        err = strings_prepend(&im->strings, ""); // since Linux 5.18 argv[0] always exists
    if (!err)
        err = strings_add_guest(&im->strings, envp, budget, &im->strings.envc);
    if (!err)
        err = finish_image(dirfd, name, lookup, im);
    if (err)
        exec_image_free(im);
    else
        *out = im;
    return err;
}
