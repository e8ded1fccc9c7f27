/** Things on the screen. */
#include "coordinator/cli/show.h"

#include "coordinator/cli/documents.h"
#include "coordinator/cli/pretty.h"
#include "shared/base/own.h"
#include "shared/model/yaml.h"
#include "shared/os/clock.h"

static void ct_show_table(const struct ct_call *call, const struct ct_kind *kind, const struct ct_views *views, bool is_wide,
                          bool has_header, struct kd_arena *arena, struct kd_buf *out)
{
    struct ct_table table;
    struct ct_table_style style = ct_screen_style(&call->screen);
    style.has_header = has_header && !ct_given(call, CT_FLAG_NO_HEADERS);
    if (is_wide)
        style.width = 0;
    ct_kind_table(kind, views, is_wide, kd_wall_now(), arena, &table);
    ct_table_print(&table, &style, out);
}

static void ct_show_names(const struct ct_kind *kind, const struct ct_views *views, struct kd_arena *arena, struct kd_buf *out)
{
    for (size_t i = 0; i < views->n; i++) {
        const struct ct_view *view = &views->v[i];
        struct kd_str name = kind->is_listed_only ? view->deployment : ct_name_text(kind, view, arena);
        kd_buf_printf(out, "%s/%.*s\n", kind->name, KD_ARG(name));
    }
}

/** The compact JSON of all, or of the first one. */
static void ct_show_json(const struct ct_kind *kind, const struct ct_views *views, bool is_list, struct kd_arena *arena,
                         struct kd_buf *out)
{
    if (!is_list) {
        kd_buf_add(out, ct_document_of_view(kind, views->json[0], arena));
        return;
    }
    kd_buf_add(out, KD_STR("{\"items\":["));
    for (size_t i = 0; i < views->n; i++) {
        kd_buf_add(out, i ? KD_STR(",") : KD_STR(""));
        kd_buf_add(out, ct_document_of_view(kind, views->json[i], arena));
    }
    kd_buf_add(out, KD_STR("]}"));
}

enum kd_code ct_show(const struct ct_call *call, const struct ct_kind *kind, const struct ct_views *views, enum ct_format format,
                     bool is_list, bool has_header, struct kd_arena *arena, struct kd_buf *out, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(CT_OUTPUT_MAX);
    switch (format) {
    case CT_FORMAT_TABLE:
    case CT_FORMAT_WIDE:
        ct_show_table(call, kind, views, format == CT_FORMAT_WIDE, has_header, arena, out);
        return KD_OK;
    case CT_FORMAT_NAME:
        ct_show_names(kind, views, arena, out);
        return KD_OK;
    case CT_FORMAT_JSON:
        ct_show_json(kind, views, is_list, arena, &json);
        ct_pretty_json(kd_buf_str(&json), out);
        return KD_OK;
    case CT_FORMAT_YAML:
        ct_show_json(kind, views, is_list, arena, &json);
        return kd_yaml_write(kd_buf_str(&json), out, err);
    case CT_FORMAT_COUNT:
        break;
    }
    return kd_fail(err, KD_INTERNAL, 0, "no such format");
}
