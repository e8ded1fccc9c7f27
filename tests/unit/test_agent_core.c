/** The agent's core: each rule of docs/protocol.md that is an agent's. */
#include "tests/unit/agent_world.h"

/* ---- one deployment, from its manifest to its removal ---- */

static void test_deploys(void **state)
{
    struct world *w = *state;
    struct kd_digest digest;
    const char *document = world_document("shop", SHOP, APP("web", "1.0.0"), &digest);
    world_manifest(w, 1, world_entry("shop", SHOP, &digest, ""), "", "");
    assert_non_null(world_row(w, AG_TABLE_MANIFEST, "manifest"));
    assert_int_equal(w->topic_n, 1);
    assert_str(kd_digest_hex(&digest), w->topics[0]);
    world_wait(w, 1);
    assert_state(w, SHOP, "", "pending");
    world_object(w, document);
    assert_int_equal(w->topic_n, 0);
    assert_state(w, SHOP, "web", "fetching");
    assert_null(world_job(w, AG_JOB_APPLY, "web"));
    world_done(w, world_job(w, AG_JOB_PREPARE, "web"), AG_FOUND_RUNNING);
    assert_state(w, SHOP, "web", "deploying");
    struct world_job *apply = world_job(w, AG_JOB_APPLY, "web");
    assert_non_null(apply);
    assert_true(apply->hooks);
    assert_false(apply->upgrade);
    assert_true(world_says(world_row(w, AG_TABLE_UNIT, SHOP)->value, "\"trying\"")); /* stored before it began */
    world_done(w, apply, AG_FOUND_RUNNING);
    assert_state(w, SHOP, "", "running");
    assert_true(world_says(w->status[0], digest.text));
    world_ack(w, SHOP, "");
    assert_true(ag_core_is_settled(w->core));
}

static void test_release_names(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "deployment-0123456789-0123456789-0123456", SHOP, APP("application-0123456789-012", "1"));
    const char *release = world_job(w, AG_JOB_PREPARE, "")->release;
    assert_int_equal(strlen(release), 53);
    assert_memory_equal(release, "deployment-0123456789-0123456789-0123456-app-", 45);
}

static void test_upgrades_only_what_changed(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0") "," APP("db", "1.0.0"));
    world_settle(w);
    (void)world_deploy(w, 2, "shop", SHOP, APP("web", "1.1.0") "," APP("db", "1.0.0"));
    assert_null(world_job(w, AG_JOB_PREPARE, "db"));
    struct world_job *prepare = world_job(w, AG_JOB_PREPARE, "web");
    assert_true(prepare->upgrade);
    assert_state(w, SHOP, "web", "updating");
    assert_state(w, SHOP, "db", "running");
    world_done(w, prepare, AG_FOUND_RUNNING);
    assert_true(world_job(w, AG_JOB_APPLY, "web")->hooks);
    world_settle(w);
    assert_state(w, SHOP, "", "running");
}

static void test_prunes_applications(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0") "," APP("db", "1.0.0"));
    world_settle(w);
    (void)world_deploy(w, 2, "shop", SHOP, APP("web", "1.1.0"));
    assert_null(world_job(w, AG_JOB_REMOVE, ""));
    world_done(w, world_job(w, AG_JOB_PREPARE, "web"), AG_FOUND_RUNNING);
    world_done(w, world_job(w, AG_JOB_APPLY, "web"), AG_FOUND_RUNNING);
    struct world_job *remove = world_job(w, AG_JOB_REMOVE, "db");
    assert_non_null(remove);
    assert_string_equal(remove->uid, SHOP);
    world_done(w, remove, AG_FOUND_GONE);
    assert_state(w, SHOP, "", "running");
    assert_state(w, SHOP, "db", "");
}

static void test_what_failed_to_update_is_pruned_at_once(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0") "," APP("db", "1.0.0"));
    world_settle(w);
    (void)world_deploy(w, 2, "shop", SHOP, APP("web", "1.0.0") "," APP("db", "2.0.0"));
    world_fail(w, world_job(w, AG_JOB_PREPARE, "db"), KD_INVALID, "no such chart");
    (void)world_deploy(w, 3, "shop", SHOP, APP("web", "1.0.0"));
    assert_non_null(world_job(w, AG_JOB_REMOVE, "db"));
}

static void test_absence_removes_nothing(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    world_manifest(w, 2, "", "", "");
    assert_state(w, SHOP, "", "orphaned");
    assert_state(w, SHOP, "web", "running");
    assert_null(world_job(w, AG_JOB_REMOVE, ""));
    world_step(w, (struct ag_event){ .kind = AG_RUNTIME_CHANGED, .text = KD_STR(SHOP), .app = KD_STR("web") });
    world_wait(w, 2);
    world_observed(w, AG_FOUND_DOWN, NULL, 0);
    assert_non_null(world_job(w, AG_JOB_APPLY, "web")); /* an orphan is repaired */
}

