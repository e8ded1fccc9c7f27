/** Values of a deployment's applications. */
#include "coordinator/cli/sets.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "shared/base/buf.h"
#include "shared/base/own.h"
#include "shared/base/utf8.h"
#include "shared/model/name.h"

struct ct_app_values {
    struct ct_app_values *next;
    char app[KD_APP_NAME_MAX + 1];
    cJSON *values;
};

struct ct_sets {
    struct ct_app_values *first;
};

struct ct_sets *ct_sets_open(void)
{
    return calloc(1, sizeof(struct ct_sets));
}

struct ct_sets *ct_sets_close(struct ct_sets *sets)
{
    while (sets && sets->first) {
        struct ct_app_values *app = sets->first;
        sets->first = app->next;
        cJSON_Delete(app->values);
        free(app);
    }
    free(sets);
    return NULL;
}

void ct_sets_closep(struct ct_sets **sets)
{
    *sets = ct_sets_close(*sets);
}

/** The values of an application, made at its first use. NULL without memory. */
static struct ct_app_values *ct_app_of(struct ct_sets *sets, struct kd_str name)
{
    struct ct_app_values **at = &sets->first;
    while (*at && !kd_str_is(name, (*at)->app))
        at = &(*at)->next;
    if (*at)
        return *at;
    struct ct_app_values *app = calloc(1, sizeof(*app));
    if (app == NULL)
        return NULL;
    app->values = cJSON_CreateObject();
    if (app->values == NULL || !kd_str_copy(name, app->app, sizeof(app->app))) {
        cJSON_Delete(app->values);
        free(app);
        return NULL;
    }
    return *at = app;
}

/* ---- reading "app.key[0].other=value,…" ---- */

struct ct_step {
    char key[CT_SET_KEY_MAX + 1];
    int item; /* ≥ 0: an item of a list; -1: a key */
};

struct ct_reader {
    struct kd_str argument, rest;
    bool is_text;
    struct ct_step steps[CT_SET_DEPTH_MAX];
    size_t depth;
    struct kd_err *err;
};

static enum kd_code ct_set_bad(struct ct_reader *in, const char *what)
{
    return kd_fail(in->err, KD_INVALID, 0, "--set %.*s: %s; it must look like app.key=value, e.g. web.image.tag=v2",
                   KD_ARG(in->argument), what);
}

static char ct_peek(const struct ct_reader *in)
{
    return in->rest.n ? in->rest.p[0] : '\0';
}

static char ct_next(struct ct_reader *in)
{
    char c = ct_peek(in);
    if (in->rest.n)
        in->rest = (struct kd_str){ in->rest.p + 1, in->rest.n - 1 };
    return c;
}

/** Appends up to one of the `ends` (which stays); '\' takes the next character as it is. True if something was escaped. */
static bool ct_read_until(struct ct_reader *in, const char *ends, struct kd_buf *out)
{
    bool escaped = false;
    while (in->rest.n && strchr(ends, ct_peek(in)) == NULL) {
        char c = ct_next(in);
        if (c == '\\' && in->rest.n) {
            c = ct_next(in);
            escaped = true;
        }
        kd_buf_add_char(out, c);
    }
    return escaped;
}

static enum kd_code ct_read_key(struct ct_reader *in)
{
    KD_AUTO(kd_buf_clear) struct kd_buf key = KD_BUF(CT_SET_KEY_MAX);
    (void)ct_read_until(in, ".[=,", &key);
    if (key.overflow || key.n == 0)
        return ct_set_bad(in, key.overflow ? "a key is too long" : "a key is missing");
    if (in->depth == CT_SET_DEPTH_MAX)
        return ct_set_bad(in, "too many keys in each other");
    struct ct_step *step = &in->steps[in->depth++];
    step->item = -1;
    (void)kd_str_copy(kd_buf_str(&key), step->key, sizeof(step->key));
    return KD_OK;
}

static enum kd_code ct_read_item(struct ct_reader *in)
{
    uint64_t item = 0;
    (void)ct_next(in);
    struct kd_str rest = in->rest, digits = kd_str_cut(&rest, ']');
    if (digits.n == in->rest.n || !kd_str_u64(digits, &item) || item > CT_SET_ITEM_MAX)
        return ct_set_bad(in, "what stands in [ ] must be a number from 0 to 1023");
    if (in->depth == CT_SET_DEPTH_MAX)
        return ct_set_bad(in, "too many keys in each other");
    in->rest = rest;
    in->steps[in->depth++].item = (int)item;
    return KD_OK;
}

