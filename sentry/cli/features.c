#include "sentry/cli/features.h"
#include "sentry/boot/config.h"
#include <stdio.h>
#include <string.h>

const struct feature features[] = {
    {"sync-wake-up", FEATURE_SYNC_WAKE_UP, "calls cost several times as much"},
    {"ns-pid", FEATURE_NS_PID, "clone(2) tells the numbers of new processes"},
    {"io-uring", FEATURE_IO_URING, "the Gofer polls"},
    {"landlock", FEATURE_LANDLOCK, "a layer is lost: namespaces and the empty root alone hold a guest"},
    {"pidfd-getfd", FEATURE_PIDFD_GETFD, "the listener comes from a child with shared descriptors"},
    {"process-vm", FEATURE_PROCESS_VM, "guest memory through a descriptor of /proc/PID/mem for each: slower"},
    {"procmap-query", FEATURE_PROCMAP_QUERY,
     "without process_vm_readv the text of /proc/PID/maps is read for each copy"},
    {"wait-killable", FEATURE_WAIT_KILLABLE, "programs that preempt by signals may be slow"},
};
const unsigned feature_count = sizeof(features) / sizeof(features[0]);

static uint64_t feature_by_name(const char *name, size_t length)
{
    for (unsigned i = 0; i < feature_count; i++) {
        if (strlen(features[i].name) == length && strncmp(features[i].name, name, length) == 0)
            return features[i].bit;
    }
    return 0;
}

bool features_by_list(const char *list, uint64_t *bits, char unknown[FEATURE_NAME_MAX])
{
    for (;; list++) {
        size_t length = strcspn(list, ",");
        uint64_t bit = feature_by_name(list, length);
        if (!bit) {
            snprintf(unknown, FEATURE_NAME_MAX, "%.*s", (int)length, list);
            return false;
        }
        *bits |= bit;
        list += length;
        if (!*list)
            return true;
    }
}
