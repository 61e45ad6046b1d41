// config.json: what is decoded, what is refused, and by which sentence.
#include "sentry/oci/config.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

enum place { TOP, PROCESS, LINUX, RESOURCES, MOUNT, SECCOMP };

// A configuration that is good by itself, with `text` added to one of its objects.
static char *document(enum place place, const char *text)
{
    static const char form[] =
        "{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"rootfs\"}%s,\n"
        " \"process\": {\"args\": [\"sh\"], \"cwd\": \"/\"%s},\n"
        " \"mounts\": [{\"destination\": \"/m\"%s}],\n"
        " \"linux\": {\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"uts\"}, {\"type\": \"ipc\"},"
        " {\"type\": \"network\"}]%s,\n"
        "  \"resources\": {\"devices\": []%s}%s}}";
    char *out = NULL, part[6][4096] = {{0}};
    for (int i = 0; i < 6; i++)
        if (i == (int)place && text[0])
            snprintf(part[i], sizeof(part[i]), ", %s", text);
    if (place != MOUNT)
        strcpy(part[MOUNT], ", \"type\": \"tmpfs\"");
    char seccomp[8192] = "";
    if (place == SECCOMP)
        snprintf(seccomp, sizeof(seccomp), ", \"seccomp\": {%s}", text);
    cr_assert(asprintf(&out, form, part[TOP], part[PROCESS], part[MOUNT], part[LINUX], part[RESOURCES],
                       seccomp) > 0);
    return out;
}

static int parse(enum place place, const char *text, struct oci_config *config, struct oci_error *error)
{
    char *whole = document(place, text);
    error->text[0] = 0;
    int result = oci_config_parse(whole, strlen(whole), config, error);
    free(whole);
    return result;
}

static struct oci_config good(enum place place, const char *text)
{
    struct oci_config config;
    struct oci_error error;
    cr_assert_eq(parse(place, text, &config, &error), 0, "%s: %s", text, error.text);
    return config;
}

struct refusal {
    enum place place;
    const char *text;
    const char *message; // all of it
};

