#pragma once
// inotify(7) (include/uapi/linux/inotify.h).
#include <stdint.h>

#define LX_IN_ACCESS 0x1u
#define LX_IN_MODIFY 0x2u
#define LX_IN_ATTRIB 0x4u
#define LX_IN_CLOSE_WRITE 0x8u
#define LX_IN_CLOSE_NOWRITE 0x10u
#define LX_IN_OPEN 0x20u
#define LX_IN_MOVED_FROM 0x40u
#define LX_IN_MOVED_TO 0x80u
#define LX_IN_CREATE 0x100u
#define LX_IN_DELETE 0x200u
#define LX_IN_DELETE_SELF 0x400u
#define LX_IN_MOVE_SELF 0x800u
#define LX_IN_ALL_EVENTS 0xfffu
#define LX_IN_UNMOUNT 0x2000u
#define LX_IN_Q_OVERFLOW 0x4000u
#define LX_IN_IGNORED 0x8000u
#define LX_IN_ONLYDIR 0x01000000u
#define LX_IN_DONT_FOLLOW 0x02000000u
#define LX_IN_EXCL_UNLINK 0x04000000u
#define LX_IN_MASK_CREATE 0x10000000u
#define LX_IN_MASK_ADD 0x20000000u
#define LX_IN_ISDIR 0x40000000u
#define LX_IN_ONESHOT 0x80000000u
#define LX_IN_VALID_FLAGS                                                                       \
    (LX_IN_ALL_EVENTS | LX_IN_UNMOUNT | LX_IN_Q_OVERFLOW | LX_IN_IGNORED | LX_IN_ONLYDIR |      \
     LX_IN_DONT_FOLLOW | LX_IN_EXCL_UNLINK | LX_IN_MASK_CREATE | LX_IN_MASK_ADD | LX_IN_ISDIR | \
     LX_IN_ONESHOT)

struct lx_inotify_event { // followed by `len` bytes: the name, NUL-padded
    int32_t wd;
    uint32_t mask, cookie, len;
};
_Static_assert(sizeof(struct lx_inotify_event) == 16, "struct inotify_event");
