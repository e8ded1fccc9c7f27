/** The runtime "podman": plans of agent/workload, made real through libpod. */
#include "agent/runtime/apply.h"
#include "agent/runtime/files.h"
#include "agent/runtime/images.h"
#include "agent/runtime/things.h"
#include "shared/base/own.h"

enum {
    AG_SEEN_ARENA_BYTES = 64 * 1024 * 1024, /* enough for all containers that a list may have */
    AG_KILLED = 137,                        /* exit code of a container that was killed: perhaps for its memory */
    AG_OOM_ASKS_MAX = 16,                   /* in one observation */
};

static const int ag_found_of_health[] = {
    [AG_HEALTH_RUNNING] = AG_FOUND_RUNNING, [AG_HEALTH_DEGRADED] = AG_FOUND_DEGRADED, [AG_HEALTH_DOWN] = AG_FOUND_DOWN,
    [AG_HEALTH_FAILED] = AG_FOUND_FAILED,   [AG_HEALTH_DIFFERS] = AG_FOUND_DIFFERS,   [AG_HEALTH_GONE] = AG_FOUND_GONE,
};

static enum kd_code ag_podman_plan(const struct ag_host *host, const struct ag_job_app *app, struct kd_strs documents,
                                   struct kd_arena *arena, struct ag_plan *ret, struct kd_err *err)
{
    const struct ag_plan_context context = {
        .project = host->project,
        .deployment = app->deployment,
        .uid = app->uid,
        .app = app->name,
        .namespace = app->namespace,
        .release = app->release,
        .node = host->node,
        .files_dir = host->files_dir,
        .default_registry = host->default_registry,
    };
    return ag_plan_make(&context, documents, arena, ret, err);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

static enum kd_code ag_rows_full(struct kd_err *err)
{
    return kd_fail(err, KD_TOO_LARGE, 0, "there is more to report than memory for it");
}

/** One more row; lists double in the arena. */
static struct ag_job_found *ag_row_add(struct ag_runtime_found *found)
{
    if ((found->rows.n & (found->rows.n - 1)) == 0) {
        struct ag_job_found *grown = kd_arena_alloc(found->arena, (found->rows.n ? found->rows.n * 2 : 1) * sizeof *grown);
        if (!grown)
            return NULL;
        if (found->rows.n)
            memcpy(grown, found->rows.v, found->rows.n * sizeof *grown);
        found->rows.v = grown;
    }
    return &found->rows.v[found->rows.n++];
}

/** A row of an application that we were asked about. */
static struct ag_job_found *ag_row_of(struct ag_runtime_found *found, const struct ag_job_app *app)
{
    struct ag_job_found *row = ag_row_add(found);
    if (row)
        *row = (struct ag_job_found){
            .uid = app->uid,
            .deployment = app->deployment,
            .app = app->name,
            .namespace = app->namespace,
            .release = app->release,
            .key = app->key,
            .state = AG_FOUND_UNKNOWN,
        };
    return row;
}

static enum kd_code ag_row_skipped(struct ag_job_found *row, const struct ag_plan *plan, struct kd_arena *arena, struct kd_err *err)
{
    row->skipped.v = kd_arena_alloc(arena, (plan->skipped.n + 1) * sizeof *row->skipped.v);
    if (!row->skipped.v)
        return ag_rows_full(err);
    for (size_t i = 0; i < plan->skipped.n; i++) {
        const struct ag_skipped *one = &plan->skipped.v[i];
        struct ag_job_skipped copy = { kd_arena_copy(arena, one->kind), kd_arena_copy(arena, one->name),
                                       kd_arena_copy(arena, one->reason) };
        if (!copy.kind.p || !copy.name.p || !copy.reason.p)
            return ag_rows_full(err);
        row->skipped.v[row->skipped.n++] = copy;
    }
    return KD_OK;
}

static enum kd_code ag_row_health(struct ag_job_found *row, const struct ag_plan *plan, const struct ag_seens *seen,
                                  struct kd_arena *arena, struct kd_err *err)
{
    struct ag_health health;
    ag_health_of(plan, seen, &health);
    row->state = ag_found_of_health[health.state];
    row->ready = health.ready;
    row->total = health.total;
    row->message = kd_arena_copy(arena, kd_str(health.message));
    return row->message.p ? KD_OK : ag_rows_full(err);
}

/* ---- whose container is it ---------------------------------------------------------------------------------------------- */

static bool ag_has_uid(const struct ag_job_app *app, struct kd_str uid)
{
    bool has = kd_str_eq(app->uid, uid);
    for (size_t i = 0; i < app->uids.n; i++)
        has |= kd_str_eq(app->uids.v[i], uid);
    return has;
}

static bool ag_is_of(const struct ag_job_app *app, struct kd_str uid, struct kd_str name)
{
    return ag_has_uid(app, uid) && (!app->name.n || kd_str_eq(app->name, name));
}

/** The containers of one application, in an array of the arena that has room for all. */
static enum kd_code ag_seen_of_app(const struct ag_seens *all, const struct ag_job_app *app, struct kd_arena *arena,
                                   struct ag_seens *ret, struct kd_err *err)
{
    struct ag_seens own = { kd_arena_alloc(arena, (all->n + 1) * sizeof(struct ag_seen)), 0 };
    if (!own.v)
        return kd_fail(err, KD_TOO_LARGE, 0, "there are more containers than memory for their list");
    for (size_t i = 0; i < all->n; i++)
        if (ag_is_of(app, all->v[i].uid, all->v[i].app))
            own.v[own.n++] = all->v[i];
    *ret = own;
    return KD_OK;
}

static enum kd_code ag_list_app(struct ag_libpod *pod, const struct ag_job_app *app, struct kd_arena *arena, struct ag_seens *ret,
                                struct kd_err *err)
{
    struct ag_seens all;
    enum kd_code code = ag_libpod_list(pod, app->name, arena, &all, err);
    return code == KD_OK ? ag_seen_of_app(&all, app, arena, ret, err) : code;
}

/** Asks Podman about containers that were killed: a sentence that says "out of memory" is worth a call. */
static void ag_ask_for_memory(struct ag_libpod *pod, struct ag_seens *seen, int *asks)
{
    for (size_t i = 0; i < seen->n && *asks < AG_OOM_ASKS_MAX; i++)
        if (seen->v[i].state == AG_SEEN_ENDED && seen->v[i].exit_code == AG_KILLED && ++*asks)
            seen->v[i].out_of_memory = ag_libpod_is_out_of_memory(pod, seen->v[i].id);
}

/* ---- the four functions ------------------------------------------------------------------------------------------------- */

static enum kd_code ag_podman_prepare(const struct ag_host *host, const struct ag_runtime_app *app, struct ag_runtime_found *ret,
                                      struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_PLAN_ARENA_BYTES);
    KD_AUTO(ag_libpod_closep) struct ag_libpod *pod = NULL;
    struct ag_plan plan;
    enum kd_code code = ag_podman_plan(host, app->app, app->documents, &arena, &plan, err);
    if (code == KD_OK)
        code = ag_libpod_open(host, &pod, err);
    if (code == KD_OK)
        code = ag_images_fetch(pod, &plan, &arena, err);
    if (code != KD_OK)
        return code;
    struct ag_job_found *row = ag_row_of(ret, app->app);
    return row ? ag_row_skipped(row, &plan, ret->arena, err) : ag_rows_full(err);
}

