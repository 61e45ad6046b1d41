// What the command line tells a Gofer: one trusted record, read whole from a descriptor before the jail
// closes.
//
// `gofer --files --config-fd N` reads one struct gofer_config followed by export_count structs gofer_export.
// The writer fills a memfd (or a pipe) with exactly these bytes. Nothing of it ever comes from the Sentry.
//
// How the command line starts it:
//   - clone() with new mount, network, IPC and UTS namespaces (and a user namespace when the caller is not
//   root, its
//     identity maps written before exec), then execveat of the gofer binary by descriptor;
//   - /proc must be mounted and reachable at "/proc" when it starts: it clones its own /proc/self/fd, then
//   leaves;
//   - it has CAP_SYS_ADMIN over that mount namespace (as root, or kept through exec as ambient capabilities
//   together with
//     CAP_SETPCAP, and CAP_SETUID and CAP_SETGID when run_uid or run_gid are set); it drops all but
//     `capabilities`;
//   - inherited descriptors: standard error (its log), config_fd, connection_fd, and those named by exports.
//     All others are closed by it at once.
// The Gofer then clones each export as a detached mount, pivots into an empty read-only root, closes the rest
// of the jail (gofer/jail.h) and answers on connection_fd. A failed start is one line on standard error and
// exit status 125; the other end of the connection reads end of file. It ends with status 0 when the
// connection ends.
#pragma once

#include <stdint.h>

#define GOFER_CONFIG_MAGIC 0x47464331u // "GFC1"
#define GOFER_EXPORTS_MAX 256
#define GOFER_EXPORT_NAME_MAX 64
#define GOFER_PATH_MAX 4096

// Which loop serves the connection.
enum gofer_loop {
    GOFER_LOOP_AUTO = 0, // io_uring, or poll where it is forbidden
    GOFER_LOOP_POLL = 1,
    GOFER_LOOP_URING = 2, // an error where it is forbidden
};

// Whose files are created.
enum gofer_owner {
    GOFER_OWNER_SELF =
        0, // the Gofer's own user; requested owners are ignored, chown to another owner is EPERM
    GOFER_OWNER_SET = 1, // the requested owner, which needs CAP_CHOWN
    // As SELF, in a user namespace that maps one user: that user's files show self_uid and self_gid, all
    // others show 0 (the host does not tell who owns them).
    GOFER_OWNER_SINGLE = 2,
};

// Capabilities it may keep, as bits of `capabilities`. No other can be kept.
#define GOFER_CAP_CHOWN (1u << 0)
#define GOFER_CAP_DAC_OVERRIDE (1u << 1)
#define GOFER_CAP_DAC_READ_SEARCH (1u << 2)
#define GOFER_CAP_FOWNER (1u << 3)
#define GOFER_CAP_FSETID (1u << 4)
#define GOFER_CAP_ALL 0x1fu

// Export flags.
#define GOFER_EXPORT_RO (1u << 0) // through a read-only mount; every change is EROFS
#define GOFER_EXPORT_RECURSIVE \
    (1u << 1) // with the mounts below it (always so where the kernel locks them together)
#define GOFER_EXPORT_SOCKETS (1u << 2) // socket nodes may be made (they are never connected)
#define GOFER_EXPORT_FIFOS (1u << 3)   // named pipes may be made (they are never opened)
#define GOFER_EXPORT_SETID (1u << 4)   // set-user-ID and set-group-ID bits may be set; otherwise EPERM
#define GOFER_EXPORT_XATTRS (1u << 5)  // security.capability and POSIX ACLs too; otherwise user.* only
#define GOFER_EXPORT_WORLD \
    (1u << 6) // only what every user of the host may read and search, although the Gofer could more
// Not shown to anybody: a directory in which Tmemfd makes files without names, for an overlay's contents. At most one.
#define GOFER_EXPORT_STORE (1u << 7)
#define GOFER_EXPORT_FLAGS 0xffu
// Device nodes are never made, whatever the flags: the filter of the process does not let it.

// Where an export comes from.
enum gofer_source {
    GOFER_SOURCE_PATH = 0, // absolute path, opened by the Gofer in its own (copied) mount namespace
    GOFER_SOURCE_MOUNT =
        1, // descriptor of a detached mount: open_tree(2) with OPEN_TREE_CLONE made by the parent
    GOFER_SOURCE_DIR = 2, // plain directory or file descriptor; only with GOFER_WAIVE_MOUNTS
};

// Protections that the user gave up by name (nested mode). Each one is logged.
#define GOFER_WAIVE_MOUNTS (1u << 0)   // no mount namespace: no empty root, ro is only checked by the server
#define GOFER_WAIVE_LANDLOCK (1u << 1) // kernel without Landlock, or --disable-feature landlock

struct gofer_config {
    uint32_t magic;         // GOFER_CONFIG_MAGIC
    uint32_t size;          // sizeof(struct gofer_config), so that an old binary is noticed
    int32_t connection_fd;  // connected stream socket
    uint32_t loop;          // enum gofer_loop
    uint32_t owner;         // enum gofer_owner
    uint32_t capabilities;  // GOFER_CAP_*; 0 for an ordinary user
    uint32_t waive;         // GOFER_WAIVE_*
    uint32_t fid_limit;     // fids a connection may hold; 0 means what the descriptor limit allows
    uint32_t message_limit; // largest message size accepted in Tversion; 0 means 1 MiB
    uint32_t parent_death;  // 1: die with the process that started it (PR_SET_PDEATHSIG)
    uint32_t export_count;
    uint32_t run_uid,
        run_gid; // become this user once the mounts are made; UINT32_MAX: stay. Supplementary groups go.
    uint32_t self_uid, self_gid; // for GOFER_OWNER_SINGLE
    uint32_t reserved;           // 0
};

struct gofer_export {
    char name[GOFER_EXPORT_NAME_MAX]; // what Tattach names; NUL-terminated
    uint32_t source;                  // enum gofer_source
    int32_t fd;                       // for GOFER_SOURCE_MOUNT and _DIR, else -1
    uint32_t flags;                   // GOFER_EXPORT_*
    uint32_t reserved;                // 0
    char path[GOFER_PATH_MAX];        // for GOFER_SOURCE_PATH; NUL-terminated
};

_Static_assert(sizeof(struct gofer_config) == 64, "gofer_config layout");
_Static_assert(sizeof(struct gofer_export) == 64 + 16 + 4096, "gofer_export layout");
