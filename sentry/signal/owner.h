#pragma once
// The owner of a file (F_SETOWN) is told of what happens to it.
struct file;

// Sends SIGURG to the owner, as far as whoever set it may signal it (send_sigurg of Linux). Kernel lock.
void signal_owner_urgent(const struct file *f);
