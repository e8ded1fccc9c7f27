/** A deployment as operators see it. */
#include "coordinator/cli/status.h"

#include <stdio.h>

#include "coordinator/cli/runs.h"
#include "coordinator/cli/show.h"
#include "coordinator/cli/watch.h"
#include "shared/base/own.h"
#include "shared/model/name.h"
#include "shared/os/clock.h"

enum {
    CT_ROUND_MEMORY = 64 * 1024 * 1024, /* bytes of one look */
    CT_FIRST_US = 25000,                /* before the second look; each pause is a quarter longer than the one before, */
    CT_LOOK_US = 1000000,               /* up to this; a view that changed is a reason to look earlier */
    CT_PAUSE_US = 100000,               /* between two looks at least, where views tell of changes */
    CT_STATUS_CLUSTERS = 200,           /* that are shown one by one */
};

enum kd_code ct_progress_get(struct ct_call *call, struct kd_str name, struct kd_arena *arena, struct ct_progress *ret,
                             struct kd_err *err)
{
    struct kd_str body = kd_arena_printf(arena, "{\"name\":\"%.*s\",\"pageSize\":%d}", KD_ARG(name), CT_STATUS_CLUSTERS), json;
    struct ct_thing thing;
    enum kd_code code = ct_get(call, ct_kind_of(KD_STR("deployment")), &(struct ct_name){ .name = name }, arena, &thing, err);
    code = code ? code : ct_request(call, "deployment", "clusters", body, arena, &json, err);
    code = code ? code : kd_json_decode(&ct_cluster_page_shape, json, arena, &ret->clusters, err);
    if (code == KD_OK)
        ret->view = thing.view;
    return code;
}

/* ---- showing ---- */

static struct kd_str ct_state_there(struct kd_str state, bool is_offline, struct kd_arena *arena)
{
    return is_offline ? kd_arena_printf(arena, "%.*s (offline)", KD_ARG(state)) : state;
}

static struct kd_str ct_ready_text(const struct ct_app_view *app, struct kd_arena *arena)
{
    return app->total ? kd_arena_printf(arena, "%llu/%llu", (unsigned long long)app->ready, (unsigned long long)app->total)
                      : KD_STR("-");
}

static struct kd_str ct_seconds_text(uint64_t seconds, struct kd_arena *arena)
{
    char text[16];
    kd_duration_text((int64_t)(seconds < (1U << 31) ? seconds : (1U << 31)) * KD_US_PER_S, text);
    return kd_arena_copy(arena, kd_str(text));
}

static struct kd_str ct_why(struct kd_str reason, struct kd_str message, struct kd_arena *arena)
{
    return reason.n && message.n ? kd_arena_printf(arena, "%.*s: %.*s", KD_ARG(reason), KD_ARG(message))
           : reason.n            ? reason
                                 : message;
}

static void ct_progress_rows(const struct ct_cluster_view *cluster, struct kd_arena *arena, struct ct_table *table)
{
    for (size_t i = 0; i < cluster->apps.n || i == 0; i++) {
        struct ct_row *row = ct_table_row(table);
        if (row == NULL)
            return;
        bool has_app = i < cluster->apps.n;
        const struct ct_app_view *app = has_app ? &cluster->apps.v[i] : &(const struct ct_app_view){ .state = cluster->state };
        struct kd_str state = ct_state_there(app->state, cluster->offline, arena);
        row->cells[0].text = i ? KD_STR("") : cluster->cluster;
        row->cells[1].text = has_app ? app->name : KD_STR("-");
        row->cells[2].text = has_app ? app->version : KD_STR("-");
        row->cells[3] = (struct ct_cell){ state, ct_paint_of_state(state) };
        row->cells[4].text = ct_ready_text(app, arena);
        row->cells[5].text = has_app ? ct_seconds_text(app->age_s, arena) : KD_STR("-");
        row->cells[6].text = has_app ? ct_why(app->reason, app->message, arena) : cluster->message;
    }
}

static bool ct_skips(const struct ct_cluster_view *cluster, const struct ct_skipped *what)
{
    for (size_t i = 0; i < cluster->skipped.n; i++) {
        const struct ct_skipped *one = &cluster->skipped.v[i];
        if (kd_str_eq(one->kind, what->kind) && kd_str_eq(one->name, what->name) && kd_str_eq(one->reason, what->reason))
            return true;
    }
    return false;
}

