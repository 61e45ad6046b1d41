// /proc/cpuinfo (arch/x86/kernel/cpu/proc.c), from the CPUID instruction: guests see the same answers.
#include "sentry/fs/proc/proc.h"
#include <cpuid.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>

struct feature {
    uint8_t leaf, reg, bit; // indices of `leaves`; register a, b, c, d
    const char *name;
};

enum { LEAF_1, LEAF_EXT1, LEAF_7, LEAF_7_1, LEAF_D1, LEAF_EXT8, NR_LEAVES };
static const struct {
    uint32_t leaf, sub;
} leaves[NR_LEAVES] = {{1, 0}, {0x80000001u, 0}, {7, 0}, {7, 1}, {0xd, 1}, {0x80000008u, 0}};
enum { EAX, EBX, ECX, EDX };

static const struct feature features[] = {
    {LEAF_1, EDX, 0, "fpu"},
    {LEAF_1, EDX, 1, "vme"},
    {LEAF_1, EDX, 2, "de"},
    {LEAF_1, EDX, 3, "pse"},
    {LEAF_1, EDX, 4, "tsc"},
    {LEAF_1, EDX, 5, "msr"},
    {LEAF_1, EDX, 6, "pae"},
    {LEAF_1, EDX, 7, "mce"},
    {LEAF_1, EDX, 8, "cx8"},
    {LEAF_1, EDX, 9, "apic"},
    {LEAF_1, EDX, 11, "sep"},
    {LEAF_1, EDX, 12, "mtrr"},
    {LEAF_1, EDX, 13, "pge"},
    {LEAF_1, EDX, 14, "mca"},
    {LEAF_1, EDX, 15, "cmov"},
    {LEAF_1, EDX, 16, "pat"},
    {LEAF_1, EDX, 17, "pse36"},
    {LEAF_1, EDX, 19, "clflush"},
    {LEAF_1, EDX, 23, "mmx"},
    {LEAF_1, EDX, 24, "fxsr"},
    {LEAF_1, EDX, 25, "sse"},
    {LEAF_1, EDX, 26, "sse2"},
    {LEAF_1, EDX, 27, "ss"},
    {LEAF_1, EDX, 28, "ht"},
    {LEAF_EXT1, EDX, 11, "syscall"},
    {LEAF_EXT1, EDX, 20, "nx"},
    {LEAF_EXT1, EDX, 22, "mmxext"},
    {LEAF_EXT1, EDX, 25, "fxsr_opt"},
    {LEAF_EXT1, EDX, 26, "pdpe1gb"},
    {LEAF_EXT1, EDX, 27, "rdtscp"},
    {LEAF_EXT1, EDX, 29, "lm"},
    {LEAF_1, ECX, 0, "pni"},
    {LEAF_1, ECX, 1, "pclmulqdq"},
    {LEAF_1, ECX, 9, "ssse3"},
    {LEAF_1, ECX, 12, "fma"},
    {LEAF_1, ECX, 13, "cx16"},
    {LEAF_1, ECX, 17, "pcid"},
    {LEAF_1, ECX, 19, "sse4_1"},
    {LEAF_1, ECX, 20, "sse4_2"},
    {LEAF_1, ECX, 21, "x2apic"},
    {LEAF_1, ECX, 22, "movbe"},
    {LEAF_1, ECX, 23, "popcnt"},
    {LEAF_1, ECX, 24, "tsc_deadline_timer"},
    {LEAF_1, ECX, 25, "aes"},
    {LEAF_1, ECX, 26, "xsave"},
    {LEAF_1, ECX, 28, "avx"},
    {LEAF_1, ECX, 29, "f16c"},
    {LEAF_1, ECX, 30, "rdrand"},
    {LEAF_1, ECX, 31, "hypervisor"},
    {LEAF_EXT1, ECX, 0, "lahf_lm"},
    {LEAF_EXT1, ECX, 1, "cmp_legacy"},
    {LEAF_EXT1, ECX, 4, "cr8_legacy"},
    {LEAF_EXT1, ECX, 5, "abm"},
    {LEAF_EXT1, ECX, 6, "sse4a"},
    {LEAF_EXT1, ECX, 7, "misalignsse"},
    {LEAF_EXT1, ECX, 8, "3dnowprefetch"},
    {LEAF_EXT1, ECX, 9, "osvw"},
    {LEAF_EXT1, ECX, 22, "topoext"},
    {LEAF_7, EBX, 0, "fsgsbase"},
    {LEAF_7, EBX, 1, "tsc_adjust"},
    {LEAF_7, EBX, 3, "bmi1"},
    {LEAF_7, EBX, 4, "hle"},
    {LEAF_7, EBX, 5, "avx2"},
    {LEAF_7, EBX, 7, "smep"},
    {LEAF_7, EBX, 8, "bmi2"},
    {LEAF_7, EBX, 9, "erms"},
    {LEAF_7, EBX, 10, "invpcid"},
    {LEAF_7, EBX, 11, "rtm"},
    {LEAF_7, EBX, 14, "mpx"},
    {LEAF_7, EBX, 16, "avx512f"},
    {LEAF_7, EBX, 17, "avx512dq"},
    {LEAF_7, EBX, 18, "rdseed"},
    {LEAF_7, EBX, 19, "adx"},
    {LEAF_7, EBX, 20, "smap"},
    {LEAF_7, EBX, 21, "avx512ifma"},
    {LEAF_7, EBX, 23, "clflushopt"},
    {LEAF_7, EBX, 24, "clwb"},
    {LEAF_7, EBX, 28, "avx512cd"},
    {LEAF_7, EBX, 29, "sha_ni"},
    {LEAF_7, EBX, 30, "avx512bw"},
    {LEAF_7, EBX, 31, "avx512vl"},
    {LEAF_D1, EAX, 0, "xsaveopt"},
    {LEAF_D1, EAX, 1, "xsavec"},
    {LEAF_D1, EAX, 2, "xgetbv1"},
    {LEAF_D1, EAX, 3, "xsaves"},
    {LEAF_7_1, EAX, 4, "avx_vnni"},
    {LEAF_7_1, EAX, 5, "avx512_bf16"},
    {LEAF_EXT8, EBX, 0, "clzero"},
    {LEAF_EXT8, EBX, 2, "xsaveerptr"},
    {LEAF_EXT8, EBX, 9, "wbnoinvd"},
    {LEAF_7, ECX, 1, "avx512vbmi"},
    {LEAF_7, ECX, 2, "umip"},
    {LEAF_7, ECX, 3, "pku"},
    {LEAF_7, ECX, 4, "ospke"},
    {LEAF_7, ECX, 6, "avx512_vbmi2"},
    {LEAF_7, ECX, 8, "gfni"},
    {LEAF_7, ECX, 9, "vaes"},
    {LEAF_7, ECX, 10, "vpclmulqdq"},
    {LEAF_7, ECX, 11, "avx512_vnni"},
    {LEAF_7, ECX, 12, "avx512_bitalg"},
    {LEAF_7, ECX, 14, "avx512_vpopcntdq"},
    {LEAF_7, ECX, 16, "la57"},
    {LEAF_7, ECX, 22, "rdpid"},
    {LEAF_7, ECX, 27, "movdiri"},
    {LEAF_7, ECX, 28, "movdir64b"},
    {LEAF_7, EDX, 4, "fsrm"},
    {LEAF_7, EDX, 8, "avx512_vp2intersect"},
    {LEAF_7, EDX, 10, "md_clear"},
    {LEAF_7, EDX, 14, "serialize"},
    {LEAF_7, EDX, 22, "amx_bf16"},
    {LEAF_7, EDX, 23, "avx512_fp16"},
    {LEAF_7, EDX, 24, "amx_tile"},
    {LEAF_7, EDX, 25, "amx_int8"},
    {LEAF_7, EDX, 29, "arch_capabilities"},
};