static void test_removes(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    world_manifest(w, 2, "", "{\"name\":\"shop\",\"uid\":\"" SHOP "\"},{\"name\":\"blog\",\"uid\":\"" BLOG "\"}", "");
    assert_state(w, BLOG, "", "removed"); /* never here: at once */
    assert_state(w, SHOP, "", "removing");
    struct world_job *remove = world_job(w, AG_JOB_REMOVE, "");
    assert_string_equal(remove->app, "");
    world_fail(w, remove, KD_UNAVAILABLE, "no podman");
    world_wait(w, 60);
    world_done(w, world_job(w, AG_JOB_REMOVE, ""), AG_FOUND_GONE);
    assert_state(w, SHOP, "", "removed");
    assert_non_null(world_row(w, AG_TABLE_UNIT, SHOP));
    world_restart(w); /* said again until it is heard */
    world_settle(w);
    world_connect(w);
    assert_state(w, SHOP, "", "removed");
    world_ack(w, SHOP, "");
    world_ack(w, BLOG, "");
    assert_null(world_row(w, AG_TABLE_UNIT, SHOP));
    assert_null(world_row(w, AG_TABLE_UNIT, BLOG));
    assert_true(ag_core_is_settled(w->core));
}

/* ---- manifests that are not followed ---- */

static void test_refuses_manifests(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *text, *reason; /* "" is silence */
    } rows[] = {
        { "{\"version\":{\"epoch\":1,\"n\":4},\"cluster\":\"acme/edge\",\"enrolment\":\"" ENROL
          "\",\"deployments\":[],\"remove\":[]}",
          "" },
        { "{\"version\":{\"epoch\":0,\"n\":9},\"cluster\":\"acme/edge\",\"enrolment\":\"" ENROL
          "\",\"deployments\":[],\"remove\":[]}",
          "" },
        { "{\"version\":{\"epoch\":1,\"n\":5},\"cluster\":\"acme/edge\",\"enrolment\":\"" ENROL
          "\",\"spread_s\":9,\"deployments\":[],\"remove\":[]}",
          "" },
        { "", "" },
        { "{\"version\":{\"epoch\":1", "" },
        { "{\"version\":{\"epoch\":1,\"n\":6},\"cluster\":\"acme/edge\",\"enrolment\":\"" OTHER
          "\",\"deployments\":[],\"remove\":[]}",
          "enrolment differs" },
        { "{\"version\":{\"epoch\":1,\"n\":7},\"cluster\":\"acme/other\",\"enrolment\":\"" ENROL
          "\",\"deployments\":[],\"remove\":[]}",
          "it is for cluster acme/other" },
        { "{\"version\":{\"epoch\":2,\"n\":1},\"cluster\":\"acme/edge\",\"enrolment\":\"" ENROL
          "\",\"requires\":[\"magic\"],\"deployments\":[],\"remove\":[]}",
          "unsupported: this agent lacks magic" },
        { "{\"version\":{\"epoch\":2,\"n\":2},\"cluster\":\"acme/edge\"}", "$.enrolment is missing" },
    };
    world_manifest(w, 5, "", "", "");
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        char reason[200];
        world_wait(w, 10);
        w->hello[0] = '\0';
        world_send(w, AG_MANIFEST, rows[i].text);
        world_wait(w, 10);
        (void)snprintf(reason, sizeof reason, "\"reason\":\"%s\"", rows[i].reason);
        assert_true(rows[i].reason[0] ? world_says(w->hello, reason) : w->hello[0] == '\0');
        assert_int_equal(ag_core_version(w->core).n, 5);
    }
    world_manifest(w, 6, "", "", "");
    assert_int_equal(ag_core_version(w->core).n, 6);
}

/* ---- names and uids ---- */

static void test_name_held_by_an_orphan(void **state)
{
    struct world *w = *state;
    struct kd_digest second;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    const char *document = world_document("shop", SHOP2, APP("web", "2.0.0"), &second);
    world_manifest(w, 2, world_entry("shop", SHOP2, &second, ""), "", "");
    world_object(w, document);
    assert_state(w, SHOP, "", "orphaned");
    assert_state(w, SHOP2, "", "pending");
    assert_null(world_job(w, AG_JOB_PREPARE, ""));
    world_manifest(w, 3, world_entry("shop", SHOP2, &second, ""), "{\"name\":\"shop\",\"uid\":\"" SHOP "\"}", "");
    assert_null(world_job(w, AG_JOB_PREPARE, ""));
    world_done(w, world_job(w, AG_JOB_REMOVE, ""), AG_FOUND_GONE);
    assert_non_null(world_job(w, AG_JOB_PREPARE, "web"));
    world_settle(w);
    assert_state(w, SHOP, "", "removed");
    assert_state(w, SHOP2, "", "running");
}

