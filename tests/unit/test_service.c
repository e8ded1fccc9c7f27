/** The coordinator's service: requests of operators, and what is answered. */
#include "tests/unit/service_world.h"

static void *shared_world(void)
{
    struct world *w = world_new();
    world_catalog(w);
    world_cluster(w, "one", "a");
    (void)world_ok(w, "artifact/create",
                   "{\"name\":\"icon\",\"mimeType\":\"text/plain\",\"artifact\":\"aGVsbG8gd29ybGQ=\",\"displayName\":\"An icon\"}");
    (void)world_deploy(w, "s", "a");
    return w;
}

/** Every request of docs/protocol.md with input that is refused: code, field, and what to do. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *request, *body, *code, *field, *words;
    } rows[] = {
        { "nothing/get", "{}", "unsupported", "", "there is no request nothing/get" },
        { "cluster/explode", "{}", "unsupported", "", "there is no request cluster/explode" },
        { "cluster/get", "{", "invalid", "$", "is not valid JSON" },
        { "cluster/get", "[]", "invalid", "$", "must be an object" },
        { "cluster/get", "{\"id\":\"a b\"}", "invalid", "$.id", "letters, digits, _ and -" },
        { "cluster/get", "{\"name\":\"one\",\"colour\":1}", "invalid", "$.colour", "is not a member of this request" },
        { "cluster/get", "{\"name\":1}", "invalid", "$.name", "must be a text" },
        { "cluster/get", "{}", "invalid", "$.name", "$.name is missing" },
        { "cluster/get", "{\"name\":\"two\"}", "not-found", "$.name", "cluster two does not exist" },
        { "package/get", "{\"name\":\"shop\"}", "invalid", "$.version", "a package is named by name and version" },
        { "application/get", "{\"name\":\"web\"}", "invalid", "$.version", "an application is named by name and version" },
        { "package/get", "{\"name\":\"shop\",\"version\":\"9\"}", "not-found", "$.name", "package shop 9 does not exist" },
        { "deployment/get", "{\"uid\":\"1\"}", "invalid", "$.uid", "must be 32 hex digits" },
        { "registry/create", "{\"name\":\"charts\",\"type\":\"HELM\",\"rootUrl\":\"oci://r\"}", "exists", "$.name",
          "registry charts exists already" },
        { "registry/create", "{\"name\":\"x\",\"rootUrl\":\"oci://r\"}", "invalid", "$.type", "HELM for charts" },
        { "registry/create", "{\"name\":\"x\",\"type\":\"GIT\",\"rootUrl\":\"oci://r\"}", "invalid", "$.type", "HELM, IMAGE" },
        { "registry/create", "{\"name\":\"x\",\"type\":\"HELM\",\"rootUrl\":\"ftp://r\"}", "invalid", "$.rootUrl", "oci://" },
        { "registry/create", "{\"name\":\"X\",\"type\":\"HELM\",\"rootUrl\":\"oci://r\"}", "invalid", "$.name", "lower-case" },
        { "registry/create", "{\"type\":\"HELM\",\"rootUrl\":\"oci://r\"}", "invalid", "$.name", "is missing" },
        { "registry/create", "{\"name\":\"x\",\"type\":\"HELM\",\"rootUrl\":\"oci://r\",\"dryRun\":true}", "invalid", "$.dryRun",
          "is not a member" },
        { "registry/update", "{\"name\":\"x\",\"type\":\"HELM\",\"rootUrl\":\"oci://r\"}", "not-found", "$.name",
          "registry x does not exist" },
        { "registry/update", "{\"name\":\"charts\",\"type\":\"IMAGE\",\"rootUrl\":\"oci://r\"}", "in-use", "$.type",
          "its type cannot change" },
        { "registry/delete", "{\"name\":\"charts\"}", "in-use", "", "delete those first" },
        { "registry/delete", "{}", "invalid", "$.name", "$.name is missing" },
        { "artifact/create", "{\"name\":\"x\",\"mimeType\":\"a/b\",\"artifact\":\"AAAAAAAA\"}", "invalid", "$.mimeType",
          "image/png" },
        { "artifact/create", "{\"name\":\"x\",\"mimeType\":\"text/plain\",\"artifact\":\"?\"}", "invalid", "$.artifact", "base64" },
        { "artifact/create", "{\"name\":\"x\",\"mimeType\":\"text/plain\",\"artifact\":\"AA==\"}", "invalid", "$.artifact",
          "4 to" },
        { "application/create", "{\"name\":\"x\",\"version\":\"1\",\"chartName\":\"x\",\"chartVersion\":\"1\"}", "invalid",
          "$.helmRegistry", "is missing" },
        { "application/create",
          "{\"name\":\"x\",\"version\":\"1\",\"chartName\":\"x\",\"chartVersion\":\"1\",\"helmRegistry\":\"charts\","
          "\"imageRegistry\":"
          "\"charts\"}",
          "invalid", "$.imageRegistry", "not for images" },
        { "application/update",
          "{\"name\":\"web\",\"version\":\"1.0.0\",\"chartName\":\"other\",\"chartVersion\":\"1.4.0\",\"helmRegistry\":\"charts\"}",
          "conflict", "", "create a new version instead" },
        { "application/update",
          "{\"name\":\"web\",\"version\":\"2.0.0\",\"chartName\":\"web\",\"chartVersion\":\"2.4.0\",\"helmRegistry\":\"charts\","
          "\"profiles\":[{\"name\":\"new\",\"values\":{\"digest\":\"" WORLD_DIGEST("1") "\",\"size\":3}}]}",
          "invalid", "$.profiles", "send them as chartValues" },
        { "application/delete", "{\"name\":\"web\",\"version\":\"1.0.0\"}", "in-use", "", "used by packages" },
        { "package/create", "{\"name\":\"x\",\"version\":\"1\",\"applications\":[{\"name\":\"nope\",\"version\":\"1\"}]}",
          "invalid", "$.applications", "create or import it first" },
        { "package/create", "{\"name\":\"x\",\"version\":\"1\",\"applications\":[]}", "invalid", "$.applications",
          "1 to 100 items" },
        { "package/create",
          "{\"name\":\"x\",\"version\":\"1\",\"applications\":[{\"name\":\"web\",\"version\":\"1.0.0\"}],\"artifacts\":[{\"name\":"
          "\"nope\",\"purpose\":\"icon\"}]}",
          "invalid", "$.artifacts", "artifact nope does not exist" },
        { "package/update", "{\"name\":\"shop\",\"version\":\"1.0.0\",\"applications\":[{\"name\":\"web\",\"version\":\"1.0.0\"}]}",
          "conflict", "", "create a new version instead" },
        { "package/delete", "{\"name\":\"shop\",\"version\":\"1.0.0\"}", "in-use", "", "delete its deployments first" },
        { "deployment/create", "{\"name\":\"x\",\"package\":{\"name\":\"nope\",\"version\":\"1\"}}", "not-found", "$.package",
          "import it first" },
        { "deployment/create", "{\"name\":\"x\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"profile\":\"nope\"}",
          "invalid", "$.profile", "has no profile \"nope\"" },
        { "deployment/create",
          "{\"name\":\"x\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"overrides\":[{\"app\":\"nope\",\"values\":{}}]}",
          "invalid", "$.overrides[0].app", "has no application \"nope\"" },
        { "deployment/create",
          "{\"name\":\"x\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"overrides\":[{\"app\":\"web\",\"values\":[1]}]}",
          "invalid", "$.overrides[0].values", "must be an object" },
        { "deployment/create", "{\"name\":\"x\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"targets\":[{}]}", "invalid",
          "$.targets[0]", "either cluster or labels" },
        { "deployment/create",
          "{\"name\":\"x\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"targets\":[{\"labels\":{\"a\":\"b c\"}}]}",
          "invalid", "$.targets[0].labels.a", "is not a label value" },
        { "deployment/update",
          "{\"name\":\"s\",\"uid\":\"00000000000000000000000000000000\",\"package\":{\"name\":\"shop\",\"version\":"
          "\"1.0.0\"}}",
          "conflict", "$.uid", "look at it again" },
        { "deployment/update", "{\"name\":\"s\",\"resourceVersion\":9,\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"}}",
          "conflict", "$.resourceVersion", "changed meanwhile" },
        { "deployment/delete", "{\"name\":\"s\",\"uid\":\"00000000000000000000000000000000\"}", "conflict", "$.uid",
          "look at it again" },
        { "deployment/delete", "{\"name\":\"x\"}", "not-found", "$.name", "deployment x does not exist" },
        { "deployment/clusters", "{\"name\":\"x\"}", "not-found", "$.name", "deployment x does not exist" },
        { "deployment/clusters", "{\"name\":\"s\",\"pageToken\":\"x\"}", "invalid", "$.pageToken", "nextPageToken" },
        { "deployment/adopt", "{\"name\":\"x\"}", "not-found", "$.name", "deployment x does not exist" },
        { "deployment/adopt", "{\"name\":\"s\",\"uids\":[\"x\"]}", "invalid", "$.uids[0]", "32 hex digits" },
        { "deployment/resume", "{}", "invalid", "$.name", "$.name is missing" },
        { "cluster/create", "{\"name\":\"x\",\"labels\":{\"a b\":\"c\"}}", "invalid", "$.labels.a b", "label key" },
        { "cluster/create", "{\"name\":\"x\",\"labels\":{\"a\":\"-\"}}", "invalid", "$.labels.a", "label value" },
        { "cluster/orphans", "{\"name\":\"x\"}", "not-found", "$.name", "cluster x does not exist" },
        { "cluster/prune", "{\"name\":\"one\",\"deployment\":\"x\"}", "not-found", "$.deployment", "kedge get orphans" },
        { "cluster/adopt", "{\"name\":\"one\"}", "conflict", "", "has not said which enrolment" },
        { "cluster/leave", "{\"name\":\"x\"}", "not-found", "$.name", "cluster x does not exist" },
        { "cluster/list", "{\"filter\":\"x\"}", "invalid", "$.filter", "field=value" },
        { "cluster/list", "{\"orderBy\":\"name up\"}", "invalid", "$.orderBy", "asc or desc" },
        { "cluster/list", "{\"pageSize\":501}", "invalid", "$.pageSize", "0 to 500" },
        { "cluster/list", "{\"pageToken\":\"one\"}", "invalid", "$.pageToken", "nextPageToken" },
        { "upload/put", "{\"upload\":\"u\",\"part\":2,\"of\":1,\"data\":\"AAAA\"}", "invalid", "$.part", "2 of 1" },
        { "upload/put", "{\"upload\":\"u\",\"part\":0,\"of\":1,\"data\":\"AAAA\"}", "invalid", "$.part", "from 1" },
        { "upload/put", "{\"upload\":\"u/v\",\"part\":1,\"of\":1,\"data\":\"AAAA\"}", "invalid", "$.upload", "letters, digits" },
        { "upload/put", "{\"upload\":\"u\",\"part\":1,\"of\":1,\"data\":\"A\"}", "invalid", "$.data", "base64" },
        { "package/import", "{\"upload\":\"nope\"}", "not-found", "$.upload", "put its parts first" },
        { "content/get", "{\"digest\":\"x\"}", "invalid", "$.digest", "64 hex digits" },
        { "content/get", "{\"digest\":\"" WORLD_DIGEST("1") "\"}", "not-found", "$.digest", "no content with that digest" },
    };
    struct world *w = shared_world();
    for (size_t i = 0; i < KD_COUNT(rows); i++)
        world_bad(w, rows[i].request, rows[i].body, rows[i].code, rows[i].field, rows[i].words);
    world_free(w);
}

/** Create, get, update, delete of each kind. */
static void test_documents(void **state)
{
    (void)state;
    struct world *w = shared_world();
    (void)world_ok(
        w, "registry/update",
        "{\"name\":\"charts\",\"type\":\"HELM\",\"rootUrl\":\"oci://registry.local/charts\",\"userName\":\"u\",\"authToken\":"
        "\"geheim\"}");
    assert_string_equal(world_at(w, w->reply, "result.authToken"), "********"); /* secrets are not shown */
    assert_null(strstr(world_retained(w, "state/registry/charts"), "geheim"));
    assert_string_equal(world_at(w, w->reply, "result.resourceVersion"), "2");
    (void)world_ok(
        w, "registry/update",
        "{\"name\":\"charts\",\"type\":\"HELM\",\"rootUrl\":\"oci://registry.local/charts\",\"userName\":\"u\",\"authToken\":"
        "\"********\"}"); /* as it was shown: nothing changes */
    assert_string_equal(world_at(w, w->reply, "result.resourceVersion"), "2");
    (void)world_ok(w, "artifact/get", "{\"name\":\"icon\"}");
    assert_string_equal(world_at(w, w->reply, "result.content.size"), "11");
    (void)world_ok(w, "content/get", "{\"digest\":\"%s\"}", world_at(w, w->reply, "result.content.digest"));
    assert_string_equal(world_at(w, w->reply, "result.data"), "aGVsbG8gd29ybGQ=");
    (void)world_ok(w, "artifact/delete", "{\"name\":\"icon\"}");
    (void)world_ok(w, "package/get", "{\"name\":\"shop\",\"version\":\"1.0.0\"}");
    assert_string_equal(world_at(w, w->reply, "result.status.deployed"), "true");
    assert_string_equal(
        world_at(w, world_ok(w, "package/get", "{\"name\":\"shop\",\"version\":\"2.0.0\"}"), "result.status.deployed"), "false");
    (void)world_ok(
        w, "application/update", /* deployed: a profile may be added, others keep their values by their digest */
        "{\"name\":\"web\",\"version\":\"1.0.0\",\"chartName\":\"web\",\"chartVersion\":\"1.4.0\",\"helmRegistry\":\"charts\","
        "\"defaultProfile\":\"small\",\"profiles\":[{\"name\":\"small\",\"values\":%s},{\"name\":\"large\",\"chartValues\":"
        "\"replicas: 3\\n\"},{\"name\":\"huge\",\"chartValues\":\"replicas: 9\\n\"}]}",
        world_at(w, world_ok(w, "application/get", "{\"name\":\"web\",\"version\":\"1.0.0\"}"), "result.profiles[0].values"));
    assert_string_equal(world_at(w, w->reply, "result.profiles[2].name"), "huge");
    const char *uid = world_at(w, world_ok(w, "cluster/get", "{\"name\":\"one\"}"), "result.uid");
    (void)world_ok(w, "cluster/update", "{\"name\":\"one\",\"uid\":\"%s\",\"resourceVersion\":1,\"labels\":{\"b\":\"c\"}}", uid);
    assert_string_equal(world_at(w, w->reply, "result.uid"), uid);
    assert_string_equal(world_at(w, w->reply, "result.labels"), "{\"b\":\"c\"}");
    (void)world_ok(w, "cluster/delete", "{\"name\":\"one\",\"uid\":\"%s\"}", uid);
    assert_string_equal(world_retained(w, "state/cluster/one"), "");
    assert_string_equal(world_manifest(w, "one"), "");
    world_free(w);
}

