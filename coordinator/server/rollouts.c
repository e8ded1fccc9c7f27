/** Rollouts: from a deployment to what each cluster shall run. */
#include "coordinator/server/rollouts.h"

#include "coordinator/core/plan.h"
#include "coordinator/server/kinds.h"
#include "shared/model/fields.h"
#include "shared/model/name.h"

#define T struct co_chart
static const struct kd_json_field co_chart_fields[] = {
    F_TEXT(T, registry, "registry", .required = true), F_TEXT(T, root_url, "rootUrl"), F_TEXT(T, chart, "chart", .required = true),
    F_TEXT(T, version, "version", .required = true),   F_TEXT(T, digest, "digest"),
};
static const struct kd_json_shape co_chart_shape = KD_SHAPE(T, co_chart_fields, "a pinned chart");
#undef T

#define T struct co_rollout
static const struct kd_json_field co_rollout_fields[] = {
    F_TEXT(T, name, "name", .required = true),    F_TEXT(T, uid, "uid", .required = true),
    F_TEXT(T, document.digest, "digest"),         F_COUNT(T, document.size, "size"),
    F_LIST(T, charts, &co_chart_shape, "charts"), F_TEXT(T, waiting, "waiting"),
    F_FLAG(T, terminating, "terminating"),        F_RAW(T, last, "last"),
};
const struct kd_json_shape co_rollout_shape = KD_SHAPE(T, co_rollout_fields, "a rollout");
#undef T

bool co_rollout_get(struct co_work *work, struct kd_str uid, struct co_rollout *ret)
{
    struct kd_key key = CO_KEY2(work->project, uid);
    return co_read(work, work->spec, CO_ROLLOUT, kd_key_str(&key), &co_rollout_shape, ret);
}

static void co_rollout_put(struct co_work *work, const struct co_rollout *rollout)
{
    struct kd_key key = CO_KEY2(work->project, rollout->uid), waiting = CO_KEY2(work->project, rollout->name);
    co_write(work, work->spec, CO_ROLLOUT, kd_key_str(&key), &co_rollout_shape, rollout);
    if (rollout->waiting.n && !rollout->terminating)
        kd_txn_put(work->spec, CO_WAITING, kd_key_str(&waiting), CO_NONE);
    else
        (void)kd_txn_del(work->spec, CO_WAITING, kd_key_str(&waiting));
}

void co_rollout_view_dirty(struct co_work *work, struct kd_str uid)
{
    struct co_rollout rollout;
    if (co_rollout_get(work, uid, &rollout))
        co_view_dirty(work, KD_STR("deployment"), rollout.name, CO_NONE);
}

/* ---- placing ---- */

static void co_rollout_place(struct co_work *work, const struct kd_deployment *deployment, const struct co_rollout *rollout,
                             const struct kd_cluster *cluster)
{
    struct co_placement known = { 0 };
    bool placed = co_placement_get(work, cluster->name, rollout->uid, &known);
    bool wanted = !cluster->leave && kd_deployment_targets(deployment, cluster);
    struct co_placement placement = { .name = rollout->name,
                                      .uid = rollout->uid,
                                      .document = rollout->document,
                                      .adopts = deployment->adopts,
                                      .hold = deployment->hold };
    if (wanted && rollout->document.digest.n)
        co_place(work, cluster->name, &placement);
    else if (!wanted && placed && !known.remove)
        co_unplace(work, cluster->name, &known);
}

static void co_rollout_place_everywhere(struct co_work *work, const struct kd_deployment *deployment,
                                        const struct co_rollout *rollout)
{
    struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_CLUSTER, kd_key_str(&prefix));
    struct kd_arena *outer = work->arena;
    while (kd_scan_next(work->spec, &scan)) { /* each cluster in memory of its own: there may be very many */
        struct kd_arena arena = KD_ARENA(CO_MESSAGE_MEMORY);
        struct kd_cluster cluster;
        work->arena = &arena;
        if (kd_json_decode(&kd_cluster_shape, scan.value, work->arena, &cluster, NULL) == KD_OK)
            co_rollout_place(work, deployment, rollout, &cluster);
        kd_arena_clear(&arena);
    }
    work->arena = outer;
}

