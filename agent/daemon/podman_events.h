/** Podman's event stream on its Unix socket: what stopped, died or vanished, as soon as Podman knows it. Nothing else of Podman is used by
 *  the daemon. */
#ifndef AG_DAEMON_PODMAN_EVENTS_H
#define AG_DAEMON_PODMAN_EVENTS_H

#include <uv.h>

#include "shared/base/str.h"

struct ag_podman_events;

struct ag_podman_events_options {
    struct kd_str socket; /* path of the service's socket */
    struct kd_str project;
    /** Something of this deployment's application stopped, died or was removed; empty texts: events may have been missed. */
    void (*changed)(void *ctx, struct kd_str uid, struct kd_str app);
    /** The stream is up; Podman's version, "" if it does not say. */
    void (*up)(void *ctx, struct kd_str version);
    /** It ended, or could not be had; `why` is one line. Called once until it is up again; it is tried again by itself. */
    void (*down)(void *ctx, const char *why);
    void *ctx;
};

/** Starts listening; texts are copied. NULL when out of memory. A service that is not there is no failure. */
struct ag_podman_events *ag_podman_events_open(uv_loop_t *loop, const struct ag_podman_events_options *options);

/** Takes NULL, returns NULL. No callback comes after this; the memory is freed in the loop's next turns. */
struct ag_podman_events *ag_podman_events_close(struct ag_podman_events *events);

#endif
