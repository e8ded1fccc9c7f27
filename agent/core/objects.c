/** Objects: which are needed, which are here, which are missing. What nothing names any more is dropped by a sweep. */
#include "agent/core/state.h"

#include "shared/base/own.h"

enum { AG_MISSING_AFTER_S = 5 /* seconds: what is on its way already is not asked for */ };

static size_t ag_bucket(const struct kd_digest *digest)
{
    return ag_content((struct kd_str){ digest->text + 7, 8 }) % AG_OBJECT_BUCKETS;
}

static struct ag_object *ag_object_of(const struct ag_core *core, const struct kd_digest *digest, bool blob)
{
    struct ag_object *object = core->objects[ag_bucket(digest)];
    while (object && (object->blob != blob || !ag_digest_eq(&object->digest, digest)))
        object = object->next;
    return object;
}

static struct ag_object *ag_object_add(struct ag_core *core, const struct kd_digest *digest, bool blob)
{
    struct ag_object *object = calloc(1, sizeof *object);
    if (!object)
        return NULL;
    struct ag_object **bucket = &core->objects[ag_bucket(digest)];
    object->digest = *digest;
    object->blob = blob;
    object->texts = (struct kd_arena)KD_ARENA(AG_DECODE_BYTES);
    object->next = *bucket;
    *bucket = object;
    core->lacking++;
    return object;
}

static void ag_object_free(struct ag_object *object)
{
    free((void *)object->bytes.p);
    free(object->parts.v);
    free(object->values.v);
    kd_arena_clear(&object->texts);
    free(object);
}

void ag_objects_clear(struct ag_core *core)
{
    for (size_t i = 0; i < AG_OBJECT_BUCKETS; i++)
        while (core->objects[i]) {
            struct ag_object *next = core->objects[i]->next;
            ag_object_free(core->objects[i]);
            core->objects[i] = next;
        }
}

/** Takes the bytes of an object that was lacking. False when out of memory. */
static bool ag_object_take(struct ag_core *core, struct ag_object *object, struct kd_str bytes)
{
    if (!object->blob)
        object->bytes = ag_own(bytes);
    if (!object->blob && !object->bytes.p)
        return false;
    object->have = true;
    core->lacking--;
    return true;
}

enum kd_code ag_object_load(struct ag_core *core, bool blob, struct kd_str key, struct kd_str value, struct kd_err *err)
{
    struct kd_digest digest, real = kd_digest_of(value);
    if (!kd_digest_parse_hex(key, &digest) || !ag_digest_eq(&digest, &real))
        return kd_fail(err, KD_INVALID, 0, "an object is damaged");
    if (ag_object_of(core, &digest, blob))
        return KD_OK;
    struct ag_object *object = ag_object_add(core, &digest, blob);
    return object && ag_object_take(core, object, value) ? KD_OK : kd_fail(err, KD_INTERNAL, 0, "out of memory");
}

/* ---- what an object names ---- */

static void ag_refs_add(struct ag_object *object, struct ag_refs *refs, struct kd_ref ref)
{
    struct kd_ref *grown = realloc(refs->v, (refs->n + 1) * sizeof *grown);
    if (!grown)
        return;
    refs->v = grown;
    grown[refs->n] = (struct kd_ref){ kd_arena_copy(&object->texts, ref.digest), ref.size };
    refs->n += grown[refs->n].digest.p != NULL;
}

/** The parts of a list, once; what is no list has none. */
static void ag_parts_read(struct ag_object *object)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    struct kd_parts list;
    if (object->read || !object->have)
        return;
    object->read = true;
    if (kd_json_decode(&kd_parts_shape, object->bytes, &arena, &list, NULL) != KD_OK)
        return;
    for (size_t i = 0; i < list.parts.n; i++)
        ag_refs_add(object, &object->parts, (struct kd_ref){ list.parts.v[i], 0 });
}

/** Notes that an object is needed, and returns it, here or not. NULL: not a digest, or out of memory. */
static struct ag_object *ag_need(struct ag_core *core, struct kd_str text, bool blob)
{
    struct kd_digest digest;
    if (!kd_digest_parse(text, &digest))
        return NULL;
    struct ag_object *object = ag_object_of(core, &digest, blob);
    if (!object) {
        object = ag_object_add(core, &digest, blob);
        core->sweeps = true;
    }
    if (object)
        object->mark = core->sweep;
    return object;
}

/** True if all parts are here. */
static bool ag_need_parts(struct ag_core *core, struct ag_object *list, bool blob)
{
    bool whole = true;
    ag_parts_read(list);
    for (size_t i = 0; i < list->parts.n; i++) {
        const struct ag_object *part = ag_need(core, list->parts.v[i].digest, blob);
        whole = part && part->have && whole;
    }
    return whole;
}

