#pragma once
// linux.resources of config.json, decoded; also what `update` changes. See config.h for where it is read and
// cgroup.h for who applies it.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct oci_i64 {
    bool set;
    int64_t value;
};
struct oci_u64 {
    bool set;
    uint64_t value;
};
struct oci_bool {
    bool set, value;
};

struct oci_device_rule {
    bool allow;
    char type;                   // 'a', 'b', 'c'
    struct oci_i64 major, minor; // unset: every one
    bool read, write, mknod;
};

struct oci_throttle {
    uint32_t major, minor;
    uint64_t rate; // bytes or operations per second
};

struct oci_weight {
    uint32_t major, minor;
    struct oci_u64 weight, leaf_weight;
};

enum oci_throttle_kind { OCI_READ_BPS, OCI_WRITE_BPS, OCI_READ_IOPS, OCI_WRITE_IOPS, OCI_THROTTLES };

struct oci_hugepage_limit {
    const char *page_size; // "2MB"
    uint64_t limit;        // bytes
};

struct oci_interface_priority {
    const char *name;
    uint32_t priority;
};

struct oci_rdma_limit {
    const char *device;
    struct oci_u64 handles, objects;
};

struct oci_unified {
    const char *name, *value; // a file of the group and what to write
};

struct oci_resources {
    struct oci_device_rule *devices; // in order
    size_t nr_devices;

    struct oci_i64 memory_limit, memory_reservation, memory_swap; // bytes, -1: none; swap includes memory
    struct oci_i64 memory_kernel, memory_kernel_tcp;
    struct oci_u64 memory_swappiness;
    struct oci_bool memory_disable_oom_killer, memory_check_before_update;

    struct oci_u64 cpu_shares, cpu_period, cpu_burst, cpu_rt_period; // microseconds
    struct oci_i64 cpu_quota, cpu_rt_runtime, cpu_idle;
    const char *cpus, *mems; // cpuset lists; NULL: unset

    struct oci_i64 pids_limit; // 0 and below: none

    struct oci_u64 io_weight, io_leaf_weight;
    struct oci_weight *io_weights;
    size_t nr_io_weights;
    struct oci_throttle *io_throttles[OCI_THROTTLES];
    size_t nr_io_throttles[OCI_THROTTLES];

    struct oci_hugepage_limit *hugepages;
    size_t nr_hugepages;

    struct oci_u64 net_class_id;
    struct oci_interface_priority *net_priorities;
    size_t nr_net_priorities;

    struct oci_rdma_limit *rdma;
    size_t nr_rdma;

    struct oci_unified *unified;
    size_t nr_unified;
};
