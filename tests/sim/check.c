/** What must hold: while it runs, that nothing is removed that no operator removed; at the end, that the coordinator, the agents and what
 *  truly runs say the same, and that only hellos are heard. */
#include "coordinator/core/presence.h"
#include "coordinator/core/sums.h"
#include "coordinator/server/tables.h"
#include "shared/base/own.h"
#include "shared/model/digest.h"
#include "shared/model/topic.h"
#include "tests/sim/sim.h"

#include <stdio.h>

enum { SIM_PER_HOUR = 2 /* messages of one topic in the quiet hour */, SIM_VIEWS_PER_HOUR = 4 };

/* ---- removals ---- */

static bool sim_is_removal(const struct kd_manifest *manifest, struct kd_str uid)
{
    for (size_t i = 0; i < manifest->remove.n; i++)
        if (kd_str_eq(manifest->remove.v[i].uid, uid))
            return true;
    return manifest->leave;
}

/** A version says one thing: it is never given twice. */
static void sim_check_version(struct sim *sim, const struct kd_manifest *manifest, struct kd_str payload)
{
    char version[64];
    uint64_t hash = 1469598103934665603U;
    for (size_t i = 0; i < payload.n; i++)
        hash = (hash ^ (unsigned char)payload.p[i]) * 1099511628211U;
    int n = snprintf(version, sizeof version, "%llu/%llu", (unsigned long long)manifest->version.epoch,
                     (unsigned long long)manifest->version.n);
    uint64_t *known = kd_map_put(&sim->versions, (struct kd_str){ version, (size_t)n });
    if (known && *known && *known != hash)
        sim_fail(sim, "the version {%llu, %llu} is given to two manifests", (unsigned long long)manifest->version.epoch,
                 (unsigned long long)manifest->version.n);
    if (known)
        *known = hash;
}

void sim_check_manifest(struct sim *sim, struct kd_str payload)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_DOCUMENT_MAX);
    struct kd_manifest manifest;
    struct kd_err err;
    if (kd_json_decode(&kd_manifest_shape, payload, &arena, &manifest, &err) != KD_OK) {
        sim_fail(sim, "a manifest cannot be read: %s", err.story);
        return;
    }
    sim_check_version(sim, &manifest, payload);
    struct kd_str cluster = manifest.cluster;
    (void)kd_str_cut(&cluster, '/');
    for (size_t i = 0; i < manifest.remove.n; i++)
        if (!sim_is_allowed(sim, cluster, manifest.remove.v[i].name, manifest.remove.v[i].uid))
            sim_fail(sim, "the manifest of %.*s removes %.*s uid %.*s, which no operator removed", KD_ARG(cluster),
                     KD_ARG(manifest.remove.v[i].name), KD_ARG(manifest.remove.v[i].uid));
}

/** True if the document that the edge has does not name the application any more. */
static bool sim_is_surplus(struct sim_edge *edge, const struct kd_manifest_entry *entry, struct kd_str app, struct kd_arena *arena)
{
    KD_AUTO(kd_buf_clear) struct kd_buf bytes = KD_BUF(KD_VALUE_MAX);
    struct kd_document document;
    struct kd_str hex = { entry->document.digest.p + 7, KD_DIGEST_HEX };
    if (!sim_edge_row(edge, AG_TABLE_DOCUMENT, hex, &bytes) ||
        kd_json_decode(&kd_document_shape, kd_buf_str(&bytes), arena, &document, NULL) != KD_OK)
        return false;
    for (size_t i = 0; i < document.apps.n; i++)
        if (kd_str_eq(document.apps.v[i].name, app))
            return false;
    return true;
}

void sim_check_removal(struct sim *sim, struct sim_edge *edge, const struct ag_job_app *app)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_DOCUMENT_MAX);
    KD_AUTO(kd_buf_clear) struct kd_buf bytes = KD_BUF(KD_PAYLOAD_MAX);
    struct kd_manifest manifest = { 0 };
    if (sim_edge_row(edge, AG_TABLE_MANIFEST, KD_STR("manifest"), &bytes) &&
        kd_json_decode(&kd_manifest_shape, kd_buf_str(&bytes), &arena, &manifest, NULL) != KD_OK)
        sim_fail(sim, "%s: its stored manifest cannot be read", edge->name);
    if (sim_is_removal(&manifest, app->uid))
        return;
    for (size_t i = 0; app->name.n && i < manifest.deployments.n; i++)
        if (kd_str_eq(manifest.deployments.v[i].uid, app->uid) &&
            sim_is_surplus(edge, &manifest.deployments.v[i], app->name, &arena))
            return;
    sim_fail(sim, "%s removes %.*s/%.*s uid %.*s, which its manifest {%llu, %llu} does not remove", edge->name,
             KD_ARG(app->deployment), KD_ARG(app->name), KD_ARG(app->uid), (unsigned long long)manifest.version.epoch,
             (unsigned long long)manifest.version.n);
}

