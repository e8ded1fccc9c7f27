/** Statuses: what is said about each deployment, when, and until it was heard. */
#include "agent/core/state.h"

#include "shared/base/own.h"
#include "shared/base/utf8.h"

enum {
    AG_REPEAT_BASE_S = 10, /* seconds, until the first repetition of what was not acknowledged */
    AG_REPEAT_CAP_S = 300, /* seconds */
    AG_BURST = 16,         /* statuses of one deployment in short order; then one a second */
    AG_BURST_PAUSE_S = 10, /* seconds of silence after which it may be as many again */
    AG_SENT_AT_ONCE = 32,  /* statuses in one step: the connection has room for about a hundred */
    AG_PACE_MS = 50,       /* milliseconds until the next ones */
    AG_MISSING_MS = 200,   /* milliseconds: an object that comes at once is no news */
    AG_SHORT = 160,        /* bytes of a message where they do not all fit */
};

/* ---- the content ---- */

/** How bad each state of an application is for its deployment: the worst one is the deployment's. */
static const unsigned char ag_badness[KD_APP_STATE_COUNT] = {
    [KD_APP_RUNNING] = 0,   [KD_APP_REMOVED] = 1,  [KD_APP_UNKNOWN] = 2,  [KD_APP_PENDING] = 3,      [KD_APP_FETCHING] = 4,
    [KD_APP_DEPLOYING] = 5, [KD_APP_REMOVING] = 6, [KD_APP_ORPHANED] = 6, [KD_APP_ROLLED_BACK] = 7,  [KD_APP_UPDATING] = 8,
    [KD_APP_DEGRADED] = 9,  [KD_APP_DOWN] = 10,    [KD_APP_FAILED] = 12,  [KD_APP_UNSUPPORTED] = 11,
};

static void ag_app_fill(const struct ag_app *app, struct kd_mono now, struct kd_arena *arena, struct kd_status_app *ret)
{
    *ret = (struct kd_status_app){
        .name = kd_str(app->name),
        .version = kd_str(ag_app_key(app)[0] ? app->version : app->want_version),
        .state = app->state,
        .message = kd_str(app->message),
        .ready = app->ready,
        .total = app->total,
        .age_s = now.us > app->state_since.us ? (uint64_t)(now.us - app->state_since.us) / (uint64_t)KD_US_PER_S : 0,
    };
    if (app->trouble.code != KD_OK) {
        ret->reason = kd_str(kd_code_word(app->trouble.code));
        ret->message = kd_str(app->trouble.text);
    } else if (app->waits_for[0] && app->state == KD_APP_PENDING) {
        ret->message = kd_arena_printf(arena, "waits for %s", app->waits_for);
    }
}

static bool ag_app_is_said(const struct ag_app *app)
{
    return app->wanted || app->touched;
}

static void ag_apps_fill(const struct ag_unit *unit, struct kd_mono now, struct kd_arena *arena, struct kd_status *ret)
{
    size_t skipped = 0;
    for (size_t i = 0; i < unit->app_count; i++)
        skipped += unit->apps[i]->skipped.n;
    ret->apps.v = kd_arena_alloc(arena, (unit->app_count + 1) * sizeof *ret->apps.v);
    ret->skipped.v = kd_arena_alloc(arena, (skipped + 1) * sizeof *ret->skipped.v);
    for (size_t i = 0; ret->apps.v && ret->skipped.v && i < unit->app_count; i++) {
        const struct ag_app *app = unit->apps[i];
        if (!ag_app_is_said(app) || ret->apps.n >= KD_PACKAGE_APPS_MAX)
            continue;
        ag_app_fill(app, now, arena, &ret->apps.v[ret->apps.n++]);
        for (size_t j = 0; j < app->skipped.n; j++)
            ret->skipped.v[ret->skipped.n++] = app->skipped.v[j];
    }
    ret->skipped.n = ret->skipped.n < 1000 ? ret->skipped.n : 1000;
}

/** The state of the worst application, and its message. */
static void ag_sum_fill(struct kd_arena *arena, struct kd_status *ret)
{
    const struct kd_status_app *worst = NULL;
    for (size_t i = 0; i < ret->apps.n; i++)
        if (!worst || ag_badness[ret->apps.v[i].state] > ag_badness[worst->state])
            worst = &ret->apps.v[i];
    ret->state = worst ? worst->state : KD_APP_RUNNING;
    if (!worst || (worst->message.n == 0 && worst->reason.n == 0))
        return;
    ret->reason = worst->reason;
    ret->message = kd_utf8_head(kd_arena_printf(arena, "%.*s: %.*s", KD_ARG(worst->name), KD_ARG(worst->message)), KD_REASON_MAX);
}

