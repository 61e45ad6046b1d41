// The object `process`: what the first program of a container, or of `exec`, is started with.
#include "sentry/oci/decode.h"
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void decode_user(struct decode *d, const struct json *user, struct oci_process *process)
{
    size_t count, n = 0;
    process->uid = decode_u32(d, user, "uid");
    process->gid = decode_u32(d, user, "gid");
    if (process->uid == UINT32_MAX || process->gid == UINT32_MAX)
        decode_fail(d, user, "-1 is no user or group");
    struct oci_u64 umask = decode_u64(d, user, "umask", UINT32_MAX);
    process->umask_set = umask.set;
    process->umask = umask.value & 0777; // as umask(2)
    const struct json *gid = decode_array(d, user, "additionalGids", JSON_NUMBER, &count);
    process->additional_gids = count ? decode_alloc(d, count, sizeof(uint32_t)) : NULL;
    for (; gid && process->additional_gids; gid = gid->next) {
        uint64_t value = 0;
        if (!json_u64(gid, UINT32_MAX - 1, &value))
            decode_fail(d, gid, "an integer from 0 to %u is expected", UINT32_MAX - 1);
        process->additional_gids[n++] = (uint32_t)value;
    }
    process->nr_additional_gids = n;
}

static void decode_capabilities(struct decode *d, const struct json *object, struct oci_process *process)
{
    static const char *const sets[OCI_CAP_SETS] = {[OCI_CAP_BOUNDING] = "bounding",
                                                   [OCI_CAP_EFFECTIVE] = "effective",
                                                   [OCI_CAP_INHERITABLE] = "inheritable",
                                                   [OCI_CAP_PERMITTED] = "permitted",
                                                   [OCI_CAP_AMBIENT] = "ambient"};
    process->capabilities_set = object != NULL;
    for (unsigned set = 0; set < OCI_CAP_SETS; set++) {
        size_t count;
        const struct json *name = decode_array(d, object, sets[set], JSON_STRING, &count);
        for (; name; name = name->next) {
            int number = oci_capability_number(decode_text(d, name));
            if (number < 0)
                decode_warn(d, name, "%s is no capability of Linux and is not granted", name->text);
            else
                process->capabilities[set] |= 1ull << number;
        }
    }
    uint64_t *caps = process->capabilities;
    if (caps[OCI_CAP_EFFECTIVE] & ~caps[OCI_CAP_PERMITTED])
        decode_fail(d, object, "a capability is effective that is not permitted");
    // The kernel raises no other; runc says nothing of it, and its own `spec` asks for one.
    caps[OCI_CAP_AMBIENT] &= caps[OCI_CAP_PERMITTED] & caps[OCI_CAP_INHERITABLE];
}

static void decode_rlimits(struct decode *d, const struct json *object, struct oci_process *process)
{
    size_t count;
    const struct json *item = decode_array(d, object, "rlimits", JSON_OBJECT, &count);
    for (; item && !d->result; item = item->next) {
        const struct json *type = decode_required(d, item, "type", JSON_STRING);
        decode_required(d, item, "soft", JSON_NUMBER);
        decode_required(d, item, "hard", JSON_NUMBER);
        struct oci_rlimit limit = {.set = true,
                                   .soft = decode_u64(d, item, "soft", UINT64_MAX).value,
                                   .hard = decode_u64(d, item, "hard", UINT64_MAX).value};
        if (d->result)
            return;
        int number = oci_rlimit_number(decode_text(d, type));
        if (number < 0)
            decode_fail(d, type, "%s is no limit of Linux", type->text);
        else if (process->rlimits[number].set)
            decode_fail(d, type, "%s is given twice", type->text);
        else if (limit.soft > limit.hard)
            decode_fail(d, item, "the soft limit is above the hard one");
        else
            process->rlimits[number] = limit;
    }
}

