/** What agents say: hello, inventory, status; and what their silence says. */
#include "coordinator/core/presence.h"
#include "coordinator/server/kinds.h"
#include "coordinator/server/rollouts.h"
#include "coordinator/server/state.h"
#include "shared/base/own.h"
#include "shared/base/plant.h"
#include "shared/base/utf8.h"
#include "shared/model/digest.h"

#include <inttypes.h>
#include <syslog.h>

enum { CO_REPAIR_PACE_S = 30, CO_COMPLAIN_PACE_S = 60, CO_SILENT_INTERVALS = 3, CO_AGAIN_S = 1 };
#define CO_EPOCH_MAX (UINT64_C(1) << 52) /* beyond it there would be no newer one */

/* ---- acknowledgements ---- */

static void co_ack_send(struct co_work *work, struct kd_str cluster, const struct kd_ack *ack)
{
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_STATE_MAX), topic = KD_BUF(KD_TOPIC_MAX);
    kd_json_encode(&kd_ack_shape, ack, &json);
    kd_topic_add(&topic, KD_TOPIC_ACK, work->project, cluster, CO_NONE, CO_NONE);
    co_send(work, kd_buf_str(&topic), kd_buf_str(&json), CO_NONE, false);
    work->service->counts.acks++;
}

static void co_ack_status(struct co_work *work, struct kd_str cluster, const struct kd_status *status, struct kd_str refused)
{
    struct kd_ack_row row = { status->uid, status->sequence, refused };
    struct kd_ack ack = { .session = status->session, .acks = { &row, 1 } };
    if (KD_PLANT(ACK_DROPPED) && status->state == KD_APP_REMOVED)
        return;
    co_ack_send(work, cluster, &ack);
}

static void co_ack_refuse(struct co_work *work, struct kd_str cluster, struct kd_str session, struct kd_str why)
{
    struct kd_ack ack = { .session = session, .refused = why };
    co_ack_send(work, cluster, &ack);
}

static void co_ack_want(struct co_work *work, struct kd_str cluster, struct kd_str session, struct kd_str what)
{
    struct kd_ack ack = { .session = session, .want = { &what, 1 } };
    co_ack_send(work, cluster, &ack);
}

/* ---- presence ---- */

static struct co_watch *co_watch_of(struct co_work *work, struct kd_str cluster)
{
    struct kd_key key = CO_KEY2(work->project, cluster);
    return kd_map_put(&work->service->watches, kd_key_str(&key));
}

static struct kd_mono co_silence(const struct co_service *service, struct kd_mono from)
{
    return (struct kd_mono){ from.us + CO_SILENT_INTERVALS * service->options.hello_interval_us + service->options.grace_us };
}

static void co_watch_until(struct co_service *service, struct co_watch *watch, struct kd_mono at)
{
    watch->silent_at = at;
    if (at.us < service->next_silence.us)
        service->next_silence = at;
}

static bool co_presence_get(struct co_work *work, struct kd_str cluster, struct co_presence *ret)
{
    struct kd_key key = CO_KEY2(work->project, cluster);
    *ret = (struct co_presence){ 0 };
    return co_read(work, work->status, CO_S_PRESENCE, kd_key_str(&key), &co_presence_shape, ret);
}

static void co_presence_store(struct co_work *work, struct kd_str cluster, const struct co_presence *presence)
{
    struct kd_key key = CO_KEY2(work->project, cluster);
    co_write(work, work->status, CO_S_PRESENCE, kd_key_str(&key), &co_presence_shape, presence);
}

static void co_presence_put(struct co_work *work, struct kd_str cluster, const struct co_presence *presence)
{
    co_presence_store(work, cluster, presence);
    co_view_dirty(work, KD_STR("cluster"), cluster, CO_NONE);
}

void co_agents_start(struct co_work *work)
{
    struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_S_PRESENCE, kd_key_str(&prefix));
    while (kd_scan_next(work->status, &scan)) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_STATE_MAX * 2);
        struct co_presence presence;
        struct co_watch *watch = NULL;
        if (kd_json_decode(&co_presence_shape, scan.value, &arena, &presence, NULL) == KD_OK &&
            presence.state == KD_PRESENCE_ONLINE)
            watch = co_watch_of(work, kd_scan_rest(&scan));
        if (watch)
            watch->silent_at = KD_NEVER; /* counted from the first connection on */
    }
}

