/** Requests on one document of any kind: create, update, get, delete. */
#include "coordinator/server/routes.h"

#include "coordinator/server/rollouts.h"
#include "shared/base/own.h"

static enum kd_code co_put(struct co_call *call, bool create)
{
    const struct co_kind *kind = co_kind_of(call->kind);
    union co_document document;
    enum co_action action;
    enum kd_code code = kd_json_decode(kind->shape, call->body, call->work->arena, &document, call->err);
    if (code == KD_OK)
        code = co_document_put(call->work, kind, &document, create, !create, &action, call->err);
    if (code == KD_OK)
        co_view_add(call->work, kind, &document, false, call->result);
    return code;
}

enum kd_code co_on_create(struct co_call *call)
{
    return co_put(call, true);
}

enum kd_code co_on_update(struct co_call *call)
{
    return co_put(call, false);
}

/** A deployment that was deleted and is still on its way out, by its uid. */
static bool co_get_terminating(struct co_call *call, struct kd_str uid)
{
    struct co_rollout rollout;
    union co_document document;
    if (!uid.n || !co_rollout_get(call->work, uid, &rollout) || !rollout.terminating ||
        kd_json_decode(&kd_deployment_shape, rollout.last, call->work->arena, &document, NULL) != KD_OK)
        return false;
    co_view_add(call->work, co_kind_of(KD_STR("deployment")), &document, false, call->result);
    return true;
}

/** The deployment of a uid goes by its rollout's name. */
static struct kd_str co_name_of_uid(struct co_call *call, struct kd_str uid)
{
    struct co_rollout rollout;
    return co_rollout_get(call->work, uid, &rollout) ? rollout.name : CO_NONE;
}

enum kd_code co_on_get(struct co_call *call)
{
    const struct co_kind *kind = co_kind_of(call->kind);
    struct co_named named;
    union co_document document;
    enum kd_code code = co_named_read(call, &named);
    if (code != KD_OK)
        return code;
    bool by_uid = kind->table == CO_DEPLOYMENT && !named.name.n && named.meta.uid.n;
    if (by_uid && co_get_terminating(call, named.meta.uid))
        return KD_OK;
    struct kd_str name = by_uid ? co_name_of_uid(call, named.meta.uid) : named.name;
    if (by_uid && !name.n)
        return kd_fail_field(call->err, KD_NOT_FOUND, "$.uid", "there is no deployment with uid %.*s", KD_ARG(named.meta.uid));
    code = co_document_find(call->work, kind, name, named.version, &document, call->err);
    if (code != KD_OK)
        return code;
    co_view_add(call->work, kind, &document, false, call->result);
    return KD_OK;
}

enum kd_code co_on_delete(struct co_call *call)
{
    const struct co_kind *kind = co_kind_of(call->kind);
    struct co_named named;
    enum kd_code code = co_named_read(call, &named);
    return code == KD_OK ? co_document_delete(call->work, kind, named.name, named.version, &named.meta, call->err) : code;
}