/** Above the limit the digest names a list. */
static bool ag_need_value(struct ag_core *core, const struct kd_ref *value)
{
    bool is_list = value->size > KD_PAYLOAD_MAX;
    struct ag_object *object = ag_need(core, value->digest, !is_list);
    if (!object || !object->have)
        return false;
    return !is_list || (ag_need_parts(core, object, true) && object->parts.n > 0);
}

/** The bytes of a document that is here: those of the object, or of all parts of the list. */
static enum kd_code ag_document_bytes(const struct ag_core *core, struct ag_object *object, struct kd_buf *out, struct kd_err *err)
{
    ag_parts_read(object);
    if (object->parts.n == 0)
        kd_buf_add(out, object->bytes);
    for (size_t i = 0; i < object->parts.n; i++) {
        struct kd_digest digest = { "" };
        (void)kd_digest_parse(object->parts.v[i].digest, &digest);
        const struct ag_object *part = ag_object_of(core, &digest, false);
        if (!part || !part->have)
            return kd_fail(err, KD_NOT_FOUND, 0, "a part of the deployment document is missing");
        kd_buf_add(out, part->bytes);
    }
    return out->overflow ? kd_fail(err, KD_TOO_LARGE, 0, "the deployment document is too large") : KD_OK;
}

static enum kd_code ag_document_decode(const struct ag_core *core, struct ag_object *object, struct kd_arena *arena,
                                       struct kd_document *ret, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf bytes = KD_BUF(AG_DECODE_BYTES);
    enum kd_code code = ag_document_bytes(core, object, &bytes, err);
    return code == KD_OK ? kd_json_decode(&kd_document_shape, kd_buf_str(&bytes), arena, ret, err) : code;
}

enum kd_code ag_document_read(struct ag_core *core, const struct kd_digest *digest, struct kd_arena *arena, struct kd_document *ret,
                              struct kd_err *err)
{
    struct ag_object *object = ag_object_of(core, digest, false);
    if (!object || !object->have)
        return kd_fail(err, KD_NOT_FOUND, 0, "the deployment document is missing");
    return ag_document_decode(core, object, arena, ret, err);
}

/** The values that a document names, once. A document that cannot be read names none; who uses it finds out why. */
static void ag_values_read(const struct ag_core *core, struct ag_object *object)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    struct kd_document document;
    if (object->opened)
        return;
    object->opened = true;
    if (ag_document_decode(core, object, &arena, &document, NULL) != KD_OK)
        return;
    for (size_t a = 0; a < document.apps.n; a++)
        for (size_t v = 0; v < document.apps.v[a].values.n; v++)
            ag_refs_add(object, &object->values, document.apps.v[a].values.v[v]);
}

bool ag_document_is_whole(struct ag_core *core, const struct kd_digest *digest)
{
    struct ag_object *object = ag_need(core, kd_digest_str(digest), false);
    if (!object || !object->have || !ag_need_parts(core, object, false))
        return false;
    ag_values_read(core, object);
    bool whole = true;
    for (size_t i = 0; i < object->values.n; i++)
        whole = ag_need_value(core, &object->values.v[i]) && whole;
    return whole;
}

/** A digest without its "sha256:". */
static struct kd_str ag_hex(struct kd_str digest)
{
    return (struct kd_str){ digest.p + 7, KD_DIGEST_HEX };
}

struct kd_strs ag_value_blobs(struct ag_core *core, const struct kd_ref *value)
{
    struct kd_digest digest;
    const struct ag_object *list = NULL;
    if (value->size > KD_PAYLOAD_MAX && kd_digest_parse(value->digest, &digest))
        list = ag_object_of(core, &digest, false);
    struct kd_strs blobs = { kd_arena_alloc(&core->step, ((list ? list->parts.n : 0) + 1) * sizeof *blobs.v), 0 };
    if (!blobs.v)
        return blobs;
    for (size_t i = 0; list && i < list->parts.n; i++)
        blobs.v[blobs.n++] = kd_arena_copy(&core->step, ag_hex(list->parts.v[i].digest));
    if (!list)
        blobs.v[blobs.n++] = kd_arena_copy(&core->step, ag_hex(value->digest));
    return blobs;
}

/* ---- the sweep ---- */

/** Marks everything that a unit is, was or shall be made of. */
static void ag_unit_needs(struct ag_core *core, const struct ag_unit *unit)
{
    if (unit->wanted && !unit->removal && unit->phase != AG_PHASE_HELD)
        (void)ag_document_is_whole(core, &unit->want);
    for (size_t i = 0; i < unit->app_count; i++)
        if (unit->apps[i]->touched && unit->apps[i]->document.text[0])
            (void)ag_document_is_whole(core, &unit->apps[i]->document);
}

