/** The coordinator's stores on disk: opened by one process, backed up while they are in use, replaced by a backup. */
#ifndef CO_SERVER_STORES_H
#define CO_SERVER_STORES_H

#include "coordinator/server/service.h"

struct co_stores {
    struct kd_store *spec, *status;
    int lock; /* descriptor that holds the lock; -1: none */
};

/** Opens both below `directory`, which is made if it is not there. KD_UNAVAILABLE where another process has them. */
KD_MUST_CHECK enum kd_code co_stores_open(struct kd_str directory, int64_t bytes, struct co_stores *ret, struct kd_err *err);
void co_stores_close(struct co_stores *stores);

/** Writes a consistent copy of the spec store to a new file; the coordinator may run. */
KD_MUST_CHECK enum kd_code co_stores_backup(struct kd_str directory, const char *file, struct kd_err *err);

/** Puts the backup in the place of the spec store, in a new epoch, and empties the status store. The coordinator may not run. A crash leaves
 *  either the old store or the new one. */
KD_MUST_CHECK enum kd_code co_stores_restore(struct kd_str directory, int64_t bytes, const char *file,
                                             const struct co_service_options *options, struct kd_err *err);

/** Begins a new epoch in the stores as they are. The coordinator may not run. */
KD_MUST_CHECK enum kd_code co_stores_new_epoch(struct kd_str directory, int64_t bytes, const struct co_service_options *options,
                                               struct kd_err *err);

#endif
