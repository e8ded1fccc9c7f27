/** JSON for people: two blanks per level, one member per line. Pure. */
#ifndef CT_PRETTY_H
#define CT_PRETTY_H

#include "shared/base/buf.h"

/** Appends a compact, valid JSON text with line breaks and blanks, and a line end. */
void ct_pretty_json(struct kd_str json, struct kd_buf *out);

#endif
