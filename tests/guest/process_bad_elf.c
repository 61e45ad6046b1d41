// Files that are no good programs: the errno or the signal Linux gives, and nothing left behind.
#include "guest.h"
#include <elf.h>

struct image {
    Elf64_Ehdr header;
    Elf64_Phdr program[4];
    char code[256];
};

static struct image good(void)
{
    struct image image;
    memset(&image, 0, sizeof(image));
    memcpy(image.header.e_ident, ELFMAG, SELFMAG);
    image.header.e_ident[EI_CLASS] = ELFCLASS64;
    image.header.e_ident[EI_DATA] = ELFDATA2LSB;
    image.header.e_ident[EI_VERSION] = EV_CURRENT;
    image.header.e_type = ET_EXEC;
    image.header.e_machine = EM_X86_64;
    image.header.e_version = EV_CURRENT;
    image.header.e_entry = 0x400000 + offsetof(struct image, code);
    image.header.e_phoff = offsetof(struct image, program);
    image.header.e_ehsize = sizeof(Elf64_Ehdr);
    image.header.e_phentsize = sizeof(Elf64_Phdr);
    image.header.e_phnum = 1;
    image.program[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                                    .p_flags = PF_R | PF_X,
                                    .p_vaddr = 0x400000,
                                    .p_filesz = sizeof(image),
                                    .p_memsz = sizeof(image),
                                    .p_align = 4096};
    // mov $60, %eax; mov $17, %edi; syscall
    memcpy(image.code, "\xb8\x3c\x00\x00\x00\xbf\x11\x00\x00\x00\x0f\x05", 12);
    return image;
}

static void try_size(const char *what, struct image image, size_t size)
{
    unlink("bad");
    int fd = open("bad", O_WRONLY | O_CREAT | O_TRUNC, 0755);
    write(fd, &image, size);
    close(fd);
    char *argv[] = {"bad", NULL}, *env[] = {NULL};
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execve("./bad", argv, env);
        printf("%s: %s\n", what, error_name(errno));
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    show_status(what, status);
}

#define TRY(what, change)                     \
    do {                                      \
        struct image image = good();          \
        change;                               \
        try_size(what, image, sizeof(image)); \
    } while (0)

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    TRY("good", (void)0);
    TRY("i386 machine", image.header.e_machine = EM_386);
    TRY("AArch64", image.header.e_machine = EM_AARCH64);
    TRY("no machine", image.header.e_machine = EM_NONE);
    TRY("bad magic", image.header.e_ident[1] = 'X');
    TRY("relocatable", image.header.e_type = ET_REL);
    TRY("core", image.header.e_type = ET_CORE);
    TRY("no program headers", image.header.e_phnum = 0);
    TRY("too many program headers", image.header.e_phnum = 2000);
    TRY("program header size", image.header.e_phentsize = 32);
    TRY("program headers past the end", image.header.e_phoff = 100000);
    TRY("program headers far out", image.header.e_phoff = -8UL);
    try_size("truncated header", good(), 40);
    try_size("only the header", good(), sizeof(Elf64_Ehdr));
    try_size("truncated program headers", good(), sizeof(Elf64_Ehdr) + 20);
    try_size("three bytes", good(), 3);
    TRY("file size over memory size", image.program[0].p_memsz = 16);
    TRY("segment in kernel space", image.program[0].p_vaddr = 0xffff800000000000UL);
    TRY("segment over the top", image.program[0].p_vaddr = 0x7ffffffff000UL);
    TRY("segment wraps", image.program[0].p_memsz = -4096UL);
    TRY("unaligned segment", image.program[0].p_offset = 16);
    TRY("segment of a terabyte of kernel", image.program[0].p_memsz = 0x800000000000UL);
    TRY("entry nowhere", image.header.e_entry = 0x10);
    TRY("entry in kernel space", image.header.e_entry = 0xffffffff81000000UL);
    TRY("not executable segment", image.program[0].p_flags = PF_R);
    TRY("segment past the end of the file", image.program[0].p_offset = 1 << 20);
    TRY("overlapping segments", image.header.e_phnum = 2; image.program[1] = image.program[0]);
    TRY("interpreter missing", image.header.e_phnum = 2; image.program[1] = image.program[0];
        image.program[1].p_type = PT_INTERP; image.program[1].p_offset = offsetof(struct image, code) + 64;
        image.program[1].p_filesz = 9; strcpy(image.code + 64, "/missing"));
    TRY("interpreter not terminated", image.header.e_phnum = 2; image.program[1] = image.program[0];
        image.program[1].p_type = PT_INTERP; image.program[1].p_offset = offsetof(struct image, code) + 64;
        image.program[1].p_filesz = 4; memcpy(image.code + 64, "/bin", 4));
    TRY("interpreter is a text", image.header.e_phnum = 2; image.program[1] = image.program[0];
        image.program[1].p_type = PT_INTERP; image.program[1].p_offset = offsetof(struct image, code) + 64;
        image.program[1].p_filesz = 12; strcpy(image.code + 64, "/etc/passwd"));
    TRY("interpreter is a directory", image.header.e_phnum = 2; image.program[1] = image.program[0];
        image.program[1].p_type = PT_INTERP; image.program[1].p_offset = offsetof(struct image, code) + 64;
        image.program[1].p_filesz = 5; strcpy(image.code + 64, "/usr"));
    TRY("interpreter name too long", image.header.e_phnum = 2; image.program[1] = image.program[0];
        image.program[1].p_type = PT_INTERP; image.program[1].p_filesz = 5000);
    TRY("writable program", (void)0);
    struct image image = good();
    unlink("bad");
    int fd = open("bad", O_RDWR | O_CREAT | O_TRUNC, 0755);
    write(fd, &image, sizeof(image));
    char *argv[] = {"bad", NULL};
    IN_CHILD("open for writing", SHOW(execve("./bad", argv, argv + 1)));
    close(fd);
    chmod("bad", 0644);
    IN_CHILD("no permission", SHOW(execve("./bad", argv, argv + 1)));
    IN_CHILD("directory", SHOW(execve(".", argv, argv + 1)));
    return 0;
}
