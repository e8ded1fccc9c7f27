/** What the clusters of a deployment sum up to. Pure; the counters are kept incrementally by the server. */
#ifndef CO_CORE_SUMS_H
#define CO_CORE_SUMS_H

#include "shared/model/messages.h"

/** How many clusters of one deployment are in which state (by their last known status), and how many of them are offline. */
struct co_sums {
    uint64_t count[KD_APP_STATE_COUNT];
    uint64_t total, offline;
};

/** The words for operators: those of the platform that Kedge replaces. */
#define CO_DEPLOYMENT_STATES(X)                                                                                                    \
    X(UNKNOWN, "unknown")                                                                                                          \
    X(RUNNING, "running")                                                                                                          \
    X(DOWN, "down")                                                                                                                \
    X(INTERNAL_ERROR, "internal-error")                                                                                            \
    X(DEPLOYING, "deploying")                                                                                                      \
    X(UPDATING, "updating")                                                                                                        \
    X(TERMINATING, "terminating")                                                                                                  \
    X(ERROR, "error")                                                                                                              \
    X(NO_TARGET_CLUSTERS, "no-target-clusters")
#define CO_DEPLOYMENT_AS_ENUM(id, word) CO_DEPLOYMENT_##id,
enum co_deployment_word { CO_DEPLOYMENT_STATES(CO_DEPLOYMENT_AS_ENUM) CO_DEPLOYMENT_WORD_COUNT };

/** Groups of states as an operator's summary shows them. */
enum co_group {
    CO_GROUP_RUNNING,
    CO_GROUP_DOWN,
    CO_GROUP_DEPLOYING,
    CO_GROUP_UPDATING,
    CO_GROUP_ERROR,
    CO_GROUP_UNKNOWN,
    CO_GROUP_COUNT
};

/** The state that a cluster counts as: what it reported, seen against the document that it shall run.
 * @param wanted  digest of the deployment document
 * @param status  its last status, NULL if there was none */
enum kd_app_state co_cluster_state(struct kd_str wanted, const struct kd_status *status);

enum co_group co_group_of(enum kd_app_state state);

uint64_t co_sums_group(const struct co_sums *sums, enum co_group group);

/** The word for a deployment. `waiting`: it waits for something itself (a registry). */
enum co_deployment_word co_deployment_word(const struct co_sums *sums, bool waiting, bool terminating);

const char *co_deployment_word_text(enum co_deployment_word word);

#endif
