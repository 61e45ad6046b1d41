// Options as Go's flag package reads them, and which command lines are runc's.
#include "sentry/oci/command.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static bool flag;
static const char *text, *joined;
static struct oci_list list;
static int64_t number;
static const struct oci_option options[] = {
    {"flag", 'f', OCI_FLAG, &flag, NULL, NULL},    {"text", 't', OCI_TEXT, &text, "TEXT", NULL},
    {"list", 'l', OCI_LIST, &list, "ITEM", NULL},  {"joined", 0, OCI_JOINED, &joined, "ITEM,...", NULL},
    {"number", 0, OCI_NUMBER, &number, "N", NULL}, OCI_OPTIONS_END,
};
static struct oci_error error;

#define WORDS(...) ((char **)(uintptr_t)(const char *[]){__VA_ARGS__, NULL})
#define COUNT(...) ((int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)))
#define READ(...)                           \
    (flag = false, text = NULL, number = 0, \
     oci_options(COUNT(__VA_ARGS__), WORDS(__VA_ARGS__), options, &error))

Test(oci_command, options_end_at_the_first_word)
{
    cr_expect_eq(READ("--flag", "--text", "a", "id", "--flag"), 3);
    cr_expect(flag && strcmp(text, "a") == 0);
    cr_expect_eq(READ("id", "--flag"), 0);
    cr_expect_eq(READ("-f", "--", "--text"), 2);
    cr_expect_eq(READ("-"), 0);
}

Test(oci_command, values_and_forms)
{
    cr_expect_eq(READ("-text=b", "-number", "-7", "--flag=false"), 4);
    cr_expect(strcmp(text, "b") == 0 && number == -7 && !flag);
    cr_expect_eq(READ("-t", "", "--text=x=y"), 3);
    cr_expect_str_eq(text, "x=y");
    cr_expect_eq(READ("-l", "one", "--list=two"), 3);
    cr_expect(list.count == 2 && strcmp(list.items[1], "two") == 0 && !list.items[2]);
    cr_expect_eq(READ("--joined", "one,two", "--joined=three"), 3);
    cr_expect_str_eq(joined, "one,two,three");
}

Test(oci_command, what_is_refused)
{
    cr_expect_eq(READ("--unknown"), -EINVAL);
    cr_expect_str_eq(error.text, "unknown option --unknown");
    cr_expect_eq(READ("--text"), -EINVAL);
    cr_expect_eq(READ("--number", "7x"), -EINVAL);
    cr_expect_eq(READ("--number", "99999999999999999999"), -EINVAL);
    cr_expect_eq(READ("--flag=maybe"), -EINVAL);
    cr_expect_eq(READ("--fla"), -EINVAL);
}

Test(oci_command, command_lines_of_an_engine)
{
#define IS(...) oci_is_command_line(COUNT("sentry", __VA_ARGS__), WORDS("sentry", __VA_ARGS__))
    cr_expect(IS("--root", "/r", "--log=l", "--log-format", "json", "create", "--bundle", "b", "id"));
    cr_expect(IS("state", "id"));
    cr_expect(IS("--overlay", "memory", "--network=none", "run", "id"));
    cr_expect_not(IS("--rootfs", "/r", "--", "run"));
    cr_expect_not(IS("--network=none", "--", "run", "id"));
    cr_expect_not(IS("--root", "/r"));
    cr_expect_not(IS("--help"));
    cr_expect_not(IS("nosuch", "id"));
}

Test(oci_command, a_policy_of_the_network)
{
    static struct net_rules rules;
    struct oci_globals g = {.allow_connect = "tcp:10.0.0.0/8:443,udp:*:53", .allow_bind = "none"};
    cr_expect_eq(oci_net_rules(&g, &rules, &error), 0);
    cr_expect(rules.given && rules.count == 2);
    g = (struct oci_globals){.root = "/r"};
    cr_expect_eq(oci_net_rules(&g, &rules, &error), 0);
    cr_expect(!rules.given && rules.count == 0);
    g.allow_bind = "icmp:*";
    cr_expect_eq(oci_net_rules(&g, &rules, &error), -EINVAL);
    cr_expect(strstr(error.text, "--allow-bind"));
    g = (struct oci_globals){.allow_connect = "tcp:name:443"};
    cr_expect_eq(oci_check_globals(&g, &error), -EINVAL);
}
