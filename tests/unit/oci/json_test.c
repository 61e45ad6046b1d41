// The strict reader: what is a document, what is not, and what it says about it.
#include "sentry/oci/json.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define D(s) s, sizeof(s) - 1

struct text_case {
    const char *what;
    const char *text;
    size_t length;
};

static const struct text_case accepted[] = {
    {"empty array", D("[]")},
    {"empty object", D("{}")},
    {"space within empty array", D("[   ]")},
    {"space everywhere", D(" \t\r\n[ 1 ,\n2 ]\r\n")},
    {"nested empties", D("[[],{},[{}]]")},
    {"null in array", D("[null]")},
    {"true and false", D("[true,false]")},
    {"lonely null", D("null")},
    {"lonely true", D("true")},
    {"lonely number", D("42")},
    {"lonely negative number", D("-0.1")},
    {"lonely string", D("\"asd\"")},
    {"lonely empty string", D("\"\"")},
    {"nulls after values", D("[1,null,null,null,2]")},
    {"leading space", D(" [1]")},
    {"trailing line feed", D("[\"a\"]\n")},
    {"zero", D("0")},
    {"minus zero", D("[-0]")},
    {"negative integer", D("[-123]")},
    {"one digit and fraction", D("[1.5]")},
    {"zero fraction", D("[0.0]")},
    {"exponent", D("[1e2]")},
    {"capital exponent", D("[1E22]")},
    {"exponent with plus", D("[1e+2]")},
    {"exponent with minus", D("[1E-2]")},
    {"zero with exponent", D("[0e1]")},
    {"zero with positive exponent", D("[0e+1]")},
    {"fraction with exponent", D("[123.456e78]")},
    {"space after a number", D("[4 ]")},
    {"number beyond 64 bits", D("[100000000000000000000]")},
    {"exponent beyond doubles", D("[1e9999]")},
    {"small number of many digits", D("[-0.000000000000000000000000000000000001]")},
    {"member", D("{\"asd\":\"sdf\"}")},
    {"member with empty name", D("{\"\":0}")},
    {"several members", D("{\"a\":1,\"b\":2}")},
    {"space around a member", D("{ \"a\" : 1 }")},
    {"line feeds in an object", D("{\n\"a\": \"b\"\n}")},
    {"escaped name", D("{\"a\\nb\":1}")},
    {"same name in different objects", D("[{\"a\":1},{\"a\":1},{\"b\":{\"a\":1},\"a\":2}]")},
    {"names that differ in case", D("{\"a\":1,\"A\":2}")},
    {"all short escapes", D("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]")},
    {"escaped slash or not", D("[\"\\/ /\"]")},
    {"escaped control character", D("[\"\\u0012\"]")},
    {"escaped NUL in a string", D("[\"\\u0000\"]")},
    {"DEL as it is", D("[\"\x7f\"]")},
    {"hexadecimal in both cases", D("[\"\\uaBcD\"]")},
    {"one byte", D("[\"\\u0060\\u012a\\u12AB\"]")},
    {"surrogate pair", D("[\"\\uD801\\udc37\"]")},
    {"two surrogate pairs", D("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]")},
    {"the last code point, escaped", D("[\"\\uDBFF\\uDFFF\"]")},
    {"non-character, escaped", D("[\"\\uFFFF\"]")},
    {"noncharacter U+1FFFE", D("[\"\\uD83F\\uDFFE\"]")},
    {"UTF-8 of two bytes", D("[\"\xc3\xa9\"]")},
    {"UTF-8 of three bytes", D("[\"\xe2\x82\xac\"]")},
    {"UTF-8 of four bytes", D("[\"\xf0\x9d\x84\x9e\"]")},
    {"U+10FFFF", D("[\"\xf4\x8f\xbf\xbf\"]")},
    {"U+FFFF", D("[\"\xef\xbf\xbf\"]")},
    {"U+2028 as it is", D("[\"\xe2\x80\xa8\"]")},
    {"byte order mark within a string", D("[\"\xef\xbb\xbf\"]")},
    {"comment characters in a string", D("[\"a/*b*/c/*d//e\"]")},
    {"backslash and u escaped", D("[\"\\\\u0000\"]")},
    {"backslash before the end", D("[\"\\\\\"]")},
    {"backslash and quote", D("[\"\\\"\"]")},
};

