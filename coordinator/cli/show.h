/** Things on the screen, in the format that was asked for. */
#ifndef CT_SHOW_H
#define CT_SHOW_H

#include "coordinator/cli/call.h"

enum { CT_OUTPUT_MAX = 256 * 1024 * 1024 /* bytes */ };

/** Appends the views: a table, JSON or YAML (a list has `items`; is_list false: the first one alone), or their names. */
KD_MUST_CHECK enum kd_code ct_show(const struct ct_call *call, const struct ct_kind *kind, const struct ct_views *views,
                                   enum ct_format format, bool is_list, bool has_header, struct kd_arena *arena, struct kd_buf *out,
                                   struct kd_err *err);

#endif
