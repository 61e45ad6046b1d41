#pragma once
// Probes of the host kernel. Each runs in a process of its own, changes nothing outside of it, and returns 0
// when the feature is there or -errno when it is not. `detail` (PROBE_DETAIL bytes, empty at first) may tell
// more.
#define PROBE_DETAIL 96

int probe_release(char *detail);
int probe_user_namespace(char *detail);
int probe_namespaces(char *detail);
int probe_empty_root(char *detail);
int probe_proc_mount(char *detail);
int probe_listener(char *detail);
int probe_wait_killable(char *detail);
int probe_sync_wake_up(char *detail);
int probe_pidfd_getfd(char *detail);
int probe_ns_pid(char *detail);
int probe_process_vm(char *detail);
int probe_memfd_exec(char *detail);
int probe_mm_map(char *detail);
int probe_landlock(char *detail);
int probe_openat2(char *detail);
int probe_mount_setattr(char *detail);
int probe_io_uring(char *detail);
int probe_cgroup(char *detail);
