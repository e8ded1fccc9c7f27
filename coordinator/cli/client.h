/** A client of its own for one run of a command: requests and their replies, and retained states to watch.
 *
 *  Calls block until they are done, by running the loop. A request keeps its id however often it must be sent: a coordinator that
 *  has carried it out answers with the same reply. */
#ifndef CT_CLIENT_H
#define CT_CLIENT_H

#include "coordinator/cli/settings.h"
#include "shared/base/time.h"

struct ct_client;

/** Connects and subscribes to the replies. KD_UNAVAILABLE: no connection within 2 s if attempts fail, within 10 s if nothing
 *  answers, or within the timeout if that is less. */
KD_MUST_CHECK enum kd_code ct_client_open(const struct ct_settings *settings, struct ct_client **ret, struct kd_err *err);
struct ct_client *ct_client_close(struct ct_client *client);

/** True if the last failure was that there is no connection to the broker. */
bool ct_client_is_lost(const struct ct_client *client);

/** Sends a request; `body` is a JSON object without id. *ret_result is the result as compact JSON, in the arena.
 *  Fails with the coordinator's error (err->field is the path in the request), KD_TIMEOUT (no reply before the deadline),
 *  KD_UNAVAILABLE (no connection), KD_FORBIDDEN (the broker refused it). */
KD_MUST_CHECK enum kd_code ct_client_call(struct ct_client *client, const char *kind, const char *verb, struct kd_str body,
                                          struct kd_mono deadline, struct kd_arena *arena, struct kd_str *ret_result,
                                          struct kd_err *err);

/** Called while the loop runs, with borrowed slices; must not call the client. An empty payload: there is none any more. */
typedef void ct_on_state(void *ctx, struct kd_str topic, struct kd_str payload);

/** Watches the states of a topic filter below kedge/v1/<project>/state/ ("deployment/+"), again after each connect. One at a
 *  time. `on_state` is called from within ct_client_call and ct_client_turn. */
void ct_client_watch(struct ct_client *client, const char *filter, ct_on_state *on_state, void *ctx);

/** Runs the loop until something happened or the deadline is there. */
void ct_client_turn(struct ct_client *client, struct kd_mono deadline);

/** How many connections there were: a watcher asks for lists again when it grows. */
unsigned ct_client_connections(const struct ct_client *client);

/** The deadline of a request that begins now. */
struct kd_mono ct_client_deadline(const struct ct_client *client);

#endif
