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

/** What was pinned stays pinned: an upgrade asks only for what is new, and clusters keep the old document until it is answered. */
static void test_upgrade(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    (void)world_deploy(w, "s", "a");
    const char *before = world_at(w, world_manifest(w, "one"), "deployments[0].document.digest");
    (void)world_ok(
        w, "deployment/update",
        "{\"name\":\"s\",\"package\":{\"name\":\"shop\",\"version\":\"2.0.0\"},\"targets\":[{\"labels\":{\"site\":\"a\"}}]}");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments[0].document.digest"), before);
    assert_string_equal(world_state(w, "s"), "updating");
    assert_string_equal(w->lookups[0].chart, "oci://registry.local/charts/web:2.4.0");
    world_answer(w, KD_UNAVAILABLE, "registry.local cannot be reached");
    assert_non_null(strstr(world_at(w, world_ok(w, "deployment/get", "{\"name\":\"s\"}"), "result.status.waiting"),
                           "registry charts: registry.local cannot be reached"));
    world_pass(w, 5); /* asked again with backoff */
    assert_int_equal(w->lookups_n, 1);
    world_answer(w, KD_OK, WORLD_DIGEST("b"));
    const char *after = world_at(w, world_manifest(w, "one"), "deployments[0].document.digest");
    assert_string_not_equal(after, before);
    assert_string_equal(world_at(w, world_object(w, after), "apps[0].chart.digest"), WORLD_DIGEST("b"));
    assert_string_equal(world_at(w, world_ok(w, "deployment/get", "{\"name\":\"s\"}"), "result.status.waiting"), "");
    /* the old document is kept for a day, then it is cleared with what only it named */
    assert_string_not_equal(world_object(w, before), "");
    world_pass(w, 86400 + 120);
    assert_string_equal(world_object(w, before), "");
    assert_string_not_equal(world_object(w, after), "");
    assert_string_not_equal(world_object(w, world_at(w, world_object(w, after), "apps[0].values[0].digest")), "");
    world_free(w);
}

/** An object that is named again within the day stays; values are counted through documents. */
static void test_objects_come_back(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    (void)world_deploy(w, "s", "a");
    char document[128], values[128];
    (void)snprintf(document, sizeof document, "%s", world_at(w, world_manifest(w, "one"), "deployments[0].document.digest"));
    (void)snprintf(values, sizeof values, "%s", world_at(w, world_object(w, document), "apps[0].values[0].digest"));
    static const char *const bodies[] = {
        "{\"name\":\"s\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"profile\":\"big\",\"targets\":[{\"cluster\":"
        "\"one\"}]}",
        "{\"name\":\"s\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"targets\":[{\"cluster\":\"one\"}]}",
    };
    (void)world_ok(w, "deployment/update", "%s", bodies[0]);
    world_pass(w, 40000);
    (void)world_ok(w, "deployment/update", "%s", bodies[1]);
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments[0].document.digest"), document);
    world_pass(w, 2 * 86400);
    assert_string_not_equal(world_object(w, document), "");
    assert_string_not_equal(world_object(w, values), "");
    (void)world_ok(w, "deployment/delete", "{\"name\":\"s\"}");
    (void)world_ok(w, "cluster/delete", "{\"name\":\"one\"}");
    world_pass(w, 86400 + 120);
    assert_string_equal(world_object(w, document), "");
    world_pass(w, 86400 + 120); /* its values were named by it until then */
    assert_string_equal(world_object(w, values), "");
    for (size_t i = 0; i < w->retained_n; i++)
        assert_null(strstr(w->retained[i].topic, "/objects/"));
    world_free(w);
}

