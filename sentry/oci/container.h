#pragma once
// What is remembered of a container between two commands: a directory ROOT/ID, private to the user.
//
//   state.json   this structure, replaced as a whole by rename(2)
//   config.json  the bundle's, as it was when the container was made
//   control      the socket of its monitor
//
// A lock on the directory orders the commands that change something; readers take none. What a killed command leaves is a
// directory without state.json, or a state whose process is gone: `delete --force` removes either.
#include "sentry/oci/cgroup.h"
#include "sentry/oci/config.h"
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CONTAINER_ID_MAX 1024
#define CONTAINER_SOCKET "control"

enum container_status {
    CONTAINER_CREATING,
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_STOPPED
};

struct container {
    char id[CONTAINER_ID_MAX];
    char directory[PATH_MAX];     // ROOT/ID
    int fd;                       // of the directory, close-on-exec
    pid_t pid;                    // monitor; 0: none yet
    uint64_t pid_start;           // its start in clock ticks: a number given out again is somebody else
    enum container_status status; // as last written; container_status_now() looks at the process too
    char bundle[PATH_MAX], rootfs[PATH_MAX];
    char created[40];
    uint32_t owner;
    struct oci_cgroup cgroup;
    bool cgroup_shared;           // others were in it before: they are none of ours to kill
    struct oci_pair *annotations; // allocated, never freed
    size_t nr_annotations;
};

// The name of the container that was asked for last, for messages; "": none.
const char *container_name(void);
// The state root: --root, else /run/sentry, or below $XDG_RUNTIME_DIR for an ordinary user. 0 or -errno.
int container_root(const char *given, char *root, size_t size, struct oci_error *error);
// Makes the directory of a new container and locks it. -EEXIST when there is one of that name.
int container_make(const char *root, const char *id, struct container *c, struct oci_error *error);
// Opens one that exists; with `lock` waits until no other command changes it. -ENOENT; -EINVAL for a bad name. A directory without
// a (good) state gives 0 and CONTAINER_CREATING with pid 0.
int container_open(const char *root, const char *id, bool lock, struct container *c, struct oci_error *error);
void container_close(struct container *c);
// Lets other commands change it, and waits for its turn again. 0; -ENOENT when it has been deleted meanwhile.
void container_unlock(const struct container *c);
int container_lock(struct container *c, struct oci_error *error);
// Writes state.json anew. 0 or -errno.
int container_save(const struct container *c, struct oci_error *error);
// Writes a file of the directory anew. 0 or -errno.
int container_write(const struct container *c, const char *name, const char *text, size_t length,
                    struct oci_error *error);
// Reads config.json of the state directory. 0 or -errno.
int container_config(const struct container *c, struct oci_config *config, struct oci_error *error);
// Removes the directory and everything in it. 0 or -errno.
int container_remove(const char *root, struct container *c, struct oci_error *error);

// The status now: stopped when the process is gone.
enum container_status container_status_now(const struct container *c);
const char *container_status_name(enum container_status status);
// A descriptor of the monitor, -ESRCH when it is gone.
int container_pidfd(const struct container *c);
// Descriptors of at most `max` children of the monitor, and of nobody who got one of their numbers since. Returns how many; 0 when
// it is gone.
unsigned container_children(const struct container *c, int *pidfds, unsigned max);
// The monitor and all that stands below it, at most `max` numbers, parents first. Returns how many; -E2BIG, -errno.
int container_family(const struct container *c, pid_t *pids, unsigned max);
// When a process was started, in clock ticks; 0: it is gone, or a zombie.
uint64_t process_start_time(pid_t pid);
// Reads a whole file of at most `limit` bytes; NUL-terminated, the caller frees it. 0 or -errno.
int read_file_at(int dir, const char *name, size_t limit, char **text, size_t *length);
// A file that others read whole: written beside itself, then renamed. 0 or -errno.
int write_file_whole(int dir, const char *name, const char *text, size_t length);
