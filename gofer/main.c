// Entry point of the `gofer` program, the broker for files and sockets.
int main(void) { return 125; }
