/** The coordinator's service: from a deployment to manifests, objects and what agents report. */
#include "tests/unit/service_world.h"

/** A deployment by labels becomes a manifest for each cluster that has them, and for no other. */
static void test_deploy(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    world_cluster(w, "two", "b");
    const char *uid = world_at(w,
                               world_ok(w, "deployment/create",
                                        "{\"name\":\"s\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"profile\":\"big\","
                                        "\"overrides\":[{\"app\":\"web\",\"values\":{\"x\":1}}],\"targets\":[{\"labels\":{\"site\":"
                                        "\"a\"}}]}"),
                               "result.uid");
    assert_string_equal(world_state(w, "s"), "deploying");
    assert_string_equal(world_at(w, w->reply, "result.status.waiting"), "asking registry charts for chart web 1.4.0");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments"), "[]");
    assert_int_equal(w->lookups_n, 1);
    assert_string_equal(w->lookups[0].chart, "oci://registry.local/charts/web:1.4.0");
    world_answer(w, KD_OK, WORLD_DIGEST("a"));
    assert_string_equal(world_at(w, world_manifest(w, "one"), "cluster"), "default/one");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments[0].uid"), uid);
    assert_string_equal(world_at(w, world_manifest(w, "two"), "deployments"), "[]");
    const char *document = world_object(w, world_at(w, world_manifest(w, "one"), "deployments[0].document.digest"));
    assert_string_equal(world_at(w, document, "apps[0].chart.digest"), WORLD_DIGEST("a"));
    assert_string_equal(world_at(w, document, "apps[0].namespace"), "shop");
    assert_string_equal(world_at(w, document, "profile"), "big");
    assert_string_equal(world_object(w, world_at(w, document, "apps[0].values[0].digest")), "replicas: 3\n");
    assert_string_equal(world_object(w, world_at(w, document, "apps[0].values[1].digest")), "{\"x\":1}");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deploy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
