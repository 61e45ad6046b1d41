// A task for a process that comes from outside, and its program.
#include "sentry/boot/launch.h"
#include "abi/linux/errno.h"
#include "sentry/boot/control.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/seccomp.h"
#include "abi/linux/stat.h"
#include "sentry/core/log.h"
#include "sentry/exec/exec.h"
#include "sentry/fs/devpts/devpts.h"
#include "sentry/seccomp/filter.h"
#include "sentry/task/task.h"
#include "sentry/tty/tty.h"
#include "sentry/vfs/vfs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *environment(char *const *envp, const char *name)
{
    size_t n = strlen(name);
    for (; *envp; envp++)
        if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
            return *envp + n + 1;
    return NULL;
}

static int find_program(const struct sentry_config *config, struct exec_image **out)
{
    const char *name = config->program ? config->program : config->argv[0];
    if (strchr(name, '/'))
        return exec_prepare(LX_AT_FDCWD, name, LOOKUP_FOLLOW, config->argv, config->envp, out);
    const char *path = environment(config->envp, "PATH");
    if (!path)
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    int err = -LX_ENOENT;
    if (!*name)
        return err;
    for (;;) {
        char full[VFS_PATH_MAX];
        int n = (int)strcspn(path, ":");
        int len = snprintf(full, sizeof(full), "%.*s%s%s", n, path, n ? "/" : "./", name);
        if (len > 0 && (size_t)len < sizeof(full)) {
            int r = exec_prepare(LX_AT_FDCWD, full, LOOKUP_FOLLOW, config->argv, config->envp, out);
            if (r != -LX_ENOENT && r != -LX_ENOTDIR && r != -LX_EACCES)
                return r;
            if (r == -LX_EACCES)
                err = r;
        }
        if (!path[n])
            return err;
        path += n + 1;
    }
}

int launch_find(const struct sentry_config *config, struct task *t, struct exec_image **image)
{
    struct task *before = current;
    current = t;
    int err = find_program(config, image);
    current = before;
    return err;
}

#define PASSWD_BYTES 65536

// The home directory of the user in the guest's /etc/passwd, or "/".
static void find_home(uint32_t uid, char *home, size_t size)
{
    struct path at;
    struct file *f;
    snprintf(home, size, "/");
    if (path_lookup(LX_AT_FDCWD, "/etc/passwd", LOOKUP_FOLLOW, &at))
        return;
    int err = LX_S_ISREG(at.dentry->inode->attr.mode) ? vfs_open_raw(&at, LX_O_RDONLY, &f) : -LX_EACCES;
    path_put(&at);
    char *text = err ? NULL : calloc(1, PASSWD_BYTES + 1);
    if (text)
        (void)kernel_read(f, text, PASSWD_BYTES, 0);
    if (!err)
        file_put(f);
    char *rest = text;
    for (char *line; text && (line = strsep(&rest, "\n"));) {
        char *field[7];
        int n = 0;
        while (n < 7 && (field[n] = strsep(&line, ":")))
            n++;
        char *end;
        if (n < 6 || strtoul(field[2], &end, 10) != uid || end == field[2] || *end || field[5][0] != '/')
            continue;
        snprintf(home, size, "%s", field[5]);
        break;
    }
    free(text);
}

// A container's program has a HOME. The list grows by one; 0 or -ENOMEM.
static int add_home(struct sentry_config *config)
{
    size_t n = 0;
    char home[VFS_PATH_MAX], *entry = NULL;
    if (environment(config->envp, "HOME"))
        return 0;
    find_home(config->uid, home, sizeof(home));
    while (config->envp[n])
        n++;
    char **list = realloc(config->envp, (n + 2) * sizeof(*list));
    if (list)
        config->envp = list;
    if (!list || asprintf(&entry, "HOME=%s", home) < 0)
        return -LX_ENOMEM;
    list[n] = entry;
    list[n + 1] = NULL;
    return 0;
}

static int enter_directory(const struct sentry_config *config, struct task *t)
{
    struct path cwd;
    const char *name = config->cwd ? config->cwd : "/";
    int err = path_lookup(LX_AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &cwd);
    if (err) {
        log_error("cannot enter the working directory %s: %s; it must be a directory inside the sandbox",
                  name, strerror(-err));
        return err;
    }
    path_put(&t->fs->pwd);
    t->fs->pwd = cwd;
    return 0;
}

static struct seccomp_filter *profile; // of the operator; never changes after launch_init()

int launch_init(const struct sentry_config *config)
{
    if (!config->seccomp.length)
        return 0;
    return seccomp_filter_create(config->seccomp.code, config->seccomp.length, config->seccomp.log, NULL,
                                 &profile);
}

int launch_prepare(struct launch_plan *plan, struct task **task, struct tty **terminal)
{
    int err;
    struct task *t = task_create(plan->config, &err), *before = current;
    if (!t) {
        fs_put(plan->fs);
        for (int i = 0; i < 3; i++)
            if (plan->streams.fd[i] >= 0)
                close(plan->streams.fd[i]);
        return err;
    }
    if (profile) {
        t->seccomp = seccomp_filter_get(profile);
        t->seccomp_mode = LX_SECCOMP_MODE_FILTER;
    }
    if (plan->config->scheduler_given) {
        t->sched_policy = plan->config->sched_policy;
        t->sched_priority = plan->config->sched_priority;
    }
    t->nice = plan->config->nice;
    t->ioprio = plan->config->ioprio;
    t->fs = plan->fs;
    t->fs->umask = plan->config->umask;
    current = t;
    int streams = stdio_install(&plan->streams, t->files, terminal);
    err = enter_directory(plan->config, t);
    if (!err && plan->config->container)
        err = add_home(plan->config);
    current = before;
    if (!err)
        err = streams;
    if (!err) {
        *task = t;
        return 0;
    }
    task_abandon(t);
    launch_release_terminal(*terminal);
    *terminal = NULL;
    return err;
}

int launch_give(struct task *t, int fd, unsigned index)
{
    struct task *before = current;
    if (index >= CONTROL_PRESERVE_MAX) {
        close(fd);
        return -LX_EMFILE;
    }
    current = t;
    int err = stdio_give(fd, t->cred->uid, t->cred->gid, t->files, 3 + (int)index);
    current = before;
    return err;
}

void launch_release_terminal(struct tty *terminal)
{
    if (!terminal)
        return;
    devpts_remove(terminal);
    tty_put(terminal);
}
