/** The words of the language: failures, slices, buffers, arenas, times, backoff, UTF-8. */
#include "shared/base/arena.h"
#include "shared/base/backoff.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/base/own.h"
#include "shared/base/time.h"
#include "shared/base/utf8.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

/* ---- failures ---- */

static void test_codes_have_words(void **state)
{
    (void)state;
    for (int code = 0; code < KD_CODE_COUNT; code++) {
        const char *word = kd_code_word((enum kd_code)code);
        assert_int_equal(kd_code_of(word, strlen(word)), code);
    }
    assert_int_equal(kd_code_of("invalid-and-more", 7), KD_INVALID);
    assert_int_equal(kd_code_of("inval", 5), KD_INTERNAL);
    assert_int_equal(kd_code_of("", 0), KD_INTERNAL);
    assert_string_equal(kd_code_word((enum kd_code)99), "internal");
    assert_string_equal(kd_code_word((enum kd_code) - 1), "internal");
}

static void test_stories(void **state)
{
    (void)state;
    struct kd_err err = { 0 };
    assert_int_equal(kd_fail(&err, KD_NOT_FOUND, ENOENT, "open '%s'", "x"), KD_NOT_FOUND);
    assert_string_equal(err.story, "open 'x': No such file or directory");
    assert_int_equal(kd_wrap(&err, "read %s", "settings"), KD_NOT_FOUND);
    assert_string_equal(err.story, "read settings: open 'x': No such file or directory");
    assert_int_equal(err.sys, ENOENT);
    assert_int_equal(kd_fail_field(&err, KD_INVALID, "$.a", "is wrong"), KD_INVALID);
    assert_string_equal(err.field, "$.a");
    assert_int_equal(err.sys, 0);
    assert_int_equal(kd_fail(NULL, KD_EXISTS, 0, "unheard"), KD_EXISTS);
    assert_int_equal(kd_wrap(NULL, "unheard"), KD_INTERNAL);
}

static void test_stories_are_cut(void **state)
{
    (void)state;
    struct kd_err err = { 0 };
    char text[1000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)kd_fail_field(&err, KD_INVALID, text, "%s", text);
    assert_int_equal(strlen(err.story), KD_STORY_MAX);
    assert_int_equal(strlen(err.field), KD_FIELD_MAX);
    for (int i = 0; i < 3; i++)
        (void)kd_wrap(&err, "%s", text);
    assert_int_equal(strlen(err.story), KD_STORY_MAX);
}

/* ---- slices ---- */

static void test_slices(void **state)
{
    (void)state;
    assert_true(kd_str_eq(kd_str(NULL), KD_STR("")));
    assert_false(kd_str_is(KD_STR("a"), "ab"));
    assert_true(kd_str_cmp(KD_STR("a"), KD_STR("ab")) < 0);
    assert_true(kd_str_cmp(KD_STR("b"), KD_STR("ab")) > 0);
    assert_true(kd_str_cmp(KD_STR("\xff"), KD_STR("a")) > 0);
    assert_int_equal(kd_str_cmp(KD_STR(""), kd_str(NULL)), 0);
    assert_true(kd_str_starts(KD_STR("abc"), KD_STR("ab")) && kd_str_starts(KD_STR("a"), KD_STR("")));
    assert_false(kd_str_starts(KD_STR("a"), KD_STR("ab")));
    assert_true(kd_str_ends(KD_STR("abc"), KD_STR("bc")) && kd_str_ends(KD_STR(""), KD_STR("")));
    assert_false(kd_str_ends(KD_STR("c"), KD_STR("bc")));
    assert_int_equal(kd_str_find(KD_STR("aab"), KD_STR("ab")), 1);
    assert_int_equal(kd_str_find(KD_STR(""), KD_STR("a")), -1);
    assert_int_equal(kd_str_find(kd_str(NULL), KD_STR("")), 0);
    assert_str(kd_str_trim(KD_STR(" \t\r\na b \n")), "a b");
    assert_str(kd_str_trim(KD_STR(" \n ")), "");
}

