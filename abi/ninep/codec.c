// The codec of 9P2000.L.sentry1: walks the field table of a message type.
#include "abi/ninep/ninep.h"

struct row {
    uint8_t number;
    const char *name;
};

static const struct row rows[] = {
#define NP_MESSAGE(number, name, fields) {number, #name},
#include "abi/ninep/messages.def"
#undef NP_MESSAGE
};

int np_row(unsigned int index)
{
    return index < sizeof(rows) / sizeof(rows[0]) ? rows[index].number : -1;
}

const char *np_name(uint8_t type)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].number == type)
            return rows[i].name;
    }
    return "?";
}

const struct np_field *np_fields(uint8_t type)
{
    switch (type) {
#define F(kind, field) {NP_##kind, offsetof(message_type, field)},
#define NP_MESSAGE(number, name, fields)                               \
    case number: {                                                     \
        typedef struct np_##name message_type __attribute__((unused)); \
        static const struct np_field table[] = {fields{NP_END, 0}};    \
        return table;                                                  \
    }
#include "abi/ninep/messages.def"
#undef NP_MESSAGE
#undef F
    default:
        return NULL;
    }
}

static void put_bytes(struct np_cursor *cursor, const void *bytes, size_t length)
{
    uint8_t *place = np_take(cursor, length);
    if (place && length && place != bytes)
        memmove(place, bytes, length);
}

static void put_str(struct np_cursor *cursor, const struct np_str *string)
{
    np_put(cursor, string->length, 2);
    put_bytes(cursor, string->bytes, string->length);
}

static void get_str(struct np_cursor *cursor, struct np_str *string)
{
    string->length = (uint16_t)np_get(cursor, 2);
    string->bytes = (const char *)np_take(cursor, string->length);
    if (!string->bytes)
        string->length = 0;
}

static void put_qid(struct np_cursor *cursor, const struct np_qid *qid)
{
    np_put(cursor, qid->type, 1);
    np_put(cursor, qid->version, 4);
    np_put(cursor, qid->path, 8);
}

static void get_qid(struct np_cursor *cursor, struct np_qid *qid)
{
    qid->type = (uint8_t)np_get(cursor, 1);
    qid->version = (uint32_t)np_get(cursor, 4);
    qid->path = np_get(cursor, 8);
}

void np_put_attr(struct np_cursor *cursor, const struct np_attr *attr)
{
    np_put(cursor, attr->valid, 8);
    put_qid(cursor, &attr->qid);
    np_put(cursor, attr->mode, 4);
    np_put(cursor, attr->uid, 4);
    np_put(cursor, attr->gid, 4);
    for (const uint64_t *value = &attr->nlink; value <= &attr->data_version; value++)
        np_put(cursor, *value, 8);
}

void np_get_attr(struct np_cursor *cursor, struct np_attr *attr)
{
    attr->valid = np_get(cursor, 8);
    get_qid(cursor, &attr->qid);
    attr->mode = (uint32_t)np_get(cursor, 4);
    attr->uid = (uint32_t)np_get(cursor, 4);
    attr->gid = (uint32_t)np_get(cursor, 4);
    for (uint64_t *value = &attr->nlink; value <= &attr->data_version; value++)
        *value = np_get(cursor, 8);
}

_Static_assert(offsetof(struct np_attr, data_version) - offsetof(struct np_attr, nlink) == 14 * 8,
               "nlink to data_version are consecutive");

void np_put_dirent(struct np_cursor *cursor, const struct np_dirent *entry)
{
    put_qid(cursor, &entry->qid);
    np_put(cursor, entry->offset, 8);
    np_put(cursor, entry->type, 1);
    put_str(cursor, &entry->name);
}

void np_get_dirent(struct np_cursor *cursor, struct np_dirent *entry)
{
    get_qid(cursor, &entry->qid);
    entry->offset = np_get(cursor, 8);
    entry->type = (uint8_t)np_get(cursor, 1);
    get_str(cursor, &entry->name);
}

// A count that precedes a list; one over the limit is an overflow.
static uint16_t get_count(struct np_cursor *cursor, uint16_t limit)
{
    uint16_t count = (uint16_t)np_get(cursor, 2);
    if (count > limit) {
        cursor->overflow = true;
        return 0;
    }
    return count;
}

static uint16_t put_count(struct np_cursor *cursor, uint16_t count, uint16_t limit)
{
    if (count > limit) {
        cursor->overflow = true;
        return 0;
    }
    np_put(cursor, count, 2);
    return count;
}

