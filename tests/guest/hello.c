// variants: dynamic static static-pie musl musl-static
// The smallest program: arguments, environment, standard streams and the exit status arrive.
#include "guest.h"

int main(int argc, char **argv)
{
    printf("hello, %d argument: %s\n", argc, argv[0]);
    printf("LANG=%s\n", getenv("LANG"));
    fprintf(stderr, "standard error\n");
    char byte;
    SHOW(read(0, &byte, 1));
    return 0;
}
