#pragma once
// linux.seccomp of config.json, and the classic BPF program that it compiles to. The Sentry runs the program
// on each call of a guest before it dispatches it; the host's filter has no native rows then.
#include "sentry/oci/error.h"
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum oci_seccomp_operator {
    OCI_CMP_NE,
    OCI_CMP_LT,
    OCI_CMP_LE,
    OCI_CMP_EQ,
    OCI_CMP_GE,
    OCI_CMP_GT,
    OCI_CMP_MASKED_EQ // (argument & value) == value_two
};

struct oci_seccomp_arg {
    uint32_t index; // 0 to 5
    enum oci_seccomp_operator op;
    uint64_t value, value_two;
};

struct oci_seccomp_rule {
    const char **names; // of calls; those unknown to x86-64 match nothing
    size_t nr_names;
    uint32_t action; // SECCOMP_RET_* with its data
    struct oci_seccomp_arg *args;
    size_t nr_args;
};

struct oci_seccomp {
    uint32_t default_action; // SECCOMP_RET_* with its data
    bool x86_64;             // the profile covers the only architecture that guests have
    bool log;                // SECCOMP_FILTER_FLAG_LOG
    struct oci_seccomp_rule *rules;
    size_t nr_rules;
};

struct oci_seccomp_program {
    struct sock_filter *filter; // freed by the caller
    uint16_t length;            // at most BPF_MAXINSNS
    // The profile lets every call with a native row through, whatever its arguments: the host may go on
    // running them, and a guest cannot tell. Else the guests' filter must be the one without native rows, as
    // under --strace.
    bool native_rows;
};

// As runc has it: of the rules for a call, one without conditions decides, else the first whose conditions
// hold; a rule with two conditions on one argument is two rules. Where the default refuses, a call newer than
// all that the profile names is answered with ENOSYS, so that libraries fall back. Names that x86-64 does not
// have match nothing. Another architecture, or all calls where the profile is for others only, ends the
// thread. 0; -E2BIG for a profile that does not fit into one program; -ENOMEM.
int oci_seccomp_compile(const struct oci_seccomp *profile, struct oci_seccomp_program *program,
                        struct oci_error *error);
