/** The outbox: topics that are to be published, in order, each as it stands when its turn comes. Beside it the views, which are published at
 *  most once a second, and the marker, by which a broker that lost something is noticed (docs/protocol.md, rule 2 and "marker"). */
#include "coordinator/server/kinds.h"
#include "coordinator/server/rollouts.h"
#include "coordinator/server/state.h"
#include "shared/base/own.h"
#include "shared/base/plant.h"
#include "shared/model/fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>

enum { CO_PROBE_WAIT_S = 10, CO_VIEW_PACE_S = 1, CO_PARKED_PACE_S = 3600 };

struct co_parked {
    struct kd_str reason;
    uint64_t since_ms;
};

#define T struct co_parked
static const struct kd_json_field co_parked_fields[] = {
    F_TEXT(T, reason, "reason", .required = true),
    F_COUNT(T, since_ms, "since"),
};
static const struct kd_json_shape co_parked_shape = KD_SHAPE(T, co_parked_fields, "a parked message");
#undef T

/* ---- putting in ---- */

void co_outbox_put(struct co_work *work, struct kd_str topic)
{
    struct kd_str before;
    uint64_t position = co_get_number(work->spec, CO_META, KD_STR("position")) + 1;
    struct kd_key key = co_number_key(position);
    if (kd_txn_get(work->spec, CO_OUTBOX_AT, topic, &before)) {
        struct kd_key old = CO_KEY1(before);
        (void)kd_txn_del(work->spec, CO_OUTBOX, kd_key_str(&old));
    }
    (void)kd_txn_del(work->spec, CO_PARKED, topic);
    kd_txn_put(work->spec, CO_OUTBOX, kd_key_str(&key), topic);
    kd_txn_put(work->spec, CO_OUTBOX_AT, topic, kd_key_str(&key));
    co_put_number(work->spec, CO_META, KD_STR("position"), position);
}

static struct kd_str co_topic(struct co_work *work, enum kd_topic_kind kind, struct kd_str b, struct kd_str c, struct kd_str d)
{
    KD_AUTO(kd_buf_clear) struct kd_buf topic = KD_BUF(KD_TOPIC_MAX);
    kd_topic_add(&topic, kind, work->project, b, c, d);
    return kd_arena_copy(work->arena, kd_buf_str(&topic));
}

/** In memory of its own: there may be very many in one batch. */
static void co_outbox_put_kind(struct co_work *work, enum kd_topic_kind kind, struct kd_str part)
{
    KD_AUTO(kd_buf_clear) struct kd_buf topic = KD_BUF(KD_TOPIC_MAX);
    kd_topic_add(&topic, kind, work->project, part, CO_NONE, CO_NONE);
    co_outbox_put(work, kd_buf_str(&topic));
}

void co_outbox_put_manifest(struct co_work *work, struct kd_str cluster)
{
    co_outbox_put_kind(work, KD_TOPIC_MANIFEST, cluster);
}

void co_outbox_put_object(struct co_work *work, struct kd_str hex)
{
    co_outbox_put_kind(work, KD_TOPIC_OBJECT, hex);
}

void co_view_dirty(struct co_work *work, struct kd_str kind, struct kd_str name, struct kd_str version)
{
    KD_AUTO(kd_buf_clear) struct kd_buf topic = KD_BUF(KD_TOPIC_MAX);
    kd_topic_add(&topic, version.n ? KD_TOPIC_STATE_VERSION : KD_TOPIC_STATE, work->project, kind, name, version);
    co_put_number(work->status, CO_S_DIRTY, kd_buf_str(&topic), ++work->service->order);
}

/* ---- sending ---- */

