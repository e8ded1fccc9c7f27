/** The coordinator's shell: the real service over two stores in memory, a link instead of a socket, and a fuse that ends the process at a
 *  commit or a publish: from then on nothing leaves and nothing is kept. */
#include "tests/sim/sim.h"

#include "coordinator/server/restore.h"
#include "coordinator/server/tables.h"
#include "shared/base/own.h"
#include "shared/model/digest.h"

#include <stdio.h>

enum { SIM_IN_FLIGHT = 100, SIM_BASE_S = 1700000000 /* Unix seconds when the simulation begins */ };

static struct sim *sim_world;                   /* the stores' operations are given no context */
static const struct kd_store_ops *sim_real_ops; /* of the stores in memory */

/* ---- stores whose commits can be the last thing that happens ---- */

static bool sim_burns(struct sim *sim, enum sim_fuse fuse, enum sim_fault fault)
{
    struct sim_center *c = &sim->center;
    if (c->dead || c->fuse != fuse || c->fuse_count-- > 1)
        return false;
    c->fuse = SIM_FUSE_NONE;
    sim_count(sim, fault);
    sim_say(sim, "center", "is killed: %s", sim_fault_texts[fault]);
    return c->dead = true;
}

/** The status store is committed first, then the spec store. */
static enum kd_code sim_commit(struct kd_txn *txn, struct kd_err *err)
{
    struct sim_center *c = &sim_world->center;
    const bool is_status = txn == (struct kd_txn *)(void *)c->status_txn, writes = txn->writes > 0;
    if (writes && is_status)
        (void)sim_burns(sim_world, SIM_FUSE_COMMIT, SIM_KILL_COMMIT);
    if (writes && !is_status)
        (void)sim_burns(sim_world, SIM_FUSE_BETWEEN, SIM_KILL_BETWEEN);
    if (writes && c->fuse == SIM_FUSE_FAIL && c->fuse_count-- <= 1) {
        c->fuse = SIM_FUSE_NONE;
        sim_count(sim_world, SIM_COMMIT_FAILS);
        sim_say(sim_world, "center", "cannot commit");
        sim_fuse_next(sim_world);
        sim_real_ops->abort(txn);
        return kd_fail(err, KD_INTERNAL, 0, "no space left on device");
    }
    if (c->dead) {
        sim_real_ops->abort(txn);
        return kd_fail(err, KD_INTERNAL, 0, "dead");
    }
    enum kd_code code = sim_real_ops->commit(txn, err);
    if (writes && !is_status)
        (void)sim_burns(sim_world, SIM_FUSE_COMMITTED, SIM_KILL_COMMITTED);
    return code;
}

static enum kd_code sim_begin(struct kd_store *store, bool write, struct kd_txn **ret, struct kd_err *err)
{
    enum kd_code code = sim_real_ops->begin(store, write, ret, err);
    if (code == KD_OK) {
        (*ret)->ops = store->ops;
        if (store == sim_world->center.status)
            sim_world->center.status_txn = *ret;
    }
    return code;
}

static struct kd_store_ops sim_store_ops;

static struct kd_store *sim_store_wrap(struct kd_store *store)
{
    if (!store)
        abort();
    if (store->ops != &sim_store_ops) {
        sim_real_ops = store->ops;
        sim_store_ops = *store->ops;
        sim_store_ops.begin = sim_begin;
        sim_store_ops.commit = sim_commit;
        store->ops = &sim_store_ops;
    }
    return store;
}

static struct kd_store *sim_store_new(size_t tables)
{
    struct kd_store *store = NULL;
    if (kd_store_open_memory(tables, &store, NULL) != KD_OK)
        abort();
    return sim_store_wrap(store);
}

/* ---- what the service asks for ---- */

static void sim_center_plan(struct sim *sim, int64_t at);