static enum kd_code ag_apply_report(struct ag_libpod *pod, const struct ag_job_app *app, const struct ag_plan *plan,
                                    struct kd_arena *arena, struct ag_runtime_found *ret, struct kd_err *err)
{
    struct ag_seens seen;
    int asks = 0;
    enum kd_code code = ag_list_app(pod, app, arena, &seen, err);
    if (code != KD_OK)
        return code;
    ag_ask_for_memory(pod, &seen, &asks);
    struct ag_job_found *row = ag_row_of(ret, app);
    code = row ? ag_row_health(row, plan, &seen, ret->arena, err) : ag_rows_full(err);
    return code == KD_OK ? ag_row_skipped(row, plan, ret->arena, err) : code;
}

static enum kd_code ag_podman_apply(const struct ag_host *host, const struct ag_runtime_app *app, struct ag_runtime_found *ret,
                                    struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_PLAN_ARENA_BYTES + AG_SEEN_ARENA_BYTES);
    KD_AUTO(ag_libpod_closep) struct ag_libpod *pod = NULL;
    struct ag_plan plan;
    struct ag_seens seen;
    enum kd_code code = ag_podman_plan(host, app->app, app->documents, &arena, &plan, err);
    if (code == KD_OK)
        code = ag_libpod_open(host, &pod, err);
    if (code == KD_OK)
        code = ag_list_app(pod, app->app, &arena, &seen, err);
    if (code != KD_OK)
        return code;
    code = ag_apply(host, app->app, &plan, &seen, pod, &arena, err);
    enum kd_code reported = ag_apply_report(pod, app->app, &plan, &arena, ret, code == KD_OK ? err : NULL);
    return code == KD_OK ? reported : code;
}