/** Values larger than a message are a list of pieces; both go when nothing names them. */
static void test_large_values(void **state)
{
    (void)state;
    enum { LARGE = 600000 };
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    char *yaml = malloc(LARGE + 4096);
    int n = snprintf(
        yaml, 4096,
        "specSchema: Application\nschemaVersion: \"0.1\"\nname: big\nversion: 1.0.0\nchartName: big\nchartVersion: 1.0.0\n"
        "helmRegistry: charts\nprofiles:\n- name: default\n  chartValues: \"");
    memset(yaml + n, 'v', LARGE);
    (void)snprintf(
        yaml + n + LARGE, 2048,
        "\"\n---\nspecSchema: DeploymentPackage\nschemaVersion: \"0.1\"\nname: big\nversion: 1.0.0\napplications:\n- name: "
        "big\n  version: 1.0.0\n");
    size_t length = strlen(yaml), part = 0, of = (length + 99999) / 100000;
    for (size_t at = 0; at < length; at += 100000) {
        KD_AUTO(kd_buf_clear) struct kd_buf data = KD_BUF(200000);
        kd_base64_add(&data, (struct kd_str){ yaml + at, length - at < 100000 ? length - at : 100000 });
        (void)world_ok(w, "upload/put", "{\"upload\":\"u\",\"part\":%zu,\"of\":%zu,\"data\":\"%s\"}", ++part, of, data.p);
    }
    (void)world_ok(w, "package/import", "{\"upload\":\"u\"}");
    (void)world_ok(w, "deployment/create",
                   "{\"name\":\"s\",\"package\":{\"name\":\"big\",\"version\":\"1.0.0\"},\"targets\":[{\"cluster\":\"one\"}]}");
    world_answer(w, KD_OK, WORLD_DIGEST("c"));
    const char *document = world_object(w, world_at(w, world_manifest(w, "one"), "deployments[0].document.digest"));
    assert_string_equal(world_at(w, document, "apps[0].values[0].size"), "600000");
    const char *list = world_object(w, world_at(w, document, "apps[0].values[0].digest"));
    size_t total = strlen(world_object(w, world_at(w, list, "parts[0]"))) + strlen(world_object(w, world_at(w, list, "parts[1]"))) +
                   strlen(world_object(w, world_at(w, list, "parts[2]")));
    assert_int_equal(total, LARGE);
    (void)world_ok(w, "content/get", "{\"digest\":\"%s\",\"offset\":599990}", world_at(w, document, "apps[0].values[0].digest"));
    assert_string_equal(world_at(w, w->reply, "result.size"), "600000");
    assert_string_equal(world_at(w, w->reply, "result.data"), "dnZ2dnZ2dnZ2dg==");
    (void)world_ok(w, "deployment/delete", "{\"name\":\"s\"}");
    (void)world_ok(w, "cluster/delete", "{\"name\":\"one\"}");
    (void)world_ok(w, "package/delete", "{\"name\":\"big\",\"version\":\"1.0.0\"}");
    (void)world_ok(w, "application/delete", "{\"name\":\"big\",\"version\":\"1.0.0\"}");
    world_pass(w, 3 * 86400 + 360); /* the document, then the list, then its pieces */
    for (size_t i = 0; i < w->retained_n; i++)
        assert_null(strstr(w->retained[i].topic, "/objects/"));
    free(yaml);
    world_free(w);
}

/** A registry that is not there yet: the deployment waits and names it, and goes on when it comes. */
static void test_registry_missing(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_cluster(w, "one", "a");
    (void)world_ok(
        w, "application/create",
        "{\"name\":\"web\",\"version\":\"1.0.0\",\"chartName\":\"web\",\"chartVersion\":\"1.4.0\",\"helmRegistry\":\"later\"}");
    (void)world_ok(w, "package/create",
                   "{\"name\":\"shop\",\"version\":\"1.0.0\",\"applications\":[{\"name\":\"web\",\"version\":\"1.0.0\"}]}");
    (void)world_deploy(w, "s", "a");
    assert_string_equal(world_state(w, "s"), "deploying");
    assert_string_equal(world_at(w, w->reply, "result.status.waiting"), "registry later does not exist: create or import it");
    assert_int_equal(w->lookups_n, 0);
    (void)world_ok(w, "registry/create", "{\"name\":\"later\",\"type\":\"HELM\",\"rootUrl\":\"oci://later.local\"}");
    assert_int_equal(w->lookups_n, 1);
    world_restart(w); /* the question is asked again */
    assert_int_equal(w->lookups_n, 1);
    world_answer(w, KD_OK, WORLD_DIGEST("d"));
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments[0].name"), "s");
    world_free(w);
}

