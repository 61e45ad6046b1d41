#include "gofer/modes.h"

int gofer_proc_main(int argc, char **argv)
{
    return GOFER_EXIT_FAILED;
}
