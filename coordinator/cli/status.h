/** A deployment as operators see it: its state, and what each cluster says. */
#ifndef CT_STATUS_H
#define CT_STATUS_H

#include "coordinator/cli/call.h"

struct ct_progress {
    struct ct_view view;
    struct ct_cluster_page clusters; /* the first page */
};

/** Asks for both. */
KD_MUST_CHECK enum kd_code ct_progress_get(struct ct_call *call, struct kd_str name, struct kd_arena *arena,
                                           struct ct_progress *ret, struct kd_err *err);

/** Appends a head line and a table of clusters and applications. */
void ct_progress_show(const struct ct_call *call, const struct ct_progress *progress, struct kd_arena *arena, struct kd_buf *out);

/** Appends one line: "shop 1.1.0: updating, 1/2, 1 updating; edge-2/web: fetching …". */
void ct_progress_line(const struct ct_progress *progress, struct kd_arena *arena, struct kd_buf *out);

/** Waits until the deployment runs everywhere, showing what happens. CT_EXIT_TIMEOUT after the deadline, CT_EXIT_FAILED if it then
 *  is in error. */
enum ct_exit ct_await_running(struct ct_call *call, struct kd_str name);

/** The same until this deployment is gone from all clusters. */
enum ct_exit ct_await_gone(struct ct_call *call, struct kd_str name, struct kd_str uid);

#endif
