/** Requests of their own on deployments and clusters: adoption, the end of a hold, orphans, pruning, leaving. */
#include "coordinator/core/presence.h"
#include "coordinator/server/rollouts.h"
#include "coordinator/server/routes.h"
#include "shared/base/own.h"
#include "shared/model/fields.h"

/** The document of the request's kind that it names. */
static enum kd_code co_find(struct co_call *call, struct kd_str name, union co_document *ret)
{
    return co_document_find(call->work, co_kind_of(call->kind), name, CO_NONE, ret, call->err);
}

/** What nearly every request here begins with. */
static enum kd_code co_find_named(struct co_call *call, struct co_named *ret_named, union co_document *ret)
{
    enum kd_code code = co_named_read(call, ret_named);
    return code == KD_OK ? co_find(call, ret_named->name, ret) : code;
}

static void co_texts_add(const struct kd_strs *texts, const char *name, struct kd_buf *out)
{
    kd_buf_printf(out, "{\"%s\":[", name);
    for (size_t i = 0; i < texts->n; i++) {
        if (i)
            kd_buf_add_char(out, ',');
        kd_json_add_text(out, texts->v[i]);
    }
    kd_buf_add(out, KD_STR("]}"));
}

/* ---- orphans ---- */

/** What runs on an edge although nobody wants it there: reported as orphaned, and not placed. */
static bool co_is_orphan(struct co_work *work, struct kd_str cluster, struct kd_str uid, struct kd_str json, struct kd_status *ret)
{
    struct co_placement placement;
    return kd_json_decode(&kd_status_shape, json, work->arena, ret, NULL) == KD_OK && ret->state == KD_APP_ORPHANED &&
           !co_placement_get(work, cluster, uid, &placement);
}

/** Calls back for each orphan of a cluster (all clusters with ""). */
static void co_each_orphan(struct co_work *work, struct kd_str cluster,
                           void (*each)(void *ctx, struct kd_str cluster, const struct kd_status *status), void *ctx)
{
    struct kd_key prefix = co_prefix(work->project, cluster, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_S_STATUS, kd_key_str(&prefix));
    while (kd_scan_next(work->status, &scan)) {
        struct kd_str uid = { scan.key.p + work->project.n + 1, scan.key.n - work->project.n - 1 }, on = kd_str_cut(&uid, '/');
        struct kd_status status;
        if (co_is_orphan(work, on, uid, scan.value, &status))
            each(ctx, kd_arena_copy(work->arena, on), &status);
    }
}

static void co_orphan_show(void *ctx, struct kd_str cluster, const struct kd_status *status)
{
    struct kd_buf *out = ctx;
    if (out->n > 1 && out->p[out->n - 1] == '}')
        kd_buf_add_char(out, ',');
    kd_buf_printf(out, "{\"cluster\":\"%.*s\",\"deployment\":\"%.*s\",\"uid\":\"%.*s\",\"state\":\"%s\"}", KD_ARG(cluster),
                  KD_ARG(status->deployment), KD_ARG(status->uid), kd_app_state_word(status->state));
}

enum kd_code co_on_cluster_orphans(struct co_call *call)
{
    struct co_named named;
    union co_document document;
    enum kd_code code = co_named_read(call, &named);
    if (code == KD_OK && named.name.n)
        code = co_find(call, named.name, &document);
    if (code != KD_OK)
        return code;
    kd_buf_add(call->result, KD_STR("{\"items\":["));
    co_each_orphan(call->work, named.name, co_orphan_show, call->result);
    kd_buf_add(call->result, KD_STR("]}"));
    return KD_OK;
}

struct co_collected {
    struct co_work *work;
    struct kd_str name;                     /* of the deployment */
    struct kd_str uid;                      /* only this one, unless empty */
    const struct kd_deployment *deployment; /* only on its clusters, unless NULL */
    struct kd_strs uids;
};

static bool co_strs_have(const struct kd_strs *texts, struct kd_str text)
{
    for (size_t i = 0; i < texts->n; i++)
        if (kd_str_eq(texts->v[i], text))
            return true;
    return false;
}

static void co_strs_add(struct co_work *work, struct kd_strs *texts, struct kd_str text)
{
    if (co_strs_have(texts, text))
        return;
    struct kd_str *grown = kd_arena_alloc(work->arena, (texts->n + 1) * sizeof *grown);
    if (!grown)
        return;
    if (texts->n)
        memcpy(grown, texts->v, texts->n * sizeof *grown);
    grown[texts->n] = text;
    *texts = (struct kd_strs){ grown, texts->n + 1 };
}

static void co_orphan_collect(void *ctx, struct kd_str cluster, const struct kd_status *status)
{
    struct co_collected *c = ctx;
    union co_document document;
    bool wanted = kd_str_eq(status->deployment, c->name) && (!c->uid.n || kd_str_eq(status->uid, c->uid));
    if (wanted && c->deployment)
        wanted = co_document_get(c->work, co_kind_of(KD_STR("cluster")), cluster, CO_NONE, &document) &&
                 kd_deployment_targets(c->deployment, &document.cluster);
    if (wanted)
        co_strs_add(c->work, &c->uids, status->uid);
}