/* ---- pinning ---- */

/** The digest that was pinned for the same chart before. */
static struct kd_str co_pinned_digest(const struct co_rollout *rollout, const struct co_chart *chart)
{
    for (size_t i = 0; i < rollout->charts.n; i++) {
        const struct co_chart *known = &rollout->charts.v[i];
        if (kd_str_eq(known->root_url, chart->root_url) && kd_str_eq(known->chart, chart->chart) &&
            kd_str_eq(known->version, chart->version))
            return known->digest;
    }
    return CO_NONE;
}

/** What one application of the package needs: from the catalog, from the deployment, from the registry. */
static enum kd_code co_rollout_app(struct co_work *work, const struct kd_deployment *deployment,
                                   const struct kd_application_reference *wanted, struct co_plan_app *ret, struct kd_err *err)
{
    union co_document *application = KD_NEW(work->arena, union co_document), *registry = KD_NEW(work->arena, union co_document);
    const struct kd_override *override = co_override_of(deployment, wanted->name);
    if (!application || !registry)
        return kd_fail(err, KD_TOO_LARGE, 0, "the deployment needs more memory than allowed");
    if (!co_document_get(work, co_kind_of(KD_STR("application")), wanted->name, wanted->version, application))
        return kd_fail(err, KD_NOT_FOUND, 0, "application %.*s %.*s does not exist", KD_ARG(wanted->name), KD_ARG(wanted->version));
    *ret = (struct co_plan_app){ .application = &application->application };
    if (co_document_get(work, co_kind_of(KD_STR("registry")), application->application.helm_registry, CO_NONE, registry))
        ret->registry = &registry->registry;
    if (!override || !override->values.n || kd_str_is(override->values, "{}"))
        return KD_OK;
    ret->override = co_object_add(work, override->values);
    return ret->override.digest.p ? KD_OK : kd_fail(err, KD_TOO_LARGE, 0, "the deployment needs more memory than allowed");
}

/** Pins the charts as far as they are known; what is missing is asked for, and said in rollout->waiting. */
static enum kd_code co_rollout_pin(struct co_work *work, const struct kd_deployment *deployment,
                                   const struct kd_catalog_package *package, struct co_rollout *rollout, struct co_plan_app *apps,
                                   struct kd_err *err)
{
    struct co_chart *charts = kd_arena_alloc(work->arena, package->applications.n * sizeof *charts);
    if (!charts)
        return kd_fail(err, KD_TOO_LARGE, 0, "the deployment needs more memory than allowed");
    rollout->waiting = CO_NONE;
    for (size_t i = 0; i < package->applications.n; i++) {
        enum kd_code code = co_rollout_app(work, deployment, &package->applications.v[i], &apps[i], err);
        if (code != KD_OK)
            return code;
        const struct kd_catalog_application *a = apps[i].application;
        charts[i] = (struct co_chart){ .registry = a->helm_registry, .chart = a->chart_name, .version = a->chart_version };
        if (!apps[i].registry) {
            rollout->waiting = kd_arena_printf(work->arena, "registry %.*s does not exist: create or import it",
                                               KD_ARG(a->helm_registry));
            continue;
        }
        charts[i].root_url = apps[i].registry->root_url;
        charts[i].digest = apps[i].chart_digest = co_pinned_digest(rollout, &charts[i]);
        if (charts[i].digest.n)
            continue;
        co_lookup_want(work, deployment->name, &charts[i]);
        if (!rollout->waiting.n)
            rollout->waiting = kd_arena_printf(work->arena, "asking registry %.*s for chart %.*s %.*s", KD_ARG(a->helm_registry),
                                               KD_ARG(a->chart_name), KD_ARG(a->chart_version));
    }
    rollout->charts.v = charts;
    rollout->charts.n = package->applications.n;
    return KD_OK;
}

