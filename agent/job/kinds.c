/** prepare, apply, remove, observe: each is a few calls of the renderer and the runtime. */
#include "agent/job/kinds.h"

#include "shared/base/own.h"
#include "shared/base/utf8.h"

typedef enum kd_code ag_kind_work(struct ag_task *task, struct ag_runtime_found *found, struct kd_err *err);

static enum kd_code ag_prepare(struct ag_task *task, struct ag_runtime_found *found, struct kd_err *err)
{
    const struct ag_job_app *app = &task->request->apps.v[0];
    struct ag_kept kept;
    if (!app->key.n || !app->name.n || !app->release.n || app->release.p[0] == '-')
        return kd_fail(err, KD_INVALID, 0, "prepare needs an application's name, release and key");
    enum kd_code code = ag_render(task, app, &kept, err);
    if (code != KD_OK)
        return code;
    const struct ag_runtime_app with = { app, kept.documents };
    return task->runtime->prepare(&task->host, &with, found, err);
}

static enum kd_code ag_apply(struct ag_task *task, struct ag_runtime_found *found, struct kd_err *err)
{
    const struct ag_job_app *app = &task->request->apps.v[0];
    struct ag_kept kept;
    enum kd_code code = ag_kept_read(task->rendering, app->key, task->arena, &kept, err);
    if (code != KD_OK)
        return code;
    const struct ag_runtime_app with = { app, kept.documents };
    return task->runtime->apply(&task->host, &with, found, err);
}

static enum kd_code ag_remove(struct ag_task *task, struct ag_runtime_found *found, struct kd_err *err)
{
    (void)found;
    return task->runtime->remove(&task->host, &task->request->apps.v[0], err);
}

static enum kd_code ag_rendering(void *ctx, const struct ag_job_app *app, struct kd_arena *arena, struct kd_strs *ret,
                                 struct kd_err *err)
{
    const struct ag_task *task = ctx;
    struct ag_kept kept;
    enum kd_code code = ag_kept_read(task->rendering, app->key, arena, &kept, err);
    if (code == KD_OK)
        *ret = kept.documents;
    return code;
}

static enum kd_code ag_observe(struct ag_task *task, struct ag_runtime_found *found, struct kd_err *err)
{
    return task->runtime->observe(&task->host, task->request->apps.v, task->request->apps.n, ag_rendering, task, found, err);
}

static const struct {
    ag_kind_work *work;
    size_t least, most; /* applications in the request */
} ag_kinds[AG_JOB_KIND_COUNT] = {
    [AG_JOB_PREPARE] = { ag_prepare, 1, 1 },
    [AG_JOB_APPLY] = { ag_apply, 1, 1 },
    [AG_JOB_REMOVE] = { ag_remove, 1, 1 },
    [AG_JOB_OBSERVE] = { ag_observe, 0, AG_JOB_APPS_MAX },
};

/** Texts that the codec of results would refuse are cut. */
static void ag_cut(struct kd_str *text, size_t max)
{
    *text = kd_utf8_is_valid(*text) ? kd_utf8_head(*text, max) : KD_STR("(not text)");
}

static void ag_fit(struct ag_job_result *result)
{
    ag_cut(&result->error.message, AG_JOB_TEXT_MAX);
    for (size_t i = 0; i < result->found.n; i++) {
        struct ag_job_found *found = &result->found.v[i];
        ag_cut(&found->message, AG_JOB_TEXT_MAX);
        for (size_t k = 0; k < found->skipped.n; k++) {
            ag_cut(&found->skipped.v[k].kind, AG_JOB_TEXT_MAX);
            ag_cut(&found->skipped.v[k].name, AG_JOB_TEXT_MAX);
            ag_cut(&found->skipped.v[k].reason, AG_JOB_TEXT_MAX);
        }
    }
}

void ag_kind_run(struct ag_task *task, struct ag_job_result *ret)
{
    struct kd_err err = { 0 };
    struct ag_runtime_found found = { .arena = task->arena };
    size_t n = task->request->apps.n;
    int kind = task->request->kind;
    enum kd_code code = KD_OK;
    if (n < ag_kinds[kind].least || n > ag_kinds[kind].most)
        code = kd_fail(&err, KD_INVALID, 0, "%s takes %zu to %zu applications", ag_job_kind_word((enum ag_job_kind)kind),
                       ag_kinds[kind].least, ag_kinds[kind].most);
    if (code == KD_OK)
        code = ag_kinds[kind].work(task, &found, &err);
    *ret = (struct ag_job_result){ .ok = code == KD_OK };
    ret->found.v = found.rows.v;
    ret->found.n = found.rows.n;
    if (code != KD_OK) {
        ret->error.code = (int)code;
        ret->error.message = kd_arena_copy(task->arena, kd_str(err.story));
    }
    ag_fit(ret);
}
