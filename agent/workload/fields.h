/** Fields: what becomes of each field of the Kubernetes objects that Podman can run. One table; docs/podman.md shows the same rows. */
#ifndef AG_WORKLOAD_FIELDS_H
#define AG_WORKLOAD_FIELDS_H

#include "shared/base/err.h"
#include "shared/base/str.h"

#include <cjson/cJSON.h>

/** supported: does what Kubernetes does, as far as the note says; ignored: has no effect here and none is missed; refused: would
 *  change what the application does, so that it is not deployed. A field that no row names is refused. */
#define AG_VERDICTS(X)               X(SUPPORTED, "supported") X(IGNORED, "ignored") X(REFUSED, "refused")
#define AG_VERDICT_AS_ENUM(id, word) AG_##id,
#define AG_VERDICT_AS_WORD(id, word) [AG_##id] = word,
enum ag_verdict { AG_VERDICTS(AG_VERDICT_AS_ENUM) AG_VERDICT_COUNT };

const char *ag_verdict_word(enum ag_verdict verdict);

enum ag_type {
    AG_ANY,      /* not looked into */
    AG_TEXT,     /* a text */
    AG_NAME,     /* a text that is not empty */
    AG_NUMBER,   /* a whole number, not below 0 */
    AG_FLAG,     /* true or false */
    AG_QUANTITY, /* a text or a number: 500m, 128Mi, 2 */
    AG_PORT,     /* a port number or a port's name */
    AG_TEXTS,    /* a map of texts */
    AG_MAP,      /* a map */
};

/** `[]` stands for the items of a list. Rows are sorted by path. */
struct ag_field {
    const char *path; /* begins with a kind, or with a part that several kinds share: Pod, Container, Probe, … */
    enum ag_verdict verdict;
    enum ag_type type;
    const char *into; /* the part that describes what lies below this field; NULL: rows below this path do */
    const char *fine; /* refused: a value that means nothing is asked for ("false", "ClusterFirst"); NULL: only empty ones */
    const char *note; /* for people, may be "" */
};

extern const struct ag_field ag_fields[];
extern const size_t ag_field_count;

/** Checks one object against the table. `title` ("Deployment/web") begins every message, `kind` is the table's part that describes
 *  it. Fails with KD_UNSUPPORTED for a refused or unknown field, KD_INVALID for a wrong type; err->field is the field's path. */
KD_MUST_CHECK enum kd_code ag_fields_check(const cJSON *object, const char *kind, struct kd_str title, struct kd_err *err);

#endif
