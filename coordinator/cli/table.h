/** Tables as kubectl prints them: headers in capitals, columns as wide as they must be, nothing cut but the last column on a
 *  terminal. Pure. */
#ifndef CT_TABLE_H
#define CT_TABLE_H

#include "shared/base/arena.h"
#include "shared/base/buf.h"

enum ct_paint { CT_PLAIN, CT_GOOD, CT_BUSY, CT_BAD, CT_FAINT, CT_STRONG, CT_PAINT_COUNT };

/** The escape sequence that begins a colour; "" for CT_PLAIN. */
const char *ct_paint_on(enum ct_paint paint);
const char *ct_paint_off(enum ct_paint paint);

/** How a word of a state looks: running is good, deploying is busy, error is bad, … */
enum ct_paint ct_paint_of_state(struct kd_str state);

enum { CT_COLUMNS_MAX = 12 };

struct ct_cell {
    struct kd_str text; /* borrowed; control characters are shown as '?' */
    enum ct_paint paint;
};

struct ct_row {
    struct ct_row *next;
    struct ct_cell cells[CT_COLUMNS_MAX];
};

struct ct_table {
    struct kd_arena *arena; /* of rows */
    const char *const *headers;
    size_t columns;
    struct ct_row *first, **last;
};

void ct_table_begin(struct ct_table *table, struct kd_arena *arena, const char *const *headers, size_t columns);

/** A new row to be filled; NULL when the arena is full. */
struct ct_row *ct_table_row(struct ct_table *table);

struct ct_table_style {
    bool has_colours, has_header;
    size_t width; /* characters of a line, 0 for no limit */
};

void ct_table_print(const struct ct_table *table, const struct ct_table_style *style, struct kd_buf *out);

/** Appends a text that came from elsewhere, with '?' for control characters: it must not move the cursor. */
void ct_add_visible(struct kd_buf *out, struct kd_str text);

#endif
