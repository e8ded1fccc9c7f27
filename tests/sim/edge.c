/** An agent's shell: the real core, rows that are kept by a commit, a link instead of a socket, and a fuse that ends the process before a
 *  commit, between two wishes, or at the start of a job. */
#include "tests/sim/sim.h"

#include "shared/base/own.h"
#include "shared/model/topic.h"

#include <stdio.h>

static struct kd_store *sim_rows_new(void)
{
    struct kd_store *rows = NULL;
    if (kd_store_open_memory(AG_TABLE_COUNT, &rows, NULL) != KD_OK)
        abort();
    return rows;
}

static void sim_edge_begin(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_edge *edge = what;
    (void)message;
    if (number == edge->life && edge->exists)
        sim_edge_start(sim, edge);
}

void sim_edge_kill(struct sim *sim, struct sim_edge *edge, int64_t restart_us)
{
    sim_say(sim, edge->name, "is killed");
    edge->core = ag_core_close(edge->core);
    edge->life++;
    edge->fuse = SIM_BURN_NONE;
    sim_jobs_end(sim, edge);
    sim_link_die(sim, &edge->link);
    if (restart_us >= 0)
        sim_at(sim, sim->now + restart_us, sim_edge_begin, edge, edge->life, NULL);
}

static bool sim_edge_burns(struct sim *sim, struct sim_edge *edge, int fuse, enum sim_fault fault)
{
    if (edge->fuse != (unsigned)fuse || edge->fuse_count-- > 1)
        return false;
    sim_count(sim, fault);
    sim_edge_kill(sim, edge, sim_between(sim, SIM_S, 10 * SIM_MIN));
    return true;
}

/* ---- wishes ---- */

static struct kd_str sim_own_topic(const struct sim_edge *edge, enum kd_topic_kind kind, struct kd_str last, struct kd_buf *out)
{
    bool object = kind == KD_TOPIC_OBJECT;
    bool whole = kind == KD_TOPIC_COORDINATOR;
    kd_topic_add(out, kind, KD_STR("default"), whole ? KD_STR("") : object ? last : kd_str(edge->name), last, KD_STR(""));
    return kd_buf_str(out);
}

static void sim_wish_publish(struct sim *sim, struct sim_edge *edge, const struct ag_wish *wish)
{
    static const enum kd_topic_kind kinds[] = {
        [AG_TOPIC_HELLO] = KD_TOPIC_HELLO, [AG_TOPIC_STATUS] = KD_TOPIC_STATUS, [AG_TOPIC_INVENTORY] = KD_TOPIC_INVENTORY
    };
    KD_AUTO(kd_buf_clear) struct kd_buf topic = KD_BUF(KD_TOPIC_MAX);
    struct kd_str to = sim_own_topic(edge, kinds[wish->topic], wish->deployment, &topic);
    (void)sim_send(sim, &edge->link, sim_message_make(SIM_PUBLISH, to, wish->payload, KD_STR(""), KD_STR(""), false, 0));
}

static void sim_wish_subscribe(struct sim *sim, struct sim_edge *edge, enum kd_topic_kind kind, struct kd_str last, bool on)
{
    KD_AUTO(kd_buf_clear) struct kd_buf topic = KD_BUF(KD_TOPIC_MAX);
    struct kd_str filter = sim_own_topic(edge, kind, last, &topic);
    (void)sim_send(sim, &edge->link,
                   sim_message_make(on ? SIM_SUBSCRIBE : SIM_UNSUBSCRIBE, filter, KD_STR(""), KD_STR(""), KD_STR(""), false, 0));
}

static void sim_due(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_edge *edge = what;
    (void)message;
    if (edge->core && number == edge->wake)
        sim_edge_step(sim, edge, &(struct ag_event){ .kind = AG_DUE });
}

static void sim_wish_wake(struct sim *sim, struct sim_edge *edge, struct kd_mono at)
{
    edge->wake++;
    if (at.us != INT64_MAX)
        sim_at(sim, at.us - SIM_HOUR, sim_due, edge, edge->wake, NULL);
}

static struct sim_message *sim_edge_will(struct sim *sim, void *owner);

static void sim_wish(struct sim *sim, struct sim_edge *edge, const struct ag_wish *wish)
{
    switch (wish->kind) {
    case AG_SUBSCRIBE:
    case AG_UNSUBSCRIBE:
        sim_wish_subscribe(sim, edge, KD_TOPIC_OBJECT, wish->digest, wish->kind == AG_SUBSCRIBE);
        break;
    case AG_PUBLISH:
        sim_wish_publish(sim, edge, wish);
        break;
    case AG_JOB:
        sim_job_start(sim, edge, wish);
        break;
    case AG_KILL:
        sim_job_kill(sim, edge, wish->job);
        break;
    case AG_WAKE:
        sim_wish_wake(sim, edge, wish->at);
        break;
    case AG_LOG:
        sim_say(sim, edge->name, "%s %.*s", wish->event, KD_ARG(wish->text));
        break;
    case AG_RECONNECT_AFTER:
        edge->link.attempting = false;
        sim_connect(sim, &edge->link, wish->delay_us, sim_edge_will);
        break;
    case AG_WISH_COUNT:
        break;
    }
}

