#pragma once
// execve: from a name to a running program. execve(2), fs/exec.c and fs/binfmt_elf.c of Linux. Kernel lock.
#include "sentry/exec/elf.h"
#include "sentry/task/task.h"

#define EXEC_ARG_MAX_STRING 131072u      // MAX_ARG_STRLEN, with its NUL
#define EXEC_ARGS_MAX (6u * 1024 * 1024) // three quarters of _STK_LIM
#define EXEC_INTERPRETERS_MAX 5          // scripts that name scripts

// Argument and environment strings, packed one after the other with their NULs.
struct exec_strings {
    char *bytes;
    size_t len, capacity;
    unsigned argc, envc;
};

// A program that has been found good, ready to replace what a task runs.
struct exec_image {
    struct file *exe;    // referenced
    struct file *interp; // program interpreter, referenced, or NULL
    struct elf_image exe_elf, interp_elf;
    struct exec_strings strings;
    char filename[VFS_PATH_MAX]; // AT_EXECFN
    char comm[TASK_COMM_LEN];
    struct cred *cred; // referenced
    bool secure;       // AT_SECURE
    bool dumpable;     // PR_GET_DUMPABLE of the new program, if it is not unreadable
    bool unreadable;   // current may execute it, or its interpreter, and not read it
    bool doomed;       // Linux would kill the new program while it loads it
};

// Finds and checks a program for current, with strings of our own. 0 and an image, or -errno as execve gives.
int exec_prepare(int dirfd, const char *name, unsigned lookup_flags, char *const argv[], char *const envp[],
                 struct exec_image **out);
// The same with the strings in current's memory (addresses of NULL-terminated arrays).
int exec_prepare_guest(int dirfd, const char *name, unsigned lookup_flags, gaddr_t argv, gaddr_t envp,
                       struct exec_image **out);
void exec_image_free(struct exec_image *image);
// A launched process, whose hypercall is open, begins with this program. Takes over the image.
void exec_begin_launched(struct task *t, struct exec_image *image);
// The sealed memfd that every exec starts from. At boot.
void exec_init(int stub_image_fd);

// --- strings (strings.c); all -errno
int strings_add(struct exec_strings *s, const char *text, size_t len); // a string of ours, at the end
int strings_add_guest(struct exec_strings *s, gaddr_t array, size_t budget, unsigned *count);
int strings_prepend(struct exec_strings *s, const char *text); // before all; counts as an argument
void strings_drop_first(struct exec_strings *s);

// --- loading (load.c)
struct stub_op;
struct load_layout {
    uint64_t exe_base, interp_base; // load bias
    uint64_t entry;                 // where the thread starts
    uint64_t start_brk;
};
// Chooses addresses for the image. 0 or -LX_ENOMEM, -LX_EINVAL.
int load_choose(const struct exec_image *image, uint64_t personality, struct load_layout *l);
// Operations that map one ELF file from the donated descriptor. Returns their number or -errno.
int load_ops(const struct elf_image *elf, uint64_t base, uint64_t fd_offset, struct stub_op *ops,
             unsigned max);
// Builds the initial stack that ends below `top`; *sp gets the stack pointer, *image and *len the bytes from *sp upwards
// (malloc'ed). Fills the fields of mm that describe it. 0 or -errno.
int stack_build(const struct exec_image *image, const struct load_layout *l, struct mm *mm, uint64_t top,
                uint64_t *sp, uint8_t **bytes, size_t *len);