static bool sim_do_publish(void *ctx, const struct co_publish *m)
{
    struct sim *sim = ctx;
    struct sim_center *c = &sim->center;
    if (c->dead || sim_burns(sim, SIM_FUSE_PUBLISH, SIM_KILL_PUBLISH))
        return true; /* nobody is there any more to see it */
    if (!c->link.own || c->in_flight >= SIM_IN_FLIGHT)
        return false;
    if (m->retain && kd_str_ends(m->topic, KD_STR("/manifest")) && m->payload.n)
        sim_check_manifest(sim, m->payload);
    c->in_flight += m->token != 0;
    if (c->owed.n)
        (void)kd_map_del(&c->owed, m->topic);
    return sim_send(sim, &c->link,
                    sim_message_make(SIM_PUBLISH, m->topic, m->payload, KD_STR(""), m->correlation, m->retain, m->token));
}

static size_t sim_do_room(void *ctx)
{
    const struct sim_center *c = &((struct sim *)ctx)->center;
    return c->link.own && c->in_flight < SIM_IN_FLIGHT ? SIM_IN_FLIGHT - c->in_flight : 0;
}

static void sim_do_subscribe(void *ctx, struct kd_str filter, bool on)
{
    struct sim *sim = ctx;
    if (!sim->center.dead)
        (void)sim_send(
            sim, &sim->center.link,
            sim_message_make(on ? SIM_SUBSCRIBE : SIM_UNSUBSCRIBE, filter, KD_STR(""), KD_STR(""), KD_STR(""), false, 0));
}

static struct kd_mono sim_do_now(void *ctx)
{
    return (struct kd_mono){ ((struct sim *)ctx)->now + SIM_HOUR };
}

static struct kd_wall sim_do_wall(void *ctx)
{
    const struct sim *sim = ctx;
    return (struct kd_wall){ (int64_t)SIM_BASE_S * 1000 + sim->now / 1000 + sim->center.clock_ms };
}

static uint64_t sim_do_chance(void *ctx)
{
    return sim_chance(ctx);
}

static void sim_do_log(void *ctx, int level, const char *event, const char *text)
{
    struct sim *sim = ctx;
    if (level <= 5 || sim->verbose)
        sim_say(sim, "center", "%s %s", event, text);
    if (strcmp(event, "cluster.offline") == 0)
        sim_at(sim, sim->now, sim_check_offline, NULL, 0,
               sim_message_make(SIM_PUBLISH, kd_str(text), KD_STR(""), KD_STR(""), KD_STR(""), false, 0));
    if (strcmp(event, "store.damaged") == 0)
        sim_fail(sim, "the coordinator finds a damaged row: %s", text);
}

/* ---- the registry ---- */

static void sim_center_after(struct sim *sim);

/** chart and version in the payload; the digest of a chart follows from both. */
static void sim_registry_answers(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_center *c = &sim->center;
    (void)what;
    if (!c->service || number >> 32 != c->life)
        return;
    if (sim->now < c->registry_until) {
        sim_count(sim, SIM_REGISTRY_AWAY);
        co_service_resolved(c->service, number & 0xffffffff, KD_UNAVAILABLE, KD_STR("connection refused"));
    } else {
        struct kd_digest digest = kd_digest_of(message->topic);
        co_service_resolved(c->service, number & 0xffffffff, KD_OK, kd_digest_str(&digest));
    }
    sim_center_after(sim);
}

static void sim_do_resolve(void *ctx, const struct co_lookup *lookup)
{
    struct sim *sim = ctx;
    char chart[300];
    (void)snprintf(chart, sizeof chart, "%.*s %.*s", KD_ARG(lookup->chart), KD_ARG(lookup->version));
    if (!sim->center.dead)
        sim_at(sim, sim->now + sim_between(sim, 50000, 3 * SIM_S), sim_registry_answers, NULL, sim->center.life << 32 | lookup->id,
               sim_message_make(SIM_PUBLISH, kd_str(chart), KD_STR(""), KD_STR(""), KD_STR(""), false, 0));
}

static const struct co_service_ops sim_center_ops = { .publish = sim_do_publish,
                                                      .room = sim_do_room,
                                                      .subscribe = sim_do_subscribe,
                                                      .resolve = sim_do_resolve,
                                                      .now = sim_do_now,
                                                      .wall = sim_do_wall,
                                                      .chance = sim_do_chance,
                                                      .log = sim_do_log };