/** All rows in one transaction. */
static void sim_rows_save(struct sim *sim, struct sim_edge *edge, const struct ag_step *step)
{
    struct kd_txn *txn;
    if (step->rows.n == 0)
        return;
    if (kd_txn_begin(edge->rows, true, &txn, NULL) != KD_OK)
        abort();
    for (size_t i = 0; i < step->rows.n; i++) {
        const struct ag_row *row = &step->rows.v[i];
        if (row->value.p)
            kd_txn_put(txn, (int)row->table, row->key, row->value);
        else
            (void)kd_txn_del(txn, (int)row->table, row->key);
    }
    if (kd_txn_commit(txn, NULL) != KD_OK)
        sim_fail(sim, "%s: a row cannot be stored", edge->name);
}

static bool sim_wishes_do(struct sim *sim, struct sim_edge *edge, const struct ag_step *step, bool jobs, bool others)
{
    for (size_t i = 0; i < step->wishes.n; i++) {
        const struct ag_wish *wish = &step->wishes.v[i];
        bool spawn = wish->kind == AG_JOB;
        if (spawn ? !jobs : !others)
            continue;
        if (sim_edge_burns(sim, edge, SIM_BURN_WISH, SIM_AGENT_KILL_WISH))
            return false;
        sim_wish(sim, edge, wish);
        if (spawn && sim_edge_burns(sim, edge, SIM_BURN_SPAWN, SIM_AGENT_KILL_SPAWN))
            return false;
    }
    return true;
}

/** A core that wakes itself up at the same moment again and again. */
static void sim_spins(struct sim *sim, struct sim_edge *edge, const struct ag_event *event)
{
    bool again = event->kind == AG_DUE && edge->stepped_at == sim->now;
    edge->stepped_at = sim->now;
    edge->spins = again ? edge->spins + 1 : 0;
    if (edge->spins > 100)
        sim_fail(sim, "%s: the core wakes itself up at once, again and again", edge->name);
}

void sim_edge_step(struct sim *sim, struct sim_edge *edge, struct ag_event *event)
{
    struct ag_step step;
    if (!edge->core)
        return;
    struct kd_version before = ag_core_version(edge->core);
    event->now.us = sim->now + SIM_HOUR;
    event->chance = sim_chance(sim);
    ag_core_step(edge->core, event, &step);
    sim_spins(sim, edge, event);
    if (kd_version_cmp(ag_core_version(edge->core), before) < 0)
        sim_fail(sim, "%s: an older manifest was accepted", edge->name);
    if (KD_PLANT(SAVE_AFTER_SPAWN) && !sim_wishes_do(sim, edge, &step, true, false))
        return;
    if (step.rows.n && sim_edge_burns(sim, edge, SIM_BURN_COMMIT, SIM_AGENT_KILL_COMMIT))
        return;
    sim_rows_save(sim, edge, &step);
    (void)sim_wishes_do(sim, edge, &step, !KD_PLANT(SAVE_AFTER_SPAWN), true);
}

/* ---- the link ---- */

static struct sim_message *sim_edge_will(struct sim *sim, void *owner)
{
    struct sim_edge *edge = owner;
    KD_AUTO(kd_buf_clear) struct kd_buf will = KD_BUF(KD_STATE_MAX), topic = KD_BUF(KD_TOPIC_MAX);
    (void)sim;
    ag_core_will(edge->core, &will);
    return sim_message_make(SIM_PUBLISH, sim_own_topic(edge, KD_TOPIC_HELLO, KD_STR(""), &topic), kd_buf_str(&will), KD_STR(""),
                            KD_STR(""), false, 0);
}

static void sim_edge_connected(struct sim *sim, void *owner)
{
    struct sim_edge *edge = owner;
    edge->connection++;
    edge->connected_at = sim->now;
    sim_wish_subscribe(sim, edge, KD_TOPIC_MANIFEST, KD_STR(""), true);
    sim_wish_subscribe(sim, edge, KD_TOPIC_COORDINATOR, KD_STR(""), true);
    sim_wish_subscribe(sim, edge, KD_TOPIC_ACK, KD_STR(""), true);
    sim_edge_step(sim, edge, &(struct ag_event){ .kind = AG_CONNECTED });
}

static void sim_edge_disconnected(struct sim *sim, void *owner, int reason)
{
    struct sim_edge *edge = owner;
    if (!edge->core)
        return;
    sim_connect(sim, &edge->link, sim_between(sim, SIM_S, 30 * SIM_S), sim_edge_will);
    sim_edge_step(sim, edge, &(struct ag_event){ .kind = AG_DISCONNECTED, .reason = reason });
}