/** "skipped Ingress/web on edge-1 and 3 more: why", once for all clusters that skip the same. */
static void ct_skipped_show(const struct ct_cluster_page *page, size_t first, const struct ct_skipped *what, struct kd_buf *out)
{
    size_t others = 0;
    for (size_t i = 0; i < first; i++)
        if (ct_skips(&page->items.v[i], what))
            return; /* was said there */
    for (size_t i = first + 1; i < page->items.n; i++)
        others += ct_skips(&page->items.v[i], what);
    struct kd_str cluster = page->items.v[first].cluster;
    kd_buf_add(out, KD_STR("skipped "));
    ct_add_visible(out, what->kind);
    kd_buf_add_char(out, '/');
    ct_add_visible(out, what->name);
    kd_buf_printf(out, " on %.*s", KD_ARG(cluster));
    if (others)
        kd_buf_printf(out, " and %zu more", others);
    kd_buf_add(out, KD_STR(": "));
    ct_add_visible(out, what->reason);
    kd_buf_add_char(out, '\n');
}

void ct_progress_show(const struct ct_call *call, const struct ct_progress *progress, struct kd_arena *arena, struct kd_buf *out)
{
    static const char *const headers[] = { "CLUSTER", "APPLICATION", "VERSION", "STATE", "READY", "SINCE", "MESSAGE" };
    const struct ct_view *view = &progress->view;
    struct ct_table_style style = ct_screen_style(&call->screen);
    struct kd_str state = ct_deployment_state(view, arena);
    enum ct_paint paint = style.has_colours ? ct_paint_of_state(state) : CT_PLAIN;
    kd_buf_printf(out, "%.*s  %.*s:%.*s  %s%.*s%s  %.*s\n", KD_ARG(view->name), KD_ARG(view->package.name),
                  KD_ARG(view->package.version), ct_paint_on(paint), KD_ARG(state), ct_paint_off(paint),
                  KD_ARG(ct_summary_text(&view->status.summary, arena)));
    struct kd_str note = ct_deployment_note(view, arena);
    ct_add_visible(out, note);
    kd_buf_add(out, note.n ? KD_STR("\n") : KD_STR(""));
    struct ct_table table;
    ct_table_begin(&table, arena, headers, KD_COUNT(headers));
    for (size_t i = 0; i < progress->clusters.items.n; i++)
        ct_progress_rows(&progress->clusters.items.v[i], arena, &table);
    if (table.first)
        kd_buf_add_char(out, '\n');
    if (table.first)
        ct_table_print(&table, &style, out);
    for (size_t i = 0; i < progress->clusters.items.n; i++)
        for (size_t j = 0; j < progress->clusters.items.v[i].skipped.n; j++)
            ct_skipped_show(&progress->clusters, i, &progress->clusters.items.v[i].skipped.v[j], out);
    if (progress->clusters.total > progress->clusters.items.n)
        kd_buf_printf(out, "… and %llu more clusters\n",
                      (unsigned long long)(progress->clusters.total - progress->clusters.items.n));
}

/** The first thing that is not well, for the one line. */
static void ct_progress_trouble(const struct ct_progress *progress, struct kd_buf *out)
{
    for (size_t i = 0; i < progress->clusters.items.n; i++) {
        const struct ct_cluster_view *cluster = &progress->clusters.items.v[i];
        for (size_t j = 0; j < cluster->apps.n; j++) {
            const struct ct_app_view *app = &cluster->apps.v[j];
            if (kd_str_is(app->state, "running") || app->message.n == 0)
                continue;
            kd_buf_printf(out, "; %.*s/%.*s %.*s: ", KD_ARG(cluster->cluster), KD_ARG(app->name), KD_ARG(app->state));
            ct_add_visible(out, app->message);
            return;
        }
    }
}

void ct_progress_line(const struct ct_progress *progress, struct kd_arena *arena, struct kd_buf *out)
{
    const struct ct_view *view = &progress->view;
    kd_buf_printf(out, "%.*s %.*s: %.*s, %.*s", KD_ARG(view->name), KD_ARG(view->package.version),
                  KD_ARG(ct_deployment_state(view, arena)), KD_ARG(ct_summary_text(&view->status.summary, arena)));
    if (view->status.waiting.n == 0)
        ct_progress_trouble(progress, out);
    else
        kd_buf_add(out, KD_STR("; waits: "));
    ct_add_visible(out, view->status.waiting);
    kd_buf_add_char(out, '\n');
}