static struct co_service *sim_service_open(struct sim *sim)
{
    struct co_service *service = NULL;
    struct kd_err err = { 0 };
    struct co_service_options options = { .project = KD_STR("default"),
                                          .hello_interval_us = SIM_HELLO,
                                          .grace_us = SIM_MIN,
                                          .spread_s = 60,
                                          .object_keep_us = 90 * SIM_MIN };
    if (co_service_open(&options, sim->center.spec, sim->center.status, &sim_center_ops, sim, &service, &err) != KD_OK)
        sim_say(sim, "center", "does not start: %s", err.story);
    return service;
}

/* ---- its turns ---- */

static void sim_inbox_clear(struct sim_center *c)
{
    for (size_t i = 0; i < c->inbox_n; i++)
        sim_message_drop(c->inbox[i]);
    c->inbox_n = 0;
    c->batch_planned = false;
}

static void sim_center_begin(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    (void)what, (void)message;
    if (number == sim->center.life)
        sim_center_start(sim);
}

/** What is in the outbox of a process that was killed is published by the next one. */
static void sim_center_owes(struct sim *sim)
{
    struct kd_txn *txn;
    struct kd_scan scan = kd_scan_prefix(CO_OUTBOX, KD_STR(""));
    if (kd_txn_begin(sim->center.spec, false, &txn, NULL) != KD_OK)
        abort();
    while (kd_scan_next(txn, &scan))
        (void)kd_map_put(&sim->center.owed, scan.value);
    kd_txn_abort(txn);
}

static void sim_owed_clear(struct sim_center *c)
{
    kd_map_clear(&c->owed);
    c->owed = (struct kd_map)KD_MAP(1);
}

void sim_center_check_owed(struct sim *sim)
{
    size_t at = 0;
    struct kd_str topic;
    void *value;
    if (sim->center.link.own && sim->now - sim->center.connected_at > 10 * SIM_MIN &&
        kd_map_next(&sim->center.owed, &at, &topic, &value))
        sim_fail(sim, "%.*s was to be published when the coordinator was killed, and never was", KD_ARG(topic));
}

/** The process has ended: its successor comes after a while. */
static void sim_center_died(struct sim *sim)
{
    sim_center_stop(sim);
    sim_center_owes(sim);
    sim_at(sim, sim->now + sim_between(sim, SIM_S, 5 * SIM_MIN), sim_center_begin, NULL, sim->center.life, NULL);
}

static void sim_tick(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_center *c = &sim->center;
    (void)what, (void)message;
    if (number != c->life || sim->now != c->tick_at)
        return;
    c->tick_at = INT64_MAX;
    sim_center_after(sim);
}

static void sim_center_plan(struct sim *sim, int64_t at)
{
    struct sim_center *c = &sim->center;
    at = at > sim->now ? at : sim->now + 1000;
    if (at >= c->tick_at)
        return;
    c->tick_at = at;
    sim_at(sim, at, sim_tick, NULL, c->life, NULL);
}

/** After everything that the service did. */
static void sim_center_after(struct sim *sim)
{
    struct sim_center *c = &sim->center;
    if (!c->dead && c->service) {
        struct kd_mono next = co_service_tick(c->service);
        if (!c->dead && next.us != INT64_MAX)
            sim_center_plan(sim, next.us - SIM_HOUR);
    }
    if (c->dead)
        sim_center_died(sim);
}

static void sim_batch(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_center *c = &sim->center;
    (void)what, (void)message;
    if (number != c->life || !c->service)
        return;
    struct co_message messages[256] = { { .retain = false } };
    size_t n = c->inbox_n < 256 ? c->inbox_n : 256;
    for (size_t i = 0; i < n; i++)
        messages[i] = (struct co_message){ c->inbox[i]->topic, c->inbox[i]->payload, c->inbox[i]->response_topic,
                                           c->inbox[i]->correlation, c->inbox_retained[i] };
    c->batch_planned = c->inbox_n > n;
    if (c->batch_planned)
        sim_at(sim, sim->now + 1000, sim_batch, NULL, c->life, NULL);
    co_service_batch(c->service, messages, n);
    for (size_t i = 0; i < n; i++)
        sim_message_drop(c->inbox[i]);
    c->inbox_n -= n;
    memmove(c->inbox, c->inbox + n, c->inbox_n * sizeof *c->inbox);
    memmove(c->inbox_retained, c->inbox_retained + n, c->inbox_n * sizeof *c->inbox_retained);
    sim_center_after(sim);
}

