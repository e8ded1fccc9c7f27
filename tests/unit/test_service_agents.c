/** The coordinator's service and its agents: hello, will, silence, ahead, duplicates, enrolment, inventory, acknowledgements. */
#include "tests/unit/service_world.h"

static const char *cluster_at(struct world *w, const char *cluster, const char *member)
{
    char path[64];
    (void)snprintf(path, sizeof path, "result.status.%s", member);
    return world_at(w, world_ok(w, "cluster/get", "{\"name\":\"%s\"}", cluster), path);
}

/** An agent that is unknown is logged, answered and not served. */
static void test_unknown(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_hello(w, "stranger", "online", 1, 1, "");
    assert_string_equal(world_at(w, world_ack(w, "stranger"), "refused"), "unknown cluster");
    assert_string_equal(world_at(w, world_ack(w, "stranger"), "session"), "s1");
    assert_string_equal(w->last_event, "cluster.unknown");
    world_status(w, "stranger", "s", WORLD_UID("1"), "", "running", 1, 1);
    assert_string_equal(world_at(w, world_ack(w, "stranger"), "refused"), "unknown cluster");
    world_forget(w);
    world_hello(w, "stranger", "offline", 1, 1, "");
    assert_string_equal(world_ack(w, "stranger"), "");
    assert_string_equal(world_retained(w, "state/cluster/stranger"), "");
    world_free(w);
}

/** Offline by its will and the grace; by three silent intervals and the grace; back by a hello. */
static void test_offline(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_cluster(w, "one", "a");
    assert_string_equal(cluster_at(w, "one", "state"), "unknown");
    world_hello(w, "one", "online", 1, 1, "");
    assert_string_equal(cluster_at(w, "one", "state"), "online");
    world_hello(w, "one", "offline", 1, 1, "");
    world_pass(w, 1);
    assert_string_equal(cluster_at(w, "one", "state"), "online"); /* the grace */
    world_pass(w, 2);
    assert_string_equal(cluster_at(w, "one", "state"), "offline");
    assert_string_equal(world_at(w, world_retained(w, "state/cluster/one"), "status.state"), "offline");
    world_hello(w, "one", "online", 1, 2, "");
    assert_string_equal(cluster_at(w, "one", "state"), "online");
    world_hello(w, "one", "offline", 1, 1, ""); /* the late will of the first connection */
    world_pass(w, 5);
    assert_string_equal(cluster_at(w, "one", "state"), "online");
    world_hello(w, "one", "offline", 1, 2, "");
    world_hello(w, "one", "online", 1, 3, ""); /* back within the grace */
    world_pass(w, 5);
    assert_string_equal(cluster_at(w, "one", "state"), "online");
    world_pass(w, 26);
    assert_string_equal(cluster_at(w, "one", "state"), "online");
    world_pass(w, 2);
    assert_string_equal(cluster_at(w, "one", "state"), "offline");
    world_free(w);
}

/** Silence is counted only while the coordinator itself is connected: neither its restart nor the broker's makes anybody offline. */
static void test_own_connection(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_cluster(w, "one", "a");
    world_hello(w, "one", "online", 1, 1, "");
    world_disconnect(w);
    world_pass(w, 1000);
    world_connect(w);
    world_pass(w, 30);
    assert_string_equal(cluster_at(w, "one", "state"), "online");
    world_restart(w);
    world_pass(w, 35);
    assert_string_equal(cluster_at(w, "one", "state"), "online");
    world_pass(w, 4); /* 3 intervals, the grace and the time in which hellos are spread */
    assert_string_equal(cluster_at(w, "one", "state"), "offline");
    world_free(w);
}

/** Many clusters go silent at once; a commit that fails is tried again. */
static void test_all_silent(void **state)
{
    (void)state;
    enum { N = 500 };
    struct world *w = world_new();
    for (int i = 0; i < N; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%03d", i);
        world_cluster(w, name, "a");
        world_hello(w, name, "online", 1, 1, "");
        world_forget(w);
    }
    world_pass(w, 33);
    (void)world_ok(w, "cluster/list", "{\"filter\":\"state=offline\"}");
    assert_string_equal(world_at(w, w->reply, "result.totalSize"), "500");
    world_free(w);
}

