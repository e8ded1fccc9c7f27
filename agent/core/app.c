/** One application on this edge: its names, what was seen of it, and the state that is reported. */
#include "agent/core/state.h"

#include "shared/base/own.h"
#include "shared/base/utf8.h"

#include <stdio.h>

enum {
    AG_RELEASE_HEAD = 44,     /* bytes of deployment-application in a release's name */
    AG_RETRY_BASE_S = 2,      /* seconds, after what may pass by itself */
    AG_RETRY_CAP_S = 300,     /* as often as that, for ever */
    AG_FINAL_BASE_S = 60,     /* after what will hardly pass: slowly */
    AG_FINAL_CAP_S = 1800,    /* seconds */
    AG_REPAIR_BASE_S = 10,    /* between the first and the second repair, then twice that, … */
    AG_REPAIR_CAP_S = 300,    /* seconds */
    AG_REPAIR_FORGET_S = 600, /* of running well: the next repair is a first one again */
};

/* ---- names ---- */

void ag_release_make(struct kd_str deployment, struct kd_str app, char ret[AG_RELEASE_MAX + 1])
{
    char both[KD_NAME_MAX + KD_APP_NAME_MAX + 2];
    int n = snprintf(both, sizeof both, "%.*s/%.*s", KD_ARG(deployment), KD_ARG(app));
    struct kd_digest digest = kd_digest_of((struct kd_str){ both, (size_t)n }); /* a/b-c and a-b/c are two releases */
    both[deployment.n] = '-';
    int head = n < AG_RELEASE_HEAD ? n : AG_RELEASE_HEAD;
    (void)snprintf(ret, AG_RELEASE_MAX + 1, "%.*s-%.8s", head, both, digest.text + 7);
}

/** A part of a key: its length stands before it, so that no two lists of parts look alike. */
static void ag_key_part(struct kd_buf *out, struct kd_str part)
{
    kd_buf_printf(out, "%zu:", part.n);
    kd_buf_add(out, part);
}

void ag_key_make(const struct ag_unit *unit, struct kd_str release, const struct kd_document_app *app, char ret[KD_DIGEST_HEX + 1])
{
    KD_AUTO(kd_buf_clear) struct kd_buf all = KD_BUF(KD_PAYLOAD_MAX);
    const struct kd_str parts[] = { kd_str(unit->name), app->name, app->version, app->namespace, release, app->chart.digest };
    for (size_t i = 0; i < KD_COUNT(parts); i++)
        ag_key_part(&all, parts[i]);
    kd_buf_printf(&all, "%zu;", app->values.n);
    for (size_t i = 0; i < app->values.n; i++)
        ag_key_part(&all, app->values.v[i].digest);
    for (size_t i = 0; i < app->ignore.n; i++) {
        ag_key_part(&all, app->ignore.v[i].kind);
        ag_key_part(&all, app->ignore.v[i].namespace);
        ag_key_part(&all, app->ignore.v[i].name);
    }
    struct kd_digest digest = kd_digest_of(kd_buf_str(&all));
    (void)kd_str_copy(kd_digest_hex(&digest), ret, KD_DIGEST_HEX + 1);
}

const char *ag_app_key(const struct ag_app *app)
{
    return app->trying[0] ? app->trying : app->key;
}

bool ag_app_changes(const struct ag_app *app)
{
    return app->trying[0] || strcmp(app->key, app->want_key) != 0;
}

/* ---- what was seen ---- */

/** What each finding means: the state that is shown, and whether it is repaired. */
static const struct ag_meaning {
    int state; /* enum kd_app_state */
    bool repair, lost;
} ag_meanings[AG_FOUND_COUNT] = {
    [AG_FOUND_UNKNOWN] = { .state = KD_APP_UNKNOWN, .repair = true, .lost = true },
    [AG_FOUND_RUNNING] = { .state = KD_APP_RUNNING },
    [AG_FOUND_DEGRADED] = { .state = KD_APP_DEGRADED, .repair = true },
    [AG_FOUND_DOWN] = { .state = KD_APP_DOWN, .repair = true },
    [AG_FOUND_FAILED] = { .state = KD_APP_FAILED },
    [AG_FOUND_DIFFERS] = { .state = KD_APP_DEGRADED, .repair = true },
    [AG_FOUND_GONE] = { .state = KD_APP_DOWN, .repair = true },
};

bool ag_app_is_well(const struct ag_app *app)
{
    return app->known && app->seen == AG_FOUND_RUNNING;
}

/** At once, then after 10 s, 20 s, … 5 min; from the beginning after it had run well for ten minutes. */
void ag_app_repairs(struct ag_core *core, struct ag_app *app)
{
    int64_t delay = app->repairs < 5 ? (int64_t)AG_REPAIR_BASE_S << app->repairs : AG_REPAIR_CAP_S;
    app->repairs++;
    app->repair_at = ag_after(core, delay * KD_US_PER_S);
}

