/** YAML to JSON texts and back. libyaml parses and stays inside yaml.c.
 *
 *  Scalars are read as Kubernetes and Helm read them (YAML 1.1 as in go-yaml 2): plain yes, no, on, off, y, n are flags; 012, 0o12,
 *  0xA, 0b1010 and 1_000 are numbers, exact up to 64 bits; ~, null and nothing are null; dates, 1:30 and all that is quoted are
 *  texts; .inf and .nan are refused, as JSON has no such number. Keys become texts. Merge keys (<<) and aliases are expanded. */
#ifndef KD_MODEL_YAML_H
#define KD_MODEL_YAML_H

#include "shared/base/arena.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"

enum {
    KD_YAML_DEPTH_MAX = 100,         /* lists and maps in each other */
    KD_YAML_NODES_MAX = 1000 * 1000, /* values of all documents, after aliases and merge keys are expanded */
};

enum kd_yaml_mode {
    KD_YAML_STRICT,    /* a key that stands twice in a map is an error */
    KD_YAML_LAST_WINS, /* the last one counts, as where Helm and Kubernetes read charts */
};

/** Reads all documents; each becomes compact JSON text in the arena, in their order; empty ones (nothing, null) are left out.
 *  Failures: KD_INVALID ("values.yaml: line 3, column 5: …", `name` stands in front; err.field is the name), KD_TOO_LARGE (too many
 *  values, or the arena is full). */
KD_MUST_CHECK enum kd_code kd_yaml_read(struct kd_str yaml, const char *name, enum kd_yaml_mode mode, struct kd_arena *arena,
                                        struct kd_strs *ret, struct kd_err *err);

/** Appends a JSON text as one YAML document in block style (no --- line; texts are quoted where another reader could take them for
 *  something else). Fails with KD_INVALID where it is not JSON; the buffer's overflow says if it did not fit. */
KD_MUST_CHECK enum kd_code kd_yaml_write(struct kd_str json, struct kd_buf *out, struct kd_err *err);

#endif
