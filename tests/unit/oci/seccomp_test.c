// Profiles compiled: each program is taken by the host's kernel, and says for every call what a plain reading
// of the profile says.
#include "sentry/oci/config.h"
#include "sentry/oci/seccomp.h"
#include "sentry/trap/call.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct oci_config config;
static struct oci_seccomp_program program;
static struct oci_error error;

static void tear_down(void)
{
    free(program.filter);
    oci_config_free(&config);
}

TestSuite(seccomp, .fini = tear_down);

static int compile(const char *profile)
{
    char *text = NULL;
    cr_assert_gt(
        asprintf(&text,
                 "{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"r\"}, \"linux\": {\"seccomp\": {%s}}}",
                 profile),
        0);
    tear_down();
    program = (struct oci_seccomp_program){0};
    cr_assert_eq(oci_config_parse(text, strlen(text), &config, &error), 0, "%s", error.text);
    free(text);
    return oci_seccomp_compile(config.seccomp, &program, &error);
}

// The instructions that the compiler uses.
static uint32_t run(uint32_t nr, uint32_t arch, const uint64_t args[6])
{
    struct seccomp_data data = {.nr = (int)nr, .arch = arch};
    uint32_t a = 0, *words = (uint32_t *)&data;
    memcpy(data.args, args, sizeof(data.args));
    for (unsigned at = 0, steps = 0; at < program.length; at++, steps++) {
        const struct sock_filter *f = &program.filter[at];
        cr_assert_lt(steps, 500, "a call takes too long");
        switch (f->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            cr_assert(f->k % 4 == 0 && f->k < sizeof(data));
            a = words[f->k / 4];
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= f->k;
            break;
        case BPF_JMP | BPF_JA:
            at += f->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += a == f->k ? f->jt : f->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            at += a > f->k ? f->jt : f->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            at += a >= f->k ? f->jt : f->jf;
            break;
        case BPF_RET | BPF_K:
            return f->k;
        default:
            cr_assert_fail("instruction %u has the code %#x", at, f->code);
        }
    }
    cr_assert_fail("the program runs over its end");
    return 0;
}

static uint32_t call(unsigned nr, uint64_t a0, uint64_t a1)
{
    const uint64_t args[6] = {a0, a1, 0, 0, 0, 0};
    return run(nr, AUDIT_ARCH_X86_64, args);
}

// Does the kernel take it? In a child, which exits with 0 then.
static bool kernel_takes_it(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct sock_fprog fprog = {program.length, program.filter};
        // A second filter is checked like the first, whatever the first says of it.
        struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
        struct sock_fprog all = {1, allow};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) < 0)
            _exit(2);
        long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &fprog);
        (void)r; // from here on the profile decides even about exit: killed by it is as good
        _exit(r < 0 ? 1 : 0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) || WEXITSTATUS(status) == 0;
}

#define ALLOW SECCOMP_RET_ALLOW
#define ERRNO(code) (SECCOMP_RET_ERRNO | (code))

Test(seccomp, a_list_of_what_is_allowed)
{
    cr_assert_eq(
        compile(
            "\"defaultAction\": \"SCMP_ACT_ERRNO\", \"architectures\": [\"SCMP_ARCH_X86_64\", "
            "\"SCMP_ARCH_X86\"],"
            "\"syscalls\": [{\"names\": [\"read\", \"write\", \"exit_group\", \"socketcall\", \"no_such\"],"
            "\"action\": \"SCMP_ACT_ALLOW\"}]"),
        0, "%s", error.text);
    cr_expect(kernel_takes_it());
    cr_expect_eq(call(SYS_read, 0, 0), ALLOW);
    cr_expect_eq(call(SYS_write, 0, 0), ALLOW);
    cr_expect_eq(call(SYS_open, 0, 0), ERRNO(EPERM));
    cr_expect_eq(call(SYS_exit_group, 0, 0), ALLOW);
    cr_expect_eq(call(SYS_exit_group - 1, 0, 0), ERRNO(EPERM));
    cr_expect_eq(call(SYS_exit_group + 1, 0, 0), ERRNO(ENOSYS), "newer than all that the profile knows");
    cr_expect_eq(call(0x40000000, 0, 0), ERRNO(ENOSYS));
    cr_expect_eq(call(UINT32_MAX, 0, 0), ERRNO(ENOSYS));
    const uint64_t none[6] = {0};
    cr_expect_eq(run(SYS_read, AUDIT_ARCH_I386, none), SECCOMP_RET_KILL_THREAD);
    cr_expect_not(program.native_rows);
}

