/** JSON to structs and back by tables. */
#include "shared/model/json.h"

#include "shared/base/own.h"
#include "shared/base/utf8.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define KD_JSON_EXACT 9007199254740991.0 /* 2^53 - 1: what a double carries exactly */

struct kd_json_reader {
    struct kd_arena *arena;
    struct kd_err *err;
    char path[KD_FIELD_MAX + 1];
};

static void kd_cjson_freep(cJSON **json)
{
    cJSON_Delete(*json);
}

static void kd_cjson_textp(char **text)
{
    cJSON_free(*text);
}

/** Appends to the path; returns its length before, to cut it again. */
static size_t kd_path_push(struct kd_json_reader *r, const char *name, int index)
{
    size_t n = strlen(r->path), left = sizeof r->path - 1 - n;
    if (!name) {
        (void)snprintf(r->path + n, left + 1, "[%d]", index);
        return n;
    }
    size_t length = strlen(name), kept = length < left ? length : left ? left - 1 : 0; /* for every member: no printf */
    if (left)
        r->path[n] = '.';
    memcpy(r->path + n + (left > 0), name, kept);
    r->path[n + (left > 0) + kept] = '\0';
    return n;
}

__attribute__((format(printf, 2, 3))) static enum kd_code kd_json_bad(struct kd_json_reader *r, const char *fmt, ...)
{
    char why[KD_STORY_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return kd_fail_field(r->err, KD_INVALID, r->path, "%s %s", r->path, why);
}

static enum kd_code kd_json_full(struct kd_json_reader *r)
{
    return kd_fail_field(r->err, KD_TOO_LARGE, r->path, "%s: the message needs more memory than allowed", r->path);
}

static size_t kd_field_max(const struct kd_json_field *f)
{
    return f->max ? f->max : KD_JSON_DEFAULT_MAX;
}

static enum kd_code kd_read_text(struct kd_json_reader *r, const struct kd_json_field *f, const cJSON *item, struct kd_str *ret)
{
    if (!cJSON_IsString(item))
        return kd_json_bad(r, "must be a text%s", cJSON_IsNumber(item) ? " (put it in quotes)" : "");
    struct kd_str text = kd_str(item->valuestring);
    if (text.n < f->min || text.n > kd_field_max(f))
        return kd_json_bad(r, "must have %zu to %zu bytes, it has %zu", f->min, kd_field_max(f), text.n);
    if (f->check && !f->check(text))
        return kd_json_bad(r, "is \"%.*s\", but %s", KD_ARG(kd_utf8_head(text, 80)), f->rule);
    *ret = kd_arena_copy(r->arena, text);
    return ret->p ? KD_OK : kd_json_full(r);
}

static enum kd_code kd_read_number(struct kd_json_reader *r, const struct kd_json_field *f, const cJSON *item, int64_t *ret)
{
    double least = f->kind == KD_JSON_COUNT ? (double)f->min : -KD_JSON_EXACT;
    double most = f->max ? (double)f->max : KD_JSON_EXACT;
    if (!cJSON_IsNumber(item) || item->valuedouble != floor(item->valuedouble) || item->valuedouble < least ||
        item->valuedouble > most)
        return kd_json_bad(r, "must be a whole number from %.0f to %.0f", least, most);
    *ret = (int64_t)item->valuedouble;
    return KD_OK;
}

static enum kd_code kd_read_word(struct kd_json_reader *r, const struct kd_json_field *f, const cJSON *item, int *ret)
{
    if (!cJSON_IsString(item))
        return kd_json_bad(r, "must be a text");
    for (int i = 0; i < f->word_count; i++)
        if (f->words[i] && strcmp(f->words[i], item->valuestring) == 0) {
            *ret = i;
            return KD_OK;
        }
    if (f->unknown < 0) {
        struct kd_buf words = KD_BUF(KD_STORY_MAX);
        for (int i = 0; i < f->word_count; i++)
            if (f->words[i] && f->words[i][0])
                kd_buf_printf(&words, "%s%s", words.n ? ", " : "", f->words[i]);
        enum kd_code code = kd_json_bad(r, "is \"%.80s\", but must be one of %.*s", item->valuestring, KD_ARG(kd_buf_str(&words)));
        kd_buf_clear(&words);
        return code;
    }
    *ret = f->unknown;
    return KD_OK;
}

static enum kd_code kd_read_raw(struct kd_json_reader *r, const cJSON *item, struct kd_str *ret)
{
    KD_AUTO(kd_cjson_textp) char *text = cJSON_PrintUnformatted(item);
    *ret = text ? kd_arena_copy(r->arena, kd_str(text)) : (struct kd_str){ NULL, 0 };
    return ret->p ? KD_OK : kd_json_full(r);
}

static enum kd_code kd_read_object(struct kd_json_reader *r, const struct kd_json_shape *shape, const cJSON *json, void *ret);

/** Checks the count of a list or object and allocates its items. */
static enum kd_code kd_read_count(struct kd_json_reader *r, const struct kd_json_field *f, const cJSON *item, size_t size,
                                  struct kd_list *ret)
{
    size_t n = (size_t)cJSON_GetArraySize(item);
    if (n < f->min || n > kd_field_max(f))
        return kd_json_bad(r, "must have %zu to %zu items, it has %zu", f->min, kd_field_max(f), n);
    *ret = (struct kd_list){ n ? kd_arena_alloc(r->arena, n * size) : NULL, n };
    return n && !ret->v ? kd_json_full(r) : KD_OK;
}

static enum kd_code kd_read_list(struct kd_json_reader *r, const struct kd_json_field *f, const cJSON *item, struct kd_list *ret)
{
    size_t size = f->kind == KD_JSON_LIST ? f->shape->size : sizeof(struct kd_str);
    if (!cJSON_IsArray(item))
        return kd_json_bad(r, "must be a list");
    enum kd_code code = kd_read_count(r, f, item, size, ret);
    const struct kd_json_field text = { .min = 1, .check = f->check, .rule = f->rule };
    int i = 0;
    for (const cJSON *one = item->child; one && code == KD_OK; one = one->next, i++) {
        size_t cut = kd_path_push(r, NULL, i);
        void *at = (char *)ret->v + (size_t)i * size;
        code = f->kind == KD_JSON_LIST ? kd_read_object(r, f->shape, one, at) : kd_read_text(r, &text, one, at);
        r->path[cut] = '\0';
    }
    return code;
}

static bool kd_pairs_have(const struct kd_pair *pairs, size_t n, struct kd_str key)
{
    for (size_t i = 0; i < n; i++)
        if (kd_str_eq(pairs[i].key, key))
            return true;
    return false;
}

static enum kd_code kd_read_pairs(struct kd_json_reader *r, const struct kd_json_field *f, const cJSON *item, struct kd_pairs *ret)
{
    struct kd_list list;
    if (!cJSON_IsObject(item))
        return kd_json_bad(r, "must be an object");
    enum kd_code code = kd_read_count(r, f, item, sizeof(struct kd_pair), &list);
    if (code != KD_OK)
        return code;
    *ret = (struct kd_pairs){ list.v, list.n };
    const struct kd_json_field text = { 0 };
    size_t i = 0;
    for (const cJSON *one = item->child; one && code == KD_OK; one = one->next, i++) {
        size_t cut = kd_path_push(r, one->string, 0);
        struct kd_str key = kd_str(one->string);
        if (f->check && !f->check(key))
            code = kd_json_bad(r, "%s", f->rule);
        if (code == KD_OK && kd_pairs_have(ret->v, i, key))
            code = kd_json_bad(r, "stands there twice");
        if (code == KD_OK)
            code = kd_read_text(r, &text, one, &ret->v[i].value);
        ret->v[i].key = kd_arena_copy(r->arena, key);
        if (code == KD_OK && !ret->v[i].key.p)
            code = kd_json_full(r);
        r->path[cut] = '\0';
    }
    return code;
}

static enum kd_code kd_read_ref(struct kd_json_reader *r, const struct kd_json_field *f, const cJSON *item, void **ret)
{
    *ret = kd_arena_alloc(r->arena, f->shape->size);
    return *ret ? kd_read_object(r, f->shape, item, *ret) : kd_json_full(r);
}

static enum kd_code kd_read_field(struct kd_json_reader *r, const struct kd_json_field *f, const cJSON *item, void *at)
{
    switch (f->kind) {
    case KD_JSON_TEXT:
        return kd_read_text(r, f, item, at);
    case KD_JSON_COUNT:
    case KD_JSON_NUMBER:
        return kd_read_number(r, f, item, at);
    case KD_JSON_FLAG:
        if (!cJSON_IsBool(item))
            return kd_json_bad(r, "must be true or false");
        *(bool *)at = cJSON_IsTrue(item);
        return KD_OK;
    case KD_JSON_WORD:
        return kd_read_word(r, f, item, at);
    case KD_JSON_OBJECT:
        return kd_read_object(r, f->shape, item, at);
    case KD_JSON_REF:
        return kd_read_ref(r, f, item, at);
    case KD_JSON_LIST:
    case KD_JSON_TEXTS:
        return kd_read_list(r, f, item, at);
    case KD_JSON_PAIRS:
        return kd_read_pairs(r, f, item, at);
    case KD_JSON_RAW:
        return kd_read_raw(r, item, at);
    }
    return KD_INTERNAL;
}

static bool kd_is_beside(const struct kd_json_shape *shape, const char *name)
{
    for (const char *const *one = shape->beside; one && *one; one++)
        if (strcmp(*one, name) == 0)
            return true;
    return false;
}

/** The row of a member, or NULL. What we wrote ourselves has its members in the order of the rows: look behind the last one first. */
static const struct kd_json_field *kd_field_of(const struct kd_json_shape *shape, const char *name, size_t *last)
{
    for (size_t i = 0; i < shape->count; i++) {
        size_t at = *last + i < shape->count ? *last + i : *last + i - shape->count;
        if (strcmp(shape->fields[at].name, name) == 0) {
            *last = at;
            return &shape->fields[at];
        }
    }
    return NULL;
}

static enum kd_code kd_read_member(struct kd_json_reader *r, const struct kd_json_shape *shape, const cJSON *item, uint64_t *seen,
                                   size_t *last, void *ret)
{
    const struct kd_json_field *f = kd_field_of(shape, item->string, last);
    size_t cut = kd_path_push(r, item->string, 0);
    enum kd_code code = KD_OK;
    if (!f) {
        if (shape->strict && !kd_is_beside(shape, item->string))
            code = kd_json_bad(r, "is not a member of %s", shape->what);
    } else if (*seen & UINT64_C(1) << (f - shape->fields)) {
        code = kd_json_bad(r, "stands there twice");
    } else if (!cJSON_IsNull(item) || f->kind == KD_JSON_RAW) {
        *seen |= UINT64_C(1) << (f - shape->fields);
        code = kd_read_field(r, f, item, (char *)ret + f->at);
    }
    r->path[cut] = '\0';
    return code;
}

static enum kd_code kd_read_object(struct kd_json_reader *r, const struct kd_json_shape *shape, const cJSON *json, void *ret)
{
    uint64_t seen = 0;
    size_t last = 0;
    if (!cJSON_IsObject(json))
        return kd_json_bad(r, "must be an object (%s)", shape->what);
    memset(ret, 0, shape->size);
    for (const cJSON *item = json->child; item; item = item->next) {
        enum kd_code code = kd_read_member(r, shape, item, &seen, &last, ret);
        if (code != KD_OK)
            return code;
    }
    for (size_t i = 0; i < shape->count; i++)
        if (shape->fields[i].required && !(seen & UINT64_C(1) << i)) {
            (void)kd_path_push(r, shape->fields[i].name, 0);
            return kd_json_bad(r, "is missing");
        }
    return KD_OK;
}

/** What cJSON lets pass inside texts: control characters, and NUL, at which its text would end. NULL if there is nothing of it. */
static const char *kd_json_scan(struct kd_str json)
{
    bool inside = false;
    for (size_t i = 0; i < json.n; i++) {
        if (inside && (unsigned char)json.p[i] < 0x20)
            return "has a control character in a text";
        if (inside && json.p[i] == '\\') {
            if (kd_str_starts((struct kd_str){ json.p + i, json.n - i }, KD_STR("\\u0000")))
                return "contains a NUL character";
            i++;
        } else if (json.p[i] == '"') {
            inside = !inside;
        }
    }
    return NULL;
}

/** Parses one whole JSON value; bytes behind it, malformed UTF-8 and NUL characters are errors. */
static enum kd_code kd_json_parse(struct kd_str json, const char *path, cJSON **ret, struct kd_err *err)
{
    const char *end = NULL;
    if (!kd_utf8_is_valid(json))
        return kd_fail_field(err, KD_INVALID, path, "%s is not valid UTF-8", path);
    const char *why = kd_json_scan(json);
    if (why)
        return kd_fail_field(err, KD_INVALID, path, "%s %s", path, why);
    *ret = cJSON_ParseWithLengthOpts(json.p ? json.p : "", json.n, &end, false);
    if (!*ret)
        return kd_fail_field(err, KD_INVALID, path, "%s is not valid JSON (near byte %td)", path, end && json.p ? end - json.p : 0);
    if (kd_str_trim((struct kd_str){ end, (size_t)(json.p + json.n - end) }).n)
        return kd_fail_field(err, KD_INVALID, path, "%s has bytes behind its end (byte %td)", path, end - json.p);
    return KD_OK;
}

enum kd_code kd_json_decode(const struct kd_json_shape *shape, struct kd_str json, struct kd_arena *arena, void *ret,
                            struct kd_err *err)
{
    KD_AUTO(kd_cjson_freep) cJSON *tree = NULL;
    struct kd_json_reader reader = { .arena = arena, .err = err, .path = "$" };
    enum kd_code code = kd_json_parse(json, "$", &tree, err);
    return code == KD_OK ? kd_read_object(&reader, shape, tree, ret) : code;
}

enum kd_code kd_json_compact(struct kd_str json, const char *path, struct kd_buf *out, struct kd_err *err)
{
    KD_AUTO(kd_cjson_freep) cJSON *tree = NULL;
    enum kd_code code = kd_json_parse(json, path, &tree, err);
    if (code != KD_OK)
        return code;
    KD_AUTO(kd_cjson_textp) char *text = cJSON_PrintUnformatted(tree);
    if (!text)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    kd_buf_add(out, kd_str(text));
    return KD_OK;
}

static bool kd_is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

/** One character that does not stand for itself. */
static void kd_json_add_escape(struct kd_buf *out, unsigned char c)
{
    static const char short_form[] = "btn?fr"; /* \b \t \n (\v has none) \f \r are 8 to 13 */
    if (c == '"' || c == '\\')
        kd_buf_printf(out, "\\%c", c);
    else if (c >= 8 && c <= 13 && c != 11)
        kd_buf_printf(out, "\\%c", short_form[c - 8]);
    else
        kd_buf_printf(out, "\\u%04x", c);
}

/** Well-formed text: as it is in one piece up to the next character that is escaped. */
static void kd_json_add_valid(struct kd_buf *out, struct kd_str text)
{
    while (text.n) {
        size_t n = 0;
        while (n < text.n && kd_is_plain((unsigned char)text.p[n]))
            n++;
        kd_buf_add(out, (struct kd_str){ text.p, n });
        if (n < text.n)
            kd_json_add_escape(out, (unsigned char)text.p[n++]);
        text = (struct kd_str){ text.p + n, text.n - n };
    }
}

void kd_json_add_text(struct kd_buf *out, struct kd_str text)
{
    kd_buf_add_char(out, '"');
    while (text.n) {
        size_t n = kd_utf8_valid_head(text);
        kd_json_add_valid(out, (struct kd_str){ text.p, n });
        if (n < text.n) {
            kd_buf_add_char(out, '?');
            n++;
        }
        text = (struct kd_str){ text.p + n, text.n - n };
    }
    kd_buf_add_char(out, '"');
}

static bool kd_field_is_empty(const struct kd_json_field *f, const void *at)
{
    switch (f->kind) {
    case KD_JSON_TEXT:
    case KD_JSON_RAW:
        return ((const struct kd_str *)at)->n == 0;
    case KD_JSON_COUNT:
    case KD_JSON_NUMBER:
        return *(const int64_t *)at == 0;
    case KD_JSON_FLAG:
        return !*(const bool *)at;
    case KD_JSON_WORD:
        return *(const int *)at == 0;
    case KD_JSON_OBJECT:
        return false;
    case KD_JSON_REF:
        return *(void *const *)at == NULL;
    case KD_JSON_LIST:
    case KD_JSON_TEXTS:
    case KD_JSON_PAIRS:
        return ((const struct kd_list *)at)->n == 0;
    }
    return true;
}

static void kd_write_list(const struct kd_json_field *f, const struct kd_list *list, struct kd_buf *out)
{
    kd_buf_add_char(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            kd_buf_add_char(out, ',');
        if (f->kind == KD_JSON_LIST)
            kd_json_encode(f->shape, (const char *)list->v + i * f->shape->size, out);
        else
            kd_json_add_text(out, ((const struct kd_str *)list->v)[i]);
    }
    kd_buf_add_char(out, ']');
}

static void kd_write_pairs(const struct kd_pairs *pairs, struct kd_buf *out)
{
    kd_buf_add_char(out, '{');
    for (size_t i = 0; i < pairs->n; i++) {
        if (i)
            kd_buf_add_char(out, ',');
        kd_json_add_text(out, pairs->v[i].key);
        kd_buf_add_char(out, ':');
        kd_json_add_text(out, pairs->v[i].value);
    }
    kd_buf_add_char(out, '}');
}

static void kd_write_raw(struct kd_str raw, struct kd_buf *out)
{
    kd_buf_add(out, raw.n ? raw : KD_STR("null"));
}

static void kd_write_field(const struct kd_json_field *f, const void *at, struct kd_buf *out)
{
    switch (f->kind) {
    case KD_JSON_TEXT:
        kd_json_add_text(out, *(const struct kd_str *)at);
        break;
    case KD_JSON_COUNT:
    case KD_JSON_NUMBER:
        kd_buf_printf(out, "%" PRId64, *(const int64_t *)at);
        break;
    case KD_JSON_FLAG:
        kd_buf_add(out, *(const bool *)at ? KD_STR("true") : KD_STR("false"));
        break;
    case KD_JSON_WORD:
        kd_json_add_text(out, kd_str(f->words[*(const int *)at]));
        break;
    case KD_JSON_OBJECT:
        kd_json_encode(f->shape, at, out);
        break;
    case KD_JSON_REF:
        kd_json_encode(f->shape, *(void *const *)at, out);
        break;
    case KD_JSON_LIST:
    case KD_JSON_TEXTS:
        kd_write_list(f, at, out);
        break;
    case KD_JSON_PAIRS:
        kd_write_pairs(at, out);
        break;
    case KD_JSON_RAW:
        kd_write_raw(*(const struct kd_str *)at, out);
        break;
    }
}

void kd_json_encode(const struct kd_json_shape *shape, const void *value, struct kd_buf *out)
{
    bool first = true;
    kd_buf_add_char(out, '{');
    for (size_t i = 0; i < shape->count; i++) {
        const struct kd_json_field *f = &shape->fields[i];
        const void *at = (const char *)value + f->at;
        if (f->only_read || (!f->required && kd_field_is_empty(f, at)))
            continue;
        if (!first)
            kd_buf_add_char(out, ',');
        first = false;
        kd_json_add_text(out, kd_str(f->name));
        kd_buf_add_char(out, ':');
        kd_write_field(f, at, out);
    }
    kd_buf_add_char(out, '}');
}
