// The programs in the one `gofer` binary. Each returns an exit status; `argv` begins after the mode.
#pragma once

#define GOFER_EXIT_FAILED 125

int gofer_files_main(int argc, char **argv);
int gofer_proc_main(int argc, char **argv);
int gofer_net_main(int argc, char **argv);

// The value of "NAME N" among the arguments as a descriptor, or -1.
int gofer_fd_argument(int argc, char **argv, const char *name);
