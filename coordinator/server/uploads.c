/** Large content: up in parts, down in pieces. */
#include "coordinator/server/routes.h"
#include "shared/base/own.h"
#include "shared/model/digest.h"
#include "shared/model/fields.h"
#include "shared/model/name.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    CO_PART_BYTES = 128 * 1024, /* of a part, decoded */
    CO_PARTS_MAX = 256,         /* 32 MiB */
    CO_UPLOADS_MAX = 16,        /* open at once, of one operator */
    CO_UPLOAD_KEEP_MS = 3600 * 1000,
    CO_MISSING_SHOWN = 100,
};

struct co_upload {
    uint64_t of, since_ms;
};

#define T struct co_upload
static const struct kd_json_field co_upload_fields[] = { F_COUNT(T, of, "of", .required = true), F_COUNT(T, since_ms, "since") };
static const struct kd_json_shape co_upload_shape = KD_SHAPE(T, co_upload_fields, "an upload");
#undef T

struct co_put_request {
    struct kd_str upload, data;
    uint64_t part, of;
};

#define T struct co_put_request
static const struct kd_json_field co_put_fields[] = {
    F_TEXT(T, upload, "upload", .required = true, .min = 1, .max = 64, .check = kd_is_request_id,
           .rule = "must be letters, digits, _ and -, 1 to 64"),
    F_COUNT(T, part, "part", .required = true, .min = 1, .max = CO_PARTS_MAX),
    F_COUNT(T, of, "of", .required = true, .min = 1, .max = CO_PARTS_MAX),
    F_TEXT(T, data, "data", .required = true, .max = CO_PART_BYTES / 3 * 4 + 4),
};
static const char *const co_put_beside[] = { "id", NULL };
static const struct kd_json_shape co_put_shape = KD_SHAPE(T, co_put_fields, "an upload's part", .strict = true,
                                                          .beside = co_put_beside);
#undef T

static struct kd_key co_upload_key(const struct co_work *work, struct kd_str upload)
{
    return CO_KEY3(work->project, work->operator_name, upload);
}

static struct kd_key co_part_key(const struct co_work *work, struct kd_str upload, uint64_t part)
{
    char number[8];
    (void)snprintf(number, sizeof number, "%04" PRIu64, part % 10000);
    return co_key(work->project, work->operator_name, upload, kd_str(number));
}

static size_t co_upload_open_count(struct co_work *work)
{
    struct kd_key prefix = co_prefix(work->project, work->operator_name, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_UPLOAD_INFO, kd_key_str(&prefix));
    size_t n = 0;
    while (kd_scan_next(work->spec, &scan))
        n++;
    return n;
}

static enum kd_code co_upload_begin(struct co_call *call, const struct co_put_request *put)
{
    struct co_work *work = call->work;
    struct co_upload upload;
    struct kd_key key = co_upload_key(work, put->upload);
    if (put->part > put->of)
        return kd_fail_field(call->err, KD_INVALID, "$.part", "$.part is %" PRIu64 " of %" PRIu64, put->part, put->of);
    if (co_read(work, work->spec, CO_UPLOAD_INFO, kd_key_str(&key), &co_upload_shape, &upload)) {
        if (upload.of != put->of)
            return kd_fail_field(call->err, KD_CONFLICT, "$.of",
                                 "this upload has %" PRIu64 " parts: choose another name for another upload", upload.of);
        return KD_OK;
    }
    if (co_upload_open_count(work) >= CO_UPLOADS_MAX)
        return kd_fail(call->err, KD_UNAVAILABLE, 0, "%d uploads are open: import them, or wait an hour", CO_UPLOADS_MAX);
    upload = (struct co_upload){ put->of, work->uptime_ms };
    co_write(work, work->spec, CO_UPLOAD_INFO, kd_key_str(&key), &co_upload_shape, &upload);
    return KD_OK;
}

static void co_upload_state_add(struct co_work *work, const struct co_put_request *put, struct kd_buf *out)
{
    size_t missing = 0;
    kd_buf_printf(out, "{\"upload\":\"%.*s\",\"missing\":[", KD_ARG(put->upload));
    for (uint64_t part = 1; part <= put->of && missing < CO_MISSING_SHOWN; part++) {
        struct kd_key key = co_part_key(work, put->upload, part);
        if (!kd_txn_has(work->spec, CO_UPLOAD, kd_key_str(&key)))
            kd_buf_printf(out, "%s%" PRIu64, missing++ ? "," : "", part);
    }
    kd_buf_printf(out, "],\"complete\":%s}", missing ? "false" : "true");
}