static enum kd_code ag_remove_volumes(struct ag_libpod *pod, const struct ag_job_app *app, struct kd_arena *arena,
                                      struct kd_err *err)
{
    struct ag_seen_volumes volumes;
    enum kd_code code = ag_libpod_list_volumes(pod, arena, &volumes, err);
    for (size_t i = 0; code == KD_OK && i < volumes.n; i++)
        if (ag_is_of(app, volumes.v[i].uid, volumes.v[i].app) && !volumes.v[i].keep)
            code = ag_libpod_remove_volume(pod, volumes.v[i].name, err);
    return code;
}

/** Another deployment may have taken the name meanwhile: then its directory is not ours any more. */
static bool ag_is_taken(const struct ag_things *things, struct kd_str deployment, struct kd_str app)
{
    for (size_t i = 0; i < things->n; i++)
        if (!things->v[i].doomed && kd_str_eq(things->v[i].deployment, deployment) && (!app.n || kd_str_eq(things->v[i].app, app)))
            return true;
    return false;
}

/** Directories go by the names on what was found, and by the name that was asked for: nothing of it runs any more. */
static enum kd_code ag_remove_files(const struct ag_host *host, const struct ag_job_app *app, const struct ag_things *things,
                                    struct kd_err *err)
{
    enum kd_code code = KD_OK;
    for (size_t i = 0; i < things->n && code == KD_OK; i++) {
        const struct ag_thing *one = &things->v[i];
        if (one->doomed && !ag_is_taken(things, one->deployment, one->app))
            code = ag_files_remove(host->files_dir, host->project, one->deployment, one->app, err);
    }
    if (code == KD_OK && !ag_is_taken(things, app->deployment, app->name))
        code = ag_files_remove(host->files_dir, host->project, app->deployment, app->name, err);
    return code;
}

/** Everything of the project, also pods that have no containers. */
static enum kd_code ag_list_all(struct ag_libpod *pod, struct kd_arena *arena, struct ag_things *ret, struct kd_err *err)
{
    struct ag_seens containers, pods, all = { NULL, 0 };
    enum kd_code code = ag_libpod_list(pod, (struct kd_str){ NULL, 0 }, arena, &containers, err);
    if (code == KD_OK)
        code = ag_libpod_list_pods(pod, arena, &pods, err);
    if (code != KD_OK)
        return code;
    all.v = kd_arena_alloc(arena, (containers.n + pods.n + 1) * sizeof *all.v);
    if (!all.v)
        return kd_fail(err, KD_TOO_LARGE, 0, "there are more containers than memory for their list");
    for (size_t i = 0; i < containers.n; i++)
        all.v[all.n++] = containers.v[i];
    for (size_t i = 0; i < pods.n; i++)
        all.v[all.n++] = pods.v[i];
    return ag_things_of(&all, arena, ret, err);
}

static enum kd_code ag_podman_remove(const struct ag_host *host, const struct ag_job_app *app, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_SEEN_ARENA_BYTES);
    KD_AUTO(ag_libpod_closep) struct ag_libpod *pod = NULL;
    struct ag_things things;
    size_t others = 0;
    enum kd_code code = ag_libpod_open(host, &pod, err);
    if (code == KD_OK)
        code = ag_list_all(pod, &arena, &things, err);
    if (code != KD_OK)
        return code;
    for (size_t i = 0; i < things.n; i++) {
        things.v[i].doomed = ag_is_of(app, things.v[i].uid, things.v[i].app);
        others += !things.v[i].doomed;
    }
    code = ag_things_remove(host, pod, &things, NULL, err);
    if (code == KD_OK)
        code = ag_remove_volumes(pod, app, &arena, err);
    if (code == KD_OK)
        code = ag_remove_files(host, app, &things, err);
    if (code == KD_OK && !others)
        ag_libpod_drop_network(pod);
    return code;
}