/* ---- following ---- */

struct ct_following {
    struct ct_call *call;
    struct kd_str name;
    bool has_changed;
    int64_t pause_us;   /* until the next look; 0: it is the first */
    struct kd_buf last; /* the line or view that was shown last */
};

static void ct_on_change(void *ctx, struct kd_str topic, struct kd_str payload)
{
    (void)topic, (void)payload;
    *(bool *)ctx = true;
}

static void ct_follow_begin(struct ct_call *call, struct ct_following *following)
{
    char filter[KD_STORY_MAX];
    (void)snprintf(filter, sizeof(filter), "deployment/%.*s", KD_ARG(following->name));
    following->last.max = CT_OUTPUT_MAX;
    ct_client_watch(call->client, filter, ct_on_change, &following->has_changed);
}

/** Until something changed, or it is time: views come at most once a second, and clusters change without the deployment's own view
 *  changing. Short pauses first: most deployments are done within a second. */
static void ct_follow_pause(struct ct_following *following, struct kd_mono deadline)
{
    int64_t pause_us = following->pause_us ? following->pause_us : CT_FIRST_US;
    struct kd_mono now = kd_mono_now(), least = { now.us + (pause_us < CT_PAUSE_US ? pause_us : CT_PAUSE_US) },
                   most = { now.us + pause_us };
    following->pause_us = pause_us + pause_us / 4 < CT_LOOK_US ? pause_us + pause_us / 4 : CT_LOOK_US;
    most = most.us < deadline.us ? most : deadline;
    while (kd_mono_now().us < most.us && !(following->has_changed && kd_mono_now().us >= least.us))
        ct_client_turn(following->call->client, following->has_changed && least.us < most.us ? least : most);
    following->has_changed = false;
}

/** Draws in place on a terminal; elsewhere prints a line when it differs from the last one. */
static void ct_follow_show(struct ct_following *following, const struct ct_progress *progress, struct kd_arena *arena)
{
    struct ct_call *call = following->call;
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(CT_OUTPUT_MAX);
    if (call->screen.is_live)
        ct_progress_show(call, progress, arena, &text);
    else
        ct_progress_line(progress, arena, &text);
    if (kd_str_eq(kd_buf_str(&text), kd_buf_str(&following->last)))
        return;
    if (call->screen.is_live)
        ct_screen_draw(&call->screen, kd_buf_str(&text));
    else
        (void)ct_screen_print(kd_buf_str(&text));
    kd_buf_reset(&following->last);
    kd_buf_add(&following->last, kd_buf_str(&text));
}

static bool ct_is_done(const struct ct_view *view)
{
    const struct ct_summary *sum = &view->status.summary;
    return kd_str_is(view->status.state, "running") && view->status.waiting.n == 0 && sum->total && sum->running == sum->total;
}

static struct kd_mono ct_wait_deadline(const struct ct_call *call)
{
    return (struct kd_mono){ kd_mono_now().us + (call->args.has_timeout ? call->settings.timeout_us : CT_WAIT_US) };
}

/** One look: 1 done, 0 not yet, -1 failed (err). */
static int ct_look(struct ct_following *following, struct kd_err *err, bool *ret_is_error)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(CT_ROUND_MEMORY);
    struct ct_progress progress = { 0 };
    if (ct_progress_get(following->call, following->name, &arena, &progress, err) != KD_OK)
        return -1;
    ct_follow_show(following, &progress, &arena);
    *ret_is_error = kd_str_is(progress.view.status.state, "error");
    return ct_is_done(&progress.view);
}