static void test_adopts_in_place(void **state)
{
    struct world *w = *state;
    struct kd_digest second;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    const char *document = world_document("shop", SHOP2, APP("web", "1.0.0"), &second);
    world_manifest(w, 2, world_entry("shop", SHOP2, &second, ""), "", "");
    world_object(w, document);
    assert_state(w, SHOP2, "", "pending");
    world_manifest(w, 3, world_entry("shop", SHOP2, &second, ",\"adopts\":[\"" SHOP "\"]"), "", "");
    assert_null(world_job(w, AG_JOB_APPLY, "")); /* the same content: nothing is touched */
    assert_null(world_job(w, AG_JOB_REMOVE, ""));
    assert_state(w, SHOP2, "", "running");
    assert_state(w, SHOP, "", "removed");
    world_ack(w, SHOP, "");
    world_restart(w);
    world_settle(w);
    world_connect(w);
    assert_state(w, SHOP2, "", "running");
    world_manifest(w, 4, "", "{\"name\":\"shop\",\"uid\":\"" SHOP2 "\"}", "");
    struct world_job *remove = world_job(w, AG_JOB_REMOVE, "");
    assert_string_equal(remove->uids, SHOP2 " " SHOP " ");
}

static void test_holds(void **state)
{
    struct world *w = *state;
    struct kd_digest old, other;
    old = world_deploy(w, 1, "shop", SHOP, APP("web", "2.0.0"));
    world_settle(w);
    const char *document = world_document("shop", SHOP, APP("web", "1.0.0"), &other);
    char held[1024];
    (void)snprintf(held, sizeof held, "%s", world_entry("shop", SHOP, &other, ",\"hold\":true"));
    world_manifest(w, 2, held, "", "");
    world_object(w, document);
    assert_null(world_job(w, AG_JOB_PREPARE, ""));
    assert_state(w, SHOP, "", "running");
    assert_true(world_says(w->status[0], "held"));
    assert_true(world_says(w->status[0], old.text));
    world_manifest(w, 3, world_entry("shop", SHOP, &other, ""), "", "");
    world_object(w, document);
    assert_non_null(world_job(w, AG_JOB_PREPARE, "web"));
    world_settle(w);
    assert_true(world_says(w->status[0], other.text));
}

static void test_hold_deploys_what_is_not_there(void **state)
{
    struct world *w = *state;
    struct kd_digest digest;
    const char *document = world_document("shop", SHOP, APP("web", "1.0.0"), &digest);
    world_manifest(w, 1, world_entry("shop", SHOP, &digest, ",\"hold\":true"), "", "");
    world_object(w, document);
    world_settle(w);
    assert_state(w, SHOP, "", "running");
}

/* ---- objects ---- */

static void test_missing_objects(void **state)
{
    struct world *w = *state;
    struct kd_digest lost, there;
    char document[50000];
    (void)world_document("lost", SHOP, APP("web", "1.0.0"), &lost);
    (void)snprintf(document, sizeof document, "%s", world_document("blog", BLOG, APP("web", "1.0.0"), &there));
    char both[2048];
    (void)snprintf(both, sizeof both, "%s,%s", world_entry("lost", SHOP, &lost, ""), world_entry("blog", BLOG, &there, ""));
    world_wait(w, 20);
    world_manifest(w, 1, both, "", "");
    world_object(w, document);
    world_settle(w);
    world_wait(w, 1);
    assert_state(w, BLOG, "", "running"); /* holds up nothing else */
    assert_state(w, SHOP, "", "pending");
    assert_false(world_says(w->hello, lost.text));
    world_wait(w, 6);
    assert_true(world_says(w->hello, lost.text));
    w->hellos = 0;
    world_wait(w, 3600);
    assert_in_range(w->hellos, 4, 40); /* asked for again, with backoff */
    world_object(w, world_document("lost", SHOP, APP("web", "1.0.0"), &lost));
    world_settle(w);
    world_wait(w, 10);
    assert_false(world_says(w->hello, "missing"));
    assert_state(w, SHOP, "", "running");
}

static void test_damaged_object(void **state)
{
    struct world *w = *state;
    struct kd_digest digest;
    (void)world_document("shop", SHOP, APP("web", "1.0.0"), &digest);
    world_manifest(w, 1, world_entry("shop", SHOP, &digest, ""), "", "");
    world_step(w, (struct ag_event){ .kind = AG_OBJECT, .text = kd_digest_hex(&digest), .payload = KD_STR("something else") });
    assert_int_equal(w->topic_n, 1);
    assert_null(world_row(w, AG_TABLE_DOCUMENT, w->topics[0]));
}

