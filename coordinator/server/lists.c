/** Lists: filtered, ordered, in pages. */
#include "coordinator/core/list.h"
#include "coordinator/core/presence.h"
#include "coordinator/core/sums.h"
#include "coordinator/server/rollouts.h"
#include "coordinator/server/routes.h"
#include "shared/base/own.h"
#include "shared/model/fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CO_PAGE = 20,
    CO_LIST_MAX = 1 << 18,            /* items that are looked at for one list */
    CO_LIST_BYTES = 48 * 1024 * 1024, /* memory for their texts */
};

/** One item before it is shown: its key, and the text that it is ordered by. */
struct co_item {
    struct kd_str key, order;
    bool terminating;
};

struct co_listing {
    struct co_call *call;
    const struct co_kind *kind;
    const struct co_named *named;
    struct co_filter filter;
    struct kd_str order_field;
    bool descending;
    struct kd_arena texts; /* keys and order texts of all items */
    struct co_item *items;
    size_t n, cap;
};

static bool co_listing_push(struct co_listing *listing, struct kd_str key, struct kd_str order, bool terminating)
{
    if (listing->n == listing->cap) {
        size_t cap = listing->cap ? 2 * listing->cap : 64;
        struct co_item *grown = cap > CO_LIST_MAX ? NULL : realloc(listing->items, cap * sizeof *grown);
        if (!grown)
            return false;
        listing->items = grown;
        listing->cap = cap;
    }
    listing->items[listing->n] = (struct co_item){ kd_arena_copy(&listing->texts, key), kd_arena_copy(&listing->texts, order),
                                                   terminating };
    return listing->items[listing->n++].key.p != NULL;
}

static bool co_labels_match(const struct kd_pairs *wanted, const struct kd_cluster *cluster)
{
    struct kd_target target = { .labels = *wanted };
    struct kd_deployment any = { .targets = { &target, 1 } };
    return wanted->n == 0 || kd_deployment_targets(&any, cluster);
}

/** Looks at one document: is it wanted, and what is it ordered by? */
static bool co_listing_look(struct co_listing *listing, struct kd_str key, const union co_document *document, bool terminating)
{
    const struct co_named *named = listing->named;
    KD_AUTO(kd_buf_clear) struct kd_buf view = KD_BUF(KD_VALUE_MAX);
    if (listing->kind->table == CO_CLUSTER && !co_labels_match(&named->labels, &document->cluster))
        return true;
    bool plain = !named->filter.n && !listing->order_field.n;
    if (!plain)
        co_view_add(listing->call->work, listing->kind, document, false, &view);
    if (!plain && !co_filter_matches(&listing->filter, kd_buf_str(&view)))
        return true;
    struct kd_str order = listing->order_field.n
                              ? co_list_field(kd_buf_str(&view), listing->order_field, listing->call->work->arena)
                              : key;
    return co_listing_push(listing, key, order, terminating);
}

/** Decodes in memory of its own: there may be very many. */
static bool co_listing_take(struct co_listing *listing, const struct kd_json_shape *shape, struct kd_str key, struct kd_str json,
                            bool terminating)
{
    struct co_work *work = listing->call->work;
    struct kd_arena arena = KD_ARENA(KD_DOCUMENT_MAX), *outer = work->arena;
    union co_document document;
    work->arena = &arena;
    bool ok = kd_json_decode(shape, json, work->arena, &document, NULL) != KD_OK ||
              co_listing_look(listing, key, &document, terminating);
    kd_arena_clear(&arena);
    work->arena = outer;
    return ok;
}

/** Deployments that were deleted and are not gone from every cluster yet stand in the list too, by their uid. */
static bool co_listing_terminating(struct co_listing *listing)
{
    struct co_work *work = listing->call->work;
    struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_ROLLOUT, kd_key_str(&prefix));
    while (kd_scan_next(work->spec, &scan)) {
        struct co_rollout rollout;
        if (kd_json_decode(&co_rollout_shape, scan.value, work->arena, &rollout, NULL) != KD_OK || !rollout.terminating)
            continue;
        if (!co_listing_take(listing, &kd_deployment_shape, kd_scan_rest(&scan), rollout.last, true))
            return false;
    }
    return true;
}