/* ---- offline ---- */

void sim_check_offline(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    (void)what, (void)number;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_DOCUMENT_MAX);
    struct kd_txn *txn;
    struct co_presence presence = { 0 };
    struct kd_str name = { message->topic.p + message->topic.n - 3, 3 }, bytes;
    uint64_t index = 0;
    (void)kd_str_u64((struct kd_str){ name.p + 1, 2 }, &index);
    const struct sim_edge *edge = &sim->edges[index % SIM_EDGES];
    struct kd_key key = CO_KEY2(KD_STR("default"), name);
    if (kd_txn_begin(sim->center.status, false, &txn, NULL) != KD_OK)
        abort();
    bool known = kd_txn_get(txn, CO_S_PRESENCE, kd_key_str(&key), &bytes) &&
                 kd_json_decode(&co_presence_shape, bytes, &arena, &presence, NULL) == KD_OK;
    kd_txn_abort(txn);
    if (known && edge->link.own && edge->link.connection == edge->link.own && kd_str_is(presence.session, edge->session) &&
        presence.connection == edge->connection && presence.state == KD_PRESENCE_OFFLINE &&
        sim->now - edge->connected_at > 2 * SIM_MIN)
        sim_fail(sim, "%s is called offline, and its connection that the coordinator knows was never lost", edge->name);
}

/* ---- holds ---- */

void sim_check_holds(struct sim_edge *edge, struct kd_str payload)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_DOCUMENT_MAX);
    struct kd_manifest manifest;
    if (edge->held.n == 0 && kd_str_find(payload, KD_STR("\"hold\":true")) < 0)
        return;
    if (!edge->core || kd_json_decode(&kd_manifest_shape, payload, &arena, &manifest, NULL) != KD_OK ||
        kd_version_cmp(manifest.version, ag_core_version(edge->core)) <= 0)
        return;
    kd_map_clear(&edge->held);
    edge->held = (struct kd_map)KD_MAP(1);
    for (size_t i = 0; i < manifest.deployments.n; i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf row = KD_BUF(KD_VALUE_MAX);
        bool known = sim_edge_row(edge, AG_TABLE_UNIT, manifest.deployments.v[i].uid, &row);
        for (size_t k = 0; k < edge->runtime.n && known; k++) /* what runs is what its store says: else it would be repaired */
            known = !kd_str_is(manifest.deployments.v[i].uid, edge->runtime.v[k].uid) ||
                    kd_str_find(kd_buf_str(&row), kd_str(edge->runtime.v[k].key)) >= 0;
        if (manifest.deployments.v[i].hold && known && kd_str_find(kd_buf_str(&row), KD_STR("\"trying\":\"")) < 0)
            (void)kd_map_put(&edge->held, manifest.deployments.v[i].uid);
    }
}

void sim_check_apply(struct sim *sim, struct sim_edge *edge, const struct ag_job_app *app)
{
    if (!kd_map_get(&edge->held, app->uid))
        return;
    for (size_t i = 0; i < edge->runtime.n; i++) {
        const struct sim_object *object = &edge->runtime.v[i];
        if (kd_str_is(app->uid, object->uid) && kd_str_is(app->name, object->app) && !kd_str_is(app->key, object->key))
            sim_fail(sim, "%s changes %.*s/%.*s uid %.*s, which is held", edge->name, KD_ARG(app->deployment), KD_ARG(app->name),
                     KD_ARG(app->uid));
    }
}

/* ---- the quiet hour ---- */

