// Names of the system.
#include "sentry/task/uts.h"
#include "sentry/boot/config.h"
#include <stdio.h>

struct uts_names uts_names = {"sentry", "(none)"};

void uts_init(const struct sentry_config *config)
{
    if (config->hostname)
        snprintf(uts_names.nodename, sizeof(uts_names.nodename), "%s", config->hostname);
    if (config->domainname)
        snprintf(uts_names.domainname, sizeof(uts_names.domainname), "%s", config->domainname);
}
