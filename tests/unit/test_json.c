/** JSON by tables: what is read, what is refused and where it says the fault is, what is written. */
#include "shared/base/own.h"
#include "shared/model/json.h"
#include "tests/unit/unit.h"

#include <stdio.h>

enum colour { RED, GREEN, OTHER, COLOUR_COUNT };
static const char *const colours[] = { [RED] = "red", [GREEN] = "green", [OTHER] = "other" };

struct inner {
    struct kd_str name;
    uint64_t size;
};

struct outer {
    struct kd_str name, title;
    uint64_t count;
    int64_t number;
    bool flag;
    int colour, strict_colour;
    struct inner inner, *ref;
    struct {
        struct inner *v;
        size_t n;
    } items;
    struct kd_strs texts;
    struct kd_pairs labels;
    struct kd_str raw;
};

static bool is_lower(struct kd_str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 'a' || text.p[i] > 'z')
            return false;
    return true;
}

static const struct kd_json_field inner_fields[] = {
    { .name = "name", .kind = KD_JSON_TEXT, .at = offsetof(struct inner, name), .required = true, .min = 1, .max = 5 },
    { .name = "size", .kind = KD_JSON_COUNT, .at = offsetof(struct inner, size), .max = 100 },
};
static const struct kd_json_shape inner_shape = {
    .what = "inner", .size = sizeof(struct inner), .fields = inner_fields, .count = KD_COUNT(inner_fields), .strict = true
};
static const struct kd_json_field outer_fields[] = {
    { .name = "name",
      .kind = KD_JSON_TEXT,
      .at = offsetof(struct outer, name),
      .required = true,
      .max = 8,
      .check = is_lower,
      .rule = "must be lower case letters" },
    { .name = "title", .kind = KD_JSON_TEXT, .at = offsetof(struct outer, title) },
    { .name = "caption", .kind = KD_JSON_TEXT, .at = offsetof(struct outer, title), .only_read = true },
    { .name = "count", .kind = KD_JSON_COUNT, .at = offsetof(struct outer, count) },
    { .name = "number", .kind = KD_JSON_NUMBER, .at = offsetof(struct outer, number) },
    { .name = "flag", .kind = KD_JSON_FLAG, .at = offsetof(struct outer, flag) },
    { .name = "colour",
      .kind = KD_JSON_WORD,
      .at = offsetof(struct outer, colour),
      .words = colours,
      .word_count = COLOUR_COUNT,
      .unknown = OTHER },
    { .name = "strict",
      .kind = KD_JSON_WORD,
      .at = offsetof(struct outer, strict_colour),
      .words = colours,
      .word_count = COLOUR_COUNT,
      .unknown = -1 },
    { .name = "inner", .kind = KD_JSON_OBJECT, .at = offsetof(struct outer, inner), .shape = &inner_shape },
    { .name = "ref", .kind = KD_JSON_REF, .at = offsetof(struct outer, ref), .shape = &inner_shape },
    { .name = "items", .kind = KD_JSON_LIST, .at = offsetof(struct outer, items), .max = 3, .shape = &inner_shape },
    { .name = "texts",
      .kind = KD_JSON_TEXTS,
      .at = offsetof(struct outer, texts),
      .max = 3,
      .check = is_lower,
      .rule = "must be lower case letters" },
    { .name = "labels",
      .kind = KD_JSON_PAIRS,
      .at = offsetof(struct outer, labels),
      .max = 2,
      .check = is_lower,
      .rule = "keys must be lower case letters" },
    { .name = "raw", .kind = KD_JSON_RAW, .at = offsetof(struct outer, raw) },
};
static const struct kd_json_shape outer_shape = {
    .what = "outer", .size = sizeof(struct outer), .fields = outer_fields, .count = KD_COUNT(outer_fields)
};