void co_agents_connected(struct co_service *service)
{
    struct kd_mono now = service->ops->now(service->ctx);
    size_t at = 0;
    struct kd_str key;
    void *value;
    now.us += (int64_t)service->options.spread_s * KD_US_PER_S;
    while (kd_map_next(&service->watches, &at, &key, &value))
        co_watch_until(service, value, co_silence(service, now));
}

/** Nothing was heard of the cluster for too long, or its will came and the grace is over. In memory of its own: it may be all of them. */
static void co_cluster_offline(struct co_work *work, struct kd_str cluster)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(CO_MESSAGE_MEMORY);
    struct kd_arena *outer = work->arena;
    struct co_presence presence;
    work->arena = &arena;
    if (co_presence_get(work, cluster, &presence) && presence.state == KD_PRESENCE_ONLINE) {
        presence.state = KD_PRESENCE_OFFLINE;
        co_presence_put(work, cluster, &presence);
        co_tally_cluster(work, cluster);
        co_note(work->service, LOG_NOTICE, "cluster.offline", "project=%.*s cluster=%.*s", KD_ARG(work->project), KD_ARG(cluster));
    }
    work->arena = outer;
}

/** Silent clusters are offline now; with `forget` they are no longer watched. Sets when the next one may be silent. */
static void co_silent_clusters(struct co_service *service, struct kd_mono now, struct co_work *work, bool forget)
{
    size_t at = 0;
    struct kd_str key;
    void *value;
    service->next_silence = KD_NEVER;
    while (kd_map_next(&service->watches, &at, &key, &value)) {
        struct co_watch *watch = value;
        struct kd_str cluster = key, project = kd_str_cut(&cluster, '/');
        if (watch->silent_at.us > now.us) {
            co_watch_until(service, watch, watch->silent_at);
        } else if (forget) {
            (void)kd_map_del(&service->watches, key);
        } else {
            work->project = project;
            co_cluster_offline(work, cluster);
        }
    }
}

/** Offline is counted only while the own connection is there. What could not be stored is tried again. */
struct kd_mono co_agents_tick(struct co_service *service)
{
    struct kd_mono now = service->ops->now(service->ctx);
    struct co_work work;
    if (service->sync == CO_SYNC_OFFLINE)
        return KD_NEVER;
    if (now.us < service->next_silence.us || !co_work_begin(service, &work))
        return service->next_silence;
    co_silent_clusters(service, now, &work, false);
    work.project = service->project;
    if (co_work_commit(&work))
        co_silent_clusters(service, now, NULL, true);
    else
        service->next_silence.us = now.us + CO_AGAIN_S * KD_US_PER_S;
    return service->next_silence;
}

/* ---- hello ---- */

/** An object that is missing is published again, through the outbox: what is cleared meanwhile must not come back. */
static void co_object_again(struct co_work *work, struct kd_str hex)
{
    struct kd_key key = CO_KEY2(work->project, hex);
    if (kd_txn_has(work->spec, CO_OBJECT, kd_key_str(&key)))
        co_outbox_put_object(work, hex);
}

static struct kd_version co_manifest_version(struct co_work *work, struct kd_str cluster, struct kd_digest *ret)
{
    struct kd_key key = CO_KEY2(work->project, cluster);
    struct kd_str bytes;
    struct kd_manifest manifest;
    *ret = (struct kd_digest){ "" };
    if (!kd_txn_get(work->spec, CO_MANIFEST, kd_key_str(&key), &bytes))
        return (struct kd_version){ 0, 0 };
    *ret = kd_digest_of(bytes);
    return kd_json_decode(&kd_manifest_shape, bytes, work->arena, &manifest, NULL) == KD_OK ? manifest.version
                                                                                            : (struct kd_version){ 0, 0 };
}

/** Remembers the newest version that anybody has, for new-epoch. */
static void co_heard(struct co_work *work, const struct kd_hello *hello)
{
    struct co_project project = co_project_get(work);
    struct kd_version version = { hello->manifest.epoch, hello->manifest.n };
    if (kd_version_cmp(version, project.heard) > 0 && version.epoch < CO_EPOCH_MAX) {
        project.heard = version;
        co_project_put(work, &project);
    }
}