/** Nobody asks a registry for a deployment that is gone. */
static void test_question_ends(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    (void)world_ok(w, "deployment/create",
                   "{\"name\":\"s\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"targets\":[{\"cluster\":\"one\"}]}");
    world_answer(w, KD_UNAVAILABLE, "away \xff\xc3");
    assert_non_null(strstr(world_ok(w, "deployment/get", "{\"name\":\"s\"}"), "away ??"));
    (void)world_ok(w, "deployment/delete", "{\"name\":\"s\"}");
    world_pass(w, 600);
    assert_int_equal(w->lookups_n, 0);
    world_free(w);
}

/** Labels decide where it runs: clusters come and go; a manifest changes only when its content does. */
static void test_targets(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    (void)world_deploy(w, "s", "a");
    char before[WORLD_JSON / 64];
    (void)snprintf(before, sizeof before, "%s", world_manifest(w, "one"));
    (void)world_ok(w, "cluster/update",
                   "{\"name\":\"one\",\"displayName\":\"Store 1\",\"labels\":{\"site\":\"a\",\"more\":\"b\"}}");
    world_cluster(w, "two", "a");
    assert_string_equal(world_manifest(w, "one"), before);
    assert_string_equal(world_at(w, world_manifest(w, "two"), "deployments[0].name"), "s");
    (void)world_ok(w, "cluster/update", "{\"name\":\"one\",\"labels\":{\"site\":\"b\"}}");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments"), "[]");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "remove[0].name"), "s");
    (void)world_ok(w, "cluster/update", "{\"name\":\"one\",\"labels\":{\"site\":\"a\"}}"); /* wanted again */
    assert_string_equal(world_at(w, world_manifest(w, "one"), "remove"), "[]");
    assert_string_equal(world_at(w, world_ok(w, "deployment/get", "{\"name\":\"s\"}"), "result.status.summary.total"), "2");
    (void)world_ok(
        w, "deployment/update",
        "{\"name\":\"s\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"targets\":[{\"cluster\":\"two\"},{\"cluster\":"
        "\"three\"}]}");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "remove[0].name"), "s");
    assert_string_equal(world_at(w, world_manifest(w, "two"), "deployments[0].name"), "s");
    world_cluster(w, "three", "z");
    assert_string_equal(world_at(w, world_manifest(w, "three"), "deployments[0].name"), "s");
    world_free(w);
}

