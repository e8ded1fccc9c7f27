/** The coordinator's service and the broker: the outbox, its order, what is refused, what was lost, and restarts at any point. */
#include "tests/unit/service_world.h"

/** What was committed and not yet taken by the broker is published after a restart, in order. */
static void test_restart(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    w->full = true;
    (void)world_ask(w, "deployment/create",
                    "{\"name\":\"s\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"targets\":[{\"cluster\":\"one\"}]}");
    world_answer(w, KD_OK, WORLD_DIGEST("a"));
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments"), "[]");
    w->full = false;
    world_forget(w);
    world_restart(w);
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments[0].name"), "s");
    size_t object = 0, manifest = 0;
    for (size_t i = 0; i < w->sent_n; i++) {
        object = strstr(w->sent[i].topic, "/objects/") ? i + 1 : object;
        manifest = strstr(w->sent[i].topic, "/manifest") ? i + 1 : manifest;
    }
    assert_true(object > 0 && manifest > object); /* what a manifest leads to is there before it */
    world_free(w);
}

/** A broker that has what was written is left alone. */
static void test_marker_equal(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    (void)world_deploy(w, "s", "a");
    world_pass(w, 2);
    world_forget(w);
    world_restart(w);
    world_pass(w, 2);
    assert_int_equal(world_times(w, "/objects/"), 0);
    assert_int_equal(world_times(w, "/manifest"), 0);
    assert_int_equal(world_times(w, "/state/"), 0);
    assert_int_equal(world_times(w, "/coordinator"), 1);
    world_free(w);
}

/** A broker that lost something, or that went back in time, gets everything again; what we do not know is cleared. */
static void test_marker_differs(void **state)
{
    (void)state;
    static const char *const kept[] = { "state/cluster/gone", "clusters/gone/manifest", "state/package/gone/1", "state/nothing/x",
                                        "objects/1111111111111111111111111111111111111111111111111111111111111111" };
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    (void)world_deploy(w, "s", "a");
    world_pass(w, 2);
    char manifest[4096], document[128];
    assert_true(kd_str_copy(kd_str(world_manifest(w, "one")), manifest, sizeof manifest));
    (void)snprintf(document, sizeof document, "%s", world_at(w, manifest, "deployments[0].document.digest"));
    world_disconnect(w);
    while (w->retained_n)
        world_message_clear(&w->retained[--w->retained_n]);
    for (size_t i = 0; i < KD_COUNT(kept); i++) {
        char topic[KD_TOPIC_MAX];
        (void)snprintf(topic, sizeof topic, KD_TOPIC_ROOT "default/%s", kept[i]);
        world_keep(w, &(struct co_publish){ .topic = kd_str(topic), .payload = KD_STR("{}"), .retain = true });
    }
    world_connect(w);
    world_pass(w, 3);
    assert_string_equal(world_manifest(w, "one"), manifest); /* the same bytes */
    assert_string_not_equal(world_object(w, document), "");
    assert_string_not_equal(world_retained(w, "state/deployment/s"), "");
    for (size_t i = 0; i < KD_COUNT(kept); i++)
        assert_string_equal(world_retained(w, kept[i]), "");
    char marker[256];
    (void)snprintf(marker, sizeof marker, "%s", world_retained(w, "marker"));
    assert_string_not_equal(marker, "");
    world_restart(w);
    assert_string_equal(world_retained(w, "marker"), marker); /* repaired: nothing to do */
    world_free(w);
}

/** What the broker refuses is parked with its reason, does not stop what stands behind it, and is tried again after a connect. */
static void test_refused(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    w->refuse = "clusters/one/manifest";
    world_cluster(w, "one", "a");
    world_cluster(w, "two", "a");
    (void)world_deploy(w, "s", "a");
    assert_string_equal(world_manifest(w, "one"), "");
    assert_string_equal(world_at(w, world_manifest(w, "two"), "deployments[0].name"), "s");
    assert_true(co_service_counts(w->service).parked > 0);
    assert_string_equal(w->last_event, "publish.parked");
    world_forget(w);
    world_pass(w, 60);
    assert_int_equal(world_times(w, "clusters/one/manifest"), 0);
    w->refuse = NULL;
    world_restart(w);
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments[0].name"), "s");
    world_free(w);
}

