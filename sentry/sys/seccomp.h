#pragma once
#include "sentry/trap/call.h"

int64_t prctl_set_seccomp(struct call *call); // prctl(PR_SET_SECCOMP)
