/** kedge get, kedge describe. */
#include "coordinator/cli/documents.h"
#include "coordinator/cli/labels.h"
#include "coordinator/cli/runs.h"
#include "coordinator/cli/show.h"
#include "coordinator/cli/status.h"
#include "coordinator/cli/watch.h"
#include "shared/base/own.h"
#include "shared/model/yaml.h"
#include "shared/os/clock.h"

/** What was asked for: KIND, KIND NAME or KIND/NAME. */
struct ct_asked {
    const struct ct_kind *kind;
    struct ct_name name; /* empty: all */
    enum ct_format format;
    struct kd_str body; /* of a list request */
};

static enum kd_code ct_labels_body(struct ct_call *call, const struct ct_kind *kind, struct kd_str *ret, struct kd_err *err)
{
    struct kd_pairs labels = { 0 };
    *ret = KD_STR("{}");
    if (!ct_given(call, CT_FLAG_SELECTOR))
        return KD_OK;
    if (!kd_str_is(KD_STR("cluster"), kind->name))
        return kd_fail(err, KD_INVALID, 0, "only clusters have labels: -l does not go with %s", kind->plural);
    if (call->args.values[CT_FLAG_SELECTOR].n > 1)
        return kd_fail(err, KD_INVALID, 0, "give -l once, with commas between the labels");
    enum kd_code code = ct_labels_parse(ct_text(call, CT_FLAG_SELECTOR), call->arena, &labels, err);
    if (code != KD_OK)
        return code;
    *ret = kd_arena_printf(call->arena, "{\"labels\":%s}", ct_object(call->arena, labels.v, labels.n).p);
    return KD_OK;
}

static enum kd_code ct_asked_parse(struct ct_call *call, struct ct_asked *ret, struct kd_err *err)
{
    struct kd_str name = ct_word(call, 0), word = kd_str_cut(&name, '/');
    if (name.n && ct_word(call, 1).n)
        return kd_fail(err, KD_INVALID, 0, "give the name once: KIND NAME or KIND/NAME");
    if (name.n == 0)
        name = ct_word(call, 1);
    *ret = (struct ct_asked){ .body = KD_STR("{}") };
    enum kd_code code = ct_kind_parse(word, &ret->kind, err);
    code = code ? code : ct_format(call, &ret->format, err);
    if (code == KD_OK && name.n)
        code = ct_name_parse(ret->kind, name, false, &ret->name, err);
    return code ? code : ct_labels_body(call, ret->kind, &ret->body, err);
}

/** A list request can only ask for parts of names: what is wanted exactly is picked here. */
static void ct_pick(struct ct_views *views, struct kd_str name)
{
    size_t kept = 0;
    for (size_t i = 0; i < views->n; i++) {
        if (!kd_str_eq(views->v[i].name, name))
            continue;
        views->v[kept] = views->v[i];
        views->json[kept++] = views->json[i];
    }
    views->n = kept;
}

static enum kd_code ct_get_orphans(struct ct_call *call, const struct ct_asked *asked, struct ct_views *ret, struct kd_err *err)
{
    const struct kd_pair members[] = { { KD_STR("name"), asked->name.name } };
    return ct_list(call, "cluster", "orphans", ct_object(call->arena, members, 1), call->arena, ret, err);
}

/** Sets *ret_is_list to false where exactly one thing was named. */
static enum kd_code ct_get_views(struct ct_call *call, const struct ct_asked *asked, struct ct_views *ret, bool *ret_is_list,
                                 struct kd_err *err)
{
    *ret_is_list = true;
    if (asked->kind->is_listed_only)
        return ct_get_orphans(call, asked, ret, err);
    if (asked->name.name.n && (!asked->kind->is_versioned || asked->name.version.n)) {
        struct ct_thing *thing = KD_NEW(call->arena, struct ct_thing);
        *ret_is_list = false;
        *ret = (struct ct_views){ .v = &thing->view, .json = &thing->json, .n = 1 };
        return ct_get(call, asked->kind, &asked->name, call->arena, thing, err);
    }
    enum kd_code code = ct_list(call, asked->kind->name, "list", asked->body, call->arena, ret, err);
    if (code == KD_OK && asked->name.name.n) {
        ct_pick(ret, asked->name.name);
        if (ret->n == 0)
            return kd_fail(err, KD_NOT_FOUND, 0, "there is no %s '%.*s'", asked->kind->name, KD_ARG(asked->name.name));
    }
    return code;
}

