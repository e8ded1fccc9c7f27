/** Values of a deployment's applications from --set, --set-string and --values, with Helm's rules. Pure; cJSON stays inside.
 *
 *  app.key=value[,app.other=value]: nested keys by '.', items of lists by [n], lists as {a,b}; '\' takes the next character as it
 *  is. Without quotes true and false are flags, null removes a value, whole numbers are numbers, everything else is a text. */
#ifndef CT_SETS_H
#define CT_SETS_H

#include "shared/base/arena.h"
#include "shared/base/err.h"

enum {
    CT_SET_DEPTH_MAX = 30,   /* keys in each other */
    CT_SET_ITEM_MAX = 1023,  /* the highest n of [n] */
    CT_SET_KEY_MAX = 255,    /* bytes */
    CT_SET_VALUE_MAX = 65536 /* bytes */
};

struct ct_sets;

/** NULL without memory. */
struct ct_sets *ct_sets_open(void);
struct ct_sets *ct_sets_close(struct ct_sets *sets);
void ct_sets_closep(struct ct_sets **sets);

/** One argument of --set (or --set-string: values are always texts). KD_INVALID says what is wrong and how it should look. */
KD_MUST_CHECK enum kd_code ct_sets_assign(struct ct_sets *sets, struct kd_str argument, bool is_text, struct kd_err *err);

/** Lays a JSON object over the values of an application: objects are merged, everything else replaces. */
KD_MUST_CHECK enum kd_code ct_sets_merge(struct ct_sets *sets, struct kd_str app, struct kd_str json, struct kd_err *err);

/** The i-th application that has values, in the order of first use. False after the last; *ret_json is compact JSON in the arena
 *  ({NULL, 0} when that is full). */
bool ct_sets_get(const struct ct_sets *sets, size_t i, struct kd_arena *arena, struct kd_str *ret_app, struct kd_str *ret_json);

#endif
