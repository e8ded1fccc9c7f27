/** Bytes by digest, with counts of who names them. Two shelves: the catalog's content, and the objects that are on the broker. What is
 *  larger than a message is kept in pieces behind a list; what a document or a list names is counted as long as that exists. */
#include "coordinator/server/work.h"
#include "shared/base/plant.h"
#include "shared/model/digest.h"
#include "shared/model/fields.h"

enum co_form { CO_FORM_PLAIN, CO_FORM_LIST, CO_FORM_DOCUMENT, CO_FORM_COUNT };
static const char *const co_form_words[CO_FORM_COUNT] = { "", "list", "document" };

struct co_count {
    uint64_t n;      /* how often it is named */
    int form;        /* enum co_form: what its bytes name in turn */
    uint64_t due_ms; /* when it is cleared, 0 while it is named */
};

#define T struct co_count
static const struct kd_json_field co_count_fields[] = {
    F_COUNT(T, n, "n", .required = true),
    F_WORD(T, form, co_form_words, "form"),
    F_COUNT(T, due_ms, "due"),
};
static const struct kd_json_shape co_count_shape = KD_SHAPE(T, co_count_fields, "a count");
#undef T

static const struct co_shelf {
    int bytes, count;
    bool published; /* on the broker: put into the outbox, cleared a day after it was named last */
} co_content = { CO_CONTENT, CO_CONTENT_COUNT, false }, co_objects = { CO_OBJECT, CO_OBJECT_COUNT, true };

static struct kd_key co_shelf_key(const struct co_work *work, struct kd_str digest)
{
    struct kd_str hex = { digest.p + 7, KD_DIGEST_HEX };
    return CO_KEY2(work->project, hex);
}

static struct kd_key co_due_key(uint64_t due_ms, struct kd_key key)
{
    struct kd_key time = co_number_key(due_ms);
    return CO_KEY2(kd_key_str(&time), kd_key_str(&key));
}

static bool co_count_get(struct co_work *work, const struct co_shelf *shelf, struct kd_key key, struct co_count *ret)
{
    return co_read(work, work->spec, shelf->count, kd_key_str(&key), &co_count_shape, ret);
}

static void co_count_put(struct co_work *work, const struct co_shelf *shelf, struct kd_key key, const struct co_count *count)
{
    co_write(work, work->spec, shelf->count, kd_key_str(&key), &co_count_shape, count);
}

/** Names what is there once more. False if it is not there. */
static bool co_shelf_name(struct co_work *work, const struct co_shelf *shelf, struct kd_str digest)
{
    struct co_count count;
    struct kd_key key = co_shelf_key(work, digest);
    if (!co_count_get(work, shelf, key, &count))
        return false;
    if (count.due_ms) {
        struct kd_key due = co_due_key(count.due_ms, key);
        (void)kd_txn_del(work->spec, CO_OBJECT_DUE, kd_key_str(&due));
        count.due_ms = 0;
    }
    count.n++;
    co_count_put(work, shelf, key, &count);
    return true;
}

static void co_shelf_store(struct co_work *work, const struct co_shelf *shelf, struct kd_str digest, struct kd_str bytes,
                           enum co_form form)
{
    struct kd_key key = co_shelf_key(work, digest);
    kd_txn_put(work->spec, shelf->bytes, kd_key_str(&key), bytes);
    co_count_put(work, shelf, key, &(struct co_count){ .n = 1, .form = (int)form });
    if (shelf->published)
        co_outbox_put_object(work, (struct kd_str){ digest.p + 7, KD_DIGEST_HEX });
}

static struct kd_str co_shelf_add_piece(struct co_work *work, const struct co_shelf *shelf, struct kd_str bytes)
{
    struct kd_digest digest = kd_digest_of(bytes);
    if (!co_shelf_name(work, shelf, kd_digest_str(&digest)))
        co_shelf_store(work, shelf, kd_digest_str(&digest), bytes, CO_FORM_PLAIN);
    return kd_arena_copy(work->arena, kd_digest_str(&digest));
}

