/** Apply: makes what Podman runs of one application equal to its plan, and runs its hooks. */
#include "agent/runtime/apply.h"

#include "agent/runtime/files.h"
#include "agent/runtime/pods.h"
#include "agent/runtime/things.h"

#include <time.h>

enum { AG_HOOK_PAUSE_MAX_S = 32 /* between two attempts of a hook: 1, 2, 4, … */ };

struct ag_applying {
    const struct ag_host *host;
    const struct ag_job_app *app;
    const struct ag_plan *plan;
    const struct ag_seens *seen;
    struct ag_libpod *pod;
    struct kd_arena *arena;
    struct kd_err *err;
    struct ag_things things; /* of `seen` */
};

/** Removes now what `picks` chooses. */
static enum kd_code ag_remove_picked(struct ag_applying *a, const struct ag_pod *pod,
                                     bool (*picks)(const struct ag_applying *a, const struct ag_pod *pod,
                                                   const struct ag_thing *thing))
{
    for (size_t i = 0; i < a->things.n; i++) {
        struct ag_thing *thing = &a->things.v[i];
        if (!thing->name.n || !picks(a, pod, thing))
            continue;
        enum kd_code code = ag_thing_remove(a->pod, thing, 0, a->err);
        if (code != KD_OK)
            return code;
        thing->doomed = false;
        thing->name.n = 0; /* it is no more */
    }
    return KD_OK;
}

static bool ag_is_same_pod(const struct ag_pod *pod, const struct ag_thing *thing)
{
    return kd_str_eq(thing->name, ag_pod_thing(pod)) && thing->is_pod == (pod->name.n > 0);
}

/** What is left of an earlier attempt at the same pod. */
static bool ag_pick_remains(const struct ag_applying *a, const struct ag_pod *pod, const struct ag_thing *thing)
{
    (void)a;
    return ag_is_same_pod(pod, thing);
}

/** An earlier version of the same pod. */
static bool ag_pick_older(const struct ag_applying *a, const struct ag_pod *pod, const struct ag_thing *thing)
{
    (void)a;
    return kd_str_eq(thing->object, pod->object) && thing->ordinal == pod->ordinal && thing->hook == (pod->hooks != 0) &&
           !ag_is_same_pod(pod, thing);
}

static bool ag_plan_names(const struct ag_plan *plan, const struct ag_thing *thing)
{
    for (size_t i = 0; i < plan->pods.n; i++)
        if (ag_is_same_pod(&plan->pods.v[i], thing))
            return true;
    return false;
}

static bool ag_has_successor(const struct ag_applying *a, const struct ag_thing *thing)
{
    for (size_t i = 0; i < a->plan->pods.n; i++)
        if (ag_pick_older(a, &a->plan->pods.v[i], thing))
            return true;
    return false;
}

/** What is no longer in the plan and holds a port of the edge that a new pod may want. */
static bool ag_pick_port_holders(const struct ag_applying *a, const struct ag_pod *pod, const struct ag_thing *thing)
{
    (void)pod;
    return thing->publishes && !thing->hook && !ag_plan_names(a->plan, thing) && !ag_has_successor(a, thing);
}

static enum kd_code ag_pod_replace(struct ag_applying *a, const struct ag_pod *pod, uint64_t attempt)
{
    enum kd_code code = ag_remove_picked(a, pod, ag_pick_remains);
    if (code == KD_OK && !pod->surge)
        code = ag_remove_picked(a, pod, ag_pick_older);
    return code == KD_OK ? ag_pod_make_new(a->pod, a->plan, pod, attempt, a->err) : code;
}

static enum kd_code ag_apply_pod(struct ag_applying *a, const struct ag_pod *pod)
{
    uint64_t attempt = 0;
    switch (ag_pod_need(pod, a->seen, &attempt)) {
    case AG_NEED_NOTHING:
        return KD_OK;
    case AG_NEED_START:
        return ag_pod_start(a->pod, a->plan, pod, a->seen, a->err);
    case AG_NEED_MAKE:
        return ag_pod_replace(a, pod, attempt);
    }
    return KD_INTERNAL;
}

/** All pods are tried, so that one bad pod does not keep others down; the first failure is told. */
static enum kd_code ag_apply_pods(struct ag_applying *a)
{
    enum kd_code first = KD_OK;
    struct kd_err first_err = { KD_OK, 0, "", "" }, own = first_err, *told = a->err;
    a->err = &own;
    for (size_t i = 0; i < a->plan->pods.n; i++) {
        enum kd_code code = ag_apply_pod(a, &a->plan->pods.v[i]);
        if (code == KD_OK || first != KD_OK)
            continue;
        first = code;
        first_err = own;
    }
    a->err = told;
    if (first != KD_OK && told)
        *told = first_err;
    return first;
}

