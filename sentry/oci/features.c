#include "sentry/oci/features.h"
#include "sentry/boot/fail.h"
#include "sentry/oci/config.h"
#include "sentry/oci/json_write.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OPTIONS_MAX 128

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_enabled(struct json_writer *w, const char *name, bool enabled)
{
    json_put_object(w, name);
    json_put_bool(w, "enabled", enabled);
    json_put_end(w, '}');
}

static void put_capabilities(struct json_writer *w)
{
    json_put_array(w, "capabilities");
    const char *name;
    for (unsigned i = 0; (name = oci_capability_name(i)); i++)
        json_put_string(w, NULL, name);
    json_put_end(w, ']');
}

static void put_seccomp(struct json_writer *w)
{
    static const char *const actions[] = {"SCMP_ACT_ALLOW",        "SCMP_ACT_ERRNO",       "SCMP_ACT_KILL",
                                          "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
                                          "SCMP_ACT_TRACE",        "SCMP_ACT_TRAP"};
    static const char *const operators[] = {"SCMP_CMP_EQ", "SCMP_CMP_GE",        "SCMP_CMP_GT", "SCMP_CMP_LE",
                                            "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"};
    static const char *const archs[] = {"SCMP_ARCH_X86_64"};
    static const char *const flags[] = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                        "SECCOMP_FILTER_FLAG_TSYNC"};
    json_put_object(w, "seccomp");
    json_put_bool(w, "enabled", true);
    json_put_strings(w, "actions", actions, COUNT(actions));
    json_put_strings(w, "operators", operators, COUNT(operators));
    json_put_strings(w, "archs", archs, COUNT(archs));
    json_put_strings(w, "knownFlags", flags, COUNT(flags));
    json_put_strings(w, "supportedFlags", flags, COUNT(flags));
    json_put_end(w, '}');
}

static void put_linux(struct json_writer *w)
{
    static const char *const namespaces[] = {"cgroup", "ipc",  "mount", "network",
                                             "pid",    "time", "user",  "uts"};
    json_put_object(w, "linux");
    json_put_strings(w, "namespaces", namespaces, COUNT(namespaces));
    put_capabilities(w);
    json_put_object(w, "cgroup");
    json_put_bool(w, "v1", true);
    json_put_bool(w, "v2", true);
    json_put_bool(w, "systemd", false);
    json_put_bool(w, "systemdUser", false);
    json_put_bool(w, "rdma", true);
    json_put_end(w, '}');
    put_seccomp(w);
    put_enabled(w, "apparmor", false);
    put_enabled(w, "selinux", false);
    put_enabled(w, "intelRdt", false);
    json_put_object(w, "mountExtensions");
    put_enabled(w, "idmap", false);
    json_put_end(w, '}');
    json_put_end(w, '}');
}

char *oci_features_json(void)
{
    struct json_writer w = {.indent = 4};
    const char *options[OPTIONS_MAX];
    size_t count = oci_mount_options(options, OPTIONS_MAX);
    qsort(options, count, sizeof(options[0]), compare_words);
    json_put_object(&w, NULL);
    json_put_string(&w, "ociVersionMin", "1.0.0");
    json_put_string(&w, "ociVersionMax", OCI_VERSION);
    json_put_array(&w, "hooks");
    for (unsigned kind = 0; kind < OCI_HOOK_KINDS; kind++)
        if (kind != OCI_HOOK_START_CONTAINER) // refused
            json_put_string(&w, NULL, oci_hook_names[kind]);
    json_put_end(&w, ']');
    json_put_strings(&w, "mountOptions", options, count);
    put_linux(&w);
    json_put_object(&w, "annotations");
    json_put_string(&w, "org.sentry.version", SENTRY_VERSION);
    json_put_end(&w, '}');
    json_put_end(&w, '}');
    if (w.error) {
        free(w.text);
        return NULL;
    }
    return w.text;
}

int features_main(int argc, char **argv)
{
    if (argc > 1) {
        bool help = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;
        if (help)
            puts("usage: sentry features\n\nPrint what this runtime can do, as JSON.");
        else
            boot_say("features: unknown argument %s", argv[1]);
        return help ? 0 : 1;
    }
    char *text = oci_features_json();
    if (!text || puts(text) < 0 || fflush(stdout) != 0) {
        boot_fail("cannot print the features", NULL, text ? errno : ENOMEM, NULL);
        free(text);
        return 1;
    }
    free(text);
    return 0;
}