static const char *ask_as(struct world *w, const char *operator_name, const char *request, const char *body)
{
    char topic[KD_TOPIC_MAX], to[128];
    (void)snprintf(topic, sizeof topic, KD_TOPIC_ROOT "default/request/%s/%s", operator_name, request);
    (void)snprintf(to, sizeof to, KD_TOPIC_ROOT "default/reply/%s/x", operator_name);
    struct co_message message = { .topic = kd_str(topic), .payload = kd_str(body), .response_topic = kd_str(to) };
    co_service_batch(w->service, &message, 1);
    (void)snprintf(w->reply, sizeof w->reply, "%s", world_last(w, to) ? world_last(w, to)->payload : "");
    return w->reply;
}

/** The same request with the same id acts once; another one with that id is a conflict; another operator has ids of his own. */
static void test_idempotent(void **state)
{
    (void)state;
    struct world *w = world_new();
    const char *body = "{\"id\":\"r-1\",\"name\":\"one\"}";
    char first[4096];
    assert_true(kd_str_copy(kd_str(world_ask(w, "cluster/create", body)), first, sizeof first));
    assert_non_null(strstr(first, "\"ok\":true"));
    assert_string_equal(world_ask(w, "cluster/create", body), first);
    world_restart(w);
    assert_string_equal(world_ask(w, "cluster/create", body), first);
    w->wall_ms += INT64_C(3) * 365 * 86400 * 1000; /* the clock was wrong and is put right: an hour is an hour all the same */
    world_pass(w, 120);
    assert_string_equal(world_ask(w, "cluster/create", body), first);
    world_bad(w, "cluster/create", "{\"id\":\"r-1\",\"name\":\"two\"}", "conflict", "$.id", "choose a new one");
    world_bad(w, "cluster/delete", body, "conflict", "$.id", "choose a new one");
    assert_non_null(strstr(ask_as(w, "bob", "cluster/create", body), "exists already"));
    world_bad(w, "cluster/create", "{\"id\":\"r-2\",\"name\":\"one\"}", "exists", "$.name", "exists already");
    (void)world_ok(w, "cluster/delete", "{\"name\":\"one\"}");
    world_bad(w, "cluster/create", "{\"id\":\"r-2\",\"name\":\"one\"}", "exists", "$.name", "exists already"); /* the same reply */
    world_pass(w, 3600 + 120); /* replies are kept for an hour */
    (void)world_ok(w, "cluster/create", "%s", body);
    assert_string_not_equal(w->reply, first);
    world_free(w);
}