void sim_check_quiet(struct sim *sim, const struct sim_message *message)
{
    if (kd_str_ends(message->topic, KD_STR("/marker")))
        return;
    unsigned *n = kd_map_put(&sim->heard, message->topic);
    bool view = kd_str_find(message->topic, KD_STR("/state/")) > 0;
    if (!n || ++*n <= (view ? SIM_VIEWS_PER_HOUR : SIM_PER_HOUR))
        return;
    sim_fail(sim, "a message is repeated although nothing happens: %.*s %.*s", KD_ARG(message->topic),
             message->payload.n > 600 ? 600 : (int)message->payload.n, message->payload.p);
}

/* ---- the end: one edge ---- */

struct sim_end {
    struct sim *sim;
    struct kd_txn *spec, *status;
    struct sim_edge *edge;
    struct kd_arena *arena;
    struct kd_manifest manifest;
    struct kd_map said; /* uids of the agent's statuses */
};

static bool sim_read(struct sim_end *end, struct kd_txn *txn, int table, const char *a, struct kd_str b,
                     const struct kd_json_shape *shape, void *ret)
{
    struct kd_key key = co_key(KD_STR("default"), kd_str(a), b, KD_STR(""));
    struct kd_str bytes;
    struct kd_err err;
    if (!kd_txn_get(txn, table, kd_key_str(&key), &bytes))
        return false;
    if (kd_json_decode(shape, bytes, end->arena, ret, &err) != KD_OK)
        sim_fail(end->sim, "%s of %s cannot be read: %s", shape->what, a, err.story);
    return true;
}

static const struct kd_manifest_entry *sim_entry_of(const struct kd_manifest *manifest, struct kd_str uid)
{
    for (size_t i = 0; i < manifest->deployments.n; i++)
        if (kd_str_eq(manifest->deployments.v[i].uid, uid))
            return &manifest->deployments.v[i];
    return NULL;
}

/** One status of the agent against what the coordinator has stored of it. */
static void sim_end_status(void *ctx, const struct kd_status *status)
{
    struct sim_end *end = ctx;
    struct kd_status stored = { 0 };
    const char *who = end->edge->name;
    (void)kd_map_put(&end->said, status->uid);
    if (!sim_read(end, end->status, CO_S_STATUS, who, status->uid, &kd_status_shape, &stored))
        sim_fail(end->sim, "%s: the coordinator has no status of %.*s uid %.*s, the agent says %s", who, KD_ARG(status->deployment),
                 KD_ARG(status->uid), kd_app_state_word(status->state));
    else if (stored.state != status->state || !kd_str_eq(stored.digest, status->digest))
        sim_fail(end->sim, "%s: the coordinator thinks that %.*s uid %.*s is %s at %.*s, the agent says %s at %.*s", who,
                 KD_ARG(status->deployment), KD_ARG(status->uid), kd_app_state_word(stored.state), KD_ARG(stored.digest),
                 kd_app_state_word(status->state), KD_ARG(status->digest));
    if (!sim_entry_of(&end->manifest, status->uid) && status->state != KD_APP_ORPHANED)
        sim_fail(end->sim, "%s: %.*s uid %.*s is not wanted and is %s", who, KD_ARG(status->deployment), KD_ARG(status->uid),
                 kd_app_state_word(status->state));
}

/** What the coordinator has stored and the agent does not say. */
static void sim_end_stale(struct sim_end *end)
{
    struct kd_key prefix = co_prefix(KD_STR("default"), kd_str(end->edge->name), KD_STR(""));
    struct kd_scan scan = kd_scan_prefix(CO_S_STATUS, kd_key_str(&prefix));
    while (kd_scan_next(end->status, &scan))
        if (!kd_map_get(&end->said, kd_scan_rest(&scan)))
            sim_fail(end->sim, "%s: the coordinator has a status of uid %.*s that the agent does not know: %.*s", end->edge->name,
                     KD_ARG(kd_scan_rest(&scan)), KD_ARG(scan.value));
}

/** What carries the uid of an entry, or one that it adopted. */
static bool sim_is_of_entry(const struct kd_manifest_entry *entry, const char *uid)
{
    for (size_t i = 0; i < entry->adopts.n; i++)
        if (kd_str_is(entry->adopts.v[i], uid))
            return true;
    return kd_str_is(entry->uid, uid);
}

static bool sim_is_wanted(const struct kd_manifest *manifest, const char *uid)
{
    for (size_t i = 0; i < manifest->deployments.n; i++)
        if (sim_is_of_entry(&manifest->deployments.v[i], uid))
            return true;
    return false;
}

