/** Things that are shown again whenever they change. */
#include "coordinator/cli/watch.h"

#include <stdio.h>

#include "coordinator/cli/labels.h"
#include "coordinator/cli/show.h"
#include "shared/base/own.h"
#include "shared/model/messages.h"
#include "shared/model/topic.h"
#include "shared/os/clock.h"

enum {
    CT_WATCH_MEMORY = 128 * 1024 * 1024, /* bytes of one drawing */
    CT_WATCH_MAX = 100000,               /* things */
    CT_DRAW_US = 200000,                 /* between two drawings at least */
    CT_AGE_US = 10000000,                /* between two drawings at most: ages change */
};

/** One thing with its newest view. */
struct ct_seen {
    struct ct_seen *next;
    char topic[KD_TOPIC_MAX + 1];
    struct kd_buf json; /* empty: it is gone */
    struct ct_manifest_version order;
    bool has_changed, is_there; /* is_there: in the last list, or heard of since */
};

struct ct_watching {
    struct ct_call *call;
    const struct ct_kind *kind;
    const struct ct_name *name;
    enum ct_format format;
    struct ct_seen *first;
    size_t count;
    bool has_changed, has_header;
};

static struct ct_seen *ct_seen_of(struct ct_watching *watching, struct kd_str topic)
{
    struct ct_seen **at = &watching->first;
    while (*at && !kd_str_is(topic, (*at)->topic))
        at = &(*at)->next;
    if (*at || watching->count == CT_WATCH_MAX)
        return *at;
    struct ct_seen *seen = calloc(1, sizeof(*seen));
    if (seen && !kd_str_copy(topic, seen->topic, sizeof(seen->topic))) {
        free(seen);
        return NULL;
    }
    if (seen) {
        seen->json.max = KD_STORY_MAX * 4096;
        *at = seen;
        watching->count++;
    }
    return seen;
}

static void ct_seen_update(struct ct_watching *watching, struct kd_str topic, struct kd_str json, struct ct_manifest_version order)
{
    struct ct_seen *seen = ct_seen_of(watching, topic);
    bool is_old = order.epoch && seen &&
                  (order.epoch < seen->order.epoch || (order.epoch == seen->order.epoch && order.n < seen->order.n));
    if (seen)
        seen->is_there = true;
    if (seen == NULL || is_old || kd_str_eq(kd_buf_str(&seen->json), json))
        return;
    kd_buf_reset(&seen->json);
    kd_buf_add(&seen->json, json);
    seen->order = order.epoch ? order : seen->order;
    seen->has_changed = watching->has_changed = true;
}

static bool ct_label_fits(const struct ct_watching *watching, const struct ct_view *view)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(65536);
    struct kd_pairs wanted = { 0 };
    struct kd_str text = ct_text(watching->call, CT_FLAG_SELECTOR);
    if (text.n == 0 || ct_labels_parse(text, &arena, &wanted, NULL) != KD_OK)
        return true;
    for (size_t i = 0; i < wanted.n; i++) {
        bool has = false;
        for (size_t j = 0; j < view->labels.n; j++)
            has |= kd_str_eq(view->labels.v[j].key, wanted.v[i].key) && kd_str_eq(view->labels.v[j].value, wanted.v[i].value);
        if (!has)
            return false;
    }
    return true;
}

/** Appends a state without its order, printed as lists are: what did not change must not look changed. */
static bool ct_without_order(struct kd_str state, struct kd_buf *out)
{
    static const struct kd_str begin = KD_STR_INIT("{\"order\":{");
    KD_AUTO(kd_buf_clear) struct kd_buf compact = KD_BUF(KD_PAYLOAD_MAX);
    if (kd_json_compact(state, "$", &compact, NULL) != KD_OK)
        return false;
    struct kd_str rest = kd_buf_str(&compact);
    if (kd_str_starts(rest, begin)) {
        (void)kd_str_cut(&rest, '}');
        kd_buf_add_char(out, '{');
        rest = rest.n && rest.p[0] == ',' ? (struct kd_str){ rest.p + 1, rest.n - 1 } : rest;
    }
    kd_buf_add(out, rest);
    return !out->overflow;
}

