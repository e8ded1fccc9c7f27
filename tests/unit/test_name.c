/** Names: a row per rule and text. */
#include "shared/base/own.h"
#include "shared/model/name.h"
#include "tests/unit/unit.h"

#define TEN   "abcdefghij"
#define SIXTY TEN TEN TEN TEN TEN TEN

static const struct {
    bool (*check)(struct kd_str);
    const char *text;
    bool want;
} rows[] = {
    { kd_is_name, "a", true },
    { kd_is_name, "0-a-", true },
    { kd_is_name, TEN TEN TEN TEN, true },
    { kd_is_name, TEN TEN TEN TEN "k", false },
    { kd_is_name, "", false },
    { kd_is_name, "-a", false },
    { kd_is_name, "A", false },
    { kd_is_name, "a.b", false },
    { kd_is_name, "a/b", false },
    { kd_is_name, "a b", false },
    { kd_is_name, "\xc3\xa9", false },
    { kd_is_app_name, TEN TEN "abcdef", true },
    { kd_is_app_name, TEN TEN "abcdefg", false },
    { kd_is_version, "1.2.0-rc.1", true },
    { kd_is_version, TEN TEN, true },
    { kd_is_version, TEN TEN "k", false },
    { kd_is_version, "v1+2", false },
    { kd_is_version, ".1", false },
    { kd_is_chart_name, "edge/en/charts/web", true },
    { kd_is_chart_name, "/web", false },
    { kd_is_chart_name, "a//b", false },
    { kd_is_chart_name, "a/../b", false },
    { kd_is_chart_name, "Web", false },
    { kd_is_chart_version, "1.2.3-abc", true },
    { kd_is_chart_version, "1.2.3+abc", false },
    { kd_is_label_key, "app", true },
    { kd_is_label_key, "example.com/App_1.x", true },
    { kd_is_label_key, "Example.com/app", false },
    { kd_is_label_key, "/app", false },
    { kd_is_label_key, "example.com/", false },
    { kd_is_label_key, "a/b/c", false },
    { kd_is_label_key, "-a", false },
    { kd_is_label_key, "", false },
    { kd_is_label_value, "", true },
    { kd_is_label_value, "A_b-1.c", true },
    { kd_is_label_value, SIXTY "abc", true },
    { kd_is_label_value, SIXTY "abcd", false },
    { kd_is_label_value, "a-", false },
    { kd_is_operator, "Ada.L_1@x-y", true },
    { kd_is_operator, "", false },
    { kd_is_operator, "a/b", false },
    { kd_is_operator, "a+", false },
    { kd_is_operator, SIXTY "abcd", true },
    { kd_is_operator, SIXTY "abcde", false },
    { kd_is_request_id, "A-b_1", true },
    { kd_is_request_id, "a.b", false },
    { kd_is_uid, "0123456789abcdef0123456789abcdef", true },
    { kd_is_uid, "0123456789abcdef0123456789abcde", false },
    { kd_is_uid, "0123456789ABCDEF0123456789abcdef", false },
    { kd_is_display_name, "", true },
    { kd_is_display_name, "K\xc3\xb6ln 1", true },
    { kd_is_display_name, " a", false },
    { kd_is_display_name, "a ", false },
    { kd_is_display_name, "a\tb", false },
    { kd_is_display_name, TEN TEN TEN TEN "k", false },
    { kd_is_display_name, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4" TEN TEN TEN, true },
    { kd_is_root_url, "oci://registry:5000/charts", true },
    { kd_is_root_url, "https://charts.example.org", true },
    { kd_is_root_url, "http://[::1]/x?y=z", true },
    { kd_is_root_url, "ftp://x", false },
    { kd_is_root_url, "oci://", false },
    { kd_is_root_url, "oci:///x", false },
    { kd_is_root_url, "https://a b", false },
    { kd_is_root_url, "https://a|b", false },
    { kd_is_parameter, "a.b[0]/c\\.d-e_f", true },
    { kd_is_parameter, "a b", false },
    { kd_is_parameter, "", false },
    { kd_is_resource_kind, "Deployment", true },
    { kd_is_resource_kind, "a/b", false },
    { kd_is_resource_name, "web.x_y-z", true },
    { kd_is_resource_name, "Web", false },
    { kd_is_lower_word, "", true },
    { kd_is_lower_word, "insecure", true },
    { kd_is_lower_word, "a1", false },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < KD_COUNT(rows); i++)
        if (rows[i].check(kd_str(rows[i].text)) != rows[i].want)
            fail_msg("row %zu: \"%s\" must be %s", i, rows[i].text, rows[i].want ? "allowed" : "refused");
}

/** No name holds what would break a topic, a key or a path. */
static void test_no_name_breaks_a_topic(void **state)
{
    (void)state;
    static bool (*const checks[])(struct kd_str) = { kd_is_name,     kd_is_app_name,   kd_is_version,
                                                     kd_is_operator, kd_is_request_id, kd_is_uid };
    for (int c = 0; c < 256; c++)
        for (size_t i = 0; i < KD_COUNT(checks); i++) {
            char text[KD_UID_TEXT];
            memset(text, 'a', sizeof text);
            text[3] = (char)c;
            if (strchr("/+#|\"\\ \n", c) || c < 0x20 || c > 0x7e)
                assert_false(checks[i]((struct kd_str){ text, i == 5 ? sizeof text : 5 }));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_no_name_breaks_a_topic) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
