/** YAML to JSON as Kubernetes and Helm read it, its limits and messages, and JSON to YAML. */
#include "shared/base/own.h"
#include "shared/model/yaml.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ARENA = 64 * 1024 * 1024 };

/** The documents of a text, each on a line; or "code: story". */
static void read_all(const char *yaml, enum kd_yaml_mode mode, struct kd_buf *out)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA);
    struct kd_strs docs = { 0 };
    struct kd_err err = { 0 };
    if (kd_yaml_read(kd_str(yaml), "f.yaml", mode, &arena, &docs, &err) != KD_OK)
        kd_buf_printf(out, "%s: %s\n", kd_code_word(err.code), err.story);
    for (size_t i = 0; i < docs.n; i++)
        kd_buf_printf(out, "%.*s\n", KD_ARG(docs.v[i]));
}

static void expect(const char *yaml, enum kd_yaml_mode mode, const char *want)
{
    KD_AUTO(kd_buf_clear) struct kd_buf got = KD_BUF(1 << 20);
    read_all(yaml, mode, &got);
    assert_string_equal(got.p ? got.p : "", want);
}

static void test_scalars(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *json;
    } rows[] = {
        { "y", "true" },
        { "N", "false" },
        { "yes", "true" },
        { "Off", "false" },
        { "on", "true" },
        { "yEs", "\"yEs\"" },
        { "True", "true" },
        { "FALSE", "false" },
        { "~", "null" },
        { "Null", "null" },
        { "\"yes\"", "\"yes\"" },
        { "'1'", "\"1\"" },
        { "0", "0" },
        { "-0", "0" },
        { "012", "10" },
        { "08", "8" },
        { "0o17", "15" },
        { "0x1F", "31" },
        { "-0x1f", "-31" },
        { "0b101", "5" },
        { "0xg", "\"0xg\"" },
        { "1_000", "1000" },
        { "_1", "\"_1\"" },
        { "+12", "12" },
        { "1:30", "\"1:30\"" },
        { "2001-01-01", "\"2001-01-01\"" },
        { "1.2.3", "\"1.2.3\"" },
        { "1.50", "1.5" },
        { ".5", "0.5" },
        { "5.", "5" },
        { "1e3", "1000" },
        { "1e", "\"1e\"" },
        { "1e21", "1e+21" },
        { "1e-7", "1e-7" },
        { "-0.0", "-0" },
        { "1e400", "\"1e400\"" },
        { "0.1", "0.1" },
        { "123456789.125", "123456789.125" },
        { "+", "\"+\"" },
        { ".", "\".\"" },
        { "!!str 12", "\"12\"" },
        { "!!int \"12\"", "12" },
        { "!!float 3", "3" },
        { "!!binary aGVsbG8=", "\"hello\"" },
        { "!mine 1", "\"1\"" },
        { "9007199254740993", "9007199254740993" },
        { "inf", "\"inf\"" },
        { "18446744073709551615", "18446744073709551615" },
        { "<<", "\"<<\"" },
        { "-9223372036854775808", "-9223372036854775808" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf yaml = KD_BUF(200), want = KD_BUF(200);
        kd_buf_printf(&yaml, "- %s\n", rows[i].plain);
        kd_buf_printf(&want, "[%s]\n", rows[i].json);
        expect(yaml.p, KD_YAML_STRICT, want.p);
    }
}