Test(seccomp, a_list_of_what_is_refused)
{
    cr_assert_eq(compile("\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": ["
                         "{\"names\": [\"mkdir\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 38},"
                         "{\"names\": [\"rmdir\"], \"action\": \"SCMP_ACT_KILL\"},"
                         "{\"names\": [\"chmod\"], \"action\": \"SCMP_ACT_KILL_PROCESS\"},"
                         "{\"names\": [\"chown\"], \"action\": \"SCMP_ACT_TRAP\"},"
                         "{\"names\": [\"link\"], \"action\": \"SCMP_ACT_TRACE\", \"errnoRet\": 7},"
                         "{\"names\": [\"unlink\"], \"action\": \"SCMP_ACT_LOG\"}]"),
                 0, "%s", error.text);
    cr_expect(kernel_takes_it());
    cr_expect_eq(call(SYS_mkdir, 0, 0), ERRNO(ENOSYS));
    cr_expect_eq(call(SYS_rmdir, 0, 0), SECCOMP_RET_KILL_THREAD);
    cr_expect_eq(call(SYS_chmod, 0, 0), SECCOMP_RET_KILL_PROCESS);
    cr_expect_eq(call(SYS_chown, 0, 0), SECCOMP_RET_TRAP);
    cr_expect_eq(call(SYS_link, 0, 0), SECCOMP_RET_TRACE | 7);
    cr_expect_eq(call(SYS_unlink, 0, 0), SECCOMP_RET_LOG);
    cr_expect_eq(call(SYS_read, 0, 0), ALLOW);
    cr_expect_eq(call(SYS_clone3 + 1000, 0, 0), ALLOW, "a default that allows allows what is new");
    cr_expect(program.native_rows);
}

Test(seccomp, a_profile_for_other_machines_ends_everything)
{
    cr_assert_eq(compile("\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": [\"SCMP_ARCH_AARCH64\"]"),
                 0);
    cr_expect_eq(call(SYS_read, 0, 0), SECCOMP_RET_KILL_THREAD);
    cr_expect_not(program.native_rows);
}

static const char *const operator_names[] = {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",       "SCMP_CMP_EQ",
                                             "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"};
static const uint64_t interesting[] = {0,
                                       1,
                                       2,
                                       0x7fffffff,
                                       0x80000000,
                                       0xffffffff,
                                       1ull << 32,
                                       0x100000001,
                                       0x7fffffffffffffff,
                                       0x8000000000000000,
                                       UINT64_MAX,
                                       0xdeadbeef,
                                       0xdeadbeef00000000};
#define VALUES (sizeof(interesting) / sizeof(interesting[0]))

static bool holds(enum oci_seccomp_operator op, uint64_t argument, uint64_t value, uint64_t two)
{
    switch (op) {
    case OCI_CMP_NE:
        return argument != value;
    case OCI_CMP_LT:
        return argument < value;
    case OCI_CMP_LE:
        return argument <= value;
    case OCI_CMP_EQ:
        return argument == value;
    case OCI_CMP_GE:
        return argument >= value;
    case OCI_CMP_GT:
        return argument > value;
    default:
        return (argument & value) == (two & value);
    }
}

Test(seccomp, every_operator_compares_all_64_bits)
{
    for (unsigned op = 0; op <= OCI_CMP_MASKED_EQ; op++) {
        for (size_t i = 0; i < VALUES; i++) {
            char text[512];
            uint64_t two = interesting[(i + 3) % VALUES];
            snprintf(text, sizeof(text),
                     "\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\": [\"personality\"], "
                     "\"action\":"
                     "\"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 1, \"value\": %llu, \"valueTwo\": %llu, "
                     "\"op\": \"%s\"}]}]",
                     (unsigned long long)interesting[i], (unsigned long long)two, operator_names[op]);
            cr_assert_eq(compile(text), 0, "%s", error.text);
            for (size_t j = 0; j < VALUES; j++)
                cr_expect_eq(call(SYS_personality, 77, interesting[j]) == ALLOW,
                             holds(op, interesting[j], interesting[i], two), "%s %#llx of %#llx",
                             operator_names[op], (unsigned long long)interesting[i],
                             (unsigned long long)interesting[j]);
        }
    }
    cr_expect(kernel_takes_it());
}

Test(seccomp, all_conditions_of_a_rule_hold_or_the_next_rule_is_asked)
{
    cr_assert_eq(compile("\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": ["
                         "{\"names\": [\"socket\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": ["
                         "{\"index\": 0, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"}, {\"index\": 1, \"value\": "
                         "5, \"op\": \"SCMP_CMP_LT\"}]},"
                         "{\"names\": [\"socket\"], \"action\": \"SCMP_ACT_TRAP\", \"args\": ["
                         "{\"index\": 0, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"}]},"
                         "{\"names\": [\"socket\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": ["
                         "{\"index\": 0, \"value\": 7, \"op\": \"SCMP_CMP_GE\"}]}]"),
                 0);
    cr_expect_eq(call(SYS_socket, 1, 4), ALLOW);
    cr_expect_eq(call(SYS_socket, 1, 5), SECCOMP_RET_TRAP);
    cr_expect_eq(call(SYS_socket, 2, 4), ERRNO(EPERM));
    cr_expect_eq(call(SYS_socket, 7, 4), ALLOW);
    cr_expect_eq(call(SYS_socket, 1ull << 32 | 1, 4), ALLOW, "7 or more");
}

// As runc makes two rules of it.
Test(seccomp, two_conditions_on_one_argument_are_two_rules)
{
    cr_assert_eq(
        compile("\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\": [\"socket\"], \"action\":"
                "\"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 0, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"},"
                "{\"index\": 0, \"value\": 3, \"op\": \"SCMP_CMP_EQ\"}]}]"),
        0);
    cr_expect_eq(call(SYS_socket, 1, 0), ALLOW);
    cr_expect_eq(call(SYS_socket, 2, 0), ERRNO(EPERM));
    cr_expect_eq(call(SYS_socket, 3, 0), ALLOW);
}

Test(seccomp, a_rule_without_conditions_decides)
{
    static const char *const orders[] = {"{\"names\": [\"socket\"], \"action\": \"SCMP_ACT_ALLOW\"},"
                                         "{\"names\": [\"socket\"], \"action\": \"SCMP_ACT_TRAP\", \"args\": "
                                         "[{\"index\": 0, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"}]}",
                                         "{\"names\": [\"socket\"], \"action\": \"SCMP_ACT_TRAP\", \"args\": "
                                         "[{\"index\": 0, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"}]},"
                                         "{\"names\": [\"socket\"], \"action\": \"SCMP_ACT_ALLOW\"}"};
    for (int i = 0; i < 2; i++) {
        char text[1024];
        snprintf(text, sizeof(text), "\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [%s]", orders[i]);
        cr_assert_eq(compile(text), 0);
        cr_expect_eq(call(SYS_socket, 1, 0), ALLOW);
    }
}