/** Parked again within the hour: not before the next one. A newer message for the topic is published at once, and the parked one forgotten. */
static void test_parked_pace(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    w->refuse = "clusters/one/manifest";
    (void)world_deploy(w, "s", "a");
    for (int i = 0; i < 2; i++) {
        world_forget(w);
        world_disconnect(w);
        world_connect(w);
        assert_int_equal(world_times(w, "clusters/one/manifest"), 0); /* within an hour of the first connection */
    }
    world_pass(w, 3601);
    world_forget(w);
    world_disconnect(w);
    world_connect(w);
    assert_int_equal(world_times(w, "clusters/one/manifest"), 1);
    w->refuse = NULL;
    (void)world_deploy(w, "t", "a");
    assert_string_not_equal(world_at(w, world_manifest(w, "one"), "deployments[1].name"), "");
    world_pass(w, 3601);
    world_forget(w);
    world_disconnect(w);
    world_connect(w);
    assert_int_equal(world_times(w, "clusters/one/manifest"), 0);
    world_free(w);
}

/** A message at which the connection ended three times is parked, also where others stand before it in the window. */
static void test_connection_ends_at(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    w->full = true; /* so that all three stand in one window */
    (void)world_ask(w, "cluster/create", "{\"name\":\"one\"}");
    (void)world_ask(w, "cluster/create", "{\"name\":\"two\"}");
    (void)world_ask(w, "cluster/create", "{\"name\":\"three\"}");
    w->full = false;
    w->hang = "clusters/two/manifest";
    for (int i = 0; i < 3; i++) {
        world_pass(w, 1);
        assert_string_not_equal(world_manifest(w, "one"), "");
        world_disconnect(w);
        for (size_t k = 0; k < w->retained_n; k++) /* the broker ended at it: it has not kept it */
            if (strstr(w->retained[k].topic, "clusters/two/manifest")) {
                world_message_clear(&w->retained[k]);
                w->retained[k] = w->retained[--w->retained_n];
            }
        assert_int_equal(co_service_counts(w->service).parked, i == 2);
        world_connect(w);
    }
    world_forget(w);
    world_pass(w, 5);
    assert_int_equal(world_times(w, "clusters/two/manifest"), 0);
    (void)world_ok(w, "cluster/update", "{\"name\":\"three\",\"labels\":{\"x\":\"y\"}}"); /* the rest goes on */
    world_pass(w, 2);
    assert_string_equal(world_at(w, world_retained(w, "state/cluster/three"), "labels.x"), "y");
    world_free(w);
}

/** A view is published at most once a second, and the last one always. */
static void test_views_are_paced(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_cluster(w, "one", "a");
    world_pass(w, 2);
    world_forget(w);
    for (int i = 0; i < 20; i++)
        (void)world_ok(w, "cluster/update", "{\"name\":\"one\",\"labels\":{\"n\":\"%d\"}}", i);
    assert_true(world_times(w, "state/cluster/one") <= 1);
    world_pass(w, 2);
    assert_true(world_times(w, "state/cluster/one") <= 3);
    assert_string_equal(world_at(w, world_retained(w, "state/cluster/one"), "labels.n"), "19");
    uint64_t epoch = strtoull(world_at(w, world_retained(w, "state/cluster/one"), "order.epoch"), NULL, 10);
    uint64_t n = strtoull(world_at(w, world_retained(w, "state/cluster/one"), "order.n"), NULL, 10);
    (void)world_ok(w, "cluster/update", "{\"name\":\"one\",\"labels\":{\"n\":\"20\"}}");
    world_restart(w);
    world_pass(w, 2);
    assert_int_equal(strtoull(world_at(w, world_retained(w, "state/cluster/one"), "order.epoch"), NULL, 10), epoch);
    assert_true(strtoull(world_at(w, world_retained(w, "state/cluster/one"), "order.n"), NULL, 10) > n);
    (void)world_ok(w, "cluster/delete", "{\"name\":\"one\"}");
    world_pass(w, 2);
    assert_string_equal(world_retained(w, "state/cluster/one"), "");
    world_free(w);
}

/** A view that is larger than a state may be says which document it is, that it is cut, and the status. */
static void test_large_view(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    (void)world_ok(
        w, "deployment/create",
        "{\"name\":\"s\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"overrides\":[{\"app\":\"web\",\"values\":{\"x\":"
        "\"%070000d\"}}],\"targets\":[{\"cluster\":\"one\"}]}",
        0);
    world_answer(w, KD_OK, WORLD_DIGEST("a"));
    world_pass(w, 2);
    const char *view = world_retained(w, "state/deployment/s");
    assert_true(strlen(view) < 2000);
    assert_string_equal(world_at(w, view, "cut"), "true");
    assert_string_equal(world_at(w, view, "name"), "s");
    assert_string_equal(world_at(w, view, "status.state"), "deploying");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart),         cmocka_unit_test(test_marker_equal), cmocka_unit_test(test_marker_differs),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_parked_pace),  cmocka_unit_test(test_connection_ends_at),
        cmocka_unit_test(test_views_are_paced), cmocka_unit_test(test_large_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
