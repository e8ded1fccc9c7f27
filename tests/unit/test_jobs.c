/** Requests and results of jobs go out and come back the same; what is wrong in them is named; the agent's settings read. */
#include "tests/unit/unit.h"

#include "agent/jobs/job.h"
#include "agent/jobs/settings.h"
#include "shared/base/own.h"
#include "shared/os/log.h"

enum { ARENA = 1 << 20 };

#define HEX32 "0123456789abcdef0123456789abcdef"
#define HEX64 HEX32 HEX32

static void test_request_round_trip(void **state)
{
    (void)state;
    static const char prepare[] =
        "{\"kind\":\"prepare\",\"project\":\"acme\",\"deadline_ms\":60000,\"apps\":[{\"deployment\":\"shop\",\"uid\":\"" HEX32
        "\",\"uids\":[\"" HEX32 "\"],\"name\":\"web\",\"namespace\":\"shop\",\"release\":\"shop-web-01234567\",\"key\":\"" HEX64
        "\",\"chart\":{\"registry\":\"oci://r:5000/charts\",\"name\":\"web\",\"version\":\"1.0.0\",\"digest\":\"sha256:" HEX64
        "\"},\"values\":[{\"yaml\":\"a: 1\\n\"},{\"yaml\":\"\"}],\"upgrade\":true}]}";
    static const char *const rows[] = {
        prepare,
        "{\"kind\":\"observe\",\"project\":\"acme\",\"deadline_ms\":1}",
        "{\"kind\":\"remove\",\"project\":\"acme\",\"deadline_ms\":1,\"apps\":[{\"deployment\":\"shop\",\"uid\":\"" HEX32
        "\",\"uids\":[\"" HEX32 "\"],\"chart\":{}}]}",
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA);
        KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(ARENA);
        struct ag_job_request request;
        struct kd_err err = { 0 };
        assert_ok(ag_job_request_decode(kd_str(rows[i]), &arena, &request, &err), err);
        ag_job_request_encode(&request, &out);
        assert_str(kd_buf_str(&out), rows[i]);
    }
}

/** Values are as large as the protocol allows, 4 MB each. */
static void test_request_carries_large_values(void **state)
{
    (void)state;
    enum { SIZE = 4 * 1024 * 1024 };
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(3 * SIZE);
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(AG_JOB_REQUEST_MAX);
    KD_AUTO(kd_freep) char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    struct kd_str values[] = { { text, SIZE }, { text, 1 } };
    struct ag_job_app app = { .deployment = KD_STR("shop"), .uid = KD_STR(HEX32), .values = { values, 2 } };
    struct ag_job_request request = { .kind = AG_JOB_PREPARE, .project = KD_STR("p"), .deadline_ms = 1, .apps = { &app, 1 } };
    struct kd_err err = { 0 };
    ag_job_request_encode(&request, &json);
    struct ag_job_request again;
    assert_ok(ag_job_request_decode(kd_buf_str(&json), &arena, &again, &err), err);
    assert_int_equal(again.apps.v[0].values.n, 2);
    assert_int_equal(again.apps.v[0].values.v[0].n, SIZE);
}

static void test_request_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *json, *field;
    } rows[] = {
        { "{\"kind\":\"dance\",\"project\":\"p\",\"deadline_ms\":1}", "$.kind" },
        { "{\"kind\":\"apply\",\"project\":\"p\"}", "$.deadline_ms" },
        { "{\"kind\":\"apply\",\"project\":\"../p\",\"deadline_ms\":1}", "$.project" },
        { "{\"kind\":\"apply\",\"project\":\"p\",\"deadline_ms\":1,\"more\":1}", "$.more" },
        { "{\"kind\":\"apply\",\"project\":\"p\",\"deadline_ms\":1,\"apps\":[{\"deployment\":\"d\",\"uid\":\"x\"}]}",
          "$.apps[0].uid" },
        { "{\"kind\":\"apply\",\"project\":\"p\",\"deadline_ms\":1,\"apps\":[{\"deployment\":\"d\",\"uid\":\"" HEX32
          "\",\"key\":\"../../etc/passwd\"}]}",
          "$.apps[0].key" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA);
        struct ag_job_request request;
        struct kd_err err = { 0 };
        assert_int_equal(ag_job_request_decode(kd_str(rows[i].json), &arena, &request, &err), KD_INVALID);
        assert_string_equal(err.field, rows[i].field);
    }
}

