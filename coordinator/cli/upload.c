/** Large content goes up in parts. */
#include "coordinator/cli/upload.h"

#include "shared/base/own.h"
#include "shared/model/digest.h"
#include "shared/model/fields.h"
#include "shared/model/messages.h"
#include "shared/os/random.h"

enum { CT_UPLOAD_ROUNDS = 5 /* how often missing parts are sent again */, CT_UPLOAD_REPLY_MEMORY = 1 << 20 };

struct ct_upload_reply {
    struct kd_str missing; /* JSON list of numbers */
    bool complete;
};

static const struct kd_json_field ct_upload_fields[] = {
    F_RAW(struct ct_upload_reply, missing, "missing"),
    F_FLAG(struct ct_upload_reply, complete, "complete"),
};
static const struct kd_json_shape ct_upload_shape = KD_SHAPE(struct ct_upload_reply, ct_upload_fields, "the state of an upload");

struct ct_uploading {
    struct ct_call *call;
    struct kd_str bytes, id;
    size_t parts;
    bool complete;
    struct kd_buf missing; /* "[3,7]" as the last reply named them */
};

static enum kd_code ct_put_part(struct ct_uploading *up, size_t part, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(CT_UPLOAD_REPLY_MEMORY);
    KD_AUTO(kd_buf_clear) struct kd_buf body = KD_BUF(KD_PAYLOAD_MAX);
    size_t from = (part - 1) * CT_PART_BYTES, left = up->bytes.n - from;
    kd_buf_printf(&body, "{\"upload\":\"%.*s\",\"part\":%zu,\"of\":%zu,\"data\":\"", KD_ARG(up->id), part, up->parts);
    kd_base64_add(&body, (struct kd_str){ up->bytes.p + from, left < CT_PART_BYTES ? left : CT_PART_BYTES });
    kd_buf_add(&body, KD_STR("\"}"));
    struct kd_str result;
    struct ct_upload_reply reply;
    enum kd_code code = ct_request(up->call, "upload", "put", kd_buf_str(&body), &arena, &result, err);
    code = code ? code : kd_json_decode(&ct_upload_shape, result, &arena, &reply, err);
    if (code != KD_OK)
        return kd_wrap(err, "upload part %zu of %zu", part, up->parts);
    up->complete = reply.complete;
    kd_buf_reset(&up->missing);
    kd_buf_add(&up->missing, reply.missing);
    return KD_OK;
}

/** Sends again what "[3,7]" names. */
static enum kd_code ct_put_missing(struct ct_uploading *up, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf copy = KD_BUF(65536);
    kd_buf_add(&copy, kd_buf_str(&up->missing));
    struct kd_str rest = kd_buf_str(&copy);
    while (rest.n && !up->complete) {
        struct kd_str item = kd_str_cut(&rest, ',');
        while (item.n && (item.p[0] == '[' || item.p[0] == ' '))
            item = (struct kd_str){ item.p + 1, item.n - 1 };
        item = kd_str_cut(&item, ']');
        uint64_t part = 0;
        if (!kd_str_u64(item, &part) || part < 1 || part > up->parts)
            continue;
        enum kd_code code = ct_put_part(up, (size_t)part, err);
        if (code != KD_OK)
            return code;
    }
    return KD_OK;
}

enum kd_code ct_upload(struct ct_call *call, struct kd_str bytes, struct kd_str *ret_id, struct kd_err *err)
{
    char id[33];
    kd_random_text(id, sizeof(id) - 1);
    struct ct_uploading up = { .call = call,
                               .bytes = bytes,
                               .id = kd_arena_copy(call->arena, kd_str(id)),
                               .parts = (bytes.n + CT_PART_BYTES - 1) / CT_PART_BYTES,
                               .missing = KD_BUF(65536) };
    enum kd_code code = bytes.n ? KD_OK : kd_fail(err, KD_INVALID, 0, "there is nothing to upload");
    for (size_t part = 1; part <= up.parts && code == KD_OK; part++) {
        code = ct_put_part(&up, part, err);
        if (up.parts > 1)
            ct_screen_progress(&call->screen, "uploading", part, up.parts);
    }
    for (int i = 0; i < CT_UPLOAD_ROUNDS && code == KD_OK && !up.complete; i++)
        code = ct_put_missing(&up, err);
    kd_buf_clear(&up.missing);
    if (code == KD_OK && !up.complete)
        code = kd_fail(err, KD_UNAVAILABLE, 0, "the coordinator still misses parts of the upload");
    *ret_id = up.id;
    return code;
}