static const struct refusal refusals[] = {
    {TOP, "\"hostname\": 1", "line 1: hostname: a string is expected"},
    {TOP, "\"hostname\": \"a\\u0000b\"", "line 1: hostname: the string holds a NUL"},
    {TOP, "\"annotations\": {\"\": \"x\"}", "line 1: annotations: an empty name"},
    {TOP, "\"annotations\": {\"a\": 1}", "line 1: annotations.a: a string is expected"},
    {TOP, "\"annotations\": []", "line 1: annotations: an object is expected"},
    {TOP, "\"hooks\": {\"prestart\": [{\"path\": \"bin/x\"}]}",
     "line 1: hooks.prestart[0].path: an absolute path is expected"},
    {TOP, "\"hooks\": {\"poststop\": [{}]}", "line 1: hooks.poststop[0]: \"path\" is required"},
    {TOP, "\"hooks\": {\"poststop\": [{\"path\": \"/x\", \"timeout\": 0}]}",
     "line 1: hooks.poststop[0].timeout: an integer from 1 to 1000000 is expected"},
    {PROCESS, "\"scheduler\": {\"policy\": \"SCHED_DEADLINE\"}",
     "line 2: process.scheduler: SCHED_DEADLINE is not supported"},
    {PROCESS, "\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"flags\": [\"SCHED_FLAG_RECLAIM\"]}",
     "line 2: process.scheduler.flags[0]: flags of the scheduler are not supported"},
    {TOP, "\"hooks\": {\"startContainer\": [1]}", "line 1: hooks.startContainer[0]: an object is expected"},

    {PROCESS, "\"terminal\": \"yes\"", "line 2: process.terminal: true or false is expected"},
    {PROCESS, "\"env\": [\"A=B\", 1]", "line 2: process.env[1]: a string is expected"},
    {PROCESS, "\"user\": {\"uid\": -1}",
     "line 2: process.user.uid: an integer from 0 to 4294967295 is expected"},
    {PROCESS, "\"user\": {\"uid\": 4294967295}", "line 2: process.user: -1 is no user or group"},
    {PROCESS, "\"user\": {\"gid\": 1.0}",
     "line 2: process.user.gid: an integer from 0 to 4294967295 is expected"},
    {PROCESS, "\"user\": {\"additionalGids\": [1, 4294967295]}",
     "line 2: process.user.additionalGids[1]: an integer from 0 to 4294967294 is expected"},
    {PROCESS, "\"capabilities\": {\"effective\": [\"CAP_KILL\"]}",
     "line 2: process.capabilities: a capability is effective that is not permitted"},
    {PROCESS, "\"rlimits\": [{\"type\": \"RLIMIT_FOO\", \"soft\": 1, \"hard\": 1}]",
     "line 2: process.rlimits[0].type: RLIMIT_FOO is no limit of Linux"},
    {PROCESS, "\"rlimits\": [{\"type\": \"RLIMIT_CPU\", \"soft\": 2, \"hard\": 1}]",
     "line 2: process.rlimits[0]: the soft limit is above the hard one"},
    {PROCESS, "\"rlimits\": [{\"type\": \"RLIMIT_CPU\", \"soft\": 2}]",
     "line 2: process.rlimits[0]: \"hard\" is required"},
    {PROCESS,
     "\"rlimits\": [{\"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": 1},\n"
     "{\"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": 1}]",
     "line 3: process.rlimits[1].type: RLIMIT_CPU is given twice"},
    {PROCESS, "\"oomScoreAdj\": 1001",
     "line 2: process.oomScoreAdj: an integer from -1000 to 1000 is expected"},
    {PROCESS, "\"selinuxLabel\": \"x\"", "line 2: process.selinuxLabel: SELinux labels are not supported"},
    {PROCESS, "\"consoleSize\": {\"height\": 1}", "line 2: process.consoleSize: \"width\" is required"},
    {PROCESS, "\"consoleSize\": {\"height\": 1, \"width\": 65536}",
     "line 2: process.consoleSize.width: an integer from 0 to 65535 is expected"},
    {PROCESS, "\"scheduler\": {}", "line 2: process.scheduler: \"policy\" is required"},
    {PROCESS, "\"scheduler\": {\"policy\": \"SCHED_ISO\"}",
     "line 2: process.scheduler.policy: SCHED_ISO is no policy of the scheduler"},
    {PROCESS, "\"scheduler\": {\"policy\": \"SCHED_FIFO\"}",
     "line 2: process.scheduler: the policy wants a priority from 1 to 99"},
    {PROCESS, "\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"priority\": 1}",
     "line 2: process.scheduler: the policy has no priority"},
    {PROCESS, "\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"nice\": 20}",
     "line 2: process.scheduler: nice is from -20 to 19"},
    {PROCESS, "\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"runtime\": 1}",
     "line 2: process.scheduler: runtime, deadline and period belong to SCHED_DEADLINE"},
    {PROCESS, "\"ioPriority\": {\"class\": \"X\"}",
     "line 2: process.ioPriority.class: X is no class of I/O priority"},
    {PROCESS, "\"ioPriority\": {\"class\": \"IOPRIO_CLASS_BE\", \"priority\": 8}",
     "line 2: process.ioPriority.priority: an integer from 0 to 7 is expected"},

    {MOUNT, "\"type\": \"ext4\"", "line 3: mounts[0].type: mounts of type \"ext4\" are not supported"},
    {MOUNT, "\"source\": \"/x\"", "line 3: mounts[0]: mounts of type \"\" are not supported"},
    {MOUNT, "\"type\": \"bind\"", "line 3: mounts[0]: a bind mount needs a \"source\""},
    {MOUNT, "\"type\": \"tmpfs\", \"options\": [\"ro\", \"foo\"]",
     "line 3: mounts[0].options[1]: the mount option \"foo\" is not supported for this type of mount"},
    {MOUNT, "\"type\": \"tmpfs\", \"options\": [\"size=x\"]",
     "line 3: mounts[0].options[0]: the mount option \"size=x\" has a bad value"},
    {MOUNT, "\"type\": \"tmpfs\", \"options\": [\"size=17592186044416m\"]",
     "line 3: mounts[0].options[0]: the mount option \"size=17592186044416m\" has a bad value"},
    {MOUNT, "\"type\": \"tmpfs\", \"options\": [\"mode=888\"]",
     "line 3: mounts[0].options[0]: the mount option \"mode=888\" has a bad value"},
    {MOUNT, "\"type\": \"tmpfs\", \"options\": [\"uid=4294967296\"]",
     "line 3: mounts[0].options[0]: the mount option \"uid=4294967296\" has a bad value"},
    {MOUNT, "\"type\": \"tmpfs\", \"options\": [\"size=0%\"]",
     "line 3: mounts[0].options[0]: the mount option \"size=0%\" has a bad value"},
    {MOUNT, "\"type\": \"tmpfs\", \"options\": [\"huge=always\"]",
     "line 3: mounts[0].options[0]: the mount option \"huge=always\" is not supported for this type of "
     "mount"},
    {MOUNT, "\"type\": \"bind\", \"source\": \"/x\", \"options\": [\"size=1\"]",
     "line 3: mounts[0].options[0]: the mount option \"size=1\" is not supported for this type of mount"},
    {MOUNT, "\"type\": \"bind\", \"source\": \"/x\", \"options\": [\"remount\"]",
     "line 3: mounts[0].options[0]: the mount option \"remount\" is not supported for this type of mount"},
    {MOUNT, "\"type\": \"bind\", \"source\": \"/x\", \"options\": [\"nosymfollow\"]",
     "line 3: mounts[0].options[0]: the mount option \"nosymfollow\" is not supported for this type of "
     "mount"},
    {MOUNT, "\"type\": \"tmpfs\", \"options\": [\"sync\"]",
     "line 3: mounts[0].options[0]: the mount option \"sync\" is not supported for this type of mount"},
    {MOUNT, "\"type\": \"bind\", \"source\": \"/x\", \"options\": [\"bind\", \"rslave\"]",
     "line 3: mounts[0].options[1]: rslave: what the host mounts later is not shown, so only private is "
     "supported"},
    {LINUX, "\"rootfsPropagation\": \"rshared\"",
     "line 4: linux.rootfsPropagation: rshared: the host does not see what guests mount"},
    {MOUNT, "\"type\": \"bind\", \"source\": \"/x\", \"options\": [\"idmap\"]",
     "line 3: mounts[0].options[0]: the mount option \"idmap\" is not supported for this type of mount"},
    {MOUNT, "\"type\": \"tmpfs\", \"uidMappings\": [{}]",
     "line 3: mounts[0].uidMappings: id-mapped mounts are not supported"},
    {MOUNT, "\"type\": \"tmpfs\", \"gidMappings\": [{}]",
     "line 3: mounts[0].gidMappings: id-mapped mounts are not supported"},
    {TOP, "\"x\": 0, \"hooks\": null, \"domainname\": 7", "line 1: domainname: a string is expected"},

    {LINUX, "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 0}]",
     "line 4: linux.uidMappings[0]: \"size\" is required"},
    {LINUX, "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 0}]",
     "line 4: linux.uidMappings[0]: an empty range, or one that reaches beyond the last number"},
    {LINUX, "\"gidMappings\": [{\"containerID\": 1, \"hostID\": 0, \"size\": 4294967295}]",
     "line 4: linux.gidMappings[0]: an empty range, or one that reaches beyond the last number"},
    {LINUX,
     "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 10},"
     "{\"containerID\": 20, \"hostID\": 9, \"size\": 1}]",
     "line 4: linux.uidMappings[1]: the range overlaps with another"},
    {LINUX,
     "\"uidMappings\": [{\"containerID\": 5, \"hostID\": 0, \"size\": 10},"
     "{\"containerID\": 0, \"hostID\": 100, \"size\": 6}]",
     "line 4: linux.uidMappings[1]: the range overlaps with another"},
    {LINUX, "\"sysctl\": {\"kernel.hostname\": \"x\"}",
     "line 4: linux.sysctl.kernel.hostname: \"hostname\" is the member for this"},
    {LINUX, "\"sysctl\": {\"kernel.pid_max\": \"1\"}",
     "line 4: linux.sysctl.kernel.pid_max: the parameter is not one of a namespace"},
    {LINUX, "\"sysctl\": {\"net..core\": \"1\"}",
     "line 4: linux.sysctl.net..core: no name of a kernel parameter"},
    {LINUX, "\"sysctl\": {\"net\": \"1\"}", "line 4: linux.sysctl.net: no name of a kernel parameter"},
    {LINUX, "\"sysctl\": {\"net.\": \"1\"}", "line 4: linux.sysctl.net.: no name of a kernel parameter"},
    {LINUX, "\"devices\": [{\"path\": \"/dev/x\", \"type\": \"x\"}]",
     "line 4: linux.devices[0].type: one of c, u, b and p is expected"},
    {LINUX, "\"devices\": [{\"path\": \"dev/x\", \"type\": \"p\"}]",
     "line 4: linux.devices[0].path: an absolute path is expected"},
    {LINUX, "\"devices\": [{\"path\": \"/dev/x\", \"type\": \"c\", \"major\": 1}]",
     "line 4: linux.devices[0]: \"minor\" is required"},
    {LINUX, "\"devices\": [{\"path\": \"/dev/x\", \"type\": \"c\", \"major\": 4096, \"minor\": 1}]",
     "line 4: linux.devices[0].major: an integer from 0 to 4095 is expected"},
    {LINUX, "\"rootfsPropagation\": \"x\"", "line 4: linux.rootfsPropagation: x is no propagation of mounts"},
    {LINUX, "\"maskedPaths\": [\"/a\", \"b\"]", "line 4: linux.maskedPaths[1]: an absolute path is expected"},
    {LINUX, "\"readonlyPaths\": [1]", "line 4: linux.readonlyPaths[0]: a string is expected"},
    {LINUX, "\"mountLabel\": \"x\"", "line 4: linux.mountLabel: SELinux labels are not supported"},
    {LINUX, "\"intelRdt\": {\"closID\": \"x\"}",
     "line 4: linux.intelRdt: resource control of Intel processors is not supported"},
    {LINUX, "\"personality\": {\"domain\": \"LINUX32\"}",
     "line 4: linux.personality.domain: the personality LINUX32 is not supported"},
    {LINUX, "\"personality\": {}", "line 4: linux.personality: \"domain\" is required"},
    {LINUX, "\"personality\": {\"domain\": \"LINUX\", \"flags\": [\"X\"]}",
     "line 4: linux.personality.flags[0]: flags of a personality are not supported"},
    {LINUX, "\"timeOffsets\": {\"boottime\": {\"secs\": 1}}",
     "line 4: linux.timeOffsets.boottime: offsets of clocks are not supported"},

    {RESOURCES, "\"memory\": {\"limit\": -2}",
     "line 5: linux.resources.memory.limit: an integer from -1 to 9223372036854775807 is expected"},
    {RESOURCES, "\"memory\": {\"swappiness\": 101}",
     "line 5: linux.resources.memory.swappiness: an integer from 0 to 100 is expected"},
    {RESOURCES, "\"cpu\": {\"shares\": -1}",
     "line 5: linux.resources.cpu.shares: an integer from 0 to 18446744073709551615 is expected"},
    {RESOURCES, "\"cpu\": {\"cpus\": \"0-\"}",
     "line 5: linux.resources.cpu.cpus: a list like 0-3,7 is expected"},
    {RESOURCES, "\"cpu\": {\"mems\": \"a\"}",
     "line 5: linux.resources.cpu.mems: a list like 0-3,7 is expected"},
    {RESOURCES, "\"cpu\": {\"idle\": 2}",
     "line 5: linux.resources.cpu.idle: an integer from 0 to 1 is expected"},
    {RESOURCES, "\"pids\": {}", "line 5: linux.resources.pids: \"limit\" is required"},
    {RESOURCES, "\"blockIO\": {\"weight\": 9}",
     "line 5: linux.resources.blockIO.weight: an integer from 10 to 1000 is expected"},
    {RESOURCES, "\"blockIO\": {\"weightDevice\": [{\"major\": 8, \"weight\": 10}]}",
     "line 5: linux.resources.blockIO.weightDevice[0]: \"minor\" is required"},
    {RESOURCES, "\"blockIO\": {\"throttleReadBpsDevice\": [{\"minor\": 8}]}",
     "line 5: linux.resources.blockIO.throttleReadBpsDevice[0]: \"major\" is required"},
    {RESOURCES, "\"hugepageLimits\": [{\"pageSize\": \"2M\", \"limit\": 1}]",
     "line 5: linux.resources.hugepageLimits[0].pageSize: a size like 2MB is expected"},
    {RESOURCES, "\"hugepageLimits\": [{\"pageSize\": \"2MB/../x\", \"limit\": 1}]",
     "line 5: linux.resources.hugepageLimits[0].pageSize: a size like 2MB is expected"},
    {RESOURCES, "\"network\": {\"priorities\": [{\"name\": \"a b\", \"priority\": 1}]}",
     "line 5: linux.resources.network.priorities[0]: no name of an interface"},
    {RESOURCES, "\"rdma\": {\"mlx5\": {}}",
     "line 5: linux.resources.rdma.mlx5: one of \"hcaHandles\" and \"hcaObjects\" is required"},
    {RESOURCES, "\"unified\": {\"../x.y\": \"1\"}",
     "line 5: linux.resources.unified.../x.y: no name of a file in a control group"},
    {RESOURCES, "\"unified\": {\"cgroup.procs\": \"1\"}",
     "line 5: linux.resources.unified.cgroup.procs: the files of the group itself are the runtime's"},

    {SECCOMP, "\"syscalls\": []", "line 5: linux.seccomp: \"defaultAction\" is required"},
    {SECCOMP, "\"defaultAction\": \"SCMP_ACT_NOTIFY\"",
     "line 5: linux.seccomp.defaultAction: notification of another program is not supported"},
    {SECCOMP, "\"defaultAction\": \"ALLOW\"", "line 5: linux.seccomp.defaultAction: ALLOW is no action"},
    {SECCOMP, "\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 4096",
     "line 5: linux.seccomp.defaultErrnoRet: an integer from 0 to 4095 is expected"},
    {SECCOMP, "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"listenerPath\": \"/x\"",
     "line 5: linux.seccomp.listenerPath: notification of another program is not supported"},
    {SECCOMP, "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"flags\": [\"X\"]",
     "line 5: linux.seccomp.flags[0]: X is no flag of a filter"},
    {SECCOMP, "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": [\"SCMP_ARCH_VAX\"]",
     "line 5: linux.seccomp.architectures[0]: SCMP_ARCH_VAX is no architecture"},
    {SECCOMP,
     "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [], \"action\": \"SCMP_ACT_KILL\"}]",
     "line 5: linux.seccomp.syscalls[0]: \"names\" is empty"},
    {SECCOMP, "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"]}]",
     "line 5: linux.seccomp.syscalls[0]: \"action\" is required"},
    {SECCOMP,
     "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"], \"action\": "
     "\"SCMP_ACT_KILL\","
     "\"args\": [{\"index\": 6, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"}]}]",
     "line 5: linux.seccomp.syscalls[0].args[0]: a call has the arguments 0 to 5"},
    {SECCOMP,
     "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"], \"action\": "
     "\"SCMP_ACT_KILL\","
     "\"args\": [{\"index\": 1, \"value\": 1, \"op\": \"==\"}]}]",
     "line 5: linux.seccomp.syscalls[0].args[0].op: == is no operator"},
};