static enum kd_code ag_apply_volumes(struct ag_applying *a)
{
    struct ag_seen_volumes there;
    if (!a->plan->volumes.n)
        return KD_OK;
    enum kd_code code = ag_libpod_list_volumes(a->pod, a->arena, &there, a->err);
    for (size_t i = 0; i < a->plan->volumes.n && code == KD_OK; i++) {
        bool found = false;
        for (size_t t = 0; t < there.n; t++)
            found |= kd_str_eq(there.v[t].name, a->plan->volumes.v[i].name);
        if (!found)
            code = ag_libpod_create_volume(a->pod, a->plan->volumes.v[i].name, a->plan->volumes.v[i].body, a->err);
    }
    return code;
}

/* ---- hooks -------------------------------------------------------------------------------------------------------------- */

static void ag_pause(const struct ag_applying *a, uint64_t attempt)
{
    int64_t most_s = ag_libpod_left_ms(a->pod) / 1000, pause_s = attempt < 5 ? INT64_C(1) << attempt : AG_HOOK_PAUSE_MAX_S;
    struct timespec pause = { .tv_sec = pause_s < most_s ? pause_s : most_s };
    (void)nanosleep(&pause, NULL);
}

/** One hook, as often as its backoffLimit allows. What it made is removed when it has succeeded, and before the next attempt. */
static enum kd_code ag_run_hook(struct ag_applying *a, const struct ag_pod *pod)
{
    enum kd_code code = ag_remove_picked(a, pod, ag_pick_remains);
    if (code == KD_OK)
        code = ag_remove_picked(a, pod, ag_pick_older);
    for (uint64_t attempt = 0; code == KD_OK; attempt++) {
        code = ag_pod_make_new(a->pod, a->plan, pod, attempt, a->err);
        if (code == KD_OK)
            code = ag_pod_wait(a->pod, pod, a->err);
        if (code == KD_OK)
            return ag_pod_remove(a->pod, pod, 0, a->err);
        if (code != KD_UNAVAILABLE || attempt >= pod->backoff_limit)
            break;
        code = ag_pod_remove(a->pod, pod, 0, a->err);
        ag_pause(a, attempt);
    }
    return code;
}

static enum kd_code ag_run_hooks(struct ag_applying *a, enum ag_hook install, enum ag_hook upgrade)
{
    unsigned wanted = 1U << (a->app->upgrade ? upgrade : install);
    enum kd_code code = KD_OK;
    for (size_t i = 0; a->app->run_hooks && i < a->plan->hooks.n && code == KD_OK; i++)
        if (a->plan->hooks.v[i].hooks & wanted) {
            code = ag_run_hook(a, &a->plan->hooks.v[i]);
            if (code != KD_OK)
                (void)kd_wrap(a->err, "hook");
        }
    return code;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------- */

/** What the plan does not name any more goes last, all at once. What takes its time to stop does so while the new one runs: its
 *  files stay until the next time. */
static enum kd_code ag_apply_removals(struct ag_applying *a)
{
    size_t going = 0;
    for (size_t i = 0; i < a->things.n; i++) {
        struct ag_thing *thing = &a->things.v[i];
        thing->doomed = thing->name.n && !ag_plan_names(a->plan, thing); /* what is left of failed hooks, too */
    }
    enum kd_code code = ag_things_remove(a->host, a->pod, &a->things, &going, a->err);
    return code == KD_OK && !going ? ag_files_sweep(a->plan, a->err) : code;
}

enum kd_code ag_apply(const struct ag_host *host, const struct ag_job_app *app, const struct ag_plan *plan,
                      const struct ag_seens *seen, struct ag_libpod *pod, struct kd_arena *arena, struct kd_err *err)
{
    struct ag_applying a = { host, app, plan, seen, pod, arena, err, { NULL, 0 } };
    enum kd_code code = ag_things_of(seen, arena, &a.things, err);
    if (code == KD_OK)
        code = ag_apply_volumes(&a);
    if (code == KD_OK)
        code = ag_run_hooks(&a, AG_HOOK_PRE_INSTALL, AG_HOOK_PRE_UPGRADE);
    if (code == KD_OK)
        code = ag_remove_picked(&a, NULL, ag_pick_port_holders);
    if (code == KD_OK)
        code = ag_apply_pods(&a);
    if (code == KD_OK)
        code = ag_apply_removals(&a);
    if (code == KD_OK)
        code = ag_run_hooks(&a, AG_HOOK_POST_INSTALL, AG_HOOK_POST_UPGRADE);
    return code;
}
