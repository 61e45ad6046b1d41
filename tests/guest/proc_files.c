// variants: dynamic static musl-static
// /proc in the form programs read it.
#include "guest.h"
#include <dirent.h>
#include <sys/prctl.h>

static void status_field(const char *field, long expected)
{
    slurp("/proc/self/status");
    char *line = strstr(slurped, field);
    printf("status %s %s\n", field,
           line && strtol(line + strlen(field), NULL, 10) == expected ? "as expected" : "WRONG");
}

static void *waits(void *argument)
{
    pthread_barrier_wait(argument);
    pthread_barrier_wait(argument);
    return NULL;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    char link[4096], path[64];
    ssize_t n = readlink("/proc/self", link, sizeof(link) - 1);
    link[n > 0 ? n : 0] = 0;
    TRUTH(atoi(link) == getpid());
    n = readlink("/proc/self/exe", link, sizeof(link) - 1);
    link[n > 0 ? n : 0] = 0;
    TRUTH(n > 5 && strcmp(link + n - 5, "/prog") == 0);
    char cwd[4096];
    getcwd(cwd, sizeof(cwd));
    n = readlink("/proc/self/cwd", link, sizeof(link) - 1);
    link[n > 0 ? n : 0] = 0;
    TRUTH(strcmp(link, cwd) == 0);
    n = readlink("/proc/self/root", link, sizeof(link) - 1);
    link[n > 0 ? n : 0] = 0;
    printf("root %s\n", link);
    n = slurp("/proc/self/cmdline");
    printf("cmdline %zd [%s]\n", n, slurped);
    TRUTH(slurp("/proc/self/environ") > 0);
    has("/proc/self/environ", "LANG=C.UTF-8");
    prctl(PR_SET_NAME, "renamed (x) y");
    slurp("/proc/self/comm");
    printf("comm %s", slurped);
    slurp("/proc/self/stat");
    int pid, ppid, pgrp, session;
    char state;
    char *after = strrchr(slurped, ')');
    TRUTH(strncmp(strchr(slurped, '('), "(renamed (x) y) ", 16) == 0);
    TRUTH(sscanf(slurped, "%d", &pid) == 1 && pid == getpid());
    sscanf(after + 2, "%c %d %d %d", &state, &ppid, &pgrp, &session);
    printf("state %c, ppid %d pgrp %d session %d\n", state, ppid == getppid(), pgrp == getpgrp(),
           session == getsid(0));
    int fields = 0;
    for (char *p = after; *p; p++)
        fields += *p == ' ';
    printf("fields after the name: %d\n", fields);
    status_field("Pid:\t", getpid());
    status_field("Tgid:\t", getpid());
    status_field("PPid:\t", getppid());
    status_field("Uid:\t", getuid());
    status_field("Gid:\t", getgid());
    status_field("Threads:\t", 1);
    has("/proc/self/status", "VmRSS:");
    has("/proc/self/status", "SigCgt:");
    has("/proc/self/status", "CapEff:");
    has("/proc/self/status", "State:\tR (running)");
    long size, resident;
    slurp("/proc/self/statm");
    TRUTH(sscanf(slurped, "%ld %ld", &size, &resident) == 2 && size > 0 && resident > 0 && resident <= size);
    slurp("/proc/self/maps");
    TRUTH(strstr(slurped, "/prog\n") != NULL);
    TRUTH(strstr(slurped, "[stack]") != NULL);
    TRUTH(strstr(slurped, "[heap]") != NULL || malloc(10) != NULL);
    TRUTH(strstr(slurped, "[vdso]") != NULL);
    // Our own code is in an executable mapping.
    int found = 0;
    for (char *line = strtok(slurped, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long low, high;
        char permissions[5];
        if (sscanf(line, "%lx-%lx %4s", &low, &high, permissions) == 3 && low <= (uintptr_t)main &&
            (uintptr_t)main < high)
            found = permissions[0] == 'r' && permissions[2] == 'x';
    }
    printf("main is in an executable mapping: %d\n", found);
    has("/proc/self/limits", "Max open files");
    has("/proc/self/mounts", "proc /proc proc ");
    has("/proc/self/mountinfo", " /proc ");
    TRUTH(slurp("/proc/self/cgroup") > 0);
    TRUTH(slurp("/proc/self/oom_score_adj") > 0);
    int fd = open("prog", O_RDONLY);
    lseek(fd, 10, SEEK_SET);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    n = readlink(path, link, sizeof(link) - 1);
    link[n > 0 ? n : 0] = 0;
    TRUTH(n > 5 && strcmp(link + n - 5, "/prog") == 0);
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    has(path, "pos:\t10");
    has(path, "flags:\t0100000");
    int pipes[2];
    pipe(pipes);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", pipes[0]);
    n = readlink(path, link, sizeof(link) - 1);
    printf("pipe link %.6s\n", link);
    SHOW(readlink("/proc/self/fd/99", link, sizeof(link)));
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    printf("descriptors %d\n", count);
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 4);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, waits, &barrier);
    pthread_barrier_wait(&barrier);
    dir = opendir("/proc/self/task");
    count = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    printf("tasks %d\n", count);
    status_field("Threads:\t", 4);
    snprintf(path, sizeof(path), "/proc/self/task/%d/comm", getpid());
    slurp(path);
    printf("%s", slurped);
    n = readlink("/proc/thread-self", link, sizeof(link) - 1);
    TRUTH(n > 0);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);

    // Another process.
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    snprintf(path, sizeof(path), "/proc/%d/stat", child);
    for (int i = 0; i < 1000; i++) {
        slurp(path);
        if (strstr(slurped, ") S "))
            break;
        sleep_ms(1);
    }
    printf("child sleeps: %d\n", strstr(slurped, ") S ") != NULL);
    kill(child, SIGKILL);
    for (int i = 0; i < 1000; i++) {
        slurp(path);
        if (strstr(slurped, ") Z "))
            break;
        sleep_ms(1);
    }
    printf("child is a zombie: %d\n", strstr(slurped, ") Z ") != NULL);
    waitpid(child, NULL, 0);
    SHOW(open(path, O_RDONLY));
    SHOW(access("/proc/999999", F_OK));
    dir = opendir("/proc");
    int own = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        own += atoi(entry->d_name) == getpid();
    closedir(dir);
    printf("listed %d\n", own);

    has("/proc/meminfo", "MemTotal:");
    has("/proc/meminfo", "MemAvailable:");
    has("/proc/cpuinfo", "processor\t: 0");
    has("/proc/stat", "cpu  ");
    has("/proc/stat", "btime ");
    double up, idle;
    slurp("/proc/uptime");
    TRUTH(sscanf(slurped, "%lf %lf", &up, &idle) == 2 && up > 0);
    double load;
    slurp("/proc/loadavg");
    TRUTH(sscanf(slurped, "%lf", &load) == 1);
    has("/proc/version", "Linux version ");
    has("/proc/filesystems", "tmpfs");
    TRUTH(slurp("/proc/sys/kernel/ostype") > 0 && strcmp(slurped, "Linux\n") == 0);
    TRUTH(slurp("/proc/sys/kernel/osrelease") > 0 && atoi(slurped) >= 6);
    TRUTH(slurp("/proc/sys/kernel/hostname") > 0);
    TRUTH(slurp("/proc/sys/kernel/pid_max") > 0 && atoi(slurped) > 1000);
    TRUTH(slurp("/proc/sys/kernel/random/uuid") == 37);
    TRUTH(slurp("/proc/sys/kernel/random/boot_id") == 37);
    TRUTH(slurp("/proc/sys/vm/overcommit_memory") > 0);
    TRUTH(slurp("/proc/sys/vm/max_map_count") > 0 && atoi(slurped) > 1000);
    TRUTH(slurp("/proc/sys/fs/file-max") > 0);
    TRUTH(slurp("/proc/sys/fs/pipe-max-size") > 0 && atoi(slurped) >= 65536);
    TRUTH(slurp("/proc/sys/kernel/cap_last_cap") > 0 && atoi(slurped) >= 36);
    TRUTH(slurp("/proc/sys/kernel/ngroups_max") > 0 && atoi(slurped) == 65536);
    TRUTH(slurp("/proc/sys/net/core/somaxconn") > 0);
    SHOW(open("/proc/missing", O_RDONLY));
    SHOW(open("/proc/new", O_RDWR | O_CREAT, 0600));
    SHOW(mkdir("/proc/new", 0755));
    SHOW(unlink("/proc/meminfo"));
    struct stat st;
    SHOW(stat("/proc/self/status", &st));
    printf("%o %lld\n", st.st_mode, (long long)st.st_size);
    SHOW(stat("/proc/self/fd", &st));
    TRUTH(S_ISDIR(st.st_mode));
    fd = open("/proc/self/comm", O_WRONLY);
    SHOW(write(fd, "written", 7));
    slurp("/proc/self/comm");
    printf("%s", slurped);
    // Reading in small pieces gives the same text.
    fd = open("/proc/filesystems", O_RDONLY);
    int whole = slurp("/proc/filesystems"), pieces = 0;
    while (read(fd, path, 3) > 0)
        pieces++;
    TRUTH(pieces == (whole + 2) / 3);
    SHOW(pread(fd, path, 5, 0));
    SHOW(lseek(fd, 0, SEEK_SET));
    return 0;
}
