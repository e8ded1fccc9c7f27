/** Requests of operators: found by their row, carried out once per id, and answered after the commit. */
#include "coordinator/server/routes.h"

#include "coordinator/server/state.h"
#include "shared/base/own.h"
#include "shared/model/digest.h"
#include "shared/model/fields.h"
#include "shared/model/name.h"

#include <inttypes.h>
#include <syslog.h>

enum { CO_REPLIES_MAX = 10000 /* kept for one operator */, CO_REPLY_KEEP_MS = 3600 * 1000 };

static const struct co_route co_routes[] = {
    { NULL, "create", KD_PAYLOAD_MAX, CO_ROLE_WRITE, true, co_on_create },
    { NULL, "update", KD_PAYLOAD_MAX, CO_ROLE_WRITE, true, co_on_update },
    { NULL, "delete", KD_STATE_MAX, CO_ROLE_WRITE, true, co_on_delete },
    { NULL, "get", KD_STATE_MAX, CO_ROLE_READ, false, co_on_get },
    { NULL, "list", KD_STATE_MAX, CO_ROLE_READ, false, co_on_list },
    { "upload", "put", KD_PAYLOAD_MAX, CO_ROLE_WRITE, false, co_on_upload_put }, /* a part that is put again is the same part */
    { "package", "import", KD_STATE_MAX, CO_ROLE_WRITE, true, co_on_import },
    { "content", "get", KD_STATE_MAX, CO_ROLE_READ, false, co_on_content_get },
    { "deployment", "clusters", KD_STATE_MAX, CO_ROLE_READ, false, co_on_deployment_clusters },
    { "deployment", "adopt", KD_STATE_MAX, CO_ROLE_WRITE, true, co_on_deployment_adopt },
    { "deployment", "resume", KD_STATE_MAX, CO_ROLE_WRITE, true, co_on_deployment_resume },
    { "cluster", "orphans", KD_STATE_MAX, CO_ROLE_READ, false, co_on_cluster_orphans },
    { "cluster", "prune", KD_STATE_MAX, CO_ROLE_WRITE, true, co_on_cluster_prune },
    { "cluster", "adopt", KD_STATE_MAX, CO_ROLE_WRITE, true, co_on_cluster_adopt },
    { "cluster", "leave", KD_STATE_MAX, CO_ROLE_WRITE, true, co_on_cluster_leave },
};

static const struct co_route *co_route_of(struct kd_str kind, struct kd_str verb)
{
    for (size_t i = 0; i < KD_COUNT(co_routes); i++)
        if (kd_str_is(verb, co_routes[i].verb) &&
            (co_routes[i].kind ? kd_str_is(kind, co_routes[i].kind) : co_kind_of(kind) != NULL))
            return &co_routes[i];
    return NULL;
}

#define T struct co_named
static const struct kd_json_field co_named_fields[] = {
    F_TEXT(T, name, "name", .max = KD_NAME_MAX),
    F_TEXT(T, version, "version", .max = KD_VERSION_MAX),
    F_TEXT(T, deployment, "deployment", .max = KD_NAME_MAX),
    F_TEXT(T, upload, "upload", .max = 64),
    F_TEXT(T, digest, "digest", .max = KD_DIGEST_TEXT),
    F_TEXT(T, meta.uid, "uid", .max = KD_UID_TEXT, .check = kd_is_uid, .rule = "must be 32 hex digits"),
    F_COUNT(T, meta.resource_version, "resourceVersion"),
    F_TEXTS(T, uids, "uids", .max = 1000, .check = kd_is_uid, .rule = "must be 32 hex digits"),
    F_COUNT(T, offset, "offset"),
    F_COUNT(T, page_size, "pageSize", .max = 500),
    F_TEXT(T, filter, "filter", .max = 1000),
    F_TEXT(T, order_by, "orderBy", .max = 100),
    F_TEXT(T, page_token, "pageToken", .max = 1000),
    F_PAIRS(T, labels, "labels", .max = 20),
};
static const char *const co_named_beside[] = { "id", NULL };
static const struct kd_json_shape co_named_shape = KD_SHAPE(T, co_named_fields, "this request", .strict = true,
                                                            .beside = co_named_beside);
