/** References: from a root URL, a chart's name and version to the parts of an OCI registry's addresses. Pure. */
#ifndef KD_REGISTRY_REFERENCE_H
#define KD_REGISTRY_REFERENCE_H

#include "shared/base/err.h"
#include "shared/base/str.h"

enum { KD_REPOSITORY_MAX = 512, KD_TAG_MAX = 128 /* bytes */ };

struct kd_reference {
    char host[304];                         /* host[:port] */
    char repository[KD_REPOSITORY_MAX + 1]; /* path/name */
    char tag[KD_TAG_MAX + 1];               /* the version; '+' becomes '_', as Helm writes it */
};

/** Fails with KD_INVALID, naming the part: only what may stand in an address of a registry without escapes is accepted. */
KD_MUST_CHECK enum kd_code kd_reference_make(struct kd_str root, struct kd_str name, struct kd_str version,
                                             struct kd_reference *ret, struct kd_err *err);

#endif
