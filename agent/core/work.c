/** Jobs: which may start, what they are asked, what their end means. At most one per application. */
#include "agent/core/state.h"

#include "shared/base/own.h"

enum { AG_REMOVE_BASE_S = 2, AG_REMOVE_CAP_S = 300 /* seconds, between attempts to remove */ };

/* ---- places ---- */

struct ag_work *ag_work_add(struct ag_core *core, enum ag_job_kind kind)
{
    for (size_t i = 0; i < AG_WORKS_MAX; i++)
        if (core->works[i].id == 0) {
            core->works[i] = (struct ag_work){ .id = ++core->work_id, .kind = kind };
            return &core->works[i];
        }
    return NULL;
}

static struct ag_work *ag_work_find(struct ag_core *core, uint64_t id)
{
    for (size_t i = 0; id && i < AG_WORKS_MAX; i++)
        if (core->works[i].id == id)
            return &core->works[i];
    return NULL;
}

const struct ag_work *ag_work_of(const struct ag_core *core, uint64_t id)
{
    for (size_t i = 0; id && i < AG_WORKS_MAX; i++)
        if (core->works[i].id == id)
            return &core->works[i];
    return NULL;
}

bool ag_work_any(const struct ag_core *core)
{
    for (size_t i = 0; i < AG_WORKS_MAX; i++)
        if (core->works[i].id)
            return true;
    return false;
}

void ag_work_kill(struct ag_core *core, uint64_t id)
{
    struct ag_work *work = ag_work_find(core, id);
    if (!work || work->killed)
        return;
    work->killed = true;
    ag_wish_add(core, AG_KILL)->job = id;
}

/** Fetching waits for networks: it never takes the place of what changes or removes. */
static bool ag_is_fetching(enum ag_job_kind kind)
{
    return kind == AG_JOB_PREPARE;
}

/** A place for a job of a unit; where there is no room the unit waits for it. */
static struct ag_work *ag_work_for(struct ag_core *core, struct ag_unit *unit, enum ag_job_kind kind)
{
    size_t busy = 0;
    for (size_t i = 0; i < AG_WORKS_MAX; i++) {
        const struct ag_work *work = &core->works[i];
        busy += work->id && work->kind != AG_JOB_OBSERVE && ag_is_fetching(work->kind) == ag_is_fetching(kind);
    }
    struct ag_work *work = busy < core->options.jobs ? ag_work_add(core, kind) : NULL;
    unit->waits |= work == NULL;
    if (work)
        work->unit = unit->serial;
    return work;
}

/* ---- failing ---- */

static struct kd_str ag_why(const struct ag_job_result *result)
{
    return result->error.message.n ? result->error.message : KD_STR("the job failed without a reason");
}

/** What an apply does not find is its rendering: that passes, it is prepared again. */
static enum kd_code ag_why_code(const struct ag_work *work, const struct ag_job_result *result)
{
    if (result->error.code <= KD_OK || result->error.code >= KD_CODE_COUNT)
        return KD_INTERNAL;
    return work->kind == AG_JOB_APPLY && result->error.code == KD_NOT_FOUND ? KD_UNAVAILABLE : (enum kd_code)result->error.code;
}

/** A repair shows why it fails, and is tried again when repairs are. */
static void ag_work_failed(struct ag_core *core, struct ag_unit *unit, struct ag_app *app, enum ag_job_kind kind,
                           enum ag_purpose purpose, enum kd_code code, struct kd_str why)
{
    if (purpose == AG_REPAIR)
        ag_trouble_set(&app->trouble, code, why);
    else
        ag_app_failed(core, app, code, why);
    unit->dirty = true;
    ag_log(core, AG_LEVEL_WARNING, "job.failed", "kind=%s deployment=%s app=%s code=%s why=\"%.*s\"", ag_job_kind_word(kind),
           unit->name, app->name, kd_code_word(code), KD_ARG(why));
}

/* ---- what was prepared lately ---- */

bool ag_key_is_known(const struct ag_core *core, const char *key)
{
    for (size_t i = 0; i < AG_KNOWN_MAX; i++)
        if (strcmp(core->known[i], key) == 0)
            return true;
    return false;
}

static void ag_key_remember(struct ag_core *core, const char *key)
{
    if (ag_key_is_known(core, key))
        return;
    (void)kd_str_copy(kd_str(key), core->known[core->known_next], sizeof core->known[0]);
    core->known_next = (core->known_next + 1) % AG_KNOWN_MAX;
}

