#include "sentry/oci/report.h"
#include "sentry/boot/fail.h"
#include "sentry/oci/json_write.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int log_fd = -1;
static bool log_json;
static bool stderr_is_ours = true;
static char last_boot_message[OCI_ERROR_TEXT];

int report_open(const char *path, bool json, struct oci_error *error)
{
    log_json = json;
    if (!path || !*path)
        return 0;
    log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
    return log_fd < 0 ? oci_fail_errno(error, errno, "--log: cannot open %s", path) : 0;
}

// "name=value" with quotes, as logfmt has it.
static char *text_line(const char *level, const char *text, const char *when)
{
    char *line = malloc(strlen(text) * 4 + 128), *at = line;
    if (!line)
        return NULL;
    at += sprintf(at, "time=\"%s\" level=%s msg=\"", when, level);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            *at++ = '\\';
        if (c < 32 || c > 126)
            at += sprintf(at, "\\x%02x", c);
        else
            *at++ = (char)c;
    }
    strcpy(at, "\"");
    return line;
}

static char *json_line(const char *level, const char *name, const char *text, const char *when)
{
    struct json_writer w = {0};
    json_put_object(&w, NULL);
    if (*name)
        json_put_string(&w, "container", name);
    json_put_string(&w, "level", level);
    json_put_string(&w, "msg", text);
    json_put_string(&w, "time", when);
    json_put_end(&w, '}');
    if (!w.error)
        return w.text;
    free(w.text);
    return NULL;
}

// One write for the whole line: several processes append to one log.
static void put_line(int fd, char *line)
{
    size_t n = line ? strlen(line) : 0;
    if (!line)
        return;
    line[n] = '\n'; // the place of the NUL
    ssize_t unused = write(fd, line, n + 1);
    (void)unused;
    free(line);
}

// Engines, which read JSON, know whom they asked about: there the name is a member of its own.
static void to_log(const char *level, const char *name, const char *text)
{
    char when[40];
    time_t now = time(NULL);
    struct tm utc;
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    char with_name[OCI_ERROR_TEXT + 256];
    snprintf(with_name, sizeof(with_name), "%s%s%s", name, *name ? ": " : "", text);
    put_line(log_fd, log_json ? json_line(level, name, text, when) : text_line(level, with_name, when));
}

void report_error_of(const char *name, const char *text)
{
    if (log_fd >= 0)
        to_log("error", name, text);
    if (stderr_is_ours)
        dprintf(STDERR_FILENO, "sentry: %s%s%s\n", name, *name ? ": " : "", text);
}

void report_error(const char *text)
{
    report_error_of("", text);
}

void report_warning(const char *text)
{
    if (log_fd >= 0)
        to_log("warning", "", text);
    else if (stderr_is_ours)
        dprintf(STDERR_FILENO, "sentry: %s\n", text);
}

void report_leave_stderr(void)
{
    stderr_is_ours = false;
}

static void boot_message(const char *text)
{
    snprintf(last_boot_message, sizeof(last_boot_message), "%s", text);
    report_warning(text);
}

void report_take_boot_messages(void)
{
    boot_set_sink(boot_message);
}

const char *report_last_boot_message(void)
{
    return last_boot_message;
}
