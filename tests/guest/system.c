// variants: dynamic static musl-static
// What a system tells about itself: uname, sysinfo, random numbers, limits, scheduling, personality, prctl.
#include "guest.h"
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static void identity(void)
{
    struct utsname uts;
    RAW(uname, &uts);
    RAW(uname, unmapped_address());
    int major = 0, minor = 0;
    sscanf(uts.release, "%d.%d", &major, &minor);
    printf("%s %s, release at least 6.1: %d\n", uts.sysname, uts.machine, major * 100 + minor >= 601);
    TRUTH(strlen(uts.nodename) > 0 && strlen(uts.version) > 0);
    struct sysinfo info;
    RAW(sysinfo, &info);
    RAW(sysinfo, unmapped_address());
    TRUTH(info.uptime > 0 && info.totalram > 0 && info.freeram <= info.totalram && info.mem_unit > 0);
    char name[65] = "";
    TRUTH(gethostname(name, sizeof(name)) == 0 && strcmp(name, uts.nodename) == 0);
    RAW(sethostname, "x", -1);
    RAW(setdomainname, "x", 1000);
}

static void randomness(void)
{
    unsigned char a[32], b[32];
    RAW(getrandom, a, 32L, 0);
    RAW(getrandom, b, 32L, 1);
    TRUTH(memcmp(a, b, 32) != 0);
    RAW(getrandom, a, 32L, 0x100);
    RAW(getrandom, unmapped_address(), 32L, 0);
    RAW(getrandom, a, 0L, 0);
}