/* ---- asking ---- */

static struct kd_str ag_text(struct ag_core *core, const char *text)
{
    return kd_arena_copy(&core->step, kd_str(text));
}

static struct kd_strs ag_uids(struct ag_core *core, const struct ag_unit *unit)
{
    struct kd_strs uids = { kd_arena_alloc(&core->step, (unit->uids.n + 1) * sizeof *uids.v), 0 };
    if (!uids.v)
        return uids;
    uids.v[uids.n++] = ag_text(core, unit->uid);
    for (size_t i = 0; i < unit->uids.n; i++)
        uids.v[uids.n++] = ag_text(core, unit->uids.v[i]);
    return uids;
}

void ag_work_app(struct ag_core *core, const struct ag_unit *unit, const struct ag_app *app, struct ag_job_app *ret)
{
    *ret = (struct ag_job_app){
        .deployment = ag_text(core, unit->name),
        .uid = ag_text(core, unit->uid),
        .uids = ag_uids(core, unit),
        .name = app ? ag_text(core, app->name) : KD_STR(""),
        .namespace = app ? ag_text(core, app->namespace) : KD_STR(""),
        .release = app ? ag_text(core, app->release) : KD_STR(""),
        .key = app ? ag_text(core, ag_app_key(app)) : KD_STR(""),
        .upgrade = app && app->upgrade,
    };
}

struct ag_wish *ag_work_wish(struct ag_core *core, const struct ag_work *work, int64_t deadline_us, struct ag_job_app *apps,
                             size_t n)
{
    struct ag_job_request *request = KD_NEW(&core->step, struct ag_job_request);
    struct ag_wish *wish = ag_wish_add(core, AG_JOB);
    wish->job = work->id;
    wish->request = request;
    if (!request)
        return wish;
    request->kind = (int)work->kind;
    request->project = core->options.project;
    request->deadline_ms = (uint64_t)(deadline_us / 1000);
    request->apps.v = apps;
    request->apps.n = n;
    return wish;
}

static void ag_work_label(struct ag_work *work, struct ag_app *app, const char *key, enum ag_purpose purpose)
{
    (void)kd_str_copy(kd_str(app->name), work->app, sizeof work->app);
    (void)kd_str_copy(kd_str(key), work->key, sizeof work->key);
    bool change = purpose == AG_CHANGE;
    (void)kd_str_copy(kd_str(change ? app->want_version : app->version), work->version, sizeof work->version);
    (void)kd_str_copy(kd_str(change ? app->want_namespace : app->namespace), work->namespace, sizeof work->namespace);
    work->purpose = purpose;
    app->work = work->id;
    app->asked = false; /* what is being observed of it is old by then */
    work->upgrade = strcmp(key, app->key) == 0 ? app->upgrade : app->key[0] != '\0';
}

/** The application in its document, or NULL. */
static const struct kd_document_app *ag_document_app(const struct kd_document *document, const char *name)
{
    for (size_t i = 0; i < document->apps.n; i++)
        if (kd_str_is(document->apps.v[i].name, name))
            return &document->apps.v[i];
    return NULL;
}

static void ag_values_ask(struct ag_core *core, const struct kd_document_app *from, struct ag_wish *wish)
{
    wish->values.v = kd_arena_alloc(&core->step, (from->values.n + 1) * sizeof *wish->values.v);
    for (size_t i = 0; wish->values.v && i < from->values.n; i++)
        wish->values.v[wish->values.n++].blobs = ag_value_blobs(core, &from->values.v[i]);
}

static struct ag_job_app *ag_job_app_of(struct ag_core *core, const struct ag_unit *unit, const struct ag_app *app,
                                        const struct ag_work *work)
{
    struct ag_job_app *job = KD_NEW(&core->step, struct ag_job_app);
    if (!job)
        return NULL;
    ag_work_app(core, unit, app, job);
    job->key = ag_text(core, work->key);
    job->namespace = ag_text(core, work->namespace);
    job->upgrade = work->upgrade;
    return job;
}

static void ag_chart_ask(struct ag_core *core, const struct kd_document_app *from, struct ag_job_chart *ret)
{
    *ret = (struct ag_job_chart){
        .registry = kd_arena_copy(&core->step, from->chart.registry),
        .name = kd_arena_copy(&core->step, from->chart.name),
        .version = kd_arena_copy(&core->step, from->chart.version),
        .digest = kd_arena_copy(&core->step, from->chart.digest),
    };
}

