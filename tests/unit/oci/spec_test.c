// The documents that `spec` and `features` print.
#include "sentry/oci/config.h"
#include "sentry/oci/features.h"
#include "sentry/oci/json.h"
#include "sentry/oci/spec.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct oci_config spec(bool rootless)
{
    struct oci_config c;
    struct oci_error error = {{0}};
    char *text = oci_spec_json(rootless);
    cr_assert_not_null(text);
    cr_assert_eq(oci_config_parse(text, strlen(text), &c, &error), 0, "%s", error.text);
    cr_expect_eq(c.warnings.count, 0);
    free(text);
    return c;
}

Test(spec, a_configuration_to_start_from)
{
    struct oci_config c = spec(false);
    cr_expect_str_eq(c.root_path, "rootfs");
    cr_expect(c.root_readonly && c.process->terminal && c.process->no_new_privileges);
    cr_expect_str_eq(c.process->args.list[0], "sh");
    cr_expect_eq(c.nr_mounts, 7);
    cr_expect(c.namespaces[OCI_NS_NETWORK].listed && !c.namespaces[OCI_NS_USER].listed);
    cr_expect_eq(c.resources->nr_devices, 1);
    cr_expect_eq(c.process->capabilities[OCI_CAP_EFFECTIVE], 1u << 29 | 1u << 5 | 1u << 10);
    oci_config_free(&c);
}

Test(spec, rootless)
{
    struct oci_config c = spec(true);
    cr_expect(!c.namespaces[OCI_NS_NETWORK].listed && c.namespaces[OCI_NS_USER].listed);
    cr_assert_eq(c.nr_uid_maps, 1);
    cr_expect(c.uid_maps[0].container == 0 && c.uid_maps[0].host == geteuid());
    cr_expect_eq(c.resources->nr_devices, 0);
    for (size_t i = 0; i < c.nr_mounts; i++)
        cr_expect_not(c.mounts[i].gid_set);
    oci_config_free(&c);
}

Test(spec, the_command_writes_a_file_once)
{
    char directory[] = "/tmp/sentry-spec-XXXXXX", path[64];
    struct stat st;
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/config.json", directory);
    char *good[] = {(char[]){"spec"}, (char[]){"--bundle"}, directory, (char[]){"--rootless"}, NULL};
    cr_expect_eq(spec_main(4, good), 0);
    cr_expect_eq(stat(path, &st), 0);
    cr_expect_gt(st.st_size, 1000);
    cr_expect_eq(spec_main(4, good), 1, "it is there");
    unlink(path);
    char *bad[] = {(char[]){"spec"}, (char[]){"--what"}, NULL};
    cr_expect_eq(spec_main(2, bad), 1);
    rmdir(directory);
    cr_expect_eq(spec_main(4, good), 1, "no directory");
}

static bool lists(const struct json *array, const char *text)
{
    for (const struct json *e = array ? array->first : NULL; e; e = e->next)
        if (strcmp(e->text, text) == 0)
            return true;
    return false;
}

Test(features, the_document_says_what_the_decoder_takes)
{
    struct json_document d;
    struct oci_error error = {{0}};
    char *text = oci_features_json();
    cr_assert_eq(json_parse(text, strlen(text), &d, &error), 0, "%s", error.text);
    free(text);
    const struct json *options = json_get(d.root, "mountOptions"), *linux_part = json_get(d.root, "linux");
    cr_expect(lists(json_get(d.root, "hooks"), "createContainer"));
    cr_expect(lists(options, "rbind") && lists(options, "rro") && lists(options, "nosuid") &&
              lists(options, "rslave"));
    cr_expect(lists(json_get(linux_part, "capabilities"), "CAP_CHECKPOINT_RESTORE"));
    cr_expect(lists(json_get(linux_part, "namespaces"), "network"));
    cr_expect_not(lists(json_get(json_get(linux_part, "seccomp"), "actions"), "SCMP_ACT_NOTIFY"));
    cr_expect_str_eq(json_get(d.root, "ociVersionMax")->text, OCI_VERSION);
    // Each option listed is one that is taken, and they are in order.
    const char *before = "";
    for (const struct json *o = options->first; o; o = o->next) {
        char config[512];
        struct oci_config c;
        cr_expect_lt(strcmp(before, o->text), 0);
        before = o->text;
        snprintf(config, sizeof(config),
                 "{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"r\"}, \"mounts\": [{\"destination\": "
                 "\"/m\", \"source\":"
                 "\"s\", \"type\": \"tmpfs\", \"options\": [\"%s\"]}]}",
                 o->text);
        cr_expect_eq(oci_config_parse(config, strlen(config), &c, &error), 0, "%s: %s", o->text, error.text);
        oci_config_free(&c);
    }
    json_free(&d);
}