/** What a phase says about the deployment as a whole; where `state` is KD_APP_UNKNOWN its applications say it. */
static const struct ag_saying {
    enum kd_app_state state;
    const char *reason, *message;
} ag_sayings[AG_PHASE_COUNT] = {
    [AG_PHASE_REMOVED] = { KD_APP_REMOVED, "", "" },
    [AG_PHASE_REMOVING] = { KD_APP_REMOVING, "", "" },
    [AG_PHASE_ORPHANED] = { KD_APP_ORPHANED, "", "" },
    [AG_PHASE_BLOCKED] = { KD_APP_PENDING, "name-held", "name held by an orphan" },
    [AG_PHASE_HELD] = { KD_APP_UNKNOWN, "held", "held: what runs is kept until an operator resumes the deployment" },
    [AG_PHASE_MISSING] = { KD_APP_PENDING, "missing-object", "missing object" },
    [AG_PHASE_REFUSED] = { KD_APP_FAILED, "", "" },
};

static void ag_saying_fill(const struct ag_unit *unit, struct kd_arena *arena, struct kd_status *ret)
{
    const struct ag_saying *saying = &ag_sayings[unit->phase];
    ag_sum_fill(arena, ret);
    if (saying->state != KD_APP_UNKNOWN) {
        ret->state = (int)saying->state;
        ret->reason = ret->message = KD_STR("");
    }
    if (saying->reason && saying->reason[0]) {
        ret->reason = kd_str(saying->reason);
        ret->message = kd_str(saying->message);
    }
    if (unit->phase == AG_PHASE_PRUNING && ret->state == KD_APP_REMOVING)
        ret->state = KD_APP_UPDATING;
}

static void ag_trouble_fill(const struct ag_trouble *trouble, struct kd_status *ret)
{
    if (trouble->code == KD_OK)
        return;
    ret->reason = kd_str(kd_code_word(trouble->code));
    ret->message = kd_str(trouble->text);
}

void ag_status_fill(const struct ag_core *core, const struct ag_unit *unit, struct kd_mono now, struct kd_arena *arena,
                    struct kd_status *ret)
{
    *ret = (struct kd_status){
        .deployment = kd_str(unit->name),
        .uid = kd_str(unit->uid),
        .digest = kd_digest_str(&unit->applied),
        .version = core->version,
        .session = kd_str(core->session),
        .sequence = unit->report.sequence,
    };
    ag_apps_fill(unit, now, arena, ret);
    ag_saying_fill(unit, arena, ret);
    if (unit->phase == AG_PHASE_REFUSED) {
        ret->state = unit->refusal.code == KD_UNSUPPORTED ? KD_APP_UNSUPPORTED : KD_APP_FAILED;
        ag_trouble_fill(&unit->refusal, ret);
    }
    if (unit->phase == AG_PHASE_REMOVING)
        ag_trouble_fill(&unit->trouble, ret);
    if (ret->message.n == 0 && unit->phase != AG_PHASE_REMOVED)
        ag_trouble_fill(&core->runtime, ret);
}

/** Shorter: fewer skipped objects, then shorter messages. False when there is nothing left to cut. */
static bool ag_status_cut(struct kd_status *status)
{
    if (status->skipped.n > 0) {
        status->skipped.n /= 2;
        return true;
    }
    bool cut = false;
    for (size_t i = 0; i < status->apps.n; i++) {
        cut = cut || status->apps.v[i].message.n > AG_SHORT;
        status->apps.v[i].message = kd_utf8_head(status->apps.v[i].message, AG_SHORT);
    }
    return cut;
}

static struct kd_str ag_status_encode(struct ag_core *core, struct kd_status *status)
{
    struct kd_str text = ag_encode(core, &kd_status_shape, status, KD_STATE_MAX);
    while (!text.p && ag_status_cut(status))
        text = ag_encode(core, &kd_status_shape, status, KD_STATE_MAX);
    return text;
}

/** Versions, sequences and ages are no content. */
static uint64_t ag_status_content(const struct ag_core *core, const struct ag_unit *unit)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(AG_DECODE_BYTES);
    struct kd_status status;
    ag_status_fill(core, unit, core->now, &arena, &status);
    status.version = (struct kd_version){ 0, 0 };
    status.sequence = 0;
    for (size_t i = 0; i < status.apps.n; i++)
        status.apps.v[i].age_s = 0;
    kd_json_encode(&kd_status_shape, &status, &out);
    return ag_content(kd_buf_str(&out));
}

/* ---- saying it ---- */

void ag_report_unit(struct ag_core *core, struct ag_unit *unit)
{
    uint64_t content = ag_status_content(core, unit);
    if (content == unit->report.content)
        return;
    unit->report.content = content;
    unit->report.unsent = true;
    unit->report.calm = ag_after(core, unit->phase == AG_PHASE_MISSING ? AG_MISSING_MS * 1000 : 0);
}

