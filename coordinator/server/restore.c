/** A new epoch. */
#include "coordinator/server/restore.h"

#include "coordinator/server/kinds.h"
#include "coordinator/server/rollouts.h"
#include "coordinator/server/state.h"
#include "shared/base/own.h"
#include "shared/base/plant.h"

static void co_table_clear(struct kd_txn *txn, int table)
{
    struct kd_scan scan = kd_scan_prefix(table, CO_NONE);
    while (kd_scan_next(txn, &scan))
        (void)kd_txn_del(txn, table, kd_key_str(&scan.key));
}

static void co_epoch_advance(struct co_work *work)
{
    struct co_project project = co_project_get(work);
    uint64_t known = project.version.epoch > project.heard.epoch ? project.version.epoch : project.heard.epoch;
    uint64_t clock = work->wall.unix_ms > 0 ? (uint64_t)(work->wall.unix_ms / 1000) : 0;
    if (KD_PLANT(EPOCH_KEPT))
        return;
    project.version.epoch = known + 1 > clock ? known + 1 : clock;
    co_project_put(work, &project);
}

static void co_hold_deployments(struct co_work *work)
{
    struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_DEPLOYMENT, kd_key_str(&prefix));
    struct kd_arena *outer = work->arena;
    while (kd_scan_next(work->spec, &scan)) {
        struct kd_arena arena = KD_ARENA(CO_MESSAGE_MEMORY);
        union co_document document;
        work->arena = &arena;
        bool known = kd_json_decode(&kd_deployment_shape, scan.value, work->arena, &document, NULL) == KD_OK;
        if (known && !document.deployment.hold) {
            document.deployment.hold = true;
            co_document_store(work, co_kind_of(KD_STR("deployment")), &document);
        }
        kd_arena_clear(&arena);
    }
    work->arena = outer;
}

/** Placements are held; removals are dropped. key is cluster/uid. */
static void co_hold_placement(struct co_work *work, struct kd_str key, struct kd_str json)
{
    struct kd_arena arena = KD_ARENA(CO_MESSAGE_MEMORY), *outer = work->arena;
    struct kd_str uid = key, cluster = kd_str_cut(&uid, '/');
    struct co_placement placement;
    work->arena = &arena;
    bool known = kd_json_decode(&co_placement_shape, json, work->arena, &placement, NULL) == KD_OK;
    if (known && placement.remove) {
        co_forget_placement(work, cluster, uid);
        co_rollout_may_end(work, uid);
    } else if (known) {
        placement.hold = true;
        co_place(work, cluster, &placement);
    }
    kd_arena_clear(&arena);
    work->arena = outer;
}

static void co_hold_placements(struct co_work *work)
{
    struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_PLACEMENT, kd_key_str(&prefix));
    while (kd_scan_next(work->spec, &scan))
        co_hold_placement(work, kd_scan_rest(&scan), scan.value);
}

/** Every cluster gets a manifest of the new epoch, also where it says the same as before. */
static void co_renew_manifests(struct co_work *work)
{
    struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_CLUSTER, kd_key_str(&prefix));
    co_table_clear(work->spec, CO_MANIFEST);
    while (kd_scan_next(work->spec, &scan))
        co_touch(work, kd_scan_rest(&scan));
}

enum kd_code co_service_new_epoch(struct co_service *service, struct kd_err *err)
{
    static const int outbox[] = { CO_OUTBOX, CO_OUTBOX_AT, CO_PARKED };
    struct co_work work;
    if (!co_work_begin(service, &work))
        return kd_fail(err, KD_UNAVAILABLE, 0, "the stores cannot be written");
    for (size_t i = 0; i < KD_COUNT(outbox); i++)
        co_table_clear(work.spec, outbox[i]);
    co_epoch_advance(&work);
    co_hold_deployments(&work);
    co_hold_placements(&work);
    co_renew_manifests(&work);
    for (int table = 0; table < CO_STATUS_TABLE_COUNT; table++)
        co_table_clear(work.status, table);
    co_kinds_recount(&work);
    return co_work_commit(&work) ? KD_OK : kd_fail(err, KD_UNAVAILABLE, 0, "the stores cannot be written");
}