static void test_lists_and_values(void **state)
{
    struct world *w = *state;
    const char *parts[] = { "a: 1\n", "b: 2\n" };
    struct kd_digest part[2] = { kd_digest_of(kd_str(parts[0])), kd_digest_of(kd_str(parts[1])) },
                     small = kd_digest_of(KD_STR("c: 3\n"));
    char list[512], apps[1024];
    (void)snprintf(list, sizeof list, "{\"parts\":[\"%s\",\"%s\"]}", part[0].text, part[1].text);
    struct kd_digest whole = kd_digest_of(kd_str(list));
    (void)snprintf(
        apps, sizeof apps,
        "{\"name\":\"web\",\"version\":\"1\"," CHART("1") ",\"values\":[{\"digest\":\"%s\",\"size\":300000},{\"digest\":\"%s\","
                                                          "\"size\":5}]}",
        whole.text, small.text);
    (void)world_deploy(w, 1, "shop", SHOP, apps);
    assert_int_equal(w->topic_n, 2);
    world_object(w, "c: 3\n");
    world_object(w, list);
    assert_int_equal(w->topic_n, 2);
    world_object(w, parts[0]);
    assert_null(world_job(w, AG_JOB_PREPARE, "web"));
    world_object(w, parts[1]);
    struct world_job *prepare = world_job(w, AG_JOB_PREPARE, "web");
    assert_non_null(prepare);
    assert_int_equal(prepare->values, 2);
    assert_int_equal(prepare->blobs, 3);
    assert_non_null(world_row(w, AG_TABLE_BLOB, part[1].text + 7));
    world_settle(w);
    world_manifest(w, 2, "", "{\"name\":\"shop\",\"uid\":\"" SHOP "\"}", "");
    world_settle(w);
    world_ack(w, SHOP, "");
    for (size_t i = 0; i < w->row_n; i++) /* nothing names them any more */
        assert_true(w->rows[i].table == AG_TABLE_AGENT || w->rows[i].table == AG_TABLE_MANIFEST);
}

/* ---- order and failures ---- */

static void test_dependencies_first(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP_ON("web", "1.0.0", "db") "," APP("db", "1.0.0"));
    world_done(w, world_job(w, AG_JOB_PREPARE, "db"), AG_FOUND_RUNNING);
    assert_null(world_job(w, AG_JOB_APPLY, "")); /* nothing changes before all is there */
    world_done(w, world_job(w, AG_JOB_PREPARE, "web"), AG_FOUND_RUNNING);
    assert_null(world_job(w, AG_JOB_APPLY, "web"));
    assert_state(w, SHOP, "web", "pending");
    world_done(w, world_job(w, AG_JOB_APPLY, "db"), AG_FOUND_DOWN); /* applied, but it does not run */
    assert_null(world_job(w, AG_JOB_APPLY, "web"));
    world_done(w, world_job(w, AG_JOB_APPLY, "db"), AG_FOUND_RUNNING);
    world_done(w, world_job(w, AG_JOB_APPLY, "web"), AG_FOUND_RUNNING);
    assert_state(w, SHOP, "", "running");
}

static void test_failures(void **state)
{
    static const struct {
        enum kd_code code;
        const char *state;
        int64_t within_s; /* it is tried again */
    } rows[] = {
        { KD_UNAVAILABLE, "fetching", 6 },      { KD_TIMEOUT, "fetching", 6 },   { KD_INVALID, "failed", 121 },
        { KD_UNSUPPORTED, "unsupported", 121 }, { KD_FORBIDDEN, "failed", 121 },
    };
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        world_fail(w, world_job(w, AG_JOB_PREPARE, "web"), rows[i].code, "so it is");
        world_wait(w, 2);
        assert_state(w, SHOP, "web", rows[i].state);
        assert_true(world_says(w->status[0], "so it is"));
        world_wait(w, rows[i].within_s * (1 << i));
        assert_non_null(world_job(w, AG_JOB_PREPARE, "web"));
    }
}

static void test_newer_manifest_ends_old_fetching(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    struct world_job *old = world_job(w, AG_JOB_PREPARE, "web");
    (void)world_deploy(w, 2, "shop", SHOP, APP("web", "2.0.0"));
    assert_true(old->killed);
    world_fail(w, old, KD_INTERNAL, "killed");
    assert_state(w, SHOP, "web", "fetching");
    struct world_job *new = world_job(w, AG_JOB_PREPARE, "web");
    assert_non_null(new);
    world_done(w, new, AG_FOUND_RUNNING);
    struct world_job *apply = world_job(w, AG_JOB_APPLY, "web");
    (void)world_deploy(w, 3, "shop", SHOP, APP("web", "3.0.0"));
    assert_false(apply->killed); /* a change is let to end */
    world_settle(w);
    assert_state(w, SHOP, "", "running");
    assert_true(world_says(w->status[0], "3.0.0"));
}