static void limits(void)
{
    struct rlimit limit, again;
    RAW(getrlimit, RLIMIT_NOFILE, &limit);
    TRUTH(limit.rlim_cur > 0 && limit.rlim_cur <= limit.rlim_max);
    RAW(getrlimit, 99, &limit);
    RAW(getrlimit, RLIMIT_NOFILE, unmapped_address());
    RAW(getrlimit, RLIMIT_STACK, &limit);
    printf("stack %d\n", limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= 1 << 20);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 1000;
    RAW(setrlimit, RLIMIT_FSIZE, &limit);
    RAW(setrlimit, 99, &limit);
    getrlimit(RLIMIT_FSIZE, &again);
    printf("%ld\n", (long)again.rlim_cur);
    int fd = open("limited", O_RDWR | O_CREAT, 0644);
    char data[2000] = "";
    signal(SIGXFSZ, SIG_IGN);
    SHOW(write(fd, data, 2000));
    SHOW(write(fd, data, 1));
    SHOW(ftruncate(fd, 5000));
    signal(SIGXFSZ, SIG_DFL);
    IN_CHILD("SIGXFSZ", write(fd, data, 1));
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    struct rlimit bad = {10, 5};
    RAW(setrlimit, RLIMIT_NOFILE, &bad);
    RAW(prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    RAW(prlimit64, 999999, RLIMIT_NOFILE, NULL, &limit);
    RAW(prlimit64, 0, RLIMIT_CORE, &((struct rlimit){0, 0}), &limit);
    IN_CHILD("inherited", getrlimit(RLIMIT_CORE, &limit); printf("core %ld\n", (long)limit.rlim_cur));
    // The address space is limited.
    IN_CHILD("address space", limit = (struct rlimit){200 << 20, 200 << 20}; setrlimit(RLIMIT_AS, &limit);
             TRUTH(mmap(NULL, 1 << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED));
    IN_CHILD(
        "raising the hard limit",
        if (getuid() == 0) { setresuid(1000, 1000, 1000); } limit = (struct rlimit){100, 100};
        SHOW(setrlimit(RLIMIT_NOFILE, &limit)); limit.rlim_max = 200; SHOW(setrlimit(RLIMIT_NOFILE, &limit)));
}

static void scheduling(void)
{
    struct sched_param parameter = {0};
    RAW(sched_yield, 0);
    RAW(sched_getscheduler, 0);
    RAW(sched_getscheduler, 999999);
    RAW(sched_getparam, 0, &parameter);
    RAW(sched_getparam, 999999, &parameter);
    RAW(sched_setscheduler, 0, SCHED_BATCH, &parameter);
    RAW(sched_getscheduler, 0);
    RAW(sched_setscheduler, 0, 99, &parameter);
    RAW(sched_setscheduler, 0, SCHED_OTHER, &parameter);
    RAW(sched_setparam, 0, &parameter);
    RAW(sched_setparam, 999999, &parameter);
    RAW(sched_get_priority_max, SCHED_FIFO);
    RAW(sched_get_priority_min, SCHED_FIFO);
    RAW(sched_get_priority_max, 99);
    RAW(sched_get_priority_min, 99);
    struct timespec interval;
    RAW(sched_rr_get_interval, 999999, &interval);
    show_success("raw sched_rr_get_interval", syscall(SYS_sched_rr_get_interval, 0, &interval));
    cpu_set_t set;
    CPU_ZERO(&set);
    TRUTH(syscall(SYS_sched_getaffinity, 0, sizeof(set), &set) > 0);
    TRUTH(CPU_COUNT(&set) == sysconf(_SC_NPROCESSORS_ONLN));
    RAW(sched_getaffinity, 999999, sizeof(set), &set);
    RAW(sched_getaffinity, 0, 1L, &set);
    RAW(sched_setaffinity, 0, sizeof(set), &set);
    CPU_ZERO(&set);
    RAW(sched_setaffinity, 0, sizeof(set), &set);
    unsigned cpu = 999, node = 999;
    RAW(getcpu, &cpu, &node, NULL);
    TRUTH(cpu < 1024 && node < 64);
    RAW(getcpu, unmapped_address(), NULL, NULL);
    RAW(getpriority, PRIO_PROCESS, 0);
    RAW(getpriority, 99, 0);
    RAW(setpriority, PRIO_PROCESS, 0, 5);
    RAW(getpriority, PRIO_PROCESS, 0);
    RAW(setpriority, 99, 0, 5);
    RAW(setpriority, PRIO_PROCESS, 999999, 5);
    IN_CHILD("inherited nice", RAW(getpriority, PRIO_PROCESS, 0));
    RAW(ioprio_get, 1, 0);
    RAW(ioprio_get, 99, 0);
    RAW(ioprio_set, 1, 0, 2 << 13 | 4);
    RAW(ioprio_set, 99, 0, 0);
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {0};
    RAW(sched_getattr, 0, &attributes, 48, 0);
    printf("policy %u nice %d\n", attributes.policy, attributes.nice);
    RAW(sched_getattr, 999999, &attributes, 48, 0);
    attributes.size = 48;
    RAW(sched_setattr, 0, &attributes, 0);
    RAW(sched_setattr, 999999, &attributes, 0);
}

static void process_controls(void)
{
    char name[20] = "";
    SHOW(prctl(PR_SET_DUMPABLE, 0));
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_SET_DUMPABLE, 7));
    SHOW(prctl(PR_SET_DUMPABLE, 1));
    SHOW(prctl(PR_GET_KEEPCAPS));
    SHOW(prctl(PR_SET_KEEPCAPS, 1));
    SHOW(prctl(PR_GET_KEEPCAPS));
    SHOW(prctl(PR_SET_KEEPCAPS, 2));
    SHOW(prctl(PR_SET_KEEPCAPS, 0));
    SHOW(prctl(PR_GET_TIMERSLACK) > 0);
    SHOW(prctl(PR_SET_NAME, "short"));
    SHOW(prctl(PR_GET_NAME, name));
    printf("%s\n", name);
    SHOW(prctl(99999));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0);
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    RAW(personality, 0xffffffff);
    IN_CHILD("personality", RAW(personality, 0x0040000); RAW(personality, 0xffffffff));
    unsigned long base = 0;
    RAW(arch_prctl, 0x1003, &base); // ARCH_GET_FS
    TRUTH(base != 0);
    RAW(arch_prctl, 0x9999, 0);
    RAW(arch_prctl, 0x1003, unmapped_address());
    RAW(kcmp, getpid(), getpid(), 2, 0, 0);
    RAW(kcmp, getpid(), 999999, 2, 0, 0);
    RAW(membarrier, 999, 0, 0);
    RAW(set_robust_list, NULL, 7L);
    show_success("raw get_robust_list", syscall(SYS_get_robust_list, 0, &(void *){0}, &(size_t){0}));
    RAW(get_robust_list, 999999, &(void *){0}, &(size_t){0});
    show_value("no such call", syscall(1000));
    show_value("a call without a number", syscall(-1));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    identity();
    randomness();
    limits();
    scheduling();
    process_controls();
    return 0;
}
