#pragma once
// The Sentry's log. Every line names the running task; guest text must go through log_escape().
// Rate limit: each call site at most LOG_BURST lines per LOG_INTERVAL seconds, with a count of what was left
// out.
#include <stddef.h>
#include <stdint.h>

#define LOG_BURST 20u
#define LOG_BURST_DEBUG 2000u // at LOG_DEBUG, which somebody asked for
#define LOG_INTERVAL 5u

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_site {
    uint64_t window_start_ns; // protected by the log's own lock
    uint32_t count;           // protected by the log's own lock
    uint32_t dropped;         // protected by the log's own lock
};

extern enum log_level log_level;             // set once at boot
void log_open(int fd, enum log_level level); // fd stays owned by the caller; -1 means nowhere
void log_write(struct log_site *site, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// Writes `src` (n bytes) as printable ASCII with \xNN escapes, always terminated. Returns `dst`.
const char *log_escape(char *dst, size_t size, const char *src, size_t n);

#define log_at(level_, ...)                           \
    do {                                              \
        static struct log_site site_;                 \
        if ((level_) <= log_level)                    \
            log_write(&site_, (level_), __VA_ARGS__); \
    } while (0)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
