/** kedge delete, prune, resume, leave, adopt. */
#include "coordinator/cli/runs.h"
#include "coordinator/cli/status.h"
#include "shared/base/own.h"
#include "shared/model/fields.h"
#include "shared/model/name.h"

/* ---- delete ---- */

static enum kd_code ct_delete_one(struct ct_call *call, const struct ct_kind *kind, const struct ct_name *name, struct ct_view *ret,
                                  struct kd_err *err)
{
    struct ct_thing there;
    struct kd_str json;
    enum kd_code code = ct_get(call, kind, name, call->arena, &there, err);
    code = code ? code : ct_request(call, kind->name, "delete", ct_exactly(call->arena, &there.view), call->arena, &json, err);
    *ret = there.view;
    return code;
}

static enum ct_exit ct_delete_and_say(struct ct_call *call, const struct ct_kind *kind, const struct ct_name *name)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(1024);
    struct ct_view view = { 0 };
    struct kd_err err = { 0 };
    if (ct_delete_one(call, kind, name, &view, &err) != KD_OK)
        return ct_fail(call, &err);
    kd_buf_printf(&out, "%s/%.*s deleted\n", kind->name, KD_ARG(ct_name_text(kind, &view, call->arena)));
    enum ct_exit code = ct_print(call, &out);
    bool waits = ct_given(call, CT_FLAG_WAIT) && kd_str_is(KD_STR("deployment"), kind->name);
    return code == CT_EXIT_OK && waits ? ct_await_gone(call, name->name, view.uid) : code;
}

enum ct_exit ct_run_delete(struct ct_call *call)
{
    const struct ct_kind *kind = NULL;
    struct ct_name names[CT_WORDS_MAX];
    struct kd_err err = { 0 };
    enum kd_code code = ct_kind_parse(ct_word(call, 0), &kind, &err);
    if (code == KD_OK && kind->is_listed_only)
        code = kd_fail(&err, KD_INVALID, 0, "orphans are removed by 'kedge prune CLUSTER DEPLOYMENT'");
    for (size_t i = 1; i < call->args.word_count && code == KD_OK; i++)
        code = ct_name_parse(kind, call->args.words[i], true, &names[i], &err);
    if (code != KD_OK)
        return ct_usage(call, &err);
    enum ct_exit exit_code = CT_EXIT_OK;
    for (size_t i = 1; i < call->args.word_count && exit_code == CT_EXIT_OK; i++)
        exit_code = ct_delete_and_say(call, kind, &names[i]);
    return exit_code;
}

/* ---- one request each ---- */

static enum kd_code ct_check_names(struct ct_call *call, struct kd_err *err)
{
    for (size_t i = 0; i < call->args.word_count; i++)
        if (!kd_is_name(call->args.words[i]))
            return kd_fail(err, KD_INVALID, 0, "name '%.*s' %s", KD_ARG(call->args.words[i]), KD_NAME_RULE);
    return KD_OK;
}

/** Sends {"name": the first word} and says what follows from it. */
static enum ct_exit ct_run_named(struct ct_call *call, const char *kind, const char *verb, const char *what)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(1024);
    const struct kd_pair members[] = { { KD_STR("name"), ct_word(call, 0) } };
    struct kd_err err = { 0 };
    struct kd_str json;
    if (ct_check_names(call, &err) != KD_OK)
        return ct_usage(call, &err);
    if (ct_request(call, kind, verb, ct_object(call->arena, members, 1), call->arena, &json, &err) != KD_OK)
        return ct_fail(call, &err);
    kd_buf_printf(&out, "%s/%.*s %s\n", kind, KD_ARG(ct_word(call, 0)), what);
    return ct_print(call, &out);
}

enum ct_exit ct_run_resume(struct ct_call *call)
{
    return ct_run_named(call, "deployment", "resume", "goes on");
}

enum ct_exit ct_run_leave(struct ct_call *call)
{
    return ct_run_named(call, "cluster", "leave", "removes everything that it runs and then accepts nothing more");
}

enum ct_exit ct_run_adopt(struct ct_call *call)
{
    return ct_run_named(call, "cluster", "adopt", "has the enrolment that its agent says");
}

struct ct_pruned {
    struct kd_strs uids;
};

static const struct kd_json_field ct_pruned_fields[] = { F_TEXTS(struct ct_pruned, uids, "pruned", .max = 100000) };
static const struct kd_json_shape ct_pruned_shape = KD_SHAPE(struct ct_pruned, ct_pruned_fields, "the result of a prune");

enum ct_exit ct_run_prune(struct ct_call *call)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(65536);
    const struct kd_pair members[] = { { KD_STR("name"), ct_word(call, 0) },
                                       { KD_STR("deployment"), ct_word(call, 1) },
                                       { KD_STR("uid"), ct_text(call, CT_FLAG_UID) } };
    struct ct_pruned pruned = { 0 };
    struct kd_err err = { 0 };
    struct kd_str json;
    if (ct_check_names(call, &err) != KD_OK)
        return ct_usage(call, &err);
    enum kd_code code = ct_request(call, "cluster", "prune", ct_object(call->arena, members, 3), call->arena, &json, &err);
    code = code ? code : kd_json_decode(&ct_pruned_shape, json, call->arena, &pruned, &err);
    if (code != KD_OK)
        return ct_fail(call, &err);
    for (size_t i = 0; i < pruned.uids.n; i++)
        kd_buf_printf(&out, "orphan/%.*s (%.*s) will be removed from %.*s\n", KD_ARG(ct_word(call, 1)), KD_ARG(pruned.uids.v[i]),
                      KD_ARG(ct_word(call, 0)));
    return ct_print(call, &out);
}