Test(config, what_is_not_supported_is_refused_by_name)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct oci_config config;
        struct oci_error error;
        int result = parse(refusals[i].place, refusals[i].text, &config, &error);
        cr_expect_eq(result, -EINVAL, "%s", refusals[i].text);
        cr_expect_str_eq(error.text, refusals[i].message, "%s\n  says  %s\n  wants %s", refusals[i].text,
                         error.text, refusals[i].message);
        cr_expect_null(config.document.memory);
    }
}

static void refused_whole(const char *text, const char *message)
{
    struct oci_config config;
    struct oci_error error = {{0}};
    cr_expect_eq(oci_config_parse(text, strlen(text), &config, &error), -EINVAL, "%s", text);
    cr_expect_str_eq(error.text, message, "%s\n  says  %s\n  wants %s", text, error.text, message);
}

Test(config, what_is_required_and_what_contradicts_itself)
{
    refused_whole("[]", "line 1: document: an object is expected");
    refused_whole("{}", "line 1: document: \"ociVersion\" is required");
    refused_whole("{\"ociVersion\": \"1.0\"}", "line 1: ociVersion: 1.0 is no version");
    refused_whole("{\"ociVersion\": \"1.0.2 x\"}", "line 1: ociVersion: 1.0.2 x is no version");
    refused_whole("{\"ociVersion\": \"01.0.2\"}", "line 1: ociVersion: 01.0.2 is no version");
    refused_whole("{\"ociVersion\": \"2.0.0\"}",
                  "line 1: ociVersion: version 2.0.0 of the specification is not supported, 1.x is");
    refused_whole("{\"ociVersion\": \"1.0.0\"}", "line 1: document: \"root\" is required");
    refused_whole("{\"ociVersion\": \"1.0.0\", \"root\": {\"path\": \"\"}}",
                  "line 1: root.path: an empty path");
    refused_whole("{\"ociVersion\": \"1.0.0\", \"root\": {}}", "line 1: root: \"path\" is required");
#define ROOT "{\"ociVersion\": \"1.0.0\", \"root\": {\"path\": \"r\"}, "
    refused_whole(ROOT "\"process\": {\"cwd\": \"/\"}}",
                  "line 1: process: \"args\" is required, with a program at least");
    refused_whole(ROOT "\"process\": {\"cwd\": \"/\", \"args\": []}}",
                  "line 1: process: \"args\" is required, with a program at least");
    refused_whole(ROOT "\"process\": {\"args\": [\"a\"]}}", "line 1: process: \"cwd\" is required");
    refused_whole(ROOT "\"process\": {\"args\": [\"a\"], \"cwd\": \"x\"}}",
                  "line 1: process.cwd: an absolute path is expected");
    refused_whole(ROOT "\"hostname\": \"h\"}",
                  "line 1: hostname: a name of its own needs a uts namespace in \"linux.namespaces\"");
    refused_whole(ROOT "\"domainname\": \"h\"}",
                  "line 1: domainname: a name of its own needs a uts namespace in \"linux.namespaces\"");
    refused_whole(ROOT "\"mounts\": [{\"type\": \"tmpfs\"}]}",
                  "line 1: mounts[0]: \"destination\" is required");
    refused_whole(ROOT "\"mounts\": [{\"destination\": \"/a/../.\", \"type\": \"tmpfs\"}]}",
                  "line 1: mounts[0].destination: the root cannot be covered by a mount");
    refused_whole(ROOT "\"mounts\": [{\"destination\": \"/proc\", \"type\": \"tmpfs\"}]}",
                  "line 1: mounts[0].destination: /proc is the sandbox's own and cannot be covered");
    refused_whole(ROOT "\"mounts\": [{\"destination\": \"/x/../proc/self\", \"type\": \"tmpfs\"}]}",
                  "line 1: mounts[0].destination: /proc/self is the sandbox's own and cannot be covered");
    refused_whole(ROOT "\"linux\": {\"namespaces\": [{\"type\": \"pid\"}, {\"type\": \"pid\"}]}}",
                  "line 1: linux.namespaces[1].type: the namespace pid is given twice");
    refused_whole(ROOT "\"linux\": {\"namespaces\": [{\"type\": \"x\"}]}}",
                  "line 1: linux.namespaces[0].type: x is no type of namespace");
    refused_whole(ROOT "\"linux\": {\"namespaces\": [{\"path\": \"/x\"}]}}",
                  "line 1: linux.namespaces[0]: \"type\" is required");
    refused_whole(ROOT "\"linux\": {\"namespaces\": [{\"type\": \"pid\", \"path\": \"x\"}]}}",
                  "line 1: linux.namespaces[0].path: an absolute path is expected");
    refused_whole(ROOT "\"linux\": {\"namespaces\": [{\"type\": \"time\", \"path\": \"/x\"}]}}",
                  "line 1: linux: a time namespace of somebody else cannot be joined");
    refused_whole(ROOT "\"linux\": {\"namespaces\": [{\"type\": \"user\"}]}}",
                  "line 1: linux: a new user namespace needs uidMappings and gidMappings");
    refused_whole(ROOT "\"linux\": {\"maskedPaths\": [\"/x\"]}}",
                  "line 1: linux: maskedPaths and readonlyPaths need a mount namespace in \"namespaces\"");
    refused_whole(
        ROOT "\"linux\": {\"sysctl\": {\"net.core.x\": \"1\"}}}",
        "line 1: linux.sysctl.net.core.x: the parameter belongs to a namespace that the container has not");
    refused_whole(ROOT "\"linux\": {\"sysctl\": {\"kernel.shmmax\": \"1\"}}}",
                  "line 1: linux.sysctl.kernel.shmmax: the parameter belongs to a namespace that the "
                  "container has not");
}

