/** Observing: when to look at what runs, and what a look means. Its only effects are what applications know of themselves, and units
 *  that nobody here knew. */
#include "agent/core/state.h"

#include "shared/base/own.h"
#include "shared/base/utf8.h"

enum {
    AG_EVENT_WAIT_MS = 100, /* milliseconds: what happens together is looked at together */
    AG_LOOK_GAP_MS = 900,   /* milliseconds between two looks: a stopped container is known within a second */
    AG_OBSERVE_BASE_S = 1,  /* seconds, after a look that failed */
    AG_OBSERVE_CAP_S = 60,  /* seconds: Podman may be restarting */
};

static void ag_look_by(struct ag_core *core, struct kd_mono at)
{
    if (at.us < core->observe_at.us)
        core->observe_at = at;
}

/** After what happened just now: soon, but not without a pause. */
void ag_look_soon(struct ag_core *core)
{
    struct kd_mono soon = ag_after(core, AG_EVENT_WAIT_MS * 1000);
    struct kd_mono gap = { core->observed_at.us + AG_LOOK_GAP_MS * 1000 };
    ag_look_by(core, core->observed_at.us && gap.us > soon.us ? gap : soon);
}

/** Of what is not here any more, or not yet, there is nothing to see: it is our own job that removes it. */
void ag_on_runtime_changed(struct ag_core *core, const struct ag_event *event)
{
    struct ag_unit *unit = ag_unit_with(core, event->text);
    struct ag_app *app = unit ? ag_unit_app(unit, event->app) : NULL;
    if (app)
        app->look = true;
    if (event->text.n == 0)
        core->look_all = true;
    if (event->text.n == 0 || (app && !app->work)) /* after its job, else */
        ag_look_soon(core);
}

/* ---- asking ---- */

/** What is asked about: it may run, has a plan to be compared with, and no job is changing it right now. The others are found by their
 *  labels. */
static bool ag_is_to_see(const struct ag_core *core, const struct ag_app *app)
{
    return app->touched && !app->work && ag_app_key(app)[0] && (core->look_all || app->look);
}

/** Asks about the first `max` of them. */
static void ag_apps_to_see(struct ag_core *core, struct ag_job_app *ret, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < core->unit_count; i++) {
        const struct ag_unit *unit = core->units[i];
        for (size_t j = 0; j < unit->app_count; j++) {
            struct ag_app *app = unit->apps[j];
            if (!ag_is_to_see(core, app))
                continue;
            app->look = n >= max; /* the rest: the next time */
            app->asked = n < max;
            if (n < max)
                ag_work_app(core, unit, app, &ret[n]);
            n++;
        }
    }
}

static size_t ag_count_to_see(const struct ag_core *core)
{
    size_t n = 0;
    for (size_t i = 0; i < core->unit_count; i++)
        for (size_t j = 0; j < core->units[i]->app_count; j++)
            n += ag_is_to_see(core, core->units[i]->apps[j]);
    return n;
}

static bool ag_any_to_see(const struct ag_core *core)
{
    return core->look_all || ag_count_to_see(core);
}

static bool ag_is_observing(const struct ag_core *core)
{
    for (size_t i = 0; i < AG_WORKS_MAX; i++)
        if (core->works[i].id && core->works[i].kind == AG_JOB_OBSERVE)
            return true;
    return false;
}

/** Asks about as many as fit into one request. */
static void ag_observe(struct ag_core *core)
{
    size_t n = ag_count_to_see(core);
    n = n < AG_JOB_APPS_MAX ? n : AG_JOB_APPS_MAX;
    struct ag_job_app *apps = kd_arena_alloc(&core->step, (n + 1) * sizeof *apps);
    struct ag_work *work = apps ? ag_work_add(core, AG_JOB_OBSERVE) : NULL;
    if (!work)
        return;
    ag_apps_to_see(core, apps, n);
    core->look_all = false;
    core->observed_at = core->now;
    core->removals_before = core->removals;
    (void)ag_work_wish(core, work, core->options.observing_us, apps, n);
}

void ag_observe_settle(struct ag_core *core)
{
    if (!core->session[0] || ag_is_observing(core))
        return;
    if (ag_is_due(core, core->observe_at)) {
        core->observe_at = ag_after(core, core->options.observe_us);
        core->look_all |= !ag_any_to_see(core); /* the safety net: everything */
        ag_observe(core);
        return;
    }
    ag_wake_by(core, core->observe_at);
}

/* ---- what was found ---- */

/** Something with a uid that nobody here knows: a store was lost. It is kept, and stays an orphan until a manifest names it. */
static struct ag_unit *ag_unit_find(struct ag_core *core, const struct ag_job_found *found)
{
    if (!kd_is_uid(found->uid) || !kd_is_name(found->deployment))
        return NULL;
    struct ag_unit *unit = ag_unit_add(core, found->uid, found->deployment);
    if (!unit)
        return NULL;
    unit->found = !core->spoken;
    unit->save = true;
    core->place = true; /* it may be wanted, adopted, or in the way */
    ag_log(core, AG_LEVEL_NOTICE, "deployment.found", "deployment=%s uid=%s", unit->name, unit->uid);
    return unit;
}

