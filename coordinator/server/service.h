/** The coordinator without its shell: it takes batches of messages, works in two stores, and says what to send. It knows no socket, no
 *  clock and no chance of its own, so that the simulation runs exactly this code.
 *
 *  One write transaction per batch of arrived messages; replies and acknowledgements leave after its commit. What must be published as a
 *  consequence is in the outbox, written in the same transaction, and is published in order until the broker has it. */
#ifndef CO_SERVER_SERVICE_H
#define CO_SERVER_SERVICE_H

#include "shared/base/time.h"
#include "shared/model/topic.h"
#include "shared/store/store.h"

struct co_service;

struct co_message {
    struct kd_str topic, payload, response_topic, correlation;
    bool retain;
};

/** What to send. token 0: no `published` is wanted. All borrowed for the call. */
struct co_publish {
    struct kd_str topic, payload, correlation;
    bool retain;
    uint64_t token;
};

/** One chart whose digest a registry shall name. All borrowed for the call. */
struct co_lookup {
    uint64_t id;
    struct kd_str root_url, user_name, auth_token, ca_certs;
    struct kd_str chart, version;
};

/** What the shell does for the service. */
struct co_service_ops {
    /** True if it was taken; false: no connection, or too much in flight. */
    bool (*publish)(void *ctx, const struct co_publish *message);
    /** How many publishes would be taken now. */
    size_t (*room)(void *ctx);
    /** A subscription for the time of a repair; on = false ends it. */
    void (*subscribe)(void *ctx, struct kd_str filter, bool on);
    /** Asks a registry; the answer comes as co_service_resolved with the same id. */
    void (*resolve)(void *ctx, const struct co_lookup *lookup);
    struct kd_mono (*now)(void *ctx);
    struct kd_wall (*wall)(void *ctx);
    uint64_t (*chance)(void *ctx);
    /** level as syslog's; event is a stable word. */
    void (*log)(void *ctx, int level, const char *event, const char *text);
};

struct co_service_options {
    struct kd_str project;
    int64_t hello_interval_us, grace_us;
    uint64_t spread_s;
    int64_t object_keep_us; /* how long an object that nothing names stays on the broker: a day */
};

/** Opens over two stores (which it does not own). Fails with KD_UNAVAILABLE where they cannot be written. */
KD_MUST_CHECK enum kd_code co_service_open(const struct co_service_options *options, struct kd_store *spec, struct kd_store *status,
                                           const struct co_service_ops *ops, void *ctx, struct co_service **ret,
                                           struct kd_err *err);
struct co_service *co_service_close(struct co_service *service);

/** New values for what may change while it runs: intervals and spread. */
void co_service_reload(struct co_service *service, const struct co_service_options *options);

/** The subscriptions of a connection, one after the other: NULL after the last. Borrowed until the next call. */
struct kd_str co_service_filter(struct co_service *service, size_t i);

/** The connection is there and everything is subscribed; the other way round. */
void co_service_connected(struct co_service *service);
void co_service_disconnected(struct co_service *service);

/** Messages that arrived, in order. */
void co_service_batch(struct co_service *service, const struct co_message *messages, size_t n);

/** The broker's answer to a publish with a token; reason ≥ 0x80 is a refusal. */
void co_service_published(struct co_service *service, uint64_t token, int reason);

/** A registry's answer: code KD_OK with a digest, or why not. */
void co_service_resolved(struct co_service *service, uint64_t id, enum kd_code code, struct kd_str digest_or_reason);

/** Does what is due, and says when to call it again at the latest. */
struct kd_mono co_service_tick(struct co_service *service);

/** Numbers for logs and tests. */
struct co_service_counts {
    uint64_t batches, messages, requests, replies, acks, published, parked, refused_messages, commits, commit_failures;
};
struct co_service_counts co_service_counts(const struct co_service *service);

#endif