/** A deleted deployment frees its name, waits for its clusters by its uid, and ends when each has reported or was deleted. */
static void test_removal(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    world_cluster(w, "two", "a");
    world_cluster(w, "three", "a");
    const char *uid = world_deploy(w, "s", "a");
    for (int i = 0; i < 3; i++)
        world_hello_current(w, i == 0 ? "one" : i == 1 ? "two" : "three", 1, 1);
    (void)world_ok(w, "deployment/delete", "{\"name\":\"s\",\"uid\":\"%s\"}", uid);
    const char *again = world_deploy(w, "s", "a");
    assert_string_not_equal(again, uid);
    assert_string_equal(world_at(w, world_manifest(w, "one"), "remove[0].uid"), uid);
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments[0].uid"), again);
    (void)world_ok(w, "deployment/get", "{\"uid\":\"%s\"}", uid);
    assert_string_equal(world_at(w, w->reply, "result.status.state"), "terminating");
    assert_string_equal(world_at(w, w->reply, "result.status.waitingFor"), "[\"one\",\"three\",\"two\"]");
    assert_int_equal(world_count(world_ok(w, "deployment/list", "{}"), "items"), 2);
    world_status(w, "one", "s", uid, "", "removed", 1, 1);
    assert_string_equal(world_at(w, world_ack(w, "one"), "acks[0].sequence"), "1");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "remove"), "[]");
    (void)world_ok(w, "cluster/delete", "{\"name\":\"two\"}");
    (void)world_ok(w, "deployment/get", "{\"uid\":\"%s\"}", uid);
    assert_string_equal(world_at(w, w->reply, "result.status.waitingFor"), "[\"three\"]");
    (void)world_ok(w, "cluster/leave", "{\"name\":\"three\"}");
    assert_string_equal(world_at(w, world_manifest(w, "three"), "leave"), "true");
    world_hello(w, "three", "left", 1, 2, "");
    assert_string_equal(world_at(w, world_ack(w, "three"), "left"), "true");
    char body[128];
    (void)snprintf(body, sizeof body, "{\"uid\":\"%s\"}", uid);
    world_bad(w, "deployment/get", body, "not-found", "$.uid", "there is no deployment with uid");
    assert_string_equal(world_at(w, world_ok(w, "deployment/get", "{\"name\":\"s\"}"), "result.status.summary.total"), "1");
    world_status(w, "one", "gone", WORLD_UID("e"), "", "removed", 1, 2); /* never heard of: acknowledged */
    assert_string_equal(world_at(w, world_ack(w, "one"), "acks[0].sequence"), "2");
    world_free(w);
}

static const char *summary_of(struct world *w, const char *deployment)
{
    return world_at(w, world_ok(w, "deployment/get", "{\"name\":\"%s\"}", deployment), "result.status.summary");
}

/** What agents report becomes counters; being offline is said beside them. */
static void test_sums(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    world_cluster(w, "two", "a");
    const char *uid = world_deploy(w, "s", "a");
    world_hello_current(w, "one", 1, 1);
    world_hello_current(w, "two", 1, 1);
    const char *digest = world_at(w, world_manifest(w, "one"), "deployments[0].document.digest");
    world_status(w, "one", "s", uid, digest, "running", 1, 1);
    assert_string_equal(world_state(w, "s"), "deploying");
    world_status(w, "two", "s", uid, digest, "running", 1, 1);
    assert_string_equal(world_state(w, "s"), "running");
    assert_string_equal(summary_of(w, "s"), "{\"total\":2,\"running\":2,\"down\":0,\"deploying\":0,\"updating\":0,\"error\":0,"
                                            "\"unknown\":0,\"offline\":0}");
    world_status(w, "two", "s", uid, digest, "failed", 1, 3);
    assert_string_equal(world_state(w, "s"), "error");
    world_status(w, "two", "s", uid, digest, "running", 1, 2); /* older: acknowledged, not believed */
    assert_string_equal(world_at(w, world_ack(w, "two"), "acks[0].sequence"), "2");
    assert_string_equal(world_state(w, "s"), "error");
    world_status(w, "two", "s", uid, digest, "running", 1, 4);
    world_hello(w, "two", "offline", 1, 1, "");
    world_pass(w, 3);
    assert_string_equal(world_state(w, "s"), "running");
    assert_string_equal(world_at(w, summary_of(w, "s"), "offline"), "1");
    (void)world_ok(w, "deployment/clusters", "{\"name\":\"s\"}");
    assert_string_equal(world_at(w, w->reply, "result.items[1].cluster"), "two");
    assert_string_equal(world_at(w, w->reply, "result.items[1].offline"), "true");
    assert_string_equal(world_at(w, w->reply, "result.items[1].state"), "running");
    world_restart(w);
    assert_string_equal(world_at(w, summary_of(w, "s"), "offline"), "1");
    assert_string_equal(world_at(w, summary_of(w, "s"), "running"), "2");
    world_free(w);
}

