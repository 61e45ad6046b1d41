// variants: dynamic static musl-static
// What tools of memory and of the network read below /proc: smaps, pagemap, numa_maps, the counters of /proc/net.
#include "guest.h"
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>

// The figure of a field in the paragraph of the mapping at an address; -1: there is none.
static long smaps_field(void *at, const char *field)
{
    bool inside = false;
    slurp("/proc/self/smaps");
    for (char *line = strtok(slurped, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long low, high;
        if (sscanf(line, "%lx-%lx ", &low, &high) == 2)
            inside = low <= (uintptr_t)at && (uintptr_t)at < high;
        else if (inside && strncmp(line, field, strlen(field)) == 0)
            return strtol(line + strlen(field), NULL, 10);
    }
    return -1;
}

static void smaps(void)
{
    char *p = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(p, 4096, PROT_NONE); // a mapping of its own, whatever lies beside it
    mprotect(p + 15 * 4096, 4096, PROT_NONE);
    p += 4096;
    memset(p, 1, 3 * 4096);
    SHOW(smaps_field(p, "Size:"));
    SHOW(smaps_field(p, "Rss:"));
    SHOW(smaps_field(p, "Private_Dirty:"));
    SHOW(smaps_field(p, "Anonymous:"));
    SHOW(smaps_field(p, "KernelPageSize:"));
    SHOW(smaps_field(p, "Locked:") >= 0);
    TRUTH(smaps_field(p, "NoSuchField:") == -1);
    slurp("/proc/self/smaps");
    int headers = 0, flags = 0;
    for (char *line = strtok(slurped, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long low, high;
        headers += sscanf(line, "%lx-%lx ", &low, &high) == 2;
        flags += strncmp(line, "VmFlags:", 8) == 0;
    }
    TRUTH(headers > 3 && headers == flags);
    has("/proc/self/smaps", "[stack]");
    has("/proc/self/smaps", "/prog\n");
    has("/proc/self/smaps_rollup", "[rollup]");
    munmap(p - 4096, 16 * 4096);
    SHOW(open("/proc/2000000000/smaps", O_RDONLY));
}

static void pagemap(void)
{
    char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t entry[4] = {0};
    p[0] = p[2 * 4096] = 1;
    int fd = open("/proc/self/pagemap", O_RDONLY);
    off_t at = (off_t)((uintptr_t)p / 4096 * 8);
    SHOW(pread(fd, entry, sizeof(entry), at));
    for (int i = 0; i < 4; i++)
        printf("page %d: present %d swapped %d file %d\n", i, (int)(entry[i] >> 63),
               (int)(entry[i] >> 62 & 1), (int)(entry[i] >> 61 & 1));
    SHOW(pread(fd, entry, 7, at));
    SHOW(pread(fd, entry, 8, at + 1));
    SHOW(pread(fd, entry, 0, at));
    SHOW(pread(fd, (void *)8, 8, at));
    SHOW(write(fd, entry, 8));
    close(fd);
    // An ordinary user sees no frame numbers; in the sandbox nobody does.
    pid_t child = fork();
    if (child == 0) {
        setresgid(65534, 65534, 65534);
        setresuid(65534, 65534, 65534);
        SHOW(open("/proc/self/pagemap", O_RDONLY)); // not dumpable
        prctl(PR_SET_DUMPABLE, 1);
        fd = open("/proc/self/pagemap", O_RDONLY);
        SHOW(pread(fd, entry, 8, at));
        printf("present %d, a frame number: %d\n", (int)(entry[0] >> 63),
               (entry[0] & ((1ull << 55) - 1)) != 0);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    struct stat st;
    stat("/proc/self/pagemap", &st);
    printf("mode %o\n", st.st_mode);
}

// Names and values of a group go in pairs of lines with as many words.
static void pairs(const char *path, const char *group)
{
    int words[2] = {0, 0}, line_nr = 0;
    size_t len = strlen(group);
    slurp(path);
    for (char *line = strtok(slurped, "\n"); line; line = strtok(NULL, "\n"))
        if (strncmp(line, group, len) == 0 && line[len] == ':' && line_nr < 2) {
            for (char *c = line; *c; c++)
                words[line_nr] += *c == ' ';
            line_nr++;
        }
    printf("%s %s: %d lines, as many words %d\n", path, group, line_nr, words[0] > 1 && words[0] == words[1]);
}

// A figure such as "TCP: ... alloc N".
static long figure(const char *path, const char *group, const char *key)
{
    slurp(path);
    char *line = strstr(slurped, group), *end = line ? strchr(line, '\n') : NULL;
    if (!end)
        return -1;
    *end = 0;
    char *at = strstr(line, key);
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

static void network(void)
{
    pairs("/proc/net/snmp", "Ip");
    pairs("/proc/net/snmp", "Icmp");
    pairs("/proc/net/snmp", "Tcp");
    pairs("/proc/net/snmp", "Udp");
    pairs("/proc/net/netstat", "TcpExt");
    pairs("/proc/net/netstat", "IpExt");
    has("/proc/net/snmp", "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails");
    has("/proc/net/snmp6", "Ip6InReceives                   \t");
    has("/proc/net/protocols", "\nTCP ");
    has("/proc/net/protocols", "\nUNIX ");
    has("/proc/net/if_inet6", " lo\n");
    has("/proc/net/raw6", "  sl  local_address                         remote_address ");
    has("/proc/net/udplite", "   sl  local_address rem_address ");
    has("/proc/net/ptype", "Type Device      Function\n");
    has("/proc/net/psched", "000003e8 00000040 000f4240 ");
    long used = figure("/proc/net/sockstat", "sockets:", "used ");
    long alloc = figure("/proc/net/sockstat", "TCP:", "alloc "),
         inuse = figure("/proc/net/sockstat", "TCP:", "inuse ");
    long udp = figure("/proc/net/sockstat6", "UDP6:", "inuse ");
    int fd = socket(AF_INET, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    SHOW(listen(fd, 1));
    SHOW(bind(six, (struct sockaddr *)&any, sizeof(any)));
    TRUTH(used >= 0 && alloc >= 0 && inuse >= 0 && udp >= 0);
    // Others on the same host may come and go, but ours are there.
    TRUTH(figure("/proc/net/sockstat", "sockets:", "used ") >= 2);
    TRUTH(figure("/proc/net/sockstat", "TCP:", "alloc ") >= 1);
    TRUTH(figure("/proc/net/sockstat", "TCP:", "inuse ") >= 1);
    TRUTH(figure("/proc/net/sockstat6", "UDP6:", "inuse ") >= 1);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    smaps();
    pagemap();
    network();
    return 0;
}
