/** Things that are shown again whenever they change: drawn in place on a terminal, one line per change elsewhere. */
#ifndef CT_WATCH_H
#define CT_WATCH_H

#include "coordinator/cli/call.h"

/** Watches one thing, or all of a kind (an empty name), in the format that was asked for. `body` is that of the
 *  list request. Ends only with a failure. */
enum ct_exit ct_watch(struct ct_call *call, const struct ct_kind *kind, const struct ct_name *name, struct kd_str body);

#endif
