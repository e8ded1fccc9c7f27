/** Asking a registry for a chart's digest, on a worker thread of the loop. */
#ifndef CO_SERVER_ASK_H
#define CO_SERVER_ASK_H

#include "coordinator/server/service.h"
#include "coordinator/server/settings.h"

#include <uv.h>

/** Called on the loop's thread, exactly once per question that was asked. The answer is a digest or a sentence. */
typedef void co_answer(void *ctx, uint64_t id, enum kd_code code, struct kd_str digest_or_reason);

/** Copies everything it needs. Credentials of the catalog win over those of the settings. */
void co_ask_registry(uv_loop_t *loop, const struct co_settings *settings, const struct co_lookup *lookup, co_answer *answer,
                     void *ctx);

#endif