enum ct_exit ct_run_get(struct ct_call *call)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(CT_OUTPUT_MAX);
    struct ct_asked asked;
    struct ct_views views;
    struct kd_err err = { 0 };
    bool is_list = true;
    if (ct_asked_parse(call, &asked, &err) != KD_OK)
        return ct_usage(call, &err);
    if (ct_given(call, CT_FLAG_WATCH) && asked.kind->is_listed_only) {
        (void)kd_fail(&err, KD_INVALID, 0, "%s cannot be watched", asked.kind->plural);
        return ct_usage(call, &err);
    }
    if (ct_given(call, CT_FLAG_WATCH))
        return ct_watch(call, asked.kind, &asked.name, asked.body);
    enum kd_code code = ct_get_views(call, &asked, &views, &is_list, &err);
    code = code ? code : ct_show(call, asked.kind, &views, asked.format, is_list, views.n > 0, call->arena, &out, &err);
    if (code != KD_OK)
        return ct_fail(call, &err);
    bool is_table = asked.format == CT_FORMAT_TABLE || asked.format == CT_FORMAT_WIDE;
    if (views.n == 0 && is_table)
        kd_buf_printf(&out, "there are no %s\n", asked.kind->plural);
    return ct_print(call, &out);
}

/* ---- describe ---- */

/** "Last seen:     3m ago" from the columns of the wide table. */
static void ct_describe_head(const struct ct_kind *kind, const struct ct_view *view, struct kd_arena *arena, struct kd_buf *out)
{
    struct ct_cell cells[CT_COLUMNS_MAX] = { { { NULL, 0 }, CT_PLAIN } };
    kind->fill(view, kd_wall_now(), arena, cells);
    for (size_t i = 0; i < kind->wide_columns; i++) {
        if (cells[i].text.n == 0)
            continue;
        struct kd_str header = kd_str(kind->headers[i]);
        for (size_t j = 0; j < header.n; j++)
            kd_buf_add_char(out, (char)(j ? header.p[j] | (header.p[j] >= 'A' && header.p[j] <= 'Z' ? 0x20 : 0) : header.p[j]));
        kd_buf_printf(out, ":%*s", (int)(14 > header.n ? 14 - header.n : 1), "");
        ct_add_visible(out, cells[i].text);
        kd_buf_add_char(out, '\n');
    }
}

static enum kd_code ct_describe_more(struct ct_call *call, const struct ct_asked *asked, struct kd_buf *out, struct kd_err *err)
{
    if (kd_str_is(KD_STR("deployment"), asked->kind->name)) {
        struct ct_progress progress = { 0 };
        enum kd_code code = ct_progress_get(call, asked->name.name, call->arena, &progress, err);
        kd_buf_add_char(out, '\n');
        if (code == KD_OK)
            ct_progress_show(call, &progress, call->arena, out);
        return code;
    }
    if (!kd_str_is(KD_STR("cluster"), asked->kind->name))
        return KD_OK;
    struct ct_views orphans;
    enum kd_code code = ct_get_orphans(call, asked, &orphans, err);
    if (code != KD_OK || orphans.n == 0)
        return code;
    kd_buf_add(out, KD_STR("\nOrphans (kedge prune removes one, kedge deploy --adopt takes one over):\n"));
    return ct_show(call, ct_kind_of(KD_STR("orphan")), &orphans, CT_FORMAT_TABLE, true, true, call->arena, out, err);
}

enum ct_exit ct_run_describe(struct ct_call *call)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(CT_OUTPUT_MAX);
    struct ct_asked asked;
    struct ct_thing thing;
    struct kd_err err = { 0 };
    enum kd_code code = ct_asked_parse(call, &asked, &err);
    if (code == KD_OK && (asked.kind->is_listed_only || asked.name.name.n == 0))
        code = kd_fail(&err, KD_INVALID, 0, "say which one: kedge describe %s NAME", asked.kind->name);
    if (code == KD_OK && asked.kind->is_versioned && asked.name.version.n == 0)
        code = ct_name_parse(asked.kind, asked.name.name, true, &asked.name, &err);
    if (code != KD_OK)
        return ct_usage(call, &err);
    code = ct_get(call, asked.kind, &asked.name, call->arena, &thing, &err);
    if (code == KD_OK)
        ct_describe_head(asked.kind, &thing.view, call->arena, &out);
    code = code ? code : ct_describe_more(call, &asked, &out, &err);
    kd_buf_add(&out, KD_STR("\nDocument:\n"));
    code = code ? code : kd_yaml_write(ct_document_of_view(asked.kind, thing.json, call->arena), &out, &err);
    return code ? ct_fail(call, &err) : ct_print(call, &out);
}