static void sim_edge_message(struct sim *sim, void *owner, struct sim_message *message, bool retained)
{
    struct sim_edge *edge = owner;
    struct kd_topic topic;
    (void)retained;
    struct ag_event event = { .payload = message->payload };
    if (!kd_topic_parse(message->topic, &topic))
        return;
    switch ((int)topic.kind) {
    case KD_TOPIC_MANIFEST:
        event.kind = AG_MANIFEST;
        sim_check_holds(edge, message->payload);
        break;
    case KD_TOPIC_COORDINATOR:
        event.kind = AG_COORDINATOR;
        break;
    case KD_TOPIC_ACK:
        event.kind = AG_ACK;
        break;
    case KD_TOPIC_OBJECT:
        event.kind = AG_OBJECT;
        event.text = topic.part[1];
        break;
    default:
        return;
    }
    sim_edge_step(sim, edge, &event);
}

static void sim_edge_published(struct sim *sim, void *owner, uint64_t token, int reason)
{
    (void)sim, (void)owner, (void)token, (void)reason;
}

static const struct sim_peer sim_edge_peer = { sim_edge_connected, sim_edge_disconnected, sim_edge_message, sim_edge_published };

/* ---- its life ---- */

void sim_edge_init(struct sim *sim, struct sim_edge *edge, unsigned index, bool clone)
{
    edge->index = index;
    edge->clone = clone;
    edge->exists = !clone;
    (void)snprintf(edge->name, sizeof edge->name, "c%02u", index);
    edge->rows = sim_rows_new();
    edge->runtime.plans = (struct kd_map)KD_MAP(sizeof(struct sim_plan));
    edge->held = (struct kd_map)KD_MAP(1);
    sim_link_init(sim, &edge->link, edge->name, &sim_edge_peer, edge);
}

static void sim_rows_load(struct sim *sim, struct sim_edge *edge)
{
    struct kd_txn *txn;
    struct kd_err err;
    if (kd_txn_begin(edge->rows, false, &txn, NULL) != KD_OK)
        abort();
    for (int table = 0; table < AG_TABLE_COUNT; table++) {
        struct kd_scan scan = kd_scan_prefix(table, KD_STR(""));
        while (kd_scan_next(txn, &scan))
            if (ag_core_load(edge->core, (enum ag_table)table, kd_key_str(&scan.key), scan.value, &err) != KD_OK)
                sim_fail(sim, "%s: a row cannot be loaded: %s", edge->name, err.story);
    }
    kd_txn_abort(txn);
}

void sim_edge_start(struct sim *sim, struct sim_edge *edge)
{
    struct ag_core_options options = ag_core_defaults();
    if (edge->core)
        return;
    options.project = KD_STR("default");
    options.cluster = kd_str(edge->name);
    options.hello_us = SIM_HELLO;
    options.observe_us = 4 * SIM_HOUR;
    options.jobs = 2;
    (void)snprintf(edge->session, sizeof edge->session, "%016llx%016llx", (unsigned long long)sim_chance(sim),
                   (unsigned long long)sim_chance(sim));
    edge->connection = 0;
    edge->core = ag_core_open(&options);
    edge->life++;
    sim_say(sim, edge->name, "starts%s", edge->clone ? " (the clone)" : "");
    sim_rows_load(sim, edge);
    sim_edge_step(sim, edge, &(struct ag_event){ .kind = AG_STARTED, .text = kd_str(edge->session) });
    struct kd_str inventory = KD_STR("{\"agentVersion\":\"0.1.0\",\"runtime\":\"simulated\"}");
    sim_edge_step(sim, edge, &(struct ag_event){ .kind = AG_INVENTORY, .payload = inventory });
    if (edge->core)
        sim_connect(sim, &edge->link, sim_between(sim, SIM_S / 2, 10 * SIM_S), sim_edge_will);
}

void sim_edge_copy(struct sim *sim, struct sim_edge *to, const struct sim_edge *from)
{
    (void)sim;
    to->index = from->index;
    (void)kd_str_copy(kd_str(from->name), to->name, sizeof to->name);
    (void)kd_str_copy(kd_str(from->name), to->link.identity, sizeof to->link.identity);
    to->rows = kd_store_close(to->rows);
    to->rows = kd_store_copy_memory(from->rows);
    sim_runtime_copy(&to->runtime, &from->runtime);
    to->exists = true;
}

bool sim_edge_row(struct sim_edge *edge, int table, struct kd_str key, struct kd_buf *out)
{
    struct kd_txn *txn;
    struct kd_str value;
    if (kd_txn_begin(edge->rows, false, &txn, NULL) != KD_OK)
        abort();
    bool found = kd_txn_get(txn, table, key, &value);
    if (found)
        kd_buf_add(out, value);
    kd_txn_abort(txn);
    return found;
}

void sim_edge_clear(struct sim *sim, struct sim_edge *edge)
{
    edge->core = ag_core_close(edge->core);
    sim_jobs_end(sim, edge);
    edge->rows = kd_store_close(edge->rows);
    edge->old_rows = kd_store_close(edge->old_rows);
    sim_runtime_clear(&edge->runtime);
    kd_map_clear(&edge->held);
    sim_link_clear(&edge->link);
}