enum ct_exit ct_await_running(struct ct_call *call, struct kd_str name)
{
    struct ct_following following = { .call = call, .name = name };
    struct kd_mono deadline = ct_wait_deadline(call);
    struct kd_err err = { 0 };
    bool is_error = false;
    ct_follow_begin(call, &following);
    int state = ct_look(&following, &err, &is_error);
    while (state == 0 && kd_mono_now().us < deadline.us) {
        ct_follow_pause(&following, deadline);
        state = ct_look(&following, &err, &is_error);
    }
    kd_buf_clear(&following.last);
    if (state < 0)
        return ct_fail(call, &err);
    if (state > 0)
        return CT_EXIT_OK;
    (void)kd_fail(&err, is_error ? KD_INTERNAL : KD_TIMEOUT, 0, "'%.*s' does not run everywhere yet", KD_ARG(name));
    (void)fprintf(stderr, "kedge: %s\n  'kedge status %.*s' says why; nothing was undone, it goes on\n", err.story, KD_ARG(name));
    return is_error ? CT_EXIT_FAILED : CT_EXIT_TIMEOUT;
}

enum ct_exit ct_await_gone(struct ct_call *call, struct kd_str name, struct kd_str uid)
{
    const struct kd_pair members[] = { { KD_STR("uid"), uid } };
    struct ct_following following = { .call = call, .name = name };
    struct kd_mono deadline = ct_wait_deadline(call);
    ct_follow_begin(call, &following);
    for (;;) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(CT_ROUND_MEMORY);
        struct kd_err err = { 0 };
        struct kd_str json;
        enum kd_code code = ct_request(call, "deployment", "get", ct_object(&arena, members, 1), &arena, &json, &err);
        if (code == KD_NOT_FOUND)
            return CT_EXIT_OK;
        if (code != KD_OK)
            return ct_fail(call, &err);
        if (kd_mono_now().us >= deadline.us) {
            (void)kd_fail(&err, KD_TIMEOUT, 0, "'%.*s' is not gone from all clusters yet", KD_ARG(name));
            return ct_fail(call, &err);
        }
        ct_follow_pause(&following, deadline);
    }
}

/* ---- kedge status ---- */

static enum ct_exit ct_status_of_all(struct ct_call *call)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(CT_OUTPUT_MAX);
    const struct ct_kind *kind = ct_kind_of(KD_STR("deployment"));
    struct ct_views views;
    struct kd_err err = { 0 };
    enum kd_code code = ct_list(call, kind->name, "list", KD_STR("{}"), call->arena, &views, &err);
    code = code ? code : ct_show(call, kind, &views, CT_FORMAT_TABLE, true, true, call->arena, &out, &err);
    if (code != KD_OK)
        return ct_fail(call, &err);
    if (views.n == 0)
        kd_buf_add(&out, KD_STR("nothing is deployed: 'kedge deploy PACKAGE -l key=value' begins\n"));
    return ct_print(call, &out);
}

static enum ct_exit ct_status_of_one(struct ct_call *call, struct kd_str name)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(CT_OUTPUT_MAX);
    struct ct_progress progress = { 0 };
    struct kd_err err = { 0 };
    if (ct_progress_get(call, name, call->arena, &progress, &err) != KD_OK)
        return ct_fail(call, &err);
    ct_progress_show(call, &progress, call->arena, &out);
    return ct_print(call, &out);
}

static enum ct_exit ct_status_watch(struct ct_call *call, struct kd_str name)
{
    struct ct_following following = { .call = call, .name = name };
    struct kd_err err = { 0 };
    bool is_error = false;
    following.last.max = CT_OUTPUT_MAX;
    int state = ct_look(&following, &err, &is_error); /* connects */
    if (state >= 0)
        ct_follow_begin(call, &following);
    while (state >= 0) {
        ct_follow_pause(&following, KD_NEVER);
        state = ct_look(&following, &err, &is_error);
    }
    kd_buf_clear(&following.last);
    return ct_fail(call, &err);
}

enum ct_exit ct_run_status(struct ct_call *call)
{
    struct kd_str name = ct_word(call, 0);
    struct kd_err err = { 0 };
    if (name.n && !kd_is_name(name)) {
        (void)kd_fail(&err, KD_INVALID, 0, "name '%.*s' %s", KD_ARG(name), KD_NAME_RULE);
        return ct_usage(call, &err);
    }
    if (name.n == 0)
        return ct_given(call, CT_FLAG_WATCH)
                   ? ct_watch(call, ct_kind_of(KD_STR("deployment")), &(struct ct_name){ 0 }, KD_STR("{}"))
                   : ct_status_of_all(call);
    return ct_given(call, CT_FLAG_WATCH) ? ct_status_watch(call, name) : ct_status_of_one(call, name);
}