static void test_everything(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 20);
    struct outer o;
    struct kd_err err = { 0 };
    assert_ok(
        kd_json_decode(&outer_shape,
                       KD_STR(" {\"name\":\"abc\",\"title\":\"\\u00e9\\n\",\"count\":9007199254740991,\"number\":-3,"
                              "\"flag\":true,\"colour\":\"green\",\"inner\":{\"name\":\"i\",\"size\":100},\"ref\":{\"name\":\"r\"},"
                              "\"items\":[{\"name\":\"a\"},{\"name\":\"b\",\"size\":2}],\"texts\":[\"x\",\"y\"],"
                              "\"labels\":{\"k\":\"v\",\"l\":\"\"},\"raw\":[1, {\"a\" : null}],\"unknown\":[{}]} \n"),
                       &arena, &o, &err),
        err);
    assert_str(o.name, "abc");
    assert_str(o.title, "\xc3\xa9\n");
    assert_true(o.count == UINT64_C(9007199254740991));
    assert_int_equal(o.number, -3);
    assert_true(o.flag);
    assert_int_equal(o.colour, GREEN);
    assert_str(o.inner.name, "i");
    assert_int_equal(o.inner.size, 100);
    assert_str(o.ref->name, "r");
    assert_int_equal(o.items.n, 2);
    assert_str(o.items.v[1].name, "b");
    assert_int_equal(o.items.v[1].size, 2);
    assert_int_equal(o.texts.n, 2);
    assert_str(o.texts.v[1], "y");
    assert_int_equal(o.labels.n, 2);
    assert_str(o.labels.v[0].key, "k");
    assert_str(o.labels.v[0].value, "v");
    assert_str(o.labels.v[1].value, "");
    assert_str(o.raw, "[1,{\"a\":null}]");
}

static void test_absent_and_null(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 20);
    struct outer o;
    struct kd_err err = { 0 };
    memset(&o, 0xAA, sizeof o);
    assert_ok(kd_json_decode(&outer_shape, KD_STR("{\"name\":\"a\",\"title\":null,\"ref\":null,\"items\":null,\"raw\":null}"),
                             &arena, &o, &err),
              err);
    assert_int_equal(o.title.n, 0);
    assert_null(o.ref);
    assert_int_equal(o.items.n, 0);
    assert_int_equal(o.labels.n, 0);
    assert_str(o.raw, "null");
    assert_ok(kd_json_decode(&outer_shape, KD_STR("{\"name\":\"a\",\"caption\":\"old\",\"colour\":\"mauve\"}"), &arena, &o, &err),
              err);
    assert_str(o.title, "old");
    assert_int_equal(o.colour, OTHER);
    assert_null(o.raw.p);
}