static void test_documents(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } rows[] = {
        { "", "" },
        { "# only a comment\n", "" },
        { "---\n---\na: 1\n---\n# nothing\n---\n[x]\n...\n", "{\"a\":1}\n[\"x\"]\n" },
        { "{\"json\": [1, true, null, \"\\u00e9\"]}", "{\"json\":[1,true,null,\"\xc3\xa9\"]}\n" },
        { "a: |\n  x\n   y\n\nb: >-\n  p\n  q\n", "{\"a\":\"x\\n y\\n\",\"b\":\"p q\"}\n" },
        { "1: a\ntrue: b\n1.50: c\n\"k\": d\n", "{\"1\":\"a\",\"true\":\"b\",\"1.5\":\"c\",\"k\":\"d\"}\n" },
        { "a: &x {k: 1}\nb: *x\nc: [*x, *x]\n", "{\"a\":{\"k\":1},\"b\":{\"k\":1},\"c\":[{\"k\":1},{\"k\":1}]}\n" },
        { "a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3, m: 4}\n", "{\"a\":{\"k\":1,\"l\":2},\"b\":{\"l\":3,\"m\":4,\"k\":1}}\n" },
        { "b:\n  <<: [{k: 1}, {k: 2, l: 3}]\n", "{\"b\":{\"k\":1,\"l\":3}}\n" },
        { "\"<<\": {k: 1}\n", "{\"<<\":{\"k\":1}}\n" },
        { "a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}\n" },
        { "\xef\xbb\xbf"
          "a: 1\n",
          "{\"a\":1}\n" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++)
        expect(rows[i].yaml, KD_YAML_STRICT, rows[i].want);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } rows[] = {
        { "a: 1\nb: 2\na: 3\n", "invalid: f.yaml: line 3, column 1: key 'a' stands there twice\n" },
        { "x:\n  - {1: a, \"1\": b}\n", "invalid: f.yaml: line 2, column 12: key '1' stands there twice\n" },
        { "a: .inf\n", "invalid: f.yaml: line 1, column 4: .inf is not a number that JSON has\n" },
        { "a: [-.NaN, .nan]\n", "invalid: f.yaml: line 1, column 12: .nan is not a number that JSON has\n" },
        { "a: *b\n", "invalid: f.yaml: line 1, column 4: alias *b has no anchor\n" },
        { "a: &b [*b]\n", "invalid: f.yaml: line 1, column 8: alias *b would contain itself\n" },
        { "a: &x 1\n---\nb: *x\n", "invalid: f.yaml: line 3, column 4: alias *x has no anchor\n" },
        { "? [a]\n: b\n", "invalid: f.yaml: line 1, column 3: a key must be a text\n" },
        { "~: b\n", "invalid: f.yaml: line 1, column 1: a key must be a text\n" },
        { "a: {<<: 3}\n", "invalid: f.yaml: line 1, column 9: << needs a map or a list of maps\n" },
        { "a: !!int abc\n", "invalid: f.yaml: line 1, column 4: 'abc' is not what its tag tag:yaml.org,2002:int says\n" },
        { "a: !!binary '*'\n", "invalid: f.yaml: line 1, column 4: !!binary needs base64\n" },
        { "a: !!binary /w==\n", "invalid: f.yaml: line 1, column 4: a text must be UTF-8 without NUL characters\n" },
        { "a: \"\\0\"\n", "invalid: f.yaml: line 1, column 4: a text must be UTF-8 without NUL characters\n" },
        { "a: \xff\n", "invalid: f.yaml is not valid UTF-8\n" },
        { "a: [1\n", "invalid: f.yaml: line 2, column 1: did not find expected ',' or ']'\n" },
        { "a: b: c\n", "invalid: f.yaml: line 1, column 5: mapping values are not allowed in this context\n" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++)
        expect(rows[i].yaml, KD_YAML_STRICT, rows[i].want);
}

static void test_last_wins(void **state)
{
    (void)state;
    expect("a: 1\nb: 2\na: {c: 3, c: 4}\n", KD_YAML_LAST_WINS, "{\"a\":{\"c\":4},\"b\":2}\n");
}

/** n levels of lists: 100 are allowed. */
static void expect_depth(int n, const char *begin)
{
    KD_AUTO(kd_buf_clear) struct kd_buf yaml = KD_BUF(1000), got = KD_BUF(1000);
    for (int i = 0; i < n; i++)
        kd_buf_add_char(&yaml, '[');
    for (int i = 0; i < n; i++)
        kd_buf_add_char(&yaml, ']');
    read_all(yaml.p, KD_YAML_STRICT, &got);
    assert_memory_equal(got.p, begin, strlen(begin));
}

static void test_depth(void **state)
{
    (void)state;
    expect_depth(KD_YAML_DEPTH_MAX, "[[[");
    expect_depth(KD_YAML_DEPTH_MAX + 1, "invalid: f.yaml: line 1, column 101: lists and maps lie");
}

