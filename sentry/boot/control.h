#pragma once
// The socket between the monitor (the command line after start) and the kernel process: a SOCK_SEQPACKET pair
// that carries fixed-size records. The monitor treats what the kernel says as hostile: a record of another
// size, kind or range ends the sandbox.
#include <stdint.h>

enum control_kind {
    // Monitor to kernel.
    CONTROL_SIGNAL = 1, // value: host signal number, for the guest's foreground group or first process
    CONTROL_WINSIZE,    // the terminal's size changed; the kernel asks the terminal itself
    CONTROL_CONTINUE,   // the monitor runs again after CONTROL_STOPPED: continue the guest's foreground group
    CONTROL_STACKS,     // `debug --stacks`: answered with CONTROL_TEXT records and a CONTROL_TEXT_END

    // Kernel to monitor.
    CONTROL_EXIT = 64, // value: wait status of the first process; the last record
    CONTROL_FAILED,    // value: errno; the program could not be started: 126 or 127; text names the reason
    CONTROL_STOPPED,   // value: signal that stopped the first process's group
    CONTROL_TEXT,      // length bytes of text for the one who asked
    CONTROL_TEXT_END,
};

#define CONTROL_TEXT_MAX 496
struct control_record {
    uint32_t kind;   // enum control_kind
    int32_t value;   // as the kind says
    uint32_t length; // bytes used of text
    uint32_t reserved;
    char text[CONTROL_TEXT_MAX]; // not terminated
};
_Static_assert(sizeof(struct control_record) == 512, "control_record is one fixed-size packet");
