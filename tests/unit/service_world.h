/** The coordinator's service over stores in memory, with a small double of what is around it: a broker that keeps retained messages and
 *  answers publishes, registries that answer when the test says so, time that moves when the test says so. */
#ifndef KD_TESTS_SERVICE_WORLD_H
#define KD_TESTS_SERVICE_WORLD_H

#include "coordinator/server/restore.h"
#include "coordinator/server/service.h"
#include "coordinator/server/tables.h"
#include "shared/base/own.h"
#include "shared/model/digest.h"
#include "shared/model/messages.h"
#include "tests/unit/unit.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORLD_SENT = 20000, WORLD_RETAINED = 20000, WORLD_LOOKUPS = 64, WORLD_TEXTS = 64, WORLD_JSON = 1 << 20 };

struct world_message {
    char *topic, *payload, *correlation; /* owned */
    bool retain;
    uint64_t token;
};

struct world_lookup {
    uint64_t id;
    char chart[256];
};

struct world {
    struct kd_store *spec, *status;
    struct co_service *service;
    int64_t now_us, wall_ms;
    uint64_t chance;
    struct world_message sent[WORLD_SENT]; /* everything since world_forget */
    size_t sent_n;
    struct world_message retained[WORLD_RETAINED];
    size_t retained_n;
    uint64_t pending[1024]; /* tokens to be answered */
    int pending_reason[1024];
    size_t pending_n;
    struct world_message back[64]; /* what the coordinator sends to itself */
    size_t back_n;
    struct world_lookup lookups[WORLD_LOOKUPS];
    size_t lookups_n;
    const char *refuse; /* publishes whose topic contains this are refused */
    const char *hang;   /* publishes whose topic contains this are never answered */
    bool full;          /* the transport has no room */
    char reply[WORLD_JSON];
    char last_event[64];
    char texts[WORLD_TEXTS][512];
    size_t text_at;
    unsigned requests;
};