#undef T

enum kd_code co_named_read(struct co_call *call, struct co_named *ret)
{
    return kd_json_decode(&co_named_shape, call->body, call->work->arena, ret, call->err);
}

/* ---- replies ---- */

struct co_id {
    struct kd_str id;
};

#define T struct co_id
static const struct kd_json_field co_id_fields[] = {
    F_TEXT(T, id, "id", .max = 64, .check = kd_is_request_id, .rule = "must be letters, digits, _ and -, 1 to 64"),
};
static const struct kd_json_shape co_id_shape = KD_SHAPE(T, co_id_fields, "a request");
#undef T

/** A reply that is kept, so that the same request gives it again. */
struct co_kept_reply {
    struct kd_str request; /* digest of kind, verb and payload */
    struct kd_str reply;
    uint64_t since_ms;
};

#define T struct co_kept_reply
static const struct kd_json_field co_kept_fields[] = {
    F_TEXT(T, request, "request", .required = true),
    F_RAW(T, reply, "reply", .required = true),
    F_COUNT(T, since_ms, "since"),
};
static const struct kd_json_shape co_kept_shape = KD_SHAPE(T, co_kept_fields, "a kept reply");
#undef T

static void co_reply_error(const struct kd_err *err, struct kd_buf *out)
{
    kd_buf_reset(out);
    kd_buf_add(out, KD_STR("{\"ok\":false,\"error\":{\"code\":"));
    kd_json_add_text(out, kd_str(kd_code_word(err->code)));
    kd_buf_add(out, KD_STR(",\"message\":"));
    kd_json_add_text(out, kd_str(err->story));
    if (err->field[0]) {
        kd_buf_add(out, KD_STR(",\"field\":"));
        kd_json_add_text(out, kd_str(err->field));
    }
    kd_buf_add(out, KD_STR("}}"));
}

static struct kd_str co_request_digest(struct co_work *work, const struct kd_topic *topic, struct kd_str payload)
{
    struct kd_hash *hash = kd_hash_open();
    if (!hash)
        return CO_NONE;
    for (int i = 2; i < KD_TOPIC_PARTS; i++) {
        kd_hash_add(hash, topic->part[i]);
        kd_hash_add(hash, KD_STR("/"));
    }
    kd_hash_add(hash, payload);
    struct kd_digest digest = kd_hash_close(hash);
    return kd_arena_copy(work->arena, kd_digest_str(&digest));
}

static struct kd_key co_reply_due_key(uint64_t since_ms, const struct kd_key *key)
{
    struct kd_key time = co_number_key(since_ms + CO_REPLY_KEEP_MS);
    return CO_KEY2(kd_key_str(&time), kd_key_str(key));
}

static void co_reply_count(struct co_work *work, struct kd_str operator_name, int64_t by)
{
    struct kd_key key = CO_KEY2(work->project, operator_name);
    uint64_t n = co_get_number(work->spec, CO_REPLY_COUNT, kd_key_str(&key));
    co_put_number(work->spec, CO_REPLY_COUNT, kd_key_str(&key), n + (uint64_t)by);
}

static void co_reply_keep(struct co_work *work, struct kd_str id, struct kd_str request, struct kd_str reply)
{
    struct co_kept_reply kept = { request, reply, work->uptime_ms };
    struct kd_key key = CO_KEY3(work->project, work->operator_name, id), due = co_reply_due_key(kept.since_ms, &key);
    co_write(work, work->spec, CO_REPLY, kd_key_str(&key), &co_kept_shape, &kept);
    kd_txn_put(work->spec, CO_REPLY_DUE, kd_key_str(&due), CO_NONE);
    co_reply_count(work, work->operator_name, 1);
}

