#include "sentry/oci/seccomp.h"
#include "sentry/trap/call.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 1024u // numbers of calls that are looked at

// What the profile says of one call: rules in order, those with conditions first to last.
struct verdict {
    const struct oci_seccomp_rule **rules; // with conditions
    size_t nr_rules;
    bool decided; // a rule without conditions
    uint32_t action;
};

// Numbers with one verdict: from `first` up to the next range's.
struct range {
    uint32_t first;
    const struct verdict *verdict; // with conditions; NULL: `action` alone
    uint32_t action;
};

struct compiler {
    const struct oci_seccomp *profile;
    struct verdict *verdicts; // by number
    uint32_t calls;           // how many numbers there are
    struct range *ranges;
    size_t nr_ranges;
    struct sock_filter *code;
    size_t length; // goes on counting beyond the limit
};

static void put(struct compiler *c, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
    if (c->length < BPF_MAXINSNS)
        c->code[c->length] = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
    c->length++;
}

static int find_call(const char *name)
{
    for (unsigned nr = 0; nr < syscall_table_size; nr++)
        if (syscall_table[nr].name && strcmp(syscall_table[nr].name, name) == 0)
            return (int)nr;
    return -1;
}

static int add_rule(struct compiler *c, int nr, const struct oci_seccomp_rule *rule)
{
    struct verdict *v = &c->verdicts[nr];
    if (v->decided)
        return 0;
    if (rule->nr_args == 0) {
        v->decided = true;
        v->action = rule->action;
        return 0;
    }
    const struct oci_seccomp_rule **rules =
        realloc(v->rules, (v->nr_rules + 1) * sizeof(const struct oci_seccomp_rule *));
    if (!rules)
        return -ENOMEM;
    v->rules = rules;
    v->rules[v->nr_rules++] = rule;
    return 0;
}

// Sorts the rules by call. *newest is the largest number that the profile names, -1: none.
static int sort_rules(struct compiler *c, int *newest)
{
    *newest = -1;
    for (size_t i = 0; i < c->profile->nr_rules; i++) {
        const struct oci_seccomp_rule *rule = &c->profile->rules[i];
        for (size_t j = 0; j < rule->nr_names; j++) {
            int nr = find_call(rule->names[j]);
            if (nr < 0)
                continue;
            *newest = nr > *newest ? nr : *newest;
            if (add_rule(c, nr, rule) < 0)
                return -ENOMEM;
        }
    }
    return 0;
}

// Do the rules with conditions say anything but what the default says?
static bool has_conditions(const struct compiler *c, const struct verdict *v)
{
    for (size_t i = 0; !v->decided && i < v->nr_rules; i++)
        if (v->rules[i]->action != c->profile->default_action)
            return true;
    return false;
}

static void add_range(struct compiler *c, uint32_t first, const struct verdict *v, uint32_t action)
{
    struct range *last = c->nr_ranges ? &c->ranges[c->nr_ranges - 1] : NULL;
    if (last && !v && !last->verdict && last->action == action)
        return;
    c->ranges[c->nr_ranges++] = (struct range){first, v, action};
}

static bool refuses(uint32_t action)
{
    uint32_t kind = action & SECCOMP_RET_ACTION_FULL;
    return kind != SECCOMP_RET_ALLOW && kind != SECCOMP_RET_LOG && kind != SECCOMP_RET_TRACE;
}

static void make_ranges(struct compiler *c, int newest)
{
    uint32_t otherwise = c->profile->default_action;
    uint32_t unknown = newest >= 0 && refuses(otherwise) ? SECCOMP_RET_ERRNO | ENOSYS : otherwise;
    for (uint32_t nr = 0; nr < c->calls; nr++) {
        const struct verdict *v = &c->verdicts[nr];
        add_range(c, nr, has_conditions(c, v) ? v : NULL,
                  v->decided         ? v->action
                  : (int)nr > newest ? unknown
                                     : otherwise);
    }
    add_range(c, c->calls, NULL, unknown);
}

