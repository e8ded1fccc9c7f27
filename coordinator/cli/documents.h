/** Documents as files hold them: YAML or JSON, several in one file, each with its specSchema. */
#ifndef CT_DOCUMENTS_H
#define CT_DOCUMENTS_H

#include "coordinator/cli/kinds.h"

enum { CT_FILE_MAX = 16 * 1024 * 1024 /* bytes */ };

struct ct_document {
    const struct ct_kind *kind;
    struct ct_name name;
    struct kd_str uid;         /* which one is meant, "" if the document does not say */
    uint64_t resource_version; /* 0 if it does not say */
    struct kd_str json;        /* the document without what only the coordinator writes (status, times, uid, …) */
};

struct ct_documents {
    struct ct_document *v;
    size_t n;
};

/** Appends a file's content; "-" is the standard input. KD_NOT_FOUND, KD_TOO_LARGE, KD_INTERNAL name the file. */
KD_MUST_CHECK enum kd_code ct_file_read(struct kd_str path, struct kd_buf *out, struct kd_err *err);

/** All documents of a text; `name` stands in front of messages. KD_INVALID says what is wrong in which one. Pure. */
KD_MUST_CHECK enum kd_code ct_documents_read(struct kd_str text, const char *name, struct kd_arena *arena, struct ct_documents *ret,
                                             struct kd_err *err);

/** A document as a request: with uid and resourceVersion in front where they are known. */
struct kd_str ct_document_body(const struct ct_document *document, struct kd_str uid, uint64_t resource_version,
                               struct kd_arena *arena);

/** A view or document without what only the coordinator writes. {NULL, 0}: not JSON, or the arena is full. */
struct kd_str ct_document_strip(struct kd_str json, struct kd_arena *arena);

/** A view as a document that `kedge apply` takes: with its specSchema in front. */
struct kd_str ct_document_of_view(const struct ct_kind *kind, struct kd_str view, struct kd_arena *arena);

#endif
