/** Views: what operators see of a document, as a reply and as a retained state topic. */
#include "coordinator/core/presence.h"
#include "coordinator/core/sums.h"
#include "coordinator/server/kinds.h"
#include "coordinator/server/rollouts.h"
#include "coordinator/server/state.h"
#include "shared/base/own.h"
#include "shared/model/fields.h"

#include <inttypes.h>

enum { CO_WAITING_FOR_MAX = 20 /* clusters that a terminating deployment names */ };

/* ---- deployment ---- */

struct co_summary {
    uint64_t total, running, down, deploying, updating, error, unknown, offline;
};

#define T struct co_summary
static const struct kd_json_field co_summary_fields[] = {
    F_COUNT(T, total, "total", .required = true),       F_COUNT(T, running, "running", .required = true),
    F_COUNT(T, down, "down", .required = true),         F_COUNT(T, deploying, "deploying", .required = true),
    F_COUNT(T, updating, "updating", .required = true), F_COUNT(T, error, "error", .required = true),
    F_COUNT(T, unknown, "unknown", .required = true),   F_COUNT(T, offline, "offline", .required = true),
};
static const struct kd_json_shape co_summary_shape = KD_SHAPE(T, co_summary_fields, "a summary");
#undef T

struct co_deployment_status {
    struct kd_str state, message, waiting;
    struct co_summary summary;
    struct kd_strs waiting_for;
};

#define T struct co_deployment_status
static const struct kd_json_field co_deployment_status_fields[] = {
    F_TEXT(T, state, "state", .required = true),     F_TEXT(T, message, "message", .required = true),
    F_TEXT(T, waiting, "waiting", .required = true), F_OBJECT(T, summary, &co_summary_shape, "summary", .required = true),
    F_TEXTS(T, waiting_for, "waitingFor"),
};
static const struct kd_json_shape co_deployment_status_shape = KD_SHAPE(T, co_deployment_status_fields, "a deployment's status");
#undef T

/** Clusters that have not reported the removal yet. */
static void co_waiting_for(struct co_work *work, struct kd_str uid, struct kd_strs *ret)
{
    struct kd_key prefix = co_prefix(work->project, uid, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_PLACED, kd_key_str(&prefix));
    ret->v = kd_arena_alloc(work->arena, CO_WAITING_FOR_MAX * sizeof *ret->v);
    while (ret->v && ret->n < CO_WAITING_FOR_MAX && kd_scan_next(work->spec, &scan))
        ret->v[ret->n++] = kd_arena_copy(work->arena, kd_scan_rest(&scan));
}

static struct kd_str co_deployment_message(struct co_work *work, const struct kd_deployment *deployment,
                                           const struct co_rollout *rollout, const struct co_deployment_status *status)
{
    if (rollout->waiting.n)
        return kd_arena_printf(work->arena, "waiting: %.*s", KD_ARG(rollout->waiting));
    if (rollout->terminating)
        return kd_arena_printf(work->arena, "waiting for clusters to remove it");
    if (deployment->hold)
        return KD_STR("held after a restore: clusters keep what they run until `kedge resume`");
    if (status->summary.error)
        return kd_arena_printf(work->arena, "%" PRIu64 " of %" PRIu64 " clusters failed: see `kedge describe deployment %.*s`",
                               status->summary.error, status->summary.total, KD_ARG(deployment->name));
    return CO_NONE;
}

void co_deployment_status_add(struct co_work *work, const union co_document *document, struct kd_buf *out)
{
    const struct kd_deployment *deployment = &document->deployment;
    struct co_rollout rollout = { 0 };
    struct co_sums sums;
    (void)co_rollout_get(work, deployment->meta.uid, &rollout);
    co_sums_get(work, deployment->meta.uid, &sums);
    struct co_deployment_status status = {
        .state = kd_str(co_deployment_word_text(co_deployment_word(&sums, rollout.waiting.n > 0, rollout.terminating))),
        .waiting = rollout.waiting,
        .summary = { sums.total, co_sums_group(&sums, CO_GROUP_RUNNING), co_sums_group(&sums, CO_GROUP_DOWN),
                     co_sums_group(&sums, CO_GROUP_DEPLOYING), co_sums_group(&sums, CO_GROUP_UPDATING),
                     co_sums_group(&sums, CO_GROUP_ERROR), co_sums_group(&sums, CO_GROUP_UNKNOWN), sums.offline },
    };
    status.message = co_deployment_message(work, deployment, &rollout, &status);
    if (rollout.terminating)
        co_waiting_for(work, rollout.uid, &status.waiting_for);
    kd_json_encode(&co_deployment_status_shape, &status, out);
}