#define ARGUMENT(index, high) (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (index) + ((high) ? 4 : 0))
#define LOAD (BPF_LD | BPF_W | BPF_ABS)
#define JUMP(op) (BPF_JMP | (op) | BPF_K)

// One condition of 64 bits in steps of 32. What does not hold jumps `fail` instructions beyond the last of
// the condition's; what holds goes on there.
static void put_condition(struct compiler *c, const struct oci_seccomp_arg *arg, uint8_t fail)
{
    uint64_t wanted = arg->op == OCI_CMP_MASKED_EQ ? arg->value_two & arg->value : arg->value;
    uint32_t high = (uint32_t)(wanted >> 32), low = (uint32_t)wanted;
    put(c, LOAD, ARGUMENT(arg->index, true), 0, 0);
    switch (arg->op) {
    case OCI_CMP_MASKED_EQ:
        put(c, BPF_ALU | BPF_AND | BPF_K, (uint32_t)(arg->value >> 32), 0, 0);
        put(c, JUMP(BPF_JEQ), high, 0, (uint8_t)(fail + 3));
        put(c, LOAD, ARGUMENT(arg->index, false), 0, 0);
        put(c, BPF_ALU | BPF_AND | BPF_K, (uint32_t)arg->value, 0, 0);
        put(c, JUMP(BPF_JEQ), low, 0, fail);
        break;
    case OCI_CMP_EQ:
        put(c, JUMP(BPF_JEQ), high, 0, (uint8_t)(fail + 2));
        put(c, LOAD, ARGUMENT(arg->index, false), 0, 0);
        put(c, JUMP(BPF_JEQ), low, 0, fail);
        break;
    case OCI_CMP_NE:
        put(c, JUMP(BPF_JEQ), high, 0, 2);
        put(c, LOAD, ARGUMENT(arg->index, false), 0, 0);
        put(c, JUMP(BPF_JEQ), low, fail, 0);
        break;
    case OCI_CMP_GT:
    case OCI_CMP_GE:
        put(c, JUMP(BPF_JGT), high, 3, 0);
        put(c, JUMP(BPF_JEQ), high, 0, (uint8_t)(fail + 2));
        put(c, LOAD, ARGUMENT(arg->index, false), 0, 0);
        put(c, arg->op == OCI_CMP_GT ? JUMP(BPF_JGT) : JUMP(BPF_JGE), low, 0, fail);
        break;
    case OCI_CMP_LT:
    case OCI_CMP_LE:
        put(c, JUMP(BPF_JGT), high, (uint8_t)(fail + 3), 0);
        put(c, JUMP(BPF_JEQ), high, 0, 2);
        put(c, LOAD, ARGUMENT(arg->index, false), 0, 0);
        put(c, arg->op == OCI_CMP_LE ? JUMP(BPF_JGT) : JUMP(BPF_JGE), low, fail, 0);
    }
}

static uint8_t condition_length(const struct oci_seccomp_arg *arg)
{
    return arg->op == OCI_CMP_MASKED_EQ ? 6 : arg->op == OCI_CMP_EQ || arg->op == OCI_CMP_NE ? 4 : 5;
}

static bool twice_on_one_argument(const struct oci_seccomp_rule *rule)
{
    unsigned seen = 0;
    for (size_t i = 0; i < rule->nr_args; i++) {
        if (seen & 1u << rule->args[i].index)
            return true;
        seen |= 1u << rule->args[i].index;
    }
    return false;
}

