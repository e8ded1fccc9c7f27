/** Placements become manifests: one row per cluster and deployment says what is wanted there or is to go. */
#include "coordinator/server/work.h"
#include "shared/model/digest.h"
#include "shared/model/fields.h"

#include <syslog.h>

enum {
    CO_VERSION_ROOM = 64,       /* bytes that the digits of a version may take */
    CO_SURELY_FITS = 50,        /* entries, with all that each may carry */
    CO_REMOVALS_AT_ONCE = 1000, /* where not all of them fit */
};

#define T struct co_placement
static const struct kd_json_field co_placement_fields[] = {
    F_TEXT(T, name, "name", .required = true),
    F_TEXT(T, uid, "uid", .required = true),
    F_TEXT(T, document.digest, "digest"),
    F_COUNT(T, document.size, "size"),
    F_TEXTS(T, adopts, "adopts"),
    F_FLAG(T, remove, "remove"),
    F_FLAG(T, hold, "hold"),
    F_FLAG(T, unfit, "unfit"),
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
    co_view_dirty(work, KD_STR("cluster"), cluster, CO_NONE);
}

static bool co_placement_is_same(const struct co_placement *a, const struct co_placement *b)
{
    KD_AUTO(kd_buf_clear) struct kd_buf x = KD_BUF(KD_STATE_MAX), y = KD_BUF(KD_STATE_MAX);
    kd_json_encode(&co_placement_shape, a, &x);
    kd_json_encode(&co_placement_shape, b, &y);
    return kd_str_eq(kd_buf_str(&x), kd_buf_str(&y));
}

void co_place(struct co_work *work, struct kd_str cluster, const struct co_placement *placement)
{
    struct co_placement before = { 0 }, wanted = *placement;
    bool known = co_placement_get(work, cluster, placement->uid, &before);
    wanted.unfit = before.unfit;
    if (known && co_placement_is_same(&before, &wanted))
        return;
    if (!known || before.remove || !kd_str_eq(before.document.digest, placement->document.digest)) {
        co_object_name(work, placement->document.digest);
        if (before.document.digest.n)
            co_object_unname(work, before.document.digest);
    }
    co_placement_put(work, cluster, &wanted);
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
    co_view_dirty(work, KD_STR("cluster"), cluster, CO_NONE);
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

/** All placements of the cluster; *ret_unfit: one of them did not fit before. */
static bool co_manifest_collect(struct co_work *work, struct kd_str cluster, struct kd_manifest *manifest, bool *ret_unfit)
{
    struct kd_key prefix = co_prefix(work->project, cluster, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_PLACEMENT, kd_key_str(&prefix));
    while (kd_scan_next(work->spec, &scan)) {
        struct co_placement placement;
        if (kd_json_decode(&co_placement_shape, scan.value, work->arena, &placement, NULL) != KD_OK)
            continue;
        *ret_unfit |= placement.unfit;
        if (!co_manifest_add(work, manifest, &placement))
            return false;
    }
    return true;
}

/* ---- a manifest has a limit: what does not fit is not placed, and says so ---- */

static bool co_manifest_fits(const struct kd_manifest *manifest)
{
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_PAYLOAD_MAX - CO_VERSION_ROOM);
    kd_json_encode(&kd_manifest_shape, manifest, &json);
    return !json.overflow && manifest->deployments.n <= KD_MANIFEST_DEPLOYMENTS && manifest->remove.n <= KD_MANIFEST_DEPLOYMENTS;
}

static bool co_manifest_has(const struct kd_manifest *manifest, struct kd_str uid)
{
    for (size_t i = 0; i < manifest->deployments.n; i++)
        if (kd_str_eq(manifest->deployments.v[i].uid, uid))
            return true;
    return false;
}

/** What is in the manifest already stands before what is new, so that nothing that runs becomes an orphan. */
static void co_known_first(const struct kd_manifest *before, struct kd_manifest *manifest)
{
    size_t known = 0;
    for (size_t i = 0; i < manifest->deployments.n; i++) {
        struct kd_manifest_entry entry = manifest->deployments.v[i];
        if (!co_manifest_has(before, entry.uid))
            continue;
        memmove(&manifest->deployments.v[known + 1], &manifest->deployments.v[known],
                (i - known) * sizeof *manifest->deployments.v);
        manifest->deployments.v[known++] = entry;
    }
}

/** Cuts the manifest to what fits: some removals now and the others later, then as many deployments as there is room for. */
static void co_manifest_cut(const struct kd_manifest *before, struct kd_manifest *manifest)
{
    size_t fits = 0, too_many = manifest->deployments.n + 1;
    if (manifest->remove.n > CO_REMOVALS_AT_ONCE)
        manifest->remove.n = CO_REMOVALS_AT_ONCE;
    co_known_first(before, manifest);
    while (too_many - fits > 1) {
        manifest->deployments.n = fits + (too_many - fits) / 2;
        if (co_manifest_fits(manifest))
            fits = manifest->deployments.n;
        else
            too_many = manifest->deployments.n;
    }
    manifest->deployments.n = fits;
}

static void co_placement_mark(struct co_work *work, struct kd_str cluster, struct kd_str uid, bool unfit)
{
    struct kd_key key = CO_KEY3(work->project, cluster, uid);
    struct co_placement placement;
    if (!co_placement_get(work, cluster, uid, &placement) || placement.unfit == unfit)
        return;
    placement.unfit = unfit;
    co_write(work, work->spec, CO_PLACEMENT, kd_key_str(&key), &co_placement_shape, &placement);
    co_tally(work, uid, cluster);
    if (unfit)
        co_note(work->service, LOG_WARNING, "manifest.full", "project=%.*s cluster=%.*s deployment=%.*s", KD_ARG(work->project),
                KD_ARG(cluster), KD_ARG(placement.name));
}

static void co_manifest_fit(struct co_work *work, struct kd_str cluster, const struct kd_manifest *before,
                            struct kd_manifest *manifest, bool unfit)
{
    size_t all = manifest->deployments.n;
    if (all + manifest->remove.n > CO_SURELY_FITS && !co_manifest_fits(manifest))
        co_manifest_cut(before, manifest);
    if (unfit || manifest->deployments.n < all)
        for (size_t i = 0; i < all; i++)
            co_placement_mark(work, cluster, manifest->deployments.v[i].uid, i >= manifest->deployments.n);
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
    bool unfit = false;
    if (!document.leave && !co_manifest_collect(work, cluster, &manifest, &unfit))
        return;
    co_manifest_fit(work, cluster, &before, &manifest, unfit);
    if (!known || !co_manifest_is_same(stored, &before, &manifest))
        co_manifest_store(work, cluster, &manifest);
}
