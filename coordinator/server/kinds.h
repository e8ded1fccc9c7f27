/** The kinds of documents: a row per kind says where it is kept, how it is read, what must hold and what follows from a change.
 *  Create, update, get, list, delete and import are written once over these rows. */
#ifndef CO_SERVER_KINDS_H
#define CO_SERVER_KINDS_H

#include "coordinator/server/work.h"

/** A decoded document of any kind. */
union co_document {
    struct kd_catalog_registry registry;
    struct kd_catalog_artifact artifact;
    struct kd_catalog_application application;
    struct kd_catalog_package package;
    struct kd_deployment deployment;
    struct kd_cluster cluster;
};

struct co_kind {
    const char *word, *schema; /* "package"; specSchema in YAML: "DeploymentPackage" */
    int table;
    bool versioned; /* its key is name and version */
    const struct kd_json_shape *shape;
    size_t name_at, version_at, display_name_at, meta_at;
    /** Takes what came with the document (values, base64) into the catalog's content. before: NULL when it is new. */
    enum kd_code (*absorb)(struct co_work *work, union co_document *document, const union co_document *before, struct kd_err *err);
    /** Rules within the document and with others. */
    enum kd_code (*check)(struct co_work *work, const union co_document *document, const union co_document *before,
                          struct kd_err *err);
    /** May it go? NULL: always. */
    enum kd_code (*may_go)(struct co_work *work, const union co_document *document, struct kd_err *err);
    /** What follows: before NULL was created, after NULL was deleted. */
    void (*changed)(struct co_work *work, const union co_document *before, const union co_document *after);
    /** Appends the members of "status" (without braces); NULL: it has none. */
    void (*status)(struct co_work *work, const union co_document *document, struct kd_buf *out);
    /** Hides what is not shown, before a view is made; NULL: nothing. */
    void (*hide)(union co_document *document);
};

extern const struct co_kind co_kinds[];
extern const size_t co_kind_count;

const struct co_kind *co_kind_of(struct kd_str word);
const struct co_kind *co_kind_of_schema(struct kd_str schema);

struct kd_str co_document_name(const struct co_kind *kind, const union co_document *document);
struct kd_str co_document_version(const struct co_kind *kind, const union co_document *document); /* empty where it has none */
struct kd_meta *co_document_meta(const struct co_kind *kind, union co_document *document);

bool co_document_get(struct co_work *work, const struct co_kind *kind, struct kd_str name, struct kd_str version,
                     union co_document *ret);

/** The same, and says what is wrong where there is none: KD_INVALID where its name or version is missing, KD_NOT_FOUND. */
KD_MUST_CHECK enum kd_code co_document_find(struct co_work *work, const struct co_kind *kind, struct kd_str name,
                                            struct kd_str version, union co_document *ret, struct kd_err *err);

enum co_action { CO_CREATED, CO_UPDATED, CO_UNCHANGED };

/** Creates or changes a document that was decoded from a request. Its meta's uid and resource_version say which one is meant.
 * @param may_create, may_update  what the request allows
 * Fails with KD_EXISTS, KD_NOT_FOUND, KD_CONFLICT, or with what a rule says. */
KD_MUST_CHECK enum kd_code co_document_put(struct co_work *work, const struct co_kind *kind, union co_document *document,
                                           bool may_create, bool may_update, enum co_action *ret, struct kd_err *err);
KD_MUST_CHECK enum kd_code co_document_delete(struct co_work *work, const struct co_kind *kind, struct kd_str name,
                                              struct kd_str version, const struct kd_meta *meant, struct kd_err *err);
/** Stores a document again after the server itself changed it: a new resource version, no rules, no consequences. */
void co_document_store(struct co_work *work, const struct co_kind *kind, union co_document *document);

/** Appends the view: the document and its status. `order`: with {"epoch","n"} in front, for a state topic. */
void co_view_add(struct co_work *work, const struct co_kind *kind, const union co_document *document, bool order,
                 struct kd_buf *out);

/** The short form of a view that is too large: which document it is, "cut":true, and its status. */
void co_view_add_cut(struct co_work *work, const struct co_kind *kind, const union co_document *document, bool order,
                     struct kd_buf *out);

/** The status members of kinds (views.c). */
void co_cluster_status_add(struct co_work *work, const union co_document *document, struct kd_buf *out);
void co_deployment_status_add(struct co_work *work, const union co_document *document, struct kd_buf *out);
void co_package_status_add(struct co_work *work, const union co_document *document, struct kd_buf *out);

/** Every view is published again. */
void co_kinds_views_dirty(struct co_work *work);
/** All sums made anew: the two stores were not of the same batch. */
void co_kinds_recount(struct co_work *work);
/** What is looked up in memory: watches of clusters, questions that wait for a registry. */
void co_kinds_start(struct co_work *work);

/** True if a deployment uses that package (and version, unless that is empty). */
bool co_package_is_deployed(struct co_work *work, struct kd_str name, struct kd_str version);

/** Nothing is wanted or known to run on the cluster any more: it was deleted, or it has left. */
void co_cluster_empty(struct co_work *work, struct kd_str cluster);

/** Starts watching a cluster whose presence is stored as online (agents.c). */
void co_agents_start(struct co_work *work);

#endif