static const struct sim_object *sim_object_at(const struct sim_edge *edge, const struct kd_manifest_entry *entry, struct kd_str app)
{
    const struct sim_object *found = NULL;
    for (size_t i = 0; i < edge->runtime.n; i++)
        if (sim_is_of_entry(entry, edge->runtime.v[i].uid) && kd_str_is(app, edge->runtime.v[i].app))
            found = &edge->runtime.v[i];
    return found;
}

static bool sim_name_is_held(const struct sim_end *end, const struct kd_manifest_entry *entry)
{
    for (size_t i = 0; i < end->edge->runtime.n; i++) {
        const struct sim_object *object = &end->edge->runtime.v[i];
        if (kd_str_is(entry->name, object->name) && !sim_is_wanted(&end->manifest, object->uid))
            return true;
    }
    return false;
}

/** What the document wants must run: this chart, started. Applications that cannot run must be said to fail. */
static void sim_end_entry(struct sim_end *end, const struct kd_manifest_entry *entry)
{
    struct kd_document document;
    struct kd_status status = { 0 };
    struct kd_str hex = { entry->document.digest.p + 7, KD_DIGEST_HEX };
    char text[KD_DIGEST_HEX + 1];
    (void)kd_str_copy(hex, text, sizeof text);
    if (!sim_read(end, end->spec, CO_OBJECT, text, KD_STR(""), &kd_document_shape, &document)) {
        sim_fail(end->sim, "the document %.*s of %.*s on %s does not exist", KD_ARG(entry->document.digest), KD_ARG(entry->name),
                 end->edge->name);
        return;
    }
    (void)sim_read(end, end->status, CO_S_STATUS, end->edge->name, entry->uid, &kd_status_shape, &status);
    bool fails = kd_str_is(document.package.version, "1.3.0") || kd_str_is(document.package.version, "1.4.0");
    if (fails) {
        if (status.state != KD_APP_FAILED)
            sim_fail(end->sim, "%s: %.*s uid %.*s cannot run, and is %s", end->edge->name, KD_ARG(entry->name), KD_ARG(entry->uid),
                     kd_app_state_word(status.state));
        return;
    }
    if (status.state == KD_APP_PENDING && sim_name_is_held(end, entry))
        return; /* by an orphan, until an operator speaks */
    if (status.state != KD_APP_RUNNING || (!entry->hold && !kd_str_eq(status.digest, entry->document.digest)))
        sim_fail(end->sim, "%s: %.*s uid %.*s should run and is %s (%.*s)", end->edge->name, KD_ARG(entry->name),
                 KD_ARG(entry->uid), kd_app_state_word(status.state), KD_ARG(status.message));
    for (size_t i = 0; i < document.apps.n; i++) {
        const struct sim_object *object = sim_object_at(end->edge, entry, document.apps.v[i].name);
        if (!object || object->state != AG_FOUND_RUNNING || object->shaken ||
            !kd_str_is(document.apps.v[i].chart.digest, object->chart))
            sim_fail(end->sim, "%s: %.*s/%.*s uid %.*s is said to run and does not", end->edge->name, KD_ARG(entry->name),
                     KD_ARG(document.apps.v[i].name), KD_ARG(entry->uid));
    }
}

/** Whatever runs is wanted, or was reported as an orphan. */
static void sim_end_objects(struct sim_end *end)
{
    for (size_t i = 0; i < end->edge->runtime.n; i++) {
        const struct sim_object *object = &end->edge->runtime.v[i];
        struct kd_status status = { 0 };
        if (sim_is_wanted(&end->manifest, object->uid))
            continue;
        (void)sim_read(end, end->status, CO_S_STATUS, end->edge->name, kd_str(object->uid), &kd_status_shape, &status);
        if (status.state != KD_APP_ORPHANED)
            sim_fail(end->sim, "%s: %s/%s uid %s runs, is not wanted, and is not reported as orphaned", end->edge->name,
                     object->name, object->app, object->uid);
    }
}