static void test_result_round_trip(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"ok\":true,\"error\":{}}",
        "{\"ok\":false,\"error\":{\"code\":\"unavailable\",\"message\":\"no route\"}}",
        "{\"ok\":true,\"error\":{},\"found\":[{\"uid\":\"" HEX32 "\",\"deployment\":\"shop\",\"app\":\"web\",\"namespace\":\"n\","
        "\"release\":\"r\",\"key\":\"" HEX64 "\",\"state\":\"degraded\",\"message\":\"why\",\"ready\":1,\"total\":2,"
        "\"skipped\":[{\"kind\":\"Ingress\",\"name\":\"web\",\"reason\":\"no\"}]}]}",
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA);
        KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(ARENA);
        struct ag_job_result result;
        struct kd_err err = { 0 };
        assert_ok(ag_job_result_decode(kd_str(rows[i]), &arena, &result, &err), err);
        ag_job_result_encode(&result, &out);
        assert_str(kd_buf_str(&out), rows[i]);
    }
}

/** A newer job program may know words that this agent does not. */
static void test_result_with_unknown_words(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA);
    struct ag_job_result result;
    struct kd_err err = { 0 };
    assert_ok(ag_job_result_decode(KD_STR("{\"ok\":false,\"error\":{\"code\":\"new\"},\"found\":[{\"state\":\"new\",\"x\":1}]}"),
                                   &arena, &result, &err),
              err);
    assert_int_equal(result.error.code, KD_INTERNAL);
    assert_int_equal(result.found.v[0].state, AG_FOUND_UNKNOWN);
}

static void test_settings(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA);
    struct ag_settings settings;
    struct kd_err err = { 0 };
    assert_ok(kd_settings_parse(&ag_settings_table,
                                KD_STR("cluster = store-42\nbroker.address = mqtt://b:1883\nhello.interval = 5s\n"
                                       "[registry r:5000]\nplain_http = yes\nmirror = m:1\n[registry s]\nusername = u\n"),
                                &arena, &settings, &err),
              err);
    assert_str(settings.cluster, "store-42");
    assert_str(settings.state_directory, "/var/lib/kedge-agent");
    assert_int_equal(settings.hello_interval_us, 5000000);
    assert_int_equal(settings.registries.n, 2);
    const struct ag_settings_registry *one = ag_settings_registry_of(&settings, KD_STR("r:5000"));
    assert_true(one && one->plain_http);
    assert_str(one->mirror, "m:1");
    assert_null(ag_settings_registry_of(&settings, KD_STR("r")));
    assert_int_equal(kd_settings_parse(&ag_settings_table, KD_STR("cluster = x\n"), &arena, &settings, &err), KD_INVALID);
    assert_string_equal(err.field, "broker.address");
}

static void test_log_words_are_those_of_the_log(void **state)
{
    (void)state;
    for (size_t i = 0; i < ag_settings_table.count; i++) {
        const struct kd_setting *row = &ag_settings_table.rows[i];
        for (size_t k = 0; strcmp(row->key, "log.level") == 0 && (kd_log_words[k] || row->words[k]); k++)
            assert_string_equal(row->words[k], kd_log_words[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_round_trip),
        cmocka_unit_test(test_request_carries_large_values),
        cmocka_unit_test(test_request_refusals),
        cmocka_unit_test(test_result_round_trip),
        cmocka_unit_test(test_result_with_unknown_words),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_log_words_are_those_of_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
