/** What operators were promised, and what they allowed: compared with the coordinator's stores. */
#include "coordinator/server/tables.h"
#include "shared/base/own.h"
#include "shared/model/catalog.h"
#include "tests/sim/sim.h"

#include <stdio.h>

/* ---- reading the stores ---- */

static unsigned sim_number(struct kd_str text, const char *before)
{
    uint64_t n = 0;
    ptrdiff_t at = kd_str_find(text, kd_str(before));
    if (at < 0)
        return 0;
    struct kd_str digits = { text.p + (size_t)at + strlen(before), 0 };
    while (digits.p + digits.n < text.p + text.n && digits.p[digits.n] >= '0' && digits.p[digits.n] <= '9')
        digits.n++;
    return kd_str_u64(digits, &n) ? (unsigned)n : 0;
}

static void sim_deployment_read(const struct kd_deployment *document, struct sim_deployment *ret)
{
    (void)kd_str_copy(document->name, ret->name, sizeof ret->name);
    (void)kd_str_copy(document->meta.uid, ret->uid, sizeof ret->uid);
    ret->exists = true;
    ret->hold = document->hold;
    ret->version = sim_number(document->package.version, "1.");
    for (size_t i = 0; i < document->targets.n; i++) {
        const struct kd_target *target = &document->targets.v[i];
        if (target->cluster.n)
            ret->named = 1 + sim_number(target->cluster, "c");
        else if (target->labels.n)
            ret->groups |= 1U << sim_number(target->labels.v[0].value, "g");
    }
    if (document->overrides.n)
        ret->flavour = sim_number(document->overrides.v[0].values, ":");
}

static void sim_read_deployments(struct kd_txn *txn, struct sim_model *ret)
{
    struct kd_scan scan = kd_scan_prefix(CO_DEPLOYMENT, KD_STR("default/"));
    while (kd_scan_next(txn, &scan)) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_DOCUMENT_MAX);
        struct kd_deployment document;
        if (kd_json_decode(&kd_deployment_shape, scan.value, &arena, &document, NULL) == KD_OK)
            sim_deployment_read(&document, &ret->deployments[sim_number(document.name, "d") % SIM_DEPLOYMENTS]);
    }
}

static void sim_read_clusters(struct kd_txn *txn, struct sim_model *ret)
{
    struct kd_scan scan = kd_scan_prefix(CO_CLUSTER, KD_STR("default/"));
    while (kd_scan_next(txn, &scan)) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_DOCUMENT_MAX);
        struct kd_cluster document;
        if (kd_json_decode(&kd_cluster_shape, scan.value, &arena, &document, NULL) != KD_OK)
            continue;
        struct sim_cluster *cluster = &ret->clusters[sim_number(document.name, "c") % SIM_EDGES];
        cluster->exists = true;
        cluster->leave = document.leave;
        cluster->group = document.labels.n ? sim_number(document.labels.v[0].value, "g") : 0;
    }
}

static void sim_stores_read(struct sim *sim, struct sim_model *ret)
{
    struct kd_txn *txn;
    struct kd_str ignored;
    *ret = (struct sim_model){ .catalog = false };
    if (kd_txn_begin(sim->center.spec, false, &txn, NULL) != KD_OK)
        abort();
    ret->catalog = kd_txn_get(txn, CO_PACKAGE, KD_STR("default/shop/1.0.0"), &ignored);
    sim_read_deployments(txn, ret);
    sim_read_clusters(txn, ret);
    kd_txn_abort(txn);
}

void sim_model_read(struct sim *sim)
{
    struct sim_model *model = &sim->model, read;
    sim_stores_read(sim, &read);
    kd_map_clear(&model->allowed); /* a restore drops all removals */
    read.allowed = (struct kd_map)KD_MAP(1);
    *model = read;
    for (size_t i = 0; i < SIM_DEPLOYMENTS; i++)
        (void)snprintf(model->deployments[i].name, sizeof model->deployments[i].name, "d%zu", i);
}

/* ---- comparing ---- */

static bool sim_same_deployment(const struct sim_deployment *a, const struct sim_deployment *b)
{
    return a->exists == b->exists &&
           (!a->exists || (strcmp(a->uid, b->uid) == 0 && a->version == b->version && a->groups == b->groups &&
                           a->named == b->named && a->flavour == b->flavour && a->hold == b->hold));
}