enum kd_code co_on_upload_put(struct co_call *call)
{
    struct co_put_request put;
    KD_AUTO(kd_buf_clear) struct kd_buf bytes = KD_BUF(CO_PART_BYTES);
    enum kd_code code = kd_json_decode(&co_put_shape, call->body, call->work->arena, &put, call->err);
    if (code == KD_OK && !kd_base64_decode(put.data, &bytes))
        code = kd_fail_field(call->err, KD_INVALID, "$.data", "$.data must be base64 of at most %d bytes", CO_PART_BYTES);
    if (code == KD_OK)
        code = co_upload_begin(call, &put);
    if (code != KD_OK)
        return code;
    struct kd_key key = co_part_key(call->work, put.upload, put.part);
    kd_txn_put(call->work->spec, CO_UPLOAD, kd_key_str(&key), kd_buf_str(&bytes));
    co_upload_state_add(call->work, &put, call->result);
    return KD_OK;
}

enum kd_code co_upload_bytes(struct co_work *work, struct kd_str upload, struct kd_str *ret, struct kd_err *err)
{
    struct co_upload info;
    struct kd_key key = co_upload_key(work, upload);
    if (!upload.n || !co_read(work, work->spec, CO_UPLOAD_INFO, kd_key_str(&key), &co_upload_shape, &info))
        return kd_fail_field(err, KD_NOT_FOUND, "$.upload", "there is no upload %.*s: put its parts first", KD_ARG(upload));
    KD_AUTO(kd_buf_clear) struct kd_buf all = KD_BUF((size_t)CO_PARTS_MAX * CO_PART_BYTES);
    for (uint64_t part = 1; part <= info.of; part++) {
        struct kd_key at = co_part_key(work, upload, part);
        struct kd_str bytes;
        if (!kd_txn_get(work->spec, CO_UPLOAD, kd_key_str(&at), &bytes))
            return kd_fail_field(err, KD_UNAVAILABLE, "$.upload", "part %" PRIu64 " of upload %.*s is missing", part,
                                 KD_ARG(upload));
        kd_buf_add(&all, bytes);
    }
    *ret = kd_arena_copy(work->arena, kd_buf_str(&all));
    return ret->p ? KD_OK : kd_fail(err, KD_TOO_LARGE, 0, "the upload is too large");
}

void co_upload_drop(struct co_work *work, struct kd_str upload)
{
    struct kd_key key = co_upload_key(work, upload), prefix = co_prefix(work->project, work->operator_name, upload);
    struct kd_scan scan = kd_scan_prefix(CO_UPLOAD, kd_key_str(&prefix));
    while (kd_scan_next(work->spec, &scan))
        (void)kd_txn_del(work->spec, CO_UPLOAD, kd_key_str(&scan.key));
    (void)kd_txn_del(work->spec, CO_UPLOAD_INFO, kd_key_str(&key));
}

void co_uploads_expire(struct co_work *work)
{
    struct kd_scan scan = kd_scan_prefix(CO_UPLOAD_INFO, CO_NONE);
    while (kd_scan_next(work->spec, &scan)) {
        struct co_upload info;
        if (kd_json_decode(&co_upload_shape, scan.value, work->arena, &info, NULL) == KD_OK &&
            info.since_ms + CO_UPLOAD_KEEP_MS > work->uptime_ms)
            continue;
        struct kd_str upload = kd_arena_copy(work->arena, kd_key_str(&scan.key));
        work->project = kd_str_cut(&upload, '/');
        work->operator_name = kd_str_cut(&upload, '/');
        co_upload_drop(work, upload);
    }
}

enum kd_code co_on_import(struct co_call *call)
{
    struct co_named named;
    struct kd_str bytes;
    enum kd_code code = co_named_read(call, &named);
    if (code == KD_OK)
        code = co_upload_bytes(call->work, named.upload, &bytes, call->err);
    if (code != KD_OK)
        return code;
    kd_buf_add(call->result, KD_STR("{\"imported\":"));
    code = co_import(call->work, bytes, call->result, call->err);
    kd_buf_add_char(call->result, '}');
    if (code == KD_OK)
        co_upload_drop(call->work, named.upload);
    return code;
}

enum kd_code co_on_content_get(struct co_call *call)
{
    struct co_named named;
    enum kd_code code = co_named_read(call, &named);
    if (code != KD_OK)
        return code;
    if (!kd_is_digest(named.digest))
        return kd_fail_field(call->err, KD_INVALID, "$.digest", "$.digest must be sha256: and 64 hex digits");
    struct kd_str bytes = co_content_read(call->work, named.digest);
    if (!bytes.p)
        return kd_fail_field(call->err, KD_NOT_FOUND, "$.digest", "there is no content with that digest");
    if (named.offset > bytes.n)
        return kd_fail_field(call->err, KD_INVALID, "$.offset", "$.offset is behind the end (%zu bytes)", bytes.n);
    struct kd_str piece = { bytes.p + named.offset,
                            bytes.n - named.offset < CO_PART_BYTES ? bytes.n - named.offset : CO_PART_BYTES };
    kd_buf_printf(call->result, "{\"digest\":\"%.*s\",\"size\":%zu,\"offset\":%" PRIu64 ",\"data\":\"", KD_ARG(named.digest),
                  bytes.n, named.offset);
    kd_base64_add(call->result, piece);
    kd_buf_add(call->result, KD_STR("\"}"));
    return KD_OK;
}