static const struct text_case refused[] = {
    {"nothing", D("")},
    {"only space", D(" ")},
    {"only a line feed", D("\n")},
    {"byte order mark", D("\xef\xbb\xbf")},
    {"byte order mark before a document", D("\xef\xbb\xbf{}")},
    {"cut byte order mark", D("\xef\xbb{}")},
    {"UTF-16", D("[\0\"\0\xe9\0\"\0]\0")},
    {"NUL after the document", D("[]\0")},
    {"NUL for space", D("[1,\0 2]")},
    {"form feed for space", D("[\f]")},
    {"vertical tab for space", D("[\v1]")},
    {"no-break space", D("[\xc2\xa0]")},
    {"word joiner", D("[\xe2\x81\xa0]")},
    {"open array", D("[")},
    {"open object", D("{")},
    {"closing only", D("]")},
    {"closed twice", D("[1]]")},
    {"closed by the other bracket", D("[1}")},
    {"object closed by the other bracket", D("{\"a\":1]")},
    {"two values", D("1 2")},
    {"two documents", D("[][]")},
    {"a comma after the document", D("[1],")},
    {"trailing comma", D("[1,]")},
    {"only a comma", D("[,]")},
    {"double comma", D("[1,,2]")},
    {"comma first", D("[,1]")},
    {"no comma", D("[1 true]")},
    {"no comma between strings", D("[\"a\" \"b\"]")},
    {"colon in an array", D("[\"\": 1]")},
    {"array ends after a comma", D("[1,\n1\n,1")},
    {"star", D("[*]")},
    {"minus alone", D("[-]")},
    {"plus", D("[+1]")},
    {"double plus", D("[++1234]")},
    {"leading zero", D("[012]")},
    {"negative leading zero", D("[-012]")},
    {"double zero", D("[00]")},
    {"double minus", D("[--1]")},
    {"minus and space", D("[- 1]")},
    {"fraction without digits", D("[1.]")},
    {"fraction without integer", D("[.123]")},
    {"minus and fraction without integer", D("[-.123]")},
    {"exponent without digits", D("[1e]")},
    {"exponent with sign only", D("[1e+]")},
    {"exponent of a fraction without digits", D("[1.e1]")},
    {"fraction in the exponent", D("[1e1.5]")},
    {"double exponent", D("[1ee2]")},
    {"two points", D("[1.2.3]")},
    {"hexadecimal", D("[0x1]")},
    {"hexadecimal digits", D("[0xg]")},
    {"digits and letters", D("[1a]")},
    {"number with underscores", D("[1_000]")},
    {"Infinity", D("[Infinity]")},
    {"minus Infinity", D("[-Infinity]")},
    {"NaN", D("[NaN]")},
    {"minus NaN", D("[-NaN]")},
    {"fullwidth digit", D("[\xef\xbc\x91]")},
    {"expression", D("[1+2]")},
    {"true in capitals", D("[TRUE]")},
    {"True", D("[True]")},
    {"cut true", D("[tru]")},
    {"cut null", D("[nul]")},
    {"cut false", D("[fals")},
    {"letters after a word", D("[nullx]")},
    {"word alone", D("asd")},
    {"single quotes", D("['a']")},
    {"single quote alone", D("[']")},
    {"string without end", D("\"a")},
    {"string that ends in a backslash", D("[\"\\")},
    {"escaped closing quote", D("[\"\\\"]")},
    {"escape x", D("[\"\\x00\"]")},
    {"escape a", D("[\"\\a\"]")},
    {"escape of a quote mark", D("[\"\\'\"]")},
    {"escape of NUL", D("[\"\\\0\"]")},
    {"escape of a line feed", D("[\"\\\n\"]")},
    {"escape of UTF-8", D("[\"\\\xc3\xa9\"]")},
    {"escape U in capital", D("[\"\\U0041\"]")},
    {"three hexadecimal digits", D("[\"\\u00A\"]")},
    {"no hexadecimal digits", D("[\"\\u\"]")},
    {"bad hexadecimal digit", D("[\"\\u00g0\"]")},
    {"hexadecimal with a sign", D("[\"\\u+041\"]")},
    {"line feed in a string", D("[\"new\nline\"]")},
    {"tab in a string", D("[\"\t\"]")},
    {"NUL in a string", D("[\"a\0a\"]")},
    {"control character in a string", D("[\"\x1f\"]")},
    {"first half of a surrogate alone", D("[\"\\uD800\"]")},
    {"first half, then text", D("[\"\\uD800abc\"]")},
    {"first half, then an escape", D("[\"\\uD800\\n\"]")},
    {"first half twice", D("[\"\\uD800\\uD800\"]")},
    {"first half, then a cut escape", D("[\"\\uD800\\u\"]")},
    {"first half, then digits cut", D("[\"\\uD834\\uDd\"]")},
    {"second half alone", D("[\"\\uDFAA\"]")},
    {"halves in the wrong order", D("[\"\\uDd1e\\uD834\"]")},
    {"lone continuation byte", D("[\"\x81\"]")},
    {"cut sequence of two", D("[\"\xc3\"]")},
    {"cut sequence of three", D("[\"\xe2\x82\"]")},
    {"cut sequence at the end", D("[\"\xf0\x9d")},
    {"overlong of two", D("[\"\xc0\xaf\"]")},
    {"overlong of two, C1", D("[\"\xc1\xbf\"]")},
    {"overlong of three", D("[\"\xe0\x80\xaf\"]")},
    {"overlong of four", D("[\"\xf0\x80\x80\x80\"]")},
    {"overlong of six", D("[\"\xfc\x83\xbf\xbf\xbf\xbf\"]")},
    {"surrogate in UTF-8", D("[\"\xed\xa0\x80\"]")},
    {"above U+10FFFF", D("[\"\xf4\x90\x80\x80\"]")},
    {"byte F5", D("[\"\xf5\x80\x80\x80\"]")},
    {"byte FF", D("[\"\xff\"]")},
    {"Latin-1", D("[\"\xe9\"]")},
    {"bad UTF-8 outside of strings", D("[\xe5]")},
    {"bad UTF-8 in a name", D("{\"\xb9\":\"0\"}")},
    {"bad UTF-8 after a number", D("[0\xe5]")},
    {"comment", D("[1]/* x */")},
    {"line comment", D("{\"a\":1}//")},
    {"hash comment", D("#\n{}")},
    {"name without quotes", D("{a:1}")},
    {"number for a name", D("{1:1}")},
    {"null for a name", D("{null:null}")},
    {"single quotes around a name", D("{'a':0}")},
    {"name alone", D("{\"a\"}")},
    {"no value", D("{\"a\":}")},
    {"no colon", D("{\"a\" 1}")},
    {"comma for the colon", D("{\"a\",1}")},
    {"double colon", D("{\"a\"::1}")},
    {"equals", D("{\"a\"=1}")},
    {"trailing comma in an object", D("{\"a\":1,}")},
    {"two commas in an object", D("{\"a\":1,,\"b\":2}")},
    {"comma first in an object", D("{,\"a\":1}")},
    {"value without a name", D("{\"a\":1,2}")},
    {"array in a name's place", D("{[]:1}")},
    {"object open after a comma", D("{\"a\":1,")},
    {"object open after a name", D("{\"a\"")},
    {"object open after a colon", D("{\"a\":")},
    {"same name twice", D("{\"a\":1,\"a\":1}")},
    {"same name, once escaped", D("{\"a\":1,\"\\u0061\":2}")},
    {"same name among many",
     D("{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"c\":10}")},
    {"NUL in a name", D("{\"a\\u0000b\":1}")},
};

