#include "sentry/oci/spec.h"
#include "sentry/boot/fail.h"
#include "sentry/oci/config.h"
#include "sentry/oci/json_write.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void put_process(struct json_writer *w)
{
    static const char *const args[] = {"sh"};
    static const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                      "TERM=xterm"};
    static const char *const capabilities[] = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
    json_put_object(w, "process");
    json_put_bool(w, "terminal", true);
    json_put_object(w, "user");
    json_put_u64(w, "uid", 0);
    json_put_u64(w, "gid", 0);
    json_put_end(w, '}');
    json_put_strings(w, "args", args, COUNT(args));
    json_put_strings(w, "env", env, COUNT(env));
    json_put_string(w, "cwd", "/");
    json_put_object(w, "capabilities");
    json_put_strings(w, "bounding", capabilities, COUNT(capabilities));
    json_put_strings(w, "effective", capabilities, COUNT(capabilities));
    json_put_strings(w, "permitted", capabilities, COUNT(capabilities));
    json_put_end(w, '}');
    json_put_array(w, "rlimits");
    json_put_object(w, NULL);
    json_put_string(w, "type", "RLIMIT_NOFILE");
    json_put_u64(w, "hard", 1024);
    json_put_u64(w, "soft", 1024);
    json_put_end(w, '}');
    json_put_end(w, ']');
    json_put_bool(w, "noNewPrivileges", true);
    json_put_end(w, '}');
}

static void put_mounts(struct json_writer *w, bool rootless)
{
    static const struct {
        const char *destination, *type, *source;
        const char *options[8];
        bool root_only; // the last option names a group that an ordinary user cannot give away to
    } mounts[] = {
        {"/proc", "proc", "proc", {NULL}, false},
        {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}, false},
        {"/dev/pts",
         "devpts",
         "devpts",
         {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"},
         true},
        {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}, false},
        {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}, false},
        {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}, false},
        {"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}, false},
    };
    json_put_array(w, "mounts");
    for (size_t i = 0; i < COUNT(mounts); i++) {
        size_t options = 0;
        while (options < COUNT(mounts[i].options) && mounts[i].options[options])
            options++;
        if (rootless && mounts[i].root_only)
            options--;
        json_put_object(w, NULL);
        json_put_string(w, "destination", mounts[i].destination);
        json_put_string(w, "type", mounts[i].type);
        json_put_string(w, "source", mounts[i].source);
        if (options)
            json_put_strings(w, "options", mounts[i].options, options);
        json_put_end(w, '}');
    }
    json_put_end(w, ']');
}

static void put_id_map(struct json_writer *w, const char *name, unsigned host)
{
    json_put_array(w, name);
    json_put_object(w, NULL);
    json_put_u64(w, "containerID", 0);
    json_put_u64(w, "hostID", host);
    json_put_u64(w, "size", 1);
    json_put_end(w, '}');
    json_put_end(w, ']');
}

static void put_linux(struct json_writer *w, bool rootless)
{
    static const char *const namespaces[] = {"pid", "network", "ipc", "uts", "mount"};
    static const char *const masked[] = {
        "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"};
    static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                           "/proc/sysrq-trigger"};
    json_put_object(w, "linux");
    if (rootless) {
        put_id_map(w, "uidMappings", geteuid());
        put_id_map(w, "gidMappings", getegid());
    } else {
        json_put_object(w, "resources");
        json_put_array(w, "devices");
        json_put_object(w, NULL);
        json_put_bool(w, "allow", false);
        json_put_string(w, "access", "rwm");
        json_put_end(w, '}');
        json_put_end(w, ']');
        json_put_end(w, '}');
    }
    json_put_array(w, "namespaces");
    for (size_t i = 0; i < COUNT(namespaces); i++) {
        if (rootless && strcmp(namespaces[i], "network") == 0)
            continue; // nobody would set up what is in it
        json_put_object(w, NULL);
        json_put_string(w, "type", namespaces[i]);
        json_put_end(w, '}');
    }
    if (rootless) {
        json_put_object(w, NULL);
        json_put_string(w, "type", "user");
        json_put_end(w, '}');
    }
    json_put_end(w, ']');
    json_put_strings(w, "maskedPaths", masked, COUNT(masked));
    json_put_strings(w, "readonlyPaths", readonly, COUNT(readonly));
    json_put_end(w, '}');
}

char *oci_spec_json(bool rootless)
{
    struct json_writer w = {.indent = 4};
    json_put_object(&w, NULL);
    json_put_string(&w, "ociVersion", OCI_VERSION);
    put_process(&w);
    json_put_object(&w, "root");
    json_put_string(&w, "path", "rootfs");
    json_put_bool(&w, "readonly", true);
    json_put_end(&w, '}');
    json_put_string(&w, "hostname", "sentry");
    put_mounts(&w, rootless);
    put_linux(&w, rootless);
    json_put_end(&w, '}');
    if (w.error) {
        free(w.text);
        return NULL;
    }
    return w.text;
}

static void usage(void)
{
    puts("usage: sentry spec [OPTION...]\n\n"
         "Write a config.json to start from; one that is there is left alone.\n\n"
         "  -b, --bundle DIR   write it there (default: the current directory)\n"
         "  --rootless         for one who is not root: a user namespace, no network namespace");
}

static int write_new(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return boot_fail("cannot write", path, errno, errno == EEXIST ? "remove it first" : NULL);
    size_t length = strlen(text);
    int error =
        write(fd, text, length) != (ssize_t)length || write(fd, "\n", 1) != 1 ? errno ? errno : EIO : 0;
    if (close(fd) < 0 && !error)
        error = errno;
    if (error)
        (void)unlink(path);
    return error ? boot_fail("cannot write", path, error, NULL) : 0;
}

int spec_main(int argc, char **argv)
{
    const char *bundle = ".";
    bool rootless = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--rootless") == 0) {
            rootless = true;
        } else if ((strcmp(word, "--bundle") == 0 || strcmp(word, "-b") == 0) && i + 1 < argc) {
            bundle = argv[++i];
        } else if (strncmp(word, "--bundle=", 9) == 0) {
            bundle = word + 9;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            usage();
            return 0;
        } else {
            boot_say("spec: unknown argument %s; see `sentry spec --help`", word);
            return 1;
        }
    }
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/config.json", bundle) >= (int)sizeof(path)) {
        boot_fail("spec:", bundle, ENAMETOOLONG, NULL);
        return 1;
    }
    char *text = oci_spec_json(rootless);
    int failed = text ? write_new(path, text) : boot_fail("cannot write", path, ENOMEM, NULL);
    free(text);
    return failed ? 1 : 0;
}
