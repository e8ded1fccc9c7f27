/** The terminal: colours where they are wanted, a view that is drawn again in place, a progress bar. Where the output is no
 *  terminal, every text is printed once, line by line. */
#ifndef CT_SCREEN_H
#define CT_SCREEN_H

#include "coordinator/cli/settings.h"
#include "coordinator/cli/table.h"

struct ct_screen {
    bool is_live, has_colours; /* standard output is a terminal; it gets colours */
    bool has_errors_live;      /* standard error is a terminal */
    size_t drawn;              /* lines of the view that stand on the terminal */
    bool has_bar;              /* a progress bar stands on standard error */
};

/** `color` is an enum ct_color. */
void ct_screen_begin(struct ct_screen *screen, int color);

/** How tables are printed here: colours, and the last column cut to the terminal's width where it is one. */
struct ct_table_style ct_screen_style(const struct ct_screen *screen);

/** Prints to standard output. False: it cannot be written (a full disk, a closed pipe). */
bool ct_screen_print(struct kd_str text);

/** Draws a view of several lines in place of the last one. Only where is_live. */
void ct_screen_draw(struct ct_screen *screen, struct kd_str text);

/** Shows "label [=====>    ] 42 %" on a terminal; `done` equal to `total` ends it. Nothing elsewhere. */
void ct_screen_progress(struct ct_screen *screen, const char *label, uint64_t done, uint64_t total);

#endif
