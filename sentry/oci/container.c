#include "sentry/oci/container.h"
#include "sentry/oci/json.h"
#include "sentry/oci/json_write.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STATE_BYTES_MAX (4u << 20)

static const char *const status_names[] = {"creating", "created", "running", "paused", "stopped"};

const char *container_status_name(enum container_status status)
{
    return status_names[status];
}

// --- files

int read_file_at(int dir, const char *name, size_t limit, char **text, size_t *length)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    size_t size = limit < 4096 ? limit : 4096, used = 0;
    char *bytes = malloc(size + 1);
    int error = bytes ? 0 : -ENOMEM;
    while (!error) {
        if (used == size && size < limit) {
            size = size * 2 < limit ? size * 2 : limit;
            char *grown = realloc(bytes, size + 1);
            if (!grown) {
                error = -ENOMEM;
                break;
            }
            bytes = grown;
        }
        char beyond;
        ssize_t n = used < size ? read(fd, bytes + used, size - used) : read(fd, &beyond, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0 && used == size)
            error = -EFBIG;
        else if (n < 0)
            error = -errno;
        if (n <= 0 || error)
            break;
        used += (size_t)n;
    }
    close(fd);
    if (error) {
        free(bytes);
        return error;
    }
    bytes[used] = 0;
    *text = bytes;
    *length = used;
    return 0;
}

int write_file_whole(int dir, const char *name, const char *text, size_t length)
{
    char fresh[NAME_MAX + 1];
    if (snprintf(fresh, sizeof(fresh), ".%s.%d", name, (int)getpid()) >= (int)sizeof(fresh))
        return -ENAMETOOLONG;
    int fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int error = 0;
    for (size_t done = 0; done < length && !error;) {
        ssize_t n = write(fd, text + done, length - done);
        if (n < 0 && errno != EINTR)
            error = -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    if (close(fd) < 0 && !error)
        error = -errno;
    if (!error && renameat(dir, fresh, dir, name) < 0)
        error = -errno;
    if (error)
        (void)unlinkat(dir, fresh, 0);
    return error;
}

// --- the directory

// Root of the whole machine, not of a user namespace that an ordinary user made?
static bool is_real_root(void)
{
    char *text;
    size_t length;
    unsigned inside = 1, outside = 1, count = 0;
    if (geteuid() != 0)
        return false;
    if (read_file_at(AT_FDCWD, "/proc/self/uid_map", 4096, &text, &length))
        return true;
    bool all = sscanf(text, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 &&
               count == UINT32_MAX;
    free(text);
    return all;
}

int container_root(const char *given, char *root, size_t size, struct oci_error *error)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int n;
    if (given && *given)
        n = snprintf(root, size, "%s", given);
    else if (is_real_root() || (geteuid() == 0 && !runtime))
        n = snprintf(root, size, "/run/sentry/containers");
    else if (runtime && *runtime == '/')
        n = snprintf(root, size, "%s/sentry/containers", runtime);
    else
        return oci_fail(error, ENOENT, "an ordinary user needs --root or XDG_RUNTIME_DIR");
    return n < 0 || (size_t)n >= size ? oci_fail(error, ENAMETOOLONG, "--root is too long") : 0;
}

static char last_name[256];

const char *container_name(void)
{
    return last_name;
}

static int check_id(const char *id, struct oci_error *error)
{
    bool good = *id && strcmp(id, ".") != 0 && strcmp(id, "..") != 0 && strlen(id) < 255;
    for (const char *p = id; good && *p; p++)
        good = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
               strchr("_+-.", *p);
    if (good)
        strcpy(last_name, id);
    return good ? 0
                : oci_fail(error, EINVAL,
                           "invalid container ID %.64s: letters, digits and _ + - . only, at most 254", id);
}

static int make_parents(const char *path)
{
    char part[PATH_MAX];
    for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        size_t n = slash ? (size_t)(slash - path) : strlen(path);
        if (n >= sizeof(part))
            return -ENAMETOOLONG;
        memcpy(part, path, n);
        part[n] = 0;
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return -errno;
        if (!slash)
            return 0;
    }
}