static void sim_center_message(struct sim *sim, void *owner, struct sim_message *message, bool retained)
{
    struct sim_center *c = owner;
    if (!c->service)
        return;
    if (c->inbox_n == c->inbox_cap) {
        c->inbox_cap = c->inbox_cap ? 2 * c->inbox_cap : 64;
        c->inbox = realloc(c->inbox, c->inbox_cap * sizeof *c->inbox);
        c->inbox_retained = realloc(c->inbox_retained, c->inbox_cap * sizeof *c->inbox_retained);
        if (!c->inbox || !c->inbox_retained)
            abort();
    }
    c->inbox_retained[c->inbox_n] = retained;
    c->inbox[c->inbox_n++] = sim_message_keep(message);
    if (!c->batch_planned)
        sim_at(sim, sim->now + sim_between(sim, 1000, 20000), sim_batch, NULL, c->life, NULL);
    c->batch_planned = true;
}

static void sim_center_connected(struct sim *sim, void *owner)
{
    struct sim_center *c = owner;
    c->in_flight = 0;
    c->connected_at = sim->now;
    for (size_t i = 0;; i++) {
        struct kd_str filter = co_service_filter(c->service, i);
        if (!filter.n)
            break;
        sim_do_subscribe(sim, filter, true);
    }
    co_service_connected(c->service);
    sim_center_plan(sim, sim->now);
    if (c->dead)
        sim_center_died(sim);
}

static void sim_center_disconnected(struct sim *sim, void *owner, int reason)
{
    struct sim_center *c = owner;
    (void)reason;
    if (!c->service)
        return;
    c->in_flight = 0;
    co_service_disconnected(c->service);
    sim_center_plan(sim, sim->now);
    sim_connect(sim, &c->link, sim_between(sim, SIM_S, 10 * SIM_S), NULL);
}

static void sim_center_published(struct sim *sim, void *owner, uint64_t token, int reason)
{
    struct sim_center *c = owner;
    c->in_flight -= c->in_flight > 0;
    if (!c->service)
        return;
    co_service_published(c->service, token, reason);
    sim_center_plan(sim, sim->now);
    if (c->dead)
        sim_center_died(sim);
}

static const struct sim_peer sim_center_peer = { sim_center_connected, sim_center_disconnected, sim_center_message,
                                                 sim_center_published };

/* ---- its life ---- */

void sim_center_start(struct sim *sim)
{
    struct sim_center *c = &sim->center;
    sim_world = sim;
    if (!c->spec) {
        c->spec = sim_store_new(CO_SPEC_TABLE_COUNT);
        c->status = sim_store_new(CO_STATUS_TABLE_COUNT);
        sim_owed_clear(c);
        sim_link_init(sim, &c->link, "center", &sim_center_peer, c);
    }
    c->dead = false;
    c->tick_at = INT64_MAX;
    c->life++;
    sim_say(sim, "center", "starts");
    c->service = sim_service_open(sim);
    if (c->dead || !c->service) {
        c->dead = true;
        sim_center_died(sim);
        return;
    }
    sim_center_plan(sim, sim->now);
    sim_connect(sim, &c->link, sim_between(sim, 1000, SIM_S), NULL);
    sim_fuse_next(sim);
}

void sim_center_stop(struct sim *sim)
{
    struct sim_center *c = &sim->center;
    c->dead = true;
    c->service = co_service_close(c->service);
    c->life++;
    if (c->fuse != SIM_FUSE_NONE && c->fuses_n < KD_COUNT(c->fuses))
        c->fuses[c->fuses_n++] = c->fuse;
    c->fuse = SIM_FUSE_NONE;
    sim_inbox_clear(c);
    sim_link_die(sim, &c->link);
}

