/** Runtimes: one table of functions per back end; a job never asks which one it has.
 *
 *  Calls block and may take as long as the host's deadline allows. Each is level-triggered: asked twice, it does nothing the
 *  second time. */
#ifndef AG_RUNTIME_RUNTIME_H
#define AG_RUNTIME_RUNTIME_H

#include "agent/jobs/job.h"
#include "shared/base/time.h"

/** How one registry is reached (the agent's settings). */
struct ag_registry_access {
    struct kd_str host; /* host[:port] as in image references */
    struct kd_str username, password;
    bool plain_http;
};

/** What a job gives to its runtime. Texts are terminated and outlive the call. */
struct ag_host {
    struct kd_str project;
    struct kd_str node;             /* the cluster's name */
    struct kd_str socket;           /* path of Podman's Unix socket */
    struct kd_str files_dir;        /* absolute, e.g. /var/lib/kedge/agent/files: ConfigMaps, Secrets and emptyDirs as files */
    struct kd_str default_registry; /* for images without a registry's host; "": they are refused */
    struct {
        struct ag_registry_access *v;
        size_t n;
    } registries;
    struct kd_mono deadline; /* CLOCK_BOOTTIME: by then every call has returned */
};

/** An application and its rendering: one JSON text per Kubernetes object, as `helm template` gave them (hooks included). */
struct ag_runtime_app {
    const struct ag_job_app *app;
    struct kd_strs documents;
};

/** Finds the kept rendering of an application for observe; KD_NOT_FOUND where none is kept. */
typedef enum kd_code ag_rendering_of(void *ctx, const struct ag_job_app *app, struct kd_arena *arena, struct kd_strs *ret,
                                     struct kd_err *err);

/** What was found; rows and texts lie in `arena`. */
struct ag_runtime_found {
    struct kd_arena *arena;
    struct {
        struct ag_job_found *v;
        size_t n;
    } rows;
};

struct ag_runtime {
    const char *name;

    /** Checks that the rendering can run here and fetches its images; changes nothing that runs. One row: names and skipped. */
    enum kd_code (*prepare)(const struct ag_host *host, const struct ag_runtime_app *app, struct ag_runtime_found *ret,
                            struct kd_err *err);

    /** Makes what runs equal to the rendering; app->run_hooks and app->upgrade say which hooks run. One row: what runs then. Also
     *  where it fails, *ret may be used (rows.n may be 0). */
    enum kd_code (*apply)(const struct ag_host *host, const struct ag_runtime_app *app, struct ag_runtime_found *ret,
                          struct kd_err *err);

    /** Removes everything that carries one of app->uids: of the application app->name, or of the whole deployment where it is "". */
    enum kd_code (*remove)(const struct ag_host *host, const struct ag_job_app *app, struct kd_err *err);

    /** A row per known application, and one per (uid, application) that was found by its labels only (key "", state differs). */
    enum kd_code (*observe)(const struct ag_host *host, const struct ag_job_app *apps, size_t n, ag_rendering_of *rendering,
                            void *rendering_ctx, struct ag_runtime_found *ret, struct kd_err *err);
};

extern const struct ag_runtime ag_runtime_podman;

/** The runtime of that name, NULL if there is none. */
const struct ag_runtime *ag_runtime_of(struct kd_str name);

#endif