static void co_replies_expire(struct co_work *work)
{
    struct kd_scan scan = kd_scan_prefix(CO_REPLY_DUE, CO_NONE);
    uint64_t due_ms = 0;
    while (kd_scan_next(work->spec, &scan) && co_number_of(kd_key_str(&scan.key), &due_ms) && due_ms <= work->uptime_ms) {
        struct kd_str key = { scan.key.p + 17, scan.key.n - 17 }, rest = key;
        work->project = kd_str_cut(&rest, '/');
        if (kd_txn_del(work->spec, CO_REPLY, key))
            co_reply_count(work, kd_str_cut(&rest, '/'), -1);
        (void)kd_txn_del(work->spec, CO_REPLY_DUE, kd_key_str(&scan.key));
    }
}

void co_requests_expire(struct co_work *work)
{
    co_replies_expire(work);
    work->project = work->service->project;
    co_uploads_expire(work);
}

/** Where the reply goes: below the operator's own prefix and nowhere else. False: nowhere. */
static bool co_reply_topic(struct co_work *work, const struct co_message *message, struct kd_str id, struct kd_buf *out)
{
    kd_buf_printf(out, KD_TOPIC_ROOT "%.*s/reply/%.*s/", KD_ARG(work->project), KD_ARG(work->operator_name));
    struct kd_str wanted = message->response_topic;
    if (wanted.n > out->n && wanted.n <= KD_TOPIC_MAX && kd_str_starts(wanted, kd_buf_str(out)) &&
        !memchr(wanted.p, '+', wanted.n) && !memchr(wanted.p, '#', wanted.n)) {
        kd_buf_reset(out);
        kd_buf_add(out, wanted);
        return true;
    }
    kd_buf_add(out, id);
    return id.n > 0;
}

/* ---- carrying out ---- */

/** The handler between two save points: what fails leaves nothing behind. */
static enum kd_code co_call_handle(struct co_call *call, const struct co_route *route)
{
    struct co_work *work = call->work;
    struct co_touched *touched = work->touched;
    kd_txn_save(work->spec);
    kd_txn_save(work->status);
    enum kd_code code = route->handle(call);
    if (code == KD_OK && call->result->overflow)
        code = kd_fail(call->err, KD_TOO_LARGE, 0, "the reply would be larger than %d bytes: ask for less", KD_PAYLOAD_MAX);
    if (code == KD_OK && (kd_txn_failed(work->spec, call->err) || kd_txn_failed(work->status, call->err)))
        code = call->err->code = KD_INTERNAL;
    kd_txn_restore(work->status, code != KD_OK);
    kd_txn_restore(work->spec, code != KD_OK);
    if (code != KD_OK)
        work->touched = touched;
    else
        call->err->code = KD_OK; /* what a handler tried and did without is no failure of the request */
    return code;
}

static enum kd_code co_call_route(struct co_call *call, const struct co_route **ret)
{
    const struct co_route *route = co_route_of(call->kind, call->verb);
    if (!route)
        return kd_fail(call->err, KD_UNSUPPORTED, 0, "there is no request %.*s/%.*s", KD_ARG(call->kind), KD_ARG(call->verb));
    if (call->body.n > route->max_bytes)
        return kd_fail(call->err, KD_TOO_LARGE, 0, "the request has %zu bytes, at most %zu are allowed", call->body.n,
                       route->max_bytes);
    *ret = route;
    return KD_OK;
}