/* ---- cluster ---- */

struct co_cluster_status {
    struct kd_str state, last_seen, agent_version, runtime, runtime_version, architecture, refused;
    struct kd_version manifest;
    bool ahead, duplicate, enrolment_differs;
    uint64_t deployments, orphans;
    struct kd_pairs found_labels;
};

#define T struct co_cluster_status
static const struct kd_json_field co_cluster_status_fields[] = {
    F_TEXT(T, state, "state", .required = true),
    F_TEXT(T, last_seen, "lastSeen"),
    F_TEXT(T, agent_version, "agentVersion"),
    F_TEXT(T, runtime, "runtime"),
    F_TEXT(T, runtime_version, "runtimeVersion"),
    F_TEXT(T, architecture, "architecture"),
    F_OBJECT(T, manifest, &kd_version_shape, "manifest", .required = true),
    F_FLAG(T, ahead, "ahead", .required = true),
    F_FLAG(T, duplicate, "duplicate", .required = true),
    F_FLAG(T, enrolment_differs, "enrolmentDiffers", .required = true),
    F_TEXT(T, refused, "refused"),
    F_COUNT(T, deployments, "deployments", .required = true),
    F_COUNT(T, orphans, "orphans", .required = true),
    F_PAIRS(T, found_labels, "foundLabels"),
};
static const struct kd_json_shape co_cluster_status_shape = KD_SHAPE(T, co_cluster_status_fields, "a cluster's status");
#undef T

static void co_cluster_count(struct co_work *work, struct kd_str cluster, struct co_cluster_status *ret)
{
    struct kd_key prefix = co_prefix(work->project, cluster, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_PLACEMENT, kd_key_str(&prefix));
    struct co_placement placement;
    while (kd_scan_next(work->spec, &scan))
        if (kd_json_decode(&co_placement_shape, scan.value, work->arena, &placement, NULL) == KD_OK)
            ret->deployments += !placement.remove;
    scan = kd_scan_prefix(CO_S_STATUS, kd_key_str(&prefix));
    while (kd_scan_next(work->status, &scan)) /* a status stays only of what is placed or orphaned (agents.c) */
        ret->orphans += !kd_txn_has(work->spec, CO_PLACEMENT, kd_key_str(&scan.key));
}

void co_cluster_status_add(struct co_work *work, const union co_document *document, struct kd_buf *out)
{
    struct kd_key key = CO_KEY2(work->project, document->cluster.name);
    struct co_presence presence = { 0 };
    struct kd_inventory inventory = { 0 };
    (void)co_read(work, work->status, CO_S_PRESENCE, kd_key_str(&key), &co_presence_shape, &presence);
    (void)co_read(work, work->status, CO_S_INVENTORY, kd_key_str(&key), &kd_inventory_shape, &inventory);
    struct co_cluster_status status = {
        .state = kd_str(kd_presence_words[presence.state]),
        .agent_version = inventory.agent_version,
        .runtime = inventory.runtime,
        .runtime_version = inventory.runtime_version,
        .architecture = inventory.architecture,
        .refused = presence.refused,
        .manifest = { presence.manifest.epoch, presence.manifest.n },
        .ahead = presence.ahead,
        .duplicate = presence.duplicate,
        .enrolment_differs = presence.enrolment_differs,
        .found_labels = inventory.labels,
    };
    char seen[KD_TIME_TEXT] = "";
    if (presence.heard_ms)
        kd_wall_text((struct kd_wall){ (int64_t)presence.heard_ms }, seen);
    status.last_seen = kd_str(seen);
    co_cluster_count(work, document->cluster.name, &status);
    kd_json_encode(&co_cluster_status_shape, &status, out);
}

/* ---- package ---- */

void co_package_status_add(struct co_work *work, const union co_document *document, struct kd_buf *out)
{
    bool deployed = co_package_is_deployed(work, document->package.name, document->package.version);
    kd_buf_printf(out, "{\"deployed\":%s}", deployed ? "true" : "false");
}