/** The request, from the application's entry in its document. */
static void ag_prepare_ask(struct ag_core *core, const struct ag_unit *unit, const struct ag_app *app, const struct ag_work *work,
                           const struct kd_document_app *from)
{
    struct ag_job_app *job = ag_job_app_of(core, unit, app, work);
    if (job)
        ag_chart_ask(core, from, &job->chart);
    ag_values_ask(core, from, ag_work_wish(core, work, core->options.prepare_us, job, job != NULL));
}

/** Fetches, renders and checks, from the wanted document or (to repair) from the one that was applied. */
void ag_work_prepare(struct ag_core *core, struct ag_unit *unit, struct ag_app *app, enum ag_purpose purpose)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    struct kd_document document;
    struct kd_err err = { .story = "its document does not name it" };
    struct ag_work *work = ag_work_for(core, unit, AG_JOB_PREPARE);
    if (!work)
        return;
    if (purpose == AG_REPAIR)
        ag_app_repairs(core, app);
    enum kd_code code = ag_document_read(core, purpose == AG_CHANGE ? &unit->want : &app->document, &arena, &document, &err);
    const struct kd_document_app *from = code == KD_OK ? ag_document_app(&document, app->name) : NULL;
    if (!from) {
        work->id = 0;
        ag_work_failed(core, unit, app, AG_JOB_PREPARE, purpose, KD_INTERNAL, kd_str(err.story));
        return;
    }
    ag_work_label(work, app, purpose == AG_CHANGE ? app->want_key : ag_app_key(app), purpose);
    ag_prepare_ask(core, unit, app, work, from);
}

/** Makes what runs equal to what was prepared. A repair of what was applied runs no hooks. */
void ag_work_apply(struct ag_core *core, struct ag_unit *unit, struct ag_app *app, enum ag_purpose purpose)
{
    struct ag_work *work = ag_work_for(core, unit, AG_JOB_APPLY);
    if (!work)
        return;
    if (purpose == AG_REPAIR)
        ag_app_repairs(core, app);
    ag_work_label(work, app, purpose == AG_CHANGE ? app->want_key : ag_app_key(app), purpose);
    struct ag_job_app *job = ag_job_app_of(core, unit, app, work);
    if (job)
        job->run_hooks = strcmp(app->key, work->key) != 0;
    (void)ag_work_wish(core, work, unit->apply_us ? unit->apply_us : core->options.apply_us, job, job != NULL);
}

/** One application, or (NULL) all of the unit. */
void ag_work_remove(struct ag_core *core, struct ag_unit *unit, struct ag_app *app)
{
    struct ag_work *work = ag_work_for(core, unit, AG_JOB_REMOVE);
    if (!work)
        return;
    struct ag_job_app *job = KD_NEW(&core->step, struct ag_job_app);
    if (app) {
        ag_work_label(work, app, ag_app_key(app), AG_REPAIR);
    } else {
        unit->work = work->id;
    }
    core->removals++;
    if (job)
        ag_work_app(core, unit, app, job);
    (void)ag_work_wish(core, work, core->options.remove_us, job, job != NULL);
}

/* ---- ends ---- */

static void ag_prepare_ended(struct ag_core *core, struct ag_unit *unit, struct ag_app *app, const struct ag_work *work,
                             const struct ag_job_result *result)
{
    if (!result->ok) {
        ag_work_failed(core, unit, app, work->kind, work->purpose, ag_why_code(work, result), ag_why(result));
        return;
    }
    ag_app_succeeded(app);
    (void)kd_str_copy(kd_str(work->key), app->prepared, sizeof app->prepared);
    app->assumed = false;
    ag_key_remember(core, work->key);
    if (result->found.n)
        ag_app_skips(app, &result->found.v[0]);
    if (work->purpose == AG_REPAIR) {
        app->lost = false;
        app->repair_at = core->now; /* fetching it again was only the first half */
    }
}

