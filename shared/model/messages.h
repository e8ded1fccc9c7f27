/** What coordinator and agents say to each other (docs/protocol.md): manifest, deployment document, list object, hello, status,
 * ack, coordinator, marker, inventory. */
#ifndef KD_MODEL_MESSAGES_H
#define KD_MODEL_MESSAGES_H

#include "shared/model/catalog.h"
#include "shared/model/json.h"

enum {
    KD_PAYLOAD_MAX = 262144,        /* bytes: a manifest, an object, a request, a reply */
    KD_STATE_MAX = 65536,           /* bytes: a state, and what an agent sends */
    KD_MISSING_MAX = 500,           /* digests in a hello */
    KD_MANIFEST_DEPLOYMENTS = 2000, /* deployments of one cluster; a manifest's size bounds it as well */
    KD_PARTS_MAX = 64,              /* pieces of a list object */
    KD_REASON_MAX = 512,            /* bytes: a message of a status */
};

/** A version is a pair, compared in this order. A new epoch begins when a store is created, restored or taken over. */
struct kd_version {
    uint64_t epoch, n;
};
extern const struct kd_json_shape kd_version_shape;

int kd_version_cmp(struct kd_version a, struct kd_version b);

struct kd_manifest_entry {
    struct kd_str name, uid;
    struct kd_ref document;
    struct kd_strs adopts;
    bool hold;
};

struct kd_manifest_removal {
    struct kd_str name, uid;
};

struct kd_manifest {
    struct kd_version version;
    struct kd_str cluster, enrolment; /* project/cluster, uid */
    struct kd_strs requires;
    uint64_t spread_s;
    bool leave;
    struct {
        struct kd_manifest_entry *v;
        size_t n;
    } deployments;
    struct {
        struct kd_manifest_removal *v;
        size_t n;
    } remove;
};
extern const struct kd_json_shape kd_manifest_shape;

struct kd_document_chart {
    struct kd_str registry, name, version, digest;
};

struct kd_document_app {
    struct kd_str name, version, namespace;
    struct kd_document_chart chart;
    struct {
        struct kd_ref *v;
        size_t n;
    } values;
    struct kd_ref *secrets;
    struct kd_strs depends_on;
    struct {
        struct kd_resource_reference *v;
        size_t n;
    } ignore;
};

struct kd_document_policy {
    uint64_t timeout_s;
    bool rollback;
};

/** A deployment document: an object that says all that an edge needs of one deployment. */
struct kd_document {
    struct kd_str deployment, uid;
    struct kd_application_reference package;
    struct kd_str profile;
    struct kd_strs requires;
    struct {
        struct kd_namespace *v;
        size_t n;
    } namespaces;
    struct {
        struct kd_document_app *v;
        size_t n;
    } apps;
    struct kd_document_policy policy;
};
extern const struct kd_json_shape kd_document_shape;

/** A list object: the pieces of what is larger than KD_PAYLOAD_MAX, in order. Lists do not nest. */
struct kd_parts {
    struct kd_strs parts; /* digests */
};
extern const struct kd_json_shape kd_parts_shape;

#define KD_APP_STATES(X)                                                                                                           \
    X(UNKNOWN, "unknown")                                                                                                          \
    X(PENDING, "pending")                                                                                                          \
    X(FETCHING, "fetching")                                                                                                        \
    X(DEPLOYING, "deploying")                                                                                                      \
    X(RUNNING, "running")                                                                                                          \
    X(UPDATING, "updating")                                                                                                        \
    X(DEGRADED, "degraded")                                                                                                        \
    X(DOWN, "down")                                                                                                                \
    X(FAILED, "failed")                                                                                                            \
    X(ROLLED_BACK, "rolled-back")                                                                                                  \
    X(REMOVING, "removing")                                                                                                        \
    X(REMOVED, "removed")                                                                                                          \
    X(ORPHANED, "orphaned")                                                                                                        \
    X(UNSUPPORTED, "unsupported")
#define KD_APP_AS_ENUM(id, word) KD_APP_##id,
enum kd_app_state { KD_APP_STATES(KD_APP_AS_ENUM) KD_APP_STATE_COUNT };

const char *kd_app_state_word(int state);

struct kd_status_skipped {
    struct kd_str app, kind, name, reason;
};

struct kd_status_app {
    struct kd_str name, version;
    int state;                     /* enum kd_app_state */
    struct kd_str reason, message; /* a code (docs/protocol.md, "Errors") and a sentence */
    uint64_t ready, total, age_s;  /* pods; seconds in this state */
};

/** The whole status of one deployment (one uid) on one cluster. */
struct kd_status {
    struct kd_str deployment, uid;
    struct kd_str digest; /* of the document that runs, "" if none does */
    struct kd_version version;
    struct kd_str session;
    uint64_t sequence;
    int state; /* enum kd_app_state: what its applications sum up to */
    struct kd_str reason, message;
    struct {
        struct kd_status_app *v;
        size_t n;
    } apps;
    struct {
        struct kd_status_skipped *v;
        size_t n;
    } skipped;
};
extern const struct kd_json_shape kd_status_shape, kd_status_app_shape, kd_status_skipped_shape;
/** Only what says whose status it is (uid, session, sequence), for the answer to one that cannot be read as a whole. */
extern const struct kd_json_shape kd_status_name_shape;

enum kd_presence { KD_PRESENCE_UNKNOWN, KD_PRESENCE_ONLINE, KD_PRESENCE_OFFLINE, KD_PRESENCE_LEFT, KD_PRESENCE_COUNT };
extern const char *const kd_presence_words[KD_PRESENCE_COUNT];

struct kd_hello_manifest {
    uint64_t epoch, n;
    struct kd_str digest; /* of the manifest's bytes; "" before the first one */
};

struct kd_hello_refused {
    uint64_t epoch, n;
    struct kd_str reason;
};

struct kd_hello {
    int state; /* enum kd_presence */
    struct kd_str session, store, enrolment;
    uint64_t start, connection;
    struct kd_hello_manifest manifest;
    struct kd_strs missing;
    struct kd_hello_refused *refused;
    struct kd_str inventory; /* digest */
};
extern const struct kd_json_shape kd_hello_shape;

struct kd_ack_row {
    struct kd_str uid;
    uint64_t sequence;
    struct kd_str refused;
};

struct kd_ack {
    struct kd_str session; /* the agent's: an ack of another session is not for it */
    struct {
        struct kd_ack_row *v;
        size_t n;
    } acks;
    struct kd_str refused; /* the whole agent: "unknown cluster" */
    struct kd_strs want;   /* "inventory" */
    bool left;
};
extern const struct kd_json_shape kd_ack_shape;

/** Retained, from the coordinator to all agents of a project. */
struct kd_coordinator {
    uint64_t epoch;
    struct kd_str session, report;
    uint64_t spread_s;
};
extern const struct kd_json_shape kd_coordinator_shape;

/** Retained by the coordinator for itself; not retained and with a probe, it asks whether everything before it was heard. */
struct kd_marker {
    uint64_t epoch, position;
    struct kd_str probe;
};
extern const struct kd_json_shape kd_marker_shape;

struct kd_inventory {
    struct kd_str agent_version, runtime, runtime_version, architecture, os;
    struct kd_strs features;
    struct kd_pairs labels; /* found on the edge */
    uint64_t cpus, memory_bytes;
};
extern const struct kd_json_shape kd_inventory_shape;

#endif