/** An application that nobody here knows; it is not removed because a stored document does not name it. */
static struct ag_app *ag_app_find(struct ag_core *core, struct ag_unit *unit, const struct ag_job_found *found)
{
    struct ag_app *app = ag_unit_app(unit, found->app);
    if (!app && kd_is_app_name(found->app))
        app = ag_unit_app_add(unit, found->app);
    if (!app || app->touched)
        return app;
    app->touched = unit->save = true;
    app->found = !core->spoken;
    unit->found |= !unit->stored && !core->spoken;
    (void)kd_str_copy(kd_utf8_head(found->namespace, KD_NAME_MAX), app->namespace, sizeof app->namespace);
    if (found->release.n > 0 && found->release.n <= AG_RELEASE_MAX)
        (void)kd_str_copy(found->release, app->release, sizeof app->release);
    unit->removed = false; /* so it is not */
    unit->planned = (struct kd_digest){ "" };
    core->place = true;
    return app;
}

/** While something is removed, what is found of it means nothing. */
static bool ag_may_find(struct ag_core *core, const struct ag_unit *unit)
{
    bool may = core->removals == core->removals_before && !(unit && unit->work);
    core->look_all |= !may;
    return may;
}

/** About what was only found by its labels. */
static void ag_label_seen(struct ag_core *core, const struct ag_job_found *found)
{
    struct ag_unit *unit = ag_unit_with(core, found->uid);
    struct ag_app *app = unit ? ag_unit_app(unit, found->app) : NULL;
    if (app && (app->work || ag_app_key(app)[0]))
        return; /* known, and not asked about this time */
    if ((!app || !app->touched) && !ag_may_find(core, unit))
        return;
    if (!unit)
        unit = ag_unit_find(core, found);
    app = unit ? ag_app_find(core, unit, found) : NULL;
    if (!app)
        return;
    app->asked = false;
    ag_app_saw(core, unit, app, found);
}

/** About what was asked. If a job has changed it meanwhile, that job said what came of it. */
static void ag_row_seen(struct ag_core *core, const struct ag_job_found *found)
{
    struct ag_unit *unit = ag_unit_with(core, found->uid);
    struct ag_app *app = unit ? ag_unit_app(unit, found->app) : NULL;
    if (!app || !app->asked || app->work || !kd_str_is(found->key, ag_app_key(app)))
        return;
    app->asked = false;
    ag_app_saw(core, unit, app, found);
    if (found->skipped.n)
        ag_app_skips(app, found);
}

/** What was once found by its labels and is not there any more is forgotten. */
static void ag_unseen_forget(struct ag_core *core, struct ag_unit *unit)
{
    for (size_t i = unit->app_count; i-- > 0;) {
        struct ag_app *app = unit->apps[i];
        if (!app->touched || app->work || ag_app_key(app)[0] || !app->asked)
            continue;
        ag_unit_app_drop(unit, app);
        unit->planned = (struct kd_digest){ "" };
        unit->save = core->place = true;
    }
}

/** Marks what can only be found by labels, to notice what was not. */
static void ag_keyless_ask(struct ag_core *core)
{
    for (size_t i = 0; i < core->unit_count; i++)
        for (size_t j = 0; j < core->units[i]->app_count; j++) {
            struct ag_app *app = core->units[i]->apps[j];
            if (app->touched && !ag_app_key(app)[0])
                app->asked = true;
        }
}

static void ag_observe_failed(struct ag_core *core, const struct ag_job_result *result)
{
    enum kd_code code = result->error.code > KD_OK && result->error.code < KD_CODE_COUNT ? (enum kd_code)result->error.code
                                                                                         : KD_INTERNAL;
    bool news = core->runtime.code == KD_OK;
    ag_trouble_set(&core->runtime, code, result->error.message);
    core->look_all = true;
    ag_retry_later(core, &core->observe_retry, AG_OBSERVE_BASE_S * KD_US_PER_S, AG_OBSERVE_CAP_S * KD_US_PER_S);
    core->observe_at = core->observe_retry.at;
    if (!news)
        return;
    ag_units_dirty(core);
    ag_log(core, AG_LEVEL_WARNING, "runtime.unavailable", "why=\"%s\"", core->runtime.text);
}

void ag_observed(struct ag_core *core, const struct ag_job_result *result)
{
    if (!result->ok) {
        ag_observe_failed(core, result);
        return;
    }
    if (!core->observed || core->runtime.code != KD_OK)
        ag_units_dirty(core);
    core->observed = true;
    core->runtime.code = KD_OK;
    core->observe_retry = (struct ag_retry){ 0 };
    ag_keyless_ask(core);
    for (size_t i = 0; i < result->found.n; i++) {
        const struct ag_job_found *found = &result->found.v[i];
        if (found->state < 0 || found->state >= AG_FOUND_COUNT)
            continue;
        if (found->key.n)
            ag_row_seen(core, found);
        else
            ag_label_seen(core, found);
    }
    for (size_t i = 0; i < core->unit_count; i++)
        ag_unseen_forget(core, core->units[i]);
    if (ag_any_to_see(core))
        ag_look_soon(core);
    ag_hello_changed(core); /* it may have left */
}