/** Ten aliases of ten aliases of …: small to read, endless to write. And the same in depth: each level one deeper. */
static void test_aliases_are_bounded(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf yaml = KD_BUF(1 << 16), deep = KD_BUF(1 << 16), got = KD_BUF(1000);
    kd_buf_printf(&yaml, "a0: &a0 [x]\n");
    kd_buf_printf(&deep, "a0: &a0 [x]\n");
    for (int i = 1; i < 10; i++) {
        kd_buf_printf(&yaml, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            kd_buf_printf(&yaml, "*a%d,", i - 1);
        kd_buf_printf(&yaml, "]\n");
    }
    for (int i = 1; i < 150; i++)
        kd_buf_printf(&deep, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    read_all(yaml.p, KD_YAML_STRICT, &got);
    assert_memory_equal(got.p, "too-large: f.yaml has more than", 31);
    kd_buf_reset(&got);
    read_all(deep.p, KD_YAML_STRICT, &got);
    assert_non_null(strstr(got.p, "aliases lie more than 100 deep"));
}

static void test_arena_is_the_limit(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(64);
    struct kd_strs docs;
    struct kd_err err = { 0 };
    struct kd_str yaml = KD_STR("a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_int_equal(kd_yaml_read(yaml, "f.yaml", KD_YAML_STRICT, &arena, &docs, &err), KD_TOO_LARGE);
}

static void test_write(void **state)
{
    (void)state;
    static const struct {
        const char *json, *yaml;
    } rows[] = {
        { "{}", "{}\n" },
        { "[]", "[]\n" },
        { "3", "3\n" },
        { "\"a\"", "a\n" },
        { "{\"a\":1,\"b\":{\"c\":[1,\"x\"],\"d\":{}}}", "a: 1\nb:\n  c:\n  - 1\n  - x\n  d: {}\n" },
        { "[{\"a\":1,\"b\":2},[3,4],[]]", "- a: 1\n  b: 2\n- - 3\n  - 4\n- []\n" },
        { "[true,false,null,1.5,-7]", "- true\n- false\n- null\n- 1.5\n- -7\n" },
        { "[\"yes\",\"1\",\"1.0\",\"\",\"~\",\"1e400\",\"0x1\"]",
          "- \"yes\"\n- \"1\"\n- \"1.0\"\n- \"\"\n- \"~\"\n- \"1e400\"\n- \"0x1\"\n" },
        { "[\"2026-01-01\",\"1:30\",\"1.2.3\",\"a: b\",\"a #b\",\" a\",\"a \",\"*a\",\"a:b\"]",
          "- \"2026-01-01\"\n- \"1:30\"\n- 1.2.3\n- \"a: b\"\n- \"a #b\"\n- \" a\"\n- \"a \"\n- \"*a\"\n- a:b\n" },
        { "{\"a\":\"x\\ny\",\"b\":\"x\\n\",\"c\":\"x\\n\\n\",\"d\":\" x\\n\"}",
          "a: |-\n  x\n  y\nb: |\n  x\nc: |+\n  x\n\nd: \" x\\n\"\n" },
        { "[\"\\u007f\\u0085\\u2028\\ufeff\\u0001\\\"\\\\\"]", "- \"\\u007f\\u0085\\u2028\\ufeff\\u0001\\\"\\\\\"\n" },
        { "{\"yes\":1,\"a b\":2,\"-\":3}", "\"yes\": 1\na b: 2\n\"-\": 3\n" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf yaml = KD_BUF(1000), again = KD_BUF(1000);
        assert_int_equal(kd_yaml_write(kd_str(rows[i].json), &yaml, NULL), KD_OK);
        assert_string_equal(yaml.p, rows[i].yaml);
        read_all(yaml.p, KD_YAML_STRICT, &again); /* what was written reads back the same: written again it is equal */
        KD_AUTO(kd_buf_clear) struct kd_buf twice = KD_BUF(1000);
        assert_int_equal(kd_yaml_write(kd_buf_str(&again), &twice, NULL), KD_OK);
        assert_string_equal(twice.p, rows[i].yaml);
    }
}

static void test_write_refuses_what_is_not_json(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf yaml = KD_BUF(1000);
    assert_int_equal(kd_yaml_write(KD_STR("{\"a\":}"), &yaml, NULL), KD_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_last_wins),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_aliases_are_bounded),
        cmocka_unit_test(test_arena_is_the_limit),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_refuses_what_is_not_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