// All conditions, then the action. At most 6 conditions of 6 instructions: jumps fit.
static void put_rule(struct compiler *c, const struct oci_seccomp_rule *rule)
{
    if (twice_on_one_argument(rule)) {
        for (size_t i = 0; i < rule->nr_args; i++) {
            put_condition(c, &rule->args[i], 1);
            put(c, BPF_RET | BPF_K, rule->action, 0, 0);
        }
        return;
    }
    uint8_t left = 1;
    for (size_t i = 0; i < rule->nr_args; i++)
        left = (uint8_t)(left + condition_length(&rule->args[i]));
    for (size_t i = 0; i < rule->nr_args; i++) {
        left = (uint8_t)(left - condition_length(&rule->args[i]));
        put_condition(c, &rule->args[i], left);
    }
    put(c, BPF_RET | BPF_K, rule->action, 0, 0);
}

// A search tree over the ranges, with the number of the call in the accumulator.
static void put_tree(struct compiler *c, const struct range *ranges, size_t count)
{
    if (count == 1) {
        for (size_t i = 0; ranges->verdict && i < ranges->verdict->nr_rules; i++)
            put_rule(c, ranges->verdict->rules[i]);
        put(c, BPF_RET | BPF_K, ranges->action, 0, 0);
        return;
    }
    size_t middle = count / 2;
    put(c, JUMP(BPF_JGE), ranges[middle].first, 0, 1);
    size_t jump = c->length;
    put(c, BPF_JMP | BPF_JA, 0, 0, 0);
    put_tree(c, ranges, middle);
    if (jump < BPF_MAXINSNS)
        c->code[jump].k = (uint32_t)(c->length - jump - 1);
    put_tree(c, ranges + middle, count - middle);
}

static void put_program(struct compiler *c)
{
    put(c, LOAD, offsetof(struct seccomp_data, arch), 0, 0);
    put(c, JUMP(BPF_JEQ), AUDIT_ARCH_X86_64, 1, 0);
    put(c, BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD, 0, 0);
    if (!c->profile->x86_64) {
        put(c, BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD, 0, 0);
        return;
    }
    put(c, LOAD, offsetof(struct seccomp_data, nr), 0, 0);
    put_tree(c, c->ranges, c->nr_ranges);
}

static bool allows_native_rows(const struct compiler *c)
{
    for (uint32_t nr = 0; nr < c->calls; nr++) {
        const struct verdict *v = &c->verdicts[nr];
        uint32_t action = v->decided ? v->action : c->profile->default_action;
        if (syscall_table[nr].name && syscall_table[nr].path == PATH_NATIVE &&
            (action != SECCOMP_RET_ALLOW || has_conditions(c, v)))
            return false;
    }
    return c->profile->x86_64;
}

int oci_seccomp_compile(const struct oci_seccomp *profile, struct oci_seccomp_program *program,
                        struct oci_error *error)
{
    struct compiler c = {.profile = profile,
                         .calls = syscall_table_size < CALLS_MAX ? syscall_table_size : CALLS_MAX};
    int newest = -1;
    *program = (struct oci_seccomp_program){0};
    c.verdicts = calloc(c.calls, sizeof(*c.verdicts));
    c.ranges = calloc(c.calls + 1, sizeof(*c.ranges));
    c.code = calloc(BPF_MAXINSNS, sizeof(*c.code));
    int failed = c.verdicts && c.ranges && c.code ? sort_rules(&c, &newest) : -ENOMEM;
    if (!failed) {
        make_ranges(&c, newest);
        put_program(&c);
        program->native_rows = allows_native_rows(&c);
    }
    for (uint32_t nr = 0; c.verdicts && nr < c.calls; nr++)
        free(c.verdicts[nr].rules);
    free(c.verdicts);
    free(c.ranges);
    if (!failed && c.length > BPF_MAXINSNS)
        failed = -E2BIG;
    if (failed) {
        free(c.code);
        return failed == -E2BIG
                   ? oci_fail(error, E2BIG, "linux.seccomp: the profile makes %zu instructions, more than %d",
                              c.length, BPF_MAXINSNS)
                   : oci_fail_errno(error, ENOMEM, "cannot compile linux.seccomp");
    }
    program->filter = c.code;
    program->length = (uint16_t)c.length;
    return 0;
}
