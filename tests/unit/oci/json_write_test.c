// The writer: its documents are what the reader accepts, and hold what was put in.
#include "sentry/oci/json.h"
#include "sentry/oci/json_write.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void fill(struct json_writer *w)
{
    static const char *const list[] = {"a", "b"};
    json_put_object(w, NULL);
    json_put_string(w, "s", "q\"\\\n\x7f\xc3\xa9");
    json_put_bool(w, "t", true);
    json_put_u64(w, "u", UINT64_MAX);
    json_put_i64(w, "i", INT64_MIN);
    json_put_null(w, "n");
    json_put_strings(w, "l", list, 2);
    json_put_array(w, "e");
    json_put_end(w, ']');
    json_put_object(w, "o");
    json_put_end(w, '}');
    json_put_end(w, '}');
}

Test(json_write, a_document_on_one_line)
{
    struct json_writer w = {0};
    fill(&w);
    cr_assert_eq(w.error, 0);
    cr_expect_str_eq(w.text,
                     "{\"s\":\"q\\\"\\\\\\u000a\\u007f\xc3\xa9\",\"t\":true,\"u\":18446744073709551615,"
                     "\"i\":-9223372036854775808,\"n\":null,\"l\":[\"a\",\"b\"],\"e\":[],\"o\":{}}");
    cr_expect_eq(w.length, strlen(w.text));
    struct json_document d;
    cr_assert_eq(json_parse(w.text, w.length, &d, NULL), 0);
    cr_expect_str_eq(json_get(d.root, "s")->text, "q\"\\\n\x7f\xc3\xa9");
    json_free(&d);
    free(w.text);
}

Test(json_write, indented)
{
    struct json_writer w = {.indent = 2};
    json_put_object(&w, NULL);
    json_put_u64(&w, "a", 1);
    json_put_array(&w, "b");
    json_put_u64(&w, NULL, 1);
    json_put_u64(&w, NULL, 2);
    json_put_end(&w, ']');
    json_put_array(&w, "c");
    json_put_end(&w, ']');
    json_put_end(&w, '}');
    cr_expect_str_eq(w.text, "{\n  \"a\": 1,\n  \"b\": [\n    1,\n    2\n  ],\n  \"c\": []\n}");
    free(w.text);
}

Test(json_write, bytes_that_are_no_text_are_replaced)
{
    static const char *const bad[] = {"\xff",         "\xc3",     "\xe2\x82",
                                      "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct json_writer w = {0};
        struct json_document d;
        json_put_string(&w, NULL, bad[i]);
        cr_assert_eq(json_parse(w.text, w.length, &d, NULL), 0, "%zu", i);
        cr_expect_eq(strncmp(d.root->text, "\xef\xbf\xbd", 3), 0);
        json_free(&d);
        free(w.text);
    }
}
