/** Labels as operators type them: "key=value,other=value". Pure. */
#ifndef CT_LABELS_H
#define CT_LABELS_H

#include "shared/base/arena.h"
#include "shared/base/err.h"
#include "shared/model/json.h"

enum { CT_LABELS_MAX = 20 /* in one selector */ };

/** KD_INVALID says what is wrong. `==` is taken as `=`; a label that stands twice is an error. */
KD_MUST_CHECK enum kd_code ct_labels_parse(struct kd_str text, struct kd_arena *arena, struct kd_pairs *ret, struct kd_err *err);

/** "chain=demo,zone=a"; "" for none. */
struct kd_str ct_labels_text(const struct kd_pairs *labels, struct kd_arena *arena);

#endif
