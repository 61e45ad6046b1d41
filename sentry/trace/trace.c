// One line per call.
#include "sentry/trace/trace.h"
#include "sentry/trace/decode.h"
#include <string.h>

#define ERRNO_MAX 4095

// Calls whose result is an address.
static int returns_address(uint32_t nr)
{
    return nr == 9 || nr == 12 || nr == 25 || nr == 30; // mmap, brk, mremap, shmat
}

size_t trace_format_call(char *buf, size_t size, const struct trace_reader *reader,
                         const struct trace_event *event)
{
    struct text text;
    text_init(&text, buf, size);
    struct decoder d = {.text = &text, .reader = reader, .event = event};
    const struct trace_row *row = event->nr < trace_rows_size ? &trace_rows[event->nr] : NULL;
    if (!row || !row->name) {
        text_printf(&text, "syscall_%#x(%#llx, %#llx, %#llx, %#llx, %#llx, %#llx)", event->nr,
                    (unsigned long long)event->args[0], (unsigned long long)event->args[1],
                    (unsigned long long)event->args[2], (unsigned long long)event->args[3],
                    (unsigned long long)event->args[4], (unsigned long long)event->args[5]);
        return text.len;
    }
    text_add(&text, row->name);
    text_add(&text, "(");
    for (int i = 0; i < row->nr_args; i++) {
        int reference = row->args[i].reference;
        // Without O_CREAT and O_TMPFILE nobody looks at a mode.
        if (row->args[i].type == TRACE_MODE && i && row->args[i - 1].type == TRACE_OFLAGS &&
            !(event->args[i - 1] & (0x40 | 0x400000)))
            continue;
        uint64_t ref = 0;
        if (reference == TRACE_REF_RESULT)
            ref = event->result > 0 ? (uint64_t)event->result : 0;
        else if (reference >= 0)
            ref = event->args[reference];
        text_add(&text, i ? ", " : "");
        trace_argument(&d, row->args[i].type, event->args[i], ref);
    }
    text_add(&text, ")");
    return text.len;
}

// Codes inside the kernel: the signal that is about to be delivered decides whether the program sees EINTR.
static const char *restart_name(int64_t result)
{
    switch (result) {
    case -512:
        return "? ERESTARTSYS (To be restarted if SA_RESTART is set)";
    case -513:
        return "? ERESTARTNOINTR (To be restarted)";
    case -514:
        return "? ERESTARTNOHAND (To be restarted if no handler)";
    case -516:
        return "? ERESTART_RESTARTBLOCK (Interrupted by signal)";
    default:
        return NULL;
    }
}

static void add_result(struct text *t, const struct trace_event *event)
{
    if (event->no_return) {
        text_add(t, "?");
    } else if (restart_name(event->result)) {
        text_add(t, restart_name(event->result));
    } else if (event->result < 0 && event->result >= -ERRNO_MAX) {
        const char *name = strerrorname_np((int)-event->result);
        const char *words = strerrordesc_np((int)-event->result);
        if (name)
            text_printf(t, "-1 %s (%s)", name, words ? words : "");
        else
            text_printf(t, "-1 %lld", (long long)-event->result);
    } else if (returns_address(event->nr)) {
        text_printf(t, "%#llx", (unsigned long long)event->result);
    } else {
        text_printf(t, "%lld", (long long)event->result);
    }
}

size_t trace_format_line(char *buf, size_t size, const struct trace_event *event, const char *call)
{
    // The end of the line goes in first, so that an overlong call cannot push out the result.
    char end_buf[128];
    struct text end, text;
    text_init(&end, end_buf, sizeof(end_buf));
    text_add(&end, " = ");
    add_result(&end, event);
    text_printf(&end, " <%llu.%06llu>\n", (unsigned long long)(event->duration_ns / 1000000000u),
                (unsigned long long)(event->duration_ns / 1000u % 1000000u));
    size_t tail = end.len + 3 + 1;
    if (size <= tail) {
        text_init(&text, buf, size);
        text_add(&text, "...\n");
        return text.len;
    }
    text_init(&text, buf, size - tail + 1);
    text_printf(&text, "%d ", event->pid);
    text_word(&text, event->comm ? event->comm : "?", 15);
    text_add(&text, " ");
    text_add(&text, call);
    int cut = text.full;
    text.size = size;
    text.full = false;
    if (cut)
        text_add(&text, "...");
    text_add(&text, end_buf);
    return text.len;
}

size_t trace_format(char *buf, size_t size, const struct trace_reader *reader,
                    const struct trace_event *event)
{
    char call[TRACE_LINE_MAX];
    trace_format_call(call, sizeof(call), reader, event);
    return trace_format_line(buf, size, event, call);
}
