#pragma once
// Processes that are started from outside: the first one, and what `exec` adds. Kernel lock.
#include "sentry/boot/config.h"
#include "sentry/fs/hostfile/hostfile.h"

struct exec_image;
struct fs_struct;
struct task;
struct tty;

struct launch_plan {
    struct sentry_config
        *config; // arguments, environment (HOME is added for a container), identity, limits, directory
    struct stdio_streams streams; // taken over by launch_prepare()
    struct fs_struct *fs;         // where it stands; taken over by launch_prepare()
};

// The profile that every process of the configuration gets. Once. 0 or -errno.
int launch_init(const struct sentry_config *config);
// Makes the task: identity, working directory, standard streams. 0 and a task that has no thread yet, or -errno. *terminal
// (NULL before) gets a reference to the terminal among the streams.
int launch_prepare(struct launch_plan *plan, struct task **task, struct tty **terminal);
// Gives the task, which has no program yet, a descriptor of the host (taken over) as number 3 + index. 0 or -errno.
int launch_give(struct task *t, int fd, unsigned index);
// Finds the program as execvp(3) does with the environment's PATH. 0 and an image, or -errno as execve gives.
int launch_find(const struct sentry_config *config, struct task *t, struct exec_image **image);
// The process is gone: its terminal leaves /dev/pts and ends with the last guest that has it open. NULL: nothing.
void launch_release_terminal(struct tty *terminal);