/** A retained state: the view with its order in front. */
static void ct_on_view(void *ctx, struct kd_str topic, struct kd_str payload)
{
    struct ct_watching *watching = ctx;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(CT_WATCH_MEMORY);
    struct ct_view view;
    if (payload.n == 0) {
        ct_seen_update(watching, topic, KD_STR(""), (struct ct_manifest_version){ 0 });
        return;
    }
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_PAYLOAD_MAX);
    if (kd_json_decode(&ct_view_shape, payload, &arena, &view, NULL) == KD_OK && ct_label_fits(watching, &view) &&
        ct_without_order(payload, &json))
        ct_seen_update(watching, topic, kd_buf_str(&json), view.order);
}

static struct kd_str ct_topic_of(const struct ct_watching *watching, const struct ct_view *view, struct kd_arena *arena)
{
    KD_AUTO(kd_buf_clear) struct kd_buf topic = KD_BUF(KD_TOPIC_MAX);
    enum kd_topic_kind kind = watching->kind->is_versioned ? KD_TOPIC_STATE_VERSION : KD_TOPIC_STATE;
    kd_topic_add(&topic, kind, watching->call->settings.project, kd_str(watching->kind->name), view->name, view->version);
    return kd_arena_copy(arena, kd_buf_str(&topic));
}

/** What there is now, by request; what is not in the answer is gone. */
static enum kd_code ct_watch_list(struct ct_watching *watching, struct kd_str body, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(CT_CALL_MEMORY);
    struct ct_views views = { 0 };
    struct ct_thing thing;
    enum kd_code code = KD_OK;
    if (watching->name->name.n) {
        code = ct_get(watching->call, watching->kind, watching->name, &arena, &thing, err);
        views = (struct ct_views){ .v = &thing.view, .json = &thing.json, .n = 1 };
    } else {
        code = ct_list(watching->call, watching->kind->name, "list", body, &arena, &views, err);
    }
    if (code != KD_OK)
        return code;
    for (struct ct_seen *seen = watching->first; seen; seen = seen->next) {
        seen->order = (struct ct_manifest_version){ 0 };
        seen->is_there = false;
    }
    for (size_t i = 0; i < views.n; i++)
        ct_seen_update(watching, ct_topic_of(watching, &views.v[i], &arena), views.json[i], (struct ct_manifest_version){ 0 });
    for (struct ct_seen *seen = watching->first; seen; seen = seen->next)
        if (!seen->is_there)
            ct_seen_update(watching, kd_str(seen->topic), KD_STR(""), (struct ct_manifest_version){ 0 });
    return KD_OK;
}

/** The views of all that is there (only_changed: that has changed), in the order of their names. */
static enum kd_code ct_watch_views(struct ct_watching *watching, bool only_changed, struct kd_arena *arena, struct ct_views *ret,
                                   struct kd_err *err)
{
    struct ct_views views = { .v = kd_arena_alloc(arena, (watching->count + 1) * sizeof(*views.v)),
                              .json = kd_arena_alloc(arena, (watching->count + 1) * sizeof(*views.json)) };
    if (views.v == NULL || views.json == NULL)
        return kd_fail(err, KD_TOO_LARGE, 0, "the list is too long");
    for (struct ct_seen *seen = watching->first; seen; seen = seen->next) {
        bool wanted = seen->json.n && (!only_changed || seen->has_changed);
        seen->has_changed = false;
        if (!wanted)
            continue;
        views.json[views.n] = kd_buf_str(&seen->json);
        enum kd_code code = kd_json_decode(&ct_view_shape, views.json[views.n], arena, &views.v[views.n], err);
        if (code != KD_OK)
            return code;
        views.n++;
    }
    *ret = views;
    return KD_OK;
}