/** One topic as it stands, in memory of its own: what did not fit would be published as empty. False if the transport has no room. */
static bool co_outbox_send(struct co_work *outer, struct kd_str text, uint64_t position, uint64_t stamp)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(CO_MESSAGE_MEMORY);
    struct co_work inner = *outer, *work = &inner;
    inner.arena = &arena;
    struct co_service *service = work->service;
    struct co_outbox *outbox = &service->outbox;
    struct kd_topic topic;
    struct co_flight *flight = &outbox->flight[outbox->flights];
    *flight = (struct co_flight){ .token = ++service->order, .position = position, .stamp = stamp, .reason = -1 };
    memcpy(flight->topic.p, text.p, text.n);
    flight->topic.n = text.n;
    if (!kd_topic_parse(text, &topic))
        return true;
    work->project = topic.part[0];
    struct co_publish message = { .topic = text, .payload = co_retained(work, &topic), .retain = true, .token = flight->token };
    outbox->flights++; /* before the call: the answer may come during it */
    if (service->ops->publish(service->ctx, &message)) {
        service->counts.published++;
        return true;
    }
    outbox->flights--;
    return false;
}

static bool co_outbox_has_room(const struct co_service *service)
{
    return service->outbox.flights < CO_FLIGHTS && service->ops->room(service->ctx) > 0;
}

static void co_outbox_send_queue(struct co_work *work)
{
    struct co_service *service = work->service;
    struct kd_key sent = co_number_key(service->outbox.sent);
    struct kd_scan scan = kd_scan_after(CO_OUTBOX, CO_NONE, kd_key_str(&sent));
    while (co_outbox_has_room(service) && kd_scan_next(work->spec, &scan)) {
        uint64_t position = 0;
        if (!co_number_of(kd_key_str(&scan.key), &position) || !co_outbox_send(work, scan.value, position, 0))
            return;
        service->outbox.sent = position;
    }
}

/** A round over the views that changed: each once, and a second until the next round. */
static void co_outbox_send_views(struct co_work *work)
{
    struct co_service *service = work->service;
    struct co_outbox *outbox = &service->outbox;
    if (!outbox->view_round) {
        if (work->now.us < outbox->view_next.us)
            return;
        outbox->view_round = true;
        outbox->view_at.n = 0;
    }
    struct kd_scan scan = kd_scan_after(CO_S_DIRTY, CO_NONE, kd_key_str(&outbox->view_at));
    while (co_outbox_has_room(service)) {
        uint64_t stamp = 0;
        if (!kd_scan_next(work->status, &scan)) {
            outbox->view_round = false;
            return;
        }
        (void)kd_str_u64(scan.value, &stamp);
        if (!co_outbox_send(work, kd_key_str(&scan.key), 0, stamp))
            return;
        outbox->view_at = scan.key;
        outbox->view_next.us = work->now.us + CO_VIEW_PACE_S * KD_US_PER_S;
    }
}

/* ---- the broker's answers ---- */

static void co_outbox_park(struct co_work *work, struct kd_str topic, struct kd_str reason)
{
    struct co_parked parked = { reason, (uint64_t)work->wall.unix_ms };
    co_write(work, work->spec, CO_PARKED, topic, &co_parked_shape, &parked);
    work->service->counts.parked++;
    co_note(work->service, LOG_WARNING, "publish.parked", "topic=%.*s why=\"%.*s\"", KD_ARG(topic), KD_ARG(reason));
}

/** False if a newer one for its topic waits: then a refusal of this one is of no interest. */
static bool co_flight_is_newest(struct co_work *work, const struct co_flight *flight)
{
    struct kd_str topic = kd_key_str(&flight->topic), at;
    struct kd_key key = co_number_key(flight->position);
    if (flight->position == 0)
        return co_get_number(work->status, CO_S_DIRTY, topic) == flight->stamp;
    return kd_txn_get(work->spec, CO_OUTBOX_AT, topic, &at) && kd_str_eq(at, kd_key_str(&key));
}

static void co_flight_leave(struct co_work *work, const struct co_flight *flight, bool newest)
{
    struct kd_key key = co_number_key(flight->position);
    if (newest)
        (void)kd_txn_del(work->spec, CO_OUTBOX_AT, kd_key_str(&flight->topic));
    (void)kd_txn_del(work->spec, CO_OUTBOX, kd_key_str(&key));
}