static bool co_listing_collect(struct co_listing *listing)
{
    struct co_work *work = listing->call->work;
    struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(listing->kind->table, kd_key_str(&prefix));
    bool all = !listing->named->filter.n && !listing->order_field.n && !listing->named->labels.n; /* no need to look into them */
    while (kd_scan_next(work->spec, &scan)) {
        struct kd_str key = kd_scan_rest(&scan);
        if (all ? !co_listing_push(listing, key, CO_NONE, false)
                : !co_listing_take(listing, listing->kind->shape, key, scan.value, false))
            return false;
    }
    return listing->kind->table != CO_DEPLOYMENT || co_listing_terminating(listing);
}

static int co_item_cmp(const void *a, const void *b)
{
    const struct co_item *x = a, *y = b;
    int order = kd_str_cmp(x->order, y->order);
    return order ? order : kd_str_cmp(x->key, y->key);
}

/** Shows one item; false if the reply is full. */
static bool co_listing_show(struct co_listing *listing, const struct co_item *item, bool first)
{
    struct co_call *call = listing->call;
    struct co_work *work = call->work;
    union co_document document;
    struct co_rollout rollout;
    struct kd_str version = item->key, name = kd_str_cut(&version, '/');
    KD_AUTO(kd_buf_clear) struct kd_buf view = KD_BUF(KD_VALUE_MAX);
    bool there = item->terminating ? co_rollout_get(work, item->key, &rollout) &&
                                         kd_json_decode(&kd_deployment_shape, rollout.last, work->arena, &document, NULL) == KD_OK
                                   : co_document_get(work, listing->kind, name, version, &document);
    if (!there)
        return true;
    co_view_add(work, listing->kind, &document, false, &view);
    if (first && view.n + 512 > call->result->max) { /* one that does not fit alone is cut rather than ending the list */
        kd_buf_reset(&view);
        co_view_add_cut(work, listing->kind, &document, false, &view);
    }
    if (call->result->n + view.n + 256 > call->result->max)
        return false;
    if (!first)
        kd_buf_add_char(call->result, ',');
    kd_buf_add(call->result, kd_buf_str(&view));
    return true;
}

/** Where the page begins: the token is the number of items before it. */
static enum kd_code co_page_start(struct co_call *call, struct kd_str token, size_t *ret)
{
    uint64_t start = 0;
    if (token.n && !kd_str_u64(token, &start))
        return kd_fail_field(call->err, KD_INVALID, "$.pageToken", "$.pageToken must be the nextPageToken of the page before");
    *ret = (size_t)start;
    return KD_OK;
}

static void co_page_end(struct co_call *call, size_t next, size_t n)
{
    kd_buf_add(call->result, KD_STR("],\"nextPageToken\":\""));
    if (next < n)
        kd_buf_printf(call->result, "%zu", next);
    kd_buf_printf(call->result, "\",\"totalSize\":%zu}", n);
}

static void co_listing_page(struct co_listing *listing, size_t start)
{
    size_t shown = 0, i = start;
    size_t most = listing->named->page_size ? (size_t)listing->named->page_size : CO_PAGE;
    kd_buf_add(listing->call->result, KD_STR("{\"items\":["));
    for (; i < listing->n && shown < most; i++, shown++) {
        const struct co_item *item = &listing->items[listing->descending ? listing->n - 1 - i : i];
        if (!co_listing_show(listing, item, shown == 0))
            break;
    }
    co_page_end(listing->call, i, listing->n);
}

enum kd_code co_on_list(struct co_call *call)
{
    struct co_named named;
    enum kd_code code = co_named_read(call, &named);
    if (code != KD_OK)
        return code;
    struct co_listing listing = { .call = call, .kind = co_kind_of(call->kind), .named = &named, .texts = KD_ARENA(CO_LIST_BYTES) };
    size_t start = 0;
    code = co_page_start(call, named.page_token, &start);
    if (code == KD_OK)
        code = co_filter_read(named.filter, &listing.filter, call->err);
    if (code == KD_OK)
        code = co_order_read(named.order_by, &listing.order_field, &listing.descending, call->err);
    if (code == KD_OK && !co_listing_collect(&listing))
        code = kd_fail(call->err, KD_TOO_LARGE, 0, "there are too many items for one list: use a filter");
    if (code == KD_OK) {
        if (listing.order_field.n)
            qsort(listing.items, listing.n, sizeof *listing.items, co_item_cmp);
        co_listing_page(&listing, start);
    }
    kd_arena_clear(&listing.texts);
    free(listing.items);
    return code;
}

/* ---- the clusters of a deployment ---- */

struct co_place_view {
    struct kd_str cluster, state, message, digest;
    bool offline, remove, hold;
    struct {
        struct kd_status_app *v;
        size_t n;
    } apps;
    struct {
        struct kd_status_skipped *v;
        size_t n;
    } skipped;
};

