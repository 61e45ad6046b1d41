// Rules for devices: the list, and for version 2 the program that the host's kernel asks.
//
// Guests open no device of the host: these rules hold the sandbox's own processes, as a second line.
#include "sentry/oci/cgroup_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MNR(t, ma, mi, r, w, m)                            \
    {                                                      \
        true, t, {(ma) >= 0, ma}, {(mi) >= 0, mi}, r, w, m \
    }

// What every container may use: making nodes; null, zero, full, random, urandom; tty, ptmx, pts.
static const struct oci_device_rule always[] = {
    MNR('c', -1, -1, false, false, true), MNR('b', -1, -1, false, false, true),
    MNR('c', 1, 3, true, true, true),     MNR('c', 1, 5, true, true, true),
    MNR('c', 1, 7, true, true, true),     MNR('c', 1, 8, true, true, true),
    MNR('c', 1, 9, true, true, true),     MNR('c', 5, 0, true, true, true),
    MNR('c', 5, 2, true, true, true),     MNR('c', 136, -1, true, true, true),
};
#define ALWAYS (sizeof(always) / sizeof(always[0]))

struct oci_device_rule *cgroup_device_rules(const struct oci_resources *r, size_t *count)
{
    *count = 0;
    struct oci_device_rule *rules = calloc(r->nr_devices + ALWAYS, sizeof(*rules));
    if (!rules)
        return NULL;
    memcpy(rules, r->devices, r->nr_devices * sizeof(*rules));
    memcpy(rules + r->nr_devices, always, sizeof(always));
    *count = r->nr_devices + ALWAYS;
    return rules;
}

// Registers of the program. The context of a request: type and access, major, minor, of 32 bits each.
enum {
    RESULT = BPF_REG_0,
    CONTEXT = BPF_REG_1,
    TYPE = BPF_REG_2,
    ACCESS = BPF_REG_3,
    MAJOR = BPF_REG_4,
    MINOR = BPF_REG_5,
    ALLOWED = BPF_REG_6
};

#define INSTRUCTIONS_MAX 65536u
#define PER_RULE 5u
#define FIXED 12u

struct program {
    struct bpf_insn *code;
    unsigned length;
};

static void put(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
    p->code[p->length++] =
        (struct bpf_insn){.code = code, .dst_reg = dst & 15, .src_reg = src & 15, .off = off, .imm = imm};
}

static int32_t access_bits(const struct oci_device_rule *rule)
{
    return (rule->mknod ? BPF_DEVCG_ACC_MKNOD : 0) | (rule->read ? BPF_DEVCG_ACC_READ : 0) |
           (rule->write ? BPF_DEVCG_ACC_WRITE : 0);
}

// ALLOWED is changed where the request is for a device of the rule.
static void put_rule(struct program *p, const struct oci_device_rule *rule)
{
    struct {
        bool wanted;
        uint8_t reg;
        int32_t value;
    } checks[3] = {{rule->type != 'a', TYPE, rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR},
                   {rule->major.set, MAJOR, (int32_t)rule->major.value},
                   {rule->minor.set, MINOR, (int32_t)rule->minor.value}};
    int left = checks[0].wanted + checks[1].wanted + checks[2].wanted;
    for (int i = 0; i < 3; i++)
        if (checks[i].wanted) // over the remaining checks and the change
            put(p, BPF_JMP32 | BPF_JNE | BPF_K, checks[i].reg, 0, (int16_t)left--, checks[i].value);
    if (rule->allow)
        put(p, BPF_ALU | BPF_OR | BPF_K, ALLOWED, 0, 0, access_bits(rule));
    else
        put(p, BPF_ALU | BPF_AND | BPF_K, ALLOWED, 0, 0, ~access_bits(rule));
}

static void put_program(struct program *p, const struct oci_device_rule *rules, size_t count)
{
    put(p, BPF_LDX | BPF_W | BPF_MEM, TYPE, CONTEXT, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
    put(p, BPF_ALU | BPF_MOV | BPF_X, ACCESS, TYPE, 0, 0);
    put(p, BPF_ALU | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
    put(p, BPF_ALU | BPF_RSH | BPF_K, ACCESS, 0, 0, 16);
    put(p, BPF_LDX | BPF_W | BPF_MEM, MAJOR, CONTEXT, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
    put(p, BPF_LDX | BPF_W | BPF_MEM, MINOR, CONTEXT, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
    put(p, BPF_ALU | BPF_MOV | BPF_K, ALLOWED, 0, 0, 7); // without a rule the group is held to its parent's
    for (size_t i = 0; i < count; i++)
        put_rule(p, &rules[i]);
    put(p, BPF_ALU | BPF_MOV | BPF_K, RESULT, 0, 0, 0);
    put(p, BPF_ALU | BPF_AND | BPF_X, ALLOWED, ACCESS, 0, 0);
    put(p, BPF_JMP32 | BPF_JNE | BPF_X, ALLOWED, ACCESS, 1, 0);
    put(p, BPF_ALU | BPF_MOV | BPF_K, RESULT, 0, 0, 1);
    put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int load(const struct program *p)
{
    union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                           .insn_cnt = p->length,
                           .insns = (uintptr_t)p->code,
                           .license = (uintptr_t) "GPL"};
    int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
    return fd < 0 ? -errno : fd;
}

static int attach(int program, int directory)
{
    union bpf_attr attr = {.target_fd = (unsigned)directory,
                           .attach_bpf_fd = (unsigned)program,
                           .attach_type = BPF_CGROUP_DEVICE,
                           .attach_flags = BPF_F_ALLOW_MULTI};
    return syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

int cgroup_attach_devices(const char *directory, const struct oci_device_rule *rules, size_t count,
                          struct oci_error *error)
{
    if (count > (INSTRUCTIONS_MAX - FIXED) / PER_RULE)
        return oci_fail(error, E2BIG, "linux.resources.devices: %zu rules are too many", count);
    struct program p = {.code = calloc(FIXED + count * PER_RULE, sizeof(*p.code))};
    int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), program = -ENOMEM;
    int failed = dir < 0 ? -errno : 0;
    if (p.code && !failed) {
        put_program(&p, rules, count);
        program = load(&p);
    }
    if (!failed)
        failed = program < 0 ? program : attach(program, dir);
    if (program >= 0)
        close(program);
    if (dir >= 0)
        close(dir);
    free(p.code);
    return failed ? oci_fail_errno(error, -failed, "cannot set the rules for devices of %s", directory) : 0;
}
