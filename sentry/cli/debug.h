#pragma once
// `sentry debug --stacks [PID|CONTAINER]`: what each guest thread of a running sandbox waits for. Returns an exit
// status.
int debug_main(int argc, char **argv);
