/** One event in, rows and wishes out: a row per kind of event, then everything that may have changed is settled. */
#include "agent/core/state.h"

#include "shared/base/backoff.h"
#include "shared/base/own.h"
#include "shared/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

enum { AG_KEPT = 64 /* wishes whose memory is kept from step to step */ };

struct ag_core_options ag_core_defaults(void)
{
    const int64_t minute = 60 * KD_US_PER_S;
    return (struct ag_core_options){
        .hello_us = 60 * minute,
        .observe_us = 10 * minute,
        .prepare_us = 15 * minute,
        .apply_us = 10 * minute,
        .remove_us = 5 * minute,
        .observing_us = minute,
        .jobs = 2,
        .duplicate_least_us = minute,
        .duplicate_most_us = 10 * minute,
    };
}

/* ---- what every file uses ---- */

/** SplitMix64: many numbers from the one that came with the event. */
uint64_t ag_chance(struct ag_core *core)
{
    uint64_t z = core->chance += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

void ag_wake_by(struct ag_core *core, struct kd_mono at)
{
    if (at.us < core->wake.us)
        core->wake = at;
}

void ag_retry_later(struct ag_core *core, struct ag_retry *retry, int64_t base_us, int64_t cap_us)
{
    int64_t delay = kd_backoff_us(retry->attempt, base_us, cap_us, ag_chance(core));
    retry->attempt++;
    retry->at = ag_after(core, delay < KD_US_PER_S ? KD_US_PER_S : delay);
}

static void *ag_grow(void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return v;
    size_t more = *cap ? *cap * 2 : 16;
    void *grown = realloc(v, more * size);
    if (grown)
        *cap = more;
    return grown;
}

struct ag_wish *ag_wish_add(struct ag_core *core, enum ag_wish_kind kind)
{
    static struct ag_wish nowhere;
    struct ag_wish *grown = ag_grow(core->wishes.v, core->wishes.n, &core->wishes.cap, sizeof *grown);
    struct ag_wish *wish = grown ? &grown[core->wishes.n++] : &nowhere;
    if (grown)
        core->wishes.v = grown;
    *wish = (struct ag_wish){ .kind = kind };
    return wish;
}

void ag_row_add(struct ag_core *core, enum ag_table table, struct kd_str key, struct kd_str value)
{
    struct ag_row *grown = ag_grow(core->rows.v, core->rows.n, &core->rows.cap, sizeof *grown);
    if (!grown)
        return;
    core->rows.v = grown;
    core->rows.v[core->rows.n++] = (struct ag_row){ table, kd_arena_copy(&core->step, key), value };
}

void ag_log(struct ag_core *core, enum ag_level level, const char *event, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    struct ag_wish *wish = ag_wish_add(core, AG_LOG);
    wish->level = level;
    wish->event = event;
    wish->text = kd_arena_copy(&core->step, kd_str(line));
}

struct kd_str ag_encode(struct ag_core *core, const struct kd_json_shape *shape, const void *value, size_t max)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(max);
    kd_json_encode(shape, value, &out);
    return out.overflow ? (struct kd_str){ NULL, 0 } : kd_arena_copy(&core->step, kd_buf_str(&out));
}

