#pragma once
// Starting one of our own programs in namespaces of its own: clone, id maps, exec by descriptor.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup;

// Maps of a new user namespace: one entry each, or as many as the texts have.
struct id_map {
    uint32_t inside_uid, outside_uid;
    uint32_t inside_gid, outside_gid;
    const char *uid_text, *gid_text; // as uid_map and gid_map take them; NULL: the entry above
};

struct spawn {
    const char *name;         // for messages
    uint64_t namespaces;      // CLONE_NEW*
    const struct id_map *map; // required with CLONE_NEWUSER; the child takes the inside ids
    bool
        host_ids; // there is no new user namespace: the map's inside ids are the host's, and capabilities go with the user
    uint64_t keep_capabilities; // survive the exec although the user is not root
    int program;                // descriptor of the program
    const char *const *argv;    // NULL-terminated; the environment is empty
    const int *keep; // descriptors whose close-on-exec flag is cleared; others must have it; -1 is skipped
    size_t nr_keep;
    const struct cgroup *cgroup; // entered before the exec; NULL: none
};

// Starts it. Returns its pid and a pidfd (close-on-exec) in *pidfd, or -errno after a message. An exec that
// fails is noticed here, by a pipe that exec closes.
pid_t spawn_program(const struct spawn *spawn, int *pidfd);

// The same in two steps, for somebody who has other things to do meanwhile.
struct spawning {
    const char *name;
    uint64_t namespaces;
    pid_t pid;
    int pidfd;
    int failure; // the pipe
};
int spawn_begin(const struct spawn *spawn, struct spawning *child);
// 0, or -errno after a message: then it is gone.
int spawn_finish(struct spawning *child);
