/** Filters and orders of lists, as the platform that Kedge replaces has them. Pure, over the JSON text of a view. */
#ifndef CO_CORE_LIST_H
#define CO_CORE_LIST_H

#include "shared/base/arena.h"
#include "shared/base/err.h"

enum { CO_FILTER_TERMS = 20 };

/** field=value, several joined by " OR ": without regard to case, anywhere in the field, '*' stands for any text. */
struct co_filter {
    struct {
        struct kd_str field, value;
    } term[CO_FILTER_TERMS];
    size_t n;
};

/** Borrows from the text. KD_INVALID (field $.filter) where a term has no '='. */
KD_MUST_CHECK enum kd_code co_filter_read(struct kd_str text, struct co_filter *ret, struct kd_err *err);
/** True without terms, or if one of them is met by the view. */
bool co_filter_matches(const struct co_filter *filter, struct kd_str view);

/** "field", "field asc" or "field desc"; an empty text gives an empty field. */
KD_MUST_CHECK enum kd_code co_order_read(struct kd_str text, struct kd_str *ret_field, bool *ret_descending, struct kd_err *err);

/** A text member of a view, or of its status; numbers padded so that their order is that of their texts. Empty where there is none. */
struct kd_str co_list_field(struct kd_str view, struct kd_str field, struct kd_arena *arena);

#endif
