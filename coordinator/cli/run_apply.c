/** kedge import, kedge apply. */
#include "coordinator/cli/archive.h"
#include "coordinator/cli/documents.h"
#include "coordinator/cli/runs.h"
#include "coordinator/cli/show.h"
#include "coordinator/cli/upload.h"
#include "shared/base/own.h"
#include "shared/model/fields.h"

/* ---- import ---- */

struct ct_imported {
    struct kd_str kind, name, version, action;
};

static const struct kd_json_field ct_imported_fields[] = {
    F_TEXT(struct ct_imported, kind, "kind"),
    F_TEXT(struct ct_imported, name, "name"),
    F_TEXT(struct ct_imported, version, "version"),
    F_TEXT(struct ct_imported, action, "action"),
};
static const struct kd_json_shape ct_imported_shape = KD_SHAPE(struct ct_imported, ct_imported_fields, "an import");

struct ct_import_reply {
    struct {
        struct ct_imported *v;
        size_t n;
    } imported;
};

static const struct kd_json_field ct_import_fields[] = {
    F_LIST(struct ct_import_reply, imported, &ct_imported_shape, "imported", .max = 100000),
};
static const struct kd_json_shape ct_import_shape = KD_SHAPE(struct ct_import_reply, ct_import_fields, "the result of an import");

/** One file that is an archive or YAML goes up as it is, everything else as an archive. */
static enum kd_code ct_import_bytes(const struct ct_call *call, struct kd_buf *out, struct kd_err *err)
{
    struct kd_str first = call->args.words[0];
    bool is_alone = call->args.word_count == 1;
    bool is_yaml = kd_str_ends(first, KD_STR(".yaml")) || kd_str_ends(first, KD_STR(".yml")) || kd_str_is(first, "-");
    bool is_archive = kd_str_ends(first, KD_STR(".tar.gz")) || kd_str_ends(first, KD_STR(".tgz"));
    if (is_alone && (is_yaml || is_archive))
        return ct_file_read(first, out, err);
    return ct_archive_make(call->args.words, call->args.word_count, out, err);
}

static void ct_import_table(const struct ct_call *call, const struct ct_import_reply *reply, struct kd_buf *out)
{
    static const char *const headers[] = { "KIND", "NAME", "VERSION", "ACTION" };
    struct ct_table_style style = ct_screen_style(&call->screen);
    struct ct_table table;
    ct_table_begin(&table, call->arena, headers, KD_COUNT(headers));
    for (size_t i = 0; i < reply->imported.n; i++) {
        const struct ct_imported *one = &reply->imported.v[i];
        struct ct_row *row = ct_table_row(&table);
        if (row == NULL)
            break;
        row->cells[0].text = one->kind;
        row->cells[1].text = one->name;
        row->cells[2].text = one->version.n ? one->version : KD_STR("-");
        row->cells[3] = (struct ct_cell){ one->action, ct_paint_of_state(one->action) };
    }
    ct_table_print(&table, &style, out);
}

enum ct_exit ct_run_import(struct ct_call *call)
{
    KD_AUTO(kd_buf_clear) struct kd_buf bytes = KD_BUF(CT_ARCHIVE_MAX);
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(CT_OUTPUT_MAX);
    struct kd_err err = { 0 };
    struct kd_str id, json;
    struct ct_import_reply reply;
    enum kd_code code = ct_import_bytes(call, &bytes, &err);
    code = code ? code : ct_upload(call, kd_buf_str(&bytes), &id, &err);
    if (code != KD_OK)
        return ct_fail(call, &err);
    const struct kd_pair members[] = { { KD_STR("upload"), id } };
    code = ct_request(call, "package", "import", ct_object(call->arena, members, 1), call->arena, &json, &err);
    code = code ? code : kd_json_decode(&ct_import_shape, json, call->arena, &reply, &err);
    if (code != KD_OK)
        return ct_fail(call, &err);
    ct_import_table(call, &reply, &out);
    return ct_print(call, &out);
}

/* ---- apply ---- */

