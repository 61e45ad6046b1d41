// A guest that tries how careful the Sentry is with it: whether a handler's mistake lets the host run a call, whether text of its
// own reaches the log as it is, and whether a table grows beyond its limit. Usage: bounds VERSION: the host's, of uname(2).
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define FEW 40
#define NO_SUCH_CALL 1000

int main(int argc, char **argv)
{
    struct utsname name = {0};
    int result = uname(&name);
    if (argc > 1 && result == 0 && strcmp(name.version, argv[1]) == 0)
        puts("the host answers uname");
    else
        printf("uname: %d, %d\n", result, result ? errno : 0);
    prctl(PR_SET_NAME, "\x1b[31mred");
    syscall(NO_SUCH_CALL);
    struct rlimit few = {FEW, FEW};
    if (setrlimit(RLIMIT_NOFILE, &few))
        return 1;
    int fd = 0;
    for (int i = 0; i < 2 * FEW && fd >= 0; i++)
        fd = dup(0);
    puts(fd >= FEW ? "more descriptors than the limit" : "a full table");
    return 0;
}