/** An answered message leaves the queue; what was refused is parked, unless a newer one for its topic has taken its place. */
static void co_flight_settle(struct co_work *work, const struct co_flight *flight)
{
    struct kd_str topic = kd_key_str(&flight->topic);
    bool newest = co_flight_is_newest(work, flight);
    if (flight->position)
        co_flight_leave(work, flight, newest);
    else if (newest)
        (void)kd_txn_del(work->status, CO_S_DIRTY, topic);
    if (flight->reason >= 0x80 && newest)
        co_outbox_park(work, topic,
                       kd_arena_printf(work->arena, "the broker refused it with reason 0x%02x", (unsigned)flight->reason));
    else if (flight->reason < 0x80 && kd_txn_has(work->spec, CO_PARKED, topic))
        (void)kd_txn_del(work->spec, CO_PARKED, topic);
}

static void co_marker_send(struct co_work *work, const struct kd_marker *marker, bool retain)
{
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_STATE_MAX);
    kd_json_encode(&kd_marker_shape, marker, &json);
    co_send(work, co_topic(work, KD_TOPIC_MARKER, CO_NONE, CO_NONE, CO_NONE), kd_buf_str(&json), CO_NONE, retain);
}

/** Writes down that the broker has all of this, and then tells the broker: if it forgets, it forgets the marker too. */
static void co_marker_advance(struct co_work *work)
{
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_STATE_MAX);
    struct kd_marker marker = { .epoch = work->service->order_epoch, .position = ++work->service->order };
    kd_json_encode(&kd_marker_shape, &marker, &json);
    kd_txn_put(work->status, CO_S_META, KD_STR("marker"), kd_buf_str(&json));
    co_marker_send(work, &marker, true);
}

/** A window that is answered is settled in one transaction. While everything is repeated the marker stays old, so that a crash repeats. */
static void co_outbox_settle(struct co_service *service)
{
    struct co_outbox *outbox = &service->outbox;
    struct co_work work;
    if (!co_work_begin(service, &work))
        return;
    for (size_t i = 0; i < outbox->flights; i++)
        co_flight_settle(&work, &outbox->flight[i]);
    if (service->sync == CO_SYNC_DONE)
        co_marker_advance(&work);
    if (co_work_commit(&work))
        outbox->flights = outbox->answered = 0;
}

void co_outbox_published(struct co_service *service, uint64_t token, int reason)
{
    struct co_outbox *outbox = &service->outbox;
    for (size_t i = 0; i < outbox->flights; i++)
        if (outbox->flight[i].token == token && outbox->flight[i].reason < 0) {
            outbox->flight[i].reason = reason;
            outbox->answered++;
            if (kd_str_eq(kd_key_str(&outbox->flight[i].topic), kd_key_str(&outbox->last_topic)))
                outbox->last_topic_ends = 0;
        }
}

/* ---- a broker that lost something ---- */

/** What is walked when everything is published again, in this order. */
static const struct co_walk {
    int table;
    enum kd_topic_kind topic;
} co_walks[] = { { CO_OBJECT, KD_TOPIC_OBJECT }, { CO_MANIFEST, KD_TOPIC_MANIFEST } };

/** The next part of everything. False: it could not be stored, and is tried again later. */
static bool co_repeat_step(struct co_service *service)
{
    struct co_repeat *repeat = &service->repeat, before = *repeat;
    struct co_work work;
    if (!co_work_begin(service, &work))
        return false;
    if (repeat->step == KD_COUNT(co_walks)) {
        co_kinds_views_dirty(&work);
        repeat->step++;
    } else {
        const struct co_walk *walk = &co_walks[repeat->step];
        struct kd_key prefix = co_prefix(work.project, CO_NONE, CO_NONE);
        struct kd_scan scan = kd_scan_after(walk->table, kd_key_str(&prefix), kd_key_str(&repeat->at));
        size_t n = 0;
        for (; n < CO_REPEAT_STEP && kd_scan_next(work.spec, &scan); n++) {
            repeat->at = scan.key;
            co_outbox_put(&work, co_topic(&work, walk->topic, kd_scan_rest(&scan), CO_NONE, CO_NONE));
        }
        if (n < CO_REPEAT_STEP) {
            repeat->step++;
            repeat->at.n = 0;
        }
    }
    bool stored = co_work_commit(&work);
    if (!stored)
        *repeat = before;
    return stored;
}