static int open_directory(const char *root, const char *id, struct container *c, struct oci_error *error)
{
    memset(c, 0, sizeof(*c));
    c->fd = -1;
    int failed = check_id(id, error);
    if (failed)
        return failed;
    strcpy(c->id, id);
    if (snprintf(c->directory, sizeof(c->directory), "%s/%s", root, id) >= (int)sizeof(c->directory))
        return oci_fail(error, ENAMETOOLONG, "--root is too long");
    c->fd = open(c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (c->fd >= 0)
        return 0;
    if (errno == ENOENT)
        return oci_fail(error, ENOENT, "container does not exist");
    if (errno == EACCES)
        return oci_fail(error, EACCES,
                        "%s is another user's: ask as that user, or name a directory of your own with --root",
                        root);
    return oci_fail_errno(error, errno, "cannot open %s", c->directory);
}

// Whoever waited for the lock of a directory that is gone meanwhile holds the lock of nothing.
int container_lock(struct container *c, struct oci_error *error)
{
    struct stat here, there;
    while (flock(c->fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return oci_fail_errno(error, errno, "cannot lock %s", c->directory);
    if (fstat(c->fd, &here) < 0 || stat(c->directory, &there) < 0 || here.st_ino != there.st_ino ||
        here.st_dev != there.st_dev)
        return oci_fail(error, ENOENT, "container does not exist");
    return 0;
}

int container_make(const char *root, const char *id, struct container *c, struct oci_error *error)
{
    char directory[PATH_MAX];
    int failed = check_id(id, error);
    if (failed)
        return failed;
    if (snprintf(directory, sizeof(directory), "%s/%s", root, id) >= (int)sizeof(directory))
        return oci_fail(error, ENAMETOOLONG, "--root is too long");
    failed = make_parents(root);
    if (failed)
        return oci_fail_errno(error, -failed, "cannot make the state directory %s", root);
    if (mkdir(directory, 0700) < 0)
        return errno == EEXIST ? oci_fail(error, EEXIST, "container with id exists: %s", id)
                               : oci_fail_errno(error, errno, "cannot make %s", directory);
    failed = open_directory(root, id, c, error);
    if (!failed)
        failed = container_lock(c, error);
    if (failed)
        (void)rmdir(directory);
    return failed;
}

void container_unlock(const struct container *c)
{
    flock(c->fd, LOCK_UN);
}

void container_close(struct container *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    oci_cgroup_free(&c->cgroup);
}

int container_write(const struct container *c, const char *name, const char *text, size_t length,
                    struct oci_error *error)
{
    int failed = write_file_whole(c->fd, name, text, length);
    return failed ? oci_fail_errno(error, -failed, "cannot write %s/%s", c->directory, name) : 0;
}

int container_config(const struct container *c, struct oci_config *config, struct oci_error *error)
{
    char *text;
    size_t length;
    int failed = read_file_at(c->fd, "config.json", JSON_BYTES_MAX, &text, &length);
    if (failed)
        return oci_fail_errno(error, -failed, "cannot read %s/config.json", c->directory);
    failed = oci_config_parse(text, length, config, error);
    free(text);
    return failed;
}

int container_remove(const char *root, struct container *c, struct oci_error *error)
{
    (void)root;
    DIR *dir = fdopendir(dup(c->fd));
    int failed = dir ? 0 : -errno;
    if (dir)
        rewinddir(dir);
    for (struct dirent *entry; !failed && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(c->fd, entry->d_name, 0) < 0 && errno != ENOENT)
            failed = -errno;
    }
    if (dir)
        closedir(dir);
    if (!failed && rmdir(c->directory) < 0 && errno != ENOENT)
        failed = -errno;
    return failed ? oci_fail_errno(error, -failed, "cannot remove %s", c->directory) : 0;
}

// --- state.json

int container_save(const struct container *c, struct oci_error *error)
{
    struct json_writer w = {0};
    json_put_object(&w, NULL);
    json_put_string(&w, "ociVersion", OCI_VERSION);
    json_put_string(&w, "id", c->id);
    json_put_u64(&w, "pid", (uint64_t)c->pid);
    json_put_u64(&w, "pidStart", c->pid_start);
    json_put_string(&w, "status", status_names[c->status]);
    json_put_string(&w, "bundle", c->bundle);
    json_put_string(&w, "rootfs", c->rootfs);
    json_put_string(&w, "created", c->created);
    json_put_u64(&w, "owner", c->owner);
    json_put_object(&w, "annotations");
    for (size_t i = 0; i < c->nr_annotations; i++)
        json_put_string(&w, c->annotations[i].name, c->annotations[i].value);
    json_put_end(&w, '}');
    json_put_u64(&w, "cgroupLayout", (uint64_t)c->cgroup.layout);
    json_put_bool(&w, "cgroupShared", c->cgroup_shared);
    json_put_array(&w, "cgroups");
    for (unsigned i = 0; i < c->cgroup.count; i++) {
        json_put_object(&w, NULL);
        json_put_string(&w, "name", c->cgroup.dirs[i].name);
        json_put_string(&w, "path", c->cgroup.dirs[i].path);
        json_put_end(&w, '}');
    }
    json_put_end(&w, ']');
    json_put_end(&w, '}');
    int failed = w.error ? oci_fail(error, ENOMEM, "cannot write the state: out of memory")
                         : container_write(c, "state.json", w.text, w.length, error);
    free(w.text);
    return failed;
}

static void get_text(const struct json *object, const char *name, char *out, size_t size)
{
    const struct json *value = json_get(object, name);
    if (value && value->type == JSON_STRING)
        snprintf(out, size, "%s", value->text);
}

static void get_number(const struct json *object, const char *name, uint64_t most, uint64_t *out)
{
    const struct json *value = json_get(object, name);
    uint64_t number;
    if (value && json_u64(value, most, &number))
        *out = number;
}

static int get_cgroups(const struct json *root, struct oci_cgroup *group)
{
    const struct json *list = json_get(root, "cgroups");
    uint64_t layout = 0;
    get_number(root, "cgroupLayout", OCI_CGROUP_V2, &layout);
    group->layout = (enum oci_cgroup_layout)layout;
    group->dirs = calloc(OCI_CGROUP_DIRS, sizeof(*group->dirs));
    if (!group->dirs)
        return -ENOMEM;
    for (const struct json *d = list && list->type == JSON_ARRAY ? list->first : NULL;
         d && group->count < OCI_CGROUP_DIRS; d = d->next) {
        get_text(d, "name", group->dirs[group->count].name, OCI_CGROUP_NAME);
        get_text(d, "path", group->dirs[group->count].path, PATH_MAX);
        group->count++;
    }
    return 0;
}

static int get_annotations(const struct json *root, struct container *c)
{
    const struct json *list = json_get(root, "annotations");
    size_t n = list && list->type == JSON_OBJECT ? list->count : 0;
    c->annotations = calloc(n ? n : 1, sizeof(*c->annotations));
    if (!c->annotations)
        return -ENOMEM;
    for (const struct json *a = n ? list->first : NULL; a; a = a->next) {
        if (a->type != JSON_STRING)
            continue;
        struct oci_pair *pair = &c->annotations[c->nr_annotations++];
        pair->name = strdup(a->name);
        pair->value = strdup(a->text);
        if (!pair->name || !pair->value)
            return -ENOMEM;
    }
    return 0;
}

static int load(struct container *c)
{
    char *text;
    size_t length;
    struct json_document document;
    struct oci_error why;
    int failed = read_file_at(c->fd, "state.json", STATE_BYTES_MAX, &text, &length);
    if (failed)
        return failed;
    failed = json_parse(text, length, &document, &why);
    free(text);
    if (failed)
        return failed;
    const struct json *root = document.root;
    uint64_t pid = 0, owner = 0;
    get_number(root, "pid", INT_MAX, &pid);
    get_number(root, "pidStart", UINT64_MAX, &c->pid_start);
    get_number(root, "owner", UINT32_MAX, &owner);
    c->pid = (pid_t)pid;
    c->owner = (uint32_t)owner;
    char status[16] = "";
    get_text(root, "status", status, sizeof(status));
    for (unsigned i = 0; i < sizeof(status_names) / sizeof(status_names[0]); i++)
        if (strcmp(status, status_names[i]) == 0)
            c->status = (enum container_status)i;
    get_text(root, "bundle", c->bundle, sizeof(c->bundle));
    get_text(root, "rootfs", c->rootfs, sizeof(c->rootfs));
    get_text(root, "created", c->created, sizeof(c->created));
    const struct json *shared = json_get(root, "cgroupShared");
    c->cgroup_shared = shared && shared->type == JSON_BOOL && shared->boolean;
    failed = get_cgroups(root, &c->cgroup);
    if (!failed)
        failed = get_annotations(root, c);
    json_free(&document);
    return failed;
}

int container_open(const char *root, const char *id, bool lock, struct container *c, struct oci_error *error)
{
    int failed = open_directory(root, id, c, error);
    if (!failed && lock)
        failed = container_lock(c, error);
    if (!failed) {
        failed = load(c);
        if (failed == -ENOENT || failed == -EINVAL)
            failed = 0; // made by half: nothing is known of it
        else if (failed)
            (void)oci_fail_errno(error, -failed, "cannot read the state of %s", id);
    }
    if (failed)
        container_close(c);
    return failed;
}

// --- the process

struct process_facts {
    pid_t parent;
    unsigned long long start; // 0: it is gone, or a zombie
};

static struct process_facts look_at_process(pid_t pid)
{
    char path[32], *text;
    size_t length;
    struct process_facts facts = {0};
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (pid <= 0 || read_file_at(AT_FDCWD, path, 4096, &text, &length))
        return facts;
    const char *at = strrchr(text, ')'); // the name may hold anything
    char state = 0;
    int parent = 0;
    // State, parent and 17 fields lie between the name and the start time.
    if (!at ||
        sscanf(at + 1, " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
               &state, &parent, &facts.start) != 3 ||
        state == 'Z' || state == 'X')
        facts.start = 0;
    facts.parent = facts.start ? parent : 0;
    free(text);
    return facts;
}

uint64_t process_start_time(pid_t pid)
{
    return look_at_process(pid).start;
}

enum container_status container_status_now(const struct container *c)
{
    if (c->pid == 0)
        return c->status == CONTAINER_CREATING ? CONTAINER_CREATING : CONTAINER_STOPPED;
    return c->pid_start && process_start_time(c->pid) == c->pid_start ? c->status : CONTAINER_STOPPED;
}

int container_pidfd(const struct container *c)
{
    int fd = c->pid > 0 ? (int)syscall(SYS_pidfd_open, c->pid, 0) : -1;
    if (fd < 0)
        return -ESRCH;
    if (c->pid_start && process_start_time(c->pid) == c->pid_start)
        return fd;
    close(fd);
    return -ESRCH;
}

// A number may be somebody else's before it is opened. What is open stays who it was: if that is a stranger, who holds the number
// now is either he, whose parent is another, or a child of ours, and then he has ended and gets no signal.
static int open_child(pid_t child, pid_t parent)
{
    int fd = child > 0 ? (int)syscall(SYS_pidfd_open, child, 0) : -1;
    if (fd >= 0 && look_at_process(child).parent == parent)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

// How many there are; -E2BIG, -errno.
static int list_children(pid_t pid, pid_t *pids, unsigned max)
{
    char path[64], *text, *rest = NULL;
    size_t length;
    unsigned count = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    int failed = read_file_at(AT_FDCWD, path, 4096, &text, &length);
    if (failed)
        return failed;
    for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        if (count == max) {
            free(text);
            return -E2BIG;
        }
        pids[count++] = (pid_t)atoi(word);
    }
    free(text);
    return (int)count;
}

int container_family(const struct container *c, pid_t *pids, unsigned max)
{
    unsigned count = 1;
    pids[0] = c->pid;
    for (unsigned i = 0; i < count; i++) {
        int more = list_children(pids[i], pids + count, max - count);
        if (more < 0)
            return more;
        count += (unsigned)more;
    }
    return (int)count;
}

#define CHILDREN_MAX 64 // far more than a monitor has

unsigned container_children(const struct container *c, int *pidfds, unsigned max)
{
    pid_t pids[CHILDREN_MAX];
    unsigned count = 0;
    int listed = c->pid > 0 ? list_children(c->pid, pids, CHILDREN_MAX) : 0;
    for (int i = 0; i < listed && count < max; i++) {
        pidfds[count] = open_child(pids[i], c->pid);
        count += pidfds[count] >= 0;
    }
    // The parent's number, too, was the monitor's all the time if it still is.
    if (process_start_time(c->pid) == c->pid_start)
        return count;
    while (count > 0)
        close(pidfds[--count]);
    return 0;
}