/** Sends what differs: a newer manifest that was not refused, objects that are missing; the same thing at most every 30 s. */
static void co_hello_repair(struct co_work *work, struct kd_str cluster, const struct co_presence *presence,
                            const struct kd_hello *hello, struct kd_version own)
{
    struct co_watch *watch = co_watch_of(work, cluster);
    struct kd_version has = { hello->manifest.epoch, hello->manifest.n };
    bool refused = hello->refused && kd_version_cmp(presence->refused_version, own) == 0;
    bool older = kd_version_cmp(has, own) < 0;
    if (!watch || (watch->repaired_at.us && work->now.us < watch->repaired_at.us) || (!hello->missing.n && (!older || refused)))
        return;
    watch->repaired_at.us = work->now.us + CO_REPAIR_PACE_S * KD_US_PER_S;
    for (size_t i = 0; i < hello->missing.n; i++) {
        struct kd_digest digest;
        if (kd_digest_parse(hello->missing.v[i], &digest))
            co_object_again(work, kd_digest_hex(&digest));
    }
    if (older && !refused)
        co_outbox_put_manifest(work, cluster);
}

/** What the agent has against what we gave. */
static void co_hello_compare(struct co_work *work, struct kd_str cluster, struct co_presence *presence,
                             const struct kd_cluster *document, const struct kd_hello *hello)
{
    struct kd_digest digest;
    struct kd_version own = co_manifest_version(work, cluster, &digest);
    struct kd_version newest = own.epoch ? own : co_project_get(work).version;
    bool ahead = co_is_ahead(&hello->manifest, newest, kd_digest_str(&digest));
    if (ahead && !presence->ahead)
        co_note(work->service, LOG_ALERT, "cluster.ahead",
                "project=%.*s cluster=%.*s has=%" PRIu64 "/%" PRIu64 " own=%" PRIu64 "/%" PRIu64
                " hint=\"run kedge-coordinator new-epoch\"",
                KD_ARG(work->project), KD_ARG(cluster), hello->manifest.epoch, hello->manifest.n, newest.epoch, newest.n);
    presence->ahead = ahead;
    presence->enrolment_differs = hello->enrolment.n && !kd_str_eq(hello->enrolment, document->meta.uid);
    co_heard(work, hello);
    if (!ahead && !presence->enrolment_differs)
        co_hello_repair(work, cluster, presence, hello, own);
}

static bool co_is_same_presence(const struct co_presence *a, const struct co_presence *b)
{
    KD_AUTO(kd_buf_clear) struct kd_buf x = KD_BUF(KD_STATE_MAX), y = KD_BUF(KD_STATE_MAX);
    kd_json_encode(&co_presence_shape, a, &x);
    kd_json_encode(&co_presence_shape, b, &y);
    return kd_str_eq(kd_buf_str(&x), kd_buf_str(&y));
}

/** The agent that speaks for this cluster now. */
static void co_hello_take(struct co_work *work, struct kd_str cluster, const struct kd_cluster *document,
                          struct co_presence *presence, const struct kd_hello *hello, bool clone)
{
    struct co_presence before = *presence;
    struct co_watch *watch = co_watch_of(work, cluster);
    co_presence_take(presence, hello, clone);
    if (watch)
        co_watch_until(work->service, watch, co_silence(work->service, work->now));
    if (presence->state == KD_PRESENCE_LEFT) {
        struct kd_ack ack = { .session = hello->session, .left = true };
        co_ack_send(work, cluster, &ack);
        if (before.state != KD_PRESENCE_LEFT && document->leave) /* it says this when it has removed everything */
            co_cluster_empty(work, cluster);
        if (!kd_str_eq(hello->enrolment, document->meta.uid)) { /* enrolled anew: it comes back with its first manifest */
            struct kd_digest digest;
            co_hello_repair(work, cluster, presence, hello, co_manifest_version(work, cluster, &digest));
        }
    } else {
        co_hello_compare(work, cluster, presence, document, hello);
    }
    if (hello->inventory.n && !kd_str_eq(hello->inventory, presence->inventory)) /* asked for until it has come */
        co_ack_want(work, cluster, hello->session, KD_STR("inventory"));
    if (!before.session.n || clone) /* what it said went to an earlier store or cluster, or was overwritten by its clone */
        co_ack_want(work, cluster, hello->session, KD_STR("status"));
    presence->heard_ms = before.heard_ms; /* compared without the time; a minute of it is exact enough to be stored */
    bool changed = !co_is_same_presence(&before, presence);
    if (!changed && (uint64_t)work->wall.unix_ms < before.heard_ms + 60000)
        return;
    presence->heard_ms = (uint64_t)work->wall.unix_ms;
    co_presence_store(work, cluster, presence);
    if (changed) /* the time alone is no reason to publish a view: who wants it asks */
        co_view_dirty(work, KD_STR("cluster"), cluster, CO_NONE);
    if (before.state != presence->state) {
        co_tally_cluster(work, cluster);
        co_note(work->service, LOG_INFO, presence->state == KD_PRESENCE_LEFT ? "cluster.left" : "cluster.online",
                "project=%.*s cluster=%.*s", KD_ARG(work->project), KD_ARG(cluster));
    }
    if (clone && !before.duplicate)
        co_note(work->service, LOG_ALERT, "cluster.duplicate",
                "project=%.*s cluster=%.*s hint=\"two agents use this identity: a cloned edge\"", KD_ARG(work->project),
                KD_ARG(cluster));
}