/** The same deployment again, after it was removed: its rendering is likely to be kept, so it is applied at once. */
static void test_what_was_prepared_lately_is_applied_at_once(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    world_manifest(w, 2, "", "{\"name\":\"shop\",\"uid\":\"" SHOP "\"}", "");
    world_settle(w);
    world_ack(w, SHOP, "");
    (void)world_deploy(w, 3, "shop", SHOP2, APP("web", "1.0.0"));
    assert_null(world_job(w, AG_JOB_PREPARE, ""));
    world_fail(w, world_job(w, AG_JOB_APPLY, "web"), KD_UNAVAILABLE, "no such image");
    world_wait(w, 3);
    assert_non_null(world_job(w, AG_JOB_PREPARE, "web")); /* it was not: all over again */
    world_settle(w);
    assert_state(w, SHOP2, "", "running");
}

static void test_what_never_came_to_be_is_forgotten(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0") "," APP("db", "1.0.0"));
    world_fail(w, world_job(w, AG_JOB_PREPARE, "web"), KD_UNAVAILABLE, "not now");
    world_manifest(w, 2, "", "", "");
    struct world_job *left = world_job(w, AG_JOB_PREPARE, "db");
    assert_true(left->killed);
    world_wait(w, 60); /* the job takes its time: nothing spins meanwhile */
    world_fail(w, left, KD_INTERNAL, "killed");
    assert_true(ag_core_is_settled(w->core));
    assert_null(world_job(w, AG_JOB_PREPARE, ""));
}

static void test_fetching_never_blocks_changes(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("a", "1") "," APP("b", "1") "," APP("c", "1"));
    world_done(w, world_job(w, AG_JOB_PREPARE, ""), AG_FOUND_RUNNING);
    size_t running = 0;
    for (size_t i = 0; i < WORLD_JOBS; i++)
        running += w->jobs[i].id != 0;
    assert_int_equal(running, 2); /* two at once */
    world_settle(w);
    assert_state(w, SHOP, "", "running");
}

/* ---- observing and repairing ---- */

static void test_nothing_right_is_touched(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    world_restart(w);
    assert_int_equal(world_job(w, AG_JOB_OBSERVE, "")->asked_n, 1);
    world_connect(w);
    assert_int_equal(w->status_n, 0); /* nothing is said before it was looked at */
    world_observed(w, AG_FOUND_RUNNING, NULL, 0);
    assert_state(w, SHOP, "", "running");
    for (size_t i = 0; i < WORLD_JOBS; i++)
        assert_int_equal(w->jobs[i].id, 0);
}

static void test_repairs_with_backoff(void **state)
{
    static const int64_t waits_s[] = { 0, 10, 20, 40, 80, 160, 300, 300 };
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    world_wait(w, 700);
    world_settle(w);
    world_step(w, (struct ag_event){ .kind = AG_RUNTIME_CHANGED, .text = KD_STR(SHOP), .app = KD_STR("web") });
    world_wait(w, 1);
    world_observed(w, AG_FOUND_DOWN, NULL, 0);
    world_wait(w, 1);
    assert_state(w, SHOP, "web", "down");
    for (size_t i = 0; i < KD_COUNT(waits_s); i++) {
        int64_t waited = 0;
        for (; !world_job(w, AG_JOB_APPLY, "web"); waited++) {
            world_wait(w, 1);
            if (world_job(w, AG_JOB_OBSERVE, ""))
                world_observed(w, AG_FOUND_DOWN, NULL, 0);
        }
        assert_in_range(waited, waits_s[i] - (waits_s[i] > 0), waits_s[i]);
        assert_false(world_job(w, AG_JOB_APPLY, "web")->hooks);
        world_done(w, world_job(w, AG_JOB_APPLY, "web"), AG_FOUND_DOWN);
    }
}

static void test_lost_plan_is_prepared_again(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    world_restart(w);
    world_observed(w, AG_FOUND_UNKNOWN, NULL, 0);
    world_done(w, world_job(w, AG_JOB_PREPARE, "web"), AG_FOUND_RUNNING);
    struct world_job *apply = world_job(w, AG_JOB_APPLY, "web");
    assert_non_null(apply);
    assert_false(apply->hooks);
    world_settle(w);
    assert_true(ag_core_version(w->core).n == 1);
}

