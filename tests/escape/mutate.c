// The mutations that the environment names, separated by commas.
#include "abi/mutate.h"
#include <stdlib.h>
#include <string.h>

bool mutated(const char *name)
{
    const char *wanted = getenv("SENTRY_MUTATION");
    size_t length = strlen(name);
    for (; wanted; wanted = strchr(wanted, ','), wanted = wanted ? wanted + 1 : NULL) {
        if (strncmp(wanted, name, length) == 0 && (wanted[length] == 0 || wanted[length] == ','))
            return true;
    }
    return false;
}