/** One known application: its plan is made anew and compared with what is there. */
static enum kd_code ag_observe_app(const struct ag_host *host, const struct ag_job_app *app, struct kd_strs documents,
                                   const struct ag_seens *all, struct ag_runtime_found *ret, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_PLAN_ARENA_BYTES + AG_SEEN_ARENA_BYTES);
    struct ag_plan plan;
    struct ag_seens own;
    struct kd_err why;
    struct ag_job_found *row = ag_row_of(ret, app);
    if (!row)
        return ag_rows_full(err);
    if (ag_podman_plan(host, app, documents, &arena, &plan, &why) != KD_OK) {
        row->message = kd_arena_copy(ret->arena, kd_str(why.story));
        return KD_OK;
    }
    enum kd_code code = ag_seen_of_app(all, app, &arena, &own, err);
    if (code == KD_OK)
        code = ag_row_health(row, &plan, &own, ret->arena, err);
    return code == KD_OK ? ag_row_skipped(row, &plan, ret->arena, err) : code;
}

static enum kd_code ag_observe_known(const struct ag_host *host, const struct ag_job_app *app, ag_rendering_of *rendering,
                                     void *rendering_ctx, const struct ag_seens *all, struct ag_runtime_found *ret,
                                     struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_PLAN_ARENA_BYTES);
    struct kd_strs documents = { NULL, 0 };
    enum kd_code code = rendering(rendering_ctx, app, &arena, &documents, err);
    if (code == KD_NOT_FOUND)
        return ag_row_of(ret, app) ? KD_OK : ag_rows_full(err);
    return code == KD_OK ? ag_observe_app(host, app, documents, all, ret, err) : code;
}

static bool ag_is_known(const struct ag_job_app *apps, size_t n, const struct ag_seen *seen)
{
    for (size_t i = 0; i < n; i++)
        if (ag_is_of(&apps[i], seen->uid, seen->app))
            return true;
    return false;
}

static struct ag_job_found *ag_row_found(const struct ag_runtime_found *found, const struct ag_seen *seen)
{
    for (size_t i = 0; i < found->rows.n; i++)
        if (!found->rows.v[i].key.n && kd_str_eq(found->rows.v[i].uid, seen->uid) && kd_str_eq(found->rows.v[i].app, seen->app))
            return &found->rows.v[i];
    return NULL;
}

/** A row for what carries our labels and nobody asked about. */
static enum kd_code ag_observe_unknown(const struct ag_seen *seen, struct ag_runtime_found *ret, struct kd_err *err)
{
    struct ag_job_found *row = ag_row_found(ret, seen);
    if (!row) {
        row = ag_row_add(ret);
        if (!row)
            return ag_rows_full(err);
        *row = (struct ag_job_found){ .state = AG_FOUND_DIFFERS, .uid = kd_arena_copy(ret->arena, seen->uid) };
        row->deployment = kd_arena_copy(ret->arena, seen->deployment);
        row->app = kd_arena_copy(ret->arena, seen->app);
        row->namespace = kd_arena_copy(ret->arena, seen->namespace);
        row->release = kd_arena_copy(ret->arena, seen->release);
        row->message = KD_STR("found by its labels");
    }
    if (seen->infra)
        return KD_OK;
    row->total++;
    row->ready += seen->state == AG_SEEN_RUNNING;
    return KD_OK;
}

static enum kd_code ag_podman_observe(const struct ag_host *host, const struct ag_job_app *apps, size_t n,
                                      ag_rendering_of *rendering, void *rendering_ctx, struct ag_runtime_found *ret,
                                      struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_SEEN_ARENA_BYTES);
    KD_AUTO(ag_libpod_closep) struct ag_libpod *pod = NULL;
    struct ag_seens all;
    int asks = 0;
    enum kd_code code = ag_libpod_open(host, &pod, err);
    if (code == KD_OK)
        code = ag_libpod_list(pod, (struct kd_str){ NULL, 0 }, &arena, &all, err);
    if (code != KD_OK)
        return code;
    ag_ask_for_memory(pod, &all, &asks);
    for (size_t i = 0; i < n && code == KD_OK; i++)
        code = ag_observe_known(host, &apps[i], rendering, rendering_ctx, &all, ret, err);
    for (size_t i = 0; i < all.n && code == KD_OK; i++)
        if (!ag_is_known(apps, n, &all.v[i]))
            code = ag_observe_unknown(&all.v[i], ret, err);
    return code;
}

const struct ag_runtime ag_runtime_podman = {
    .name = "podman",
    .prepare = ag_podman_prepare,
    .apply = ag_podman_apply,
    .remove = ag_podman_remove,
    .observe = ag_podman_observe,
};
