/** What this edge is: reported when the coordinator asks for it. */
#ifndef AG_DAEMON_INVENTORY_H
#define AG_DAEMON_INVENTORY_H

#include "agent/jobs/settings.h"

/** What a manifest or a document may require of this agent. */
extern const struct kd_strs ag_features;

/** Appends the inventory's JSON; `runtime_version` may be "". Labels of the settings that are none are left out: *ret_bad is the first. */
void ag_inventory_add(const struct ag_settings *settings, const char *runtime_version, struct kd_buf *out, struct kd_str *ret_bad);

#endif
