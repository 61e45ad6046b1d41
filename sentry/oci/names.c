// Names of capabilities and limits, as config.json and the command line write them.
#include "sentry/oci/config.h"
#include <string.h>
#include <sys/resource.h>

static const char *const capabilities[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

static const char *const rlimits[OCI_RLIMITS] = {
    [RLIMIT_AS] = "RLIMIT_AS",
    [RLIMIT_CORE] = "RLIMIT_CORE",
    [RLIMIT_CPU] = "RLIMIT_CPU",
    [RLIMIT_DATA] = "RLIMIT_DATA",
    [RLIMIT_FSIZE] = "RLIMIT_FSIZE",
    [RLIMIT_LOCKS] = "RLIMIT_LOCKS",
    [RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
    [RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
    [RLIMIT_NICE] = "RLIMIT_NICE",
    [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
    [RLIMIT_NPROC] = "RLIMIT_NPROC",
    [RLIMIT_RSS] = "RLIMIT_RSS",
    [RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
    [RLIMIT_RTTIME] = "RLIMIT_RTTIME",
    [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
    [RLIMIT_STACK] = "RLIMIT_STACK",
};

static int find(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

int oci_capability_number(const char *name)
{
    return find(capabilities, sizeof(capabilities) / sizeof(capabilities[0]), name);
}

const char *oci_capability_name(unsigned number)
{
    return number < sizeof(capabilities) / sizeof(capabilities[0]) ? capabilities[number] : NULL;
}

int oci_rlimit_number(const char *name)
{
    return find(rlimits, OCI_RLIMITS, name);
}