Test(json, what_the_grammar_has_is_accepted)
{
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        struct json_document document;
        struct oci_error error = {{0}};
        cr_expect_eq(json_parse(accepted[i].text, accepted[i].length, &document, &error), 0, "%s: %s",
                     accepted[i].what, error.text);
        json_free(&document);
    }
}

Test(json, what_it_has_not_is_refused_and_the_place_is_named)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct json_document document;
        struct oci_error error = {{0}};
        int result = json_parse(refused[i].text, refused[i].length, &document, &error);
        cr_expect_eq(result, -EINVAL, "%s", refused[i].what);
        cr_expect_eq(strncmp(error.text, "line ", 5), 0, "%s: %s", refused[i].what, error.text);
        cr_expect_null(document.memory);
    }
}

// Cut anywhere, a document is none, and a reader that runs over the end is seen by the sanitizers.
Test(json, no_prefix_of_a_document_is_one)
{
    static const char text[] =
        "{\"a\": [1, -2.5e+3, true, null], \"\\u00e9\\ud83d\\ude39\": {\"\xc3\xa9\": \"x\"}}";
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        struct json_document document;
        char *copy = malloc(n ? n : 1);
        memcpy(copy, text, n);
        cr_expect_eq(json_parse(copy, n, &document, NULL), -EINVAL, "%zu bytes", n);
        free(copy);
    }
}

