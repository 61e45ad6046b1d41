#include "sentry/trap/missing.h"
#include <criterion/criterion.h>
#include <stdio.h>

Test(missing, once_per_program_and_call)
{
    cr_expect(missing_call_first("bash", 400));
    cr_expect_not(missing_call_first("bash", 400));
    cr_expect(missing_call_first("bash", 401));
    cr_expect(missing_call_first("sh", 400));
    cr_expect_not(missing_call_first("bash", 400));
    cr_expect(missing_call_first("", 0));
    cr_expect_not(missing_call_first("", 0));
}

// It never runs out: after very many names it has forgotten some, and still tells new from old.
Test(missing, bounded)
{
    char name[16];
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        cr_assert(missing_call_first(name, 400));
        cr_assert_not(missing_call_first(name, 400));
    }
}