static void sim_end_presence(struct sim_end *end, bool leave)
{
    struct co_presence presence = { 0 };
    int wanted = end->edge->away ? KD_PRESENCE_OFFLINE : leave ? KD_PRESENCE_LEFT : KD_PRESENCE_ONLINE;
    bool heard = sim_read(end, end->status, CO_S_PRESENCE, end->edge->name, KD_STR(""), &co_presence_shape, &presence);
    if (!heard && end->edge->away)
        return; /* since its status store is new it has said nothing */
    if (presence.state != wanted && !(end->edge->away && presence.state == KD_PRESENCE_LEFT))
        sim_fail(end->sim, "%s is %s and the coordinator thinks that it is %s", end->edge->name, kd_presence_words[wanted],
                 kd_presence_words[presence.state]);
    if (!end->edge->away && (presence.ahead || presence.enrolment_differs))
        sim_fail(end->sim, "%s: ahead=%d enrolment differs=%d", end->edge->name, presence.ahead, presence.enrolment_differs);
}

static void sim_end_version(struct sim_end *end)
{
    struct kd_version has = ag_core_version(end->edge->core);
    if (kd_version_cmp(has, end->manifest.version) != 0)
        sim_fail(end->sim, "%s has the manifest {%llu, %llu}, its newest is {%llu, %llu}", end->edge->name,
                 (unsigned long long)has.epoch, (unsigned long long)has.n, (unsigned long long)end->manifest.version.epoch,
                 (unsigned long long)end->manifest.version.n);
    if (end->manifest.remove.n)
        sim_fail(end->sim, "%s: the removal of %.*s uid %.*s has not ended", end->edge->name,
                 KD_ARG(end->manifest.remove.v[0].name), KD_ARG(end->manifest.remove.v[0].uid));
}

static void sim_end_edge(struct sim_end *end)
{
    struct kd_cluster cluster;
    if (!sim_read(end, end->spec, CO_CLUSTER, end->edge->name, KD_STR(""), &kd_cluster_shape, &cluster))
        return;
    sim_end_presence(end, cluster.leave);
    if (end->edge->away)
        return;
    if (!end->edge->core || !end->edge->link.own) {
        sim_fail(end->sim, "%s is not connected at the end", end->edge->name);
        return;
    }
    if (!sim_read(end, end->spec, CO_MANIFEST, end->edge->name, KD_STR(""), &kd_manifest_shape, &end->manifest))
        sim_fail(end->sim, "%s has no manifest", end->edge->name);
    sim_end_version(end);
    ag_core_statuses(end->edge->core, (struct kd_mono){ end->sim->now + SIM_HOUR }, sim_end_status, end);
    sim_end_stale(end);
    for (size_t i = 0; i < end->manifest.deployments.n; i++)
        sim_end_entry(end, &end->manifest.deployments.v[i]);
    sim_end_objects(end);
    if (cluster.leave && end->edge->runtime.n)
        sim_fail(end->sim, "%s has left and still runs something", end->edge->name);
}

/* ---- the end: sums, objects, the outbox ---- */

/** The coordinator's sums of every deployment against a count of its own rows. */
static void sim_end_sums(struct sim_end *end)
{
    struct kd_map counted = KD_MAP(sizeof(struct co_sums));
    struct kd_scan scan = kd_scan_prefix(CO_MANIFEST, KD_STR("default/"));
    while (kd_scan_next(end->spec, &scan)) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_DOCUMENT_MAX);
        struct kd_manifest manifest;
        char name[16];
        end->arena = &arena;
        (void)kd_str_copy(kd_scan_rest(&scan), name, sizeof name);
        if (kd_json_decode(&kd_manifest_shape, scan.value, &arena, &manifest, NULL) != KD_OK)
            continue;
        struct co_presence presence = { 0 };
        (void)sim_read(end, end->status, CO_S_PRESENCE, name, KD_STR(""), &co_presence_shape, &presence);
        for (size_t i = 0; i < manifest.deployments.n; i++) {
            struct kd_status status;
            struct co_sums *sums = kd_map_put(&counted, manifest.deployments.v[i].uid);
            bool heard = sim_read(end, end->status, CO_S_STATUS, name, manifest.deployments.v[i].uid, &kd_status_shape, &status);
            sums->total++;
            sums->count[co_cluster_state(manifest.deployments.v[i].document.digest, heard ? &status : NULL)]++;
            sums->offline += presence.state != KD_PRESENCE_ONLINE;
        }
    }
    scan = kd_scan_prefix(CO_DEPLOYMENT, KD_STR("default/"));
    while (kd_scan_next(end->spec, &scan)) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_DOCUMENT_MAX);
        struct kd_deployment deployment;
        struct co_sums none = { 0 }, kept = { 0 };
        if (kd_json_decode(&kd_deployment_shape, scan.value, &arena, &deployment, NULL) != KD_OK)
            continue;
        const struct co_sums *sums = kd_map_get(&counted, deployment.meta.uid);
        struct kd_key key = CO_KEY2(KD_STR("default"), deployment.meta.uid);
        struct kd_str bytes;
        if (kd_txn_get(end->status, CO_S_SUMS, kd_key_str(&key), &bytes) && bytes.n == sizeof kept)
            memcpy(&kept, bytes.p, sizeof kept);
        sums = sums ? sums : &none;
        if (memcmp(&kept, sums, sizeof kept) != 0)
            sim_fail(end->sim, "the sums of %.*s are wrong: total %llu, running %llu, offline %llu, counted %llu, %llu, %llu",
                     KD_ARG(deployment.name), (unsigned long long)kept.total, (unsigned long long)kept.count[KD_APP_RUNNING],
                     (unsigned long long)kept.offline, (unsigned long long)sums->total,
                     (unsigned long long)sums->count[KD_APP_RUNNING], (unsigned long long)sums->offline);
    }
    kd_map_clear(&counted);
}

