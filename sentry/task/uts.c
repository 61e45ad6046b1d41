// Names of the system.
#include "sentry/task/uts.h"
#include "sentry/boot/config.h"
#include "sentry/task/namespace.h"
#include "sentry/task/task.h"
#include <stdio.h>

struct uts_names *uts_names(void)
{
    return current && current->uts ? &current->uts->names : &init_uts_ns.names;
}

void uts_init(const struct sentry_config *config)
{
    struct uts_names *names = &init_uts_ns.names;
    if (config->hostname)
        snprintf(names->nodename, sizeof(names->nodename), "%s", config->hostname);
    if (config->domainname)
        snprintf(names->domainname, sizeof(names->domainname), "%s", config->domainname);
}