/** The status store is lost: the counters are made anew, agents are asked to report again. */
static void test_status_store_lost(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct kd_err err;
    world_catalog(w);
    world_cluster(w, "one", "a");
    const char *uid = world_deploy(w, "s", "a");
    world_hello_current(w, "one", 1, 1);
    world_status(w, "one", "s", uid, world_at(w, world_manifest(w, "one"), "deployments[0].document.digest"), "running", 1, 1);
    char report[64];
    (void)snprintf(report, sizeof report, "%s", world_at(w, world_retained(w, "coordinator"), "report"));
    world_disconnect(w);
    w->service = co_service_close(w->service);
    w->status = kd_store_close(w->status);
    assert_ok(kd_store_open_memory(CO_STATUS_TABLE_COUNT, &w->status, &err), err);
    world_open(w);
    world_connect(w);
    assert_string_not_equal(world_at(w, world_retained(w, "coordinator"), "report"), report);
    assert_string_equal(world_at(w, summary_of(w, "s"), "deploying"), "1");
    assert_string_equal(world_at(w, summary_of(w, "s"), "offline"), "1");
    world_free(w);
}

/** What is on an edge and nobody wants there: shown, pruned, or adopted by a deployment of that name. */
static void test_orphans(void **state)
{
    (void)state;
    struct world *w = world_new();
    static const char old[] = "00000000000000000000000000000001", older[] = "00000000000000000000000000000002";
    world_catalog(w);
    world_cluster(w, "one", "a");
    world_cluster(w, "two", "b");
    world_hello_current(w, "one", 1, 1);
    world_hello_current(w, "two", 1, 1);
    world_status(w, "one", "s", old, WORLD_DIGEST("9"), "orphaned", 1, 1);
    world_status(w, "one", "s", older, WORLD_DIGEST("8"), "orphaned", 1, 2);
    world_status(w, "two", "s", old, WORLD_DIGEST("9"), "orphaned", 1, 1);
    assert_int_equal(world_count(world_ok(w, "cluster/orphans", "{}"), "items"), 3);
    assert_int_equal(world_count(world_ok(w, "cluster/orphans", "{\"name\":\"one\"}"), "items"), 2);
    world_bad(w, "cluster/prune", "{\"name\":\"one\",\"deployment\":\"s\"}", "conflict", "$.uid", "2 orphans of that name");
    world_bad(w, "cluster/prune", "{\"name\":\"one\",\"deployment\":\"x\"}", "not-found", "$.deployment", "no orphan of that name");
    (void)world_ok(w, "cluster/prune", "{\"name\":\"one\",\"deployment\":\"s\",\"uid\":\"%s\"}", older);
    assert_string_equal(world_at(w, world_manifest(w, "one"), "remove[0].uid"), older);
    world_status(w, "one", "s", older, "", "removed", 1, 3);
    assert_string_equal(world_at(w, world_manifest(w, "one"), "remove"), "[]");
    assert_int_equal(world_count(world_ok(w, "cluster/orphans", "{\"name\":\"one\"}"), "items"), 1);
    (void)world_deploy(w, "s", "a");
    (void)world_ok(w, "deployment/adopt", "{\"name\":\"s\"}");
    assert_string_equal(world_at(w, w->reply, "result.adopted"), "[\"00000000000000000000000000000001\"]");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments[0].adopts[0]"), old);
    assert_string_equal(world_at(w, world_ok(w, "deployment/get", "{\"name\":\"s\"}"), "result.adopts[0]"), old);
    world_free(w);
}

/** A deployment adopts no more than its document can name. */
static void test_adopts_are_bounded(void **state)
{
    (void)state;
    struct world *w = world_new();
    KD_AUTO(kd_buf_clear) struct kd_buf body = KD_BUF(100000);
    world_catalog(w);
    (void)world_deploy(w, "s", "a");
    kd_buf_printf(&body, "{\"name\":\"s\",\"uids\":[");
    for (int i = 0; i <= KD_ADOPTS_MAX; i++)
        kd_buf_printf(&body, "%s\"%032d\"", i ? "," : "", i);
    kd_buf_printf(&body, "]}");
    world_bad(w, "deployment/adopt", body.p, "too-large", "$.uids", "at most 100");
    (void)world_ok(w, "deployment/get", "{\"name\":\"s\"}");
    world_free(w);
}

