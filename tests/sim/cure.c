/** What only operators can put in order: they see it in the views, which are read here from the stores. */
#include "coordinator/server/tables.h"
#include "shared/base/own.h"
#include "tests/sim/sim.h"

enum { SIM_LOOK_MIN = 15, SIM_LOOK_SOON_MIN = 6 /* minutes between two looks of an operator that finds nothing; in the end */ };

struct sim_choice {
    struct sim *sim;
    struct sim_operator *o;
    enum sim_act act;
    unsigned subject;
    uint64_t n;
};

/** One of all that could be done, each as likely as the others. */
static bool sim_choose(struct sim_choice *choice, enum sim_act act, unsigned subject)
{
    if (!sim_one_in(choice->sim, ++choice->n))
        return false;
    choice->act = act;
    choice->subject = subject;
    return true;
}

static unsigned sim_index(struct kd_str name)
{
    uint64_t n = 0;
    (void)kd_str_u64((struct kd_str){ name.p + 1, name.n - 1 }, &n);
    return (unsigned)n;
}

static struct kd_txn *sim_look_at(struct kd_store *store)
{
    struct kd_txn *txn;
    if (kd_txn_begin(store, false, &txn, NULL) != KD_OK)
        abort();
    return txn;
}

static bool sim_says(struct kd_str json, struct kd_str what)
{
    return kd_str_find(json, what) >= 0;
}

static void sim_need_holds(struct sim_choice *choice)
{
    for (unsigned i = choice->o->index; i < SIM_DEPLOYMENTS; i += SIM_OPERATORS)
        if (choice->sim->model.deployments[i].exists && choice->sim->model.deployments[i].hold)
            (void)sim_choose(choice, SIM_RESUME, i);
}

static void sim_need_enrolments(struct sim_choice *choice)
{
    struct kd_txn *txn = sim_look_at(choice->sim->center.status);
    struct kd_scan scan = kd_scan_prefix(CO_S_PRESENCE, KD_STR("default/"));
    while (kd_scan_next(txn, &scan)) {
        unsigned cluster = sim_index(kd_scan_rest(&scan));
        if (sim_owner_of_cluster(choice->sim, cluster) == choice->o && choice->sim->model.clusters[cluster].exists &&
            sim_says(scan.value, KD_STR("\"enrolmentDiffers\":true")))
            (void)sim_choose(choice, SIM_CLUSTER_ADOPT, cluster);
    }
    kd_txn_abort(txn);
}

/** An orphan is adopted by the deployment that has its name and its cluster, else pruned. */
static void sim_need_orphan(struct sim_choice *choice, unsigned cluster, struct kd_str uid, struct kd_str status)
{
    struct sim *sim = choice->sim;
    ptrdiff_t at = kd_str_find(status, KD_STR("\"deployment\":\"d"));
    unsigned d = at < 0 ? 0 : (unsigned)(status.p[at + 15] - '0') % SIM_DEPLOYMENTS;
    const struct sim_deployment *deployment = &sim->model.deployments[d];
    if (sim_targets(deployment, cluster, &sim->model.clusters[cluster]) && !deployment->hold && d % 2) {
        if (sim_owner_of_deployment(sim, d) == choice->o)
            (void)sim_choose(choice, SIM_ADOPT, d);
        return;
    }
    if (sim_owner_of_cluster(sim, cluster) != choice->o || !sim->model.clusters[cluster].exists ||
        !sim_choose(choice, SIM_PRUNE, cluster))
        return;
    (void)kd_str_copy(uid, choice->o->prune, sizeof choice->o->prune);
    (void)kd_str_copy(kd_str(deployment->name), choice->o->prune_name, sizeof choice->o->prune_name);
}

static void sim_need_orphans(struct sim_choice *choice)
{
    struct kd_txn *status = sim_look_at(choice->sim->center.status), *spec = sim_look_at(choice->sim->center.spec);
    struct kd_scan scan = kd_scan_prefix(CO_S_STATUS, KD_STR("default/"));
    while (kd_scan_next(status, &scan)) {
        struct kd_str uid = kd_scan_rest(&scan), cluster = kd_str_cut(&uid, '/');
        if (sim_says(scan.value, KD_STR("\"state\":\"orphaned\"")) && !kd_txn_has(spec, CO_PLACEMENT, kd_key_str(&scan.key)))
            sim_need_orphan(choice, sim_index(cluster), uid, scan.value);
    }
    kd_txn_abort(status);
    kd_txn_abort(spec);
}

bool sim_need(struct sim *sim, struct sim_operator *o, enum sim_act *ret, unsigned *ret_subject)
{
    struct sim_choice choice = { .sim = sim, .o = o };
    *ret_subject = 0;
    *ret = SIM_UPLOAD;
    if (!sim->model.catalog)
        return o->index == 0;
    bool soon = sim->now >= SIM_FAULTS_END;
    if (sim->now < o->looked_at + (soon ? SIM_LOOK_SOON_MIN : SIM_LOOK_MIN) * SIM_MIN)
        return false;
    sim_need_holds(&choice);
    sim_need_enrolments(&choice);
    sim_need_orphans(&choice);
    if (choice.n < 2)
        o->looked_at = sim->now;
    *ret = choice.act;
    *ret_subject = choice.subject;
    return choice.n > 0;
}

/** True if an agent has what the coordinator never gave. */
static bool sim_any_ahead(struct sim *sim)
{
    bool ahead = false;
    struct kd_txn *txn = sim_look_at(sim->center.status);
    struct kd_scan scan = kd_scan_prefix(CO_S_PRESENCE, KD_STR("default/"));
    while (!ahead && kd_scan_next(txn, &scan))
        ahead = sim_says(scan.value, KD_STR("\"ahead\":true"));
    kd_txn_abort(txn);
    return ahead;
}

void sim_watch_ahead(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    (void)what, (void)message;
    bool ahead = sim->now < SIM_CURE_END && sim->center.link.own && sim_any_ahead(sim);
    if (ahead && number >= 2) { /* it has been seen before */
        sim_center_new_epoch(sim);
        number = 0;
        if (++sim->epochs > 4)
            sim_fail(sim, "clusters are ahead again and again");
    }
    sim_at(sim, sim->now + 10 * SIM_MIN, sim_watch_ahead, NULL, ahead ? number + 1 : 0, NULL);
}