#define T struct co_place_view
static const struct kd_json_field co_place_view_fields[] = {
    F_TEXT(T, cluster, "cluster", .required = true),
    F_TEXT(T, state, "state", .required = true),
    F_FLAG(T, offline, "offline", .required = true),
    F_TEXT(T, message, "message", .required = true),
    F_TEXT(T, digest, "digest"),
    F_FLAG(T, remove, "removing"),
    F_FLAG(T, hold, "held"),
    F_LIST(T, apps, &kd_status_app_shape, "apps", .required = true),
    F_LIST(T, skipped, &kd_status_skipped_shape, "skipped"),
};
static const struct kd_json_shape co_place_view_shape = KD_SHAPE(T, co_place_view_fields, "a deployment on a cluster");
#undef T

static void co_place_show(struct co_work *work, struct kd_str uid, struct kd_str cluster, struct kd_buf *out)
{
    struct co_placement placement = { 0 };
    struct co_presence presence = { 0 };
    struct kd_status status = { 0 };
    struct kd_key at = CO_KEY2(work->project, cluster), key = CO_KEY3(work->project, cluster, uid);
    (void)co_placement_get(work, cluster, uid, &placement);
    (void)co_read(work, work->status, CO_S_PRESENCE, kd_key_str(&at), &co_presence_shape, &presence);
    bool reported = co_read(work, work->status, CO_S_STATUS, kd_key_str(&key), &kd_status_shape, &status);
    enum kd_app_state state = placement.remove  ? KD_APP_REMOVING
                              : placement.unfit ? KD_APP_FAILED
                                                : co_cluster_state(placement.document.digest, reported ? &status : NULL);
    struct co_place_view view = { .cluster = cluster,
                                  .state = kd_str(kd_app_state_word((int)state)),
                                  .message = placement.unfit ? KD_STR(CO_UNFIT_TEXT) : status.message,
                                  .digest = status.digest,
                                  .offline = presence.state != KD_PRESENCE_ONLINE,
                                  .remove = placement.remove,
                                  .hold = placement.hold,
                                  .apps = { status.apps.v, status.apps.n },
                                  .skipped = { status.skipped.v, status.skipped.n } };
    kd_json_encode(&co_place_view_shape, &view, out);
}

/** The uid that is meant: given, or that of the deployment of that name. */
static enum kd_code co_uid_of(struct co_call *call, const struct co_named *named, struct kd_str *ret)
{
    union co_document document;
    struct co_rollout rollout;
    if (!named->name.n && named->meta.uid.n && co_rollout_get(call->work, named->meta.uid, &rollout)) {
        *ret = named->meta.uid;
        return KD_OK;
    }
    if (!co_document_get(call->work, co_kind_of(KD_STR("deployment")), named->name, CO_NONE, &document))
        return kd_fail_field(call->err, KD_NOT_FOUND, "$.name", "deployment %.*s does not exist", KD_ARG(named->name));
    *ret = document.deployment.meta.uid;
    return KD_OK;
}

enum kd_code co_on_deployment_clusters(struct co_call *call)
{
    struct co_named named;
    struct kd_str uid;
    enum kd_code code = co_named_read(call, &named);
    size_t start = 0;
    if (code == KD_OK)
        code = co_uid_of(call, &named, &uid);
    if (code == KD_OK)
        code = co_page_start(call, named.page_token, &start);
    if (code != KD_OK)
        return code;
    struct kd_key prefix = co_prefix(call->work->project, uid, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_PLACED, kd_key_str(&prefix));
    size_t most = named.page_size ? (size_t)named.page_size : CO_PAGE, next = start, n = 0;
    bool full = false;
    kd_buf_add(call->result, KD_STR("{\"items\":["));
    for (; kd_scan_next(call->work->spec, &scan); n++) {
        KD_AUTO(kd_buf_clear) struct kd_buf view = KD_BUF(KD_PAYLOAD_MAX);
        if (n < start || full || next - start >= most)
            continue;
        co_place_show(call->work, uid, kd_scan_rest(&scan), &view);
        full = call->result->n + view.n + 256 > call->result->max && next > start;
        if (full)
            continue;
        if (next > start)
            kd_buf_add_char(call->result, ',');
        kd_buf_add(call->result, kd_buf_str(&view));
        next++;
    }
    co_page_end(call, next, n);
    return KD_OK;
}
