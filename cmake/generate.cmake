# Files generated at build time: syscall tables and seccomp programs.
add_library(generated INTERFACE)