Test(config, the_least_that_is_a_configuration)
{
    static const char text[] =
        ROOT "\"unknown\": {\"a\": [1, 2]}, \"windows\": {}, \"hooks\": null, \"linux\": null}";
    struct oci_config c;
    struct oci_error error = {{0}};
    cr_assert_eq(oci_config_parse(text, strlen(text), &c, &error), 0, "%s", error.text);
    cr_expect_str_eq(c.version, "1.0.0");
    cr_expect_null(c.process);
    cr_expect_str_eq(c.root_path, "r");
    cr_expect_null(c.hostname);
    cr_expect_null(c.seccomp);
    cr_expect_not_null(c.resources);
    cr_expect_null(c.cgroups_path);
    for (int i = 0; i < OCI_NS_TYPES; i++)
        cr_expect_not(c.namespaces[i].listed);
    oci_config_free(&c);
    cr_expect_null(c.document.memory);
}

Test(config, process)
{
    struct oci_config c = good(
        PROCESS, "\"terminal\": true, \"consoleSize\": {\"height\": 24, \"width\": 80},"
                 "\"user\": {\"uid\": 1000, \"gid\": 100, \"umask\": 4063, \"additionalGids\": [5, 6], "
                 "\"username\": \"x\"},"
                 "\"env\": [\"A=B\", \"nothing\"],"
                 "\"capabilities\": {\"bounding\": [\"CAP_CHOWN\", \"CAP_NEW\"], \"permitted\": "
                 "[\"CAP_KILL\", \"CAP_CHOWN\"],"
                 "\"effective\": [\"CAP_KILL\"], \"inheritable\": [\"CAP_KILL\"], \"ambient\": "
                 "[\"CAP_KILL\", \"CAP_CHOWN\"]},"
                 "\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 10, \"hard\": 18446744073709551615}],"
                 "\"noNewPrivileges\": true, \"oomScoreAdj\": -7, \"apparmorProfile\": \"docker-default\","
                 "\"scheduler\": {\"policy\": \"SCHED_BATCH\", \"nice\": 5},"
                 "\"ioPriority\": {\"class\": \"IOPRIO_CLASS_IDLE\", \"priority\": 3}");
    const struct oci_process *p = c.process;
    cr_expect(p->terminal && p->console_height == 24 && p->console_width == 80);
    cr_expect(p->uid == 1000 && p->gid == 100);
    cr_expect(p->umask_set && p->umask == (4063 & 0777));
    cr_expect(p->nr_additional_gids == 2 && p->additional_gids[1] == 6);
    cr_expect_eq(p->args.count, 1);
    cr_expect_str_eq(p->args.list[0], "sh");
    cr_expect_null(p->args.list[1]);
    cr_expect_eq(p->env.count, 2);
    cr_expect_str_eq(p->env.list[1], "nothing");
    cr_expect_str_eq(p->cwd, "/");
    cr_expect(p->capabilities_set);
    cr_expect_eq(p->capabilities[OCI_CAP_BOUNDING], 1u << 0);
    cr_expect_eq(p->capabilities[OCI_CAP_PERMITTED], 1u << 0 | 1u << 5);
    cr_expect_eq(p->capabilities[OCI_CAP_EFFECTIVE], 1u << 5);
    cr_expect_eq(p->capabilities[OCI_CAP_AMBIENT], 1u << 5);
    cr_expect(p->rlimits[RLIMIT_NOFILE].set && p->rlimits[RLIMIT_NOFILE].soft == 10);
    cr_expect_eq(p->rlimits[RLIMIT_NOFILE].hard, UINT64_MAX);
    cr_expect_not(p->rlimits[RLIMIT_CPU].set);
    cr_expect(p->no_new_privileges);
    cr_expect(p->oom_score_adj.set && p->oom_score_adj.value == -7);
    cr_expect(p->scheduler.set && p->scheduler.policy == SCHED_BATCH && p->scheduler.nice == 5);
    cr_expect(p->io_priority_set && p->io_priority == (IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT | 3));
    cr_expect_str_eq(p->apparmor_profile, "docker-default");
    cr_assert_eq(c.warnings.count, 2);
    cr_expect_str_eq(c.warnings.list[0],
                     "process.capabilities.bounding[1]: CAP_NEW is no capability of Linux and is "
                     "not granted");
    oci_config_free(&c);
}

