// 9P2000.L and the extension 9P2000.L.sentry1: message structures, generated from messages.def, and their
// codec.
//
// A decoded message points into the buffer it was decoded from: strings and data are valid as long as that
// buffer is. Both ends treat what they decode as hostile: the codec bounds every count and length, nothing
// more; what a name or number means is checked by its user.
#pragma once

#include "abi/ninep/cursor.h"

#define NP_VERSION_PLAIN "9P2000.L"
#define NP_VERSION_SENTRY "9P2000.L.sentry1"
#define NP_NOFID 0xffffffffu
#define NP_NOTAG 0xffffu
#define NP_HEADER_SIZE 7         // size[4] type[1] tag[2]
#define NP_IO_HEADER_SIZE 24     // the most that precedes data in Tread, Twrite and their replies
#define NP_MESSAGE_MIN 4096      // smallest message size a version exchange may settle on
#define NP_MESSAGE_MIN_EXT 16384 // the same with the extension
#define NP_MESSAGE_MAX (1u << 20)
#define NP_WALK_MAX 16  // names in a Twalk
#define NP_NAMES_MAX 32 // names in a Twalkattr
#define NP_FIDS_MAX 256 // fids in a Tclunkmany
#define NP_NAME_MAX 255
#define NP_QID_SIZE 13
#define NP_ATTR_SIZE 153

// Qid types.
#define NP_QTDIR 0x80
#define NP_QTSYMLINK 0x02
#define NP_QTFILE 0x00

// Bits of np_attr.valid and Tgetattr.mask.
#define NP_GETATTR_BASIC 0x000007ffull
#define NP_GETATTR_BTIME 0x00000800ull

// Bits of Tsetattr.valid.
#define NP_SETATTR_MODE 0x001u
#define NP_SETATTR_UID 0x002u
#define NP_SETATTR_GID 0x004u
#define NP_SETATTR_SIZE 0x008u
#define NP_SETATTR_ATIME 0x010u
#define NP_SETATTR_MTIME 0x020u
#define NP_SETATTR_CTIME 0x040u
#define NP_SETATTR_ATIME_SET 0x080u
#define NP_SETATTR_MTIME_SET 0x100u
#define NP_SETATTR_ALL 0x1ffu

#define NP_LOCK_SUCCESS 0
#define NP_LOCK_BLOCKED 1
#define NP_LOCK_ERROR 2
#define NP_LOCK_BLOCK 1u // flag of Tlock
#define NP_LOCK_RDLCK 0
#define NP_LOCK_WRLCK 1
#define NP_LOCK_UNLCK 2

#define NP_AT_REMOVEDIR 0x200u

// Tsetxattr.flags: XATTR_CREATE, XATTR_REPLACE, or this to remove.
#define NP_XATTR_REMOVE 0x100u

// Flags of Rattachattr: what the export is, as the operator configured it.
#define NP_EXPORT_RO 1u
#define NP_EXPORT_XATTRS 2u // security.capability and ACLs too

struct np_str {
    const char *bytes; // not NUL-terminated
    uint16_t length;
};

struct np_data {
    const uint8_t *bytes;
    uint32_t count;
};

struct np_qid {
    uint8_t type;
    uint32_t version;
    uint64_t path;
};

struct np_attr {
    uint64_t valid;
    struct np_qid qid;
    uint32_t mode, uid, gid;
    uint64_t nlink, rdev, size, blksize, blocks;
    uint64_t atime_sec, atime_nsec, mtime_sec, mtime_nsec, ctime_sec, ctime_nsec, btime_sec, btime_nsec;
    uint64_t gen, data_version;
};

struct np_names {
    uint16_t count;
    struct np_str name[NP_NAMES_MAX];
};

struct np_qids {
    uint16_t count;
    struct np_qid qid[NP_NAMES_MAX];
};

struct np_attrs {
    uint16_t count;
    struct np_attr attr[NP_NAMES_MAX];
};

