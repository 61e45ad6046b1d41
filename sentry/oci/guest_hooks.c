#include "sentry/oci/guest_hooks.h"
#include "sentry/oci/client.h"
#include "sentry/oci/hooks.h"
#include "sentry/oci/plan.h"
#include "sentry/oci/start_container.h"
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#define LAUNCH_MS 30000

struct guests {
    const struct container *container;
    const struct sentry_config *process; // the container's own
};

// The connection is the hook: it says how the guest ended, and the guest ends with it.
static int begin(void *context, const struct oci_hook *hook, const int streams[3])
{
    const struct guests *guests = context;
    struct control_record record;
    char *none[] = {NULL}, *alone[] = {(char *)(uintptr_t)hook->path, NULL};
    struct sentry_config config = *guests->process;
    config.program = (char *)(uintptr_t)hook->path;
    config.argv = hook->args.count ? (char **)(uintptr_t)hook->args.list : alone;
    if (hook->env.list) {
        config.envp = hook->env.count ? (char **)(uintptr_t)hook->env.list : none;
        config.container = false; // no HOME is added
    }
    int fd = client_connect(guests->container, NULL);
    if (fd < 0)
        return fd;
    int failed = client_send_exec(fd, &config, streams);
    int n = failed ? 0 : client_receive(fd, &record, LAUNCH_MS);
    if (!failed && n != 1)
        failed = n ? n : -ESRCH;
    else if (!failed && (record.kind != CONTROL_DONE || record.value > 0 || record.value < -4095))
        failed = -EPROTO;
    else if (!failed)
        failed = record.value;
    if (!failed)
        return fd;
    close(fd);
    return failed;
}

static int end(void *context, int fd, int *status)
{
    struct control_record record;
    (void)context;
    int n = client_receive(fd, &record, 0);
    close(fd);
    if (n == 1 && record.kind == CONTROL_EXIT)
        *status = record.value & 0xffff;
    else
        return n == 1 ? -EPROTO : n ? n : -ESRCH;
    return 0;
}

int guest_hooks_run(const struct container *c, const struct oci_config *config, struct oci_error *error)
{
    const struct oci_hooks *hooks = &config->hooks[OCI_HOOK_START_CONTAINER];
    struct sentry_config process = {0};
    struct guests guests = {c, &process};
    struct oci_state state;
    if (hooks->count == 0)
        return 0;
    int failed = oci_plan_process(config->process, &process, error);
    if (!failed)
        failed = client_request(c, CONTROL_HOLD, 0, "start", error);
    if (failed)
        return failed;
    container_state(c, CONTAINER_CREATED, &state);
    state.pid = 1; // they see the container from inside
    const struct oci_hook_run run = {.state = &state, .context = &guests, .begin = begin, .end = end};
    return oci_hooks_run(hooks, OCI_HOOK_START_CONTAINER, &run, error);
}