static bool co_repeat_is_complete(const struct co_service *service)
{
    return service->repeat.step > KD_COUNT(co_walks) && service->repeat.heard;
}

static void co_repeat_end(struct co_service *service)
{
    service->sync = CO_SYNC_DONE;
    co_service_repeat_all(service, false);
    co_outbox_settle(service); /* writes the marker */
    co_note(service, LOG_INFO, "broker.repaired", "epoch=%" PRIu64, service->order_epoch);
}

void co_outbox_found(struct co_work *work, const struct kd_topic *topic, struct kd_str text)
{
    if (co_retained(work, topic).n == 0)
        co_outbox_put(work, text);
}

/** Asks whether everything that was sent before is here: what we send to ourselves comes back in order. */
static void co_probe(struct co_service *service)
{
    struct co_work work;
    service->probe_next.us = service->ops->now(service->ctx).us + CO_PROBE_WAIT_S * KD_US_PER_S;
    if (!co_work_begin(service, &work))
        return;
    struct kd_marker probe = { .probe = kd_str(service->session) };
    co_marker_send(&work, &probe, false);
    (void)co_work_commit(&work);
}

static void co_announce(struct co_service *service)
{
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_STATE_MAX);
    struct co_work work;
    if (!co_work_begin(service, &work))
        return;
    struct kd_coordinator announcement = { service->order_epoch, kd_str(service->session), kd_str(service->report),
                                           service->options.spread_s };
    kd_json_encode(&kd_coordinator_shape, &announcement, &json);
    co_send(&work, co_topic(&work, KD_TOPIC_COORDINATOR, CO_NONE, CO_NONE, CO_NONE), kd_buf_str(&json), CO_NONE, true);
    (void)co_work_commit(&work);
}

static struct kd_marker co_marker_stored(struct co_service *service)
{
    struct co_work work;
    struct kd_marker marker = { 0 };
    if (co_work_read(service, &work)) {
        (void)co_read(&work, work.status, CO_S_META, KD_STR("marker"), &kd_marker_shape, &marker);
        co_work_abort(&work);
    }
    marker.probe = CO_NONE;
    return marker;
}

/** The marker was read: either the broker has what we wrote, or everything is published again. */
static void co_marker_judge(struct co_service *service)
{
    struct kd_marker stored = co_marker_stored(service);
    bool same = stored.position && stored.epoch == service->found.epoch && stored.position == service->found.position;
    service->sync = same || KD_PLANT(MARKER_IGNORED) ? CO_SYNC_DONE : CO_SYNC_REPEATING;
    service->repeat = (struct co_repeat){ 0 };
    if (service->sync == CO_SYNC_REPEATING) {
        co_note(service, stored.position ? LOG_NOTICE : LOG_INFO, "broker.differs",
                "found=%" PRIu64 "/%" PRIu64 " written=%" PRIu64 "/%" PRIu64, service->found.epoch, service->found.position,
                stored.epoch, stored.position);
        co_service_repeat_all(service, true);
        co_probe(service);
    }
    co_announce(service);
}

void co_outbox_marker(struct co_service *service, struct kd_str payload, bool retain)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_STATE_MAX);
    struct kd_marker marker = { 0 };
    if (payload.n && kd_json_decode(&kd_marker_shape, payload, &arena, &marker, NULL) != KD_OK)
        return;
    if (retain)
        service->found = (struct kd_marker){ .epoch = marker.epoch, .position = marker.position };
    else if (kd_str_is(marker.probe, service->session) && service->sync == CO_SYNC_ASKING)
        service->judge = true; /* after this batch: its transactions are open */
    else if (kd_str_is(marker.probe, service->session) && service->sync == CO_SYNC_REPEATING)
        service->repeat.heard = true;
}

/* ---- a connection's life ---- */

