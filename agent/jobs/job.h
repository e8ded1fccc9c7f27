/** Jobs: what kedge-agent asks kedge-agent-job to do, and what it answers (docs/architecture.md, "Jobs are processes").
 *
 *  A request is one JSON object on standard input, the result one JSON object on standard output. A job does one thing and ends.
 *  Every job is level-triggered: asked twice, it does nothing the second time. */
#ifndef AG_JOBS_JOB_H
#define AG_JOBS_JOB_H

#include "shared/model/json.h"

/** prepare: fetch the chart, render it, translate it, fetch the images; changes nothing that runs.
 *  apply:   make what runs equal to the prepared plan (create, replace, start, remove what is no longer in it).
 *  remove:  remove everything that carries one of the uids (one application, or all of them).
 *  observe: say what runs on this edge, compared with the kept plans. */
#define AG_JOB_KINDS(X)          X(PREPARE, "prepare") X(APPLY, "apply") X(REMOVE, "remove") X(OBSERVE, "observe")
#define AG_JOB_AS_ENUM(id, word) AG_JOB_##id,
enum ag_job_kind { AG_JOB_KINDS(AG_JOB_AS_ENUM) AG_JOB_KIND_COUNT };

const char *ag_job_kind_word(enum ag_job_kind kind);

enum {
    AG_JOB_REQUEST_MAX = 24 * 1024 * 1024, /* bytes: an application's values (4 MB each) as JSON text */
    AG_JOB_RESULT_MAX = 1024 * 1024,       /* bytes */
    AG_JOB_APPS_MAX = 512,                 /* applications in one observe */
    AG_JOB_TEXT_MAX = 512,                 /* bytes of a message, a kind, a name, a reason in a result */
};

struct ag_job_chart {
    struct kd_str registry; /* root URL: oci://host[:port]/path, https://… */
    struct kd_str name, version;
    struct kd_str digest; /* sha256:<64 hex> of the OCI manifest: what the coordinator pinned */
};

/** One application of one deployment on this edge. */
struct ag_job_app {
    struct kd_str deployment, uid; /* the deployment's name and uid */
    struct kd_strs uids;           /* uid, and uids that it adopted: objects that carry any of them are its own */
    struct kd_str name, namespace; /* the application, its Kubernetes namespace */
    struct kd_str release;         /* Helm's release name, fixed for the application's life */
    struct kd_str key;             /* 64 hex: SHA-256 over all that the rendering depends on; names the kept rendering */
    struct ag_job_chart chart;     /* prepare */
    struct kd_strs values;         /* prepare: YAML texts in the order in which Helm gets them */
    bool upgrade;                  /* prepare: another version was applied before (helm template --is-upgrade);
                                      apply: run upgrade hooks, not install hooks */
    bool run_hooks;                /* apply: this key is applied for the first time; false when repairing */
};

struct ag_job_request {
    int kind;              /* enum ag_job_kind */
    struct kd_str project; /* part of every name */
    uint64_t deadline_ms;  /* the job ends itself by then; the daemon kills it shortly afterwards */
    struct {
        struct ag_job_app *v;
        size_t n;
    } apps; /* prepare, apply: exactly one; remove: one (name "" is the whole deployment); observe: those that are compared with their plans */
};

/** What runs of one application, in words of docs/protocol.md, "Status". */
enum ag_found {
    AG_FOUND_UNKNOWN,
    AG_FOUND_RUNNING,
    AG_FOUND_DEGRADED,
    AG_FOUND_DOWN,
    AG_FOUND_FAILED,
    AG_FOUND_DIFFERS,
    AG_FOUND_GONE,
    AG_FOUND_COUNT
};
/* unknown: the plan of that key is not kept any more (prepare again); running: all as planned and started (Jobs completed);
 * degraded: some replicas are not running; down: none is; failed: a Job used up its attempts;
 * differs: something of the plan is missing or is not as planned (apply would change it); gone: nothing exists. */

struct ag_job_skipped {
    struct kd_str kind, name, reason; /* a Kubernetes object that cannot run here */
};

struct ag_job_found {
    struct kd_str uid, deployment, app, namespace, release;
    struct kd_str key;     /* the key under which it was asked for; "" for what was found by its labels only */
    int state;             /* enum ag_found */
    struct kd_str message; /* one readable sentence where it is not running, "" otherwise; at most 512 bytes */
    uint64_t ready, total; /* pods */
    struct {
        struct ag_job_skipped *v;
        size_t n;
    } skipped;
};

struct ag_job_result {
    bool ok;
    struct {
        int code;              /* enum kd_code */
        struct kd_str message; /* one sentence a person can act on; no secrets */
    } error;                   /* where !ok */
    struct {
        struct ag_job_found *v;
        size_t n;
    } found; /* prepare: one row with `skipped`; apply: one row; observe: a row per known application and per unknown one found */
};

/** Decode and encode; failures as kd_json_decode. */
KD_MUST_CHECK enum kd_code ag_job_request_decode(struct kd_str json, struct kd_arena *arena, struct ag_job_request *ret,
                                                 struct kd_err *err);
void ag_job_request_encode(const struct ag_job_request *request, struct kd_buf *out);
KD_MUST_CHECK enum kd_code ag_job_result_decode(struct kd_str json, struct kd_arena *arena, struct ag_job_result *ret,
                                                struct kd_err *err);
void ag_job_result_encode(const struct ag_job_result *result, struct kd_buf *out);

#endif