static inline char *world_copy(struct kd_str s)
{
    char *copy = malloc(s.n + 1);
    assert_non_null(copy);
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

static inline void world_message_clear(struct world_message *m)
{
    free(m->topic);
    free(m->payload);
    free(m->correlation);
    *m = (struct world_message){ 0 };
}

static inline void world_keep(struct world *w, const struct co_publish *m)
{
    for (size_t i = 0; i < w->retained_n; i++)
        if (kd_str_is(m->topic, w->retained[i].topic)) {
            world_message_clear(&w->retained[i]);
            w->retained[i] = w->retained[--w->retained_n];
            break;
        }
    if (m->payload.n == 0)
        return;
    assert_true(w->retained_n < WORLD_RETAINED);
    w->retained[w->retained_n++] = (struct world_message){ .topic = world_copy(m->topic), .payload = world_copy(m->payload) };
}

static inline bool world_publish(void *ctx, const struct co_publish *m)
{
    struct world *w = ctx;
    if (w->full)
        return false;
    assert_true(w->sent_n < WORLD_SENT);
    w->sent[w->sent_n++] = (struct world_message){ world_copy(m->topic), world_copy(m->payload), world_copy(m->correlation),
                                                   m->retain, m->token };
    bool refused = w->refuse && m->token && strstr(w->sent[w->sent_n - 1].topic, w->refuse);
    if (m->retain && !refused)
        world_keep(w, m);
    if (kd_str_ends(m->topic, KD_STR("/marker"))) {
        assert_true(w->back_n < 64);
        w->back[w->back_n++] = (struct world_message){ .topic = world_copy(m->topic), .payload = world_copy(m->payload) };
    }
    if (m->token && !(w->hang && strstr(w->sent[w->sent_n - 1].topic, w->hang))) {
        assert_true(w->pending_n < 1024);
        w->pending_reason[w->pending_n] = refused ? 0x97 : 0;
        w->pending[w->pending_n++] = m->token;
    }
    return true;
}

static inline size_t world_room(void *ctx)
{
    return ((struct world *)ctx)->full ? 0 : 1000;
}

static inline void world_resolve(void *ctx, const struct co_lookup *lookup)
{
    struct world *w = ctx;
    assert_true(w->lookups_n < WORLD_LOOKUPS);
    struct world_lookup *one = &w->lookups[w->lookups_n++];
    one->id = lookup->id;
    (void)snprintf(one->chart, sizeof one->chart, "%.*s/%.*s:%.*s", KD_ARG(lookup->root_url), KD_ARG(lookup->chart),
                   KD_ARG(lookup->version));
}

static inline struct kd_mono world_now(void *ctx)
{
    return (struct kd_mono){ ((struct world *)ctx)->now_us };
}

static inline struct kd_wall world_wall(void *ctx)
{
    return (struct kd_wall){ ((struct world *)ctx)->wall_ms };
}

static inline uint64_t world_chance(void *ctx)
{
    struct world *w = ctx;
    w->chance = w->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return w->chance ^ w->chance >> 29;
}

static inline void world_log(void *ctx, int level, const char *event, const char *text)
{
    struct world *w = ctx;
    if (level <= 4)
        (void)snprintf(w->last_event, sizeof w->last_event, "%s", event);
    if (getenv("WORLD_LOG"))
        print_message("%d %s %s\n", level, event, text);
}

/** The broker tells what it has retained below the filter, as it does after a subscription. */
static inline void world_subscribe(void *ctx, struct kd_str filter, bool on);

static const struct co_service_ops world_ops = { .publish = world_publish,
                                                 .room = world_room,
                                                 .subscribe = world_subscribe,
                                                 .resolve = world_resolve,
                                                 .now = world_now,
                                                 .wall = world_wall,
                                                 .chance = world_chance,
                                                 .log = world_log };

static inline struct co_service_options world_options(void)
{
    return (struct co_service_options){ .project = KD_STR("default"),
                                        .hello_interval_us = 10 * KD_US_PER_S,
                                        .grace_us = 2 * KD_US_PER_S,
                                        .spread_s = 5,
                                        .object_keep_us = 86400 * KD_US_PER_S };
}

static inline void world_forget(struct world *w)
{
    for (size_t i = 0; i < w->sent_n; i++)
        world_message_clear(&w->sent[i]);
    w->sent_n = 0;
}

static inline void world_deliver(struct world *w, const char *topic, const char *payload, bool retain)
{
    struct co_message message = { .topic = kd_str(topic), .payload = kd_str(payload), .retain = retain };
    co_service_batch(w->service, &message, 1);
}

/** Topics below kedge/v1/default/ that start with the filter's fixed part: enough for the coordinator's own filters. */
static inline bool world_matches(const char *topic, struct kd_str filter)
{
    struct kd_topic a, b;
    char text[KD_TOPIC_MAX + 1];
    (void)kd_str_copy(filter, text, sizeof text);
    for (char *c = text; *c; c++)
        *c = *c == '+' ? 'x' : *c;
    return kd_topic_parse(kd_str(topic), &a) && kd_topic_parse(kd_str(text), &b) && a.kind == b.kind;
}

static char world_filters[8][KD_TOPIC_MAX + 1]; /* subscribed, their retained messages still to come */
static size_t world_filters_n;

static inline void world_subscribe(void *ctx, struct kd_str filter, bool on)
{
    (void)ctx;
    if (on && world_filters_n < 8)
        (void)kd_str_copy(filter, world_filters[world_filters_n++], KD_TOPIC_MAX + 1);
}

static inline void world_give_retained(struct world *w)
{
    while (world_filters_n) {
        struct kd_str filter = kd_str(world_filters[--world_filters_n]);
        for (size_t i = 0; i < w->retained_n; i++)
            if (world_matches(w->retained[i].topic, filter)) {
                char *topic = world_copy(kd_str(w->retained[i].topic)), *payload = world_copy(kd_str(w->retained[i].payload));
                world_deliver(w, topic, payload, true);
                free(topic);
                free(payload);
            }
    }
}

/** One exchange with the broker; false when there is nothing left to do. */
static inline bool world_turn(struct world *w)
{
    bool busy = w->pending_n || w->back_n || world_filters_n;
    world_give_retained(w);
    size_t n = w->pending_n;
    for (size_t i = 0; i < n; i++)
        co_service_published(w->service, w->pending[i], w->pending_reason[i]);
    memmove(w->pending, w->pending + n, (w->pending_n - n) * sizeof w->pending[0]);
    memmove(w->pending_reason, w->pending_reason + n, (w->pending_n - n) * sizeof w->pending_reason[0]);
    w->pending_n -= n;
    for (size_t i = 0, back = w->back_n; i < back; i++) {
        world_deliver(w, w->back[0].topic, w->back[0].payload, false);
        world_message_clear(&w->back[0]);
        memmove(w->back, w->back + 1, --w->back_n * sizeof w->back[0]);
    }
    (void)co_service_tick(w->service);
    return busy;
}

static inline void world_run(struct world *w)
{
    for (int i = 0; i < 2000; i++)
        if (!world_turn(w) && !w->pending_n && !w->back_n)
            return;
    fail_msg("the coordinator does not come to rest");
}

/** Time passes in steps of at most a second. */
static inline void world_pass(struct world *w, int64_t seconds)
{
    for (int64_t i = 0; i < seconds; i++) {
        w->now_us += KD_US_PER_S;
        w->wall_ms += 1000;
        if (i < 100 || i % 60 == 0 || i + 1 == seconds)
            world_run(w);
    }
}

static inline void world_connect(struct world *w)
{
    for (size_t i = 0; i < w->retained_n; i++)
        if (strstr(w->retained[i].topic, "/marker")) {
            co_service_connected(w->service);
            world_deliver(w, w->retained[i].topic, w->retained[i].payload, true);
            world_run(w);
            return;
        }
    co_service_connected(w->service);
    world_run(w);
}

static inline void world_disconnect(struct world *w)
{
    co_service_disconnected(w->service);
    w->pending_n = 0;
    world_filters_n = 0;
    while (w->back_n)
        world_message_clear(&w->back[--w->back_n]);
}

static inline void world_open(struct world *w)
{
    struct kd_err err;
    struct co_service_options options = world_options();
    assert_ok(co_service_open(&options, w->spec, w->status, &world_ops, w, &w->service, &err), err);
}

/** The process ends and starts again over the same stores. */
static inline void world_restart(struct world *w)
{
    world_disconnect(w);
    w->service = co_service_close(w->service);
    w->lookups_n = 0;
    world_open(w);
    world_connect(w);
}

static inline struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    struct kd_err err;
    assert_non_null(w);
    w->now_us = 1000 * KD_US_PER_S;
    w->wall_ms = INT64_C(1800000000000);
    w->chance = 42;
    world_filters_n = 0;
    assert_ok(kd_store_open_memory(CO_SPEC_TABLE_COUNT, &w->spec, &err), err);
    assert_ok(kd_store_open_memory(CO_STATUS_TABLE_COUNT, &w->status, &err), err);
    world_open(w);
    world_connect(w);
    return w;
}