/** Parked messages get another chance after a connect, at most hourly. */
static void co_parked_retry(struct co_service *service)
{
    struct co_work work;
    struct kd_mono now = service->ops->now(service->ctx);
    if (now.us < service->outbox.parked_next.us || !co_work_begin(service, &work))
        return;
    service->outbox.parked_next.us = now.us + CO_PARKED_PACE_S * KD_US_PER_S;
    struct kd_scan scan = kd_scan_prefix(CO_PARKED, CO_NONE);
    while (kd_scan_next(work.spec, &scan)) {
        struct kd_topic topic;
        struct kd_str text = kd_arena_copy(work.arena, kd_key_str(&scan.key));
        if (!kd_topic_parse(text, &topic))
            continue;
        if (topic.kind != KD_TOPIC_STATE && topic.kind != KD_TOPIC_STATE_VERSION)
            co_outbox_put(&work, text);
        else
            co_view_dirty(&work, topic.part[1], topic.part[2], topic.part[3]);
        (void)kd_txn_del(work.spec, CO_PARKED, text);
    }
    (void)co_work_commit(&work);
}

void co_outbox_connected(struct co_service *service)
{
    struct co_outbox *outbox = &service->outbox;
    outbox->sent = 0;
    outbox->flights = outbox->answered = 0;
    outbox->view_round = false;
    service->sync = CO_SYNC_ASKING;
    service->found = (struct kd_marker){ 0 };
    service->judge = false;
    co_parked_retry(service);
    co_probe(service);
}

/** The message at which the connection ended; at the third time in a row it is parked, so that it does not stop what stands behind it. */
static void co_outbox_blame(struct co_service *service, const struct co_flight *flight)
{
    struct co_outbox *outbox = &service->outbox;
    bool same = kd_str_eq(kd_key_str(&outbox->last_topic), kd_key_str(&flight->topic));
    outbox->last_topic_ends = same ? outbox->last_topic_ends + 1 : 1;
    outbox->last_topic = flight->topic;
    struct co_work work;
    if (outbox->last_topic_ends < CO_PARK_AFTER || !co_work_begin(service, &work))
        return;
    outbox->last_topic_ends = 0;
    struct co_flight parked = *flight;
    parked.reason = 0;
    co_flight_settle(&work, &parked);
    co_outbox_park(&work, kd_key_str(&flight->topic), KD_STR("the connection ended at it three times in a row"));
    (void)co_work_commit(&work);
}

void co_outbox_disconnected(struct co_service *service)
{
    struct co_outbox *outbox = &service->outbox;
    service->sync = CO_SYNC_OFFLINE;
    for (size_t i = 0; i < outbox->flights; i++)
        if (outbox->flight[i].reason < 0) {
            co_outbox_blame(service, &outbox->flight[i]);
            break;
        }
    outbox->flights = outbox->answered = 0;
}

/** Fills the window. */
static void co_outbox_fill(struct co_service *service)
{
    struct co_work work;
    if (!co_work_read(service, &work))
        return;
    co_outbox_send_queue(&work);
    if (co_outbox_has_room(service))
        co_outbox_send_views(&work);
    co_work_abort(&work);
}

struct kd_mono co_outbox_pump(struct co_service *service)
{
    struct co_outbox *outbox = &service->outbox;
    if (service->judge) {
        service->judge = false;
        co_marker_judge(service);
    }
    if (service->sync == CO_SYNC_OFFLINE)
        return KD_NEVER;
    bool waits = service->sync == CO_SYNC_ASKING || (service->sync == CO_SYNC_REPEATING && !service->repeat.heard);
    if (waits && service->ops->now(service->ctx).us >= service->probe_next.us)
        co_probe(service);
    if (service->sync == CO_SYNC_ASKING)
        return service->probe_next;
    for (;;) { /* a window that is answered at once (as the simulation's broker may) is followed by the next */
        if (outbox->flights && outbox->answered == outbox->flights)
            co_outbox_settle(service);
        co_outbox_fill(service);
        if (outbox->flights)
            break;
        bool steps = service->sync == CO_SYNC_REPEATING && service->repeat.step <= KD_COUNT(co_walks);
        if (steps && !co_repeat_step(service))
            break;
        if (steps)
            continue;
        if (service->sync == CO_SYNC_REPEATING && co_repeat_is_complete(service))
            co_repeat_end(service);
        else
            break;
    }
    return waits ? service->probe_next : outbox->view_next.us > service->ops->now(service->ctx).us ? outbox->view_next : KD_NEVER;
}