/** What an agent has is compared with what it was given. */
static void test_ahead(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    (void)world_deploy(w, "s", "a");
    world_hello_current(w, "one", 1, 1);
    assert_string_equal(cluster_at(w, "one", "ahead"), "false");
    const char *manifest = world_manifest(w, "one");
    static const struct {
        const char *epoch, *n, *digest, *ahead;
    } rows[] = {
        { "", "", WORLD_DIGEST("1"), "true" }, /* an equal version with another digest */
        { "", "", "", "false" },               /* its own digest */
        { "3000000000", "1", WORLD_DIGEST("1"), "true" },
        { "1", "9999", WORLD_DIGEST("1"), "false" }, /* older */
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        char more[256];
        struct kd_digest digest = kd_digest_of(kd_str(manifest));
        (void)snprintf(more, sizeof more, ",\"manifest\":{\"epoch\":%s,\"n\":%s,\"digest\":\"%s\"}",
                       rows[i].epoch[0] ? rows[i].epoch : world_at(w, manifest, "version.epoch"),
                       rows[i].n[0] ? rows[i].n : world_at(w, manifest, "version.n"),
                       rows[i].digest[0] ? rows[i].digest : digest.text);
        world_pass(w, 31); /* the same repair at most every 30 s */
        world_forget(w);
        world_hello(w, "one", "online", 1, (int)i + 2, more);
        assert_string_equal(cluster_at(w, "one", "ahead"), rows[i].ahead);
        size_t sent = world_times(w, "clusters/one/manifest");
        assert_int_equal(sent, i == 3 ? 1 : 0); /* an agent that is ahead gets none, one that is behind does */
    }
    world_free(w);
}

/** What an agent lacks is sent again, at most every 30 s; a manifest that it refused is not. */
static void test_repair(void **state)
{
    (void)state;
    struct world *w = world_new();
    char more[512];
    world_catalog(w);
    world_cluster(w, "one", "a");
    (void)world_deploy(w, "s", "a");
    const char *document = world_at(w, world_manifest(w, "one"), "deployments[0].document.digest");
    (void)snprintf(more, sizeof more, ",\"missing\":[\"%s\",\"" WORLD_DIGEST("7") "\"]", document);
    world_forget(w);
    world_hello(w, "one", "online", 1, 1, more);
    assert_int_equal(world_times(w, "clusters/one/manifest"), 1);
    assert_int_equal(world_times(w, "/objects/"), 1); /* what is not there is not cleared either */
    assert_string_equal(world_last(w, document + 7)->payload, world_object(w, document));
    world_hello(w, "one", "online", 1, 1, more);
    assert_int_equal(world_times(w, "/objects/"), 1);
    world_pass(w, 31);
    world_hello(w, "one", "online", 1, 1, more);
    assert_int_equal(world_times(w, "/objects/"), 2);
    world_pass(w, 31);
    world_forget(w);
    (void)snprintf(more, sizeof more, ",\"refused\":{\"epoch\":%s,\"n\":%s,\"reason\":\"no\"}",
                   world_at(w, world_manifest(w, "one"), "version.epoch"), world_at(w, world_manifest(w, "one"), "version.n"));
    world_hello(w, "one", "online", 1, 1, more);
    assert_int_equal(world_times(w, "clusters/one/manifest"), 0);
    assert_string_equal(cluster_at(w, "one", "refused"), "no");
    world_free(w);
}

/** A cloned edge: a session that is heard again after another one of the same cluster. */
static void test_duplicate(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_cluster(w, "one", "a");
    world_hello(w, "one", "online", 5, 1, "");
    world_hello(w, "one", "online", 6, 1, ""); /* a restart of the agent */
    assert_string_equal(cluster_at(w, "one", "duplicate"), "false");
    world_hello(w, "one", "online", 5, 1, ""); /* a late message of before */
    assert_string_equal(cluster_at(w, "one", "duplicate"), "false");
    world_hello(w, "one", "online", 5, 2, ""); /* the other one connects again */
    assert_string_equal(cluster_at(w, "one", "duplicate"), "true");
    assert_string_equal(w->last_event, "cluster.duplicate");
    world_free(w);
}

/** A new store replaces an old one only after that was offline. */
static void test_other_store(void **state)
{
    (void)state;
    struct world *w = world_new();
    static const char other[] = "{\"state\":\"online\",\"session\":\"x1\",\"start\":1,\"connection\":1,\"store\":\"store2\"}";
    world_cluster(w, "one", "a");
    world_hello(w, "one", "online", 5, 1, "");
    world_deliver(w, KD_TOPIC_ROOT "default/clusters/one/hello", other, false);
    assert_non_null(strstr(world_ack(w, "one"), "another agent with another store is online"));
    assert_string_equal(cluster_at(w, "one", "duplicate"), "true");
    world_hello(w, "one", "offline", 5, 1, "");
    world_pass(w, 3);
    world_deliver(w, KD_TOPIC_ROOT "default/clusters/one/hello", other, false);
    assert_string_equal(cluster_at(w, "one", "state"), "online");
    assert_string_equal(cluster_at(w, "one", "duplicate"), "false");
    world_free(w);
}

/** An agent of another enrolment gets nothing until an operator says that it is right. */
static void test_enrolment(void **state)
{
    (void)state;
    struct world *w = world_new();
    static const char more[] = ",\"enrolment\":\"000000000000000000000000000000ee\"";
    world_cluster(w, "one", "a");
    world_forget(w);
    world_hello(w, "one", "online", 1, 1, more);
    assert_string_equal(cluster_at(w, "one", "enrolmentDiffers"), "true");
    assert_int_equal(world_times(w, "clusters/one/manifest"), 0);
    (void)world_ok(w, "cluster/adopt", "{\"name\":\"one\"}");
    assert_string_equal(cluster_at(w, "one", "enrolmentDiffers"), "false");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "enrolment"), "000000000000000000000000000000ee");
    assert_string_equal(world_at(w, world_ok(w, "cluster/get", "{\"name\":\"one\"}"), "result.uid"),
                        "000000000000000000000000000000ee");
    world_free(w);
}

