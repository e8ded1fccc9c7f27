/** What goes wrong, and when: every kind at least once per seed, at times that the seed chooses. */
#include "tests/sim/sim.h"

#include "shared/base/own.h"

/* ---- who ---- */

static struct sim_edge *sim_some_edge(struct sim *sim)
{
    for (;;) {
        struct sim_edge *edge = &sim->edges[sim_chance(sim) % SIM_EDGES];
        if (!edge->away)
            return edge;
    }
}

/** One that has something to lose. */
static struct sim_edge *sim_busy_edge(struct sim *sim)
{
    struct sim_edge *edge = sim_some_edge(sim);
    for (int i = 0; i < 20 && (edge->runtime.n == 0 || !edge->core); i++)
        edge = sim_some_edge(sim);
    return edge;
}

/* ---- connections ---- */

static void sim_link_back(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_link *link = what;
    (void)sim, (void)number, (void)message;
    link->cut = false;
}

static void sim_cut(struct sim *sim, struct sim_link *link, int64_t us)
{
    sim_count(sim, SIM_CUT);
    link->cut = true;
    sim_link_lose(sim, link, 0);
    sim_at(sim, sim->now + us, sim_link_back, link, 0, NULL);
}

static void sim_fault_cut_edge(struct sim *sim)
{
    int64_t us = sim_one_in(sim, 3) ? sim_between(sim, SIM_HOUR, 5 * SIM_HOUR) : sim_between(sim, 0, 9 * SIM_MIN);
    sim_cut(sim, &sim_some_edge(sim)->link, us); /* one chance per statement: a seed is the same for every compiler */
}

static void sim_fault_cut_center(struct sim *sim)
{
    sim_cut(sim, &sim->center.link, sim_between(sim, 0, 10 * SIM_MIN));
}

static void sim_fault_cut_operator(struct sim *sim)
{
    int64_t us = sim_between(sim, 0, 10 * SIM_MIN);
    sim_cut(sim, &sim->operators[sim_chance(sim) % SIM_OPERATORS].link, us);
}

static void sim_fault_slow(struct sim *sim)
{
    struct sim_link *link = sim_one_in(sim, 3) ? &sim->center.link : &sim_busy_edge(sim)->link;
    link->slow_until = sim->now + sim_between(sim, 5 * SIM_MIN, 40 * SIM_MIN);
}

/** Cut while its packets are slow and it has something to say: some of them arrive after the next connection has begun. */
static void sim_late_cut(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_edge *edge = what;
    (void)number, (void)message;
    edge->link.slow_until = 0;
    sim_cut(sim, &edge->link, 0);
}

static void sim_fault_late(struct sim *sim)
{
    struct sim_edge *edge = sim_busy_edge(sim);
    edge->link.slow_until = sim->now + 5 * SIM_MIN;
    sim_container_die(sim, edge);
    sim_at(sim, sim->now + sim_between(sim, SIM_S, 15 * SIM_S), sim_late_cut, edge, 0, NULL);
}

static void sim_fault_drops(struct sim *sim)
{
    sim->broker.drops_until = sim->now + sim_between(sim, 20 * SIM_MIN, 50 * SIM_MIN);
}

static void sim_fault_repeats(struct sim *sim)
{
    sim->broker.repeats_until = sim->now + sim_between(sim, 10 * SIM_MIN, 60 * SIM_MIN);
}

/* ---- the broker ---- */

static void sim_fault_broker_back(struct sim *sim)
{
    sim_broker_stop(sim, false, false, sim_between(sim, SIM_S, 5 * SIM_MIN));
}

static void sim_fault_broker_wiped(struct sim *sim)
{
    sim_broker_stop(sim, false, true, sim_between(sim, SIM_S, 5 * SIM_MIN));
}

static void sim_fault_broker_shutdown(struct sim *sim)
{
    sim_broker_save(sim);
    sim_broker_stop(sim, true, false, sim_between(sim, SIM_S, 5 * SIM_MIN));
}

static void sim_fault_broker_save(struct sim *sim)
{
    sim_broker_save(sim);
}

static void sim_fault_refuse(struct sim *sim)
{
    sim->broker.refuse = (unsigned)sim_between(sim, 1, 12);
}

static void sim_fault_refuse_large(struct sim *sim)
{
    sim->broker.refuse_large = (unsigned)sim_between(sim, 1, 4);
}

static void sim_fault_hang_up(struct sim *sim)
{
    sim->broker.hang_up[0] = '\0';
    sim->broker.hang_ups = (unsigned)sim_between(sim, 1, 4);
}

/* ---- the coordinator ---- */

