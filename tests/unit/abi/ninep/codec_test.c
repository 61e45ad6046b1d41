// Each row of messages.def survives encode and decode; nothing shorter, longer or lying about itself does.
#include <criterion/criterion.h>
#include <stdlib.h>

#include "abi/ninep/ninep.h"

static uint64_t state = 42;

static uint64_t next(void)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return state >> 16;
}

static char pool[512];

static struct np_str random_string(void)
{
    uint16_t length = (uint16_t)(next() % 40);
    return (struct np_str){.bytes = pool + next() % 256, .length = length};
}

static struct np_qid random_qid(void)
{
    return (struct np_qid){.type = (uint8_t)next(), .version = (uint32_t)next(), .path = next()};
}

static void random_attr(struct np_attr *attr)
{
    *attr = (struct np_attr){
        .valid = next(), .qid = random_qid(), .mode = (uint32_t)next(), .uid = (uint32_t)next()};
    for (uint64_t *value = &attr->nlink; value <= &attr->data_version; value++)
        *value = next();
}

static void fill(uint8_t kind, void *field)
{
    switch (kind) {
    case NP_u8:
        *(uint8_t *)field = (uint8_t)next();
        break;
    case NP_u16:
        *(uint16_t *)field = (uint16_t)next();
        break;
    case NP_u32:
        *(uint32_t *)field = (uint32_t)next();
        break;
    case NP_u64:
        *(uint64_t *)field = next();
        break;
    case NP_str:
        *(struct np_str *)field = random_string();
        break;
    case NP_data:
        *(struct np_data *)field =
            (struct np_data){.bytes = (const uint8_t *)pool, .count = (uint32_t)(next() % 512)};
        break;
    case NP_qid:
        *(struct np_qid *)field = random_qid();
        break;
    case NP_attr:
        random_attr(field);
        break;
    case NP_names: {
        struct np_names *names = field;
        names->count = (uint16_t)(next() % (NP_NAMES_MAX + 1));
        for (int i = 0; i < names->count; i++)
            names->name[i] = random_string();
        break;
    }
    case NP_qids: {
        struct np_qids *qids = field;
        qids->count = (uint16_t)(next() % (NP_NAMES_MAX + 1));
        for (int i = 0; i < qids->count; i++)
            qids->qid[i] = random_qid();
        break;
    }
    case NP_attrs: {
        struct np_attrs *attrs = field;
        attrs->count = (uint16_t)(next() % (NP_NAMES_MAX + 1));
        for (int i = 0; i < attrs->count; i++)
            random_attr(&attrs->attr[i]);
        break;
    }
    case NP_fids: {
        struct np_fids *fids = field;
        fids->count = (uint16_t)(next() % (NP_FIDS_MAX + 1));
        for (int i = 0; i < fids->count; i++)
            fids->fid[i] = (uint32_t)next();
        break;
    }
    default:
        cr_assert_fail("kind %d", kind);
    }
}

static void random_message(struct np_message *message, uint8_t type)
{
    memset(message, 0, sizeof(*message));
    message->type = type;
    message->tag = (uint16_t)next();
    for (const struct np_field *field = np_fields(type); field->kind != NP_END; field++)
        fill(field->kind, np_field_of(message, field));
}

static bool same_str(const struct np_str *a, const struct np_str *b)
{
    return a->length == b->length && !memcmp(a->bytes, b->bytes, a->length);
}

static bool same_qid(const struct np_qid *a, const struct np_qid *b)
{
    return a->type == b->type && a->version == b->version && a->path == b->path;
}

static bool same_attr(const struct np_attr *a, const struct np_attr *b)
{
    return a->valid == b->valid && same_qid(&a->qid, &b->qid) && a->mode == b->mode && a->uid == b->uid &&
           a->gid == b->gid && !memcmp(&a->nlink, &b->nlink, 15 * sizeof(uint64_t));
}

static bool same(uint8_t kind, const void *a, const void *b)
{
    switch (kind) {
    case NP_u8:
        return !memcmp(a, b, 1);
    case NP_u16:
        return !memcmp(a, b, 2);
    case NP_u32:
        return !memcmp(a, b, 4);
    case NP_u64:
        return !memcmp(a, b, 8);
    case NP_str:
        return same_str(a, b);
    case NP_data: {
        const struct np_data *x = a, *y = b;
        return x->count == y->count && !memcmp(x->bytes, y->bytes, x->count);
    }
    case NP_qid:
        return same_qid(a, b);
    case NP_attr:
        return same_attr(a, b);
    case NP_names: {
        const struct np_names *x = a, *y = b;
        for (int i = 0; i < x->count; i++) {
            if (!same_str(&x->name[i], &y->name[i]))
                return false;
        }
        return x->count == y->count;
    }
    case NP_qids: {
        const struct np_qids *x = a, *y = b;
        for (int i = 0; i < x->count; i++) {
            if (!same_qid(&x->qid[i], &y->qid[i]))
                return false;
        }
        return x->count == y->count;
    }
    case NP_attrs: {
        const struct np_attrs *x = a, *y = b;
        for (int i = 0; i < x->count; i++) {
            if (!same_attr(&x->attr[i], &y->attr[i]))
                return false;
        }
        return x->count == y->count;
    }
    case NP_fids: {
        const struct np_fids *x = a, *y = b;
        return x->count == y->count && !memcmp(x->fid, y->fid, x->count * sizeof(x->fid[0]));
    }
    }
    return false;
}