static void decode_scheduler(struct decode *d, const struct json *object, struct oci_scheduler *s)
{
    static const struct decode_name policies[] = {
        {"SCHED_OTHER", SCHED_NORMAL}, {"SCHED_FIFO", SCHED_FIFO}, {"SCHED_RR", SCHED_RR},
        {"SCHED_BATCH", SCHED_BATCH},  {"SCHED_IDLE", SCHED_IDLE}, {"SCHED_DEADLINE", SCHED_DEADLINE}};
    size_t count;
    if (!object)
        return;
    const struct json *policy = decode_required(d, object, "policy", JSON_STRING);
    if (policy && !decode_lookup(policies, COUNT(policies), decode_text(d, policy), &s->policy))
        decode_fail(d, policy, "%s is no policy of the scheduler", policy->text);
    const struct json *flag = decode_array(d, object, "flags", JSON_STRING, &count);
    if (flag)
        decode_fail(d, flag, "flags of the scheduler are not supported");
    s->nice = (int32_t)decode_i64(d, object, "nice", INT32_MIN, INT32_MAX).value;
    s->priority = (uint32_t)decode_i64(d, object, "priority", 0, INT32_MAX).value;
    bool real_time = s->policy == SCHED_FIFO || s->policy == SCHED_RR;
    if (s->policy == SCHED_DEADLINE)
        decode_fail(d, object, "SCHED_DEADLINE is not supported");
    if (real_time && (s->priority < 1 || s->priority > 99))
        decode_fail(d, object, "the policy wants a priority from 1 to 99");
    if (!real_time && s->priority)
        decode_fail(d, object, "the policy has no priority");
    if (decode_u64(d, object, "runtime", UINT64_MAX).value ||
        decode_u64(d, object, "deadline", UINT64_MAX).value ||
        decode_u64(d, object, "period", UINT64_MAX).value)
        decode_fail(d, object, "runtime, deadline and period belong to SCHED_DEADLINE");
    if (s->nice < -20 || s->nice > 19)
        decode_fail(d, object, "nice is from -20 to 19");
    s->set = true;
}

static void decode_io_priority(struct decode *d, const struct json *object, struct oci_process *process)
{
    static const struct decode_name classes[] = {{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
                                                 {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
                                                 {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE}};
    uint32_t class = 0;
    if (!object)
        return;
    const struct json *name = decode_required(d, object, "class", JSON_STRING);
    if (name && !decode_lookup(classes, COUNT(classes), decode_text(d, name), &class))
        decode_fail(d, name, "%s is no class of I/O priority", name->text);
    int64_t level = decode_i64(d, object, "priority", 0, 7).value;
    process->io_priority_set = true;
    process->io_priority = (int)(class << IOPRIO_CLASS_SHIFT | (uint32_t)level);
}

static void decode_console(struct decode *d, const struct json *object, struct oci_process *process)
{
    const struct json *size = decode_member(d, object, "consoleSize", JSON_OBJECT);
    if (!size)
        return;
    decode_required(d, size, "height", JSON_NUMBER);
    decode_required(d, size, "width", JSON_NUMBER);
    uint64_t height = decode_u64(d, size, "height", UINT16_MAX).value;
    uint64_t width = decode_u64(d, size, "width", UINT16_MAX).value;
    if (process->terminal) { // else it is to be ignored
        process->console_height = (uint16_t)height;
        process->console_width = (uint16_t)width;
    }
}

static void decode_labels(struct decode *d, const struct json *object, struct oci_process *process)
{
    const char *label = decode_string(d, object, "selinuxLabel");
    if (label && label[0])
        decode_fail(d, json_get(object, "selinuxLabel"), "SELinux labels are not supported");
    const char *profile = decode_string(d, object, "apparmorProfile");
    if (!profile || !profile[0])
        return;
    process->apparmor_profile = profile;
    decode_warn(d, json_get(object, "apparmorProfile"),
                "%s is a profile of the host, where guests of a sandbox make no system calls", profile);
}

void decode_process(struct decode *d, const struct json *object, struct oci_process *process)
{
    memset(process, 0, sizeof(*process));
    process->terminal = decode_bool(d, object, "terminal");
    decode_console(d, object, process);
    decode_user(d, decode_member(d, object, "user", JSON_OBJECT), process);
    decode_strings(d, object, "args", &process->args);
    if (process->args.count == 0)
        decode_fail(d, object, "\"args\" is required, with a program at least");
    decode_strings(d, object, "env", &process->env);
    decode_required(d, object, "cwd", JSON_STRING);
    process->cwd = decode_string(d, object, "cwd");
    if (process->cwd && process->cwd[0] != '/')
        decode_fail(d, json_get(object, "cwd"), "an absolute path is expected");
    decode_capabilities(d, decode_member(d, object, "capabilities", JSON_OBJECT), process);
    decode_rlimits(d, object, process);
    process->no_new_privileges = decode_bool(d, object, "noNewPrivileges");
    process->oom_score_adj = decode_i64(d, object, "oomScoreAdj", -1000, 1000);
    decode_scheduler(d, decode_member(d, object, "scheduler", JSON_OBJECT), &process->scheduler);
    decode_io_priority(d, decode_member(d, object, "ioPriority", JSON_OBJECT), process);
    decode_labels(d, object, process);
}
