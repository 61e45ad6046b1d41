#pragma once
// The zygote: the stub image, executed in what guests are placed in. Every first process is cloned by it.
//
// Its start, in order: session of its own, the guests' mount, network, IPC, UTS and pid namespaces, SIGCHLD
// ignored, limits, a Landlock domain inside the Sentry's, no capability, exec of the image. The image (stub/)
// installs the guests' filter:
//   descriptor 3  the filter, struct sock_filter[], read with pread
//   descriptor 4  a socket: where seccomp(2) fails, the image writes -errno (4 bytes) and ends
//   argv          "zygote", and the flags of seccomp(2) in decimal; 0: the filter is there already
// Descriptors 0 to 2 are closed, so the listener is number 0, from where the Sentry takes it with
// pidfd_getfd. From then on the image asks for work by STUB_HC_ZYGOTE; after the first answer it closes every
// descriptor, before it obeys. Where pidfd_getfd is refused, the child shares the Sentry's descriptors and
// installs the filter before the exec; its first calls after that, close_range with CLOSE_RANGE_UNSHARE and
// execveat, are let pass here.
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct zygote {
    pid_t pid;
    int pidfd;
    int listener;
    int guest_pidns; // -1: the host cannot give it (before 6.11)
    int handshake;   // the other end of descriptor 4, while it starts
};

struct zygote_plan {
    int image;                        // sealed memfd of the stub
    const struct sock_filter *filter; // the guests'
    size_t instructions;
    bool killable; // a guest that waits for a reply is disturbed by nothing but its death
    bool landlock;
    bool shared; // without pidfd_getfd
    bool nested; // without namespaces
};

// Forks and executes the image, and takes the listener. 0, or -errno after a message.
int zygote_start(const struct zygote_plan *plan, struct zygote *z);