/** Too many kept replies: refused until some have had their hour; reads go on. */
static void test_kept_replies_are_bounded(void **state)
{
    (void)state;
    struct world *w = world_new();
    for (int i = 0; i < 10000; i++) {
        char body[64];
        (void)snprintf(body, sizeof body, "{\"id\":\"r%d\",\"name\":\"x\"}", i);
        (void)ask_as(w, "ada", "cluster/leave", body);
        world_forget(w);
    }
    world_bad(w, "cluster/create", "{\"id\":\"more\",\"name\":\"one\"}", "unavailable", "", "try again later");
    (void)world_ok(w, "cluster/list", "{}");
    world_pass(w, 3600 + 120);
    (void)world_ok(w, "cluster/create", "{\"id\":\"more\",\"name\":\"one\"}");
    world_free(w);
}

/** Where replies go: below the operator's own prefix and nowhere else. */
static void test_reply_topics(void **state)
{
    (void)state;
    static const struct {
        const char *response, *body, *want; /* NULL: the request is not carried out */
    } rows[] = {
        { "kedge/v1/default/reply/ada/any/thing", "{}", "kedge/v1/default/reply/ada/any/thing" },
        { "kedge/v1/default/reply/bob/x", "{\"id\":\"i1\"}", "kedge/v1/default/reply/ada/i1" },
        { "kedge/v1/default/clusters/one/manifest", "{\"id\":\"i2\"}", "kedge/v1/default/reply/ada/i2" },
        { "kedge/v1/other/reply/ada/x", "{\"id\":\"i3\"}", "kedge/v1/default/reply/ada/i3" },
        { "kedge/v1/default/reply/ada/", "{\"id\":\"i4\"}", "kedge/v1/default/reply/ada/i4" },
        { "kedge/v1/default/reply/ada/+", "{\"id\":\"i5\"}", "kedge/v1/default/reply/ada/i5" },
        { "kedge/v1/default/reply/ada/a#", "{\"id\":\"i6\"}", "kedge/v1/default/reply/ada/i6" },
        { "", "{\"id\":\"i7\"}", "kedge/v1/default/reply/ada/i7" },
        { "", "{}", NULL },
        { "kedge/v1/default/reply/bob/x", "{}", NULL },
    };
    struct world *w = world_new();
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct co_message message = { .topic = KD_STR(KD_TOPIC_ROOT "default/request/ada/cluster/list"),
                                      .payload = kd_str(rows[i].body),
                                      .response_topic = kd_str(rows[i].response),
                                      .correlation = KD_STR("c-0-r") };
        uint64_t refused = co_service_counts(w->service).refused_messages;
        world_forget(w);
        co_service_batch(w->service, &message, 1);
        const struct world_message *reply = world_last(w, rows[i].want ? rows[i].want : "/x");
        if (!rows[i].want) {
            assert_null(reply);
            assert_int_equal(world_times(w, "/reply/"), 0);
            assert_int_equal(co_service_counts(w->service).refused_messages, refused + 1);
            assert_string_equal(w->last_event, "request.no-reply-topic");
            continue;
        }
        assert_non_null(reply);
        assert_string_equal(reply->topic, rows[i].want);
        assert_string_equal(reply->correlation, "c-0-r");
    }
    world_deliver(w, KD_TOPIC_ROOT "default/request/a~b/cluster/list", "{\"id\":\"x\"}", false); /* no operator's name */
    world_deliver(w, KD_TOPIC_ROOT "other/request/ada/cluster/list", "{\"id\":\"x\"}", false);   /* another project */
    assert_null(world_last(w, "/x"));
    world_free(w);
}