Test(config, a_console_has_a_size_only_with_a_terminal)
{
    struct oci_config c = good(PROCESS, "\"consoleSize\": {\"height\": 24, \"width\": 80}");
    cr_expect(!c.process->console_height && !c.process->console_width);
    cr_expect_not(c.process->capabilities_set);
    cr_expect_not(c.process->umask_set);
    oci_config_free(&c);
}

Test(config, the_document_of_exec)
{
    static const char text[] = "{\"args\": [\"ls\", \"-l\"], \"cwd\": \"/tmp\", \"env\": []}";
    struct oci_process_document d;
    struct oci_error error = {{0}};
    cr_assert_eq(oci_process_parse(text, strlen(text), &d, &error), 0, "%s", error.text);
    cr_expect_eq(d.process.args.count, 2);
    cr_expect_str_eq(d.process.cwd, "/tmp");
    cr_expect(d.process.env.list && d.process.env.count == 0);
    oci_process_free(&d);
    cr_expect_eq(oci_process_parse("[]", 2, &d, &error), -EINVAL);
    cr_expect_eq(oci_process_parse("{}", 2, &d, &error), -EINVAL);
}

Test(config, hooks)
{
    struct oci_config c = good(
        TOP, "\"hooks\": {\"prestart\": [{\"path\": \"/a\", \"args\": [\"a\", \"b\"], \"env\": [\"X=1\"],"
             "\"timeout\": 3}, {\"path\": \"/b\"}], \"createRuntime\": [{\"path\": \"/c\", \"env\": []}],"
             "\"createContainer\": [{\"path\": \"/d\"}], \"startContainer\": [{\"path\": \"/e\"}],"
             "\"poststart\": [{\"path\": \"/f\"}], \"poststop\": [{\"path\": \"/g\"}]}");
    const struct oci_hooks *pre = &c.hooks[OCI_HOOK_PRESTART];
    cr_assert_eq(pre->count, 2);
    cr_expect_str_eq(pre->list[0].path, "/a");
    cr_expect_eq(pre->list[0].args.count, 2);
    cr_expect_eq(pre->list[0].timeout, 3);
    cr_expect_str_eq(pre->list[0].env.list[0], "X=1");
    cr_expect_eq(pre->list[1].args.count, 0);
    cr_expect_null(pre->list[1].env.list);
    cr_expect_eq(pre->list[1].timeout, 0);
    cr_expect_not_null(c.hooks[OCI_HOOK_CREATE_RUNTIME].list[0].env.list);
    static const char *const paths[] = {"/a", "/c", "/d", "/e", "/f", "/g"};
    for (int i = 0; i < OCI_HOOK_KINDS; i++)
        cr_expect_str_eq(c.hooks[i].list[0].path, paths[i]);
    oci_config_free(&c);
}

