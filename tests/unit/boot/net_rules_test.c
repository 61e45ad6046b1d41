// The grammar of --allow-connect and --allow-bind, and what the broker makes of its rules.
#include "gofer/net_policy.h"
#include "sentry/boot/memory_file.h"
#include "sentry/boot/net_rules.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct net_rules rules;

static int add(enum gofer_net_direction direction, const char *text)
{
    return net_rules_add(&rules, direction, text);
}

// What the broker reads of the rules.
static void give(void)
{
    int fd = memory_file_sealed("policy", rules.rule, rules.count * sizeof(rules.rule[0]), 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(net_policy_read(fd), 0);
    close(fd);
}

static struct flat_address at(const char *text, uint16_t port)
{
    union net_address address;
    struct flat_address flat;
    memset(&address, 0, sizeof(address));
    bool six = strchr(text, ':');
    address.any.sa_family = six ? AF_INET6 : AF_INET;
    if (six)
        address.in6.sin6_port = htons(port);
    else
        address.in.sin_port = htons(port);
    cr_assert_eq(six ? inet_pton(AF_INET6, text, &address.in6.sin6_addr)
                     : inet_pton(AF_INET, text, &address.in.sin_addr),
                 1);
    cr_assert(net_flatten(&address, six ? sizeof(address.in6) : sizeof(address.in), &flat));
    return flat;
}

static bool out(unsigned protocol, const char *address, uint16_t port)
{
    const struct flat_address flat = at(address, port);
    return net_policy_allows(GOFER_NET_OUT, protocol, &flat);
}

static bool own(unsigned protocol, const char *address, uint16_t port, bool both)
{
    const struct flat_address flat = at(address, port);
    return net_policy_allows_own(protocol, &flat, both);
}

Test(net_rules, what_is_written_is_what_is_allowed)
{
    cr_assert_eq(add(GOFER_NET_OUT, "tcp:10.1.0.0/15:443,udp:[2001:db8::]/33:53-55"), 0);
    cr_assert_eq(add(GOFER_NET_OUT, "192.0.2.7,icmp:127.0.0.1,tcp:*:*"), 0);
    rules.count--; // the last is for later
    give();
    cr_expect(out(GOFER_NET_TCP, "10.0.255.1", 443) && out(GOFER_NET_TCP, "10.1.0.0", 443));
    cr_expect(!out(GOFER_NET_TCP, "10.2.0.0", 443) && out(GOFER_NET_TCP, "::ffff:10.1.2.3", 443));
    cr_expect_not(out(GOFER_NET_TCP, "10.1.0.0", 444));
    cr_expect_not(out(GOFER_NET_UDP, "10.1.0.0", 443));
    cr_expect(out(GOFER_NET_UDP, "2001:db8:7fff::", 53) && out(GOFER_NET_UDP, "2001:db8::", 55));
    cr_expect_not(out(GOFER_NET_UDP, "2001:db8:8000::", 53));
    cr_expect_not(out(GOFER_NET_UDP, "2001:db8::", 56));
    cr_expect(out(GOFER_NET_TCP, "192.0.2.7", 1) && out(GOFER_NET_UDP, "192.0.2.7", 65535));
    cr_expect_not(out(GOFER_NET_ICMP, "192.0.2.7", 0));
    cr_expect(out(GOFER_NET_ICMP, "127.0.0.1", 0) && !out(GOFER_NET_TCP, "127.0.0.1", 0));
    cr_expect_not(own(GOFER_NET_TCP, "192.0.2.7", 1, false));
    rules.count++;
    give();
    cr_expect(out(GOFER_NET_TCP, "203.0.113.1", 9) && out(GOFER_NET_TCP, "::1", 9));
    cr_expect_not(out(GOFER_NET_UDP, "203.0.113.1", 9));
}

Test(net_rules, all_addresses_are_more_than_a_prefix)
{
    cr_assert_eq(add(GOFER_NET_IN, "tcp:0.0.0.0/1:80,tcp:0.0.0.0:81,tcp:[::]/0:82,tcp:*:83"), 0);
    give();
    cr_expect_not(own(GOFER_NET_TCP, "0.0.0.0", 80, false));
    cr_expect(own(GOFER_NET_TCP, "1.2.3.4", 80, false));
    cr_expect(own(GOFER_NET_TCP, "0.0.0.0", 81, false));
    cr_expect_not(own(GOFER_NET_TCP, "1.2.3.4", 81, false));
    cr_expect(own(GOFER_NET_TCP, "::", 82, false));
    cr_expect_not(own(GOFER_NET_TCP, "::", 82, true));
    cr_expect(own(GOFER_NET_TCP, "::", 83, true));
}

Test(net_rules, none_allows_nothing)
{
    cr_assert_eq(add(GOFER_NET_OUT, "none"), 0);
    cr_assert(rules.given && rules.count == 0);
    give();
    cr_expect_not(out(GOFER_NET_TCP, "127.0.0.1", 80));
}

Test(net_rules, this_host_is_named)
{
    union net_address address;
    struct flat_address flat;
    static const struct {
        const char *from, *to;
    } cases[] = {{"::", "::1"}, {"::ffff:0.0.0.0", "127.0.0.1"}, {"::2", "::2"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct flat_address wanted = at(cases[i].to, 0);
        memset(&address, 0, sizeof(address));
        address.any.sa_family = AF_INET6;
        inet_pton(AF_INET6, cases[i].from, &address.in6.sin6_addr);
        net_name_this_host(&address);
        cr_assert(net_flatten(&address, sizeof(address.in6), &flat));
        cr_expect_eq(memcmp(&flat, &wanted, sizeof(flat)), 0, "%s", cases[i].from);
    }
    memset(&address, 0, sizeof(address));
    address.any.sa_family = AF_INET;
    net_name_this_host(&address);
    cr_expect_eq(address.in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    cr_expect_not(net_flatten(&address, 15, &flat));
    address.any.sa_family = AF_INET6;
    cr_expect_not(net_flatten(&address, 23, &flat));
    address.any.sa_family = AF_UNSPEC;
    cr_expect_not(net_flatten(&address, sizeof(address), &flat));
}

Test(net_rules, mistakes_are_refused)
{
    static const char *const wrong[] = {
        "",
        "x",
        ",",
        "tcp:",
        "tcp",
        "10.0.0.1,",
        "10.0.0",
        "10.0.0.1/33",
        "10.0.0.1/",
        "10.0.0.1:",
        "*:65536",
        "*:2-1",
        "*:1-",
        "*:-1",
        "[::1",
        "::1",
        "[::1]/129",
        "[::1]x",
        "sctp:*",
        "icmp:*:8",
        "*:80 ",
        " *",
        "none,*",
        "[::ffff:10.0.0.1]",
        "**",
        "*:*1",
        "10.0.0.1/8/8",
        "tcp:udp:*",
        "*:+1",
        "[10.0.0.1]",
        "10.0.0.1:80:80",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_expect_eq(add(GOFER_NET_OUT, wrong[i]), -EINVAL, "%s", wrong[i]);
    cr_expect_eq(add(GOFER_NET_IN, "icmp:*"), -EINVAL);
    rules.count = 0;
    for (int i = 0; i < GOFER_NET_RULES_MAX; i++)
        cr_assert_eq(add(GOFER_NET_OUT, "*"), 0);
    cr_expect_eq(add(GOFER_NET_OUT, "*"), -E2BIG);
    give();
}

Test(net_rules, the_broker_takes_no_policy_that_is_cut_off_or_wrong)
{
    struct gofer_net_rule wrong[] = {
        {.protocols = 0},
        {.protocols = 8},
        {.protocols = 1, .direction = 2},
        {.protocols = 1, .family = 5},
        {.protocols = 1, .bits = 1},
        {.protocols = 1, .family = 4, .bits = 33},
        {.protocols = 1, .family = 6, .bits = 129},
        {.protocols = 1, .first_port = 2, .last_port = 1},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int fd = memory_file_sealed("policy", &wrong[i], sizeof(wrong[i]), 0);
        cr_expect_eq(net_policy_read(fd), -EINVAL, "%zu", i);
        close(fd);
    }
    static struct gofer_net_rule many[GOFER_NET_RULES_MAX + 1];
    for (size_t i = 0; i < GOFER_NET_RULES_MAX + 1; i++)
        many[i] = (struct gofer_net_rule){.protocols = 1};
    static const size_t sizes[] = {sizeof(many), 23, 25};
    for (size_t i = 0; i < 3; i++) {
        int fd = memory_file_sealed("policy", many, sizes[i], 0);
        cr_expect_eq(net_policy_read(fd), -EINVAL, "%zu bytes", sizes[i]);
        close(fd);
    }
}
