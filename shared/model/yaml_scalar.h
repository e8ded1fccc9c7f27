/** What a plain YAML scalar means, as go-yaml 2 has it (Kubernetes and Helm read YAML with it). Used by yaml.c and yaml_write.c only. */
#ifndef KD_MODEL_YAML_SCALAR_H
#define KD_MODEL_YAML_SCALAR_H

#include "shared/base/buf.h"

enum kd_yaml_type { KD_YAML_TEXT, KD_YAML_NULL, KD_YAML_FLAG, KD_YAML_WHOLE, KD_YAML_REAL, KD_YAML_NOT_JSON };

/** The type of a plain scalar; for all but TEXT and NOT_JSON (.inf, .nan) *out becomes its JSON text. Pure; never fails: what
 *  is nothing else is TEXT. */
enum kd_yaml_type kd_yaml_scalar(struct kd_str plain, struct kd_buf *out);

/** Appends the shortest text that reads back as the same finite number, in the form that Go's encoding/json gives it. */
void kd_yaml_add_real(double value, struct kd_buf *out);

#endif