/** A list's bytes are made from the digests of its pieces; the pieces are named only when the list is new. */
static struct kd_str co_shelf_add_list(struct co_work *work, const struct co_shelf *shelf, struct kd_str bytes)
{
    size_t pieces = (bytes.n + KD_PAYLOAD_MAX - 1) / KD_PAYLOAD_MAX;
    struct kd_parts list = { .parts = { kd_arena_alloc(work->arena, pieces * sizeof(struct kd_str)), 0 } };
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_PAYLOAD_MAX);
    for (size_t i = 0; list.parts.v && i < pieces; i++) {
        size_t at = i * KD_PAYLOAD_MAX, n = bytes.n - at < KD_PAYLOAD_MAX ? bytes.n - at : KD_PAYLOAD_MAX;
        struct kd_digest digest = kd_digest_of((struct kd_str){ bytes.p + at, n });
        list.parts.v[list.parts.n] = kd_arena_copy(work->arena, kd_digest_str(&digest));
        list.parts.n += list.parts.v[i].p != NULL;
    }
    if (list.parts.n < pieces) /* not half a list */
        return CO_NONE;
    kd_json_encode(&kd_parts_shape, &list, &json);
    struct kd_digest digest = kd_digest_of(kd_buf_str(&json));
    struct kd_str name = kd_arena_copy(work->arena, kd_digest_str(&digest));
    if (!name.p || co_shelf_name(work, shelf, name))
        return name;
    for (size_t i = 0; i < list.parts.n; i++) {
        size_t at = i * KD_PAYLOAD_MAX, n = bytes.n - at < KD_PAYLOAD_MAX ? bytes.n - at : KD_PAYLOAD_MAX;
        (void)co_shelf_add_piece(work, shelf, (struct kd_str){ bytes.p + at, n });
    }
    co_shelf_store(work, shelf, name, kd_buf_str(&json), CO_FORM_LIST);
    return name;
}

static struct kd_ref co_shelf_add(struct co_work *work, const struct co_shelf *shelf, struct kd_str bytes)
{
    struct kd_str name = bytes.n <= KD_PAYLOAD_MAX ? co_shelf_add_piece(work, shelf, bytes) : co_shelf_add_list(work, shelf, bytes);
    return (struct kd_ref){ name, bytes.n };
}

/** A copy of the stored bytes in the message's memory. */
static struct kd_str co_shelf_bytes(struct co_work *work, const struct co_shelf *shelf, struct kd_str digest)
{
    struct kd_key key = co_shelf_key(work, digest);
    struct kd_str bytes;
    return kd_txn_get(work->spec, shelf->bytes, kd_key_str(&key), &bytes) ? kd_arena_copy(work->arena, bytes) : CO_NONE;
}

/** The bytes of a list's pieces, one after the other. */
static struct kd_str co_shelf_join(struct co_work *work, const struct co_shelf *shelf, const struct kd_parts *list)
{
    char *all = kd_arena_alloc(work->arena, list->parts.n * KD_PAYLOAD_MAX + 1);
    size_t n = 0;
    for (size_t i = 0; all && i < list->parts.n; i++) {
        struct kd_key key = co_shelf_key(work, list->parts.v[i]);
        struct kd_str piece;
        if (!kd_txn_get(work->spec, shelf->bytes, kd_key_str(&key), &piece) || piece.n > KD_PAYLOAD_MAX)
            return CO_NONE;
        memcpy(all + n, piece.p, piece.n);
        n += piece.n;
    }
    return (struct kd_str){ all, all ? n : 0 };
}

static struct kd_str co_shelf_read(struct co_work *work, const struct co_shelf *shelf, struct kd_str digest)
{
    struct co_count count;
    struct kd_parts list;
    if (!co_count_get(work, shelf, co_shelf_key(work, digest), &count))
        return CO_NONE;
    struct kd_str bytes = co_shelf_bytes(work, shelf, digest);
    if (count.form != CO_FORM_LIST)
        return bytes;
    return kd_json_decode(&kd_parts_shape, bytes, work->arena, &list, NULL) == KD_OK ? co_shelf_join(work, shelf, &list) : CO_NONE;
}

static void co_shelf_unname(struct co_work *work, const struct co_shelf *shelf, struct kd_str digest);

/** Unnames what the bytes of a list or document name. */
static void co_shelf_unname_inside(struct co_work *work, const struct co_shelf *shelf, struct kd_str digest, int form)
{
    struct kd_str bytes = co_shelf_bytes(work, shelf, digest);
    struct kd_parts list;
    struct kd_document document;
    if (form == CO_FORM_LIST && kd_json_decode(&kd_parts_shape, bytes, work->arena, &list, NULL) == KD_OK)
        for (size_t i = 0; i < list.parts.n; i++)
            co_shelf_unname(work, shelf, list.parts.v[i]);
    if (form == CO_FORM_DOCUMENT && kd_json_decode(&kd_document_shape, bytes, work->arena, &document, NULL) == KD_OK)
        for (size_t i = 0; i < document.apps.n; i++)
            for (size_t k = 0; k < document.apps.v[i].values.n; k++)
                co_shelf_unname(work, shelf, document.apps.v[i].values.v[k].digest);
}

static void co_shelf_delete(struct co_work *work, const struct co_shelf *shelf, struct kd_str digest, int form)
{
    struct kd_key key = co_shelf_key(work, digest);
    co_shelf_unname_inside(work, shelf, digest, form);
    (void)kd_txn_del(work->spec, shelf->bytes, kd_key_str(&key));
    (void)kd_txn_del(work->spec, shelf->count, kd_key_str(&key));
    if (shelf->published)
        co_outbox_put_object(work, (struct kd_str){ digest.p + 7, KD_DIGEST_HEX });
}