static void expect_error(const char *text, const char *message)
{
    struct json_document document;
    struct oci_error error = {{0}};
    cr_expect_eq(json_parse(text, strlen(text), &document, &error), -EINVAL, "%s", text);
    cr_expect_str_eq(error.text, message);
}

Test(json, errors_name_line_path_and_reason)
{
    expect_error("{\n \"process\": {\n  \"args\": [\"a\", tru]\n }\n}",
                 "line 3: process.args[1]: no JSON value");
    expect_error("{\"a\":\n\n{\"b\": 01}}", "line 3: a.b: a malformed number");
    expect_error("{\"a\": 1,\n\"b\": 2,\n\"a\": 3}", "line 3: a: a second member of this name");
    expect_error("[1]\n\n x", "line 3: document: something follows the document");
    expect_error("{\"a\": {\"b\" 1}}", "line 1: a.b: a colon is missing after the name");
    expect_error("{\"a\": {b: 1}}", "line 1: a: a member needs a name in quotes");
    expect_error("[[\"\\q\"]]", "line 1: [0][0]: an escape that JSON does not have");
    expect_error("{\"x\\ny\": \"\x01\"}", "line 1: x\\x0ay: a control character in a string");
    expect_error("[1", "line 1: document: the document ends in the middle");
    expect_error("[1 2", "line 1: document: a comma is missing");
}

static struct json_document parsed(const char *text)
{
    struct json_document document;
    struct oci_error error = {{0}};
    cr_assert_eq(json_parse(text, strlen(text), &document, &error), 0, "%s", error.text);
    return document;
}

Test(json, strings_are_decoded)
{
    struct json_document d =
        parsed("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"\\u00e9\\u20ac\\ud834\\udd1e\", \"a\\u0000b\"]");
    const struct json *s = d.root->first;
    cr_expect_str_eq(s->text, "\"\\/\b\f\n\r\t");
    s = s->next;
    cr_expect_str_eq(s->text, "\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e");
    s = s->next;
    cr_expect_eq(s->length, 3);
    cr_expect_eq(memcmp(s->text, "a\0b", 4), 0);
    cr_expect_null(s->next);
    json_free(&d);
}

Test(json, members_are_found_by_name)
{
    struct json_document d = parsed("{\"a\": 1, \"b\": [true, {\"c\": \"x\"}], \"n\": null}");
    const struct json *b = json_get(d.root, "b");
    cr_assert_not_null(b);
    cr_expect_eq(b->type, JSON_ARRAY);
    cr_expect_eq(b->count, 2);
    cr_expect(b->first->boolean);
    const struct json *c = json_get(b->first->next, "c");
    cr_assert_not_null(c);
    char path[32], cut[6];
    json_path(c, path, sizeof(path));
    cr_expect_str_eq(path, "b[1].c");
    json_path(c, cut, sizeof(cut));
    cr_expect_str_eq(cut, "b[1].");
    json_path(d.root, path, sizeof(path));
    cr_expect_str_eq(path, "document");
    cr_expect_null(json_get(d.root, "c"));
    cr_expect_null(json_get(b, "c"));
    cr_expect_null(json_get(NULL, "c"));
    cr_expect_eq(json_get(d.root, "n")->type, JSON_NULL);
    json_free(&d);
}

Test(json, numbers_have_the_range_that_is_asked_for)
{
    static const struct {
        const char *text;
        bool is_i64, is_u64;
        int64_t i;
        uint64_t u;
    } numbers[] = {
        {"0", true, true, 0, 0},
        {"-0", true, false, 0, 0},
        {"-1", true, false, -1, 0},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"9223372036854775808", false, true, 0, (uint64_t)INT64_MAX + 1},
        {"-9223372036854775808", true, false, INT64_MIN, 0},
        {"-9223372036854775809", false, false, 0, 0},
        {"18446744073709551615", false, true, 0, UINT64_MAX},
        {"18446744073709551616", false, false, 0, 0},
        {"1.0", false, false, 0, 0},
        {"1e2", false, false, 0, 0},
        {"\"1\"", false, false, 0, 0},
        {"true", false, false, 0, 0},
    };
    for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
        struct json_document d = parsed(numbers[n].text);
        int64_t i = 0;
        uint64_t u = 0;
        cr_expect_eq(json_i64(d.root, INT64_MIN, INT64_MAX, &i), numbers[n].is_i64, "%s", numbers[n].text);
        cr_expect_eq(json_u64(d.root, UINT64_MAX, &u), numbers[n].is_u64, "%s", numbers[n].text);
        cr_expect_eq(i, numbers[n].i);
        cr_expect_eq(u, numbers[n].u);
        json_free(&d);
    }
    struct json_document d = parsed("100");
    int64_t i;
    uint64_t u;
    cr_expect(json_u64(d.root, 100, &u) && !json_u64(d.root, 99, &u));
    cr_expect(json_i64(d.root, 100, 100, &i) && !json_i64(d.root, 101, 200, &i) &&
              !json_i64(d.root, 0, 99, &i));
    json_free(&d);
}