struct identity {
    char vendor[13], model[49];
    unsigned family, model_number, stepping, physical_bits, virtual_bits, clflush;
};

static void identify(struct identity *id)
{
    uint32_t a, b, c, d;
    memset(id, 0, sizeof(*id));
    if (__get_cpuid(0, &a, &b, &c, &d)) {
        memcpy(id->vendor, &b, 4);
        memcpy(id->vendor + 4, &d, 4);
        memcpy(id->vendor + 8, &c, 4);
    }
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        id->family = (a >> 8) & 0xf;
        if (id->family == 0xf)
            id->family += (a >> 20) & 0xff;
        id->model_number = ((a >> 4) & 0xf) | ((a >> 12) & 0xf0);
        id->stepping = a & 0xf;
        id->clflush = ((b >> 8) & 0xff) * 8;
    }
    for (uint32_t i = 0; i < 3; i++)
        if (__get_cpuid(0x80000002u + i, &a, &b, &c, &d)) {
            const uint32_t words[4] = {a, b, c, d};
            memcpy(id->model + 16 * i, words, 16);
        }
    id->physical_bits = 39;
    id->virtual_bits = 48;
    if (__get_cpuid(0x80000008u, &a, &b, &c, &d)) {
        id->physical_bits = a & 0xff;
        id->virtual_bits = (a >> 8) & 0xff;
    }
}

static void add_flags(struct out_text *out)
{
    uint32_t words[NR_LEAVES][4] = {{0}};
    for (int i = 0; i < NR_LEAVES; i++)
        if (!__get_cpuid_count(leaves[i].leaf, leaves[i].sub, &words[i][EAX], &words[i][EBX], &words[i][ECX],
                               &words[i][EDX]))
            memset(words[i], 0, sizeof(words[i]));
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
        if (words[features[i].leaf][features[i].reg] >> features[i].bit & 1)
            out_printf(out, " %s", features[i].name);
}

// The frequency the model name ends in ("@ 2.20GHz"), in kHz; 0 when it names none.
static unsigned named_khz(const char *model)
{
    const char *at = strchr(model, '@');
    unsigned whole = 0, part = 0;
    char digits[8] = "";
    if (!at || sscanf(at, "@ %u.%2[0-9]GHz", &whole, digits) < 2)
        return 0;
    sscanf(digits, "%u", &part);
    return whole * 1000000 + part * (digits[1] ? 10000 : 100000);
}

PROC_SHOW(cpuinfo)
{
    struct identity id;
    identify(&id);
    unsigned cpus = proc_cpus(), khz = named_khz(id.model);
    if (!khz)
        khz = 2000000;
    for (unsigned i = 0; i < cpus; i++) {
        out_printf(out,
                   "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: "
                   "%s\nstepping\t: %u\n",
                   i, id.vendor, id.family, id.model_number, id.model, id.stepping);
        out_printf(
            out, "cpu MHz\t\t: %u.%03u\nphysical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n",
            khz / 1000, khz % 1000, cpus, i, cpus);
        out_printf(out,
                   "apicid\t\t: %u\ninitial apicid\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: "
                   "%u\nwp\t\t: yes\n",
                   i, i, __get_cpuid_max(0, NULL));
        out_printf(out, "flags\t\t:");
        add_flags(out);
        out_printf(out, "\nbugs\t\t:\nbogomips\t: %u.%02u\nclflush size\t: %u\ncache_alignment\t: %u\n",
                   khz / 500, khz / 5 % 100, id.clflush, id.clflush);
        out_printf(out, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
                   id.physical_bits, id.virtual_bits);
    }
    return 0;
}