static enum kd_code ct_read_path(struct ct_reader *in)
{
    in->depth = 0;
    enum kd_code code = ct_read_key(in);
    while (code == KD_OK && in->rest.n && ct_peek(in) != '=' && ct_peek(in) != ',') {
        if (ct_peek(in) == '[') {
            code = ct_read_item(in);
            continue;
        }
        if (ct_next(in) != '.')
            return ct_set_bad(in, "after [n] there must be '.', '[' or '='");
        code = ct_read_key(in);
    }
    if (code == KD_OK && ct_peek(in) != '=')
        return ct_set_bad(in, "there is no '='");
    if (code == KD_OK)
        (void)ct_next(in);
    return code;
}

static bool ct_is_whole_number(struct kd_str text)
{
    struct kd_str digits = text;
    if (digits.n && digits.p[0] == '-')
        digits = (struct kd_str){ digits.p + 1, digits.n - 1 };
    uint64_t ignored = 0;
    return kd_str_u64(digits, &ignored) && (digits.n == 1 || digits.p[0] != '0'); /* 0123 stays a text */
}

/** A value as Helm types it. */
static cJSON *ct_typed_value(const char *text, bool is_text)
{
    struct kd_str s = kd_str(text);
    if (is_text)
        return cJSON_CreateString(text);
    if (kd_str_is(s, "true") || kd_str_is(s, "false"))
        return cJSON_CreateBool(text[0] == 't');
    if (kd_str_is(s, "null"))
        return cJSON_CreateNull();
    return ct_is_whole_number(s) ? cJSON_CreateNumber(strtod(text, NULL)) : cJSON_CreateString(text);
}

static cJSON *ct_read_scalar(struct ct_reader *in, const char *ends)
{
    KD_AUTO(kd_buf_clear) struct kd_buf value = KD_BUF(CT_SET_VALUE_MAX);
    bool escaped = ct_read_until(in, ends, &value);
    if (value.overflow)
        return NULL;
    return ct_typed_value(value.n ? value.p : "", in->is_text || escaped);
}

/** A list like {a,b}. */
static cJSON *ct_read_list(struct ct_reader *in)
{
    cJSON *list = cJSON_CreateArray();
    (void)ct_next(in);
    while (list && in->rest.n && ct_peek(in) != '}') {
        cJSON *item = ct_read_scalar(in, ",}");
        if (item == NULL || !cJSON_AddItemToArray(list, item)) {
            cJSON_Delete(item);
            break;
        }
        if (ct_peek(in) == ',')
            (void)ct_next(in);
    }
    if (list == NULL || ct_next(in) != '}') {
        cJSON_Delete(list);
        return NULL;
    }
    return list;
}

/* ---- writing into the tree ---- */

/** The child that a step leads to, made (as an empty object) where it is not there. NULL without memory. */
static cJSON *ct_child(cJSON *parent, const struct ct_step *step)
{
    if (step->item < 0) {
        cJSON *child = cJSON_GetObjectItemCaseSensitive(parent, step->key);
        return child ? child : cJSON_AddObjectToObject(parent, step->key);
    }
    for (int n = cJSON_GetArraySize(parent); n <= step->item; n++)
        if (!cJSON_AddItemToArray(parent, cJSON_CreateNull()))
            return NULL;
    return cJSON_GetArrayItem(parent, step->item);
}

static bool ct_replace(cJSON *parent, const struct ct_step *step, cJSON *value)
{
    if (step->item >= 0)
        return cJSON_ReplaceItemInArray(parent, step->item, value);
    return cJSON_ReplaceItemInObjectCaseSensitive(parent, step->key, value);
}

/** Walks to the end of the path; what stands in the way and is neither object nor list becomes one. Takes `value` over. */
static bool ct_put(cJSON *node, const struct ct_reader *in, cJSON *value)
{
    for (size_t i = 0; i < in->depth; i++) {
        cJSON *child = ct_child(node, &in->steps[i]);
        bool is_last = i + 1 == in->depth;
        bool wants_list = !is_last && in->steps[i + 1].item >= 0;
        bool fits = child && !is_last && (wants_list ? cJSON_IsArray(child) : cJSON_IsObject(child));
        if (child && !fits) {
            cJSON *other = is_last ? value : wants_list ? cJSON_CreateArray() : cJSON_CreateObject();
            if (other == NULL || !ct_replace(node, &in->steps[i], other)) {
                cJSON_Delete(other == value ? NULL : other);
                child = NULL;
            } else {
                child = other;
            }
        }
        if (child == NULL) {
            cJSON_Delete(value);
            return false;
        }
        node = child;
    }
    return true;
}

