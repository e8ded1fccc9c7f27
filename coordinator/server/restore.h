/** A new epoch: what a coordinator must do after its store went back in time (docs/protocol.md, "After a restore"). */
#ifndef CO_SERVER_RESTORE_H
#define CO_SERVER_RESTORE_H

#include "coordinator/server/service.h"

/** Works on a service that is open and not connected; it must be closed and opened again afterwards.
 *
 *  Begins an epoch beyond everything that this store knows or heard of and beyond the clock: max(known + 1, Unix seconds). Every deployment
 *  is held: agents keep what they run until an operator resumes it. Removals that had not been done yet are dropped, because they may have
 *  been revoked after the backup: what they would have removed is reported as orphaned. The outbox is dropped, the status store emptied, so
 *  that everything is published anew and agents report everything again. */
KD_MUST_CHECK enum kd_code co_service_new_epoch(struct co_service *service, struct kd_err *err);

#endif
