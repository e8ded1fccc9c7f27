/** The agent's decisions: what to fetch, apply, remove, retry and report (docs/protocol.md). Pure and without I/O: one event in, rows
 *  to store and wishes out.
 *
 *  A shell opens a core, loads every row that it has stored, and sends AG_STARTED. From then on, for each event: it calls
 *  ag_core_step, writes all rows of the answer in one transaction, and when that is committed carries out the wishes in their order.
 *  It may die between any two of these: a core that is loaded again from what was committed ends in the same state. Nothing is
 *  wished for twice because an answer is outstanding, so what a shell cannot do (no connection, a program that is not there) it says by
 *  an event, or the core's own timers come back to it. */
#ifndef AG_CORE_CORE_H
#define AG_CORE_CORE_H

#include "agent/jobs/job.h"
#include "shared/base/time.h"
#include "shared/model/messages.h"

struct ag_core;

struct ag_core_options {
    struct kd_str project, cluster;
    struct kd_strs features;    /* what this agent has of what `requires` may name */
    int64_t hello_us;           /* the hello interval, e.g. 3,600 s */
    int64_t observe_us;         /* between two observations of everything, as a safety net, e.g. 600 s */
    int64_t prepare_us;         /* deadline of a prepare job */
    int64_t apply_us;           /* deadline of an apply job whose document names no timeout */
    int64_t remove_us;          /* deadline of a remove job */
    int64_t observing_us;       /* deadline of an observe job */
    unsigned jobs;              /* prepare jobs at once, and as many apply and remove jobs at once; at least 1 */
    int64_t duplicate_least_us; /* waited after the session was taken over: a random time between the two (1 to 10 minutes) */
    int64_t duplicate_most_us;
};

/** Options with the usual times; project and cluster are to be set. */
struct ag_core_options ag_core_defaults(void);

/* ---- what is kept ---- */

/** A table per kind of row. Keys are texts; values are bytes, up to KD_PAYLOAD_MAX and a little more. */
enum ag_table {
    AG_TABLE_AGENT,    /* "agent": store id, counter of starts, enrolment */
    AG_TABLE_MANIFEST, /* "manifest": its bytes as they were accepted */
    AG_TABLE_UNIT,     /* uid: one deployment instance and its applications */
    AG_TABLE_DOCUMENT, /* hex digest: documents, lists and their parts; the core keeps these in memory as well */
    AG_TABLE_BLOB,     /* hex digest: values and their parts; only the shell keeps them, for AG_JOB */
    AG_TABLE_COUNT
};

/** A row to put, or to delete (value.p is NULL). */
struct ag_row {
    enum ag_table table;
    struct kd_str key, value;
};

/* ---- events ---- */

enum ag_event_kind {
    AG_STARTED,         /* text: the session, 32 random hex digits, new at each start. Once, after the rows */
    AG_CONNECTED,       /* the shell subscribes itself to manifest, coordinator and ack before it says so */
    AG_DISCONNECTED,    /* reason: the MQTT reason code of the end, 0 if it had none */
    AG_COORDINATOR,     /* payload */
    AG_MANIFEST,        /* payload; an empty one means nothing */
    AG_OBJECT,          /* text: the 64 hex digits of the topic; payload */
    AG_ACK,             /* payload */
    AG_JOB_ENDED,       /* job, result. A job that could not be started or was killed ends as well, with ok false */
    AG_RUNTIME_CHANGED, /* text: uid, app: application, of what stopped, died or vanished; both empty: unknown, look at everything */
    AG_INVENTORY,       /* payload: the inventory's JSON, at the start and when it changes */
    AG_DUE,             /* the time of the last AG_WAKE has come */
    AG_EVENT_COUNT
};

struct ag_event {
    enum ag_event_kind kind;
    struct kd_mono now; /* never goes back */
    uint64_t chance;    /* random, new for each event */
    struct kd_str text, app, payload;
    int reason;
    uint64_t job;
    const struct ag_job_result *result;
};

