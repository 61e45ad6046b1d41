// Where a program goes, the operations that map it, and its first stack (create_elf_tables of fs/binfmt_elf.c).
#include "sentry/exec/exec.h"
#include "abi/stub/layout.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>

#define PAGE 4096ull
#define PAGE_UP(x) (((x) + PAGE - 1) & ~(PAGE - 1))
#define PAGE_DOWN(x) ((x) & ~(PAGE - 1))
#define PIE_BASE 0x555555554000ull      // ELF_ET_DYN_BASE
#define INTERP_TOP 0x7effff000000ull    // below what the host gives to mmap(NULL)
#define RANDOM_PAGES ((1ull << 28) - 1) // mmap_rnd_bits
#define BRK_RANDOM 0x02000000ull
#define LX_ADDR_NO_RANDOMIZE 0x0040000u
#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#define AT_RSEQ_ALIGN 28
#endif
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

int load_choose(const struct exec_image *im, uint64_t personality, struct load_layout *l)
{
    const struct elf_image *exe = &im->exe_elf, *ld = &im->interp_elf;
    struct {
        uint64_t exe, interp, brk;
    } random = {0};
    if (!(personality & LX_ADDR_NO_RANDOMIZE) && getrandom(&random, sizeof(random), 0) != sizeof(random))
        return -LX_EAGAIN;
    memset(l, 0, sizeof(*l));
    if (exe->dynamic) {
        uint64_t base = PIE_BASE + (random.exe & RANDOM_PAGES) * PAGE;
        l->exe_base = (base & ~(exe->align - 1)) - exe->low;
    }
    l->entry = l->exe_base + exe->entry;
    if (im->interp) {
        uint64_t top = INTERP_TOP - (random.interp & RANDOM_PAGES) * PAGE;
        if (ld->dynamic)
            l->interp_base = ((top - (ld->high - ld->low)) & ~(ld->align - 1)) - ld->low;
        l->entry = l->interp_base + ld->entry;
    }
    l->start_brk = PAGE_UP(l->exe_base + exe->high) + (random.brk % BRK_RANDOM & ~(PAGE - 1));
    return 0;
}

static struct stub_op map_op(uint64_t addr, uint64_t len, int prot, int flags, uint64_t fd, uint64_t offset)
{
    return (struct stub_op){.nr = SYS_mmap, .args = {addr, len, (uint64_t)prot, (uint64_t)flags, fd, offset}};
}

int load_ops(const struct elf_image *elf, uint64_t base, uint64_t fd_offset, struct stub_op *ops,
             unsigned max)
{
    unsigned n = 0;
    if (elf->nr_segments * 3 + 1 > max)
        return -LX_ENOEXEC;
    const int anon = MAP_PRIVATE | MAP_ANONYMOUS;
    // The whole span first: holes stay inaccessible, and nothing that exists is overwritten.
    ops[n++] =
        map_op(base + elf->low, elf->high - elf->low, PROT_NONE, anon | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0);
    for (unsigned i = 0; i < elf->nr_segments; i++) {
        const struct elf_segment *s = &elf->segments[i];
        uint64_t start = base + PAGE_DOWN(s->vaddr), file_end = base + s->vaddr + s->filesz;
        uint64_t mem_end = PAGE_UP(base + s->vaddr + s->memsz), anon_start = PAGE_UP(file_end);
        if (s->filesz) {
            ops[n++] = map_op(start, PAGE_UP(file_end) - start, s->prot, MAP_PRIVATE | MAP_FIXED,
                              STUB_DONATION_FD, PAGE_DOWN(s->offset) + fd_offset);
            if (s->memsz > s->filesz && (s->prot & PROT_WRITE) && file_end % PAGE)
                ops[n++] = (struct stub_op){.flags = STUB_OP_ZERO, .args = {file_end, anon_start - file_end}};
        } else {
            anon_start = start;
        }
        if (mem_end > anon_start)
            ops[n++] = map_op(anon_start, mem_end - anon_start, s->prot, anon | MAP_FIXED, (uint64_t)-1, 0);
    }
    return (int)n;
}

