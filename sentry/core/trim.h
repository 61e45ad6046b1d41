#pragma once
// Memory that a load has left goes back to the host.
#include <stdint.h>

// So many bytes of what a guest can make grow were freed (sockets, their buffers). A while after some MiB of them, what the heap has
// free and does not use is given back. Kernel lock.
void memory_freed(uint64_t bytes);
