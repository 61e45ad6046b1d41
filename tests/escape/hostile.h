#pragma once
// What the hostile Sentry and the hostile guest agree on.
#define HOSTILE_MARK 0x484f5354494c4521 // as the sixth argument: let the host run this call
#define HOSTILE_DONATE \
    0x444f4e41544521 // as the fifth argument of close: donate the Sentry's descriptor named by the first
