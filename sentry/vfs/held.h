#pragma once
// The files that a waiting call holds. Its handler runs again after each wake-up and looks its descriptors up again; what it
// gets then are the files of its first look (fdget() of Linux happens once), whatever other threads have made of the
// numbers meanwhile. A closed file goes only when the call ends.
//
// Everything here: kernel lock.
struct file;
struct fdtable;
struct held_file {
    struct file *file;
    int fd;
};
#define HELD_SEEN 2u // descriptors that a call which waits for one of them looks up: splice, sendfile
struct held_files {
    struct held_file seen[HELD_SEEN]; // in the order of the looks
    unsigned nr_seen;                 // looked up
    unsigned nr_held;                 // of these, the first so many are references and answer further looks
    struct file **polled;             // references: what a poll waits for
    unsigned nr_polled, max_polled;
};

// `file` is what the table has at `fd` now. Returns what the call is to get.
struct file *held_look(struct held_files *h, int fd, struct file *file);
// The call waits: from now on it holds what it has looked up, if its table still has it.
void held_wait(struct held_files *h, struct fdtable *table);
// One more file for as long as the call waits. 0 or -LX_ENOMEM.
int held_poll(struct held_files *h, struct file *file);
// Lets the files of held_poll() go. Not inside of a wake-up: the files may have the queue.
void held_poll_drop(struct held_files *h);
// The call is over: lets everything go.
void held_drop(struct held_files *h);
// The same, and the memory. Before the task's memory goes.
void held_free(struct held_files *h);