// Native rows may stay only where no argument and no call makes a difference.
Test(seccomp, native_rows_stay_where_the_profile_allows_them_all)
{
    char *text = NULL, *names = calloc(1, 65536);
    for (unsigned nr = 0; nr < syscall_table_size; nr++)
        if (syscall_table[nr].name)
            sprintf(names + strlen(names), "%s\"%s\"", names[0] ? "," : "", syscall_table[nr].name);
    cr_assert_gt(
        asprintf(&text,
                 "\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\": [%s], \"action\":"
                 "\"SCMP_ACT_ALLOW\"}]",
                 names),
        0);
    cr_assert_eq(compile(text), 0, "%s", error.text);
    cr_expect(program.native_rows);
    free(text);
    free(names);
    unsigned native = 0;
    for (unsigned nr = 0; nr < syscall_table_size; nr++) {
        char one[512];
        if (!syscall_table[nr].name || syscall_table[nr].path != PATH_NATIVE)
            continue;
        native++;
        snprintf(one, sizeof(one),
                 "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"%s\"], \"action\": "
                 "\"SCMP_ACT_ERRNO\","
                 "\"args\": [{\"index\": 0, \"value\": 12345, \"op\": \"SCMP_CMP_EQ\"}]}]",
                 syscall_table[nr].name);
        cr_assert_eq(compile(one), 0);
        cr_expect_not(program.native_rows, "%s", syscall_table[nr].name);
    }
    cr_expect_gt(native, 5);
}