static struct oci_mount mount_of(const char *text, struct oci_config *c)
{
    *c = good(MOUNT, text);
    cr_assert_eq(c->nr_mounts, 1);
    return c->mounts[0];
}

Test(config, mounts_and_their_options)
{
    struct oci_config c;
    struct oci_mount m =
        mount_of("\"type\": \"tmpfs\", \"source\": \"x\", \"options\": [\"nosuid\", \"noexec\", \"exec\","
                 "\"nodev\", \"ro\", \"rw\", \"size=64m\", \"mode=1777\", \"uid=5\", \"gid=6\","
                 "\"nr_inodes=1k\", \"rprivate\", \"tmpcopyup\", \"relatime\"]",
                 &c);
    cr_expect_eq(m.type, OCI_MOUNT_TMPFS);
    cr_expect_str_eq(m.destination, "/m");
    cr_expect_eq(m.flags, MS_NOSUID | MS_NODEV | MS_RELATIME);
    cr_expect_eq(m.cleared, MS_NOEXEC | MS_RDONLY);
    cr_expect_eq(m.propagation, MS_PRIVATE | MS_REC);
    cr_expect(m.size.set && m.size.value == 64u << 20);
    cr_expect(m.nr_inodes.set && m.nr_inodes.value == 1024);
    cr_expect(m.mode_set && m.mode == 01777 && m.uid_set && m.uid == 5 && m.gid_set && m.gid == 6);
    cr_expect(m.copy_up);
    cr_expect_eq(oci_mount_size(&m, 1000), 64u << 20);
    oci_config_free(&c);

    m = mount_of(
        "\"type\": \"none\", \"source\": \"/src\", \"options\": [\"rbind\", \"rro\", \"runbindable\"]", &c);
    cr_expect_eq(m.type, OCI_MOUNT_BIND);
    cr_expect(m.recursive);
    cr_expect_str_eq(m.source, "/src");
    cr_expect_eq(m.flags, MS_RDONLY);
    cr_expect_eq(m.recursive_flags, MS_RDONLY);
    cr_expect_eq(m.propagation, MS_UNBINDABLE | MS_REC);
    oci_config_free(&c);

    m = mount_of("\"source\": \"/src\", \"options\": [\"bind\"]", &c);
    cr_expect(m.type == OCI_MOUNT_BIND && !m.recursive);
    oci_config_free(&c);

    m = mount_of("\"type\": \"tmpfs\", \"options\": [\"size=25%\"]", &c);
    cr_expect_eq(oci_mount_size(&m, 4000), 1000);
    oci_config_free(&c);

    m = mount_of("\"type\": \"tmpfs\", \"options\": [\"nr_blocks=2\"]", &c);
    cr_expect_eq(oci_mount_size(&m, 4000), 8192);
    oci_config_free(&c);

    m = mount_of(
        "\"type\": \"devpts\", \"options\": [\"newinstance\", \"ptmxmode=0666\", \"mode=0620\", \"gid=5\"]",
        &c);
    cr_expect(m.type == OCI_MOUNT_DEVPTS && m.mode == 0620 && m.gid == 5 && !m.uid_set);
    oci_config_free(&c);

    static const struct {
        const char *name;
        enum oci_mount_type type;
    } types[] = {{"proc", OCI_MOUNT_PROC},
                 {"sysfs", OCI_MOUNT_SYSFS},
                 {"mqueue", OCI_MOUNT_MQUEUE},
                 {"cgroup", OCI_MOUNT_CGROUP},
                 {"cgroup2", OCI_MOUNT_CGROUP}};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char text[64];
        snprintf(text, sizeof(text), "\"type\": \"%s\"", types[i].name);
        m = mount_of(text, &c);
        cr_expect_eq(m.type, types[i].type);
        oci_config_free(&c);
    }
}