static const struct {
    const char *json, *field, *part; /* the path, and what the story must contain */
} bad_rows[] = {
    { "", "$", "not valid JSON" },
    { "{", "$", "not valid JSON" },
    { "{\"name\":\"a\"", "$", "not valid JSON" },
    { "{\"name\":\"a\"} x", "$", "bytes behind its end" },
    { "{\"name\":\"a\"}{}", "$", "bytes behind its end" },
    { "{\"name\":\"a\",}", "$", "not valid JSON" },
    { "{'name':'a'}", "$", "not valid JSON" },
    { "{\"name\":\"\xff\"}", "$", "not valid UTF-8" },
    { "{\"name\":\"\xed\xa0\x80\"}", "$", "not valid UTF-8" },
    { "{\"name\":\"a\\u0000b\"}", "$", "NUL" },
    { "{\"name\":\"a\nb\"}", "$", "has a control character in a text" },
    { "{\"name\":\"a\\\\\tb\"}", "$", "has a control character in a text" },
    { "{\"na\x01me\":\"a\"}", "$", "has a control character in a text" },
    { "{\"name\":\"\\ud800\"}", "$", "not valid JSON" },
    { "[]", "$", "must be an object (outer)" },
    { "null", "$", "must be an object (outer)" },
    { "{}", "$.name", "is missing" },
    { "{\"name\":null}", "$.name", "is missing" },
    { "{\"Name\":\"a\"}", "$.name", "is missing" },
    { "{\"name\":\"a\",\"name\":\"b\"}", "$.name", "stands there twice" },
    { "{\"name\":\"a\",\"inner\":{\"name\":\"a\",\"name\":\"a\"}}", "$.inner.name", "stands there twice" },
    { "{\"name\":1}", "$.name", "must be a text (put it in quotes)" },
    { "{\"name\":\"ABC\"}", "$.name", "is \"ABC\", but must be lower case letters" },
    { "{\"name\":\"abcdefghi\"}", "$.name", "must have 0 to 8 bytes, it has 9" },
    { "{\"name\":\"a\",\"count\":-1}", "$.count", "must be a whole number" },
    { "{\"name\":\"a\",\"count\":1.5}", "$.count", "must be a whole number" },
    { "{\"name\":\"a\",\"count\":9007199254740992}", "$.count", "must be a whole number" },
    { "{\"name\":\"a\",\"count\":1e400}", "$.count", "must be a whole number" },
    { "{\"name\":\"a\",\"count\":\"1\"}", "$.count", "must be a whole number" },
    { "{\"name\":\"a\",\"number\":-9007199254740992}", "$.number", "must be a whole number" },
    { "{\"name\":\"a\",\"flag\":1}", "$.flag", "must be true or false" },
    { "{\"name\":\"a\",\"colour\":1}", "$.colour", "must be a text" },
    { "{\"name\":\"a\",\"strict\":\"mauve\"}", "$.strict", "is \"mauve\", but must be one of red, green, other" },
    { "{\"name\":\"a\",\"inner\":{\"name\":\"\"}}", "$.inner.name", "must have 1 to 5 bytes, it has 0" },
    { "{\"name\":\"a\",\"inner\":{\"size\":1}}", "$.inner.name", "is missing" },
    { "{\"name\":\"a\",\"inner\":{\"name\":\"a\",\"size\":101}}", "$.inner.size", "from 0 to 100" },
    { "{\"name\":\"a\",\"inner\":{\"name\":\"a\",\"sise\":1}}", "$.inner.sise", "is not a member of inner" },
    { "{\"name\":\"a\",\"ref\":[]}", "$.ref", "must be an object (inner)" },
    { "{\"name\":\"a\",\"items\":{}}", "$.items", "must be a list" },
    { "{\"name\":\"a\",\"items\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":7}]}", "$.items[2].name", "must be a text" },
    { "{\"name\":\"a\",\"items\":[1]}", "$.items[0]", "must be an object" },
    { "{\"name\":\"a\",\"items\":[{},{},{},{}]}", "$.items", "must have 0 to 3 items, it has 4" },
    { "{\"name\":\"a\",\"texts\":[\"a\",\"B\"]}", "$.texts[1]", "must be lower case letters" },
    { "{\"name\":\"a\",\"texts\":[\"\"]}", "$.texts[0]", "must have 1 to" },
    { "{\"name\":\"a\",\"labels\":[]}", "$.labels", "must be an object" },
    { "{\"name\":\"a\",\"labels\":{\"K\":\"v\"}}", "$.labels.K", "keys must be lower case letters" },
    { "{\"name\":\"a\",\"labels\":{\"k\":1}}", "$.labels.k", "must be a text" },
    { "{\"name\":\"a\",\"labels\":{\"k\":\"v\",\"k\":\"w\"}}", "$.labels.k", "stands there twice" },
    { "{\"name\":\"a\",\"labels\":{\"a\":\"\",\"b\":\"\",\"c\":\"\"}}", "$.labels", "must have 0 to 2 items" },
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KD_COUNT(bad_rows); i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 16);
        struct outer o;
        struct kd_err err = { 0 };
        enum kd_code code = kd_json_decode(&outer_shape, kd_str(bad_rows[i].json), &arena, &o, &err);
        if (code != KD_INVALID || strcmp(err.field, bad_rows[i].field) != 0 || !strstr(err.story, bad_rows[i].part))
            fail_msg("%s\n%s at %s: %s\nwanted at %s: %s", bad_rows[i].json, kd_code_word(code), err.field, err.story,
                     bad_rows[i].field, bad_rows[i].part);
    }
}

/** An escaped backslash before "u0000" is no NUL character. */
static void test_nul_lookalike(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 16);
    struct outer o;
    struct kd_err err = { 0 };
    assert_ok(kd_json_decode(&outer_shape, KD_STR("{\"name\":\"a\",\"title\":\"\\\\u0000\"}"), &arena, &o, &err), err);
    assert_str(o.title, "\\u0000");
}

