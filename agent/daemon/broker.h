/** The agent's topics at the broker: what arrives becomes events of the core, what the core says goes out. */
#ifndef AG_DAEMON_BROKER_H
#define AG_DAEMON_BROKER_H

#include <uv.h>

#include "agent/core/core.h"
#include "agent/jobs/settings.h"

struct ag_broker;

struct ag_broker_ops {
    /** AG_CONNECTED, AG_DISCONNECTED, AG_COORDINATOR, AG_MANIFEST, AG_OBJECT or AG_ACK, without time and chance. */
    void (*event)(void *ctx, const struct ag_event *event);
    /** Appends the will for the next connection. */
    void (*will)(void *ctx, struct kd_buf *out);
};

/** Starts connecting. KD_INVALID: the settings are not what a broker needs; KD_NOT_FOUND: there is no such password file. `ops` and
 *  `ctx` live until the close. */
KD_MUST_CHECK enum kd_code ag_broker_open(uv_loop_t *loop, const struct ag_settings *settings, const struct ag_broker_ops *ops,
                                          void *ctx, struct ag_broker **ret, struct kd_err *err);

/** Sets the will; before the loop runs for the first time. Later connections get theirs by themselves. */
void ag_broker_will(struct ag_broker *broker);

/** Says goodbye with the will. Takes NULL, returns NULL; the loop runs once more afterwards. */
struct ag_broker *ag_broker_close(struct ag_broker *broker);

/** What cannot be sent now is not sent: the core says it again. */
void ag_broker_publish(struct ag_broker *broker, enum ag_topic topic, struct kd_str deployment, struct kd_str payload);

/** Objects by their hex digests: subscribes to them, or (`on` false) not any more. */
void ag_broker_objects(struct ag_broker *broker, const struct kd_str *digests, size_t n, bool on);

void ag_broker_reconnect_after(struct ag_broker *broker, int64_t delay_us);

#endif