static const struct ag_job_found found_shop = { .uid = KD_STR_INIT(SHOP),
                                                .deployment = KD_STR_INIT("shop"),
                                                .app = KD_STR_INIT("web"),
                                                .namespace = KD_STR_INIT("shop"),
                                                .release = KD_STR_INIT("shop-web-12345678"),
                                                .state = AG_FOUND_DIFFERS };

static void test_lost_store(void **state)
{
    struct world *w = *state;
    world_restart(w);
    world_observed(w, AG_FOUND_RUNNING, &found_shop, 1);
    world_connect(w);
    assert_state(w, SHOP, "", "orphaned");
    assert_null(world_job(w, AG_JOB_APPLY, ""));
    struct kd_digest other;
    (void)world_document("shop", SHOP2, APP("web", "1.0.0"), &other);
    world_manifest(w, 1, world_entry("shop", SHOP2, &other, ""), "", "");
    assert_state(w, SHOP2, "", "pending"); /* the name is held */
    (void)world_deploy(w, 2, "shop", SHOP, APP("web", "1.0.0"));
    world_done(w, world_job(w, AG_JOB_PREPARE, "web"), AG_FOUND_RUNNING);
    assert_string_equal(world_job(w, AG_JOB_APPLY, "web")->release, "shop-web-12345678");
    world_settle(w);
    assert_state(w, SHOP, "", "running");
}

static void test_found_is_forgotten_when_gone(void **state)
{
    struct world *w = *state;
    world_restart(w);
    world_observed(w, AG_FOUND_RUNNING, &found_shop, 1);
    world_connect(w);
    assert_non_null(world_row(w, AG_TABLE_UNIT, SHOP));
    world_wait(w, 601);
    world_observed(w, AG_FOUND_RUNNING, NULL, 0);
    assert_null(world_row(w, AG_TABLE_UNIT, SHOP));
}

static void test_stored_removal_spares_what_was_found(void **state)
{
    struct world *w = *state;
    world_manifest(w, 1, "", "{\"name\":\"shop\",\"uid\":\"" SHOP "\"}", "");
    world_ack(w, SHOP, "");
    world_restart(w);
    world_observed(w, AG_FOUND_RUNNING, &found_shop, 1); /* it came back since: a newer manifest must know */
    assert_null(world_job(w, AG_JOB_REMOVE, ""));
    world_connect(w);
    world_manifest(w, 2, "", "{\"name\":\"shop\",\"uid\":\"" SHOP "\"}", "");
    assert_non_null(world_job(w, AG_JOB_REMOVE, ""));
}

static void test_observing_while_removing_finds_nothing(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    world_wait(w, 601); /* the safety net */
    assert_non_null(world_job(w, AG_JOB_OBSERVE, ""));
    world_manifest(w, 2, "", "{\"name\":\"shop\",\"uid\":\"" SHOP "\"}", "");
    world_done(w, world_job(w, AG_JOB_REMOVE, ""), AG_FOUND_GONE);
    world_ack(w, SHOP, "");
    world_observed(w, AG_FOUND_RUNNING, &found_shop, 1); /* as it was before */
    assert_null(world_row(w, AG_TABLE_UNIT, SHOP));
}

static void test_runtime_away(void **state)
{
    struct world *w = *state;
    world_restart(w);
    world_connect(w);
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    assert_null(world_job(w, AG_JOB_PREPARE, "")); /* what runs is not known yet */
    world_fail(w, world_job(w, AG_JOB_OBSERVE, ""), KD_UNAVAILABLE, "podman does not answer");
    assert_true(world_says(w->status[0], "podman does not answer"));
    world_wait(w, 61);
    world_observed(w, AG_FOUND_RUNNING, NULL, 0);
    world_settle(w);
    assert_state(w, SHOP, "", "running");
}

/* ---- talking ---- */

static void test_statuses_until_acknowledged(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    w->statuses = 0;
    world_wait(w, 3600);
    assert_in_range(w->statuses, 5, 60); /* repeated, with backoff */
    world_ack(w, SHOP, "");
    w->statuses = 0;
    world_wait(w, 3600);
    world_settle(w);
    assert_int_equal(w->statuses, 0);
    world_send(w, AG_COORDINATOR, "{\"epoch\":1,\"session\":\"one\",\"report\":\"a\",\"spread_s\":60}");
    world_wait(w, 70);
    assert_int_equal(w->statuses, 0);
    world_send(w, AG_COORDINATOR, "{\"epoch\":1,\"session\":\"two\",\"report\":\"b\",\"spread_s\":60}");
    world_wait(w, 70);
    assert_in_range(w->statuses, 1, 9); /* its status store is new */
    world_ack(w, SHOP, ",\"refused\":\"no such thing\"");
    w->statuses = 0;
    world_wait(w, 3000);
    assert_int_equal(w->statuses, 0); /* a refusal is an end, too */
}