/* ---- any kind ---- */

static void co_order_add(struct co_work *work, struct kd_buf *out)
{
    kd_buf_printf(out, "\"order\":{\"epoch\":%" PRIu64 ",\"n\":%" PRIu64 "},", work->service->order_epoch, ++work->service->order);
}

static void co_status_add(struct co_work *work, const struct co_kind *kind, const union co_document *document, struct kd_buf *out)
{
    if (!kind->status)
        return;
    kd_buf_add(out, KD_STR(",\"status\":"));
    kind->status(work, document, out);
}

void co_view_add(struct co_work *work, const struct co_kind *kind, const union co_document *document, bool order,
                 struct kd_buf *out)
{
    union co_document shown = *document;
    size_t start = out->n;
    if (kind->hide)
        kind->hide(&shown);
    kd_buf_add_char(out, '{');
    if (order)
        co_order_add(work, out);
    KD_AUTO(kd_buf_clear) struct kd_buf body = KD_BUF(KD_VALUE_MAX);
    kd_json_encode(kind->shape, &shown, &body);
    kd_buf_add(out, (struct kd_str){ body.p + 1, body.n - 2 }); /* without its braces */
    co_status_add(work, kind, document, out);
    kd_buf_add_char(out, '}');
    if (!order || out->n - start <= KD_STATE_MAX)
        return;
    out->n = start;
    co_view_add_cut(work, kind, document, order, out);
}

void co_view_add_cut(struct co_work *work, const struct co_kind *kind, const union co_document *document, bool order,
                     struct kd_buf *out)
{
    union co_document shown = *document;
    const struct kd_meta *meta = co_document_meta(kind, &shown);
    kd_buf_add_char(out, '{');
    if (order)
        co_order_add(work, out);
    kd_buf_printf(out, "\"name\":\"%.*s\",\"version\":\"%.*s\",\"uid\":\"%.*s\",\"resourceVersion\":%" PRIu64 ",\"cut\":true",
                  KD_ARG(co_document_name(kind, &shown)), KD_ARG(co_document_version(kind, &shown)), KD_ARG(meta->uid),
                  meta->resource_version);
    co_status_add(work, kind, document, out);
    kd_buf_add_char(out, '}');
}

static struct kd_str co_retained_bytes(struct co_work *work, int table, struct kd_str name)
{
    struct kd_key key = CO_KEY2(work->project, name);
    struct kd_str bytes;
    return kd_txn_get(work->spec, table, kd_key_str(&key), &bytes) ? kd_arena_copy(work->arena, bytes) : CO_NONE;
}

static struct kd_str co_retained_view(struct co_work *work, const struct kd_topic *topic)
{
    const struct co_kind *kind = co_kind_of(topic->part[1]);
    union co_document document;
    KD_AUTO(kd_buf_clear) struct kd_buf view = KD_BUF(KD_VALUE_MAX);
    if (!kind || kind->versioned != (topic->kind == KD_TOPIC_STATE_VERSION) ||
        !co_document_get(work, kind, topic->part[2], kind->versioned ? topic->part[3] : CO_NONE, &document))
        return CO_NONE;
    co_view_add(work, kind, &document, true, &view);
    return kd_arena_copy(work->arena, kd_buf_str(&view));
}

struct kd_str co_retained(struct co_work *work, const struct kd_topic *topic)
{
    switch (topic->kind) {
    case KD_TOPIC_OBJECT:
        return co_retained_bytes(work, CO_OBJECT, topic->part[1]);
    case KD_TOPIC_MANIFEST:
        return co_retained_bytes(work, CO_MANIFEST, topic->part[1]);
    case KD_TOPIC_STATE:
    case KD_TOPIC_STATE_VERSION:
        return co_retained_view(work, topic);
    case KD_TOPIC_REQUEST:
    case KD_TOPIC_REPLY:
    case KD_TOPIC_COORDINATOR:
    case KD_TOPIC_MARKER:
    case KD_TOPIC_HELLO:
    case KD_TOPIC_INVENTORY:
    case KD_TOPIC_STATUS:
    case KD_TOPIC_ACK:
    case KD_TOPIC_DO:
    case KD_TOPIC_DONE:
    case KD_TOPIC_KIND_COUNT:
        break;
    }
    return CO_NONE;
}
