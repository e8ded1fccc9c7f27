/** Config: the entries of ConfigMaps and Secrets. */
#ifndef AG_WORKLOAD_CONFIG_H
#define AG_WORKLOAD_CONFIG_H

#include "agent/workload/objects.h"

/** The entries of the ConfigMap or Secret of that name, sorted by key. Where there is none: nothing if `optional`, else the build
 *  fails, naming `user`. Returns whether it is there. */
bool ag_config_read(struct ag_build *b, struct kd_str user, enum ag_role role, struct kd_str namespace, struct kd_str name,
                    bool optional, struct ag_entries *ret);

/** The entry of that key, or NULL. */
const struct ag_entry *ag_config_find(const struct ag_entries *entries, struct kd_str key);

#endif
