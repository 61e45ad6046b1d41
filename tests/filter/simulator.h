#pragma once
// Runs a seccomp program without loading it.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

struct verdict {
    uint32_t action;       // SECCOMP_RET_*, with its data
    bool by_number_only;   // decided from architecture and number: what the host kernel keeps in its bitmap
    unsigned instructions; // executed
};

// Checks what seccomp_check_filter() and bpf_check_classic() check. Returns NULL, or what is wrong.
const char *simulator_check(const struct sock_filter *code, unsigned length);
// Runs a checked program.
struct verdict simulator_run(const struct sock_filter *code, unsigned length,
                             const struct seccomp_data *data);