/** A will counts after the grace time, if nothing newer is heard. */
static void co_hello_gone(struct co_work *work, struct kd_str cluster)
{
    struct co_watch *watch = co_watch_of(work, cluster);
    struct kd_mono at = { work->now.us + work->service->options.grace_us };
    if (watch)
        co_watch_until(work->service, watch, at);
}

static void co_unknown_cluster(struct co_work *work, struct kd_str cluster, struct kd_str session)
{
    struct co_watch *watch = co_watch_of(work, cluster);
    co_ack_refuse(work, cluster, session, KD_STR("unknown cluster"));
    if (!watch || (watch->logged_at.us && work->now.us < watch->logged_at.us))
        return;
    watch->logged_at.us = work->now.us + CO_COMPLAIN_PACE_S * KD_US_PER_S;
    co_watch_until(work->service, watch, watch->logged_at); /* forgotten then */
    co_note(work->service, LOG_WARNING, "cluster.unknown", "project=%.*s cluster=%.*s hint=\"kedge apply a Cluster of that name\"",
            KD_ARG(work->project), KD_ARG(cluster));
}

static bool co_cluster_document(struct co_work *work, struct kd_str cluster, union co_document *ret)
{
    return co_document_get(work, co_kind_of(KD_STR("cluster")), cluster, CO_NONE, ret);
}

void co_agent_hello(struct co_work *work, struct kd_str cluster, struct kd_str payload)
{
    struct kd_hello hello;
    struct kd_err err;
    union co_document document;
    struct co_presence presence;
    if (kd_json_decode(&kd_hello_shape, payload, work->arena, &hello, &err) != KD_OK) {
        co_note(work->service, LOG_WARNING, "hello.refused", "cluster=%.*s why=\"%s\"", KD_ARG(cluster), err.story);
        return;
    }
    if (!co_cluster_document(work, cluster, &document)) {
        if (hello.state != KD_PRESENCE_OFFLINE)
            co_unknown_cluster(work, cluster, hello.session);
        return;
    }
    (void)co_presence_get(work, cluster, &presence);
    enum co_hello_verdict verdict = co_hello_judge(&presence, &hello);
    switch (verdict) {
    case CO_HELLO_TAKE:
    case CO_HELLO_TAKE_CLONE:
        co_hello_take(work, cluster, &document.cluster, &presence, &hello, verdict == CO_HELLO_TAKE_CLONE);
        break;
    case CO_HELLO_OTHER_STORE:
        co_ack_refuse(work, cluster, hello.session, KD_STR("another agent with another store is online for this cluster"));
        if (!presence.duplicate) {
            presence.duplicate = true;
            co_presence_put(work, cluster, &presence);
        }
        break;
    case CO_HELLO_GONE:
        co_hello_gone(work, cluster);
        break;
    case CO_HELLO_OLD:
        break;
    }
}

void co_agent_inventory(struct co_work *work, struct kd_str cluster, struct kd_str payload)
{
    struct kd_inventory inventory;
    struct kd_err err;
    union co_document document;
    struct co_presence presence;
    struct kd_key key = CO_KEY2(work->project, cluster);
    if (!co_cluster_document(work, cluster, &document))
        return;
    if (kd_json_decode(&kd_inventory_shape, payload, work->arena, &inventory, &err) != KD_OK) {
        co_note(work->service, LOG_WARNING, "inventory.refused", "cluster=%.*s why=\"%s\"", KD_ARG(cluster), err.story);
        return;
    }
    const struct kd_digest digest = kd_digest_of(payload);
    co_write(work, work->status, CO_S_INVENTORY, kd_key_str(&key), &kd_inventory_shape, &inventory);
    (void)co_presence_get(work, cluster, &presence);
    presence.inventory = kd_digest_str(&digest);
    co_presence_put(work, cluster, &presence);
}

