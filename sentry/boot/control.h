#pragma once
// The sockets of the kernel process: one to the monitor (the command line after start), and one to each command that looks at
// a container or runs something in it. SOCK_SEQPACKET, fixed-size records. Whoever is at the other end treats what the kernel
// says as hostile: a record of another size, kind or range ends the conversation, and no descriptor is accepted.
#include <stdint.h>

enum control_kind {
    // Monitor to kernel.
    CONTROL_SIGNAL = 1, // value: host signal number, for the guest's foreground group or first process
    CONTROL_WINSIZE,    // the terminal's size changed; the kernel asks the terminal itself
    CONTROL_CONTINUE,   // the monitor runs again after CONTROL_STOPPED: continue the guest's foreground group
    CONTROL_TERMINAL, // answer to CONTROL_MAY_READ, value: 0, or what Linux does to a reader in the background: EIO or -SIGTTIN
    CONTROL_STACKS, // `debug --stacks`: answered with CONTROL_TEXT records and a CONTROL_TEXT_END; from a client too
    CONTROL_CLIENT, // with one descriptor: the connection of a command, accepted by the monitor
    CONTROL_GO,     // the first record, answer to CONTROL_BUILT: every process is in the control groups

    // Client to kernel. Each is answered with a CONTROL_DONE unless it says otherwise.
    CONTROL_START = 32, // the first program begins
    CONTROL_KILL,       // value: signal, for the first process
    CONTROL_KILL_ALL,   // value: signal, for every process
    CONTROL_PAUSE,
    CONTROL_RESUME,
    CONTROL_EXEC, // value: CONTROL_EXEC_*; with descriptors: the configuration, then the streams that are given.
    // Answered with CONTROL_DONE (value: 0, or -errno: not started), and in the end with CONTROL_EXIT. From
    // then on the connection also takes CONTROL_SIGNAL and CONTROL_WINSIZE; its end kills the process.
    CONTROL_TASKS, // value: how many tasks the guest may have
    CONTROL_LIST,  // the processes of the guest: CONTROL_TEXT records and a CONTROL_TEXT_END
    CONTROL_HOLD, // the first process is there, and waits before its program: from then on CONTROL_EXEC may start others
    CONTROL_PRESERVE,      // with one descriptor: the next of the first process, from 3 on, before it begins
    CONTROL_PRESERVE_EXEC, // the same for the process that CONTROL_EXEC starts

    // Kernel to monitor or client.
    CONTROL_EXIT =
        64, // value: wait status of the first process (the last record), or of the one that `exec` started
    CONTROL_FAILED,  // value: errno; the program could not be started: 126 or 127; text names the reason
    CONTROL_STOPPED, // value: signal that stopped the first process's group
    CONTROL_TEXT,    // length bytes of text for the one who asked
    CONTROL_TEXT_END,
    CONTROL_READY, // a container waits for CONTROL_START
    CONTROL_DONE,  // value: 0 or -errno; text may say more

    // Kernel to monitor, the first record where kernel_params.waits: all processes are there, and it waits for CONTROL_GO.
    CONTROL_BUILT,

    // Kernel to monitor: may the program read from the terminal now, that is, is `sentry` in the foreground?
    CONTROL_MAY_READ,
};

// The value of CONTROL_EXEC.
#define CONTROL_EXEC_STREAM(i) (1 << (i))              // stream 0 to 2 is given
#define CONTROL_EXEC_SAME(i, j) ((j) << (4 + 2 * (i))) // stream i is the same open file as stream j
#define CONTROL_EXEC_SAME_OF(value, i) ((value) >> (4 + 2 * (i)) & 3)
#define CONTROL_FDS_MAX 4
#define CONTROL_PRESERVE_MAX 64 // descriptors of one process

#define CONTROL_TEXT_MAX 496
struct control_record {
    uint32_t kind;   // enum control_kind
    int32_t value;   // as the kind says
    uint32_t length; // bytes used of text
    uint32_t reserved;
    char text[CONTROL_TEXT_MAX]; // not terminated
};
_Static_assert(sizeof(struct control_record) == 512, "control_record is one fixed-size packet");
