#pragma once
// Tables of names, see names.c.
#include <stdint.h>

struct trace_name {
    uint64_t value;
    const char *name; // NULL ends a table
};

extern const struct trace_name trace_oflags[];        // flags
extern const struct trace_name trace_at[];            // flags
extern const struct trace_name trace_access[];        // flags
extern const struct trace_name trace_whence[];        // values
extern const struct trace_name trace_domain[];        // values
extern const struct trace_name trace_socktype_base[]; // values
extern const struct trace_name trace_sockflags[];     // flags
extern const struct trace_name trace_socklevel[];     // values
extern const struct trace_name trace_so_option[];     // values
extern const struct trace_name trace_tcp_option[];    // values
extern const struct trace_name trace_msgflags[];      // flags
extern const struct trace_name trace_shutdown[];      // values
extern const struct trace_name trace_madvise[];       // values
extern const struct trace_name trace_msync[];         // flags
extern const struct trace_name trace_fadvise[];       // values
extern const struct trace_name trace_futex_base[];    // values
extern const struct trace_name trace_clockid[];       // values
extern const struct trace_name trace_timer_flags[];   // flags
extern const struct trace_name trace_itimer[];        // values
extern const struct trace_name trace_fcntl[];         // values
extern const struct trace_name trace_seals[];         // flags
extern const struct trace_name trace_fd_flags[];      // flags
extern const struct trace_name trace_ioctl[];         // values
extern const struct trace_name trace_flock[];         // flags
extern const struct trace_name trace_falloc[];        // flags
extern const struct trace_name trace_epoll_op[];      // values
extern const struct trace_name trace_epoll_events[];  // flags
extern const struct trace_name trace_poll_events[];   // flags
extern const struct trace_name trace_eventfd[];       // flags
extern const struct trace_name trace_memfd[];         // flags
extern const struct trace_name trace_getrandom[];     // flags
extern const struct trace_name trace_rename[];        // flags
extern const struct trace_name trace_xattr[];         // flags
extern const struct trace_name trace_splice[];        // flags
extern const struct trace_name trace_rwf[];           // flags
extern const struct trace_name trace_sighow[];        // values
extern const struct trace_name trace_waitopts[];      // flags
extern const struct trace_name trace_idtype[];        // values
extern const struct trace_name trace_rlimit_res[];    // values
extern const struct trace_name trace_sched[];         // values
extern const struct trace_name trace_seccomp[];       // values
extern const struct trace_name trace_prctl[];         // values
extern const struct trace_name trace_arch_prctl[];    // values
extern const struct trace_name trace_membarrier[];    // values
extern const struct trace_name trace_close_range[];   // flags
extern const struct trace_name trace_ipcflags[];      // flags
extern const struct trace_name trace_ipccmd[];        // values
extern const struct trace_name trace_statx_mask[];    // flags
extern const struct trace_name trace_clone[];         // flags
extern const struct trace_name trace_prot[];          // flags
extern const struct trace_name trace_mmap[];          // flags
extern const struct trace_name trace_mmap_kind[];     // values
extern const struct trace_name trace_mremap[];        // flags
extern const struct trace_name trace_mount[];         // flags
extern const struct trace_name trace_signals[];       // values
extern const struct trace_name trace_sa_flags[];      // flags
extern const struct trace_name trace_ss_flags[];      // flags
extern const struct trace_name trace_resolve[];       // flags
extern const struct trace_name trace_si_codes[];      // values
extern const struct trace_name trace_cld_codes[];     // values
extern const struct trace_name trace_file_types[];    // values
