// Values of options: sizes, durations, users, mounts.
#include "sentry/cli/options.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// DIGITS[.DIGITS] as thousandths. Returns what follows, or NULL.
static const char *parse_milli(const char *text, uint64_t *milli)
{
    if (!isdigit((unsigned char)*text))
        return NULL;
    uint64_t whole = 0;
    while (isdigit((unsigned char)*text)) {
        if (whole > UINT64_MAX / 10000 - 10)
            return NULL;
        whole = whole * 10 + (uint64_t)(*text++ - '0');
    }
    uint64_t part = 0, scale = 100;
    if (*text == '.') {
        text++;
        if (!isdigit((unsigned char)*text))
            return NULL;
        for (; isdigit((unsigned char)*text); text++, scale /= 10)
            part += scale * (uint64_t)(*text - '0');
    }
    return __builtin_mul_overflow(whole, 1000, milli) || __builtin_add_overflow(*milli, part, milli) ? NULL
                                                                                                     : text;
}

bool option_size(const char *text, uint64_t *bytes)
{
    uint64_t milli;
    const char *unit = parse_milli(text, &milli);
    if (!unit)
        return false;
    unsigned shift = 0;
    if (*unit) {
        const char *units = "kmgt";
        const char *found = strchr(units, tolower((unsigned char)*unit));
        if (!found)
            return false;
        shift = 10 * (unsigned)(found - units + 1);
        unit++;
        if (strcasecmp(unit, "") != 0 && strcasecmp(unit, "b") != 0 && strcasecmp(unit, "ib") != 0)
            return false;
    }
    if (milli > UINT64_MAX >> shift)
        return false;
    *bytes = (milli << shift) / 1000;
    return *bytes != 0;
}

bool option_duration(const char *text, uint64_t *ns)
{
    static const struct {
        const char *name;
        uint64_t ns_per_milli;
    } units[] = {{"", 1000000}, {"s", 1000000}, {"ms", 1000}, {"m", 60000000}, {"h", 3600000000u}};
    uint64_t milli;
    const char *unit = parse_milli(text, &milli);
    if (!unit)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].name) == 0)
            return !__builtin_mul_overflow(milli, units[i].ns_per_milli, ns) && *ns != 0;
    }
    return false;
}

bool option_cpus(const char *text, uint64_t *milli)
{
    const char *rest = parse_milli(text, milli);
    return rest && !*rest && *milli >= 10 && *milli <= 1000000;
}

static bool parse_id(const char *text, uint32_t *id)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || value >= UINT32_MAX)
        return false;
    *id = (uint32_t)value;
    return true;
}

bool option_user(const char *text, uint32_t *uid, uint32_t *gid)
{
    char copy[32];
    if (strlen(text) >= sizeof(copy))
        return false;
    strcpy(copy, text);
    char *colon = strchr(copy, ':');
    if (colon)
        *colon++ = 0;
    if (!parse_id(copy, uid))
        return false;
    *gid = *uid;
    return !colon || parse_id(colon, gid);
}

bool option_bind(char *text, struct bind_option *bind)
{
    *bind = (struct bind_option){.source = text, .readonly = true};
    char *destination = strchr(text, ':');
    if (!destination || destination == text)
        return false;
    *destination++ = 0;
    char *mode = strchr(destination, ':');
    if (mode) {
        *mode++ = 0;
        if (strcmp(mode, "rw") == 0)
            bind->readonly = false;
        else if (strcmp(mode, "ro") != 0)
            return false;
    }
    bind->destination = destination;
    return *destination == '/';
}

bool option_server(char *text, struct server_option *server)
{
    // SOCKET:NAME:DST[:MODE] is SOCKET and what --bind takes, with a name for its source.
    char *name = strchr(text, ':');
    struct bind_option bind;
    if (!name || name == text)
        return false;
    *name++ = 0;
    if (!option_bind(name, &bind))
        return false;
    *server = (struct server_option){.socket = text,
                                     .export_name = bind.source,
                                     .destination = bind.destination,
                                     .readonly = bind.readonly};
    return true;
}

bool option_overlay(char *text, struct options *o)
{
    o->overlay_none = strcmp(text, "none") == 0;
    o->overlay_store = NULL;
    o->overlay_size = 0;
    char *size = strstr(text, ",size=");
    if (size) {
        *size = 0;
        if (!option_size(size + 6, &o->overlay_size) || !o->overlay_size)
            return false;
    }
    if (strncmp(text, "file=", 5) == 0) {
        o->overlay_store = text + 5;
        return text[5] != 0;
    }
    return (o->overlay_none && !size) || strcmp(text, "memory") == 0;
}

bool option_tmpfs(char *text, struct tmpfs_option *tmpfs)
{
    *tmpfs = (struct tmpfs_option){.destination = text, .mode = 01777};
    char *settings = strchr(text, ':');
    if (settings)
        *settings++ = 0;
    if (*text != '/')
        return false;
    for (char *next, *setting = settings; setting; setting = next) {
        next = strchr(setting, ',');
        if (next)
            *next++ = 0;
        if (strncmp(setting, "size=", 5) == 0) {
            if (!option_size(setting + 5, &tmpfs->size))
                return false;
        } else if (strncmp(setting, "mode=", 5) == 0) {
            char *end;
            unsigned long mode = strtoul(setting + 5, &end, 8);
            if (end == setting + 5 || *end || mode > 07777)
                return false;
            tmpfs->mode = (uint32_t)mode;
        } else if (strcmp(setting, "noexec") == 0) {
            tmpfs->noexec = true;
        } else {
            return false;
        }
    }
    return true;
}