static enum kd_code ct_watch_show(struct ct_watching *watching, struct kd_err *err)
{
    struct ct_call *call = watching->call;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(CT_WATCH_MEMORY);
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(CT_OUTPUT_MAX);
    bool is_table = watching->format == CT_FORMAT_TABLE || watching->format == CT_FORMAT_WIDE;
    bool draws = call->screen.is_live && is_table;
    struct ct_views views;
    enum kd_code code = ct_watch_views(watching, !draws, &arena, &views, err);
    for (size_t i = 0; code == KD_OK && !draws && i < views.n; i++) {
        struct ct_views one = { .v = &views.v[i], .json = &views.json[i], .n = 1 };
        code = ct_show(call, watching->kind, &one, watching->format, false, !watching->has_header, &arena, &out, err);
        watching->has_header = true;
    }
    if (code == KD_OK && draws)
        code = ct_show(call, watching->kind, &views, watching->format, true, true, &arena, &out, err);
    if (code != KD_OK)
        return code;
    if (draws)
        ct_screen_draw(&call->screen, kd_buf_str(&out));
    else if (!ct_screen_print(kd_buf_str(&out)))
        return kd_fail(err, KD_INTERNAL, 0, "the output cannot be written");
    return KD_OK;
}

static void ct_watch_pause(struct ct_watching *watching)
{
    struct kd_mono now = kd_mono_now(), least = { now.us + CT_DRAW_US }, most = { now.us + CT_AGE_US };
    unsigned connections = ct_client_connections(watching->call->client);
    while (kd_mono_now().us < most.us && ct_client_connections(watching->call->client) == connections &&
           !(watching->has_changed && kd_mono_now().us >= least.us))
        ct_client_turn(watching->call->client, watching->has_changed ? least : most);
}

static void ct_watch_begin(struct ct_watching *watching)
{
    char filter[KD_TOPIC_MAX];
    const struct ct_name *name = watching->name;
    struct kd_str any = KD_STR("+");
    (void)snprintf(filter, sizeof(filter), "%s/%.*s%s%.*s", watching->kind->name, KD_ARG(name->name.n ? name->name : any),
                   watching->kind->is_versioned ? "/" : "",
                   KD_ARG(!watching->kind->is_versioned ? KD_STR("")
                          : name->version.n             ? name->version
                                                        : any));
    ct_client_watch(watching->call->client, filter, ct_on_view, watching);
}

static enum ct_exit ct_watch_run(struct ct_watching *watching, struct kd_str body)
{
    struct ct_call *call = watching->call;
    struct kd_err err = { 0 };
    enum kd_code code = ct_watch_list(watching, body, &err);
    if (code == KD_OK)
        ct_watch_begin(watching);
    while (code == KD_OK) {
        unsigned connections = ct_client_connections(call->client);
        if (watching->has_changed || call->screen.is_live)
            code = ct_watch_show(watching, &err);
        watching->has_changed = false;
        ct_watch_pause(watching);
        if (code == KD_OK && ct_client_connections(call->client) != connections)
            code = ct_watch_list(watching, body, &err);
    }
    return ct_fail(call, &err);
}

enum ct_exit ct_watch(struct ct_call *call, const struct ct_kind *kind, const struct ct_name *name, struct kd_str body)
{
    struct ct_watching watching = { .call = call, .kind = kind, .name = name };
    struct kd_err err = { 0 };
    if (ct_format(call, &watching.format, &err) != KD_OK)
        return ct_usage(call, &err);
    enum ct_exit code = ct_watch_run(&watching, body);
    while (watching.first) {
        struct ct_seen *seen = watching.first;
        watching.first = seen->next;
        kd_buf_clear(&seen->json);
        free(seen);
    }
    return code;
}
