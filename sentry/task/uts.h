#pragma once
// Names of the system: uname(2), /proc/sys/kernel. Kernel lock.
#define UTS_LEN 64

#define UTS_SYSNAME "Linux"
#define UTS_RELEASE "6.1.0-sentry"
#define UTS_VERSION "#1 SMP PREEMPT_DYNAMIC Sentry"
#define UTS_MACHINE "x86_64"

struct uts_names {
    char nodename[UTS_LEN + 1];
    char domainname[UTS_LEN + 1];
};

struct sentry_config;
void uts_init(const struct sentry_config *config); // of the first namespace
// Those of current's namespace.
struct uts_names *uts_names(void);