static inline void world_free(struct world *w)
{
    world_disconnect(w);
    w->service = co_service_close(w->service);
    w->spec = kd_store_close(w->spec);
    w->status = kd_store_close(w->status);
    world_forget(w);
    while (w->retained_n)
        world_message_clear(&w->retained[--w->retained_n]);
    free(w);
}

/* ---- looking ---- */

/** A value in a JSON text by its path ("result.items[0].name"), as text; numbers, true and objects as JSON. "" where there is none. */
static inline const char *world_at(struct world *w, const char *json, const char *path)
{
    char *text = w->texts[w->text_at++ % WORLD_TEXTS];
    cJSON *tree = cJSON_Parse(json);
    const cJSON *at = tree;
    text[0] = '\0';
    if (!tree)
        return text;
    for (struct kd_str rest = kd_str(path); at && rest.n;) {
        size_t n = strcspn(rest.p, ".[");
        char name[128];
        n = n < rest.n ? n : rest.n;
        (void)snprintf(name, sizeof name, "%.*s", (int)n, rest.p);
        if (n)
            at = cJSON_GetObjectItemCaseSensitive(at, name);
        rest = (struct kd_str){ rest.p + n, rest.n - n };
        if (rest.n && rest.p[0] == '[') {
            at = cJSON_GetArrayItem(at, (int)strtol(rest.p + 1, NULL, 10));
            size_t close = strcspn(rest.p, "]") + 1;
            rest = (struct kd_str){ rest.p + close, rest.n - close };
        }
        if (rest.n && rest.p[0] == '.')
            rest = (struct kd_str){ rest.p + 1, rest.n - 1 };
    }
    char *printed = at && !cJSON_IsString(at) ? cJSON_PrintUnformatted(at) : NULL;
    if (at)
        (void)snprintf(text, sizeof w->texts[0], "%s", printed ? printed : at->valuestring);
    cJSON_free(printed);
    cJSON_Delete(tree);
    return text;
}

static inline size_t world_count(const char *json, const char *member)
{
    cJSON *tree = cJSON_Parse(json);
    const cJSON *at = cJSON_GetObjectItemCaseSensitive(tree, "result");
    size_t n = (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(at, member));
    cJSON_Delete(tree);
    return n;
}

/** The newest message that was sent on a topic that ends so; NULL if there is none. */
static inline const struct world_message *world_last(const struct world *w, const char *topic_end)
{
    for (size_t i = w->sent_n; i > 0; i--)
        if (kd_str_ends(kd_str(w->sent[i - 1].topic), kd_str(topic_end)))
            return &w->sent[i - 1];
    return NULL;
}

