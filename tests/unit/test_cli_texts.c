/** What the command line makes of what was typed, and what it shows: suggestions, labels, --set, tables, JSON for people. */
#include "tests/unit/unit.h"

#include "coordinator/cli/labels.h"
#include "coordinator/cli/pretty.h"
#include "coordinator/cli/sets.h"
#include "coordinator/cli/suggest.h"
#include "coordinator/cli/table.h"
#include "shared/base/own.h"

static const struct {
    const char *a, *b;
    size_t distance;
} distance_rows[] = {
    { "", "", 0 },
    { "abc", "abc", 0 },
    { "abc", "", 3 },
    { "status", "statsu", 1 },
    { "deploy", "deplo", 1 },
    { "deploy", "delete", 4 },
    { "get", "set", 1 },
    { "upgrade", "upgarde", 1 },
};

static void test_distance(void **state)
{
    (void)state;
    for (size_t i = 0; i < KD_COUNT(distance_rows); i++)
        assert_int_equal(ct_distance(kd_str(distance_rows[i].a), kd_str(distance_rows[i].b)), distance_rows[i].distance);
    char long_word[CT_WORD_MAX + 2] = { 0 };
    memset(long_word, 'a', CT_WORD_MAX + 1);
    assert_true(ct_distance(kd_str(long_word), KD_STR("a")) == SIZE_MAX);
}

static void test_suggestion(void **state)
{
    (void)state;
    static const char *const words[] = { "get", "describe", "deploy", "delete", "status" };
    static const struct {
        const char *typed, *best;
    } rows[] = { { "dpeloy", "deploy" }, { "desc", "describe" }, { "statuss", "status" }, { "zzz", "" }, { "gte", "get" } };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct ct_suggestion suggestion = { .typed = kd_str(rows[i].typed) };
        for (size_t j = 0; j < KD_COUNT(words); j++)
            ct_suggest(&suggestion, kd_str(words[j]));
        assert_str(suggestion.best, rows[i].best);
    }
}

static void test_labels(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* want NULL: refused */
    } rows[] = {
        { "chain=demo", "chain=demo" },
        { "a=b, c==d", "a=b,c=d" },
        { "empty=", "empty=" },
        { "example.com/zone=x", "example.com/zone=x" },
        { "", NULL },
        { "novalue", NULL },
        { "a=b,a=c", NULL },
        { "=x", NULL },
        { "a=b c", NULL },
        { "a=b,,c=d", NULL },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(65536);
        struct kd_pairs labels = { 0 };
        struct kd_err err = { 0 };
        enum kd_code code = ct_labels_parse(kd_str(rows[i].text), &arena, &labels, &err);
        assert_int_equal(code, rows[i].want ? KD_OK : KD_INVALID);
        if (rows[i].want)
            assert_str(ct_labels_text(&labels, &arena), rows[i].want);
    }
}

static const struct {
    const char *set[3], *app, *want; /* want NULL: refused */
} set_rows[] = {
    { { "web.a=b" }, "web", "{\"a\":\"b\"}" },
    { { "web.a.b.c=1" }, "web", "{\"a\":{\"b\":{\"c\":1}}}" },
    { { "web.a=1,web.b=2" }, "web", "{\"a\":1,\"b\":2}" },
    { { "web.a=1", "web.a=2" }, "web", "{\"a\":2}" },
    { { "web.a=true,web.b=false,web.c=null" }, "web", "{\"a\":true,\"b\":false,\"c\":null}" },
    { { "web.a=-5,web.b=007,web.c=1.5,web.d=0" }, "web", "{\"a\":-5,\"b\":\"007\",\"c\":\"1.5\",\"d\":0}" },
    { { "web.l[0]=a,web.l[1].x=b" }, "web", "{\"l\":[\"a\",{\"x\":\"b\"}]}" },
    { { "web.l[2]=c" }, "web", "{\"l\":[null,null,\"c\"]}" },
    { { "web.l={a,1,true}" }, "web", "{\"l\":[\"a\",1,true]}" },
    { { "web.l={}" }, "web", "{\"l\":[]}" },
    { { "web.l={a},web.m=x" }, "web", "{\"l\":[\"a\"],\"m\":\"x\"}" },
    { { "web.m[0][1]=x" }, "web", "{\"m\":[[null,\"x\"]]}" },
    { { "web.a=" }, "web", "{\"a\":\"\"}" },
    { { "web.a=x=y" }, "web", "{\"a\":\"x=y\"}" },
    { { "web.a=x\\,y" }, "web", "{\"a\":\"x,y\"}" },
    { { "web.a\\.b=c" }, "web", "{\"a.b\":\"c\"}" },
    { { "web.url=http://shop:8080/" }, "web", "{\"url\":\"http://shop:8080/\"}" },
    { { "web.a=1", "web.a.b=2" }, "web", "{\"a\":{\"b\":2}}" },
    { { "web.a.b=2", "web.a=1" }, "web", "{\"a\":1}" },
    { { "web.a=1,db.b=2" }, "db", "{\"b\":2}" },
    { { "web=1" }, NULL, NULL },
    { { "web." }, NULL, NULL },
    { { "web.a" }, NULL, NULL },
    { { "web.=1" }, NULL, NULL },
    { { ".a=1" }, NULL, NULL },
    { { "We_b.a=1" }, NULL, NULL },
    { { "web.l[x]=1" }, NULL, NULL },
    { { "web.l[1=1" }, NULL, NULL },
    { { "web.l[1024]=1" }, NULL, NULL },
    { { "web.l={a" }, NULL, NULL },
    { { "web.l={a}b" }, NULL, NULL },
    { { "" }, NULL, NULL },
    { { "web.l[0]a=1" }, NULL, NULL },
    { { "web.a=\xe3" }, NULL, NULL },
    { { "web.a=1," }, NULL, NULL },
};