/* ---- status ---- */

/** True if it is newer than what is stored of that uid; *ret_orphan says whether that was an orphan. */
static bool co_status_is_news(struct co_work *work, struct kd_str cluster, const struct kd_status *status, bool *ret_orphan)
{
    struct kd_key key = CO_KEY3(work->project, cluster, status->uid);
    struct kd_status known;
    *ret_orphan = false;
    if (!co_read(work, work->status, CO_S_STATUS, kd_key_str(&key), &kd_status_shape, &known))
        return true;
    *ret_orphan = known.state == KD_APP_ORPHANED;
    return KD_PLANT(SEQUENCE_IGNORED) || !kd_str_eq(known.session, status->session) || status->sequence > known.sequence;
}

/** The uid is gone from that edge: its removal is done, and what waited for it may end. */
static void co_status_removed(struct co_work *work, struct kd_str cluster, struct kd_str uid)
{
    struct kd_key key = CO_KEY3(work->project, cluster, uid);
    struct co_placement placement;
    (void)kd_txn_del(work->status, CO_S_STATUS, kd_key_str(&key));
    if (co_placement_get(work, cluster, uid, &placement) && placement.remove) {
        co_forget_placement(work, cluster, uid);
        co_rollout_may_end(work, uid);
    }
}

static void co_status_store(struct co_work *work, struct kd_str cluster, const struct kd_status *status)
{
    struct kd_key key = CO_KEY3(work->project, cluster, status->uid);
    bool orphan;
    if (!co_status_is_news(work, cluster, status, &orphan))
        return;
    struct co_placement placement;
    bool passing = status->state != KD_APP_ORPHANED && !co_placement_get(work, cluster, status->uid, &placement);
    if (status->state == KD_APP_REMOVED)
        co_status_removed(work, cluster, status->uid);
    else if (passing) /* wanted by an earlier manifest only: soon it is an orphan, or it never came to be and is heard of no more */
        (void)kd_txn_del(work->status, CO_S_STATUS, kd_key_str(&key));
    else if (!KD_PLANT(ACK_BEFORE_COMMIT) || co_chance(work) % 8)
        co_write(work, work->status, CO_S_STATUS, kd_key_str(&key), &kd_status_shape, status);
    co_tally(work, status->uid, cluster);
    if (orphan != (status->state == KD_APP_ORPHANED)) /* the only thing of it that a cluster's view shows */
        co_view_dirty(work, KD_STR("cluster"), cluster, CO_NONE);
}

/** A status that can never be accepted is answered, if it can be read whose it is: the agent stops repeating it. */
static void co_status_refuse(struct co_work *work, struct kd_str cluster, struct kd_str payload, struct kd_str why)
{
    struct kd_status named;
    if (kd_json_decode(&kd_status_name_shape, payload, work->arena, &named, NULL) == KD_OK)
        co_ack_status(work, cluster, &named, kd_utf8_head(why, KD_REASON_MAX));
}

void co_agent_status(struct co_work *work, struct kd_str cluster, struct kd_str payload)
{
    struct kd_status status;
    struct kd_err err;
    union co_document document;
    struct co_presence presence;
    if (kd_json_decode(&kd_status_shape, payload, work->arena, &status, &err) != KD_OK) {
        co_status_refuse(work, cluster, payload, kd_str(err.story));
        co_note(work->service, LOG_WARNING, "status.refused", "cluster=%.*s why=\"%s\"", KD_ARG(cluster), err.story);
        return;
    }
    if (!co_cluster_document(work, cluster, &document)) {
        co_unknown_cluster(work, cluster, status.session);
        return;
    }
    (void)co_presence_get(work, cluster, &presence);
    if (!kd_str_eq(presence.session, status.session) || presence.state != KD_PRESENCE_ONLINE) {
        co_ack_want(work, cluster, status.session, KD_STR("hello"));
        return;
    }
    co_status_store(work, cluster, &status);
    co_ack_status(work, cluster, &status, CO_NONE);
}