/* ---- deployment ---- */

enum kd_code co_on_deployment_adopt(struct co_call *call)
{
    struct co_named named;
    union co_document document;
    enum kd_code code = co_find_named(call, &named, &document);
    if (code != KD_OK)
        return code;
    struct co_collected found = { call->work, named.name, CO_NONE, &document.deployment, named.uids };
    if (!named.uids.n)
        co_each_orphan(call->work, CO_NONE, co_orphan_collect, &found);
    for (size_t i = 0; i < found.uids.n; i++)
        co_strs_add(call->work, &document.deployment.adopts, found.uids.v[i]);
    if (document.deployment.adopts.n > KD_ADOPTS_MAX)
        return kd_fail_field(call->err, KD_TOO_LARGE, "$.uids", "a deployment adopts at most %d uids, this would be %zu",
                             KD_ADOPTS_MAX, document.deployment.adopts.n);
    if (found.uids.n) {
        co_document_store(call->work, co_kind_of(KD_STR("deployment")), &document);
        co_rollout_advance(call->work, &document.deployment);
    }
    co_texts_add(&found.uids, "adopted", call->result);
    return KD_OK;
}

enum kd_code co_on_deployment_resume(struct co_call *call)
{
    struct co_named named;
    union co_document document;
    enum kd_code code = co_find_named(call, &named, &document);
    if (code != KD_OK)
        return code;
    if (document.deployment.hold) {
        document.deployment.hold = false;
        co_document_store(call->work, co_kind_of(KD_STR("deployment")), &document);
        co_rollout_advance(call->work, &document.deployment);
    }
    co_view_add(call->work, co_kind_of(KD_STR("deployment")), &document, false, call->result);
    return KD_OK;
}

/* ---- cluster ---- */

enum kd_code co_on_cluster_prune(struct co_call *call)
{
    struct co_named named;
    union co_document document;
    enum kd_code code = co_find_named(call, &named, &document);
    if (code != KD_OK)
        return code;
    struct co_collected found = { .work = call->work, .name = named.deployment, .uid = named.meta.uid };
    co_each_orphan(call->work, named.name, co_orphan_collect, &found);
    if (found.uids.n == 0)
        return kd_fail_field(call->err, KD_NOT_FOUND, "$.deployment",
                             "cluster %.*s has no orphan of that name: see `kedge get orphans`", KD_ARG(named.name));
    if (found.uids.n > 1)
        return kd_fail_field(call->err, KD_CONFLICT, "$.uid", "cluster %.*s has %zu orphans of that name: name the uid",
                             KD_ARG(named.name), found.uids.n);
    struct co_placement gone = { .name = named.deployment, .uid = found.uids.v[0] };
    co_unplace(call->work, named.name, &gone);
    co_texts_add(&found.uids, "pruned", call->result);
    return KD_OK;
}

enum kd_code co_on_cluster_adopt(struct co_call *call)
{
    struct co_named named;
    union co_document document;
    struct co_presence presence = { 0 };
    enum kd_code code = co_find_named(call, &named, &document);
    if (code != KD_OK)
        return code;
    struct kd_key key = CO_KEY2(call->work->project, named.name);
    bool heard = co_read(call->work, call->work->status, CO_S_PRESENCE, kd_key_str(&key), &co_presence_shape, &presence);
    if (!heard || !presence.enrolment.n)
        return kd_fail(call->err, KD_CONFLICT, 0, "the agent of cluster %.*s has not said which enrolment it has",
                       KD_ARG(named.name));
    if (presence.state == KD_PRESENCE_LEFT)
        return kd_fail(call->err, KD_CONFLICT, 0, "cluster %.*s has left with that enrolment and accepts nothing under it any more",
                       KD_ARG(named.name));
    if (!kd_str_eq(document.cluster.meta.uid, presence.enrolment)) {
        document.cluster.meta.uid = presence.enrolment;
        co_document_store(call->work, co_kind_of(KD_STR("cluster")), &document);
        presence.enrolment_differs = false;
        co_write(call->work, call->work->status, CO_S_PRESENCE, kd_key_str(&key), &co_presence_shape, &presence);
        co_touch(call->work, named.name);
    }
    co_view_add(call->work, co_kind_of(KD_STR("cluster")), &document, false, call->result);
    return KD_OK;
}

/** Nothing is wanted there any more: the agent removes everything and says so. */
enum kd_code co_on_cluster_leave(struct co_call *call)
{
    struct co_named named;
    union co_document document;
    enum kd_code code = co_find_named(call, &named, &document);
    if (code != KD_OK)
        return code;
    if (!document.cluster.leave) {
        document.cluster.leave = true;
        co_document_store(call->work, co_kind_of(KD_STR("cluster")), &document);
        co_rollout_retarget(call->work, &document.cluster);
    }
    co_view_add(call->work, co_kind_of(KD_STR("cluster")), &document, false, call->result);
    return KD_OK;
}