/** A request beyond the limit is answered, not decoded. */
static void test_too_large(void **state)
{
    (void)state;
    struct world *w = world_new();
    KD_AUTO(kd_buf_clear) struct kd_buf body = KD_BUF(400000);
    kd_buf_printf(&body, "{\"name\":\"%0262200d\"}", 0);
    world_bad(w, "cluster/create", body.p, "too-large", "", "at most 262144 are allowed");
    kd_buf_reset(&body);
    kd_buf_printf(&body, "{\"name\":\"%065600d\"}", 0);
    world_bad(w, "cluster/get", body.p, "too-large", "", "at most 65536 are allowed");
    world_free(w);
}

static void put(struct world *w, const char *upload, int part, int of, struct kd_str bytes)
{
    KD_AUTO(kd_buf_clear) struct kd_buf data = KD_BUF(400000);
    kd_base64_add(&data, bytes);
    (void)world_ok(w, "upload/put", "{\"upload\":\"%s\",\"part\":%d,\"of\":%d,\"data\":\"%s\"}", upload, part, of, data.p);
}

#define YAML_REGISTRY "specSchema: Registry\nschemaVersion: \"0.1\"\nname: charts\ntype: HELM\nrootUrl: oci://r.local/charts\n"
#define YAML_APP(version)                                                                                                          \
    "specSchema: Application\nschemaVersion: \"0.1\"\nname: web\nversion: " version                                                \
    "\nchartName: web\nchartVersion: 1.4.0\nhelmRegistry: charts\nprofiles:\n- name: default\n  chartValues: |\n    a: 1\n"