int stack_build(const struct exec_image *im, const struct load_layout *l, struct mm *mm, uint64_t top,
                uint64_t *sp_out, uint8_t **bytes_out, size_t *len_out)
{
    const struct exec_strings *s = &im->strings;
    static const char platform[] = "x86_64";
    size_t name_len = strlen(im->filename) + 1;
    uint64_t name_at = top - 8 - name_len;
    uint64_t strings_at = name_at - s->len;
    uint64_t platform_at = (strings_at & ~15ull) - sizeof(platform);
    uint64_t random_at = platform_at - 16;
    const struct cred *cr = im->cred;
    uint64_t auxv[48], *a = auxv;
#define AUX(type, value) (*a++ = (type), *a++ = (value))
    if (mm->vdso)
        AUX(AT_SYSINFO_EHDR, mm->vdso);
    if (getauxval(AT_MINSIGSTKSZ))
        AUX(AT_MINSIGSTKSZ, getauxval(AT_MINSIGSTKSZ));
    AUX(AT_HWCAP, getauxval(AT_HWCAP));
    AUX(AT_PAGESZ, PAGE);
    AUX(AT_CLKTCK, 100);
    AUX(AT_PHDR, im->exe_elf.phdr ? l->exe_base + im->exe_elf.phdr : 0);
    AUX(AT_PHENT, sizeof(Elf64_Phdr));
    AUX(AT_PHNUM, im->exe_elf.phnum);
    AUX(AT_BASE, im->interp ? l->interp_base : 0);
    AUX(AT_FLAGS, 0);
    AUX(AT_ENTRY, l->exe_base + im->exe_elf.entry);
    AUX(AT_UID, cr->uid);
    AUX(AT_EUID, cr->euid);
    AUX(AT_GID, cr->gid);
    AUX(AT_EGID, cr->egid);
    AUX(AT_SECURE, im->secure);
    AUX(AT_RANDOM, random_at);
    AUX(AT_HWCAP2, getauxval(AT_HWCAP2));
    AUX(AT_EXECFN, name_at);
    AUX(AT_PLATFORM, platform_at);
    if (getauxval(AT_RSEQ_FEATURE_SIZE)) {
        AUX(AT_RSEQ_FEATURE_SIZE, getauxval(AT_RSEQ_FEATURE_SIZE));
        AUX(AT_RSEQ_ALIGN, getauxval(AT_RSEQ_ALIGN));
    }
    AUX(AT_NULL, 0);
#undef AUX
    size_t auxv_bytes = (size_t)((uint8_t *)a - (uint8_t *)auxv);
    size_t pointers = (1 + s->argc + 1 + s->envc + 1) * 8ull;
    uint64_t sp = (random_at - auxv_bytes - pointers) & ~15ull;
    size_t len = top - sp;
    uint8_t *b = calloc(1, len);
    if (!b)
        return -LX_ENOMEM;
#define AT(address) (b + ((address)-sp))
    memcpy(AT(name_at), im->filename, name_len);
    memcpy(AT(strings_at), s->bytes, s->len);
    memcpy(AT(platform_at), platform, sizeof(platform));
    if (getrandom(AT(random_at), 16, 0) != 16) {
        free(b);
        return -LX_EIO;
    }
    uint64_t *p = (uint64_t *)(void *)b;
    *p++ = s->argc;
    size_t at = 0;
    mm->arg_start = strings_at;
    for (unsigned i = 0; i < s->argc; i++) {
        *p++ = strings_at + at;
        at += strlen(s->bytes + at) + 1;
    }
    *p++ = 0;
    mm->arg_end = mm->env_start = strings_at + at;
    for (unsigned i = 0; i < s->envc; i++) {
        *p++ = strings_at + at;
        at += strlen(s->bytes + at) + 1;
    }
    *p++ = 0;
    mm->env_end = strings_at + at;
    mm->auxv_addr = sp + (uint64_t)((uint8_t *)p - b);
    mm->auxv_len = (unsigned)(auxv_bytes < sizeof(mm->auxv) ? auxv_bytes : sizeof(mm->auxv));
    memcpy(mm->auxv, auxv, mm->auxv_len);
    memcpy(p, auxv, auxv_bytes);
#undef AT
    mm->start_stack = sp;
    *sp_out = sp;
    *bytes_out = b;
    *len_out = len;
    return 0;
}