/** One at a time: the others wait until it has burnt. */
static void sim_fuse_set(struct sim *sim, enum sim_fuse fuse)
{
    struct sim_center *c = &sim->center;
    if (c->fuse == SIM_FUSE_NONE) {
        c->fuse = fuse;
        c->fuse_count = (unsigned)sim_between(sim, 1, 30);
    } else if (c->fuses_n < KD_COUNT(c->fuses)) {
        c->fuses[c->fuses_n++] = fuse;
    }
}

void sim_fuse_next(struct sim *sim)
{
    struct sim_center *c = &sim->center;
    if (c->fuse == SIM_FUSE_NONE && c->fuses_n)
        sim_fuse_set(sim, c->fuses[--c->fuses_n]);
}

static void sim_fault_kill_commit(struct sim *sim)
{
    sim_fuse_set(sim, SIM_FUSE_COMMIT);
}

static void sim_fault_kill_between(struct sim *sim)
{
    sim_fuse_set(sim, SIM_FUSE_BETWEEN);
}

static void sim_fault_kill_committed(struct sim *sim)
{
    sim_fuse_set(sim, SIM_FUSE_COMMITTED);
}

static void sim_fault_kill_publish(struct sim *sim)
{
    sim_fuse_set(sim, SIM_FUSE_PUBLISH);
}

static void sim_fault_commit_fails(struct sim *sim)
{
    sim_fuse_set(sim, SIM_FUSE_FAIL);
}

static void sim_fault_registry(struct sim *sim)
{
    sim_count(sim, SIM_REGISTRY_AWAY);
    sim->center.registry_until = sim->now + sim_between(sim, 10 * SIM_MIN, 40 * SIM_MIN);
}

static void sim_fault_restore(struct sim *sim)
{
    sim_center_restore(sim, 0);
}

static void sim_fault_restore_clock(struct sim *sim)
{
    sim_center_restore(sim, -(int64_t)3 * 365 * 86400 * 1000);
}

static void sim_fault_clock_right(struct sim *sim)
{
    sim->center.clock_ms = 0;
}

/* ---- agents ---- */

static void sim_burn(struct sim *sim, int fuse)
{
    struct sim_edge *edge = sim_busy_edge(sim);
    edge->fuse = (unsigned)fuse;
    edge->fuse_count = (unsigned)sim_between(sim, 1, 4);
}

static void sim_fault_agent_commit(struct sim *sim)
{
    sim_burn(sim, SIM_BURN_COMMIT);
}

static void sim_fault_agent_wish(struct sim *sim)
{
    sim_burn(sim, SIM_BURN_WISH);
}

static void sim_fault_agent_spawn(struct sim *sim)
{
    sim_burn(sim, SIM_BURN_SPAWN);
}

static void sim_fault_agent_job(struct sim *sim)
{
    sim_burn(sim, SIM_BURN_JOB);
}

static void sim_fault_agents_save(struct sim *sim)
{
    for (size_t i = 0; i < SIM_EDGES; i++) {
        struct sim_edge *edge = &sim->edges[i];
        if (!sim_one_in(sim, 3))
            continue;
        edge->old_rows = kd_store_close(edge->old_rows);
        edge->old_rows = kd_store_copy_memory(edge->rows);
    }
}

static void sim_fault_agent_restored(struct sim *sim)
{
    struct sim_edge *edge = sim_some_edge(sim);
    for (int i = 0; i < 40 && (!edge->old_rows || !edge->core); i++)
        edge = sim_some_edge(sim);
    if (!edge->old_rows || !edge->core)
        return;
    sim_count(sim, SIM_AGENT_RESTORED);
    sim_edge_kill(sim, edge, sim_between(sim, SIM_S, 10 * SIM_MIN));
    sim_say(sim, edge->name, "gets an old store back");
    kd_map_clear(&edge->held); /* it repairs what that store says */
    edge->held = (struct kd_map)KD_MAP(1);
    (void)kd_store_close(edge->rows);
    edge->rows = kd_store_copy_memory(edge->old_rows);
}

static void sim_fault_agent_emptied(struct sim *sim)
{
    struct sim_edge *edge = sim_busy_edge(sim);
    sim_count(sim, SIM_AGENT_EMPTIED);
    sim_edge_kill(sim, edge, sim_between(sim, SIM_S, 10 * SIM_MIN));
    sim_say(sim, edge->name, "loses its store");
    (void)kd_store_close(edge->rows);
    edge->rows = NULL;
    if (kd_store_open_memory(AG_TABLE_COUNT, &edge->rows, NULL) != KD_OK)
        abort();
}

static void sim_clone_ends(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_edge *clone = what;
    (void)number, (void)message;
    sim_edge_kill(sim, clone, -1);
    clone->exists = false;
}

