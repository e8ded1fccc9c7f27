/** Requests of operators: a row per kind and verb. */
#ifndef CO_SERVER_ROUTES_H
#define CO_SERVER_ROUTES_H

#include "coordinator/server/kinds.h"

/** A request while it is handled. */
struct co_call {
    struct co_work *work;
    struct kd_str kind, verb, body; /* the payload */
    struct kd_buf *result;          /* the handler appends one JSON value */
    struct kd_err *err;
};

/** Who may make a request; checked with the identities of a later issue, named from the start. */
enum co_role { CO_ROLE_READ, CO_ROLE_WRITE };

typedef enum kd_code co_handler(struct co_call *call);

struct co_route {
    const char *kind; /* NULL: each of co_kinds */
    const char *verb;
    size_t max_bytes; /* of the payload */
    enum co_role role;
    bool changes; /* repeated with the same id it acts once */
    co_handler *handle;
};

/** What names one document in a request. */
struct co_named {
    struct kd_str name, version, deployment, upload, digest;
    struct kd_meta meta; /* uid and resourceVersion that are meant */
    struct kd_strs uids;
    uint64_t offset, page_size;
    struct kd_str filter, order_by, page_token;
    struct kd_pairs labels;
};
KD_MUST_CHECK enum kd_code co_named_read(struct co_call *call, struct co_named *ret);

/** documents.c */
co_handler co_on_create, co_on_update, co_on_get, co_on_delete;
/** lists.c */
co_handler co_on_list, co_on_deployment_clusters;
/** uploads.c */
co_handler co_on_upload_put, co_on_import, co_on_content_get;
/** actions.c */
co_handler co_on_deployment_adopt, co_on_deployment_resume, co_on_cluster_orphans, co_on_cluster_prune, co_on_cluster_adopt,
    co_on_cluster_leave;

/** The bytes of an upload that is complete, in the message's memory; fails with KD_NOT_FOUND or KD_UNAVAILABLE (parts are missing). */
KD_MUST_CHECK enum kd_code co_upload_bytes(struct co_work *work, struct kd_str upload, struct kd_str *ret, struct kd_err *err);
void co_upload_drop(struct co_work *work, struct kd_str upload);
void co_uploads_expire(struct co_work *work);

/** import.c: documents and their files become the catalog's, as one change. Appends [{"kind":…}, …]. */
KD_MUST_CHECK enum kd_code co_import(struct co_work *work, struct kd_str bytes, struct kd_buf *out, struct kd_err *err);

#endif