static void ag_repairs_forget(struct ag_core *core, struct ag_app *app)
{
    if (core->now.us - app->well_since.us < AG_REPAIR_FORGET_S * KD_US_PER_S)
        return;
    app->repairs = 0;
    app->repair_at = core->now;
}

void ag_app_saw(struct ag_core *core, struct ag_unit *unit, struct ag_app *app, const struct ag_job_found *found)
{
    bool was_well = ag_app_is_well(app);
    const struct ag_meaning *means = &ag_meanings[found->state];
    app->known = true;
    app->seen = found->state;
    app->ready = found->ready;
    app->total = found->total;
    (void)kd_str_copy(kd_utf8_head(found->message, KD_REASON_MAX), app->message, sizeof app->message);
    app->broken = means->repair && ag_app_key(app)[0];
    app->lost = means->lost && app->broken;
    if (was_well && app->broken)
        ag_repairs_forget(core, app);
    if (!was_well && ag_app_is_well(app))
        app->well_since = core->now;
    unit->dirty = true;
}

void ag_app_skips(struct ag_app *app, const struct ag_job_found *found)
{
    size_t n = found->skipped.n;
    kd_arena_clear(&app->skipped_texts);
    app->skipped_texts = (struct kd_arena)KD_ARENA(KD_STATE_MAX);
    app->skipped.n = 0;
    app->skipped.v = n ? kd_arena_alloc(&app->skipped_texts, n * sizeof *app->skipped.v) : NULL;
    for (size_t i = 0; app->skipped.v && i < n; i++) {
        const struct ag_job_skipped *skipped = &found->skipped.v[i];
        app->skipped.v[app->skipped.n++] = (struct kd_status_skipped){
            .app = kd_str(app->name),
            .kind = kd_arena_copy(&app->skipped_texts, kd_utf8_head(skipped->kind, 128)),
            .name = kd_arena_copy(&app->skipped_texts, kd_utf8_head(skipped->name, 253)),
            .reason = kd_arena_copy(&app->skipped_texts, kd_utf8_head(skipped->reason, KD_REASON_MAX)),
        };
    }
}

/* ---- failing ---- */

void ag_app_failed(struct ag_core *core, struct ag_app *app, enum kd_code code, struct kd_str text)
{
    bool passes = kd_code_passes(code);
    ag_trouble_set(&app->trouble, code, text);
    ag_retry_later(core, &app->retry, (passes ? AG_RETRY_BASE_S : AG_FINAL_BASE_S) * KD_US_PER_S,
                   (passes ? AG_RETRY_CAP_S : AG_FINAL_CAP_S) * KD_US_PER_S);
}

void ag_app_succeeded(struct ag_app *app)
{
    app->trouble.code = KD_OK;
    app->retry = (struct ag_retry){ 0 };
}

/* ---- the state that is reported ---- */

static int ag_failed_state(const struct ag_app *app)
{
    return app->trouble.code == KD_UNSUPPORTED ? KD_APP_UNSUPPORTED : KD_APP_FAILED;
}

/** On its way to what is wanted. */
static int ag_changing_state(const struct ag_app *app)
{
    if (app->trouble.code != KD_OK && !kd_code_passes(app->trouble.code))
        return ag_failed_state(app);
    if (app->key[0])
        return KD_APP_UPDATING;
    if (app->waits_for[0])
        return KD_APP_PENDING;
    if (strcmp(app->prepared, app->want_key) == 0)
        return KD_APP_DEPLOYING;
    return app->work || app->retry.attempt ? KD_APP_FETCHING : KD_APP_PENDING;
}

static int ag_kept_state(const struct ag_app *app)
{
    if (!app->touched)
        return KD_APP_PENDING;
    if (app->trouble.code != KD_OK && !kd_code_passes(app->trouble.code))
        return ag_failed_state(app);
    return app->known ? ag_meanings[app->seen].state : KD_APP_UNKNOWN;
}

static int ag_state_now(const struct ag_unit *unit, const struct ag_app *app)
{
    bool acts = unit->phase == AG_PHASE_PREPARING || unit->phase == AG_PHASE_APPLYING;
    if (unit->phase == AG_PHASE_REMOVED)
        return KD_APP_REMOVED;
    if (unit->phase == AG_PHASE_REMOVING)
        return KD_APP_REMOVING;
    if (unit->phase == AG_PHASE_PRUNING && !app->wanted && !app->found)
        return KD_APP_REMOVING;
    return acts && app->wanted && ag_app_changes(app) ? ag_changing_state(app) : ag_kept_state(app);
}

void ag_app_state(struct ag_core *core, const struct ag_unit *unit, struct ag_app *app)
{
    int state = ag_state_now(unit, app);
    if (state == app->state)
        return;
    app->state = state;
    app->state_since = core->now;
}

struct ag_app *ag_app_close(struct ag_app *app)
{
    kd_arena_clear(&app->skipped_texts);
    free(app);
    return NULL;
}