/** After a new epoch everything is held until it is resumed; removals are dropped, what broker and agents have is asked for anew. */
static void test_new_epoch(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct kd_err err;
    world_catalog(w);
    world_cluster(w, "one", "a");
    world_cluster(w, "two", "a");
    (void)world_deploy(w, "s", "a");
    (void)world_deploy(w, "t", "a");
    (void)world_ok(w, "deployment/delete", "{\"name\":\"t\"}");
    world_hello(w, "one", "online", 1, 1, ",\"manifest\":{\"epoch\":3000000000,\"n\":7,\"digest\":\"" WORLD_DIGEST("1") "\"}");
    assert_string_equal(world_at(w, world_ok(w, "cluster/get", "{\"name\":\"one\"}"), "result.status.ahead"), "true");
    world_disconnect(w);
    w->service = co_service_close(w->service);
    world_open(w);
    assert_ok(co_service_new_epoch(w->service, &err), err);
    w->service = co_service_close(w->service);
    while (w->retained_n) /* and the broker has forgotten everything */
        world_message_clear(&w->retained[--w->retained_n]);
    world_open(w);
    world_connect(w);
    assert_string_equal(world_at(w, world_manifest(w, "one"), "version.epoch"), "3000000001");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments[0].hold"), "true");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments[1].name"), "");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "remove"), "[]");
    assert_string_not_equal(world_object(w, world_at(w, world_manifest(w, "one"), "deployments[0].document.digest")), "");
    assert_string_not_equal(world_retained(w, "state/deployment/s"), "");
    assert_string_not_equal(world_retained(w, "state/package/shop/1.0.0"), "");
    assert_string_equal(world_at(w, summary_of(w, "s"), "total"), "2");
    assert_string_equal(world_at(w, world_ok(w, "deployment/get", "{\"name\":\"s\"}"), "result.hold"), "true");
    (void)world_ok(w, "deployment/resume", "{\"name\":\"s\"}");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments[0].hold"), "");
    world_free(w);
}

/** What does not fit a cluster's manifest is not placed and says so; what runs there stays in it; room is used when there is some. */
static void test_full_manifest(void **state)
{
    (void)state;
    enum { N = 90 };
    struct world *w = world_new();
    KD_AUTO(kd_buf_clear) struct kd_buf adopts = KD_BUF(10000);
    world_catalog(w);
    world_cluster(w, "one", "a");
    for (int i = 0; i < KD_ADOPTS_MAX; i++) /* each entry is as large as it can be */
        kd_buf_printf(&adopts, "%s\"%032d\"", i ? "," : "", i);
    for (int i = 0; i < N; i++) {
        (void)world_ok(
            w, "deployment/create",
            "{\"name\":\"s%04d\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"targets\":[{\"cluster\":\"one\"}],"
            "\"adopts\":[%s]}",
            i, adopts.p);
        world_answer(w, KD_OK, WORLD_DIGEST("a"));
        world_forget(w);
    }
    size_t bytes = strlen(world_manifest(w, "one"));
    assert_true(bytes <= KD_PAYLOAD_MAX && bytes > KD_PAYLOAD_MAX - 4000);
    size_t unfit = 0, failed = N;
    for (int i = 0; i < N; i++) {
        char name[16], quoted[32];
        (void)snprintf(name, sizeof name, "s%04d", i);
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", name);
        bool listed = strstr(world_manifest(w, "one"), quoted);
        unfit += !listed;
        (void)world_ok(w, "deployment/clusters", "{\"name\":\"%s\"}", name);
        if (!listed) {
            assert_string_equal(world_at(w, w->reply, "result.items[0].state"), "failed");
            assert_non_null(strstr(world_at(w, w->reply, "result.items[0].message"), "the manifest of this cluster is full"));
            assert_string_equal(world_state(w, name), "error");
            failed = failed < (size_t)i ? failed : (size_t)i;
        }
        world_forget(w);
    }
    assert_true(unfit > 0 && unfit < N);
    assert_int_equal(failed, N - unfit); /* the last ones */
    for (int i = 0; i < 3; i++) {        /* three go, and are reported: their room is used */
        char name[16];
        (void)snprintf(name, sizeof name, "s%04d", i);
        const char *uid = world_at(w, world_ok(w, "deployment/get", "{\"name\":\"%s\"}", name), "result.uid");
        world_hello_current(w, "one", 1, 1);
        (void)world_ok(w, "deployment/delete", "{\"name\":\"%s\"}", name);
        world_status(w, "one", name, uid, "", "removed", 1, i + 1);
        world_forget(w);
    }
    size_t listed = 0;
    for (int i = 3; i < N; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "s%04d", i);
        listed += strcmp(world_state(w, name), "deploying") == 0;
    }
    assert_int_equal(listed, N - unfit);
    world_free(w);
}