static void test_deep_nesting(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 20);
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(1 << 20);
    struct outer o;
    struct kd_err err = { 0 };
    kd_buf_add(&text, KD_STR("{\"name\":\"a\",\"raw\":"));
    for (int i = 0; i < 100000; i++)
        kd_buf_add_char(&text, '[');
    for (int i = 0; i < 100000; i++)
        kd_buf_add_char(&text, ']');
    kd_buf_add_char(&text, '}');
    assert_int_equal(kd_json_decode(&outer_shape, kd_buf_str(&text), &arena, &o, &err), KD_INVALID);
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(100);
    struct outer o;
    struct kd_err err = { 0 };
    char json[400];
    (void)snprintf(json, sizeof json, "{\"name\":\"a\",\"title\":\"%0200d\"}", 0);
    assert_int_equal(kd_json_decode(&outer_shape, kd_str(json), &arena, &o, &err), KD_TOO_LARGE);
    assert_string_equal(err.field, "$.title");
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "{\"name\":\"\",\"inner\":{\"name\":\"\"}}",
        "{\"name\":\"abc\",\"title\":\"\\\"\\\\\\b\\t\\n\\f\\r\\u0001 "
        "\xc3\xa9\",\"count\":9007199254740991,\"number\":-9007199254740991,"
        "\"flag\":true,\"colour\":\"green\",\"strict\":\"other\",\"inner\":{\"name\":\"i\",\"size\":100},\"ref\":{\"name\":\"r\"},"
        "\"items\":[{\"name\":\"a\"},{\"name\":\"b\",\"size\":2}],\"texts\":[\"x\",\"y\"],\"labels\":{\"k\":\"v\"},\"raw\":[1,{"
        "\"a\":null}]}",
    };
    struct outer empty = { 0 };
    KD_AUTO(kd_buf_clear) struct kd_buf first = KD_BUF(1 << 16);
    kd_json_encode(&outer_shape, &empty, &first);
    assert_str(kd_buf_str(&first), documents[0]);
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 16);
    KD_AUTO(kd_buf_clear) struct kd_buf again = KD_BUF(1 << 16);
    struct outer o;
    struct kd_err err = { 0 };
    assert_ok(kd_json_decode(&outer_shape, kd_str(documents[1]), &arena, &o, &err), err);
    kd_json_encode(&outer_shape, &o, &again);
    assert_str(kd_buf_str(&again), documents[1]);
}

/** What is written can be read again, whatever was given. */
static void test_written_text(void **state)
{
    (void)state;
    static const struct {
        struct kd_str text;
        const char *want;
    } rows[] = {
        { KD_STR_INIT(""), "\"\"" },
        { KD_STR_INIT("a\x0b\x1b\"\\\n"), "\"a\\u000b\\u001b\\\"\\\\\\n\"" },
        { KD_STR_INIT("caf\xc3\xa9"), "\"caf\xc3\xa9\"" },
        { KD_STR_INIT("cut caf\xc3"), "\"cut caf?\"" },
        { KD_STR_INIT("latin \xe9\xe8 1"), "\"latin ?? 1\"" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(100), again = KD_BUF(100);
        struct kd_err err = { 0 };
        kd_json_add_text(&out, rows[i].text);
        assert_str(kd_buf_str(&out), rows[i].want);
        assert_ok(kd_json_compact(kd_buf_str(&out), "$", &again, &err), err);
    }
}

static void test_compact(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(100);
    struct kd_err err = { 0 };
    assert_ok(kd_json_compact(KD_STR(" { \"a\" : [ 1 , true ] } "), "$.values", &out, &err), err);
    assert_str(kd_buf_str(&out), "{\"a\":[1,true]}");
    assert_int_equal(kd_json_compact(KD_STR("{} {}"), "$.values", &out, &err), KD_INVALID);
    assert_string_equal(err.field, "$.values");
    assert_int_equal(kd_json_compact(kd_str(NULL), "$.values", &out, &err), KD_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),    cmocka_unit_test(test_absent_and_null), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nul_lookalike), cmocka_unit_test(test_deep_nesting),    cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_compact),         cmocka_unit_test(test_written_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
