/** Reading Kubernetes objects as trees. Types were checked before by the table of fields (fields.h), so that these never fail: what
 *  is missing, null or of another type is the fallback. */
#ifndef AG_WORKLOAD_TREE_H
#define AG_WORKLOAD_TREE_H

#include "shared/base/str.h"

#include <cjson/cJSON.h>

/** The member; NULL where it is missing or null, or where `object` is NULL. */
const cJSON *ag_tree_get(const cJSON *object, const char *name);

/** The member below members: "spec.template.spec". */
const cJSON *ag_tree_at(const cJSON *object, const char *path);

/** The member as a text, borrowed from the tree; empty where it is not one. */
struct kd_str ag_tree_text(const cJSON *object, const char *name);

/** A value as a text; empty where it is not one. */
struct kd_str ag_tree_value(const cJSON *value);

int64_t ag_tree_number(const cJSON *object, const char *name, int64_t fallback);
bool ag_tree_flag(const cJSON *object, const char *name, bool fallback);

/** The first item of a list or map member, for walking with ->next; NULL where there is none. */
const cJSON *ag_tree_first(const cJSON *object, const char *name);

/** Items of a list or map member. */
size_t ag_tree_count(const cJSON *object, const char *name);

/** True where every text of `selector` is a text of `labels` too; an empty or missing selector matches nothing. */
bool ag_tree_selects(const cJSON *selector, const cJSON *labels);

#endif
