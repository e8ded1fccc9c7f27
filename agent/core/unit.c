/** One deployment instance (one uid): a table of phases, the first that holds is the one it is in. Level-triggered: what is to be done
 *  follows from what is known, never from how it came about. */
#include "agent/core/state.h"

#include "shared/base/own.h"
#include "shared/base/plant.h"

#include <stdio.h>

enum { AG_TURNS = 8 /* a chain of units that wait for each other is shorter; what is left waits for the next event */ };

/* ---- the list of units ---- */

struct ag_unit *ag_unit_of(const struct ag_core *core, struct kd_str uid)
{
    for (size_t i = 0; i < core->unit_count; i++)
        if (kd_str_is(uid, core->units[i]->uid))
            return core->units[i];
    return NULL;
}

struct ag_unit *ag_unit_of_serial(const struct ag_core *core, uint64_t serial)
{
    for (size_t i = 0; i < core->unit_count; i++)
        if (core->units[i]->serial == serial)
            return core->units[i];
    return NULL;
}

static bool ag_unit_adopted(const struct ag_unit *unit, struct kd_str uid)
{
    for (size_t i = 0; i < unit->uids.n; i++)
        if (kd_str_is(uid, unit->uids.v[i]))
            return true;
    return false;
}

struct ag_unit *ag_unit_with(const struct ag_core *core, struct kd_str uid)
{
    struct ag_unit *unit = ag_unit_of(core, uid);
    for (size_t i = 0; !unit && i < core->unit_count; i++)
        if (ag_unit_adopted(core->units[i], uid))
            unit = core->units[i];
    return unit;
}

static bool ag_units_grow(struct ag_core *core)
{
    if (core->unit_count < core->unit_cap)
        return true;
    size_t cap = core->unit_cap ? 2 * core->unit_cap : 8;
    struct ag_unit **grown = realloc(core->units, cap * sizeof *grown);
    if (!grown)
        return false;
    core->units = grown;
    core->unit_cap = cap;
    return true;
}

struct ag_unit *ag_unit_add(struct ag_core *core, struct kd_str uid, struct kd_str name)
{
    struct ag_unit *unit = ag_units_grow(core) ? calloc(1, sizeof *unit) : NULL;
    if (!unit)
        return NULL;
    unit->serial = ++core->serial;
    (void)kd_str_copy(uid, unit->uid, sizeof unit->uid);
    (void)kd_str_copy(name, unit->name, sizeof unit->name);
    unit->dirty = true;
    unit->due = KD_NEVER;
    unit->report.unsent = true;
    core->units[core->unit_count++] = unit;
    return unit;
}

struct ag_app *ag_unit_app(const struct ag_unit *unit, struct kd_str name)
{
    for (size_t i = 0; i < unit->app_count; i++)
        if (kd_str_is(name, unit->apps[i]->name))
            return unit->apps[i];
    return NULL;
}