// Every call with a rule of its own, and random ones: against a plain reading.
Test(seccomp, random_profiles_say_what_they_say, .timeout = 50)
{
    uint64_t state = 88172645463325252ull;
    for (int round = 0; round < 100; round++) {
        char *text = calloc(1, 1 << 20), *at = text;
        at += sprintf(at, "\"defaultAction\": \"%s\", \"syscalls\": [",
                      round % 2 ? "SCMP_ACT_ALLOW" : "SCMP_ACT_ERRNO");
        for (unsigned i = 0; i < 200; i++) {
            unsigned nr = (unsigned)(state % syscall_table_size);
            if (syscall_table[nr].name) {
                at += sprintf(at, "%s{\"names\": [\"%s\"], \"action\": \"%s\", \"args\": [",
                              at[-1] == '}' ? "," : "", syscall_table[nr].name,
                              state >> 40 & 1 ? "SCMP_ACT_TRAP" : "SCMP_ACT_ALLOW");
                for (unsigned j = 0; j < (state >> 20) % 4; j++)
                    at +=
                        sprintf(at, "%s{\"index\": %u, \"value\": %llu, \"valueTwo\": %llu, \"op\": \"%s\"}",
                                j ? "," : "", j, (unsigned long long)interesting[(state >> (8 + j)) % VALUES],
                                (unsigned long long)interesting[(state >> (9 + j)) % VALUES],
                                operator_names[(state >> (12 + j)) % 7]);
                at += sprintf(at, "]}");
            }
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
        }
        strcpy(at, "]");
        cr_assert_eq(compile(text), 0, "%s", error.text);
        free(text);
        if (round % 10 == 0)
            cr_expect(kernel_takes_it(), "round %d", round);
        const struct oci_seccomp *s = config.seccomp;
        unsigned newest = 0;
        for (size_t i = 0; i < s->nr_rules; i++)
            for (unsigned nr = 0; nr < syscall_table_size; nr++)
                if (syscall_table[nr].name && strcmp(syscall_table[nr].name, s->rules[i].names[0]) == 0 &&
                    nr > newest)
                    newest = nr;
        for (unsigned nr = 0; nr < syscall_table_size; nr++) {
            uint64_t args[6] = {interesting[state % VALUES], interesting[(state + nr) % VALUES],
                                interesting[nr % VALUES]};
            uint32_t expected = nr > newest && round % 2 == 0 ? ERRNO(ENOSYS) : s->default_action;
            bool decided = false;
            for (int with = 0; with < 2 && !decided; with++) { // without conditions first
                for (size_t i = 0; i < s->nr_rules && !decided; i++) {
                    const struct oci_seccomp_rule *rule = &s->rules[i];
                    bool all = (rule->nr_args > 0) == with && syscall_table[nr].name &&
                               strcmp(syscall_table[nr].name, rule->names[0]) == 0;
                    for (size_t j = 0; all && j < rule->nr_args; j++)
                        all = holds(rule->args[j].op, args[rule->args[j].index], rule->args[j].value,
                                    rule->args[j].value_two);
                    if (all) {
                        decided = true;
                        expected = rule->action;
                    }
                }
            }
            cr_expect_eq(run(nr, AUDIT_ARCH_X86_64, args), expected, "round %d, call %u", round, nr);
        }
    }
}

Test(seccomp, a_profile_that_is_too_large_is_refused)
{
    char *text = calloc(1, 4 << 20), *at = text;
    at += sprintf(at, "\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [");
    for (int i = 0; i < 2000; i++)
        at += sprintf(at,
                      "%s{\"names\": [\"socket\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 0, "
                      "\"value\": %d,"
                      "\"op\": \"SCMP_CMP_EQ\"}]}",
                      i ? "," : "", i);
    strcpy(at, "]");
    cr_expect_eq(compile(text), -E2BIG);
    cr_expect(strstr(error.text, "instructions, more than 4096"), "%s", error.text);
    cr_expect_null(program.filter);
    free(text);
}
