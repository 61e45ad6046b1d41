// Version string shared by both programs.
extern const char sentry_version[];
const char sentry_version[] = SENTRY_VERSION;