#define YAML_PACKAGE(version)                                                                                                      \
    "specSchema: DeploymentPackage\nschemaVersion: \"0.1\"\nname: shop\nversion: " version                                         \
    "\napplications:\n- name: web\n  version: " version "\n"

/** Parts in any order, twice, missing; unused ones go after an hour; too many open ones are refused. */
static void test_uploads(void **state)
{
    (void)state;
    struct world *w = world_new();
    const struct kd_str yaml = KD_STR(YAML_PACKAGE("1.0.0") "---\n" YAML_APP("1.0.0") "---\n" YAML_REGISTRY);
    const struct kd_str piece[] = { { yaml.p, 50 }, { yaml.p + 50, 100 }, { yaml.p + 150, yaml.n - 150 } };
    put(w, "u", 3, 3, piece[2]);
    assert_string_equal(world_at(w, w->reply, "result.missing"), "[1,2]");
    put(w, "u", 1, 3, piece[0]);
    put(w, "u", 1, 3, piece[0]);
    assert_string_equal(world_at(w, w->reply, "result.missing"), "[2]");
    world_bad(w, "package/import", "{\"upload\":\"u\"}", "unavailable", "$.upload", "part 2 of upload u is missing");
    world_bad(w, "upload/put", "{\"upload\":\"u\",\"part\":1,\"of\":4,\"data\":\"AAAA\"}", "conflict", "$.of", "has 3 parts");
    world_bad(w, "package/import", "{\"upload\":\"v\"}", "not-found", "$.upload", "there is no upload v");
    assert_non_null(strstr(ask_as(w, "bob", "package/import", "{\"upload\":\"u\"}"), "not-found")); /* another operator's */
    put(w, "u", 2, 3, piece[1]);
    assert_string_equal(world_at(w, w->reply, "result.complete"), "true");
    (void)world_ok(w, "package/import", "{\"upload\":\"u\"}");
    assert_string_equal(world_at(w, w->reply, "result.imported[0].kind"), "registry");
    assert_string_equal(world_at(w, w->reply, "result.imported[1].kind"), "application");
    assert_string_equal(world_at(w, w->reply, "result.imported[2].action"), "created");
    world_bad(w, "package/import", "{\"upload\":\"u\"}", "not-found", "$.upload", "put its parts first"); /* it is used up */
    put(w, "again", 1, 1, yaml);
    (void)world_ok(w, "package/import", "{\"upload\":\"again\"}");
    for (int i = 0; i < 3; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "result.imported[%d].action", i);
        assert_string_equal(world_at(w, w->reply, path), "unchanged");
    }
    for (int i = 0; i < 16; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "open%d", i);
        put(w, name, 1, 2, KD_STR("x"));
    }
    world_bad(w, "upload/put", "{\"upload\":\"more\",\"part\":1,\"of\":1,\"data\":\"AAAA\"}", "unavailable", "",
              "16 uploads are open");
    world_pass(w, 3600 + 120);
    put(w, "more", 1, 1, KD_STR("x"));
    world_bad(w, "package/import", "{\"upload\":\"open1\"}", "not-found", "$.upload", "there is no upload open1");
    world_free(w);
}

