/** Tables as kubectl prints them. */
#include "coordinator/cli/table.h"

#include "shared/base/own.h"
#include "shared/base/utf8.h"

enum { CT_GAP = 3 /* blanks between columns */ };

static const struct {
    const char *on;
} ct_paints[CT_PAINT_COUNT] = {
    [CT_PLAIN] = { "" },       [CT_GOOD] = { "\033[32m" }, [CT_BUSY] = { "\033[33m" },
    [CT_BAD] = { "\033[31m" }, [CT_FAINT] = { "\033[2m" }, [CT_STRONG] = { "\033[1m" },
};

const char *ct_paint_on(enum ct_paint paint)
{
    return ct_paints[paint].on;
}

const char *ct_paint_off(enum ct_paint paint)
{
    return paint == CT_PLAIN ? "" : "\033[0m";
}

static const struct {
    const char *word;
    enum ct_paint paint;
} ct_state_paints[] = {
    { "running", CT_GOOD },     { "online", CT_GOOD },        { "created", CT_GOOD },    { "deploying", CT_BUSY },
    { "updating", CT_BUSY },    { "pending", CT_BUSY },       { "fetching", CT_BUSY },   { "removing", CT_BUSY },
    { "terminating", CT_BUSY }, { "degraded", CT_BUSY },      { "updated", CT_BUSY },    { "orphaned", CT_BUSY },
    { "rolled-back", CT_BUSY }, { "down", CT_BAD },           { "error", CT_BAD },       { "failed", CT_BAD },
    { "offline", CT_BAD },      { "internal-error", CT_BAD }, { "unsupported", CT_BAD }, { "unknown", CT_FAINT },
    { "removed", CT_FAINT },    { "unchanged", CT_FAINT },    { "left", CT_FAINT },      { "no-target-clusters", CT_BUSY },
};

enum ct_paint ct_paint_of_state(struct kd_str state)
{
    struct kd_str rest = state, word = kd_str_cut(&rest, ' '); /* "running (1 offline)" */
    if (kd_str_find(rest, KD_STR("offline")) >= 0)
        return CT_BUSY;
    for (size_t i = 0; i < KD_COUNT(ct_state_paints); i++)
        if (kd_str_is(word, ct_state_paints[i].word))
            return ct_state_paints[i].paint;
    return CT_PLAIN;
}

void ct_table_begin(struct ct_table *table, struct kd_arena *arena, const char *const *headers, size_t columns)
{
    *table = (struct ct_table){ .arena = arena, .headers = headers, .columns = columns };
    table->last = &table->first;
}

struct ct_row *ct_table_row(struct ct_table *table)
{
    struct ct_row *row = KD_NEW(table->arena, struct ct_row);
    if (row == NULL)
        return NULL;
    *table->last = row;
    table->last = &row->next;
    return row;
}

static size_t ct_cell_width(struct kd_str text)
{
    return kd_utf8_is_valid(text) ? kd_utf8_length(text) : text.n;
}

static void ct_widths(const struct ct_table *table, const struct ct_table_style *style, size_t ret[CT_COLUMNS_MAX])
{
    for (size_t i = 0; i < table->columns; i++)
        ret[i] = style->has_header ? strlen(table->headers[i]) : 0;
    for (const struct ct_row *row = table->first; row; row = row->next)
        for (size_t i = 0; i < table->columns; i++) {
            size_t width = ct_cell_width(row->cells[i].text);
            ret[i] = width > ret[i] ? width : ret[i];
        }
}

/** The head of a text that has at most `width` characters. */
static struct kd_str ct_cut_to(struct kd_str text, size_t width)
{
    while (ct_cell_width(text) > width)
        text = kd_utf8_is_valid(text) ? kd_utf8_head(text, text.n - 1) : (struct kd_str){ text.p, width };
    return text;
}

void ct_add_visible(struct kd_buf *out, struct kd_str text)
{
    for (size_t i = 0; i < text.n; i++)
        kd_buf_add_char(out, (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? '?' : text.p[i]);
}

static void ct_cell_print(const struct ct_cell *cell, size_t width, const struct ct_table_style *style, struct kd_buf *out)
{
    const char *on = style->has_colours ? ct_paint_on(cell->paint) : "";
    kd_buf_printf(out, "%s", on);
    ct_add_visible(out, cell->text);
    kd_buf_printf(out, "%s", style->has_colours ? ct_paint_off(cell->paint) : "");
    for (size_t i = ct_cell_width(cell->text); i < width; i++)
        kd_buf_add_char(out, ' ');
}

static void ct_row_print(const struct ct_table *table, const struct ct_cell *cells, const size_t *widths,
                         const struct ct_table_style *style, struct kd_buf *out)
{
    size_t used = 0, last = table->columns - 1;
    for (size_t i = 0; i < last; i++) {
        ct_cell_print(&cells[i], widths[i] + CT_GAP, style, out);
        used += widths[i] + CT_GAP;
    }
    struct ct_cell tail = cells[last];
    if (style->width)
        tail.text = ct_cut_to(tail.text, style->width > used ? style->width - used : 0);
    ct_cell_print(&tail, 0, style, out);
    while (out->n && !out->overflow && out->p[out->n - 1] == ' ')
        out->n--;
    kd_buf_add_char(out, '\n');
}

void ct_table_print(const struct ct_table *table, const struct ct_table_style *style, struct kd_buf *out)
{
    size_t widths[CT_COLUMNS_MAX] = { 0 };
    struct ct_cell header[CT_COLUMNS_MAX] = { { { NULL, 0 }, CT_PLAIN } };
    ct_widths(table, style, widths);
    for (size_t i = 0; i < table->columns; i++)
        header[i].text = kd_str(table->headers[i]);
    if (style->has_header)
        ct_row_print(table, header, widths, style, out);
    for (const struct ct_row *row = table->first; row; row = row->next)
        ct_row_print(table, row->cells, widths, style, out);
}