static void co_shelf_unname(struct co_work *work, const struct co_shelf *shelf, struct kd_str digest)
{
    struct co_count count;
    struct kd_key key = co_shelf_key(work, digest);
    if (!co_count_get(work, shelf, key, &count) || count.n == 0)
        return;
    count.n -= KD_PLANT(CLEARED_EARLY) ? count.n : 1;
    if (count.n == 0 && !shelf->published) {
        co_shelf_delete(work, shelf, digest, count.form);
        return;
    }
    if (count.n == 0) {
        count.due_ms = (uint64_t)(work->wall.unix_ms + (KD_PLANT(CLEARED_EARLY) ? 0 : co_options(work)->object_keep_us / 1000));
        struct kd_key due = co_due_key(count.due_ms, key);
        kd_txn_put(work->spec, CO_OBJECT_DUE, kd_key_str(&due), CO_NONE);
    }
    co_count_put(work, shelf, key, &count);
}

struct kd_ref co_content_add(struct co_work *work, struct kd_str bytes)
{
    return co_shelf_add(work, &co_content, bytes);
}

void co_content_drop(struct co_work *work, struct kd_str digest)
{
    co_shelf_unname(work, &co_content, digest);
}

void co_content_name(struct co_work *work, struct kd_str digest)
{
    (void)co_shelf_name(work, &co_content, digest);
}

struct kd_str co_content_read(struct co_work *work, struct kd_str digest)
{
    return co_shelf_read(work, &co_content, digest);
}

struct kd_ref co_object_add(struct co_work *work, struct kd_str bytes)
{
    return co_shelf_add(work, &co_objects, bytes);
}

void co_object_add_content(struct co_work *work, const struct kd_ref *ref)
{
    if (!co_shelf_name(work, &co_objects, ref->digest))
        (void)co_shelf_add(work, &co_objects, co_shelf_read(work, &co_content, ref->digest));
}

enum kd_code co_object_add_document(struct co_work *work, const struct kd_document *document, struct kd_ref *ret,
                                    struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_PAYLOAD_MAX);
    kd_json_encode(&kd_document_shape, document, &json);
    if (json.overflow)
        return kd_fail(err, KD_TOO_LARGE, 0,
                       "the package makes a deployment document of more than %d bytes: split it, or shorten its namespaces and "
                       "ignored resources",
                       KD_PAYLOAD_MAX);
    struct kd_str bytes = kd_arena_copy(work->arena, kd_buf_str(&json));
    struct kd_digest digest = kd_digest_of(bytes);
    struct kd_str name = kd_arena_copy(work->arena, kd_digest_str(&digest));
    if (!bytes.p || !name.p)
        return kd_fail(err, KD_TOO_LARGE, 0, "the deployment needs more memory than allowed");
    if (!co_shelf_name(work, &co_objects, name)) {
        for (size_t i = 0; i < document->apps.n; i++)
            for (size_t k = 0; k < document->apps.v[i].values.n; k++)
                co_object_add_content(work, &document->apps.v[i].values.v[k]);
        co_shelf_store(work, &co_objects, name, bytes, CO_FORM_DOCUMENT);
    }
    *ret = (struct kd_ref){ name, bytes.n };
    return KD_OK;
}

void co_object_name(struct co_work *work, struct kd_str digest)
{
    (void)co_shelf_name(work, &co_objects, digest);
}

void co_object_unname(struct co_work *work, struct kd_str digest)
{
    co_shelf_unname(work, &co_objects, digest);
}

/** Clears one object that is due: key is time/p/hex. */
static void co_object_clear(struct co_work *work, struct kd_str key)
{
    struct kd_str rest = { key.p + 17, key.n - 17 }, project = kd_str_cut(&rest, '/');
    struct kd_digest digest;
    struct co_count count;
    work->project = kd_arena_copy(work->arena, project);
    if (!kd_digest_parse_hex(rest, &digest))
        return;
    if (co_count_get(work, &co_objects, co_shelf_key(work, kd_digest_str(&digest)), &count) && count.n == 0)
        co_shelf_delete(work, &co_objects, kd_digest_str(&digest), count.form);
}

struct kd_wall co_objects_clear(struct co_work *work)
{
    struct kd_scan scan = kd_scan_prefix(CO_OBJECT_DUE, CO_NONE);
    uint64_t due_ms = 0;
    while (kd_scan_next(work->spec, &scan)) {
        if (!co_number_of(kd_key_str(&scan.key), &due_ms) || due_ms > (uint64_t)work->wall.unix_ms)
            return (struct kd_wall){ (int64_t)due_ms };
        (void)kd_txn_del(work->spec, CO_OBJECT_DUE, kd_key_str(&scan.key));
        co_object_clear(work, kd_key_str(&scan.key));
    }
    return (struct kd_wall){ INT64_MAX };
}
