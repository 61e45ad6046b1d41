#pragma once
// Pipes and fifos (fs/pipe.c of Linux). Kernel lock.
#include "sentry/vfs/file.h"

struct pipe;

// Both ends; references in files[0] (read) and files[1] (write). `flags`: LX_O_NONBLOCK, LX_O_DIRECT. 0 or
// -errno.
int pipe_create(struct file *files[2], uint32_t flags);
// Sets fifo_open_hook. Once at start.
void pipe_init(void);
// The pipe behind a file, NULL when it is none (splice).
struct pipe *file_pipe(struct file *f);