static void sim_backup_drop(struct sim_backup *backup)
{
    backup->spec = kd_store_close(backup->spec);
    backup->status = kd_store_close(backup->status);
}

void sim_center_backup(struct sim *sim)
{
    sim_backup_drop(&sim->center.backup);
    sim->center.backup.spec = kd_store_copy_memory(sim->center.spec);
    sim->center.backup.status = kd_store_copy_memory(sim->center.status);
    sim_say(sim, "center", "is backed up");
}

/** restore and new-epoch of kedge-coordinator: the service is opened, moved on, closed. */
static void sim_center_move_on(struct sim *sim)
{
    struct kd_err err = { 0 };
    sim->center.dead = false;
    sim_owed_clear(&sim->center);
    struct co_service *service = sim_service_open(sim);
    if (service && co_service_new_epoch(service, &err) != KD_OK)
        sim_fail(sim, "a new epoch fails: %s", err.story);
    (void)co_service_close(service);
    sim->center.dead = true;
    sim_model_read(sim);
    sim_operators_forget(sim);
    sim_at(sim, sim->now + sim_between(sim, 3 * SIM_MIN, 6 * SIM_MIN), sim_center_begin, NULL, sim->center.life, NULL);
}

void sim_center_restore(struct sim *sim, int64_t clock_ms)
{
    struct sim_center *c = &sim->center;
    sim_count(sim, clock_ms ? SIM_RESTORED_CLOCK : SIM_RESTORED);
    sim_say(sim, "center", "is restored from its backup%s", clock_ms ? ", with a wrong clock" : "");
    sim_model_check(sim);
    sim_center_stop(sim);
    c->spec = kd_store_close(c->spec);
    c->status = kd_store_close(c->status);
    c->spec = sim_store_wrap(kd_store_copy_memory(c->backup.spec));
    c->status = sim_store_wrap(kd_store_copy_memory(c->backup.status));
    c->clock_ms = clock_ms;
    sim_center_move_on(sim);
}

void sim_center_new_epoch(struct sim *sim)
{
    sim_say(sim, "center", "gets a new epoch");
    sim_model_check(sim);
    sim_center_stop(sim);
    sim_center_move_on(sim);
}

void sim_center_empty(struct sim *sim)
{
    struct sim_center *c = &sim->center;
    sim_count(sim, SIM_EMPTIED);
    sim_say(sim, "center", "loses its stores");
    sim_model_check(sim);
    sim_center_stop(sim);
    c->spec = kd_store_close(c->spec);
    c->status = kd_store_close(c->status);
    c->spec = sim_store_new(CO_SPEC_TABLE_COUNT);
    c->status = sim_store_new(CO_STATUS_TABLE_COUNT);
    sim_owed_clear(c);
    sim_model_read(sim);
    sim_operators_forget(sim);
    sim_at(sim, sim->now + sim_between(sim, 3 * SIM_MIN, 6 * SIM_MIN), sim_center_begin, NULL, c->life, NULL);
}

void sim_center_empty_status(struct sim *sim)
{
    struct sim_center *c = &sim->center;
    sim_count(sim, SIM_STATUS_EMPTIED);
    sim_say(sim, "center", "loses its status store");
    sim_center_stop(sim);
    c->status = kd_store_close(c->status);
    c->status = sim_store_new(CO_STATUS_TABLE_COUNT);
    sim_at(sim, sim->now + sim_between(sim, SIM_S, 2 * SIM_MIN), sim_center_begin, NULL, c->life, NULL);
}

void sim_center_close(struct sim *sim)
{
    struct sim_center *c = &sim->center;
    c->dead = true;
    c->service = co_service_close(c->service);
    sim_inbox_clear(c);
    kd_map_clear(&c->owed);
    free(c->inbox);
    free(c->inbox_retained);
    sim_backup_drop(&c->backup);
    c->spec = kd_store_close(c->spec);
    c->status = kd_store_close(c->status);
    sim_link_clear(&c->link);
}
