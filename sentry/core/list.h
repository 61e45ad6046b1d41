#pragma once
// Intrusive doubly linked list, as in include/linux/list.h. Not synchronised.
#include <stdbool.h>
#include <stddef.h>

struct list_head {
    struct list_head *next, *prev;
};

#define LIST_INIT(name)  \
    {                    \
        &(name), &(name) \
    }
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_for_each(pos, head, type, member)                                       \
    for (type *pos = list_entry((head)->next, type, member); &pos->member != (head); \
         pos = list_entry(pos->member.next, type, member))
// Safe against removal of `pos` (not of its successor).
#define list_for_each_safe(pos, head, type, member)                     \
    for (type *pos = list_entry((head)->next, type, member),            \
              *pos##_next = list_entry(pos->member.next, type, member); \
         &pos->member != (head);                                        \
         pos = pos##_next, pos##_next = list_entry(pos##_next->member.next, type, member))

static inline void list_init(struct list_head *h)
{
    h->next = h->prev = h;
}
static inline bool list_empty(const struct list_head *h)
{
    return h->next == h;
}
static inline void list_add_between(struct list_head *n, struct list_head *prev, struct list_head *next)
{
    next->prev = n;
    n->next = next;
    n->prev = prev;
    prev->next = n;
}
static inline void list_add(struct list_head *n, struct list_head *h)
{
    list_add_between(n, h, h->next);
}
static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
    list_add_between(n, h->prev, h);
}
// Removes and re-initialises, so that removing twice is harmless.
static inline void list_del(struct list_head *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}