static void sim_fault_clone(struct sim *sim)
{
    struct sim_edge *clone = &sim->edges[SIM_EDGES];
    if (clone->exists)
        return;
    sim_count(sim, SIM_AGENT_CLONED);
    sim_edge_copy(sim, clone, sim_busy_edge(sim));
    sim_say(sim, clone->name, "is cloned");
    sim_edge_start(sim, clone);
    sim_at(sim, sim->now + sim_between(sim, 20 * SIM_MIN, 2 * SIM_HOUR), sim_clone_ends, clone, 0, NULL);
}

static void sim_fault_container(struct sim *sim)
{
    sim_container_die(sim, sim_busy_edge(sim));
}

static void sim_fault_plans_lost(struct sim *sim)
{
    struct sim_edge *edge = sim_busy_edge(sim);
    sim_count(sim, SIM_PLANS_LOST);
    kd_map_clear(&edge->runtime.plans);
    edge->runtime.plans = (struct kd_map)KD_MAP(sizeof(struct sim_plan));
}

/* ---- operators ---- */

/** A deployment is deleted and its name is used again while two of its clusters are away. */
static void sim_fault_away(struct sim *sim)
{
    for (unsigned d = 0; d < SIM_DEPLOYMENTS; d++) {
        const struct sim_deployment *deployment = &sim->model.deployments[(d + sim->seed) % SIM_DEPLOYMENTS];
        unsigned cut = 0, subject = (d + (unsigned)sim->seed) % SIM_DEPLOYMENTS;
        for (unsigned c = 0; c < SIM_EDGES && cut < 2; c++)
            if (sim->edges[c].core && sim->edges[c].link.own && sim_targets(deployment, c, &sim->model.clusters[c])) {
                sim_cut(sim, &sim->edges[c].link, sim_between(sim, 90 * SIM_MIN, 3 * SIM_HOUR));
                cut++;
            }
        if (cut == 0)
            continue;
        sim_count(sim, SIM_AWAY);
        sim_operator_todo(sim_owner_of_deployment(sim, subject), SIM_DELETE, subject);
        sim_operator_todo(sim_owner_of_deployment(sim, subject), SIM_CREATE, subject);
        return;
    }
}

/** The next update is to a version that never runs. */
static void sim_fault_app_fails(struct sim *sim)
{
    unsigned d = (unsigned)(sim_chance(sim) % SIM_DEPLOYMENTS);
    sim->model.failing = 3 + sim_one_in(sim, 2);
    sim_operator_todo(sim_owner_of_deployment(sim, d), SIM_UPDATE, d);
}

/** A cluster is forgotten and made again: another enrolment. */
static void sim_fault_cluster_again(struct sim *sim)
{
    unsigned c = (unsigned)(sim_chance(sim) % SIM_EDGES);
    sim_operator_todo(sim_owner_of_cluster(sim, c), SIM_CLUSTER_DELETE, c);
    sim_operator_todo(sim_owner_of_cluster(sim, c), SIM_CLUSTER_CREATE, c);
}

static void sim_fault_cluster_leaves(struct sim *sim)
{
    unsigned c = (unsigned)(sim_chance(sim) % SIM_EDGES);
    sim_operator_todo(sim_owner_of_cluster(sim, c), SIM_CLUSTER_LEAVE, c);
}

/* ---- the plan ---- */