struct np_fids {
    uint16_t count;
    uint32_t fid[NP_FIDS_MAX];
};

// Kinds of field, and the C type of each.
enum np_kind {
    NP_END,
    NP_u8,
    NP_u16,
    NP_u32,
    NP_u64,
    NP_str,
    NP_data,
    NP_qid,
    NP_attr,
    NP_names,
    NP_qids,
    NP_attrs,
    NP_fids
};
typedef uint8_t np_type_u8;
typedef uint16_t np_type_u16;
typedef uint32_t np_type_u32;
typedef uint64_t np_type_u64;
typedef struct np_str np_type_str;
typedef struct np_data np_type_data;
typedef struct np_qid np_type_qid;
typedef struct np_attr np_type_attr;
typedef struct np_names np_type_names;
typedef struct np_qids np_type_qids;
typedef struct np_attrs np_type_attrs;
typedef struct np_fids np_type_fids;

// struct np_tversion and so on.
#define F(kind, field) np_type_##kind field;
#define NP_MESSAGE(number, name, fields) \
    struct np_##name {                   \
        fields                           \
    };
#include "abi/ninep/messages.def"
#undef NP_MESSAGE

// Message numbers: np_type_of_tversion and so on.
enum np_type {
#define NP_MESSAGE(number, name, fields) np_type_of_##name = number,
#include "abi/ninep/messages.def"
#undef NP_MESSAGE
};

// Tmemfd
enum { NP_MEMFD_FRESH, NP_MEMFD_READ_ONLY, NP_MEMFD_STORE };

struct np_message {
    uint8_t type; // enum np_type
    uint16_t tag;
    union {
#define NP_MESSAGE(number, name, fields) struct np_##name name;
#include "abi/ninep/messages.def"
#undef NP_MESSAGE
    };
};
#undef F

// One field of a message: its kind and where it stands behind the union of struct np_message.
struct np_field {
    uint8_t kind;
    uint16_t offset;
};

// Fields of a message type in wire order, ended by NP_END; NULL for a number that is no message.
const struct np_field *np_fields(uint8_t type);

// "Tversion" and so on; "?" for a number that is no message.
const char *np_name(uint8_t type);

// The I-th row of the table (0 on), or -1 behind the last one: for tests and fuzzers.
int np_row(unsigned int index);

// Address of a field inside a message.
static inline void *np_field_of(struct np_message *message, const struct np_field *field)
{
    return (char *)&message->rlerror + field->offset;
}

// Writes a whole message with its size into the buffer. A data field whose bytes already stand at their place
// is not copied. Returns the size, or -1 when it does not fit or is no message.
ptrdiff_t np_encode(const struct np_message *message, void *buffer, size_t size);

// Reads a whole message, `size` bytes with its header. Returns 0, or -1 when the size field, the type, any
// count, or the total length is wrong; bytes left over are wrong too. The message then has undefined
// contents.
int np_decode(struct np_message *message, const void *buffer, size_t size);

// Size announced in the first four bytes of a message.
static inline uint32_t np_announced_size(const void *buffer)
{
    uint32_t size;
    memcpy(&size, buffer, sizeof(size));
    return size;
}

// Fields inside the data of Rreaddir (entry without attributes) and Rreaddirattr (with).
struct np_dirent {
    struct np_qid qid;
    uint64_t offset; // where the next entry is read
    uint8_t type;    // DT_*
    struct np_str name;
};
void np_put_dirent(struct np_cursor *cursor, const struct np_dirent *entry);
void np_get_dirent(struct np_cursor *cursor, struct np_dirent *entry);
void np_put_attr(struct np_cursor *cursor, const struct np_attr *attr);
void np_get_attr(struct np_cursor *cursor, struct np_attr *attr);

static inline struct np_str np_string(const char *text)
{
    return (struct np_str){.bytes = text, .length = (uint16_t)strlen(text)};
}

static inline bool np_string_is(struct np_str string, const char *text)
{
    return string.length == strlen(text) && !memcmp(string.bytes, text, string.length);
}
