/** Quantities of Kubernetes: 500m, 0.5, 128Mi, 1e3. */
#ifndef AG_WORKLOAD_QUANTITY_H
#define AG_WORKLOAD_QUANTITY_H

#include "shared/base/str.h"

#include <cjson/cJSON.h>

/** Reads a text or a number of a tree. False where it is not a quantity, or is negative. */
bool ag_quantity_read(const cJSON *value, double *ret);

/** The same from a text. */
bool ag_quantity_parse(struct kd_str text, double *ret);

#endif