static void ag_report_send(struct ag_core *core, struct ag_unit *unit)
{
    struct ag_report *report = &unit->report;
    struct kd_status status;
    if (report->unsent) {
        report->sequence = ++core->sequence;
        report->retry = (struct ag_retry){ 0 };
        report->burst = core->now.us - report->sent.us > AG_BURST_PAUSE_S * KD_US_PER_S ? 1 : report->burst + 1;
        report->next = ag_after(core, report->burst < AG_BURST ? 0 : KD_US_PER_S);
        report->sent = core->now;
    }
    report->unsent = false;
    report->unheard = true;
    ag_retry_later(core, &report->retry, AG_REPEAT_BASE_S * KD_US_PER_S, AG_REPEAT_CAP_S * KD_US_PER_S);
    ag_status_fill(core, unit, core->now, &core->step, &status);
    struct ag_wish *wish = ag_wish_add(core, AG_PUBLISH);
    wish->topic = AG_TOPIC_STATUS;
    wish->deployment = kd_arena_copy(&core->step, kd_str(unit->name));
    wish->payload = ag_status_encode(core, &status);
}

/** Nothing is said about what runs before it was looked at, unless that is what cannot be done. */
static bool ag_reports_may(const struct ag_core *core)
{
    return core->connected && !core->muted && (core->observed || core->runtime.code != KD_OK);
}

static struct kd_mono ag_report_time(const struct ag_report *report)
{
    if (!report->unsent)
        return report->retry.at;
    return report->calm.us > report->next.us ? report->calm : report->next;
}

void ag_reports_settle(struct ag_core *core)
{
    size_t sent = 0;
    for (size_t i = 0; ag_reports_may(core) && i < core->unit_count; i++) {
        struct ag_unit *unit = core->units[i];
        if (!unit->report.unsent && !unit->report.unheard)
            continue;
        struct kd_mono at = ag_report_time(&unit->report);
        if (!ag_is_due(core, at))
            ag_wake_by(core, at);
        else if (sent++ < AG_SENT_AT_ONCE)
            ag_report_send(core, unit);
        else
            ag_wake_by(core, ag_after(core, AG_PACE_MS * 1000));
        if (unit->report.unheard && !unit->report.unsent)
            ag_wake_by(core, unit->report.retry.at);
    }
}

void ag_reports_again(struct ag_core *core, int64_t spread_us)
{
    for (size_t i = 0; i < core->unit_count; i++) {
        struct ag_report *report = &core->units[i]->report;
        report->unsent = true;
        report->next = ag_after(core, spread_us ? (int64_t)(ag_chance(core) % (uint64_t)spread_us) : 0);
    }
}

/* ---- hearing of it ---- */

/** An answer ends the repetition, be it a refusal: that is repeated only when there is something else to say. */
static void ag_ack_row(struct ag_core *core, const struct kd_ack_row *row)
{
    struct ag_unit *unit = ag_unit_of(core, row->uid);
    if (!unit || !unit->report.unheard || row->sequence < unit->report.sequence)
        return;
    unit->report.unheard = false;
    if (row->refused.n)
        ag_log(core, AG_LEVEL_WARNING, "status.refused", "deployment=%s uid=%s why=\"%.*s\"", unit->name, unit->uid,
               KD_ARG(row->refused));
    if (unit->removed && unit->phase == AG_PHASE_REMOVED && !unit->report.unsent)
        unit->drop = true;
}

static void ag_ack_wants(struct ag_core *core, const struct kd_strs *want)
{
    for (size_t i = 0; i < want->n; i++) {
        if (kd_str_is(want->v[i], "inventory"))
            ag_publish_inventory(core);
        if (kd_str_is(want->v[i], "hello"))
            core->hello_unsent = true;
        if (kd_str_is(want->v[i], "status"))
            ag_reports_again(core, 0);
    }
}

/** A cluster that is not known says hello at its interval only. Any other reason may pass (the edge's earlier store is still taken
 *  for online): then hello is tried again earlier. */
static void ag_refused(struct ag_core *core, struct kd_str why)
{
    bool news = why.n > 0 && !core->muted;
    core->muted = why.n > 0;
    core->asks = core->muted && !kd_str_is(why, "unknown cluster");
    if (news)
        ag_log(core, AG_LEVEL_WARNING, "cluster.refused", "why=\"%.*s\"", KD_ARG(why));
    if (core->asks) {
        core->refused_at = core->now;
        ag_hello_again(core);
    }
}

void ag_on_ack(struct ag_core *core, const struct ag_event *event)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    struct kd_ack ack;
    struct kd_err err;
    if (event->payload.n == 0)
        return;
    if (kd_json_decode(&kd_ack_shape, event->payload, &arena, &ack, &err) != KD_OK) {
        ag_log(core, AG_LEVEL_WARNING, "ack.damaged", "why=\"%s\"", err.story);
        return;
    }
    if (!kd_str_is(ack.session, core->session))
        return;
    ag_refused(core, ack.refused);
    for (size_t i = 0; i < ack.acks.n; i++)
        ag_ack_row(core, &ack.acks.v[i]);
    ag_ack_wants(core, &ack.want);
    if (ack.left)
        ag_left(core);
}