/** As many applications as a package may have, each with as much to say as it may: it is cut, so that it fits. */
static void test_statuses_fit(void **state)
{
    struct world *w = *state;
    static char apps[40000], why[KD_REASON_MAX + 1];
    char one[400];
    apps[0] = '\0';
    for (int i = 0; i < KD_PACKAGE_APPS_MAX; i++) {
        (void)snprintf(one, sizeof one, "%s{\"name\":\"app-%03d\",\"version\":\"1\"," CHART("1") "}", i ? "," : "", i);
        (void)snprintf(apps + strlen(apps), sizeof apps - strlen(apps), "%s", one);
    }
    memset(why, 'x', KD_REASON_MAX);
    (void)world_deploy(w, 1, "shop", SHOP, apps);
    for (int i = 0; i < KD_PACKAGE_APPS_MAX; i++)
        world_fail(w, world_job(w, AG_JOB_PREPARE, ""), KD_INVALID, why);
    world_wait(w, 2);
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 20);
    struct kd_status status = world_status(w, SHOP, &arena);
    assert_int_equal(status.apps.n, KD_PACKAGE_APPS_MAX);
    assert_true(strlen(w->status[0]) <= KD_STATE_MAX);
    assert_true(status.apps.v[50].message.n > 100);
}

static void test_hello_when(void **state)
{
    struct world *w = *state;
    assert_int_equal(w->hellos, 1);
    assert_true(world_says(w->hello, "\"connection\":1"));
    world_wait(w, 3601);
    assert_int_equal(w->hellos, 2);
    world_send(w, AG_COORDINATOR, "{\"epoch\":5,\"session\":\"one\",\"report\":\"a\",\"spread_s\":30}");
    world_wait(w, 31);
    assert_int_equal(w->hellos, 3);
    world_send(w, AG_COORDINATOR, "{\"epoch\":4,\"session\":\"old\",\"report\":\"a\",\"spread_s\":30}");
    world_wait(w, 31);
    assert_int_equal(w->hellos, 3); /* an older epoch */
    world_step(w, (struct ag_event){ .kind = AG_DISCONNECTED });
    world_wait(w, 7200);
    assert_int_equal(w->hellos, 3);
    world_connect(w);
    assert_true(world_says(w->hello, "\"connection\":2"));
}

static void test_will(void **state)
{
    struct world *w = *state;
    KD_AUTO(kd_buf_clear) struct kd_buf will = KD_BUF(KD_STATE_MAX);
    ag_core_will(w->core, &will);
    assert_true(world_says(will.p, "\"state\":\"offline\""));
    assert_true(world_says(will.p, "\"connection\":2"));
    assert_true(world_says(will.p, w->session));
}

static void test_unknown_cluster(void **state)
{
    struct world *w = *state;
    char ack[200];
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    (void)snprintf(ack, sizeof ack, "{\"session\":\"%s\",\"refused\":\"unknown cluster\"}", w->session);
    world_send(w, AG_ACK, ack);
    w->statuses = w->hellos = 0;
    world_wait(w, 7300);
    assert_int_equal(w->statuses, 0);
    assert_in_range(w->hellos, 2, 3); /* the interval alone */
    world_settle(w);
    world_send(w, AG_COORDINATOR, "{\"epoch\":1,\"session\":\"one\",\"report\":\"a\",\"spread_s\":1}");
    world_wait(w, 2);
    assert_true(w->statuses > 0);
}

static void test_refused_for_now(void **state)
{
    struct world *w = *state;
    char ack[200];
    (void)snprintf(ack, sizeof ack, "{\"session\":\"%s\",\"refused\":\"another agent is online\"}", w->session);
    world_send(w, AG_ACK, ack);
    w->hellos = 0;
    world_wait(w, 60);
    assert_in_range(w->hellos, 1, 12); /* tried again, with backoff */
    (void)snprintf(ack, sizeof ack, "{\"session\":\"%s\",\"want\":[\"inventory\"]}", w->session);
    world_send(w, AG_ACK, ack);
    world_wait(w, 700);
    w->hellos = 0;
    world_wait(w, 2400);
    assert_int_equal(w->hellos, 0); /* heard: the interval again */
}

