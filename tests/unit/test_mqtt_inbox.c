/** The queue between the network thread and the loop: copies, bounds, and its end. */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "shared/base/own.h"
#include "shared/mqtt/inbox.h"

enum { MESSAGES = 1000, LIMIT_BYTES = 4096 };

struct bench {
    uv_loop_t loop;
    uv_async_t wake;
    struct kd_inbox inbox;
};

static void on_wake(uv_async_t *wake)
{
    (void)wake;
}

static void bench_open(struct bench *bench)
{
    *bench = (struct bench){ 0 };
    assert_int_equal(uv_loop_init(&bench->loop), 0);
    assert_int_equal(uv_async_init(&bench->loop, &bench->wake, on_wake), 0);
    kd_inbox_init(&bench->inbox, LIMIT_BYTES, &bench->wake);
}

static void bench_close(struct bench *bench)
{
    kd_inbox_clear(&bench->inbox);
    uv_close((uv_handle_t *)&bench->wake, NULL);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
}

static void test_message_is_copied_whole(void **state)
{
    (void)state;
    char topic[] = "a/b", payload[] = "x\0y", reply[] = "r", key[] = "k", value[] = "v";
    struct kd_mqtt_property properties[] = { { { key, 1 }, { value, 1 } }, { { value, 1 }, { NULL, 0 } } };
    const struct kd_mqtt_message message = { .topic = { topic, 3 },
                                             .payload = { payload, 3 },
                                             .response_topic = { reply, 1 },
                                             .properties = properties,
                                             .property_count = 2,
                                             .qos = 1,
                                             .retain = true };
    struct kd_event *event = kd_event_of_message(&message);
    assert_non_null(event);
    memset(topic, '-', 3);
    memset(payload, '-', 3);
    reply[0] = key[0] = value[0] = '-';
    const struct kd_mqtt_message *copy = &event->u.message;
    assert_str(copy->topic, "a/b");
    assert_int_equal(copy->topic.p[3], '\0');
    assert_true(kd_str_eq(copy->payload, (struct kd_str){ "x\0y", 3 }));
    assert_str(copy->response_topic, "r");
    assert_null(copy->correlation_data.p);
    assert_int_equal(copy->property_count, 2);
    assert_str(copy->properties[0].key, "k");
    assert_str(copy->properties[0].value, "v");
    assert_str(copy->properties[1].key, "v");
    assert_null(copy->properties[1].value.p);
    assert_true(copy->retain && copy->qos == 1);
    free(event);
}

static void *push_many(void *arg)
{
    struct bench *bench = arg;
    for (int i = 1; i <= MESSAGES; i++)
        if (!kd_inbox_push(&bench->inbox, kd_event_of_published(i, 0)))
            break;
    return NULL;
}

static void test_order_and_bound(void **state)
{
    (void)state;
    struct bench bench;
    pthread_t thread;
    bench_open(&bench);
    assert_int_equal(pthread_create(&thread, NULL, push_many, &bench), 0);
    int seen = 0;
    while (seen < MESSAGES) {
        (void)uv_run(&bench.loop, UV_RUN_ONCE);
        size_t bytes = 0;
        struct kd_event *event = kd_inbox_take(&bench.inbox);
        for (struct kd_event *at = event; at; at = at->next)
            bytes += at->bytes;
        assert_true(bytes <= LIMIT_BYTES);
        while (event) {
            struct kd_event *next = event->next;
            assert_int_equal(event->u.published.mid, ++seen);
            kd_inbox_done(&bench.inbox, event);
            event = next;
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(bench.inbox.bytes, 0);
    bench_close(&bench);
}

static void test_what_is_larger_than_the_limit_gets_in_alone(void **state)
{
    (void)state;
    static char large[2 * LIMIT_BYTES];
    struct bench bench;
    bench_open(&bench);
    const struct kd_mqtt_message message = { .topic = KD_STR("t"), .payload = { large, sizeof(large) } };
    assert_true(kd_inbox_push(&bench.inbox, kd_event_of_message(&message)));
    struct kd_event *event = kd_inbox_take(&bench.inbox);
    assert_int_equal(event->u.message.payload.n, sizeof(large));
    kd_inbox_done(&bench.inbox, event);
    bench_close(&bench);
}

static void test_close_frees_who_is_blocked(void **state)
{
    (void)state;
    struct bench bench;
    pthread_t thread;
    bench_open(&bench);
    assert_int_equal(pthread_create(&thread, NULL, push_many, &bench), 0);
    (void)uv_run(&bench.loop, UV_RUN_ONCE); /* nothing is taken, so that it will be blocked, or is already */
    kd_inbox_close(&bench.inbox);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(kd_inbox_push(&bench.inbox, kd_event_of_published(1, 0)));
    assert_false(kd_inbox_push(&bench.inbox, NULL));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_is_copied_whole),
        cmocka_unit_test(test_order_and_bound),
        cmocka_unit_test(test_what_is_larger_than_the_limit_gets_in_alone),
        cmocka_unit_test(test_close_frees_who_is_blocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