/** An import is one change: one bad document, and nothing of it is there. */
static void test_import_is_one_change(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *code, *field, *words;
    } rows[] = {
        { YAML_REGISTRY "---\n" YAML_APP("1.0.0") "---\n" YAML_PACKAGE("2.0.0"), "invalid", "$.applications",
          "upload.yaml: application web 2.0.0 does not exist" },
        { YAML_REGISTRY "---\n" YAML_APP("1.0.0") "colour: red\n", "invalid", "$.colour", "is not a member of an application" },
        { YAML_REGISTRY "---\nspecSchema: Recipe\nname: x\n", "invalid", "$.specSchema", "\"Recipe\" is not known" },
        { YAML_REGISTRY "---\nspecSchema: Registry\nschemaVersion: \"9\"\nname: x\n", "invalid", "$.schemaVersion", "0.1 is" },
        { YAML_REGISTRY "---\nspecSchema: Registry\nname: [x\n", "invalid", "upload.yaml", "line 9" },
        { "name: values\n", "invalid", "", "no document with specSchema" },
        { "\x1f\x8b not a gzip file", "invalid", "", "the archive cannot be read" },
        { "specSchema: Application\nname: web\nversion: 1.0.0\nchartName: web\nchartVersion: 1.4.0\nhelmRegistry: "
          "charts\nprofiles:\n"
          "- name: default\n  valuesFileName: values.yaml\n",
          "invalid", "$.profiles", "names the values file values.yaml, which is not there" },
    };
    struct world *w = world_new();
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        put(w, "u", 1, 1, kd_str(rows[i].yaml));
        world_bad(w, "package/import", "{\"upload\":\"u\"}", rows[i].code, rows[i].field, rows[i].words);
        assert_int_equal(world_count(world_ok(w, "registry/list", "{}"), "items"), 0);
        assert_int_equal(world_count(world_ok(w, "application/list", "{}"), "items"), 0);
    }
    world_free(w);
}

