#pragma once
// Pausing the whole sandbox, as a frozen control group would: no guest runs, no call is answered, no timer fires. Kernel lock.
#include "sentry/trap/listener.h"
#include <stdbool.h>

// 0, or -LX_EBUSY when it is on already, -LX_EOPNOTSUPP where stops would break into calls (hosts without killable receive).
int pause_begin(void);
// 0, or -LX_EINVAL when it is off.
int pause_end(void);
bool pause_is_on(void);