Test(config, destinations_are_cleaned_and_end_at_the_root)
{
    static const char *const cases[][2] = {{"/a//b/", "/a/b"},     {"/a/./b", "/a/b"},   {"/a/../b", "/b"},
                                           {"/../../b", "/b"},     {"rel/x", "/rel/x"},  {"/..a", "/..a"},
                                           {"/a/b/../../c", "/c"}, {"/a/...", "/a/..."}, {"../x", "/x"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        struct oci_config c;
        snprintf(text, sizeof(text), ROOT "\"mounts\": [{\"destination\": \"%s\", \"type\": \"tmpfs\"}]}",
                 cases[i][0]);
        cr_assert_eq(oci_config_parse(text, strlen(text), &c, NULL), 0);
        cr_expect_str_eq(c.mounts[0].destination, cases[i][1]);
        oci_config_free(&c);
    }
}

Test(config, linux_part)
{
    struct oci_config c = good(
        LINUX, "\"devices\": [{\"path\": \"/dev/x\", \"type\": \"u\", \"major\": 10, \"minor\": 229,"
               "\"fileMode\": 33206, \"uid\": 3, \"gid\": 4}, {\"path\": \"/dev/p\", \"type\": \"p\"}],"
               "\"sysctl\": {\"net/ipv4/conf/eth0.1/forwarding\": \"1\", \"kernel.domainname\": \"d\"},"
               "\"cgroupsPath\": \"/a/b\", \"rootfsPropagation\": \"rslave\","
               "\"maskedPaths\": [\"/proc/kcore\", \"/proc//x/../keys\"], \"readonlyPaths\": [\"/proc/sys\"],"
               "\"personality\": {\"domain\": \"LINUX\"}, \"mountLabel\": \"\", \"intelRdt\": null,"
               "\"timeOffsets\": {\"monotonic\": {\"secs\": 0}},"
               "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 1, \"size\": 2}]");
    cr_assert_eq(c.nr_devices, 2);
    cr_expect(c.devices[0].type == 'c' && c.devices[0].major == 10 && c.devices[0].minor == 229);
    cr_expect(c.devices[0].mode_set && c.devices[0].mode == 0666 && c.devices[0].uid == 3 &&
              c.devices[0].gid == 4);
    cr_expect(c.devices[1].type == 'p' && !c.devices[1].mode_set);
    cr_assert_eq(c.nr_sysctls, 2);
    cr_expect_str_eq(c.sysctls[0].name, "kernel.domainname");
    cr_expect_str_eq(c.sysctls[1].name, "net.ipv4.conf.eth0/1.forwarding");
    cr_expect_str_eq(c.cgroups_path, "/a/b");
    cr_expect_eq(c.rootfs_propagation, MS_SLAVE | MS_REC);
    cr_expect_str_eq(c.masked_paths.list[1], "/proc/keys");
    cr_expect_str_eq(c.readonly_paths.list[0], "/proc/sys");
    cr_expect_eq(c.nr_uid_maps, 0); // there is no user namespace
    cr_expect_eq(c.warnings.count, 1);
    cr_expect(c.namespaces[OCI_NS_UTS].listed && !c.namespaces[OCI_NS_PID].listed);
    oci_config_free(&c);
}

Test(config, namespaces_and_id_maps)
{
    static const char text[] =
        ROOT "\"linux\": {\"namespaces\": [{\"type\": \"pid\"}, {\"type\": \"network\", \"path\": "
             "\"/proc/1/ns/net\"},"
             "{\"type\": \"user\"}, {\"type\": \"cgroup\", \"path\": \"\"}, {\"type\": \"time\"}],"
             "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 1000, \"size\": 1},"
             "{\"containerID\": 1, \"hostID\": 100000, \"size\": 65536}],"
             "\"gidMappings\": [{\"containerID\": 0, \"hostID\": 1000, \"size\": 1}]}}";
    struct oci_config c;
    struct oci_error error = {{0}};
    cr_assert_eq(oci_config_parse(text, strlen(text), &c, &error), 0, "%s", error.text);
    cr_expect(c.namespaces[OCI_NS_PID].listed && !c.namespaces[OCI_NS_PID].path);
    cr_expect_str_eq(c.namespaces[OCI_NS_NETWORK].path, "/proc/1/ns/net");
    cr_expect(c.namespaces[OCI_NS_CGROUP].listed && !c.namespaces[OCI_NS_CGROUP].path);
    cr_expect_eq(c.nr_uid_maps, 2);
    cr_expect(c.uid_maps[1].container == 1 && c.uid_maps[1].host == 100000 && c.uid_maps[1].size == 65536);
    cr_expect_eq(c.nr_gid_maps, 1);
    oci_config_free(&c);
}

Test(config, annotations_are_found_by_name)
{
    struct oci_config c = good(TOP, "\"annotations\": {\"b\": \"2\", \"a\": \"1\", \"c\": \"\"}");
    cr_expect_eq(c.nr_annotations, 3);
    cr_expect_str_eq(oci_annotation(&c, "a"), "1");
    cr_expect_str_eq(oci_annotation(&c, "b"), "2");
    cr_expect_str_eq(oci_annotation(&c, "c"), "");
    cr_expect_null(oci_annotation(&c, "d"));
    oci_config_free(&c);
}

Test(config, resources)
{
    static const char text[] =
        "{\"devices\": [{\"allow\": false, \"access\": \"rwm\"}, {\"allow\": true, \"type\": \"c\", "
        "\"major\": 1,"
        "\"minor\": 3, \"access\": \"rw\"}, {\"allow\": true, \"type\": \"b\", \"major\": -1}],"
        "\"memory\": {\"limit\": 1048576, \"reservation\": -1, \"swap\": 0, \"kernel\": 5, \"kernelTCP\": 6,"
        "\"swappiness\": 60, \"disableOOMKiller\": false, \"useHierarchy\": true, \"checkBeforeUpdate\": "
        "true},"
        "\"cpu\": {\"shares\": 2, \"quota\": -1, \"period\": 100000, \"burst\": 1, \"realtimeRuntime\": 3,"
        "\"realtimePeriod\": 4, \"cpus\": \"0-1,3\", \"mems\": \"0\", \"idle\": 1},"
        "\"pids\": {\"limit\": -1},"
        "\"blockIO\": {\"weight\": 10, \"leafWeight\": 1000, \"weightDevice\": [{\"major\": 8, \"minor\": 1,"
        "\"weight\": 500}], \"throttleReadBpsDevice\": [{\"major\": 8, \"minor\": 2, \"rate\": 99}],"
        "\"throttleWriteIOPSDevice\": [{\"major\": 8, \"minor\": 0, \"rate\": 7}]},"
        "\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 4194304}],"
        "\"network\": {\"classID\": 17, \"priorities\": [{\"name\": \"eth0\", \"priority\": 5}]},"
        "\"rdma\": {\"mlx5\": {\"hcaHandles\": 3}}, \"unified\": {\"memory.high\": \"1000\"}}";
    struct oci_resources_document d;
    struct oci_error error = {{0}};
    cr_assert_eq(oci_resources_parse(text, strlen(text), &d, &error), 0, "%s", error.text);
    const struct oci_resources *r = &d.resources;
    cr_assert_eq(r->nr_devices, 3);
    cr_expect(!r->devices[0].allow && r->devices[0].type == 'a' && !r->devices[0].major.set);
    cr_expect(r->devices[1].allow && r->devices[1].type == 'c' && r->devices[1].minor.value == 3);
    cr_expect(r->devices[1].read && r->devices[1].write && !r->devices[1].mknod);
    cr_expect(!r->devices[2].major.set && r->devices[2].mknod);
    cr_expect(r->memory_limit.value == 1048576 && r->memory_reservation.value == -1 && r->memory_swap.set);
    cr_expect(r->memory_disable_oom_killer.set && !r->memory_disable_oom_killer.value);
    cr_expect(r->memory_check_before_update.value && r->memory_swappiness.value == 60);
    cr_expect(r->cpu_shares.value == 2 && r->cpu_quota.value == -1 && r->cpu_idle.value == 1);
    cr_expect_str_eq(r->cpus, "0-1,3");
    cr_expect(r->pids_limit.set && r->pids_limit.value == -1);
    cr_expect(r->io_weight.value == 10 && r->io_weights[0].weight.value == 500 &&
              !r->io_weights[0].leaf_weight.set);
    cr_expect(r->nr_io_throttles[OCI_READ_BPS] == 1 && r->io_throttles[OCI_READ_BPS][0].rate == 99);
    cr_expect(r->nr_io_throttles[OCI_WRITE_BPS] == 0 && r->io_throttles[OCI_WRITE_IOPS][0].rate == 7);
    cr_expect(r->nr_hugepages == 1 && r->hugepages[0].limit == 4194304);
    cr_expect(r->net_class_id.value == 17 && r->net_priorities[0].priority == 5);
    cr_expect(r->rdma[0].handles.value == 3 && !r->rdma[0].objects.set);
    cr_expect_str_eq(r->unified[0].name, "memory.high");
    cr_expect_eq(d.warnings.count, 1);
    oci_resources_free(&d);
    cr_assert_eq(oci_resources_parse("{}", 2, &d, &error), 0);
    cr_expect_not(d.resources.memory_limit.set);
    oci_resources_free(&d);
}

Test(config, seccomp)
{
    struct oci_config c = good(
        SECCOMP,
        "\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 38,"
        "\"architectures\": [\"SCMP_ARCH_X86\", \"SCMP_ARCH_X86_64\"],"
        "\"flags\": [\"SECCOMP_FILTER_FLAG_LOG\"], \"listenerPath\": \"\","
        "\"syscalls\": [{\"names\": [\"read\", \"write\"], \"action\": \"SCMP_ACT_ALLOW\", \"errnoRet\": 3},"
        "{\"names\": [\"personality\"], \"action\": \"SCMP_ACT_ERRNO\","
        "\"args\": [{\"index\": 2, \"value\": 18446744073709551615, \"valueTwo\": 7,"
        "\"op\": \"SCMP_CMP_MASKED_EQ\"}]}]");
    const struct oci_seccomp *s = c.seccomp;
    cr_assert_not_null(s);
    cr_expect_eq(s->default_action, SECCOMP_RET_ERRNO | 38);
    cr_expect(s->x86_64 && s->log);
    cr_assert_eq(s->nr_rules, 2);
    cr_expect_eq(s->rules[0].nr_names, 2);
    cr_expect_eq(s->rules[0].action, SECCOMP_RET_ALLOW);
    cr_expect_eq(s->rules[1].action, SECCOMP_RET_ERRNO | EPERM);
    cr_assert_eq(s->rules[1].nr_args, 1);
    cr_expect(s->rules[1].args[0].index == 2 && s->rules[1].args[0].value == UINT64_MAX);
    cr_expect(s->rules[1].args[0].value_two == 7 && s->rules[1].args[0].op == OCI_CMP_MASKED_EQ);
    oci_config_free(&c);
    c = good(SECCOMP, "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": [\"SCMP_ARCH_ARM\"]");
    cr_expect_not(c.seccomp->x86_64);
    oci_config_free(&c);
}

// A list that is too long is refused before memory of its size is taken.
Test(config, lists_have_a_limit)
{
    size_t size = 4u << 20, n;
    char *text = malloc(size);
    struct oci_config c;
    struct oci_error error = {{0}};
    n = (size_t)sprintf(text, ROOT "\"mounts\": [");
    for (unsigned i = 0; i <= OCI_LIST_MAX; i++)
        n += (size_t)sprintf(text + n, "{},");
    strcpy(text + n - 1, "]}");
    cr_expect_eq(oci_config_parse(text, strlen(text), &c, &error), -EINVAL);
    cr_expect_str_eq(error.text, "line 1: mounts: more than 65536 elements");
    free(text);
}