static enum kd_code ct_apply_create(struct ct_call *call, const struct ct_document *document, struct kd_err *err)
{
    struct kd_str json;
    return ct_request(call, document->kind->name, "create", document->json, call->arena, &json, err);
}

/** The document says which one it means, or it means the one that is there now. */
static enum kd_code ct_apply_update(struct ct_call *call, const struct ct_document *document, const struct ct_view *there,
                                    const char **ret_action, struct kd_err *err)
{
    struct kd_str uid = document->uid.n ? document->uid : there->uid, json;
    uint64_t version = document->resource_version ? document->resource_version : there->resource_version;
    struct ct_view view;
    enum kd_code code = ct_request(call, document->kind->name, "update", ct_document_body(document, uid, version, call->arena),
                                   call->arena, &json, err);
    code = code ? code : kd_json_decode(&ct_view_shape, json, call->arena, &view, err);
    if (code == KD_OK)
        *ret_action = view.resource_version == there->resource_version ? "unchanged" : "configured";
    return code;
}

static enum kd_code ct_apply_one(struct ct_call *call, const struct ct_document *document, struct kd_buf *out, struct kd_err *err)
{
    struct ct_thing there;
    const char *action = "created";
    enum kd_code code = ct_get(call, document->kind, &document->name, call->arena, &there, err);
    if (code == KD_NOT_FOUND)
        code = ct_apply_create(call, document, err);
    else if (code == KD_OK)
        code = ct_apply_update(call, document, &there.view, &action, err);
    if (code != KD_OK)
        return kd_wrap(err, "%s/%.*s", document->kind->name, KD_ARG(document->name.name));
    kd_buf_printf(out, "%s/%.*s%s%.*s %s\n", document->kind->name, KD_ARG(document->name.name), document->name.version.n ? ":" : "",
                  KD_ARG(document->name.version), action);
    return KD_OK;
}

/** All documents are read before the first one is sent, so that a mistake in the last one changes nothing. */
static enum kd_code ct_apply_read(struct ct_call *call, struct ct_documents *ret, struct kd_err *err)
{
    const struct kd_strs *files = &call->args.values[CT_FLAG_FILE];
    struct ct_documents all = { 0 };
    for (size_t i = 0; i < files->n; i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(CT_FILE_MAX);
        struct ct_documents some;
        struct kd_str name = kd_str_is(files->v[i], "-") ? KD_STR("standard input") : kd_arena_copy(call->arena, files->v[i]);
        enum kd_code code = ct_file_read(files->v[i], &text, err);
        code = code ? code : ct_documents_read(kd_buf_str(&text), name.p, call->arena, &some, err);
        if (code != KD_OK)
            return code;
        struct ct_document *joined = kd_arena_alloc(call->arena, (all.n + some.n) * sizeof(*joined));
        if (joined == NULL)
            return kd_fail(err, KD_TOO_LARGE, 0, "too many documents");
        if (all.n)
            memcpy(joined, all.v, all.n * sizeof(*joined));
        memcpy(joined + all.n, some.v, some.n * sizeof(*joined));
        all = (struct ct_documents){ joined, all.n + some.n };
    }
    *ret = all;
    return KD_OK;
}

enum ct_exit ct_run_apply(struct ct_call *call)
{
    struct ct_documents documents = { 0 };
    struct kd_err err = { 0 };
    if (!ct_given(call, CT_FLAG_FILE)) {
        (void)kd_fail(&err, KD_INVALID, 0, "say which file: kedge apply -f FILE (- is the standard input)");
        return ct_usage(call, &err);
    }
    if (ct_apply_read(call, &documents, &err) != KD_OK)
        return ct_fail(call, &err);
    for (size_t i = 0; i < documents.n; i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(4096);
        if (ct_apply_one(call, &documents.v[i], &out, &err) != KD_OK)
            return ct_fail(call, &err);
        enum ct_exit code = ct_print(call, &out);
        if (code != CT_EXIT_OK)
            return code;
    }
    return CT_EXIT_OK;
}