static void test_inventory(void **state)
{
    struct world *w = *state;
    char ack[200];
    world_wait(w, 10);
    world_send(w, AG_INVENTORY, "{\"agentVersion\":\"1\",\"runtime\":\"podman\"}");
    world_wait(w, 6);
    assert_true(world_says(w->hello, "\"inventory\":\"sha256:"));
    assert_int_equal(w->inventories, 0);
    (void)snprintf(ack, sizeof ack, "{\"session\":\"%s\",\"want\":[\"inventory\"]}", w->session);
    world_send(w, AG_ACK, ack);
    assert_int_equal(w->inventories, 1);
    world_send(w, AG_ACK, "{\"session\":\"another\",\"want\":[\"inventory\"]}");
    assert_int_equal(w->inventories, 1);
}

static void test_leaves(void **state)
{
    struct world *w = *state;
    char ack[200];
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    world_manifest(w, 2, "", "", "");
    world_manifest(w, 3, "", "", ",\"leave\":true"); /* orphans go, too */
    world_wait(w, 6);
    assert_false(world_says(w->hello, "\"left\""));
    world_done(w, world_job(w, AG_JOB_REMOVE, ""), AG_FOUND_GONE);
    world_wait(w, 6);
    assert_true(world_says(w->hello, "\"left\""));
    (void)snprintf(ack, sizeof ack, "{\"session\":\"%s\",\"left\":true}", w->session);
    world_send(w, AG_ACK, ack);
    world_manifest(w, 4, "", "", "");
    assert_int_equal(ag_core_version(w->core).n, 3);
    world_restart(w);
    world_settle(w);
    world_connect(w);
    world_send(w, AG_MANIFEST,
               "{\"version\":{\"epoch\":1,\"n\":5},\"cluster\":\"acme/edge\",\"enrolment\":\"" OTHER
               "\",\"deployments\":[],\"remove\":[]}");
    assert_int_equal(ag_core_version(w->core).n, 5);
    world_wait(w, 6);
    assert_true(world_says(w->hello, "\"online\""));
    assert_true(world_says(w->hello, OTHER));
}

static void test_duplicate_waits(void **state)
{
    struct world *w = *state;
    world_step(w, (struct ag_event){ .kind = AG_DISCONNECTED, .reason = 0x8E });
    assert_in_range(w->reconnect_us, 60 * KD_US_PER_S, 600 * KD_US_PER_S);
}

static void test_idle_is_quiet(void **state)
{
    struct world *w = *state;
    (void)world_deploy(w, 1, "shop", SHOP, APP("web", "1.0.0"));
    world_settle(w);
    world_ack(w, SHOP, "");
    world_wait(w, 60);
    assert_true(ag_core_is_settled(w->core));
    assert_true(w->wake.us - w->now.us > 60 * KD_US_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_deploys),
        WORLD_TEST(test_release_names),
        WORLD_TEST(test_upgrades_only_what_changed),
        WORLD_TEST(test_prunes_applications),
        WORLD_TEST(test_what_failed_to_update_is_pruned_at_once),
        WORLD_TEST(test_absence_removes_nothing),
        WORLD_TEST(test_removes),
        WORLD_TEST(test_refuses_manifests),
        WORLD_TEST(test_name_held_by_an_orphan),
        WORLD_TEST(test_adopts_in_place),
        WORLD_TEST(test_holds),
        WORLD_TEST(test_hold_deploys_what_is_not_there),
        WORLD_TEST(test_missing_objects),
        WORLD_TEST(test_damaged_object),
        WORLD_TEST(test_lists_and_values),
        WORLD_TEST(test_dependencies_first),
        WORLD_TEST(test_failures),
        WORLD_TEST(test_newer_manifest_ends_old_fetching),
        WORLD_TEST(test_what_was_prepared_lately_is_applied_at_once),
        WORLD_TEST(test_what_never_came_to_be_is_forgotten),
        WORLD_TEST(test_fetching_never_blocks_changes),
        WORLD_TEST(test_nothing_right_is_touched),
        WORLD_TEST(test_repairs_with_backoff),
        WORLD_TEST(test_lost_plan_is_prepared_again),
        WORLD_TEST(test_lost_store),
        WORLD_TEST(test_found_is_forgotten_when_gone),
        WORLD_TEST(test_stored_removal_spares_what_was_found),
        WORLD_TEST(test_observing_while_removing_finds_nothing),
        WORLD_TEST(test_runtime_away),
        WORLD_TEST(test_statuses_until_acknowledged),
        WORLD_TEST(test_statuses_fit),
        WORLD_TEST(test_hello_when),
        WORLD_TEST(test_will),
        WORLD_TEST(test_unknown_cluster),
        WORLD_TEST(test_refused_for_now),
        WORLD_TEST(test_inventory),
        WORLD_TEST(test_leaves),
        WORLD_TEST(test_duplicate_waits),
        WORLD_TEST(test_idle_is_quiet),
    };
    return cmocka_run_group_tests_name("agent core", tests, NULL, NULL);
}