/* ---- wishes ---- */

enum ag_wish_kind {
    AG_SUBSCRIBE,       /* to the object with this digest; only while connected, all again after AG_CONNECTED */
    AG_UNSUBSCRIBE,     /* digest */
    AG_PUBLISH,         /* topic, deployment (for a status), payload; only while connected */
    AG_JOB,             /* job, request; values: see below */
    AG_KILL,            /* job: end it; it ends with AG_JOB_ENDED as every job */
    AG_WAKE,            /* at: send AG_DUE then; replaces an earlier one; KD_NEVER for not at all */
    AG_LOG,             /* level, event, text: one line for people */
    AG_RECONNECT_AFTER, /* delay_us: end the connection if there is one, make the next attempt after this time */
    AG_WISH_COUNT
};

enum ag_topic { AG_TOPIC_HELLO, AG_TOPIC_STATUS, AG_TOPIC_INVENTORY };
enum ag_level { AG_LEVEL_ERROR, AG_LEVEL_WARNING, AG_LEVEL_NOTICE, AG_LEVEL_INFO };

/** What one of the request's values is made of: the blobs with these hex digests, one after the other. */
struct ag_value {
    struct kd_strs blobs;
};

struct ag_wish {
    enum ag_wish_kind kind;
    struct kd_str digest; /* 64 hex digits */
    enum ag_topic topic;
    struct kd_str deployment, payload;
    uint64_t job;                         /* unique within a session */
    const struct ag_job_request *request; /* a prepare request's values are empty: the shell fills them from `values` */
    struct {
        struct ag_value *v;
        size_t n;
    } values; /* of request->apps.v[0], in the order in which Helm gets them */
    struct kd_mono at;
    int64_t delay_us;
    enum ag_level level;
    const char *event;  /* a stable word: "manifest.accepted" */
    struct kd_str text; /* key=value pairs */
};

/** The answer to one event. Borrowed from the core until its next step. */
struct ag_step {
    struct {
        struct ag_row *v;
        size_t n;
    } rows;
    struct {
        struct ag_wish *v;
        size_t n;
    } wishes;
};

/* ---- the core ---- */

/** Copies the options. NULL when out of memory. */
struct ag_core *ag_core_open(const struct ag_core_options *options);

/** Takes NULL, returns NULL. */
struct ag_core *ag_core_close(struct ag_core *core);

/** One stored row, before AG_STARTED, in any order. KD_INVALID: the row is damaged and was left out (the deployment in it is found again
 *  by its labels, an object is fetched again); the shell says so and goes on. */
KD_MUST_CHECK enum kd_code ag_core_load(struct ag_core *core, enum ag_table table, struct kd_str key, struct kd_str value,
                                        struct kd_err *err);

/** Never fails; what an event asks for that cannot be accepted is a wish to log, or a refusal in the next hello. */
void ag_core_step(struct ag_core *core, const struct ag_event *event, struct ag_step *ret);

/** The will for the next connection: the hello with state offline, numbered as the next AG_CONNECTED will be. */
void ag_core_will(const struct ag_core *core, struct kd_buf *out);

/** New intervals and deadlines; the names stay. */
void ag_core_reload(struct ag_core *core, const struct ag_core_options *options);

/* ---- what tests look at ---- */

/** The version of the manifest that the core holds; zeros before the first. */
struct kd_version ag_core_version(const struct ag_core *core);

/** True if nothing is left to do: no job runs, and every deployment runs what is wanted, is kept, or is removed and acknowledged. */
bool ag_core_is_settled(const struct ag_core *core);

/** Calls `see` with the status of every deployment as it would be reported now; borrowed for the call. */
void ag_core_statuses(const struct ag_core *core, struct kd_mono now, void (*see)(void *ctx, const struct kd_status *status),
                      void *ctx);

#endif