static void ag_object_drop(struct ag_core *core, struct ag_object *object)
{
    struct kd_str hex = kd_digest_hex(&object->digest);
    if (object->have)
        ag_row_add(core, object->blob ? AG_TABLE_BLOB : AG_TABLE_DOCUMENT, hex, (struct kd_str){ NULL, 0 });
    else
        core->lacking--;
    if (object->asked && core->connected)
        ag_wish_add(core, AG_UNSUBSCRIBE)->digest = kd_arena_copy(&core->step, hex);
    ag_object_free(object);
}

static void ag_object_ask(struct ag_core *core, struct ag_object *object)
{
    if (object->have || object->asked || !core->connected)
        return;
    object->asked = true;
    object->since = core->now;
    ag_wish_add(core, AG_SUBSCRIBE)->digest = kd_arena_copy(&core->step, kd_digest_hex(&object->digest));
}

void ag_objects_sweep(struct ag_core *core)
{
    core->sweep++;
    for (size_t i = 0; i < core->unit_count; i++)
        ag_unit_needs(core, core->units[i]);
    core->sweeps = false;
    for (size_t i = 0; i < AG_OBJECT_BUCKETS; i++)
        for (struct ag_object **at = &core->objects[i]; *at;) {
            struct ag_object *object = *at;
            if (object->mark == core->sweep) {
                ag_object_ask(core, object);
                at = &object->next;
            } else {
                *at = object->next;
                ag_object_drop(core, object);
                ag_hello_changed(core);
            }
        }
}

void ag_objects_unasked(struct ag_core *core)
{
    for (size_t i = 0; i < AG_OBJECT_BUCKETS; i++)
        for (struct ag_object *object = core->objects[i]; object; object = object->next)
            object->asked = false;
    core->sweeps = true;
}

/* ---- arriving ---- */

/** Stores the bytes for one use of them. True if they were wanted for it. */
static bool ag_object_arrive(struct ag_core *core, const struct kd_digest *digest, bool blob, struct kd_str bytes)
{
    struct ag_object *object = ag_object_of(core, digest, blob);
    if (!object || object->have || !ag_object_take(core, object, bytes))
        return false;
    struct kd_str hex = kd_digest_hex(digest);
    ag_row_add(core, blob ? AG_TABLE_BLOB : AG_TABLE_DOCUMENT, hex, kd_arena_copy(&core->step, bytes));
    if (object->asked)
        ag_wish_add(core, AG_UNSUBSCRIBE)->digest = kd_arena_copy(&core->step, hex);
    object->asked = false;
    return true;
}

void ag_on_object(struct ag_core *core, const struct ag_event *event)
{
    struct kd_digest digest, real = kd_digest_of(event->payload);
    if (event->payload.n == 0 || !kd_digest_parse_hex(event->text, &digest))
        return;
    if (!ag_digest_eq(&digest, &real)) {
        ag_log(core, AG_LEVEL_WARNING, "object.damaged", "digest=%s", digest.text);
        return;
    }
    bool document = ag_object_arrive(core, &digest, false, event->payload);
    bool blob = ag_object_arrive(core, &digest, true, event->payload);
    if (!document && !blob)
        return;
    core->sweeps = true;
    for (size_t i = 0; i < core->unit_count; i++) {
        struct ag_unit *unit = core->units[i];
        unit->dirty |= unit->phase == AG_PHASE_MISSING && ag_document_is_whole(core, &unit->want);
    }
    ag_hello_changed(core);
}

/* ---- what is missing ---- */

static int ag_str_order(const void *a, const void *b)
{
    return kd_str_cmp(*(const struct kd_str *)a, *(const struct kd_str *)b);
}

struct kd_strs ag_objects_missing(struct ag_core *core, struct kd_arena *arena, size_t max)
{
    struct kd_strs missing = { NULL, 0 };
    if (core->lacking && core->connected)
        missing.v = kd_arena_alloc(arena, (core->lacking + 1) * sizeof *missing.v);
    for (size_t i = 0; missing.v && i < AG_OBJECT_BUCKETS; i++)
        for (const struct ag_object *object = core->objects[i]; object; object = object->next) {
            struct kd_mono at = { object->since.us + AG_MISSING_AFTER_S * KD_US_PER_S };
            if (object->have || !object->asked)
                continue;
            if (ag_is_due(core, at))
                missing.v[missing.n++] = kd_digest_str(&object->digest);
            else
                ag_wake_by(core, at);
        }
    if (missing.n)
        qsort(missing.v, missing.n, sizeof *missing.v, ag_str_order);
    missing.n = missing.n < max ? missing.n : max;
    return missing;
}
