#pragma once
// Reading ELF programs. elf(5), fs/binfmt_elf.c of Linux. The file is hostile.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file;

#define ELF_SEGMENTS_MAX 64 // PT_LOAD segments that one program may have

struct elf_segment {
    uint64_t vaddr, offset, filesz, memsz;
    int prot; // PROT_*
};
struct elf_image {
    bool dynamic;   // ET_DYN: may be placed anywhere
    uint64_t entry; // before the bias
    uint64_t phdr;  // address of the program headers before the bias, 0 when no segment holds them
    uint16_t phnum;
    uint64_t low, high; // span of the segments, page aligned
    uint64_t align;     // largest alignment asked for, at least a page
    bool exec_stack;
    bool doomed; // a segment that Linux finds bad only after the old program is gone
    unsigned nr_segments;
    struct elf_segment segments[ELF_SEGMENTS_MAX];
    char interp[4096]; // empty: none
};
// Reads and checks headers. 0, -LX_ENOEXEC (not a program of this machine), -LX_EIO, -LX_ENOMEM, -LX_ELIBBAD.
int elf_read(struct file *f, const uint8_t *head, size_t head_len, struct elf_image *out);