static void fill_pool(void)
{
    for (size_t i = 0; i < sizeof(pool); i++)
        pool[i] = (char)next();
}

TestSuite(codec, .init = fill_pool);

static struct np_message in, out;

Test(codec, every_row_survives_a_round_trip)
{
    static uint8_t wire[32768];
    for (unsigned int row = 0; np_row(row) >= 0; row++) {
        uint8_t type = (uint8_t)np_row(row);
        for (int round = 0; round < 50; round++) {
            random_message(&in, type);
            ptrdiff_t size = np_encode(&in, wire, sizeof(wire));
            cr_assert_gt(size, 0, "%s does not encode", np_name(type));
            cr_assert_eq(np_announced_size(wire), size);
            memset(&out, 0xa5, sizeof(out));
            cr_assert_eq(np_decode(&out, wire, (size_t)size), 0, "%s does not decode", np_name(type));
            cr_assert_eq(out.type, type);
            cr_assert_eq(out.tag, in.tag);
            for (const struct np_field *f = np_fields(type); f->kind != NP_END; f++)
                cr_assert(same(f->kind, np_field_of(&in, f), np_field_of(&out, f)), "%s, offset %d",
                          np_name(type), f->offset);
        }
    }
}

Test(codec, every_truncation_is_refused)
{
    static uint8_t wire[32768];
    for (unsigned int row = 0; np_row(row) >= 0; row++) {
        random_message(&in, (uint8_t)np_row(row));
        ptrdiff_t size = np_encode(&in, wire, sizeof(wire));
        for (size_t cut = 0; cut < (size_t)size; cut++) {
            uint8_t *copy = malloc(cut + 1);
            memcpy(copy, wire, cut);
            if (cut >= 4) {
                uint32_t announced = (uint32_t)cut;
                memcpy(copy, &announced, 4);
            }
            cr_assert_eq(np_decode(&out, copy, cut), -1, "%s cut to %zu", np_name(in.type), cut);
            cr_assert_eq(np_encode(&in, copy, cut), -1, "%s encodes into %zu", np_name(in.type), cut);
            free(copy);
        }
    }
}

Test(codec, trailing_bytes_and_wrong_sizes_are_refused)
{
    uint8_t wire[64] = {0};
    struct np_message message = {.type = np_type_of_tclunk, .tag = 1, .tclunk = {.fid = 7}};
    ptrdiff_t size = np_encode(&message, wire, sizeof(wire));
    cr_assert_eq(size, 11);
    cr_assert_eq(np_decode(&out, wire, 11), 0);
    cr_assert_eq(np_decode(&out, wire, 12), -1);
    wire[0] = 12;
    cr_assert_eq(np_decode(&out, wire, 12), -1);
    cr_assert_eq(np_decode(&out, wire, 11), -1);
}

Test(codec, numbers_of_no_message_are_refused)
{
    uint8_t wire[7] = {7, 0, 0, 0, 0, 0, 0};
    for (int type = 0; type < 256; type++) {
        bool known = false;
        for (unsigned int row = 0; np_row(row) >= 0; row++)
            known |= np_row(row) == type;
        wire[4] = (uint8_t)type;
        cr_assert_eq(np_fields((uint8_t)type) != NULL, known);
        if (!known)
            cr_assert_eq(np_decode(&out, wire, sizeof(wire)), -1);
    }
}

Test(codec, counts_over_the_limit_are_refused)
{
    static uint8_t wire[32768];
    memset(&in, 0, sizeof(in));
    in.type = np_type_of_tclunkmany;
    in.tclunkmany.fids.count = NP_FIDS_MAX + 1;
    cr_assert_eq(np_encode(&in, wire, sizeof(wire)), -1);
    in.tclunkmany.fids.count = NP_FIDS_MAX;
    ptrdiff_t size = np_encode(&in, wire, sizeof(wire));
    cr_assert_gt(size, 0);
    uint16_t count = NP_FIDS_MAX + 1;
    uint32_t announced = (uint32_t)size + 4;
    memcpy(wire, &announced, 4);
    memcpy(wire + 7, &count, 2);
    cr_assert_eq(np_decode(&out, wire, announced), -1);
}

Test(codec, plain_messages_match_the_bytes_other_servers_send)
{
    // Tversion of the Linux client: msize 8192, "9P2000.L", no tag.
    static const uint8_t expected[] = {21, 0, 0,   0,   100, 0xff, 0xff, 0,   0x20, 0,  0,
                                       8,  0, '9', 'P', '2', '0',  '0',  '0', '.',  'L'};
    uint8_t wire[64];
    struct np_message message = {.type = np_type_of_tversion,
                                 .tag = NP_NOTAG,
                                 .tversion = {.msize = 8192, .version = np_string("9P2000.L")}};
    cr_assert_eq(np_encode(&message, wire, sizeof(wire)), sizeof(expected));
    cr_assert_arr_eq(wire, expected, sizeof(expected));
    cr_assert_eq(np_encode(&(struct np_message){.type = np_type_of_rgetattr}, (uint8_t[256]){0}, 256), 160);
}