static inline size_t world_times(const struct world *w, const char *topic_part)
{
    size_t n = 0;
    for (size_t i = 0; i < w->sent_n; i++)
        n += strstr(w->sent[i].topic, topic_part) != NULL;
    return n;
}

/** What the broker has retained on kedge/v1/default/<rest>; "" if nothing. */
static inline const char *world_retained(const struct world *w, const char *rest)
{
    char topic[KD_TOPIC_MAX + 1];
    (void)snprintf(topic, sizeof topic, KD_TOPIC_ROOT "default/%s", rest);
    for (size_t i = 0; i < w->retained_n; i++)
        if (strcmp(w->retained[i].topic, topic) == 0)
            return w->retained[i].payload;
    return "";
}

static inline const char *world_manifest(const struct world *w, const char *cluster)
{
    char rest[128];
    (void)snprintf(rest, sizeof rest, "clusters/%s/manifest", cluster);
    return world_retained(w, rest);
}

/** What is retained for a digest ("sha256:…"). */
static inline const char *world_object(const struct world *w, const char *digest)
{
    char rest[128];
    (void)snprintf(rest, sizeof rest, "objects/%.*s", KD_DIGEST_HEX, strlen(digest) > 7 ? digest + 7 : "-");
    return world_retained(w, rest);
}

/* ---- operators ---- */

/** Sends a request as operator ada and returns the reply. */
static inline const char *world_ask(struct world *w, const char *request, const char *body)
{
    char topic[KD_TOPIC_MAX], to[64];
    (void)snprintf(topic, sizeof topic, KD_TOPIC_ROOT "default/request/ada/%s", request);
    (void)snprintf(to, sizeof to, KD_TOPIC_ROOT "default/reply/ada/r%u", ++w->requests);
    struct co_message message = { .topic = kd_str(topic), .payload = kd_str(body), .response_topic = kd_str(to) };
    co_service_batch(w->service, &message, 1);
    const struct world_message *reply = world_last(w, to);
    (void)snprintf(w->reply, sizeof w->reply, "%s", reply ? reply->payload : "");
    world_run(w);
    return w->reply;
}

/** The request must succeed. */
#define world_ok(w, request, ...) world_ok_(w, request, __FILE__, __LINE__, __VA_ARGS__)
__attribute__((format(printf, 5, 6))) static inline const char *world_ok_(struct world *w, const char *request, const char *file,
                                                                          int line, const char *fmt, ...)
{
    char *body = NULL;
    va_list args;
    va_start(args, fmt);
    assert_true(vasprintf(&body, fmt, args) >= 0);
    va_end(args);
    const char *reply = world_ask(w, request, body);
    if (strncmp(reply, "{\"ok\":true,", 11) != 0) {
        print_error("%s %s\n-> %s\n", request, body, reply);
        _fail(file, line);
    }
    free(body);
    return reply;
}

/** The request must fail with this code, field ("" if none) and words in its message. */
#define world_bad(w, request, body, code, field, words) world_bad_(w, request, body, code, field, words, __FILE__, __LINE__)
static inline void world_bad_(struct world *w, const char *request, const char *body, const char *code, const char *field,
                              const char *words, const char *file, int line)
{
    const char *reply = world_ask(w, request, body);
    if (strcmp(world_at(w, reply, "error.code"), code) == 0 && strcmp(world_at(w, reply, "error.field"), field) == 0 &&
        strstr(world_at(w, reply, "error.message"), words))
        return;
    print_error("%s %s\n-> %s\nwant %s %s \"%s\"\n", request, body, reply, code, field, words);
    _fail(file, line);
}

#define WORLD_DIGEST(c)                                                                                                            \
    "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c  \
        c c c c c c

#define WORLD_UID(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c

/** Answers the newest question to a registry. */
static inline void world_answer(struct world *w, enum kd_code code, const char *answer)
{
    assert_true(w->lookups_n > 0);
    co_service_resolved(w->service, w->lookups[--w->lookups_n].id, code, kd_str(answer));
    world_run(w);
}

