// The taken-over Sentry: whoever holds the listener can answer CONTINUE to anything.
#include "tests/escape/hostile.h"
#include "abi/linux/errno.h"
#include "abi/mutate.h"
#include "abi/stub/layout.h"
#include "sentry/trap/hostile.h"
#include "sentry/trap/listener.h"

#define NR_CLOSE 3
#define NR_CLONE 56

bool hostile_call(const struct call *c, int64_t *result)
{
    if (!mutated("hostile") || c->args[5] != HOSTILE_MARK)
        return false;
    // The filter makes a signal of these wherever they come from: there is nothing to continue. Only a clone can be had, by an
    // order to the stub.
    if (c->trapped && c->nr != NR_CLONE)
        return false;
    if (c->nr == NR_CLOSE && c->args[4] == HOSTILE_DONATE)
        *result = listener_donate(c->id, (int)c->args[0], STUB_DONATION_FD);
    else
        *result = CALL_CONTINUE;
    return true;
}