/** FNV-1a. */
uint64_t ag_content(struct kd_str bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes.n; i++)
        hash = (hash ^ (unsigned char)bytes.p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void ag_trouble_set(struct ag_trouble *trouble, enum kd_code code, struct kd_str text)
{
    trouble->code = code;
    bool valid = kd_utf8_is_valid(text);
    struct kd_str head = kd_utf8_head(text, KD_REASON_MAX);
    (void)kd_str_copy(head, trouble->text, sizeof trouble->text);
    for (char *c = trouble->text; !valid && *c; c++) /* a text that was cut in the middle of a character */
        if ((unsigned char)*c >= 0x80)
            *c = '?';
}

struct kd_str ag_own(struct kd_str text)
{
    char *copy = malloc(text.n + 1);
    if (!copy)
        return (struct kd_str){ NULL, 0 };
    if (text.n)
        memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    return (struct kd_str){ copy, text.n };
}

/* ---- opening ---- */

/** Intervals and deadlines; names stay. */
static void ag_times_take(struct ag_core *core, const struct ag_core_options *options)
{
    struct ag_core_options kept = core->options;
    core->options = *options;
    core->options.project = kept.project;
    core->options.cluster = kept.cluster;
    core->options.features = kept.features;
    if (core->options.jobs < 1)
        core->options.jobs = 1;
}

static bool ag_names_take(struct ag_core *core, const struct ag_core_options *options)
{
    core->names = (struct kd_arena)KD_ARENA(65536);
    core->options.project = kd_arena_copy(&core->names, options->project);
    core->options.cluster = kd_arena_copy(&core->names, options->cluster);
    struct kd_str *features = kd_arena_alloc(&core->names, (options->features.n + 1) * sizeof *features);
    core->options.features = (struct kd_strs){ features, options->features.n };
    for (size_t i = 0; features && i < options->features.n; i++)
        features[i] = kd_arena_copy(&core->names, options->features.v[i]);
    return features && core->options.project.p && core->options.cluster.p;
}

struct ag_core *ag_core_open(const struct ag_core_options *options)
{
    struct ag_core *core = calloc(1, sizeof *core);
    if (!core)
        return NULL;
    core->step = (struct kd_arena)KD_ARENA(AG_STEP_BYTES);
    core->woken = KD_NEVER;
    core->observe_at = core->hello_at = KD_NEVER;
    core->hello_sent.us = INT64_MIN / 2;
    if (!ag_names_take(core, options))
        return ag_core_close(core);
    ag_times_take(core, options);
    return core;
}

struct ag_core *ag_core_close(struct ag_core *core)
{
    if (!core)
        return NULL;
    for (size_t i = 0; i < core->unit_count; i++)
        (void)ag_unit_close(core->units[i]);
    ag_objects_clear(core);
    kd_arena_clear(&core->names);
    kd_arena_clear(&core->step);
    free((void *)core->manifest.p);
    free((void *)core->inventory.p);
    free(core->units);
    free(core->rows.v);
    free(core->wishes.v);
    free(core);
    return NULL;
}

void ag_core_reload(struct ag_core *core, const struct ag_core_options *options)
{
    ag_times_take(core, options);
}

enum kd_code ag_core_load(struct ag_core *core, enum ag_table table, struct kd_str key, struct kd_str value, struct kd_err *err)
{
    return ag_rows_load(core, table, key, value, err);
}

/* ---- stepping ---- */

static void ag_on_started(struct ag_core *core, const struct ag_event *event)
{
    (void)kd_str_copy(event->text, core->session, sizeof core->session);
    if (!core->store[0]) /* a store is named after its first session */
        (void)kd_str_copy(event->text, core->store, sizeof core->store);
    core->start++;
    core->save = true;
    core->place = core->sweeps = core->look_all = true;
    core->observe_at = core->now;
    ag_reports_again(core, 0);
}

static void ag_on_due(struct ag_core *core, const struct ag_event *event)
{
    (void)event;
    core->woken = KD_NEVER;
}

typedef void ag_handler(struct ag_core *core, const struct ag_event *event);

static ag_handler *const ag_handlers[AG_EVENT_COUNT] = {
    [AG_STARTED] = ag_on_started,
    [AG_CONNECTED] = ag_on_connected,
    [AG_DISCONNECTED] = ag_on_disconnected,
    [AG_COORDINATOR] = ag_on_coordinator,
    [AG_MANIFEST] = ag_on_manifest,
    [AG_OBJECT] = ag_on_object,
    [AG_ACK] = ag_on_ack,
    [AG_JOB_ENDED] = ag_on_job_ended,
    [AG_RUNTIME_CHANGED] = ag_on_runtime_changed,
    [AG_INVENTORY] = ag_on_inventory,
    [AG_DUE] = ag_on_due,
};

static void ag_step_begin(struct ag_core *core, const struct ag_event *event)
{
    kd_arena_clear(&core->step);
    core->step = (struct kd_arena)KD_ARENA(AG_STEP_BYTES);
    if (core->wishes.cap > AG_KEPT) {
        free(core->wishes.v);
        core->wishes.v = NULL;
        core->wishes.cap = 0;
    }
    core->wishes.n = core->rows.n = 0;
    core->now = event->now;
    core->chance = event->chance;
    core->wake = KD_NEVER;
}

/** The alarm is set anew only if it is another one, or if it has rung. */
static void ag_step_end(struct ag_core *core, struct ag_step *ret)
{
    if (core->wake.us < core->now.us)
        core->wake = core->now;
    if (core->wake.us != core->woken.us)
        ag_wish_add(core, AG_WAKE)->at = core->woken = core->wake;
    ag_rows_save(core);
    ret->rows.v = core->rows.v;
    ret->rows.n = core->rows.n;
    ret->wishes.v = core->wishes.v;
    ret->wishes.n = core->wishes.n;
}

void ag_core_step(struct ag_core *core, const struct ag_event *event, struct ag_step *ret)
{
    ag_step_begin(core, event);
    ag_handlers[event->kind](core, event);
    if (core->place)
        ag_manifest_place(core);
    ag_units_settle(core);
    if (core->sweeps)
        ag_objects_sweep(core);
    ag_observe_settle(core);
    ag_hello_settle(core);
    ag_reports_settle(core);
    ag_step_end(core, ret);
}

/* ---- what tests look at ---- */

struct kd_version ag_core_version(const struct ag_core *core)
{
    return core->version;
}

static bool ag_unit_is_settled(const struct ag_unit *unit)
{
    switch (unit->phase) {
    case AG_PHASE_ORPHANED:
    case AG_PHASE_HELD:
    case AG_PHASE_SETTLED:
        break;
    case AG_PHASE_REMOVED:
    case AG_PHASE_REMOVING:
    case AG_PHASE_BLOCKED:
    case AG_PHASE_MISSING:
    case AG_PHASE_REFUSED:
    case AG_PHASE_PREPARING:
    case AG_PHASE_APPLYING:
    case AG_PHASE_PRUNING:
    case AG_PHASE_COUNT:
        return false;
    }
    return !unit->dirty && !unit->report.unsent && !unit->report.unheard;
}

bool ag_core_is_settled(const struct ag_core *core)
{
    bool settled = core->observed && !ag_work_any(core);
    for (size_t i = 0; settled && i < core->unit_count; i++)
        settled = ag_unit_is_settled(core->units[i]);
    return settled;
}

void ag_core_statuses(const struct ag_core *core, struct kd_mono now, void (*see)(void *ctx, const struct kd_status *status),
                      void *ctx)
{
    for (size_t i = 0; i < core->unit_count; i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
        struct kd_status status;
        ag_status_fill(core, core->units[i], now, &arena, &status);
        see(ctx, &status);
    }
}
