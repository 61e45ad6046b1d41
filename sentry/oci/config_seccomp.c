// The object `linux.seccomp`.
#include "sentry/oci/decode.h"
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ERRNO_MAX 4095u // what seccomp(2) cuts an errno to

static const char notify_refused[] = "notification of another program is not supported";

// The action with its errno, which says nothing for actions that have none.
static uint32_t decode_action(struct decode *d, const struct json *object, const char *name,
                              const char *errno_name)
{
    static const struct decode_name actions[] = {
        {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
        {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
        {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
        {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
        {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
        {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
        {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF},
    };
    const struct json *at = decode_required(d, object, name, JSON_STRING);
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    if (!at)
        return action;
    if (!decode_lookup(actions, COUNT(actions), decode_text(d, at), &action))
        decode_fail(d, at, "%s is no action", at->text);
    if (action == SECCOMP_RET_USER_NOTIF)
        decode_fail(d, at, "%s", notify_refused);
    struct oci_u64 code = decode_u64(d, object, errno_name, UINT32_MAX);
    bool has_data = action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE;
    uint32_t limit = action == SECCOMP_RET_ERRNO ? ERRNO_MAX : SECCOMP_RET_DATA;
    if (code.set && has_data && code.value > limit)
        decode_fail(d, json_get(object, errno_name), "an integer from 0 to %u is expected", limit);
    return has_data ? action | (code.set ? (uint32_t)code.value : EPERM) : action;
}

static void decode_args(struct decode *d, const struct json *object, struct oci_seccomp_rule *rule)
{
    static const struct decode_name operators[] = {{"SCMP_CMP_NE", OCI_CMP_NE},
                                                   {"SCMP_CMP_LT", OCI_CMP_LT},
                                                   {"SCMP_CMP_LE", OCI_CMP_LE},
                                                   {"SCMP_CMP_EQ", OCI_CMP_EQ},
                                                   {"SCMP_CMP_GE", OCI_CMP_GE},
                                                   {"SCMP_CMP_GT", OCI_CMP_GT},
                                                   {"SCMP_CMP_MASKED_EQ", OCI_CMP_MASKED_EQ}};
    size_t count;
    const struct json *item = decode_array(d, object, "args", JSON_OBJECT, &count);
    rule->args = count ? decode_alloc(d, count, sizeof(*rule->args)) : NULL;
    for (; item && rule->args && !d->result; item = item->next) {
        struct oci_seccomp_arg *arg = &rule->args[rule->nr_args++];
        uint32_t op = 0;
        const struct json *name = decode_required(d, item, "op", JSON_STRING);
        if (name && !decode_lookup(operators, COUNT(operators), decode_text(d, name), &op))
            decode_fail(d, name, "%s is no operator", name->text);
        decode_required(d, item, "value", JSON_NUMBER);
        arg->op = (enum oci_seccomp_operator)op;
        arg->index = decode_required_u32(d, item, "index");
        arg->value = decode_u64(d, item, "value", UINT64_MAX).value;
        arg->value_two = decode_u64(d, item, "valueTwo", UINT64_MAX).value;
        if (arg->index > 5)
            decode_fail(d, item, "a call has the arguments 0 to 5");
    }
}

static void decode_rule(struct decode *d, const struct json *object, struct oci_seccomp_rule *rule)
{
    struct oci_strings names;
    decode_required(d, object, "names", JSON_ARRAY);
    decode_strings(d, object, "names", &names);
    if (names.count == 0)
        decode_fail(d, object, "\"names\" is empty");
    rule->names = names.list;
    rule->nr_names = names.count;
    rule->action = decode_action(d, object, "action", "errnoRet");
    decode_args(d, object, rule);
}

// An absent list stands for the architecture of the machine.
static bool decode_architectures(struct decode *d, const struct json *object)
{
    static const char *const known[] = {"X86",         "X86_64", "X32",       "ARM",     "AARCH64",
                                        "MIPS",        "MIPS64", "MIPS64N32", "MIPSEL",  "MIPSEL64",
                                        "MIPSEL64N32", "PPC",    "PPC64",     "PPC64LE", "S390",
                                        "S390X",       "PARISC", "PARISC64",  "RISCV64"};
    size_t count;
    const struct json *item = decode_array(d, object, "architectures", JSON_STRING, &count);
    bool ours = !item;
    for (; item; item = item->next) {
        const char *name = decode_text(d, item);
        bool found = false;
        for (size_t i = 0; i < COUNT(known); i++)
            found |= strncmp(name, "SCMP_ARCH_", 10) == 0 && strcmp(name + 10, known[i]) == 0;
        if (!found)
            decode_fail(d, item, "%s is no architecture", name);
        ours |= strcmp(name, "SCMP_ARCH_X86_64") == 0;
    }
    return ours;
}

static void decode_flags(struct decode *d, const struct json *object, struct oci_seccomp *seccomp)
{
    // TSYNC says nothing before the first thread, and the speculation of guests is the host's business.
    static const char *const known[] = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC",
                                        "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
    size_t count;
    const struct json *item = decode_array(d, object, "flags", JSON_STRING, &count);
    for (; item; item = item->next) {
        const char *name = decode_text(d, item);
        bool found = false;
        for (size_t i = 0; i < COUNT(known); i++)
            found |= strcmp(name, known[i]) == 0;
        if (!found)
            decode_fail(d, item, "%s is no flag of a filter", name);
        seccomp->log |= strcmp(name, known[0]) == 0;
    }
}

struct oci_seccomp *decode_seccomp(struct decode *d, const struct json *linux_object)
{
    const struct json *object = decode_member(d, linux_object, "seccomp", JSON_OBJECT);
    size_t count;
    struct oci_seccomp *seccomp = object ? decode_alloc(d, 1, sizeof(*seccomp)) : NULL;
    if (!seccomp)
        return NULL;
    seccomp->default_action = decode_action(d, object, "defaultAction", "defaultErrnoRet");
    seccomp->x86_64 = decode_architectures(d, object);
    decode_flags(d, object, seccomp);
    const char *listener = decode_string(d, object, "listenerPath");
    if (listener && listener[0])
        decode_fail(d, json_get(object, "listenerPath"), "%s", notify_refused);
    const char *metadata = decode_string(d, object, "listenerMetadata");
    if (metadata && metadata[0])
        decode_fail(d, json_get(object, "listenerMetadata"), "%s", notify_refused);
    const struct json *item = decode_array(d, object, "syscalls", JSON_OBJECT, &count);
    seccomp->rules = count ? decode_alloc(d, count, sizeof(*seccomp->rules)) : NULL;
    for (; item && seccomp->rules && !d->result; item = item->next)
        decode_rule(d, item, &seccomp->rules[seccomp->nr_rules++]);
    return seccomp;
}
