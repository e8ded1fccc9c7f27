/** Rollouts: from a deployment to what each cluster shall run. Charts are pinned, the document is made, clusters are targeted. */
#ifndef CO_SERVER_ROLLOUTS_H
#define CO_SERVER_ROLLOUTS_H

#include "coordinator/core/sums.h"
#include "coordinator/server/work.h"

/** A chart as it was pinned when the deployment was made. */
struct co_chart {
    struct kd_str registry; /* the registry's name */
    struct kd_str root_url, chart, version;
    struct kd_str digest; /* "" until the registry answered */
};

/** What became of one deployment (one uid); outlives it while it is terminating. */
struct co_rollout {
    struct kd_str name, uid;
    struct kd_ref document; /* digest "" before the first one is made */
    struct {
        struct co_chart *v;
        size_t n;
    } charts;
    struct kd_str waiting; /* what it waits for, "" if for nothing */
    bool terminating;
    struct kd_str last; /* terminating: the deployment as it was */
};
extern const struct kd_json_shape co_rollout_shape;

bool co_rollout_get(struct co_work *work, struct kd_str uid, struct co_rollout *ret);

/** The deployment was created or changed: pin what is missing, make the document if that is possible, place it. */
void co_rollout_advance(struct co_work *work, const struct kd_deployment *deployment);

/** The deployment was deleted: asks every cluster to remove it. */
void co_rollout_terminate(struct co_work *work, const struct kd_deployment *deployment);

/** A terminating rollout ends when no cluster has it any more. */
void co_rollout_may_end(struct co_work *work, struct kd_str uid);

/** A cluster was created, changed or sent away: deployments come and go there. */
void co_rollout_retarget(struct co_work *work, const struct kd_cluster *cluster);

/** A registry was created or changed: deployments that wait are looked at again. */
void co_rollout_retry_waiting(struct co_work *work);

/** A registry's answer for one chart of a deployment. */
void co_rollout_pinned(struct co_work *work, struct kd_str name, const struct co_chart *chart, enum kd_code code,
                       struct kd_str answer);

/** The view of the deployment of that uid has changed. */
void co_rollout_view_dirty(struct co_work *work, struct kd_str uid);

void co_sums_get(struct co_work *work, struct kd_str uid, struct co_sums *ret);

/* ---- lookups.c: questions to registries, kept in memory and asked again until they are answered ---- */
void co_lookup_want(struct co_work *work, struct kd_str deployment, const struct co_chart *chart);

#endif