/** Answers from what is kept. True if the request was answered before (or must not be carried out). */
static bool co_call_known(struct co_call *call, struct kd_str id, struct kd_str digest, struct kd_buf *reply)
{
    struct co_work *work = call->work;
    struct co_kept_reply kept;
    struct kd_key key = CO_KEY3(work->project, work->operator_name, id), count = CO_KEY2(work->project, work->operator_name);
    if (co_read(work, work->spec, CO_REPLY, kd_key_str(&key), &co_kept_shape, &kept)) {
        if (kd_str_eq(kept.request, digest)) {
            kd_buf_add(reply, kept.reply);
        } else {
            (void)kd_fail_field(call->err, KD_CONFLICT, "$.id", "the id %.*s was used for another request: choose a new one",
                                KD_ARG(id));
            co_reply_error(call->err, reply);
        }
        return true;
    }
    if (co_get_number(work->spec, CO_REPLY_COUNT, kd_key_str(&count)) < CO_REPLIES_MAX)
        return false;
    (void)kd_fail(call->err, KD_UNAVAILABLE, 0, "too many requests within an hour: try again later");
    co_reply_error(call->err, reply);
    return true;
}

static void co_call_carry_out(struct co_call *call, const struct co_route *route, struct kd_buf *reply)
{
    KD_AUTO(kd_buf_clear) struct kd_buf result = KD_BUF(KD_PAYLOAD_MAX - 64);
    call->result = &result;
    if (co_call_handle(call, route) != KD_OK) {
        co_reply_error(call->err, reply);
        return;
    }
    kd_buf_add(reply, KD_STR("{\"ok\":true,\"result\":"));
    kd_buf_add(reply, result.n ? kd_buf_str(&result) : KD_STR("{}"));
    kd_buf_add_char(reply, '}');
}

static void co_call_answer(struct co_call *call, const struct kd_topic *topic, struct kd_str id, struct kd_buf *reply)
{
    const struct co_route *route = NULL;
    struct co_work *work = call->work;
    if (co_call_route(call, &route) != KD_OK) {
        co_reply_error(call->err, reply);
        return;
    }
    bool once = route->changes && id.n;
    struct kd_str digest = once ? co_request_digest(work, topic, call->body) : CO_NONE;
    if (once && co_call_known(call, id, digest, reply))
        return;
    co_call_carry_out(call, route, reply);
    if (once && call->err->code != KD_INTERNAL && call->err->code != KD_UNAVAILABLE)
        co_reply_keep(work, id, digest, kd_buf_str(reply));
}

void co_request(struct co_work *work, const struct kd_topic *topic, const struct co_message *message)
{
    struct co_service *service = work->service;
    KD_AUTO(kd_buf_clear) struct kd_buf to = KD_BUF(2 * KD_TOPIC_MAX), reply = KD_BUF(KD_PAYLOAD_MAX);
    struct kd_err err = { .code = KD_OK };
    struct co_call call = { .work = work, .kind = topic->part[2], .verb = topic->part[3], .body = message->payload, .err = &err };
    struct co_id id = { { NULL, 0 } };
    work->operator_name = topic->part[1];
    service->counts.requests++;
    enum kd_code code = message->payload.n > KD_PAYLOAD_MAX
                            ? kd_fail(&err, KD_TOO_LARGE, 0, "the request has %zu bytes, at most %d are allowed",
                                      message->payload.n, KD_PAYLOAD_MAX)
                            : kd_json_decode(&co_id_shape, message->payload, work->arena, &id, &err);
    if (!kd_is_operator(work->operator_name) || !co_reply_topic(work, message, id.id, &to)) {
        service->counts.refused_messages++;
        co_note(service, LOG_WARNING, "request.no-reply-topic", "operator=%.*s request=%.*s/%.*s", KD_ARG(work->operator_name),
                KD_ARG(call.kind), KD_ARG(call.verb));
        return;
    }
    if (code == KD_OK)
        co_call_answer(&call, topic, id.id, &reply);
    else
        co_reply_error(&err, &reply);
    co_send(work, kd_buf_str(&to), kd_buf_str(&reply), message->correlation, false);
    service->counts.replies++;
    co_note(service, err.code == KD_OK ? LOG_DEBUG : LOG_INFO, "request", "operator=%.*s request=%.*s/%.*s code=%s",
            KD_ARG(work->operator_name), KD_ARG(call.kind), KD_ARG(call.verb), kd_code_word(err.code));
}
