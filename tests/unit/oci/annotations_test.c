// Annotations count only where the operator has named them.
#include "sentry/oci/annotations.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *overlay, *network;
static const struct oci_setting settings[] = {{"overlay", &overlay}, {"network", &network}};
static char warnings[1024];
static struct oci_error error;

static void warn(const char *text)
{
    strcat(warnings, text);
    strcat(warnings, "\n");
}

static int apply(const char *annotations, const char *allowed)
{
    char text[512];
    struct oci_config c;
    overlay = network = "before";
    warnings[0] = 0;
    snprintf(text, sizeof(text),
             "{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"r\"}, \"annotations\": {%s}}", annotations);
    cr_assert_eq(oci_config_parse(text, strlen(text), &c, &error), 0, "%s", error.text);
    int failed = oci_annotations_apply(&c, allowed, settings, 2, warn, &error);
    overlay = strcmp(overlay, "memory") == 0 ? "memory" : "before"; // before its text goes
    network = strcmp(network, "none") == 0 ? "none" : "before";
    oci_config_free(&c);
    return failed;
}

Test(annotations, what_is_allowed_is_set)
{
    cr_expect_eq(
        apply("\"org.sentry.overlay\": \"memory\", \"org.sentry.network\": \"none\"", "network,overlay"), 0);
    cr_expect_str_eq(overlay, "memory");
    cr_expect_str_eq(network, "none");
    cr_expect_str_eq(warnings, "");
}

Test(annotations, what_is_not_allowed_changes_nothing_and_is_named)
{
    cr_expect_eq(apply("\"org.sentry.overlay\": \"memory\", \"org.sentry.network\": \"none\"", "network"), 0);
    cr_expect_str_eq(overlay, "before");
    cr_expect_str_eq(network, "none");
    cr_expect_str_eq(warnings,
                     "annotation org.sentry.overlay changes nothing: --allow-annotations does not name it\n");
    static const char *const lists[] = {NULL, "", "overlay2", "over", ",", "overlays,lay"};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        cr_expect_eq(apply("\"org.sentry.overlay\": \"memory\"", lists[i]), 0);
        cr_expect_str_eq(overlay, "before");
    }
}

Test(annotations, others_are_left_alone)
{
    cr_expect_eq(
        apply("\"overlay\": \"memory\", \"io.example.overlay\": \"x\", \"org.sentry\": \"y\"", "overlay"), 0);
    cr_expect_str_eq(overlay, "before");
    cr_expect_str_eq(warnings, "");
}

Test(annotations, unknown_ones_and_empty_values)
{
    cr_expect_eq(apply("\"org.sentry.what\": \"x\"", "what"), 0);
    cr_expect_str_eq(warnings, "annotation org.sentry.what changes nothing: there is no such option\n");
    cr_expect_eq(apply("\"org.sentry.overlay\": \"\"", "overlay"), -EINVAL);
    cr_expect_str_eq(error.text, "annotation org.sentry.overlay has no value");
}