void sim_model_check(struct sim *sim)
{
    struct sim_model stored;
    sim_stores_read(sim, &stored);
    for (size_t i = 0; i < SIM_DEPLOYMENTS; i++) {
        const struct sim_deployment *promised = &sim->model.deployments[i], *is = &stored.deployments[i];
        if (!promised->busy && !sim_same_deployment(promised, is))
            sim_fail(sim,
                     "an acknowledged request is lost: d%zu was promised as exists=%d uid=%s version=%u groups=%x named=%u "
                     "flavour=%u hold=%d, it is exists=%d uid=%s version=%u groups=%x named=%u flavour=%u hold=%d",
                     i, promised->exists, promised->uid, promised->version, promised->groups, promised->named, promised->flavour,
                     promised->hold, is->exists, is->uid, is->version, is->groups, is->named, is->flavour, is->hold);
    }
    for (size_t i = 0; i < SIM_EDGES; i++) {
        const struct sim_cluster *promised = &sim->model.clusters[i], *is = &stored.clusters[i];
        bool same = promised->exists == is->exists &&
                    (!is->exists || (promised->group == is->group && promised->leave == is->leave));
        if (!promised->busy && sim->model.catalog && !same)
            sim_fail(sim, "an acknowledged request is lost: c%02zu was promised as exists=%d group=%u leave=%d, it is %d %u %d", i,
                     promised->exists, promised->group, promised->leave, is->exists, is->group, is->leave);
    }
}

/* ---- what may be removed ---- */

bool sim_targets(const struct sim_deployment *deployment, unsigned cluster, const struct sim_cluster *document)
{
    return deployment->exists && document->exists && !document->leave &&
           ((deployment->groups >> document->group & 1) || deployment->named == cluster + 1);
}

static struct kd_str sim_pair(unsigned cluster, const char *uid, char *ret, size_t cap)
{
    return (struct kd_str){ ret, (size_t)snprintf(ret, cap, "c%02u/%s", cluster, uid) };
}

void sim_allow(struct sim *sim, unsigned cluster, const char *uid)
{
    char pair[64];
    (void)kd_map_put(&sim->model.allowed, sim_pair(cluster, uid, pair, sizeof pair));
}

void sim_allow_all(struct sim *sim, const char *uid)
{
    for (unsigned i = 0; i < SIM_EDGES; i++)
        sim_allow(sim, i, uid);
}

void sim_allow_deployment(struct sim *sim, const struct sim_deployment *deployment)
{
    for (unsigned i = 0; i < SIM_EDGES; i++)
        if (!sim_targets(deployment, i, &sim->model.clusters[i]))
            sim_allow(sim, i, deployment->uid);
}

void sim_allow_new(struct sim *sim, const struct sim_deployment *deployment)
{
    sim_allow_deployment(sim, deployment);
    for (unsigned i = 0; i < SIM_EDGES; i++)
        if (sim->model.clusters[i].busy)
            sim_allow(sim, i, deployment->uid);
}

void sim_allow_cluster(struct sim *sim, unsigned cluster, const struct sim_cluster *document)
{
    for (unsigned i = 0; i < SIM_DEPLOYMENTS; i++)
        if (!sim_targets(&sim->model.deployments[i], cluster, document))
            sim_allow(sim, cluster, sim->model.deployments[i].uid);
}

/** What is wanted again, and nobody is about to change, may not be removed any more. */
void sim_revoke(struct sim *sim, int deployment_only, int cluster_only)
{
    char pair[64];
    for (unsigned d = 0; d < SIM_DEPLOYMENTS; d++)
        for (unsigned c = 0; c < SIM_EDGES; c++) {
            if ((deployment_only >= 0 && d != (unsigned)deployment_only) || (cluster_only >= 0 && c != (unsigned)cluster_only))
                continue;
            const struct sim_deployment *deployment = &sim->model.deployments[d];
            const struct sim_cluster *cluster = &sim->model.clusters[c];
            if (!deployment->busy && !cluster->busy && sim_targets(deployment, c, cluster))
                (void)kd_map_del(&sim->model.allowed, sim_pair(c, deployment->uid, pair, sizeof pair));
        }
}

bool sim_is_allowed(struct sim *sim, struct kd_str cluster, struct kd_str name, struct kd_str uid)
{
    char pair[64];
    if (sim->model.deployments[sim_number(name, "d") % SIM_DEPLOYMENTS].nameless)
        return true;
    int n = snprintf(pair, sizeof pair, "%.*s/%.*s", KD_ARG(cluster), KD_ARG(uid));
    return kd_map_get(&sim->model.allowed, (struct kd_str){ pair, (size_t)n }) != NULL;
}