static void test_cut(void **state)
{
    (void)state;
    struct kd_str rest = KD_STR("a,,b");
    assert_str(kd_str_cut(&rest, ','), "a");
    assert_str(kd_str_cut(&rest, ','), "");
    assert_str(kd_str_cut(&rest, ','), "b");
    assert_int_equal(rest.n, 0);
    assert_str(kd_str_cut(&rest, ','), "");
    rest = KD_STR("a,");
    assert_str(kd_str_cut(&rest, ','), "a");
    assert_int_equal(rest.n, 0);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } rows[] = {
        { "0", true, 0 },
        { "007", true, 7 },
        { "", false, 0 },
        { "-1", false, 0 },
        { "+1", false, 0 },
        { " 1", false, 0 },
        { "1e3", false, 0 },
        { "9007199254740991", true, 9007199254740991 },
        { "9007199254740992", false, 0 },
        { "18446744073709551616", false, 0 },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        uint64_t value = 77;
        assert_int_equal(kd_str_u64(kd_str(rows[i].text), &value), rows[i].ok);
        assert_int_equal(value, rows[i].ok ? rows[i].value : 77);
    }
}

static void test_copy(void **state)
{
    (void)state;
    char to[4] = "xxx";
    assert_true(kd_str_copy(KD_STR("abc"), to, sizeof to));
    assert_string_equal(to, "abc");
    assert_false(kd_str_copy(KD_STR("abcd"), to, sizeof to));
    assert_string_equal(to, "");
    assert_true(kd_str_copy(kd_str(NULL), to, 1));
}

/* ---- buffers ---- */

static void test_buffer_grows_to_its_limit(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf b = KD_BUF(1000);
    for (int i = 0; i < 100; i++)
        kd_buf_printf(&b, "%010d", i);
    assert_false(b.overflow);
    assert_int_equal(b.n, 1000);
    assert_int_equal(b.p[b.n], 0);
    kd_buf_add(&b, KD_STR(""));
    assert_false(b.overflow);
    kd_buf_add_char(&b, 'x');
    assert_true(b.overflow);
}

static void test_overflow_is_sticky(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf b = KD_BUF(4);
    kd_buf_add(&b, KD_STR("12345"));
    kd_buf_add(&b, KD_STR("1"));
    assert_true(b.overflow);
    assert_int_equal(kd_buf_str(&b).n, 0);
    kd_buf_reset(&b);
    kd_buf_add(&b, KD_STR("1234"));
    assert_str(kd_buf_str(&b), "1234");
    assert_null(kd_buf_room(&b, SIZE_MAX));
    kd_buf_clear(&b);
    assert_false(b.overflow);
    assert_int_equal(b.max, 4);
    kd_buf_printf(&b, "%s", "12345");
    assert_true(b.overflow);
}

/* ---- arenas ---- */

static void test_arena(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(100000);
    struct kd_str copies[100];
    for (size_t i = 0; i < KD_COUNT(copies); i++)
        copies[i] = kd_arena_printf(&arena, "text %zu", i);
    for (size_t i = 0; i < KD_COUNT(copies); i++) {
        char want[20];
        (void)snprintf(want, sizeof want, "text %zu", i);
        assert_string_equal(copies[i].p, want);
        assert_int_equal((uintptr_t)copies[i].p % _Alignof(max_align_t), 0);
    }
    const char *zeros = kd_arena_alloc(&arena, 5000); /* larger than a block */
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(zeros[i], 0);
    assert_string_equal(kd_arena_copy(&arena, kd_str(NULL)).p, "");
}

static void test_arena_is_bounded(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1000);
    size_t given = 0;
    while (kd_arena_alloc(&arena, 1))
        given++;
    assert_in_range(given, 1, 1000);
    assert_null(kd_arena_alloc(&arena, SIZE_MAX));
    assert_null(kd_arena_printf(&arena, "%2000d", 1).p);
    assert_null(kd_arena_copy(&arena, KD_STR("x")).p);
}

/* ---- times ---- */

static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t unix_ms;
    } rows[] = {
        { "1970-01-01T00:00:00.000Z", 0 },
        { "1970-01-01T00:00:00.001Z", 1 },
        { "1969-12-31T23:59:59.999Z", -1 },
        { "2026-11-23T08:24:00.123Z", INT64_C(1795422240123) },
        { "2000-02-29T12:00:00.000Z", INT64_C(951825600000) },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct kd_wall wall = { 7 };
        char text[KD_TIME_TEXT];
        assert_true(kd_wall_parse(kd_str(rows[i].text), &wall));
        assert_int_equal(wall.unix_ms, rows[i].unix_ms);
        kd_wall_text(wall, text);
        assert_string_equal(text, rows[i].text);
    }
    struct kd_wall wall;
    assert_true(kd_wall_parse(KD_STR("2026-11-23T08:24:00Z"), &wall));
}