/** True if an ack since world_forget wants that from the agent. */
static bool wants(const struct world *w, const char *what)
{
    char text[64];
    (void)snprintf(text, sizeof text, "\"want\":[\"%s\"]", what);
    for (size_t i = 0; i < w->sent_n; i++)
        if (strstr(w->sent[i].topic, "/ack") && strstr(w->sent[i].payload, text))
            return true;
    return false;
}

/** The inventory is asked for until it has come, and again when it changes; it never sets an operator's label. */
static void test_inventory(void **state)
{
    (void)state;
    static const char inventory[] = "{\"agentVersion\":\"1.0\",\"runtime\":\"podman\",\"labels\":{\"site\":\"found\"},\"cpus\":4}";
    struct world *w = world_new();
    struct kd_digest digest = kd_digest_of(kd_str(inventory));
    char more[128];
    world_cluster(w, "one", "a");
    (void)snprintf(more, sizeof more, ",\"inventory\":\"%s\"", digest.text);
    for (int i = 0; i < 2; i++) { /* the first answer, or the question, was lost */
        world_forget(w);
        world_hello(w, "one", "online", 1, 1, more);
        assert_true(wants(w, "inventory"));
        assert_int_equal(wants(w, "status"), i == 0); /* an agent that was never heard of says every status again */
    }
    world_deliver(w, KD_TOPIC_ROOT "default/clusters/one/inventory", "{\"cpus\":4}", false); /* not an inventory */
    world_deliver(w, KD_TOPIC_ROOT "default/clusters/one/inventory", inventory, false);
    world_forget(w);
    world_hello(w, "one", "online", 1, 1, more);
    assert_false(wants(w, "inventory"));
    assert_string_equal(cluster_at(w, "one", "runtime"), "podman");
    assert_string_equal(cluster_at(w, "one", "foundLabels"), "{\"site\":\"found\"}");
    assert_string_equal(world_at(w, world_ok(w, "cluster/get", "{\"name\":\"one\"}"), "result.labels"), "{\"site\":\"a\"}");
    world_hello(w, "one", "online", 1, 1, ",\"inventory\":\"" WORLD_DIGEST("1") "\"");
    assert_true(wants(w, "inventory"));
    world_free(w);
}

/** A status is acknowledged after it was stored; one of another session asks for a hello; one that cannot be read is refused. */
static void test_acks(void **state)
{
    (void)state;
    struct world *w = world_new();
    static const char uid[] = "00000000000000000000000000000001";
    world_cluster(w, "one", "a");
    world_status(w, "one", "s", uid, "", "orphaned", 1, 1);
    assert_string_equal(world_at(w, world_ack(w, "one"), "want"), "[\"hello\"]");
    world_hello(w, "one", "online", 1, 1, "");
    world_status(w, "one", "s", uid, "", "orphaned", 1, 1);
    assert_string_equal(world_at(w, world_ack(w, "one"), "acks"),
                        "[{\"uid\":\"00000000000000000000000000000001\",\"sequence\":1}]");
    world_status(w, "one", "s", uid, "", "a-word-of-tomorrow", 1, 2);
    assert_string_equal(world_at(w, world_ack(w, "one"), "acks[0].sequence"), "2");
    world_deliver(
        w, KD_TOPIC_ROOT "default/clusters/one/status/s",
        "{\"deployment\":\"s\",\"uid\":\"00000000000000000000000000000001\",\"session\":\"s1\",\"sequence\":3,\"state\":7}", false);
    assert_string_equal(world_at(w, world_ack(w, "one"), "acks[0].sequence"), "3");
    assert_string_equal(world_at(w, world_ack(w, "one"), "acks[0].refused"), "$.state must be a text");
    world_forget(w);
    world_deliver(w, KD_TOPIC_ROOT "default/clusters/one/status/s", "?", false); /* nobody to answer */
    assert_string_equal(world_ack(w, "one"), "");
    world_hello(w, "one", "online", 2, 1, "");
    world_status(w, "one", "s", uid, "", "orphaned", 1, 4); /* of the session before */
    assert_string_equal(world_at(w, world_ack(w, "one"), "want"), "[\"hello\"]");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown),    cmocka_unit_test(test_offline),     cmocka_unit_test(test_own_connection),
        cmocka_unit_test(test_all_silent), cmocka_unit_test(test_ahead),       cmocka_unit_test(test_repair),
        cmocka_unit_test(test_duplicate),  cmocka_unit_test(test_other_store), cmocka_unit_test(test_enrolment),
        cmocka_unit_test(test_inventory),  cmocka_unit_test(test_acks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