static void sim_end_empty(struct sim_end *end, struct kd_txn *txn, int table, const char *what)
{
    struct kd_scan scan = kd_scan_prefix(table, KD_STR(""));
    if (kd_scan_next(txn, &scan))
        sim_fail(end->sim, "%s: %.*s", what, KD_ARG(kd_key_str(&scan.key)));
}

/** Nothing that was cleared is on the broker, and no object has other bytes. What the broker refused waits for the next connection. */
static void sim_end_retained(struct sim_end *end)
{
    size_t at = 0;
    struct kd_str topic;
    void *value;
    while (kd_map_next(&end->sim->broker.retained, &at, &topic, &value)) {
        const struct sim_message *message = *(struct sim_message **)value;
        struct kd_topic parts;
        struct kd_str bytes = { NULL, 0 };
        if (!kd_topic_parse(topic, &parts) || (parts.kind != KD_TOPIC_OBJECT && parts.kind != KD_TOPIC_MANIFEST))
            continue;
        bool object = parts.kind == KD_TOPIC_OBJECT;
        struct kd_key key = CO_KEY2(KD_STR("default"), parts.part[1]);
        bool known = kd_txn_get(end->spec, object ? CO_OBJECT : CO_MANIFEST, kd_key_str(&key), &bytes);
        if ((!known || (object && !kd_str_eq(bytes, message->payload))) && !kd_txn_has(end->spec, CO_PARKED, topic))
            sim_fail(end->sim, "the broker still has %.*s", KD_ARG(topic));
    }
}

void sim_check_end(struct sim *sim)
{
    struct sim_end end = { .sim = sim };
    sim_model_check(sim);
    if (!sim->center.link.own)
        sim_fail(sim, "the coordinator is not connected at the end");
    if (kd_txn_begin(sim->center.spec, false, &end.spec, NULL) != KD_OK ||
        kd_txn_begin(sim->center.status, false, &end.status, NULL) != KD_OK)
        abort();
    for (size_t i = 0; i < SIM_EDGES && !sim->failed; i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(4 * KD_DOCUMENT_MAX);
        end.arena = &arena;
        end.edge = &sim->edges[i];
        end.said = (struct kd_map)KD_MAP(1);
        end.manifest = (struct kd_manifest){ 0 };
        sim_end_edge(&end);
        kd_map_clear(&end.said);
    }
    sim_end_sums(&end);
    sim_end_retained(&end);
    sim_end_empty(&end, end.spec, CO_OUTBOX, "something is still to be published");
    sim_end_empty(&end, end.spec, CO_WAITING, "a deployment still waits");
    for (int fault = 0; fault < SIM_FAULT_COUNT && !sim->faultless; fault++)
        if (sim->faults[fault] == 0)
            sim->idle_faults |= UINT64_C(1) << fault;
    kd_txn_abort(end.spec);
    kd_txn_abort(end.status);
}