static void put_field(struct np_cursor *cursor, uint8_t kind, const void *field)
{
    switch (kind) {
    case NP_u8:
        np_put(cursor, *(const uint8_t *)field, 1);
        break;
    case NP_u16:
        np_put(cursor, *(const uint16_t *)field, 2);
        break;
    case NP_u32:
        np_put(cursor, *(const uint32_t *)field, 4);
        break;
    case NP_u64:
        np_put(cursor, *(const uint64_t *)field, 8);
        break;
    case NP_str:
        put_str(cursor, field);
        break;
    case NP_data: {
        const struct np_data *data = field;
        np_put(cursor, data->count, 4);
        put_bytes(cursor, data->bytes, data->count);
        break;
    }
    case NP_qid:
        put_qid(cursor, field);
        break;
    case NP_attr:
        np_put_attr(cursor, field);
        break;
    case NP_names: {
        const struct np_names *names = field;
        uint16_t count = put_count(cursor, names->count, NP_NAMES_MAX);
        for (uint16_t i = 0; i < count; i++)
            put_str(cursor, &names->name[i]);
        break;
    }
    case NP_qids: {
        const struct np_qids *qids = field;
        uint16_t count = put_count(cursor, qids->count, NP_NAMES_MAX);
        for (uint16_t i = 0; i < count; i++)
            put_qid(cursor, &qids->qid[i]);
        break;
    }
    case NP_attrs: {
        const struct np_attrs *attrs = field;
        uint16_t count = put_count(cursor, attrs->count, NP_NAMES_MAX);
        for (uint16_t i = 0; i < count; i++)
            np_put_attr(cursor, &attrs->attr[i]);
        break;
    }
    case NP_fids: {
        const struct np_fids *fids = field;
        uint16_t count = put_count(cursor, fids->count, NP_FIDS_MAX);
        for (uint16_t i = 0; i < count; i++)
            np_put(cursor, fids->fid[i], 4);
        break;
    }
    default:
        cursor->overflow = true;
    }
}

static void get_field(struct np_cursor *cursor, uint8_t kind, void *field)
{
    switch (kind) {
    case NP_u8:
        *(uint8_t *)field = (uint8_t)np_get(cursor, 1);
        break;
    case NP_u16:
        *(uint16_t *)field = (uint16_t)np_get(cursor, 2);
        break;
    case NP_u32:
        *(uint32_t *)field = (uint32_t)np_get(cursor, 4);
        break;
    case NP_u64:
        *(uint64_t *)field = np_get(cursor, 8);
        break;
    case NP_str:
        get_str(cursor, field);
        break;
    case NP_data: {
        struct np_data *data = field;
        data->count = (uint32_t)np_get(cursor, 4);
        data->bytes = np_take(cursor, data->count);
        if (!data->bytes)
            data->count = 0;
        break;
    }
    case NP_qid:
        get_qid(cursor, field);
        break;
    case NP_attr:
        np_get_attr(cursor, field);
        break;
    case NP_names: {
        struct np_names *names = field;
        names->count = get_count(cursor, NP_NAMES_MAX);
        for (uint16_t i = 0; i < names->count; i++)
            get_str(cursor, &names->name[i]);
        break;
    }
    case NP_qids: {
        struct np_qids *qids = field;
        qids->count = get_count(cursor, NP_NAMES_MAX);
        for (uint16_t i = 0; i < qids->count; i++)
            get_qid(cursor, &qids->qid[i]);
        break;
    }
    case NP_attrs: {
        struct np_attrs *attrs = field;
        attrs->count = get_count(cursor, NP_NAMES_MAX);
        for (uint16_t i = 0; i < attrs->count; i++)
            np_get_attr(cursor, &attrs->attr[i]);
        break;
    }
    case NP_fids: {
        struct np_fids *fids = field;
        fids->count = get_count(cursor, NP_FIDS_MAX);
        for (uint16_t i = 0; i < fids->count; i++)
            fids->fid[i] = (uint32_t)np_get(cursor, 4);
        break;
    }
    default:
        cursor->overflow = true;
    }
}

ptrdiff_t np_encode(const struct np_message *message, void *buffer, size_t size)
{
    const struct np_field *field = np_fields(message->type);
    if (!field || size > UINT32_MAX)
        return -1;
    struct np_cursor cursor = np_cursor_over(buffer, size);
    np_put(&cursor, 0, 4);
    np_put(&cursor, message->type, 1);
    np_put(&cursor, message->tag, 2);
    for (; field->kind != NP_END; field++)
        put_field(&cursor, field->kind, (const char *)&message->rlerror + field->offset);
    if (cursor.overflow)
        return -1;
    size_t length = cursor.position;
    cursor.position = 0;
    np_put(&cursor, length, 4);
    return (ptrdiff_t)length;
}

int np_decode(struct np_message *message, const void *buffer, size_t size)
{
    // The cursor serves both directions; decoding only reads.
    struct np_cursor cursor = np_cursor_over((void *)(uintptr_t)buffer, size);
    uint64_t announced = np_get(&cursor, 4);
    message->type = (uint8_t)np_get(&cursor, 1);
    message->tag = (uint16_t)np_get(&cursor, 2);
    const struct np_field *field = np_fields(message->type);
    if (cursor.overflow || announced != size || !field)
        return -1;
    for (; field->kind != NP_END; field++)
        get_field(&cursor, field->kind, np_field_of(message, field));
    return cursor.overflow || cursor.position != size ? -1 : 0;
}