/** A deployment document that does not fit a message: nothing is placed, and the deployment says why. */
static void test_document_too_large(void **state)
{
    (void)state;
    struct world *w = world_new();
    KD_AUTO(kd_buf_clear) struct kd_buf yaml = KD_BUF(1000000), data = KD_BUF(2000000);
    world_catalog(w);
    world_cluster(w, "one", "a");
    kd_buf_printf(&yaml, "specSchema: DeploymentPackage\nname: wide\nversion: 1.0.0\napplications: [{name: web, version: 1.0.0}]\n"
                         "namespaces:\n");
    for (int i = 0; i < 95; i++)
        kd_buf_printf(&yaml, "- {name: n%d, annotations: {a: \"%03000d\"}}\n", i, i);
    for (size_t at = 0, part = 1, of = (yaml.n + 99999) / 100000; at < yaml.n; at += 100000, part++) {
        kd_buf_reset(&data);
        kd_base64_add(&data, (struct kd_str){ yaml.p + at, yaml.n - at < 100000 ? yaml.n - at : 100000 });
        (void)world_ok(w, "upload/put", "{\"upload\":\"u\",\"part\":%zu,\"of\":%zu,\"data\":\"%s\"}", part, of, data.p);
    }
    (void)world_ok(w, "package/import", "{\"upload\":\"u\"}");
    (void)world_ok(w, "deployment/create",
                   "{\"name\":\"s\",\"package\":{\"name\":\"wide\",\"version\":\"1.0.0\"},\"targets\":[{\"cluster\":\"one\"}]}");
    world_answer(w, KD_OK, WORLD_DIGEST("c"));
    assert_non_null(strstr(world_at(w, world_ok(w, "deployment/get", "{\"name\":\"s\"}"), "result.status.waiting"),
                           "a deployment document of more than 262144 bytes"));
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments"), "[]");
    (void)world_ok(w, "package/list", "{}");
    assert_string_equal(world_at(w, w->reply, "result.nextPageToken"), "2");
    (void)world_ok(w, "package/list", "{\"pageToken\":\"2\"}"); /* the package is larger than a reply: it stands there cut */
    assert_string_equal(world_at(w, w->reply, "result.items[0].name"), "wide");
    assert_string_equal(world_at(w, w->reply, "result.items[0].cut"), "true");
    assert_string_equal(world_at(w, w->reply, "result.items[0].status.deployed"), "true");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deploy),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_objects_come_back),
        cmocka_unit_test(test_large_values),
        cmocka_unit_test(test_registry_missing),
        cmocka_unit_test(test_question_ends),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_status_store_lost),
        cmocka_unit_test(test_orphans),
        cmocka_unit_test(test_adopts_are_bounded),
        cmocka_unit_test(test_new_epoch),
        cmocka_unit_test(test_full_manifest),
        cmocka_unit_test(test_document_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