/** The objects of the deployment's own values were counted when they were added; the document counts them from now on. */
static void co_rollout_release_overrides(struct co_work *work, const struct co_plan_app *apps, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (apps[i].override.digest.n)
            co_object_unname(work, apps[i].override.digest);
}

static bool co_all_pinned(const struct co_plan_app *apps, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!apps[i].registry || !apps[i].chart_digest.n)
            return false;
    return true;
}

static enum kd_code co_rollout_make(struct co_work *work, const struct kd_deployment *deployment, struct co_rollout *rollout,
                                    struct kd_err *err)
{
    union co_document package;
    struct kd_document document;
    if (!co_document_get(work, co_kind_of(KD_STR("package")), deployment->package.name, deployment->package.version, &package))
        return kd_fail(err, KD_NOT_FOUND, 0, "package %.*s %.*s does not exist", KD_ARG(deployment->package.name),
                       KD_ARG(deployment->package.version));
    size_t n = package.package.applications.n;
    struct co_plan_app *apps = kd_arena_alloc(work->arena, n * sizeof *apps);
    if (!apps)
        return kd_fail(err, KD_TOO_LARGE, 0, "the deployment needs more memory than allowed");
    enum kd_code code = co_rollout_pin(work, deployment, &package.package, rollout, apps, err);
    if (code == KD_OK && !co_all_pinned(apps, n) && !rollout->waiting.n)
        code = kd_fail(err, KD_TOO_LARGE, 0, "the deployment needs more memory than allowed");
    if (code == KD_OK && !rollout->waiting.n)
        code = co_plan_document(deployment, &package.package, apps, work->arena, &document, err);
    if (code == KD_OK && !rollout->waiting.n) {
        struct kd_str before = rollout->document.digest;
        code = co_object_add_document(work, &document, &rollout->document, err); /* the rollout names its document too */
        if (code == KD_OK && before.n)
            co_object_unname(work, before);
    }
    co_rollout_release_overrides(work, apps, n);
    return code;
}

void co_rollout_advance(struct co_work *work, const struct kd_deployment *deployment)
{
    struct co_rollout rollout;
    struct kd_err err;
    if (!co_rollout_get(work, deployment->meta.uid, &rollout))
        rollout = (struct co_rollout){ .uid = deployment->meta.uid };
    rollout.name = deployment->name;
    if (co_rollout_make(work, deployment, &rollout, &err) != KD_OK)
        rollout.waiting = kd_arena_copy(work->arena, kd_str(err.story));
    co_rollout_put(work, &rollout);
    co_rollout_place_everywhere(work, deployment, &rollout);
    co_view_dirty(work, KD_STR("deployment"), deployment->name, CO_NONE);
}

/** The deployment of a name, and the rollout of its uid. */
static bool co_rollout_of(struct co_work *work, struct kd_str name, union co_document *deployment, struct co_rollout *rollout)
{
    return co_document_get(work, co_kind_of(KD_STR("deployment")), name, CO_NONE, deployment) &&
           co_rollout_get(work, deployment->deployment.meta.uid, rollout);
}

void co_rollout_pinned(struct co_work *work, struct kd_str name, const struct co_chart *chart, enum kd_code code,
                       struct kd_str answer)
{
    union co_document deployment;
    struct co_rollout rollout;
    bool changed = false;
    if (!co_rollout_of(work, name, &deployment, &rollout))
        return;
    for (size_t i = 0; i < rollout.charts.n; i++) {
        struct co_chart *own = &rollout.charts.v[i];
        if (own->digest.n || !kd_str_eq(own->root_url, chart->root_url) || !kd_str_eq(own->chart, chart->chart) ||
            !kd_str_eq(own->version, chart->version))
            continue;
        changed = true;
        if (code == KD_OK)
            own->digest = answer;
        else
            rollout.waiting = kd_arena_printf(work->arena, "registry %.*s: %.*s", KD_ARG(own->registry), KD_ARG(answer));
    }
    if (!changed)
        return;
    co_rollout_put(work, &rollout);
    co_view_dirty(work, KD_STR("deployment"), name, CO_NONE);
    if (code == KD_OK)
        co_rollout_advance(work, &deployment.deployment);
}