static struct kd_str values_of(struct ct_sets *sets, const char *app, struct kd_arena *arena)
{
    struct kd_str name, json;
    for (size_t i = 0; ct_sets_get(sets, i, arena, &name, &json); i++)
        if (kd_str_is(name, app))
            return json;
    return (struct kd_str){ NULL, 0 };
}

static void test_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < KD_COUNT(set_rows); i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 20);
        KD_AUTO(ct_sets_closep) struct ct_sets *sets = ct_sets_open();
        struct kd_err err = { 0 };
        enum kd_code code = KD_OK;
        for (size_t j = 0; code == KD_OK && j < 3 && set_rows[i].set[j]; j++)
            code = ct_sets_assign(sets, kd_str(set_rows[i].set[j]), false, &err);
        if (code != (set_rows[i].want ? KD_OK : KD_INVALID))
            fail_msg("%s: %s", set_rows[i].set[0], err.story);
        if (set_rows[i].want)
            assert_str(values_of(sets, set_rows[i].app, &arena), set_rows[i].want);
    }
}

static void test_sets_as_texts_and_files(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 20);
    KD_AUTO(ct_sets_closep) struct ct_sets *sets = ct_sets_open();
    struct kd_err err = { 0 };
    assert_ok(ct_sets_merge(sets, KD_STR("web"), KD_STR("{\"a\":{\"b\":1,\"c\":[1]},\"d\":2}"), &err), err);
    assert_ok(ct_sets_merge(sets, KD_STR("web"), KD_STR("{\"a\":{\"c\":[2],\"e\":3}}"), &err), err);
    assert_ok(ct_sets_assign(sets, KD_STR("web.d=7"), true, &err), err);
    assert_str(values_of(sets, "web", &arena), "{\"a\":{\"b\":1,\"c\":[2],\"e\":3},\"d\":\"7\"}");
    assert_int_equal(ct_sets_merge(sets, KD_STR("web"), KD_STR("[1]"), &err), KD_INVALID);
    assert_int_equal(ct_sets_merge(sets, KD_STR("Web"), KD_STR("{}"), &err), KD_INVALID);
}

static void test_set_depth_is_bounded(void **state)
{
    (void)state;
    KD_AUTO(ct_sets_closep) struct ct_sets *sets = ct_sets_open();
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(1024);
    kd_buf_add(&text, KD_STR("web"));
    for (int i = 0; i < CT_SET_DEPTH_MAX + 1; i++)
        kd_buf_add(&text, KD_STR(".a"));
    kd_buf_add(&text, KD_STR("=1"));
    assert_int_equal(ct_sets_assign(sets, kd_buf_str(&text), false, NULL), KD_INVALID);
}

static void test_table(void **state)
{
    (void)state;
    static const char *const headers[] = { "NAME", "STATE", "AGE" };
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(65536);
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(65536);
    struct ct_table table;
    ct_table_begin(&table, &arena, headers, 3);
    struct ct_row *row = ct_table_row(&table);
    row->cells[0].text = KD_STR("a-long-name");
    row->cells[1] = (struct ct_cell){ KD_STR("running"), CT_GOOD };
    row->cells[2].text = KD_STR("3m");
    row = ct_table_row(&table);
    row->cells[0].text = KD_STR("\xc3\xa4"); /* one character, two bytes */
    row->cells[1] = (struct ct_cell){ KD_STR("bad\033[2J"), CT_BAD };
    struct ct_table_style style = { .has_header = true };
    ct_table_print(&table, &style, &out);
    assert_str(kd_buf_str(&out), "NAME          STATE     AGE\n"
                                 "a-long-name   running   3m\n"
                                 "\xc3\xa4             bad?[2J\n");
    kd_buf_reset(&out);
    style = (struct ct_table_style){ .has_colours = true, .width = 24 };
    ct_table_print(&table, &style, &out);
    assert_str(kd_buf_str(&out), "a-long-name   \033[32mrunning\033[0m\n"
                                 "\xc3\xa4             \033[31mbad?[2J\033[0m\n");
}

static void test_state_paint(void **state)
{
    (void)state;
    assert_int_equal(ct_paint_of_state(KD_STR("running")), CT_GOOD);
    assert_int_equal(ct_paint_of_state(KD_STR("running (1 offline)")), CT_BUSY);
    assert_int_equal(ct_paint_of_state(KD_STR("error")), CT_BAD);
    assert_int_equal(ct_paint_of_state(KD_STR("some new word")), CT_PLAIN);
}

static void test_pretty(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(65536);
    ct_pretty_json(KD_STR("{\"a\":1,\"b\":{},\"c\":[],\"d\":[1,{\"x\":\"{,}:\\\"\"}]}"), &out);
    assert_str(kd_buf_str(&out), "{\n  \"a\": 1,\n  \"b\": {},\n  \"c\": [],\n  \"d\": [\n    1,\n    {\n"
                                 "      \"x\": \"{,}:\\\"\"\n    }\n  ]\n}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_suggestion),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_sets_as_texts_and_files),
        cmocka_unit_test(test_set_depth_is_bounded),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_state_paint),
        cmocka_unit_test(test_pretty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