/** It runs: that is what is kept from now on. */
static void ag_app_applied(struct ag_unit *unit, struct ag_app *app, const struct ag_work *work)
{
    bool news = strcmp(app->key, work->key) != 0 || app->trying[0];
    if (strcmp(app->key, work->key) != 0) {
        (void)kd_str_copy(kd_str(work->version), app->version, sizeof app->version);
        (void)kd_str_copy(kd_str(work->namespace), app->namespace, sizeof app->namespace);
        (void)kd_str_copy(kd_str(work->key), app->key, sizeof app->key);
        app->upgrade = work->upgrade;
        app->repairs = 0;
    }
    app->trying[0] = '\0';
    unit->save |= news;
}

static void ag_apply_ended(struct ag_core *core, struct ag_unit *unit, struct ag_app *app, const struct ag_work *work,
                           const struct ag_job_result *result)
{
    if (result->found.n)
        ag_app_saw(core, unit, app, &result->found.v[0]);
    if (result->found.n && result->found.v[0].skipped.n)
        ag_app_skips(app, &result->found.v[0]);
    if (result->ok) {
        ag_app_succeeded(app);
        ag_app_applied(unit, app, work);
        if (result->found.n == 0) {
            app->look = true;
            ag_look_soon(core);
        }
        return;
    }
    ag_work_failed(core, unit, app, work->kind, work->purpose, ag_why_code(work, result), ag_why(result));
    if (result->error.code == KD_NOT_FOUND || app->assumed) { /* the rendering is not kept any more, or an image is not here */
        app->prepared[0] = '\0';
        app->assumed = false;
        app->lost = app->broken;
    }
}

static void ag_remove_ended(struct ag_core *core, struct ag_unit *unit, struct ag_app *app, const struct ag_work *work,
                            const struct ag_job_result *result)
{
    if (app && !result->ok) {
        ag_app_failed(core, app, ag_why_code(work, result), ag_why(result));
        app->look = true; /* a part of it may be gone, and it may be wanted again meanwhile */
        ag_look_soon(core);
    } else if (app) {
        if (app->wanted) /* it became so while it was removed: it begins anew */
            unit->planned = (struct kd_digest){ "" };
        ag_unit_app_drop(unit, app);
        unit->save = core->sweeps = true;
    } else if (result->ok) {
        unit->retry = (struct ag_retry){ 0 };
        ag_unit_removed(core, unit);
    } else {
        ag_trouble_set(&unit->trouble, ag_why_code(work, result), ag_why(result));
        ag_retry_later(core, &unit->retry, AG_REMOVE_BASE_S * KD_US_PER_S, AG_REMOVE_CAP_S * KD_US_PER_S);
    }
    if (!result->ok)
        ag_log(core, AG_LEVEL_WARNING, "job.failed", "kind=remove deployment=%s app=%s why=\"%.*s\"", unit->name, work->app,
               KD_ARG(ag_why(result)));
}

typedef void ag_ended(struct ag_core *core, struct ag_unit *unit, struct ag_app *app, const struct ag_work *work,
                      const struct ag_job_result *result);

static ag_ended *const ag_ends[AG_JOB_KIND_COUNT] = {
    [AG_JOB_PREPARE] = ag_prepare_ended,
    [AG_JOB_APPLY] = ag_apply_ended,
    [AG_JOB_REMOVE] = ag_remove_ended,
};

/** The end of a unit's job. What was killed says nothing. */
static void ag_unit_work_ended(struct ag_core *core, struct ag_unit *unit, const struct ag_work *work,
                               const struct ag_job_result *result)
{
    struct ag_app *app = work->app[0] ? ag_unit_app(unit, kd_str(work->app)) : NULL;
    unit->dirty = true;
    if (unit->work == work->id)
        unit->work = 0;
    if (app && app->work == work->id)
        app->work = 0;
    if (app && app->look)
        ag_look_soon(core);
    if (!work->killed && (app || !work->app[0]))
        ag_ends[work->kind](core, unit, app, work, result);
}

void ag_on_job_ended(struct ag_core *core, const struct ag_event *event)
{
    struct ag_work *place = ag_work_find(core, event->job);
    if (!place)
        return;
    struct ag_work work = *place;
    place->id = 0;
    core->removals += work.kind == AG_JOB_REMOVE;
    core->place |= core->adoption_waits;
    for (size_t i = 0; i < core->unit_count; i++)
        core->units[i]->dirty |= core->units[i]->waits;
    struct ag_unit *unit = ag_unit_of_serial(core, work.unit);
    if (work.kind == AG_JOB_OBSERVE)
        ag_observed(core, event->result);
    else if (unit)
        ag_unit_work_ended(core, unit, &work, event->result);
}
