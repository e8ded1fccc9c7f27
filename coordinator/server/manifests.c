/** Placements become manifests: one row per cluster and deployment says what is wanted there or is to go. */
#include "coordinator/server/work.h"
#include "shared/model/digest.h"
#include "shared/model/fields.h"

#include <syslog.h>

#define T struct co_placement
static const struct kd_json_field co_placement_fields[] = {
    F_TEXT(T, name, "name", .required = true),
    F_TEXT(T, uid, "uid", .required = true),
    F_TEXT(T, document.digest, "digest"),
    F_COUNT(T, document.size, "size"),
    F_TEXTS(T, adopts, "adopts"),
    F_FLAG(T, remove, "remove"),
    F_FLAG(T, hold, "hold"),
};
const struct kd_json_shape co_placement_shape = KD_SHAPE(T, co_placement_fields, "a placement");
#undef T

bool co_placement_get(struct co_work *work, struct kd_str cluster, struct kd_str uid, struct co_placement *ret)
{
    struct kd_key key = CO_KEY3(work->project, cluster, uid);
    return co_read(work, work->spec, CO_PLACEMENT, kd_key_str(&key), &co_placement_shape, ret);
}

static void co_placement_put(struct co_work *work, struct kd_str cluster, const struct co_placement *placement)
{
    struct kd_key key = CO_KEY3(work->project, cluster, placement->uid), placed = CO_KEY3(work->project, placement->uid, cluster);
    co_write(work, work->spec, CO_PLACEMENT, kd_key_str(&key), &co_placement_shape, placement);
    kd_txn_put(work->spec, CO_PLACED, kd_key_str(&placed), CO_NONE);
    co_touch(work, cluster);
    co_tally(work, placement->uid, cluster);
}

void co_place(struct co_work *work, struct kd_str cluster, const struct co_placement *placement)
{
    struct co_placement before = { 0 };
    bool known = co_placement_get(work, cluster, placement->uid, &before);
    if (!known || before.remove || !kd_str_eq(before.document.digest, placement->document.digest)) {
        co_object_name(work, placement->document.digest);
        if (before.document.digest.n)
            co_object_unname(work, before.document.digest);
    }
    co_placement_put(work, cluster, placement);
}

void co_unplace(struct co_work *work, struct kd_str cluster, const struct co_placement *placement)
{
    struct co_placement gone = { .name = placement->name, .uid = placement->uid, .remove = true };
    if (placement->document.digest.n)
        co_object_unname(work, placement->document.digest);
    co_placement_put(work, cluster, &gone);
}

void co_forget_placement(struct co_work *work, struct kd_str cluster, struct kd_str uid)
{
    struct kd_key key = CO_KEY3(work->project, cluster, uid), placed = CO_KEY3(work->project, uid, cluster);
    struct co_placement placement;
    if (!co_placement_get(work, cluster, uid, &placement))
        return;
    if (placement.document.digest.n)
        co_object_unname(work, placement.document.digest);
    (void)kd_txn_del(work->spec, CO_PLACEMENT, kd_key_str(&key));
    (void)kd_txn_del(work->spec, CO_PLACED, kd_key_str(&placed));
    co_touch(work, cluster);
    co_tally(work, uid, cluster);
}

/** Grows the manifest's lists by doubling, in the message's memory. */
static void *co_grow(struct co_work *work, void *list, size_t n, size_t size)
{
    if (n & (n - 1)) /* full only at 0 and powers of two */
        return list;
    char *grown = kd_arena_alloc(work->arena, (n ? 2 * n : 1) * size);
    if (grown && n)
        memcpy(grown, list, n * size);
    return grown;
}

static bool co_manifest_add(struct co_work *work, struct kd_manifest *manifest, const struct co_placement *placement)
{
    if (placement->remove) {
        manifest->remove.v = co_grow(work, manifest->remove.v, manifest->remove.n, sizeof *manifest->remove.v);
        if (manifest->remove.v)
            manifest->remove.v[manifest->remove.n++] = (struct kd_manifest_removal){ placement->name, placement->uid };
        return manifest->remove.v != NULL;
    }
    manifest->deployments.v = co_grow(work, manifest->deployments.v, manifest->deployments.n, sizeof *manifest->deployments.v);
    if (manifest->deployments.v)
        manifest->deployments.v[manifest->deployments.n++] = (struct kd_manifest_entry){ .name = placement->name,
                                                                                         .uid = placement->uid,
                                                                                         .document = placement->document,
                                                                                         .adopts = placement->adopts,
                                                                                         .hold = placement->hold };
    return manifest->deployments.v != NULL;
}

static bool co_manifest_collect(struct co_work *work, struct kd_str cluster, struct kd_manifest *manifest)
{
    struct kd_key prefix = co_prefix(work->project, cluster, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_PLACEMENT, kd_key_str(&prefix));
    while (kd_scan_next(work->spec, &scan)) {
        struct co_placement placement;
        if (kd_json_decode(&co_placement_shape, scan.value, work->arena, &placement, NULL) != KD_OK)
            continue;
        if (!co_manifest_add(work, manifest, &placement))
            return false;
    }
    return true;
}

/** True if the manifest says the same as the stored one, apart from its version. */
static bool co_manifest_is_same(struct kd_str stored, const struct kd_manifest *before, struct kd_manifest *manifest)
{
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_PAYLOAD_MAX);
    manifest->version = before->version;
    kd_json_encode(&kd_manifest_shape, manifest, &json);
    return kd_str_eq(stored, kd_buf_str(&json));
}

static void co_manifest_store(struct co_work *work, struct kd_str cluster, struct kd_manifest *manifest)
{
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_PAYLOAD_MAX);
    struct kd_key key = CO_KEY2(work->project, cluster);
    struct co_project project = co_project_get(work);
    project.version.n++;
    manifest->version = project.version;
    kd_json_encode(&kd_manifest_shape, manifest, &json);
    if (json.overflow) {
        co_note(work->service, LOG_ERR, "manifest.too-large", "project=%.*s cluster=%.*s", KD_ARG(work->project), KD_ARG(cluster));
        return;
    }
    co_project_put(work, &project);
    kd_txn_put(work->spec, CO_MANIFEST, kd_key_str(&key), kd_buf_str(&json));
    co_outbox_put_manifest(work, cluster);
}

void co_manifest_make(struct co_work *work, struct kd_str cluster)
{
    struct kd_key key = CO_KEY2(work->project, cluster);
    struct kd_cluster document;
    struct kd_manifest before = { 0 };
    if (!co_read(work, work->spec, CO_CLUSTER, kd_key_str(&key), &kd_cluster_shape, &document)) {
        if (kd_txn_del(work->spec, CO_MANIFEST, kd_key_str(&key)))
            co_outbox_put_manifest(work, cluster);
        return;
    }
    struct kd_str stored = CO_NONE;
    if (kd_txn_get(work->spec, CO_MANIFEST, kd_key_str(&key), &stored))
        stored = kd_arena_copy(work->arena, stored);
    bool known = stored.n && kd_json_decode(&kd_manifest_shape, stored, work->arena, &before, NULL) == KD_OK;
    struct kd_manifest manifest = { .enrolment = document.meta.uid,
                                    .spread_s = co_options(work)->spread_s,
                                    .leave = document.leave };
    manifest.cluster = kd_arena_printf(work->arena, "%.*s/%.*s", KD_ARG(work->project), KD_ARG(cluster));
    if (!document.leave && !co_manifest_collect(work, cluster, &manifest))
        return;
    if (!known || !co_manifest_is_same(stored, &before, &manifest))
        co_manifest_store(work, cluster, &manifest);
}
