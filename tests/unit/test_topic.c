/** Topics: what is one of ours, its parts, and the same rows written again. */
#include "shared/base/own.h"
#include "shared/model/topic.h"
#include "tests/unit/unit.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    const char *topic;
    enum kd_topic_kind kind;
    const char *part[KD_TOPIC_PARTS];
} good[] = {
    { "kedge/v1/p/request/ada/deployment/create", KD_TOPIC_REQUEST, { "p", "ada", "deployment", "create" } },
    { "kedge/v1/p/reply/ada/7f3", KD_TOPIC_REPLY, { "p", "ada", "7f3" } },
    { "kedge/v1/p/state/cluster/c", KD_TOPIC_STATE, { "p", "cluster", "c" } },
    { "kedge/v1/p/state/package/shop/1.2.0", KD_TOPIC_STATE_VERSION, { "p", "package", "shop", "1.2.0" } },
    { "kedge/v1/p/coordinator", KD_TOPIC_COORDINATOR, { "p" } },
    { "kedge/v1/p/marker", KD_TOPIC_MARKER, { "p" } },
    { "kedge/v1/p/clusters/c/manifest", KD_TOPIC_MANIFEST, { "p", "c" } },
    { "kedge/v1/p/objects/" HEX64, KD_TOPIC_OBJECT, { "p", HEX64 } },
    { "kedge/v1/p/clusters/c/hello", KD_TOPIC_HELLO, { "p", "c" } },
    { "kedge/v1/p/clusters/c/inventory", KD_TOPIC_INVENTORY, { "p", "c" } },
    { "kedge/v1/p/clusters/c/status/d", KD_TOPIC_STATUS, { "p", "c", "d" } },
    { "kedge/v1/p/clusters/c/ack", KD_TOPIC_ACK, { "p", "c" } },
    { "kedge/v1/p/clusters/c/do", KD_TOPIC_DO, { "p", "c" } },
    { "kedge/v1/p/clusters/c/done", KD_TOPIC_DONE, { "p", "c" } },
};

static void test_good(void **state)
{
    (void)state;
    bool seen[KD_TOPIC_KIND_COUNT] = { false };
    for (size_t i = 0; i < KD_COUNT(good); i++) {
        struct kd_topic topic;
        KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(KD_TOPIC_MAX);
        assert_true(kd_topic_parse(kd_str(good[i].topic), &topic));
        assert_int_equal(topic.kind, good[i].kind);
        for (size_t k = 0; k < KD_TOPIC_PARTS; k++)
            assert_str(topic.part[k], good[i].part[k] ? good[i].part[k] : "");
        kd_topic_add(&out, topic.kind, topic.part[0], topic.part[1], topic.part[2], topic.part[3]);
        assert_str(kd_buf_str(&out), good[i].topic);
        seen[topic.kind] = true;
    }
    for (size_t i = 0; i < KD_TOPIC_KIND_COUNT; i++)
        assert_true(seen[i]);
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "kedge",
        "kedge/v1",
        "kedge/v1/",
        "kedge/v1/p",
        "kedge/v1/p/",
        "kedge/v2/p/marker",
        "Kedge/v1/p/marker",
        "/kedge/v1/p/marker",
        "kedge/v1//marker",
        "kedge/v1/p/marker/",
        "kedge/v1/p/marker/x",
        "kedge/v1/p/clusters//hello",
        "kedge/v1/p/clusters/c",
        "kedge/v1/p/clusters/c/hello/x",
        "kedge/v1/p/clusters/c/other",
        "kedge/v1/+/marker",
        "kedge/v1/p/clusters/+/hello",
        "kedge/v1/p/clusters/#",
        "kedge/v1/p/request/ada/deployment",
        "kedge/v1/p/request/ada/deployment/create/x",
        "kedge/v1/p/state/cluster",
        "kedge/v1/p/state/a/b/c/d",
        "kedge/v1/p/reply/ada/a/b",
    };
    struct kd_topic topic;
    for (size_t i = 0; i < KD_COUNT(bad); i++)
        if (kd_topic_parse(kd_str(bad[i]), &topic))
            fail_msg("%s is none of ours", bad[i]);
    char text[KD_TOPIC_MAX + 2] = "kedge/v1/p/clusters/";
    size_t n = strlen(text);
    memset(text + n, 'c', sizeof text - n);
    memcpy(text + KD_TOPIC_MAX - 6, "/hello", 6);
    assert_true(kd_topic_parse((struct kd_str){ text, KD_TOPIC_MAX }, &topic));
    memcpy(text + KD_TOPIC_MAX - 5, "/hello", 6);
    text[KD_TOPIC_MAX - 6] = 'c';
    assert_false(kd_topic_parse((struct kd_str){ text, KD_TOPIC_MAX + 1 }, &topic));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