/** Pages, filters, orders; items are the same views as get gives. */
static void test_lists(void **state)
{
    (void)state;
    struct world *w = world_new();
    for (int i = 0; i < 45; i++)
        (void)world_ok(w, "cluster/create", "{\"name\":\"c%02d\",\"displayName\":\"Store %02d %s\",\"labels\":{\"parity\":\"%s\"}}",
                       i, 44 - i, i < 5 ? "Münster" : "Ulm", i % 2 ? "odd" : "even");
    (void)world_ok(w, "cluster/list", "{}");
    assert_int_equal(world_count(w->reply, "items"), 20);
    assert_string_equal(world_at(w, w->reply, "result.totalSize"), "45");
    assert_string_equal(world_at(w, w->reply, "result.nextPageToken"), "20");
    (void)world_ok(w, "cluster/list", "{\"pageSize\":30,\"pageToken\":\"30\"}");
    assert_int_equal(world_count(w->reply, "items"), 15);
    assert_string_equal(world_at(w, w->reply, "result.nextPageToken"), "");
    assert_string_equal(world_at(w, w->reply, "result.items[14].name"), "c44");
    (void)world_ok(w, "cluster/list", "{\"orderBy\":\"displayName desc\",\"pageSize\":1}");
    assert_string_equal(world_at(w, w->reply, "result.items[0].name"), "c00");
    (void)world_ok(w, "cluster/list", "{\"filter\":\"displayName=store*münster OR name=C44\",\"pageSize\":100}");
    assert_string_equal(world_at(w, w->reply, "result.totalSize"), "6");
    (void)world_ok(w, "cluster/list", "{\"filter\":\"state=unknown\"}");
    assert_string_equal(world_at(w, w->reply, "result.totalSize"), "45");
    (void)world_ok(w, "cluster/list", "{\"filter\":\"resourceVersion=**\"}"); /* no text */
    assert_string_equal(world_at(w, w->reply, "result.totalSize"), "45");
    (void)world_ok(w, "cluster/list", "{\"labels\":{\"parity\":\"odd\"},\"pageSize\":100}");
    assert_int_equal(world_count(w->reply, "items"), 22);
    (void)world_ok(w, "cluster/list", "{\"labels\":{\"parity\":\"no\"}}");
    assert_string_equal(world_at(w, w->reply, "result.items"), "[]");
    world_free(w);
}

