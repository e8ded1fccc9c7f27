/** Filters and orders of lists. */
#include "coordinator/core/list.h"

#include "shared/base/own.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <strings.h>

static void co_cjson_freep(cJSON **json)
{
    cJSON_Delete(*json);
}

enum kd_code co_filter_read(struct kd_str text, struct co_filter *ret, struct kd_err *err)
{
    const struct kd_str or = KD_STR(" OR ");
    *ret = (struct co_filter){ .n = 0 };
    for (bool more = text.n > 0; more;) {
        ptrdiff_t at = kd_str_find(text, or);
        more = at >= 0;
        struct kd_str term = { text.p, at < 0 ? text.n : (size_t)at };
        text = at < 0 ? (struct kd_str){ NULL, 0 } : (struct kd_str){ text.p + at + or.n, text.n - (size_t)at - or.n };
        struct kd_str value = term, field = kd_str_trim(kd_str_cut(&value, '='));
        if (ret->n == CO_FILTER_TERMS || field.n == 0 || field.n == kd_str_trim(term).n)
            return kd_fail_field(err, KD_INVALID, "$.filter", "$.filter must be field=value, or at most %d of them joined by OR",
                                 CO_FILTER_TERMS);
        ret->term[ret->n].field = field;
        ret->term[ret->n++].value = kd_str_trim(value);
    }
    return KD_OK;
}

static const cJSON *co_member(const cJSON *object, struct kd_str name)
{
    const cJSON *item = object ? object->child : NULL;
    while (item && !kd_str_is(name, item->string))
        item = item->next;
    return item;
}

/** A member of the view, else of its status. */
static const cJSON *co_view_member(const cJSON *view, struct kd_str name)
{
    const cJSON *own = co_member(view, name);
    return own ? own : co_member(co_member(view, KD_STR("status")), name);
}

static bool co_starts_nocase(struct kd_str text, struct kd_str start)
{
    return text.n >= start.n && (start.n == 0 || strncasecmp(text.p, start.p, start.n) == 0);
}

/** True if the pieces of the pattern between its stars stand in the text, in order. */
static bool co_contains(struct kd_str text, struct kd_str pattern)
{
    while (pattern.n) {
        struct kd_str piece = kd_str_cut(&pattern, '*');
        while (text.n && !co_starts_nocase(text, piece))
            text = (struct kd_str){ text.p + 1, text.n - 1 };
        if (!co_starts_nocase(text, piece))
            return false;
        text = (struct kd_str){ text.p + piece.n, text.n - piece.n };
    }
    return true;
}

static struct kd_str co_text(const cJSON *item)
{
    return cJSON_IsString(item)  ? kd_str(item->valuestring)
           : cJSON_IsTrue(item)  ? KD_STR("true")
           : cJSON_IsFalse(item) ? KD_STR("false")
                                 : kd_str(NULL);
}

bool co_filter_matches(const struct co_filter *filter, struct kd_str view)
{
    KD_AUTO(co_cjson_freep) cJSON *json = filter->n ? cJSON_ParseWithLength(view.p, view.n) : NULL;
    for (size_t i = 0; i < filter->n; i++) {
        const cJSON *item = co_view_member(json, filter->term[i].field);
        if (item && co_contains(co_text(item), filter->term[i].value))
            return true;
    }
    return filter->n == 0;
}

enum kd_code co_order_read(struct kd_str text, struct kd_str *ret_field, bool *ret_descending, struct kd_err *err)
{
    struct kd_str rest = kd_str_trim(text), field = kd_str_cut(&rest, ' ');
    rest = kd_str_trim(rest);
    if (rest.n && !kd_str_is(rest, "asc") && !kd_str_is(rest, "desc"))
        return kd_fail_field(err, KD_INVALID, "$.orderBy", "$.orderBy must be a field, followed by asc or desc or nothing");
    *ret_field = field;
    *ret_descending = kd_str_is(rest, "desc");
    return KD_OK;
}

struct kd_str co_list_field(struct kd_str view, struct kd_str field, struct kd_arena *arena)
{
    KD_AUTO(co_cjson_freep) cJSON *json = cJSON_ParseWithLength(view.p, view.n);
    const cJSON *item = co_view_member(json, field);
    if (cJSON_IsNumber(item))
        return kd_arena_printf(arena, "%020.0f", item->valuedouble);
    return kd_arena_copy(arena, co_text(item));
}
