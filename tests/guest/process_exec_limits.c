// Limits on arguments: E2BIG where Linux gives it, and large ones that fit arrive whole.
#include "guest.h"
#include <sys/resource.h>

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) {
        unsigned long sum = 0;
        size_t bytes = 0;
        for (int i = 0; i < argc; i++)
            for (char *p = argv[i]; *p; p++, bytes++)
                sum = sum * 31 + (unsigned char)*p;
        printf("%d arguments, %zu bytes, sum %lx\n", argc, bytes, sum);
        return 0;
    }
    char *env[] = {NULL};
    char *string = malloc(200000);
    memset(string, 'x', 200000);
    for (int i = 0; i < 131071; i++)
        string[i] = 'a' + i % 26;
    // MAX_ARG_STRLEN: 32 pages with the terminator.
    string[131071] = 0;
    char *args[] = {"prog", string, NULL};
    IN_CHILD("longest argument", execve("./prog", args, env));
    string[131071] = 'x';
    string[131072] = 0;
    IN_CHILD("an argument too long", SHOW(execve("./prog", args, env)));
    string[131072] = 'x';
    string[131071] = 0;

    static char *many[20002];
    many[0] = "prog";
    for (int i = 1; i <= 20000; i++) {
        many[i] = malloc(48);
        snprintf(many[i], 48, "argument number %d", i);
    }
    IN_CHILD("20000 arguments", execve("./prog", many, env));
    static char *large[30];
    large[0] = "prog";
    for (int i = 1; i <= 12; i++)
        large[i] = string;
    IN_CHILD("1.5 MB", execve("./prog", large, env));
    for (int i = 13; i <= 25; i++)
        large[i] = string;
    IN_CHILD("3 MB", SHOW(execve("./prog", large, env)));
    struct rlimit limit = {1 << 20, 1 << 20};
    IN_CHILD("a quarter of the stack limit", setrlimit(RLIMIT_STACK, &limit); many[15000] = NULL;
             SHOW(execve("./prog", many, env)));
    IN_CHILD("empty argv", char *none[] = {NULL}; execve("/bin/echo", none, env); SHOW(errno));
    return 0;
}
