/** Filters and orders of lists, over the text of a view. */
#include "coordinator/core/list.h"
#include "shared/base/own.h"
#include "tests/unit/unit.h"

#define VIEW                                                                                                                       \
    "{\"name\":\"shop-1\",\"displayName\":\"Shop in "                                                                              \
    "Munich\",\"n\":7,\"hold\":true,\"package\":{\"name\":\"shop\"},\"status\":{\"state\":"                                        \
    "\"running\",\"name\":\"hidden\"}}"

static void test_filters(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        bool want;
    } rows[] = {
        { "", true },
        { "name=shop", true },
        { "name=SHOP-1", true },
        { "name=hop", true },
        { "name=shop-2", false },
        { "name = shop-1 ", true },
        { "displayName=shop*munich", true },
        { "displayName=munich*shop", false },
        { "displayName=in munich", true },
        { "displayName=*", true },
        { "displayName=**x", false },
        { "name=", true },
        { "state=run", true }, /* of the status */
        { "name=hidden", false },
        { "hold=true", true },
        { "n=7", false }, /* no text */
        { "n=**", true },
        { "package=shop", false },
        { "absent=x", false },
        { "name=a OR state=running", true },
        { "name=a OR name=b OR name=shop", true },
        { "name=a OR name=b", false },
        { "name=a=b", false },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct co_filter filter;
        struct kd_err err = { 0 };
        assert_ok(co_filter_read(kd_str(rows[i].filter), &filter, &err), err);
        if (co_filter_matches(&filter, KD_STR(VIEW)) != rows[i].want)
            fail_msg("\"%s\" must %smatch", rows[i].filter, rows[i].want ? "" : "not ");
    }
}

static void test_bad_filters(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "name",
        "=x",
        " = x",
        "a=1 OR b",
        "a=1 OR ",
        ("a=1 OR a=1 OR a=1 OR a=1 OR a=1 OR a=1 OR a=1 OR a=1 OR a=1 OR a=1 OR a=1 OR a=1 OR a=1 OR a=1 "
         "OR a=1 OR a=1 OR a=1 OR a=1 OR a=1 OR a=1 OR a=1")
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct co_filter filter;
        struct kd_err err = { 0 };
        assert_int_equal(co_filter_read(kd_str(rows[i]), &filter, &err), KD_INVALID);
        assert_string_equal(err.field, "$.filter");
    }
}

static void test_orders(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field; /* NULL: refused */
        bool descending;
    } rows[] = {
        { "", "", false },          { "name", "name", false }, { " name desc ", "name", true }, { "name  asc", "name", false },
        { "name up", NULL, false }, { "a b c", NULL, false }
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct kd_str field = { NULL, 0 };
        bool descending = false;
        struct kd_err err = { 0 };
        enum kd_code code = co_order_read(kd_str(rows[i].text), &field, &descending, &err);
        assert_int_equal(code, rows[i].field ? KD_OK : KD_INVALID);
        if (rows[i].field) {
            assert_str(field, rows[i].field);
            assert_int_equal(descending, rows[i].descending);
        }
    }
}

static void test_fields(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1000);
    assert_str(co_list_field(KD_STR(VIEW), KD_STR("name"), &arena), "shop-1");
    assert_str(co_list_field(KD_STR(VIEW), KD_STR("state"), &arena), "running");
    assert_str(co_list_field(KD_STR(VIEW), KD_STR("n"), &arena), "00000000000000000007");
    assert_str(co_list_field(KD_STR(VIEW), KD_STR("absent"), &arena), "");
    assert_str(co_list_field(KD_STR("{"), KD_STR("name"), &arena), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_filters), cmocka_unit_test(test_bad_filters),
                                        cmocka_unit_test(test_orders), cmocka_unit_test(test_fields) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