/** A package that forbids several deployments has one. */
static void test_one_deployment(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_catalog(w);
    (void)world_ok(w, "package/create",
                   "{\"name\":\"only\",\"version\":\"1\",\"forbidsMultipleDeployments\":true,\"applications\":[{\"name\":\"web\","
                   "\"version\":\"1.0.0\"}]}");
    (void)world_ok(w, "deployment/create", "{\"name\":\"a\",\"package\":{\"name\":\"only\",\"version\":\"1\"}}");
    assert_string_equal(world_at(w, w->reply, "result.status.state"), "deploying"); /* it waits for its registry */
    world_bad(w, "deployment/create", "{\"name\":\"b\",\"package\":{\"name\":\"only\",\"version\":\"1\"}}", "conflict", "",
              "forbids several deployments");
    world_answer(w, KD_OK, WORLD_DIGEST("a"));
    assert_string_equal(world_state(w, "a"), "no-target-clusters");
    (void)world_ok(w, "deployment/delete", "{\"name\":\"a\"}");
    (void)world_ok(w, "deployment/create", "{\"name\":\"b\",\"package\":{\"name\":\"only\",\"version\":\"1\"}}");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_documents),
        cmocka_unit_test(test_idempotent),   cmocka_unit_test(test_kept_replies_are_bounded),
        cmocka_unit_test(test_reply_topics), cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_uploads),      cmocka_unit_test(test_import_is_one_change),
        cmocka_unit_test(test_lists),        cmocka_unit_test(test_one_deployment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
