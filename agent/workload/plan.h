/** Plans: from rendered Kubernetes objects to what Podman shall run (docs/podman.md). Pure: equal input gives equal bytes.
 *
 *  A plan says everything: the bodies for Podman's create calls, the files that ConfigMaps and Secrets become, the order. It is
 *  made anew from the kept rendering whenever it is needed, so that nothing but the rendering has to be stored. */
#ifndef AG_WORKLOAD_PLAN_H
#define AG_WORKLOAD_PLAN_H

#include "shared/base/arena.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"

enum {
    AG_PLAN_DOCUMENTS_MAX = 2000,           /* Kubernetes objects in one rendering */
    AG_PLAN_REPLICAS_MAX = 64,              /* of one workload: an edge is one machine */
    AG_PLAN_ARENA_BYTES = 64 * 1024 * 1024, /* enough for any rendering below the limit, files included */
    AG_PODMAN_NAME_MAX = 180,               /* bytes of a name in Podman */
    AG_HASH_TEXT = 32,                      /* hex digits in the label kedge.hash */
};

/** What the names, labels and paths of a plan are made of. Texts are borrowed until ag_plan_make returns. */
struct ag_plan_context {
    struct kd_str project, deployment, uid;
    struct kd_str app, namespace, release;
    struct kd_str node;             /* spec.nodeName for the downward API; the cluster's name */
    struct kd_str files_dir;        /* absolute directory (mode 0700) below which ConfigMaps, Secrets and emptyDirs become files */
    struct kd_str default_registry; /* host[:port] for images without one; "": such images are refused */
};

/** A Kubernetes object that does not run here, and why. */
struct ag_skipped {
    struct kd_str kind, name, reason;
};

/** A directory that is mounted into containers. With files (ConfigMap, Secret): its path is named by its content, so that an
 *  existing one is never wrong. Without (emptyDir): made empty with its pod, removed with it. */
struct ag_file {
    struct kd_str path; /* below the directory; no "..", no "/" in front */
    struct kd_str content;
    unsigned mode;
};

struct ag_directory {
    struct kd_str path; /* absolute */
    unsigned mode;
    int64_t group; /* owner group of it and its files (fsGroup), -1: as made */
    struct {
        struct ag_file *v;
        size_t n;
    } files;
};

/** A persistent volume claim: a named volume of Podman. */
struct ag_volume {
    struct kd_str name;
    struct kd_str body; /* for libpod's volumes/create */
    bool keep;          /* outlives its application: of a volumeClaimTemplate, or helm.sh/resource-policy: keep */
};

/** A probe as Kubernetes describes it; kept in the plan, nothing runs it yet. */
enum ag_probe_kind { AG_PROBE_LIVENESS, AG_PROBE_READINESS, AG_PROBE_STARTUP, AG_PROBE_KIND_COUNT };
struct ag_probe {
    bool there;
    struct kd_str path, scheme, host; /* httpGet; scheme "" where it is not one */
    struct kd_strs exec;
    struct kd_str service; /* grpc */
    bool grpc;
    uint64_t port; /* httpGet, tcpSocket, grpc; 0: exec */
    uint64_t delay_s, period_s, timeout_s, successes, failures;
};

struct ag_container {
    struct kd_str title; /* its name in Kubernetes */
    struct kd_str name;  /* its name in Podman */
    struct kd_str image; /* with registry host */
    bool always_pull;
    bool never_pull;
    struct kd_str body; /* for libpod's containers/create; its last member is "labels" */
    struct ag_probe probes[AG_PROBE_KIND_COUNT];
};

struct ag_containers {
    struct ag_container *v;
    size_t n;
};

enum ag_restart { AG_RESTART_ALWAYS, AG_RESTART_ON_FAILURE, AG_RESTART_NEVER };

#define AG_HOOKS(X)                                                                                                                \
    X(NONE, "")                                                                                                                    \
    X(PRE_INSTALL, "pre-install") X(POST_INSTALL, "post-install") X(PRE_UPGRADE, "pre-upgrade") X(POST_UPGRADE, "post-upgrade")
#define AG_HOOK_AS_ENUM(id, word) AG_HOOK_##id,
#define AG_HOOK_AS_WORD(id, word) [AG_HOOK_##id] = word,
enum ag_hook { AG_HOOKS(AG_HOOK_AS_ENUM) AG_HOOK_COUNT };

/** One pod: one replica of a workload. Without init containers and with one container it is a plain container in Podman. */
struct ag_pod {
    struct kd_str object; /* "Deployment/web", as in the label kedge.kind */
    uint64_t ordinal;     /* 0 … replicas - 1 */
    struct kd_str hash;   /* of its whole specification, as in the label kedge.hash */
    struct kd_str name;   /* of the pod in Podman; "" for a plain container */
    struct kd_str body;   /* for libpod's pods/create; "" for a plain container */
    struct ag_containers inits, mains;
    struct {
        struct ag_directory *v;
        size_t n;
    } directories;
    enum ag_restart restart;
    bool job; /* runs to completion; a failed attempt is repeated up to backoff_limit times */
    uint64_t backoff_limit;
    bool surge;       /* its successor may run before it is stopped (Deployment with RollingUpdate, no host ports) */
    bool publishes;   /* it has host ports */
    uint64_t grace_s; /* terminationGracePeriodSeconds */
    unsigned hooks;   /* 1 << enum ag_hook, 0: an ordinary pod */
    int64_t hook_weight;
};

struct ag_pods {
    struct ag_pod *v;
    size_t n;
};

struct ag_plan {
    struct kd_str network;   /* of the project on this edge */
    struct kd_str files_dir; /* this application's own directory; its parents have mode 0700 */
    struct ag_pods pods;     /* in the order in which they are applied */
    struct ag_pods hooks;    /* by weight, then name; each runs where its `hooks` say so */
    struct {
        struct ag_volume *v;
        size_t n;
    } volumes;
    struct {
        struct ag_skipped *v;
        size_t n;
    } skipped;
};

/** Makes a plan. `documents`: one JSON text per Kubernetes object (Lists are flattened; hooks are told by their annotations; test
 *  hooks are left out). All texts of *ret lie in the arena, none is borrowed from the input.
 *  Failures name object and field ("Deployment/web: spec.template.spec.hostNetwork: …"), nothing is planned then:
 *  KD_UNSUPPORTED (a field that Podman cannot honour), KD_INVALID (not a Kubernetes object, wrong type, a ConfigMap that is not
 *  there), KD_TOO_LARGE (arena full, too many objects or replicas). */
KD_MUST_CHECK enum kd_code ag_plan_make(const struct ag_plan_context *context, struct kd_strs documents, struct kd_arena *arena,
                                        struct ag_plan *ret, struct kd_err *err);

/** Appends a plan as readable JSON (for tests and for people); contents of files are left out, as they may be secrets. */
void ag_plan_print(const struct ag_plan *plan, struct kd_buf *out);

#endif