/** A registry, an application "web" and a package "shop" 1.0.0, and a version 2.0.0 with another chart. */
static inline void world_catalog(struct world *w)
{
    (void)world_ok(w, "registry/create", "{\"name\":\"charts\",\"type\":\"HELM\",\"rootUrl\":\"oci://registry.local/charts\"}");
    for (int v = 1; v <= 2; v++) {
        (void)world_ok(
            w, "application/create",
            "{\"name\":\"web\",\"version\":\"%d.0.0\",\"chartName\":\"web\",\"chartVersion\":\"%d.4.0\",\"helmRegistry\":"
            "\"charts\",\"defaultProfile\":\"small\",\"profiles\":[{\"name\":\"small\",\"chartValues\":\"replicas: 1\\n\"},"
            "{\"name\":\"large\",\"chartValues\":\"replicas: 3\\n\"}]}",
            v, v);
        (void)world_ok(
            w, "package/create",
            "{\"name\":\"shop\",\"version\":\"%d.0.0\",\"applications\":[{\"name\":\"web\",\"version\":\"%d.0.0\"}],"
            "\"defaultNamespaces\":{\"web\":\"shop\"},\"deploymentProfiles\":[{\"name\":\"default\",\"applicationProfiles\":"
            "[{\"application\":\"web\",\"profile\":\"small\"}]},{\"name\":\"big\",\"applicationProfiles\":[{\"application\":"
            "\"web:%d.0.0\",\"profile\":\"large\"}]}],\"defaultProfile\":\"default\"}",
            v, v, v);
    }
}

static inline void world_cluster(struct world *w, const char *name, const char *site)
{
    (void)world_ok(w, "cluster/create", "{\"name\":\"%s\",\"labels\":{\"site\":\"%s\"}}", name, site);
}

/** Deploys shop 1.0.0 by the label site=<site>; its chart is pinned if that was not done before. Returns the uid. */
static inline const char *world_deploy(struct world *w, const char *name, const char *site)
{
    const char *uid = world_at(w,
                               world_ok(w, "deployment/create",
                                        "{\"name\":\"%s\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"targets\":[{"
                                        "\"labels\":{\"site\":\"%s\"}}]}",
                                        name, site),
                               "result.uid");
    while (w->lookups_n)
        world_answer(w, KD_OK, WORLD_DIGEST("a"));
    return uid;
}

/* ---- agents ---- */

/** A hello of a cluster; `more` are further members, beginning with a comma. */
static inline void world_hello(struct world *w, const char *cluster, const char *state, int start, int connection, const char *more)
{
    char topic[128], payload[4096];
    (void)snprintf(topic, sizeof topic, KD_TOPIC_ROOT "default/clusters/%s/hello", cluster);
    (void)snprintf(payload, sizeof payload,
                   "{\"state\":\"%s\",\"session\":\"s%d\",\"start\":%d,\"connection\":%d,\"store\":\"store1\"%s}", state, start,
                   start, connection, more);
    world_deliver(w, topic, payload, false);
    world_run(w);
}

/** A hello that says it has the manifest which is retained for it. */
static inline void world_hello_current(struct world *w, const char *cluster, int start, int connection)
{
    char more[256];
    const char *manifest = world_manifest(w, cluster);
    struct kd_digest digest = kd_digest_of(kd_str(manifest));
    (void)snprintf(more, sizeof more, ",\"manifest\":{\"epoch\":%s,\"n\":%s,\"digest\":\"%s\"}",
                   world_at(w, manifest, "version.epoch"), world_at(w, manifest, "version.n"), digest.text);
    world_hello(w, cluster, "online", start, connection, more);
}

static inline void world_status(struct world *w, const char *cluster, const char *deployment, const char *uid, const char *digest,
                                const char *state, int session, int sequence)
{
    char topic[192], payload[1024], digest_member[128] = "";
    (void)snprintf(topic, sizeof topic, KD_TOPIC_ROOT "default/clusters/%s/status/%s", cluster, deployment);
    if (digest[0])
        (void)snprintf(digest_member, sizeof digest_member, "\"digest\":\"%s\",", digest);
    (void)snprintf(payload, sizeof payload,
                   "{\"deployment\":\"%s\",\"uid\":\"%s\",%s\"session\":\"s%d\",\"sequence\":%d,\"state\":\"%s\",\"apps\":[]}",
                   deployment, uid, digest_member, session, sequence, state);
    world_deliver(w, topic, payload, false);
    world_run(w);
}

/** The newest ack to a cluster; "" if there was none since world_forget. */
static inline const char *world_ack(const struct world *w, const char *cluster)
{
    char topic[128];
    (void)snprintf(topic, sizeof topic, "clusters/%s/ack", cluster);
    const struct world_message *ack = world_last(w, topic);
    return ack ? ack->payload : "";
}

static inline const char *world_state(struct world *w, const char *deployment)
{
    return world_at(w, world_ok(w, "deployment/get", "{\"name\":\"%s\"}", deployment), "result.status.state");
}

#endif