/** How often, and between which hours. */
static const struct sim_plan_row {
    void (*happen)(struct sim *sim);
    unsigned least, most;
    double from, to;
} sim_plan[] = {
    { sim_fault_cut_edge, 6, 10, 1, 18.5 },
    { sim_fault_cut_center, 1, 1, 1, 18.5 },
    { sim_fault_cut_operator, 1, 3, 1, 18.5 },
    { sim_fault_slow, 3, 6, 1, 18 },
    { sim_fault_late, 4, 8, 1, 18.5 },
    { sim_fault_drops, 3, 4, 1, 18 },
    { sim_fault_repeats, 2, 4, 1, 18 },
    { sim_fault_broker_save, 4, 8, 0.5, 18 },
    { sim_fault_broker_back, 1, 1, 2, 18 },
    { sim_fault_broker_wiped, 1, 1, 2, 18 },
    { sim_fault_broker_shutdown, 1, 1, 2, 18 },
    { sim_broker_lose_retained, 4, 10, 1, 18.5 },
    { sim_fault_refuse, 1, 3, 1, 16 },
    { sim_fault_refuse_large, 1, 1, 1, 16 },
    { sim_fault_hang_up, 1, 2, 1, 17 },
    { sim_fault_kill_commit, 1, 1, 1, 15 },
    { sim_fault_kill_between, 1, 1, 1, 15 },
    { sim_fault_kill_committed, 1, 1, 1, 15 },
    { sim_fault_kill_publish, 1, 2, 1, 15 },
    { sim_fault_commit_fails, 1, 2, 1, 15 },
    { sim_fault_registry, 1, 2, 1, 18 },
    { sim_center_backup, 1, 1, 2.5, 4 },
    { sim_fault_restore, 1, 1, 4.5, 6.5 },
    { sim_center_backup, 1, 1, 7.5, 8.5 },
    { sim_fault_restore_clock, 1, 1, 9, 10 },
    { sim_fault_clock_right, 1, 1, 11, 12 },
    { sim_center_empty_status, 1, 1, 2, 18 },
    { sim_center_empty, 1, 1, 12.5, 15 },
    { sim_fault_agents_save, 1, 1, 1, 2.5 },
    { sim_fault_agents_save, 1, 3, 3, 16 },
    { sim_fault_agent_restored, 3, 5, 3, 18 },
    { sim_fault_agent_emptied, 2, 4, 2, 18 },
    { sim_fault_clone, 1, 2, 2, 16 },
    { sim_fault_agent_commit, 6, 9, 1, 18 },
    { sim_fault_agent_wish, 3, 5, 1, 18 },
    { sim_fault_agent_spawn, 6, 9, 1, 18 },
    { sim_fault_agent_job, 3, 5, 1, 18 },
    { sim_fault_container, 5, 15, 1, 18.9 },
    { sim_fault_plans_lost, 2, 4, 1, 18 },
    { sim_fault_app_fails, 3, 4, 1, 15 },
    { sim_fault_away, 2, 4, 1, 16 },
    { sim_fault_cluster_again, 1, 2, 1, 17 },
    { sim_fault_cluster_leaves, 1, 1, 6, 17 },
};

static void sim_happens(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    (void)what, (void)message;
    sim_plan[number].happen(sim);
}

static void sim_promises(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    (void)what, (void)number, (void)message;
    sim_model_check(sim);
    sim_center_check_owed(sim);
    sim_at(sim, sim->now + 3 * SIM_HOUR, sim_promises, NULL, 0, NULL);
}

/** From here on nothing goes wrong; one edge stays away. */
static void sim_calm(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    (void)what, (void)number, (void)message;
    sim_say(sim, "sim", "calm");
    sim->center.fuse = SIM_FUSE_NONE;
    sim->center.fuses_n = 0;
    sim->broker.refuse_large = 0;
    sim->broker.refuse = sim->broker.hang_ups = 0;
    for (size_t i = 0; i < SIM_EDGES; i++)
        sim->edges[i].fuse = SIM_BURN_NONE;
    for (unsigned i = 0; i < sim->link_count; i++) {
        sim->links[i]->cut = false;
        sim->links[i]->slow_until = 0;
    }
    struct sim_edge *edge = sim_some_edge(sim);
    edge->away = edge->link.gone = true;
    sim_link_lose(sim, &edge->link, 0);
}

static void sim_quiet(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    (void)what, (void)number, (void)message;
    sim->quiet = true;
}

static void sim_edge_first(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    (void)number, (void)message;
    sim_edge_start(sim, what);
}

static void sim_plan_faults(struct sim *sim)
{
    for (size_t i = 0; i < KD_COUNT(sim_plan); i++) {
        int64_t times = sim_between(sim, sim_plan[i].least, sim_plan[i].most);
        int64_t from = (int64_t)(sim_plan[i].from * (double)SIM_HOUR), to = (int64_t)(sim_plan[i].to * (double)SIM_HOUR);
        for (int64_t n = 0; n < times; n++)
            sim_at(sim, sim_between(sim, from, to), sim_happens, NULL, i, NULL);
    }
}

void sim_faults_plan(struct sim *sim)
{
    sim_center_start(sim);
    for (unsigned i = 0; i < SIM_OPERATORS; i++)
        sim_operator_init(sim, &sim->operators[i], i);
    for (unsigned i = 0; i < SIM_EDGES + SIM_CLONES; i++)
        sim_edge_init(sim, &sim->edges[i], i, i >= SIM_EDGES);
    sim_model_read(sim);
    for (unsigned i = 0; i < SIM_EDGES; i++)
        sim_at(sim, sim_between(sim, SIM_S, 5 * SIM_MIN), sim_edge_first, &sim->edges[i], 0, NULL);
    if (!sim->faultless)
        sim_plan_faults(sim);
    sim_at(sim, SIM_HOUR, sim_promises, NULL, 0, NULL);
    sim_at(sim, SIM_HOUR, sim_watch_ahead, NULL, 0, NULL);
    sim_at(sim, SIM_FAULTS_END, sim_calm, NULL, 0, NULL);
    sim_at(sim, SIM_QUIET_BEGIN, sim_quiet, NULL, 0, NULL);
}
