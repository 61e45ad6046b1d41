// The log: one write per line, rate-limited per call site, never a control character.
#include "sentry/core/log.h"
#include "sentry/core/timer.h"
#include "abi/mutate.h"
#include "sentry/task/task.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024

enum log_level log_level = LOG_WARN;
static int log_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void log_open(int fd, enum log_level level)
{
    log_fd = fd;
    log_level = level;
}

const char *log_escape(char *dst, size_t size, const char *src, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    size_t out = 0;
    if (size == 0)
        return dst;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)src[i];
        if ((c >= 0x20 && c < 0x7f && c != '\\') || mutated("log-escape")) {
            if (out + 1 >= size)
                break;
            dst[out++] = (char)c;
        } else {
            if (out + 4 >= size)
                break;
            dst[out++] = '\\';
            dst[out++] = 'x';
            dst[out++] = hex[c >> 4];
            dst[out++] = hex[c & 15];
        }
    }
    dst[out] = '\0';
    return dst;
}

// Counts a line against its site's budget. Returns false when it is to be left out; *dropped is what to
// report with it.
static bool within_rate(struct log_site *site, enum log_level level, uint32_t *dropped)
{
    uint64_t now = mono_now_ns();
    *dropped = 0;
    if (site->window_start_ns == 0 || now - site->window_start_ns >= LOG_INTERVAL * 1000000000ull) {
        site->window_start_ns = now;
        site->count = 0;
        *dropped = site->dropped;
        site->dropped = 0;
    }
    if (site->count >= (level == LOG_DEBUG ? LOG_BURST_DEBUG : LOG_BURST)) {
        site->dropped++;
        return false;
    }
    site->count++;
    return true;
}

static size_t line_head(char *line, size_t size, enum log_level level)
{
    static const char letters[] = "EWID";
    struct timespec ts = {0};
    clock_gettime(CLOCK_REALTIME, &ts);
    unsigned long day = (unsigned long)ts.tv_sec % 86400;
    int n = snprintf(line, size, "%02lu:%02lu:%02lu.%06lu %c ", day / 3600, day / 60 % 60, day % 60,
                     (unsigned long)ts.tv_nsec / 1000, letters[level]);
    size_t at = n > 0 ? (size_t)n : 0;
    if (current) {
        char comm[TASK_COMM_LEN * 4 + 1];
        log_escape(comm, sizeof(comm), current->comm, strnlen(current->comm, TASK_COMM_LEN));
        n = snprintf(line + at, size - at, "[%d %s] ", current->tid, comm);
        at += n > 0 ? (size_t)n : 0;
    }
    return at;
}

void log_write(struct log_site *site, enum log_level level, const char *fmt, ...)
{
    if (log_fd < 0)
        return;
    int saved = errno;
    char line[LOG_LINE_MAX];
    pthread_mutex_lock(&lock);
    uint32_t dropped;
    bool go = within_rate(site, level, &dropped);
    pthread_mutex_unlock(&lock);
    if (!go)
        return;
    size_t room = sizeof(line) - 1; // the newline
    size_t at = line_head(line, room, level);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line + at, room - at, fmt, ap);
    va_end(ap);
    if (n > 0)
        at = at + (size_t)n < room ? at + (size_t)n : room - 1;
    if (dropped) {
        n = snprintf(line + at, room - at, " (%u like this left out)", dropped);
        if (n > 0)
            at = at + (size_t)n < room ? at + (size_t)n : room - 1;
    }
    for (size_t i = 0; i < at; i++)
        if (((unsigned char)line[i] < 0x20 || line[i] == 0x7f) && !mutated("log-escape"))
            line[i] = '?';
    line[at++] = '\n';
    // A log that cannot be written must not stop the guests.
    ssize_t done;
    do
        done = write(log_fd, line, at);
    while (done < 0 && errno == EINTR);
    errno = saved;
}