// `n` times `open`, then `n` times `close`.
static int parse_nested(unsigned n, const char *open, const char *close)
{
    struct json_document document;
    char *text = malloc(n * (strlen(open) + strlen(close)) + 2), *at = text;
    for (unsigned i = 0; i < n; i++)
        at = stpcpy(at, open);
    *at++ = '1';
    for (unsigned i = 0; i < n; i++)
        at = stpcpy(at, close);
    int result = json_parse(text, (size_t)(at - text), &document, NULL);
    json_free(&document);
    free(text);
    return result;
}

Test(json, depth_has_a_limit)
{
    cr_expect_eq(parse_nested(JSON_DEPTH_MAX, "[", "]"), 0);
    cr_expect_eq(parse_nested(JSON_DEPTH_MAX + 1, "[", "]"), -EINVAL);
    cr_expect_eq(parse_nested(JSON_DEPTH_MAX, "{\"a\":", "}"), 0);
    cr_expect_eq(parse_nested(JSON_DEPTH_MAX + 1, "{\"a\":", "}"), -EINVAL);
    cr_expect_eq(parse_nested(1000000, "[", ""), -EINVAL);
    cr_expect_eq(parse_nested(100000, "[{\"\":", ""), -EINVAL);
}

Test(json, size_values_and_digits_have_limits)
{
    struct json_document document;
    struct oci_error error = {{0}};
    size_t size = JSON_BYTES_MAX + 1;
    char *text = malloc(size);
    memset(text, ' ', size);
    text[0] = '1';
    cr_expect_eq(json_parse(text, size - 1, &document, &error), 0, "%s", error.text);
    json_free(&document);
    cr_expect_eq(json_parse(text, size, &document, &error), -EINVAL);
    cr_expect(strstr(error.text, "bytes, more than"));

    size_t n = 0;
    text[n++] = '[';
    for (unsigned i = 0; i + 1 < JSON_VALUES_MAX; i++) {
        text[n++] = '1';
        text[n++] = ',';
    }
    text[n - 1] = ']';
    cr_expect_eq(json_parse(text, n, &document, &error), 0, "%s", error.text);
    json_free(&document);
    memcpy(text + n - 1, ",1]", 3);
    cr_expect_eq(json_parse(text, n + 2, &document, &error), -EINVAL);
    cr_expect(strstr(error.text, "too many values"));

    memset(text, '7', JSON_NUMBER_MAX + 1);
    cr_expect_eq(json_parse(text, JSON_NUMBER_MAX, &document, &error), 0);
    json_free(&document);
    cr_expect_eq(json_parse(text, JSON_NUMBER_MAX + 1, &document, &error), -EINVAL);
    free(text);
}

// Many members do not take quadratic time: this would be minutes.
Test(json, names_of_a_large_object_are_compared_in_time, .timeout = 20)
{
    struct json_document document;
    struct oci_error error = {{0}};
    unsigned members = 300000;
    char *text = malloc(members * 20 + 2), *at = text;
    *at++ = '{';
    for (unsigned i = 0; i < members; i++)
        at += sprintf(at, "\"m%u\":0,", i);
    at[-1] = '}';
    cr_expect_eq(json_parse(text, (size_t)(at - text), &document, &error), 0, "%s", error.text);
    cr_expect_eq(document.root->count, members);
    json_free(&document);
    at[-1] = ',';
    at += sprintf(at, "\"m7\":0}");
    cr_expect_eq(json_parse(text, (size_t)(at - text), &document, &error), -EINVAL);
    cr_expect_str_eq(error.text, "line 1: m7: a second member of this name");
    free(text);
}
