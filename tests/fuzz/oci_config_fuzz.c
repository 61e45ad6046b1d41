// The decoder of config.json on changed configurations: it refuses with a sentence or returns something that
// can be used whole. What is used: every string and number that a command would look at.
#include "tests/fuzz/fuzz.h"
#include "sentry/oci/config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t sum;

static void use(const char *text)
{
    sum += text ? strlen(text) : 0;
}

static void use_list(const struct oci_strings *list)
{
    for (size_t i = 0; i < list->count; i++)
        use(list->list[i]);
    if (list->count && list->list[list->count])
        abort();
}

static void use_process(const struct oci_process *p)
{
    if (!p)
        return;
    if (p->args.count == 0 || p->cwd[0] != '/')
        abort();
    if (p->capabilities[OCI_CAP_EFFECTIVE] & ~p->capabilities[OCI_CAP_PERMITTED])
        abort();
    use_list(&p->args);
    use_list(&p->env);
    for (size_t i = 0; i < p->nr_additional_gids; i++)
        sum += p->additional_gids[i];
    use(p->apparmor_profile);
}

static void use_config(const struct oci_config *c)
{
    use(c->version);
    use(c->root_path);
    use(c->hostname);
    use_process(c->process);
    for (size_t i = 0; i < c->nr_mounts; i++) {
        if (c->mounts[i].destination[0] != '/' || !c->mounts[i].destination[1])
            abort();
        if (c->mounts[i].type == OCI_MOUNT_BIND)
            use(c->mounts[i].source);
    }
    for (int kind = 0; kind < OCI_HOOK_KINDS; kind++) {
        for (size_t i = 0; i < c->hooks[kind].count; i++) {
            if (c->hooks[kind].list[i].path[0] != '/')
                abort();
            use_list(&c->hooks[kind].list[i].args);
            use_list(&c->hooks[kind].list[i].env);
        }
    }
    for (size_t i = 0; i < c->nr_annotations; i++)
        use(oci_annotation(c, c->annotations[i].name));
    for (size_t i = 0; i < c->nr_sysctls; i++)
        use(c->sysctls[i].name);
    for (size_t i = 0; i < c->nr_devices; i++)
        use(c->devices[i].path);
    use_list(&c->masked_paths);
    use_list(&c->readonly_paths);
    use_list(&c->warnings);
    for (size_t i = 0; c->seccomp && i < c->seccomp->nr_rules; i++)
        for (size_t j = 0; j < c->seccomp->rules[i].nr_names; j++)
            use(c->seccomp->rules[i].names[j]);
    for (size_t i = 0; i < c->resources->nr_hugepages; i++)
        use(c->resources->hugepages[i].page_size);
}

static void try_one(const uint8_t *bytes, size_t size)
{
    struct oci_config config;
    struct oci_error error;
    char *exact = malloc(size ? size : 1);
    if (!exact)
        return;
    memcpy(exact, bytes, size);
    error.text[0] = 0;
    int result = oci_config_parse(exact, size, &config, &error);
    free(exact);
    if (result && (!error.text[0] || config.document.memory))
        abort();
    if (!result)
        use_config(&config);
    oci_config_free(&config);
}

static const char seed[] =
    "{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":1,\"width\":2},"
    "\"user\":{\"uid\":0,\"gid\":0,\"umask\":18,\"additionalGids\":[1,2]},\"args\":[\"sh\",\"-c\"],"
    "\"env\":[\"A=B\"],\"cwd\":\"/"
    "\",\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],"
    "\"permitted\":[\"CAP_KILL\"],\"ambient\":[\"CAP_KILL\"]},\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\","
    "\"hard\":1024,\"soft\":1024}],\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":1},\"apparmorProfile\":"
    "\"x\"},"
    "\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"h\",\"mounts\":[{\"destination\":\"/"
    "proc\","
    "\"type\":\"proc\",\"source\":\"proc\"},{\"destination\":\"/"
    "dev\",\"type\":\"tmpfs\",\"options\":[\"nosuid\","
    "\"mode=755\",\"size=65536k\",\"rprivate\"]},{\"destination\":\"/a/../b\",\"source\":\"/"
    "c\",\"options\":[\"rbind\","
    "\"rro\"]}],\"hooks\":{\"prestart\":[{\"path\":\"/x\",\"args\":[\"a\"],\"env\":[],\"timeout\":1}]},"
    "\"annotations\":{\"a\":\"1\",\"b\":\"2\"},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":"
    "\"uts\"},"
    "{\"type\":\"mount\"},{\"type\":\"user\"},{\"type\":\"network\",\"path\":\"/"
    "n\"}],\"uidMappings\":[{\"containerID\":0,"
    "\"hostID\":1,\"size\":2}],\"gidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":2}],\"sysctl\":{"
    "\"net.a.b\":\"1\"},\"devices\":[{\"path\":\"/dev/"
    "x\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":438}],"
    "\"cgroupsPath\":\"/"
    "a\",\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}],\"memory\":{\"limit\":1},"
    "\"cpu\":{\"cpus\":\"0-1\"},\"pids\":{\"limit\":1},\"blockIO\":{\"weight\":10},\"hugepageLimits\":[{"
    "\"pageSize\":"
    "\"2MB\",\"limit\":1}],\"unified\":{\"memory.high\":\"1\"}},\"maskedPaths\":[\"/proc/"
    "kcore\"],\"seccomp\":{"
    "\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86_64\"],\"syscalls\":[{\"names\":["
    "\"read\"],"
    "\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}}}";

// Replaces a token of the seed by another token of it, or by one that is seldom right, a few times.
static size_t make(uint8_t *bytes, size_t size)
{
    static const char *const others[] = {"null",
                                         "0",
                                         "-1",
                                         "{}",
                                         "[]",
                                         "\"\"",
                                         "true",
                                         "1e3",
                                         "\"\\u0000\"",
                                         "\"..\"",
                                         "18446744073709551615",
                                         "\"SCMP_ACT_LOG\"",
                                         "\"CAP_CHOWN\"",
                                         "\"/../..\""};
    size_t used = sizeof(seed) - 1;
    memcpy(bytes, seed, used);
    for (unsigned n = (unsigned)(next() % 4); n > 0; n--) {
        size_t at = next() % used;
        while (at < used && !strchr("\"{[0123456789tf", bytes[at]))
            at++;
        size_t end = at + 1;
        if (at < used && bytes[at] == '"')
            while (end < used && bytes[end++] != '"')
                ;
        const char *other = others[next() % (sizeof(others) / sizeof(others[0]))];
        size_t length = strlen(other);
        if (at >= used || used - (end - at) + length > size)
            continue;
        memmove(bytes + at + length, bytes + end, used - end);
        memcpy(bytes + at, other, length);
        used += length - (end - at);
    }
    return used;
}

static void smoke(unsigned long rounds)
{
    uint8_t bytes[8192];
    for (unsigned long i = 0; i < rounds; i++)
        try_one(bytes, make(bytes, sizeof(bytes)));
    printf("%lu inputs, %llu\n", rounds, (unsigned long long)sum);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, smoke, try_one);
}
