#include "sentry/exec/elf.h"
#include "abi/linux/errno.h"
#include "sentry/vfs/file.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096ull
#define TASK_SIZE 0x7ffffffff000ull
#define PHDRS_MAX (65536 / sizeof(Elf64_Phdr))

static int read_interp(struct file *f, const Elf64_Phdr *p, struct elf_image *out)
{
    if (p->p_filesz > sizeof(out->interp) || p->p_filesz < 2)
        return -LX_ENOEXEC;
    int64_t r = kernel_read(f, out->interp, p->p_filesz, (int64_t)p->p_offset);
    if (r < 0)
        return (int)r;
    if ((uint64_t)r != p->p_filesz)
        return -LX_EIO;
    return out->interp[p->p_filesz - 1] == 0 ? 0 : -LX_ENOEXEC;
}

static void add_segment(const Elf64_Phdr *p, struct elf_image *out)
{
    uint64_t end;
    if (p->p_filesz > p->p_memsz || p->p_memsz > TASK_SIZE ||
        __builtin_add_overflow(p->p_vaddr, p->p_memsz, &end) || end > TASK_SIZE ||
        (p->p_vaddr - p->p_offset) % PAGE || out->nr_segments == ELF_SEGMENTS_MAX ||
        p->p_offset > INT64_MAX - p->p_filesz) {
        out->doomed = true;
        return;
    }
    if (p->p_memsz == 0)
        return;
    struct elf_segment *s = &out->segments[out->nr_segments++];
    *s = (struct elf_segment){
        .vaddr = p->p_vaddr, .offset = p->p_offset, .filesz = p->p_filesz, .memsz = p->p_memsz};
    s->prot = (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
              (p->p_flags & PF_X ? PROT_EXEC : 0);
    uint64_t low = p->p_vaddr & ~(PAGE - 1), high = (end + PAGE - 1) & ~(PAGE - 1);
    if (out->nr_segments == 1 || low < out->low)
        out->low = low;
    if (high > out->high)
        out->high = high;
    if (p->p_align > out->align && (p->p_align & (p->p_align - 1)) == 0 && p->p_align <= (1ull << 30))
        out->align = p->p_align;
}

int elf_read(struct file *f, const uint8_t *head, size_t head_len, struct elf_image *out)
{
    Elf64_Ehdr eh;
    memset(out, 0, sizeof(*out));
    out->align = PAGE;
    if (head_len < sizeof(eh))
        return -LX_ENOEXEC;
    memcpy(&eh, head, sizeof(eh));
    if (memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
        (eh.e_type != ET_EXEC && eh.e_type != ET_DYN) || eh.e_machine != EM_X86_64)
        return -LX_ENOEXEC;
    if (eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phnum < 1 || eh.e_phnum > PHDRS_MAX)
        return -LX_ENOEXEC;
    size_t bytes = eh.e_phnum * sizeof(Elf64_Phdr);
    if (eh.e_phoff > INT64_MAX - bytes)
        return -LX_ENOEXEC;
    Elf64_Phdr *ph = malloc(bytes);
    if (!ph)
        return -LX_ENOMEM;
    int64_t r;
    if (eh.e_phoff <= head_len && bytes <= head_len - eh.e_phoff) {
        memcpy(ph, head + eh.e_phoff, bytes);
        r = (int64_t)bytes;
    } else {
        r = kernel_read(f, ph, bytes, (int64_t)eh.e_phoff);
    }
    int err = r < 0 || (size_t)r != bytes ? -LX_ENOEXEC : 0; // load_elf_phdrs() tells no reasons
    out->dynamic = eh.e_type == ET_DYN;
    out->entry = eh.e_entry;
    out->phnum = eh.e_phnum;
    for (unsigned i = 0; err == 0 && i < eh.e_phnum; i++) {
        const Elf64_Phdr *p = &ph[i];
        if (p->p_type == PT_INTERP && !out->interp[0])
            err = read_interp(f, p, out);
        else if (p->p_type == PT_GNU_STACK)
            out->exec_stack = p->p_flags & PF_X;
        else if (p->p_type == PT_LOAD) {
            add_segment(p, out);
            if (eh.e_phoff >= p->p_offset && eh.e_phoff - p->p_offset < p->p_filesz)
                out->phdr = eh.e_phoff - p->p_offset + p->p_vaddr;
        }
    }
    free(ph);
    if (err == 0 && out->nr_segments == 0)
        out->doomed = true;
    return err;
}