static enum kd_code ct_read_assignment(struct ct_sets *sets, struct ct_reader *in)
{
    struct kd_str rest = in->rest, name = kd_str_cut(&rest, '.');
    if (name.n == in->rest.n || !kd_is_app_name(name))
        return ct_set_bad(in, "it must begin with the name of an application and a '.'");
    in->rest = rest;
    enum kd_code code = ct_read_path(in);
    if (code != KD_OK)
        return code;
    cJSON *value = ct_peek(in) == '{' ? ct_read_list(in) : ct_read_scalar(in, ",");
    if (value == NULL)
        return ct_set_bad(in, "the value is too long, or a list is not closed");
    struct ct_app_values *app = ct_app_of(sets, name);
    if (app == NULL) {
        cJSON_Delete(value);
        return kd_fail(in->err, KD_INTERNAL, 0, "no memory");
    }
    return ct_put(app->values, in, value) ? KD_OK : kd_fail(in->err, KD_INTERNAL, 0, "no memory");
}

enum kd_code ct_sets_assign(struct ct_sets *sets, struct kd_str argument, bool is_text, struct kd_err *err)
{
    struct ct_reader in = { .argument = argument, .rest = argument, .is_text = is_text, .err = err };
    if (!kd_utf8_is_valid(argument) || (argument.n && memchr(argument.p, '\0', argument.n)))
        return ct_set_bad(&in, "it is not UTF-8 text");
    for (;;) {
        enum kd_code code = ct_read_assignment(sets, &in);
        if (code != KD_OK || in.rest.n == 0)
            return code;
        if (ct_next(&in) != ',')
            return ct_set_bad(&in, "after a list there must be ',' or the end");
    }
}

/* ---- laying over ---- */

static bool ct_merge(cJSON *into, const cJSON *over)
{
    const cJSON *member = NULL;
    cJSON_ArrayForEach(member, over)
    {
        cJSON *there = cJSON_GetObjectItemCaseSensitive(into, member->string);
        if (there && cJSON_IsObject(there) && cJSON_IsObject(member)) {
            if (!ct_merge(there, member))
                return false;
            continue;
        }
        cJSON *copy = cJSON_Duplicate(member, true);
        bool done = copy && (there ? cJSON_ReplaceItemInObjectCaseSensitive(into, member->string, copy)
                                   : cJSON_AddItemToObject(into, member->string, copy));
        if (!done) {
            cJSON_Delete(copy);
            return false;
        }
    }
    return true;
}

static void ct_jsonp(cJSON **json)
{
    cJSON_Delete(*json);
}

enum kd_code ct_sets_merge(struct ct_sets *sets, struct kd_str app, struct kd_str json, struct kd_err *err)
{
    if (!kd_is_app_name(app))
        return kd_fail(err, KD_INVALID, 0, "'%.*s' is not the name of an application", KD_ARG(app));
    KD_AUTO(ct_jsonp) cJSON *over = cJSON_ParseWithLength(json.p, json.n);
    if (!cJSON_IsObject(over))
        return kd_fail(err, KD_INVALID, 0, "the values of '%.*s' must be a map", KD_ARG(app));
    struct ct_app_values *values = ct_app_of(sets, app);
    if (values == NULL || !ct_merge(values->values, over))
        return kd_fail(err, KD_INTERNAL, 0, "no memory");
    return KD_OK;
}

bool ct_sets_get(const struct ct_sets *sets, size_t i, struct kd_arena *arena, struct kd_str *ret_app, struct kd_str *ret_json)
{
    const struct ct_app_values *app = sets->first;
    while (app && i--)
        app = app->next;
    if (app == NULL)
        return false;
    char *text = cJSON_PrintUnformatted(app->values);
    *ret_app = kd_str(app->app);
    *ret_json = text ? kd_arena_copy(arena, kd_str(text)) : (struct kd_str){ NULL, 0 };
    cJSON_free(text);
    return true;
}