struct ag_app *ag_unit_app_add(struct ag_unit *unit, struct kd_str name)
{
    struct ag_app **grown = realloc(unit->apps, (unit->app_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    unit->apps = grown;
    struct ag_app *app = calloc(1, sizeof *app);
    if (!app)
        return NULL;
    (void)kd_str_copy(name, app->name, sizeof app->name);
    ag_release_make(kd_str(unit->name), name, app->release);
    app->state = KD_APP_PENDING;
    grown[unit->app_count++] = app;
    return app;
}

void ag_unit_app_drop(struct ag_unit *unit, struct ag_app *app)
{
    size_t kept = 0;
    for (size_t i = 0; i < unit->app_count; i++)
        if (unit->apps[i] != app)
            unit->apps[kept++] = unit->apps[i];
    unit->app_count = kept;
    (void)ag_app_close(app);
}

void ag_unit_forget_apps(struct ag_unit *unit)
{
    for (size_t i = 0; i < unit->app_count; i++)
        (void)ag_app_close(unit->apps[i]);
    free(unit->apps);
    unit->apps = NULL;
    unit->app_count = 0;
    unit->planned = unit->applied = (struct kd_digest){ "" };
}

bool ag_unit_adopts(struct ag_unit *unit, struct kd_str uid)
{
    char(*grown)[KD_UID_TEXT + 1] = realloc(unit->uids.v, (unit->uids.n + 1) * sizeof *grown);
    if (!grown)
        return false;
    unit->uids.v = grown;
    return kd_str_copy(uid, grown[unit->uids.n++], sizeof *grown);
}

struct ag_unit *ag_unit_close(struct ag_unit *unit)
{
    ag_unit_forget_apps(unit);
    free(unit->uids.v);
    free(unit);
    return NULL;
}

bool ag_unit_is_touched(const struct ag_unit *unit)
{
    for (size_t i = 0; i < unit->app_count; i++)
        if (unit->apps[i]->touched)
            return true;
    return false;
}

bool ag_unit_is_busy(const struct ag_unit *unit)
{
    bool busy = unit->work != 0;
    for (size_t i = 0; !busy && i < unit->app_count; i++)
        busy = unit->apps[i]->work != 0;
    return busy;
}

void ag_unit_removed(struct ag_core *core, struct ag_unit *unit)
{
    ag_unit_forget_apps(unit);
    unit->removed = unit->save = unit->dirty = true;
    unit->found = false;
    unit->uids.n = 0;
    unit->trouble.code = KD_OK;
    core->sweeps = true;
    ag_units_dirty(core); /* who waited for the name */
}

void ag_units_dirty(struct ag_core *core)
{
    for (size_t i = 0; i < core->unit_count; i++)
        core->units[i]->dirty = true;
}

/* ---- planning: what the wanted document makes of each application ---- */

static bool ag_has_features(const struct ag_core *core, const struct kd_strs *required, struct kd_str *ret_lacking)
{
    for (size_t i = 0; i < required->n; i++) {
        bool has = false;
        for (size_t j = 0; !has && j < core->options.features.n; j++)
            has = kd_str_eq(required->v[i], core->options.features.v[j]);
        if (!has) {
            *ret_lacking = required->v[i];
            return false;
        }
    }
    return true;
}

/** Whether the document is one that this unit can follow. */
static enum kd_code ag_document_check(const struct ag_core *core, const struct ag_unit *unit, const struct kd_document *document,
                                      struct kd_err *err)
{
    struct kd_str lacking;
    if (!kd_str_is(document->uid, unit->uid) || !kd_str_is(document->deployment, unit->name))
        return kd_fail(err, KD_INVALID, 0, "the document is that of another deployment (%.*s)", KD_ARG(document->deployment));
    if (!ag_has_features(core, &document->requires, &lacking))
        return kd_fail(err, KD_UNSUPPORTED, 0, "this agent cannot do what the deployment requires: %.*s", KD_ARG(lacking));
    for (size_t i = 0; i < document->apps.n; i++)
        if (document->apps.v[i].secrets)
            return kd_fail(err, KD_UNSUPPORTED, 0, "this agent cannot open the sealed secrets of %.*s",
                           KD_ARG(document->apps.v[i].name));
    return KD_OK;
}

/** The bits of the applications that this one depends on. */
static void ag_depends_plan(struct ag_app *app, const struct kd_document *document, const struct kd_strs *names)
{
    app->depends[0] = app->depends[1] = 0;
    for (size_t i = 0; i < names->n; i++)
        for (size_t place = 0; place < document->apps.n; place++)
            if (kd_str_eq(document->apps.v[place].name, names->v[i]))
                app->depends[place / 64] |= UINT64_C(1) << (place % 64);
}

/** Where one application is all there is and nothing of it runs, a look whether all is there would only be repeated by the apply. */
static void ag_app_assume(const struct ag_core *core, struct ag_app *app, size_t app_count)
{
    if (app_count > 1 || app->touched || !ag_key_is_known(core, app->want_key))
        return;
    (void)kd_str_copy(kd_str(app->want_key), app->prepared, sizeof app->prepared);
    app->assumed = true;
}

static bool ag_app_plan(const struct ag_core *core, struct ag_unit *unit, const struct kd_document *document, size_t place)
{
    const struct kd_document_app *wish = &document->apps.v[place];
    struct ag_app *app = ag_unit_app(unit, wish->name);
    char key[KD_DIGEST_HEX + 1];
    if (!app)
        app = ag_unit_app_add(unit, wish->name);
    if (!app)
        return false;
    ag_key_make(unit, kd_str(app->release), wish, key);
    if (strcmp(key, app->want_key) != 0)
        ag_app_succeeded(app);
    app->wanted = true;
    app->place = place;
    (void)kd_str_copy(kd_str(key), app->want_key, sizeof app->want_key);
    (void)kd_str_copy(wish->version, app->want_version, sizeof app->want_version);
    (void)kd_str_copy(wish->namespace, app->want_namespace, sizeof app->want_namespace);
    ag_depends_plan(app, document, &wish->depends_on);
    ag_app_assume(core, app, document->apps.n);
    return true;
}

/** Applications of an earlier plan that never came to be. */
static void ag_unit_forget_plans(struct ag_unit *unit)
{
    for (size_t i = unit->app_count; i-- > 0;)
        if (!unit->apps[i]->wanted && !unit->apps[i]->touched && !unit->apps[i]->work)
            ag_unit_app_drop(unit, unit->apps[i]);
}

static void ag_unit_plan(struct ag_core *core, struct ag_unit *unit)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    struct kd_document document;
    struct kd_err err = { 0 };
    enum kd_code code = ag_document_read(core, &unit->want, &arena, &document, &err);
    if (code == KD_OK)
        code = ag_document_check(core, unit, &document, &err);
    unit->planned = unit->want;
    unit->apply_us = code == KD_OK ? (int64_t)document.policy.timeout_s * KD_US_PER_S : 0;
    ag_trouble_set(&unit->refusal, code, kd_str(err.story));
    if (code != KD_OK)
        return;
    for (size_t i = 0; i < unit->app_count; i++)
        unit->apps[i]->wanted = false;
    for (size_t i = 0; i < document.apps.n; i++)
        if (!ag_app_plan(core, unit, &document, i))
            ag_trouble_set(&unit->refusal, KD_INTERNAL, KD_STR("out of memory"));
    for (size_t i = 0; i < unit->app_count; i++)
        if (!unit->apps[i]->wanted)
            ag_app_succeeded(unit->apps[i]); /* what failed to come does not keep it from going */
    ag_unit_forget_plans(unit);
}

/* ---- phases: when ---- */

static bool ag_is_removed(struct ag_core *core, struct ag_unit *unit)
{
    (void)core;
    return unit->removed && !unit->wanted;
}

static bool ag_is_removing(struct ag_core *core, struct ag_unit *unit)
{
    (void)core;
    return unit->removal && !unit->found;
}

static bool ag_is_orphan(struct ag_core *core, struct ag_unit *unit)
{
    (void)core;
    return !unit->wanted;
}

/** Another uid has this name, and something of it may run here. */
static bool ag_is_blocked(struct ag_core *core, struct ag_unit *unit)
{
    for (size_t i = 0; i < core->unit_count; i++) {
        const struct ag_unit *other = core->units[i];
        if (other != unit && !other->removed && strcmp(other->name, unit->name) == 0 && ag_unit_is_touched(other))
            return true;
    }
    return false;
}

/** After a restore of the coordinator nothing is changed that runs: neither what is applied nor what was on its way. */
static bool ag_is_held(struct ag_core *core, struct ag_unit *unit)
{
    (void)core;
    for (size_t i = 0; unit->hold && !KD_PLANT(HOLD_IGNORED) && i < unit->app_count; i++)
        if (unit->apps[i]->touched && !ag_digest_eq(&unit->apps[i]->document, &unit->want))
            return true;
    return false;
}

static bool ag_is_missing(struct ag_core *core, struct ag_unit *unit)
{
    if (ag_digest_eq(&unit->planned, &unit->want))
        return false;
    if (!ag_document_is_whole(core, &unit->want))
        return true;
    ag_unit_plan(core, unit);
    return false;
}

static bool ag_is_refused(struct ag_core *core, struct ag_unit *unit)
{
    (void)core;
    return unit->refusal.code != KD_OK;
}

static bool ag_is_unprepared(const struct ag_app *app)
{
    return app->wanted && ag_app_changes(app) && strcmp(app->prepared, app->want_key) != 0;
}

static bool ag_is_preparing(struct ag_core *core, struct ag_unit *unit)
{
    (void)core;
    for (size_t i = 0; i < unit->app_count; i++)
        if (ag_is_unprepared(unit->apps[i]))
            return true;
    return false;
}

static bool ag_is_applying(struct ag_core *core, struct ag_unit *unit)
{
    (void)core;
    for (size_t i = 0; i < unit->app_count; i++)
        if (unit->apps[i]->wanted && ag_app_changes(unit->apps[i]))
            return true;
    return false;
}

static bool ag_is_surplus(const struct ag_app *app)
{
    return app->touched && !app->wanted && !app->found;
}

static bool ag_is_pruning(struct ag_core *core, struct ag_unit *unit)
{
    (void)core;
    for (size_t i = 0; i < unit->app_count; i++)
        if (ag_is_surplus(unit->apps[i]))
            return true;
    return false;
}

static bool ag_is_anything(struct ag_core *core, struct ag_unit *unit)
{
    (void)core;
    (void)unit;
    return true;
}

/* ---- phases: what ---- */

/** True if it is time; else the unit is looked at again when it is. */
static bool ag_unit_due(const struct ag_core *core, struct ag_unit *unit, struct kd_mono at)
{
    if (ag_is_due(core, at))
        return true;
    if (at.us < unit->due.us)
        unit->due = at;
    return false;
}

/** What is gone is not made again over what another uid of the same name runs there. */
static void ag_app_repair(struct ag_core *core, struct ag_unit *unit, struct ag_app *app)
{
    if (!app->broken || app->work || !ag_unit_due(core, unit, app->repair_at))
        return;
    if (app->seen != AG_FOUND_RUNNING && app->seen != AG_FOUND_DOWN && app->seen != AG_FOUND_DEGRADED && ag_is_blocked(core, unit))
        return;
    if (app->lost)
        ag_work_prepare(core, unit, app, AG_REPAIR);
    else
        ag_work_apply(core, unit, app, AG_REPAIR);
}

/** What was applied is kept running, whatever else the unit waits for. */
static void ag_do_repair(struct ag_core *core, struct ag_unit *unit)
{
    for (size_t i = 0; i < unit->app_count; i++)
        ag_app_repair(core, unit, unit->apps[i]);
}

static void ag_do_removed(struct ag_core *core, struct ag_unit *unit)
{
    (void)core;
    (void)unit;
}

static void ag_fetching_end(struct ag_core *core, const struct ag_unit *unit)
{
    for (size_t i = 0; i < unit->app_count; i++) {
        const struct ag_work *work = ag_work_of(core, unit->apps[i]->work);
        if (work && work->kind == AG_JOB_PREPARE)
            ag_work_kill(core, work->id);
    }
}

/** Fetching ends at once, a change is let to end; then everything goes. What never was here is gone already. */
static void ag_do_remove(struct ag_core *core, struct ag_unit *unit)
{
    ag_fetching_end(core, unit);
    if (ag_unit_is_busy(unit) || !ag_unit_due(core, unit, unit->retry.at))
        return;
    if (ag_unit_is_touched(unit))
        ag_work_remove(core, unit, NULL);
    else
        ag_unit_removed(core, unit);
}

/** The running fetch of a digest that is not wanted any more is in the way of the one that is. */
static void ag_app_prepare(struct ag_core *core, struct ag_unit *unit, struct ag_app *app)
{
    const struct ag_work *work = ag_work_of(core, app->work);
    if (work && work->kind == AG_JOB_PREPARE && strcmp(work->key, app->want_key) != 0)
        ag_work_kill(core, work->id);
    if (!app->work && ag_is_unprepared(app) && ag_unit_due(core, unit, app->retry.at))
        ag_work_prepare(core, unit, app, AG_CHANGE);
}

static void ag_do_prepare(struct ag_core *core, struct ag_unit *unit)
{
    ag_do_repair(core, unit);
    for (size_t i = 0; i < unit->app_count; i++)
        if (unit->apps[i]->wanted)
            ag_app_prepare(core, unit, unit->apps[i]);
}

/** The first application that must run before this one and does not, or NULL. */
static const struct ag_app *ag_app_waits(const struct ag_unit *unit, const struct ag_app *app)
{
    for (size_t i = 0; i < unit->app_count; i++) {
        const struct ag_app *other = unit->apps[i];
        bool depends = other->wanted && app->depends[other->place / 64] & UINT64_C(1) << (other->place % 64);
        if (depends && other != app && (ag_app_changes(other) || !ag_app_is_well(other)))
            return other;
    }
    return NULL;
}

static void ag_app_apply(struct ag_core *core, struct ag_unit *unit, struct ag_app *app)
{
    const struct ag_app *first = ag_app_waits(unit, app);
    (void)kd_str_copy(kd_str(first ? first->name : ""), app->waits_for, sizeof app->waits_for);
    if (first || app->work || !ag_unit_due(core, unit, app->retry.at))
        return;
    if (strcmp(app->trying, app->want_key) != 0) {
        (void)kd_str_copy(kd_str(app->want_key), app->trying, sizeof app->trying);
        app->document = unit->want;
        app->touched = unit->save = true;
        core->sweeps = true;
    }
    ag_work_apply(core, unit, app, AG_CHANGE);
}

static void ag_do_apply(struct ag_core *core, struct ag_unit *unit)
{
    for (size_t i = 0; i < unit->app_count; i++) {
        struct ag_app *app = unit->apps[i];
        if (app->wanted && ag_app_changes(app))
            ag_app_apply(core, unit, app);
        else
            ag_app_repair(core, unit, app);
    }
}

static void ag_do_prune(struct ag_core *core, struct ag_unit *unit)
{
    for (size_t i = 0; i < unit->app_count; i++) {
        struct ag_app *app = unit->apps[i];
        if (!ag_is_surplus(app))
            ag_app_repair(core, unit, app);
        else if (!app->work && ag_unit_due(core, unit, app->retry.at))
            ag_work_remove(core, unit, app);
    }
}

/** All of the document runs: it is the one that a crash comes back to. */
static void ag_do_settle(struct ag_core *core, struct ag_unit *unit)
{
    if (!ag_digest_eq(&unit->applied, &unit->want)) {
        unit->applied = unit->want;
        for (size_t i = 0; i < unit->app_count; i++)
            if (unit->apps[i]->wanted)
                unit->apps[i]->document = unit->want;
        unit->save = core->sweeps = true;
    }
    ag_do_repair(core, unit);
}

static const struct ag_stage {
    bool (*is)(struct ag_core *core, struct ag_unit *unit);
    void (*act)(struct ag_core *core, struct ag_unit *unit);
} ag_stages[AG_PHASE_COUNT] = {
    [AG_PHASE_REMOVED] = { ag_is_removed, ag_do_removed }, [AG_PHASE_REMOVING] = { ag_is_removing, ag_do_remove },
    [AG_PHASE_ORPHANED] = { ag_is_orphan, ag_do_repair },  [AG_PHASE_BLOCKED] = { ag_is_blocked, ag_do_repair },
    [AG_PHASE_HELD] = { ag_is_held, ag_do_repair },        [AG_PHASE_MISSING] = { ag_is_missing, ag_do_repair },
    [AG_PHASE_REFUSED] = { ag_is_refused, ag_do_repair },  [AG_PHASE_PREPARING] = { ag_is_preparing, ag_do_prepare },
    [AG_PHASE_APPLYING] = { ag_is_applying, ag_do_apply }, [AG_PHASE_PRUNING] = { ag_is_pruning, ag_do_prune },
    [AG_PHASE_SETTLED] = { ag_is_anything, ag_do_settle },
};

/* ---- settling ---- */

static void ag_unit_advance(struct ag_core *core, struct ag_unit *unit)
{
    enum ag_phase phase = AG_PHASE_REMOVED;
    unit->dirty = unit->waits = false;
    unit->due = KD_NEVER;
    while (!ag_stages[phase].is(core, unit))
        phase++;
    if (phase != unit->phase)
        core->sweeps = true; /* what is held fetches nothing, what is removed needs nothing */
    unit->phase = phase;
    if (core->observed)
        ag_stages[phase].act(core, unit);
    for (size_t i = 0; i < unit->app_count; i++)
        ag_app_state(core, unit, unit->apps[i]);
    ag_report_unit(core, unit);
}

/** Forgets the units that were removed and acknowledged, and those that never came to be. */
static void ag_units_sift(struct ag_core *core)
{
    size_t kept = 0;
    for (size_t i = 0; i < core->unit_count; i++) {
        struct ag_unit *unit = core->units[i];
        if (!unit->drop || ag_unit_is_busy(unit)) {
            core->units[kept++] = unit;
            continue;
        }
        if (unit->stored)
            ag_row_add(core, AG_TABLE_UNIT, kd_str(unit->uid), (struct kd_str){ NULL, 0 });
        (void)ag_unit_close(unit);
    }
    if (kept == core->unit_count)
        return;
    core->unit_count = kept;
    core->sweeps = true;
    ag_units_dirty(core); /* who waited for the name */
}

/** It is forgotten as soon as nothing of it is being fetched any more. */
static void ag_unit_give_up(struct ag_core *core, struct ag_unit *unit)
{
    ag_fetching_end(core, unit);
    unit->dirty = unit->waits = false;
    unit->due = KD_NEVER;
}

/** One turn, beginning with who waited first. */
static bool ag_units_turn(struct ag_core *core)
{
    size_t n = core->unit_count, first = n ? core->first % n : 0;
    bool waits = false, dirty = false;
    for (size_t i = 0; i < n; i++) {
        size_t at = (first + i) % n;
        struct ag_unit *unit = core->units[at];
        if (unit->drop)
            ag_unit_give_up(core, unit);
        else if (unit->dirty || ag_is_due(core, unit->due))
            ag_unit_advance(core, unit);
        if (unit->waits && !waits)
            core->first = at;
        waits = waits || unit->waits;
    }
    ag_units_sift(core);
    for (size_t i = 0; i < core->unit_count; i++)
        dirty = dirty || core->units[i]->dirty;
    return dirty;
}

/** What one unit did may concern another one that was looked at already, so there are a few turns. */
void ag_units_settle(struct ag_core *core)
{
    for (int turn = 0; turn < AG_TURNS; turn++)
        if (!ag_units_turn(core))
            break;
    for (size_t i = 0; i < core->unit_count; i++)
        ag_wake_by(core, core->units[i]->due);
}