void co_rollout_retry_waiting(struct co_work *work)
{
    struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_WAITING, kd_key_str(&prefix));
    struct kd_arena *outer = work->arena;
    while (kd_scan_next(work->spec, &scan)) {
        struct kd_arena arena = KD_ARENA(CO_MESSAGE_MEMORY);
        union co_document deployment;
        work->arena = &arena;
        if (co_document_get(work, co_kind_of(KD_STR("deployment")), kd_scan_rest(&scan), CO_NONE, &deployment))
            co_rollout_advance(work, &deployment.deployment);
        else
            (void)kd_txn_del(work->spec, CO_WAITING, kd_key_str(&scan.key));
        kd_arena_clear(&arena);
    }
    work->arena = outer;
}

/* ---- ending ---- */

static bool co_rollout_is_placed(struct co_work *work, struct kd_str uid)
{
    struct kd_key prefix = co_prefix(work->project, uid, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_PLACED, kd_key_str(&prefix));
    return kd_scan_next(work->spec, &scan);
}

void co_rollout_may_end(struct co_work *work, struct kd_str uid)
{
    struct co_rollout rollout;
    struct kd_key key = CO_KEY2(work->project, uid);
    if (!co_rollout_get(work, uid, &rollout) || !rollout.terminating || co_rollout_is_placed(work, uid))
        return;
    (void)kd_txn_del(work->spec, CO_ROLLOUT, kd_key_str(&key));
    co_view_dirty(work, KD_STR("deployment"), rollout.name, CO_NONE);
}

static void co_rollout_unplace_everywhere(struct co_work *work, struct kd_str uid)
{
    struct kd_key prefix = co_prefix(work->project, uid, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_PLACED, kd_key_str(&prefix));
    struct kd_arena *outer = work->arena;
    while (kd_scan_next(work->spec, &scan)) {
        struct kd_arena arena = KD_ARENA(CO_MESSAGE_MEMORY);
        struct co_placement placement;
        work->arena = &arena;
        if (co_placement_get(work, kd_scan_rest(&scan), uid, &placement) && !placement.remove)
            co_unplace(work, kd_scan_rest(&scan), &placement);
        kd_arena_clear(&arena);
    }
    work->arena = outer;
}

void co_rollout_terminate(struct co_work *work, const struct kd_deployment *deployment)
{
    struct co_rollout rollout;
    KD_AUTO(kd_buf_clear) struct kd_buf last = KD_BUF(KD_VALUE_MAX);
    if (!co_rollout_get(work, deployment->meta.uid, &rollout))
        return;
    kd_json_encode(&kd_deployment_shape, deployment, &last);
    rollout.terminating = true;
    rollout.waiting = CO_NONE;
    rollout.last = kd_arena_copy(work->arena, kd_buf_str(&last));
    if (rollout.document.digest.n)
        co_object_unname(work, rollout.document.digest);
    rollout.document = (struct kd_ref){ CO_NONE, 0 };
    co_rollout_put(work, &rollout);
    co_rollout_unplace_everywhere(work, rollout.uid);
    co_rollout_may_end(work, rollout.uid);
}

/* ---- clusters come and go ---- */

void co_rollout_retarget(struct co_work *work, const struct kd_cluster *cluster)
{
    struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_DEPLOYMENT, kd_key_str(&prefix));
    struct kd_arena *outer = work->arena;
    while (kd_scan_next(work->spec, &scan)) {
        struct kd_arena arena = KD_ARENA(CO_MESSAGE_MEMORY);
        struct kd_deployment deployment;
        struct co_rollout rollout;
        work->arena = &arena;
        if (kd_json_decode(&kd_deployment_shape, scan.value, work->arena, &deployment, NULL) == KD_OK &&
            co_rollout_get(work, deployment.meta.uid, &rollout))
            co_rollout_place(work, &deployment, &rollout, cluster);
        kd_arena_clear(&arena);
    }
    work->arena = outer;
    co_touch(work, cluster->name);
}