static void test_times_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-11-23",
        "2026-11-23T08:24:00",
        "2026-11-23T08:24:00+01:00",
        "2026-11-23 08:24:00Z",
        "2026-13-23T08:24:00Z",
        "2026-00-23T08:24:00Z",
        "2026-11-00T08:24:00Z",
        "2026-11-32T08:24:00Z",
        "2026-11-23T24:24:00Z",
        "2026-11-23T08:60:00Z",
        "2026-11-23T08:24:00.12Z",
        "2026-11-23T08:24:00.123Zx",
        "-026-11-23T08:24:00Z",
    };
    for (size_t i = 0; i < KD_COUNT(bad); i++) {
        struct kd_wall wall = { 7 };
        if (kd_wall_parse(kd_str(bad[i]), &wall))
            fail_msg("accepted '%s'", bad[i]);
        assert_int_equal(wall.unix_ms, 7);
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us; /* -1: refused */
    } rows[] = {
        { "500ms", 500000 },
        { "30s", 30 * KD_US_PER_S },
        { "30", 30 * KD_US_PER_S },
        { "0", 0 },
        { "5m", 300 * KD_US_PER_S },
        { "1h30m", 5400 * KD_US_PER_S },
        { "36525d", INT64_C(36525) * 86400 * KD_US_PER_S },
        { "36526d", -1 },
        { "36525d1s", -1 },
        { "9007199254740991d", -1 },
        { "", -1 },
        { "s", -1 },
        { "1x", -1 },
        { "1 s", -1 },
        { "-1s", -1 },
        { "1h30", -1 },
        { "1.5h", -1 },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        int64_t us = -1;
        if (kd_duration_parse(kd_str(rows[i].text), &us) != (rows[i].us >= 0))
            fail_msg("'%s' is taken wrongly", rows[i].text);
        assert_int_equal(us, rows[i].us);
    }
}

static void test_durations_shown(void **state)
{
    (void)state;
    static const struct {
        int64_t s;
        const char *text;
    } rows[] = { { -5, "0s" },     { 0, "0s" },    { 119, "119s" },   { 120, "2m" },
                 { 7199, "119m" }, { 7200, "2h" }, { 172799, "47h" }, { 172800, "2d" } };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        char text[16];
        kd_duration_text(rows[i].s * KD_US_PER_S, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_backoff(void **state)
{
    (void)state;
    static const uint64_t chances[] = { 0, 1, 999999, UINT64_MAX };
    for (unsigned attempt = 0; attempt < 100; attempt++)
        for (size_t i = 0; i < KD_COUNT(chances); i++) {
            int64_t top = attempt < 7 ? INT64_C(1000) << attempt : 64000;
            assert_in_range(kd_backoff_us(attempt, 1000, 64000, chances[i]), 1, top);
        }
    assert_int_equal(kd_backoff_us(3, 1000, 64000, 7999), 8000); /* the top is reached */
    assert_int_equal(kd_backoff_us(0, 1, 1, UINT64_MAX), 1);
}

/* ---- UTF-8 ---- */

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        size_t length;
    } rows[] = {
        { "", true, 0 },
        { "abc", true, 3 },
        { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\xa2", true, 3 },
        { "\xf4\x8f\xbf\xbf", true, 1 },
        { "\x80", false, 0 },             /* a follower alone */
        { "\xc3", false, 0 },             /* cut */
        { "\xe2\x82", false, 0 },         /* cut */
        { "\xc3(", false, 0 },            /* no follower */
        { "\xc0\xaf", false, 0 },         /* overlong */
        { "\xe0\x80\xaf", false, 0 },     /* overlong */
        { "\xf0\x80\x80\xaf", false, 0 }, /* overlong */
        { "\xed\xa0\x80", false, 0 },     /* surrogate */
        { "\xf4\x90\x80\x80", false, 0 }, /* above U+10FFFF */
        { "\xff", false, 0 },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        assert_int_equal(kd_utf8_is_valid(kd_str(rows[i].text)), rows[i].ok);
        if (rows[i].ok)
            assert_int_equal(kd_utf8_length(kd_str(rows[i].text)), rows[i].length);
    }
}

static void test_utf8_head(void **state)
{
    (void)state;
    struct kd_str text = KD_STR("a\xe2\x82\xac"
                                "b");
    static const char *const heads[] = { "",
                                         "a",
                                         "a",
                                         "a",
                                         "a\xe2\x82\xac",
                                         "a\xe2\x82\xac"
                                         "b",
                                         "a\xe2\x82\xac"
                                         "b" };
    for (size_t max = 0; max < KD_COUNT(heads); max++)
        assert_str(kd_utf8_head(text, max), heads[max]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_have_words),
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_stories_are_cut),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_buffer_grows_to_its_limit),
        cmocka_unit_test(test_overflow_is_sticky),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_arena_is_bounded),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_times_refused),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_durations_shown),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
