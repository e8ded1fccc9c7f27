/** The broker, and the ways to it: MQTT 5, QoS 1, clean sessions. A connection keeps its order; what is on the way when it ends may still
 *  arrive, later than what the next one brings. It may lose what it acknowledged, deliver twice, forget, and go back in time. */
#include "tests/sim/sim.h"

#include "shared/base/own.h"

#include <stdio.h>

enum { SIM_TAKEN_OVER = 0x8E, SIM_QUOTA = 0x97, SIM_LARGE = 0x95 };

static struct sim_message *sim_retained_of(struct kd_map *map, struct kd_str topic)
{
    struct sim_message **at = kd_map_get(map, topic);
    return at ? *at : NULL;
}

static void sim_retained_clear(struct kd_map *map)
{
    size_t at = 0;
    struct kd_str key;
    void *value;
    while (kd_map_next(map, &at, &key, &value))
        sim_message_drop(*(struct sim_message **)value);
    kd_map_clear(map);
    *map = (struct kd_map)KD_MAP(sizeof(struct sim_message *));
}

static void sim_retained_copy(struct kd_map *to, const struct kd_map *from)
{
    size_t at = 0;
    struct kd_str key;
    void *value;
    sim_retained_clear(to);
    while (kd_map_next(from, &at, &key, &value)) {
        struct sim_message **copy = kd_map_put(to, key);
        if (!copy)
            abort();
        *copy = sim_message_keep(*(struct sim_message **)value);
    }
}

static void sim_retain(struct sim *sim, struct sim_message *message)
{
    struct kd_map *map = &sim->broker.retained;
    sim_message_drop(sim_retained_of(map, message->topic));
    if (message->payload.n == 0) {
        (void)kd_map_del(map, message->topic);
        return;
    }
    struct sim_message **at = kd_map_put(map, message->topic);
    if (!at)
        abort();
    *at = sim_message_keep(message);
}

/* ---- from the broker to a client ---- */

static void sim_arrives_down(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_link *link = what;
    bool retained = number & 1;
    if (link->own != number >> 1)
        return;
    sim_mix(sim, message->topic);
    sim_mix(sim, message->payload);
    link->peer->message(sim, link->owner, message, retained);
}

static int64_t sim_delay(struct sim *sim, const struct sim_link *link)
{
    if (sim->now < link->slow_until) {
        sim_count(sim, SIM_DELAYED);
        return sim_between(sim, SIM_S, 40 * SIM_S);
    }
    return sim_between(sim, 1000, 60000);
}

static void sim_deliver(struct sim *sim, struct sim_link *link, struct sim_message *message, bool retained)
{
    int64_t at = sim->now + sim_delay(sim, link);
    link->down_at = at > link->down_at ? at : link->down_at;
    sim_at(sim, link->down_at, sim_arrives_down, link, link->connection << 1 | retained, sim_message_keep(message));
    if (sim->now < sim->broker.repeats_until && sim_one_in(sim, 8)) {
        sim_count(sim, SIM_REPEATED);
        link->down_at += sim_between(sim, 0, 2 * SIM_S);
        sim_at(sim, link->down_at, sim_arrives_down, link, link->connection << 1 | retained, sim_message_keep(message));
    }
}

static bool sim_matches(struct kd_str filter, struct kd_str topic)
{
    const char *wild = memchr(filter.p, '+', filter.n);
    size_t same = wild ? (size_t)(wild - filter.p) : 0; /* most differ before the first wildcard */
    if (topic.n < same || memcmp(filter.p, topic.p, same) != 0)
        return false;
    filter = (struct kd_str){ filter.p + same, filter.n - same };
    topic = (struct kd_str){ topic.p + same, topic.n - same };
    while (filter.n) {
        struct kd_str want = kd_str_cut(&filter, '/');
        if (kd_str_is(want, "#"))
            return true;
        struct kd_str level = kd_str_cut(&topic, '/');
        if (level.n == 0 || (!kd_str_is(want, "+") && !kd_str_eq(want, level)))
            return false;
    }
    return topic.n == 0;
}

static bool sim_is_subscribed(const struct sim_link *link, struct kd_str topic)
{
    for (size_t i = 0; i < link->filter_count; i++)
        if (sim_matches(kd_str(link->filters[i]), topic))
            return true;
    return false;
}

/** The message is the broker's: kept where retained, and given to everybody who subscribed. */
static void sim_spread(struct sim *sim, struct sim_message *message)
{
    const uint64_t *bits = kd_map_get(&sim->broker.subscribers, message->topic);
    uint64_t exact = bits ? *bits : 0;
    if (message->retain)
        sim_retain(sim, message);
    for (unsigned i = 0; i < sim->link_count; i++) {
        struct sim_link *link = sim->links[i];
        if (link->connection && ((exact >> i & 1) || sim_is_subscribed(link, message->topic)))
            sim_deliver(sim, link, message, false);
    }
    if (sim->quiet)
        sim_check_quiet(sim, message);
}

/* ---- subscriptions ---- */

static bool sim_has_wildcard(struct kd_str filter)
{
    return memchr(filter.p, '+', filter.n) || memchr(filter.p, '#', filter.n);
}

static void sim_give_retained(struct sim *sim, struct sim_link *link, struct kd_str filter)
{
    size_t at = 0;
    struct kd_str key;
    void *value;
    if (!sim_has_wildcard(filter)) {
        struct sim_message *message = sim_retained_of(&sim->broker.retained, filter);
        if (message)
            sim_deliver(sim, link, message, true);
        return;
    }
    while (kd_map_next(&sim->broker.retained, &at, &key, &value))
        if (sim_matches(filter, key))
            sim_deliver(sim, link, *(struct sim_message **)value, true);
}

static void sim_subscribe(struct sim *sim, struct sim_link *link, struct kd_str filter)
{
    if (sim_has_wildcard(filter)) {
        if (!sim_is_subscribed(link, filter) && link->filter_count < SIM_FILTERS)
            (void)kd_str_copy(filter, link->filters[link->filter_count++], sizeof link->filters[0]);
    } else {
        uint64_t *bits = kd_map_put(&sim->broker.subscribers, filter);
        if (!bits || !kd_map_put(&link->exact, filter))
            abort();
        *bits |= UINT64_C(1) << link->index;
    }
    sim_give_retained(sim, link, filter);
}

static void sim_unsubscribe_exact(struct sim *sim, struct sim_link *link, struct kd_str topic)
{
    uint64_t *bits = kd_map_get(&sim->broker.subscribers, topic);
    if (!bits)
        return;
    *bits &= ~(UINT64_C(1) << link->index);
    if (*bits == 0)
        (void)kd_map_del(&sim->broker.subscribers, topic);
}

static void sim_unsubscribe(struct sim *sim, struct sim_link *link, struct kd_str filter)
{
    if (!sim_has_wildcard(filter)) {
        sim_unsubscribe_exact(sim, link, filter);
        (void)kd_map_del(&link->exact, filter);
        return;
    }
    for (size_t i = 0; i < link->filter_count; i++)
        if (kd_str_is(filter, link->filters[i])) {
            memmove(link->filters[i], link->filters[--link->filter_count], sizeof link->filters[0]);
            return;
        }
}

static void sim_unsubscribe_all(struct sim *sim, struct sim_link *link)
{
    size_t at = 0;
    struct kd_str key;
    void *value;
    while (kd_map_next(&link->exact, &at, &key, &value))
        sim_unsubscribe_exact(sim, link, key);
    kd_map_clear(&link->exact);
    link->exact = (struct kd_map)KD_MAP(1);
    link->filter_count = 0;
}

/* ---- ends of connections ---- */

static void sim_will_comes(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    (void)what, (void)number;
    if (!sim->broker.down)
        sim_spread(sim, message);
}

/** What the broker does with the will of a connection that ended without a word. */
static void sim_will(struct sim *sim, struct sim_link *link, bool at_once)
{
    struct sim_message *will = KD_TAKE(link->will, NULL);
    if (!will)
        return;
    int64_t at = sim->now;
    bool calm = sim->now >= SIM_FAULTS_END;
    if (!at_once && !calm && sim_one_in(sim, 5)) {
        sim_count(sim, SIM_WILL_LOST);
        sim_message_drop(will);
        return;
    }
    if (!at_once && !calm && sim_one_in(sim, 2)) {
        sim_count(sim, SIM_WILL_LATE);
        at += sim_between(sim, SIM_S, 20 * SIM_MIN);
    }
    sim_at(sim, at, sim_will_comes, NULL, 0, will);
}

/** The broker's side of the end. */
static void sim_forget_connection(struct sim *sim, struct sim_link *link, bool will)
{
    if (!link->connection)
        return;
    sim_unsubscribe_all(sim, link);
    link->connection = 0;
    if (will)
        sim_will(sim, link, false);
    sim_message_drop(KD_TAKE(link->will, NULL));
}

/** The client's side of it. */
static void sim_tell_end(struct sim *sim, struct sim_link *link, int reason)
{
    if (!link->own)
        return;
    link->late = link->own;
    link->late_count = (unsigned)sim_between(sim, 0, 6);
    link->own = 0;
    link->peer->disconnected(sim, link->owner, reason);
}

void sim_link_lose(struct sim *sim, struct sim_link *link, int reason)
{
    if (!link->own)
        return;
    sim_say(sim, link->identity, "loses its connection, reason 0x%02x", (unsigned)reason);
    if (link->connection == link->own)
        sim_forget_connection(sim, link, reason == 0);
    sim_tell_end(sim, link, reason);
}

void sim_link_die(struct sim *sim, struct sim_link *link)
{
    if (link->connection)
        sim_forget_connection(sim, link, true);
    link->late = link->own;
    link->late_count = (unsigned)sim_between(sim, 0, 2);
    link->own = 0;
    link->attempting = false;
}

/* ---- from a client to the broker ---- */

static void sim_puback(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_link *link = what;
    if (link->own && link->own == number >> 8)
        link->peer->published(sim, link->owner, message->token, (int)(number & 0xff));
}

static void sim_answer(struct sim *sim, struct sim_link *link, struct sim_message *message, int reason)
{
    if (!message->token || !link->connection)
        return;
    int64_t at = sim->now + sim_delay(sim, link);
    link->down_at = at > link->down_at ? at : link->down_at;
    sim_at(sim, link->down_at, sim_puback, link, link->connection << 8 | (unsigned)reason, sim_message_keep(message));
}

/** True where the broker refuses the coordinator's publish, or ends the connection at it. */
static bool sim_refuses(struct sim *sim, struct sim_link *link, struct sim_message *message)
{
    struct sim_broker *broker = &sim->broker;
    if (link != &sim->center.link || !message->token)
        return false;
    if (broker->hang_ups && !broker->hang_up[0])
        (void)kd_str_copy(message->topic, broker->hang_up, sizeof broker->hang_up);
    if (broker->hang_ups && kd_str_is(message->topic, broker->hang_up)) {
        sim_count(sim, SIM_BROKER_HANGS_UP);
        if (--broker->hang_ups == 0)
            broker->hang_up[0] = '\0';
        sim_link_lose(sim, link, 0x81);
        return true;
    }
    if (broker->refuse == 0 && broker->refuse_large == 0)
        return false;
    bool large = broker->refuse_large > 0;
    if (large)
        broker->refuse_large--;
    else
        broker->refuse--;
    sim_count(sim, large ? SIM_TOO_LARGE : SIM_BROKER_REFUSES);
    sim_answer(sim, link, message, large ? SIM_LARGE : SIM_QUOTA);
    return true;
}

/** Acknowledged and lost. What announces the coordinator or clears a topic is spared: a broker loses that only
 *  together with its connections. */
static bool sim_drops(struct sim *sim, const struct sim_message *message)
{
    bool clears = message->retain && message->payload.n == 0;
    if (sim->now >= sim->broker.drops_until || !sim_one_in(sim, 4) || clears || kd_str_ends(message->topic, KD_STR("/coordinator")))
        return false;
    sim_count(sim, SIM_DROPPED);
    sim_say(sim, "broker", "acknowledges and loses %.*s", KD_ARG(message->topic));
    return true;
}

static void sim_publish(struct sim *sim, struct sim_link *link, struct sim_message *message)
{
    if (sim_refuses(sim, link, message))
        return;
    if (!sim_drops(sim, message))
        sim_spread(sim, message);
    sim_answer(sim, link, message, 0);
}

static void sim_arrives_up(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_link *link = what;
    if (sim->broker.down)
        return;
    if (link->connection != number) { /* of a connection that has ended: the last packets may have been on the way */
        if (link->late != number || link->late_count == 0 || message->packet != SIM_PUBLISH)
            return;
        link->late_count--;
        sim_count(sim, SIM_LATE);
        sim_spread(sim, message);
        return;
    }
    switch (message->packet) {
    case SIM_PUBLISH:
        sim_publish(sim, link, message);
        break;
    case SIM_SUBSCRIBE:
        sim_subscribe(sim, link, message->topic);
        break;
    case SIM_UNSUBSCRIBE:
        sim_unsubscribe(sim, link, message->topic);
        break;
    }
}

bool sim_send(struct sim *sim, struct sim_link *link, struct sim_message *message)
{
    if (!link->own) {
        sim_message_drop(message);
        return false;
    }
    int64_t at = sim->now + sim_delay(sim, link);
    link->up_at = at > link->up_at ? at : link->up_at;
    if (message->packet == SIM_PUBLISH)
        sim_say(sim, link->identity, "> %.*s%s %.*s", KD_ARG(message->topic), message->retain ? " (retained)" : "",
                message->payload.n > 400 ? 400 : (int)message->payload.n, message->payload.p);
    sim_at(sim, link->up_at, sim_arrives_up, link, link->own, message);
    return true;
}

/* ---- connecting ---- */

static void sim_take_over(struct sim *sim, const struct sim_link *link)
{
    for (unsigned i = 0; i < sim->link_count; i++) {
        struct sim_link *other = sim->links[i];
        if (other != link && other->connection && strcmp(other->identity, link->identity) == 0) {
            sim_forget_connection(sim, other, true);
            sim_tell_end(sim, other, SIM_TAKEN_OVER);
        }
    }
}

static void sim_attempt(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_link *link = what;
    (void)message;
    if (!link->attempting || number != link->attempts)
        return;
    if (link->cut || link->gone || sim->broker.down) {
        sim_at(sim, sim->now + sim_between(sim, SIM_S, 20 * SIM_S), sim_attempt, link, number, NULL);
        return;
    }
    link->attempting = false;
    if (link->connection) /* the broker had not noticed the end of the last one */
        sim_forget_connection(sim, link, true);
    sim_take_over(sim, link);
    link->connection = link->own = ++sim->broker.connections;
    link->up_at = link->down_at = sim->now;
    link->will = link->will_of ? link->will_of(sim, link->owner) : NULL;
    sim_say(sim, link->identity, "connects");
    link->peer->connected(sim, link->owner);
}

void sim_connect(struct sim *sim, struct sim_link *link, int64_t delay_us,
                 struct sim_message *(*will)(struct sim *sim, void *owner))
{
    link->will_of = will;
    if (link->attempting || link->own)
        return;
    link->attempting = true;
    sim_at(sim, sim->now + delay_us, sim_attempt, link, ++link->attempts, NULL);
}

/* ---- the broker itself ---- */

static void sim_broker_up(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    (void)what, (void)number, (void)message;
    sim->broker.down = false;
    sim_say(sim, "broker", "is back");
}

void sim_broker_save(struct sim *sim)
{
    sim_retained_copy(&sim->broker.saved, &sim->broker.retained);
}

/** All wills while the coordinator is still connected; then everybody loses the connection. */
static void sim_broker_shutdown_wills(struct sim *sim)
{
    sim_count(sim, SIM_WILL_SHUTDOWN);
    for (unsigned i = 0; i < sim->link_count; i++) {
        struct sim_message *will = KD_TAKE(sim->links[i]->will, NULL);
        if (will && sim->center.link.own) /* what the coordinator hears before its own connection ends */
            sim->center.link.peer->message(sim, sim->center.link.owner, will, false);
        sim_message_drop(will);
    }
}

void sim_broker_stop(struct sim *sim, bool wills, bool wipe, int64_t down_us)
{
    sim_say(sim, "broker", "stops%s, %s", wills ? " with wills" : "", wipe ? "forgets everything" : "goes back to its last save");
    if (wills)
        sim_broker_shutdown_wills(sim);
    sim->broker.down = true;
    for (unsigned i = 0; i < sim->link_count; i++) {
        struct sim_link *link = sim->links[i];
        sim_message_drop(KD_TAKE(link->will, NULL));
        sim_forget_connection(sim, link, false);
        link->late_count = 0;
        sim_tell_end(sim, link, 0);
    }
    sim_count(sim, wipe ? SIM_BROKER_WIPED : SIM_BROKER_BACK);
    if (wipe)
        sim_retained_clear(&sim->broker.retained);
    else
        sim_retained_copy(&sim->broker.retained, &sim->broker.saved);
    sim_at(sim, sim->now + down_us, sim_broker_up, NULL, 0, NULL);
}

void sim_broker_lose_retained(struct sim *sim)
{
    size_t at = 0, n = 0;
    struct kd_str key, chosen = { NULL, 0 };
    void *value;
    while (kd_map_next(&sim->broker.retained, &at, &key, &value))
        if (kd_str_find(key, KD_STR("/objects/")) > 0 || kd_str_ends(key, KD_STR("/manifest"))) {
            n++;
            if (sim_one_in(sim, n))
                chosen = key;
        }
    if (!chosen.n)
        return;
    sim_count(sim, SIM_RETAINED_LOST);
    sim_say(sim, "broker", "loses %.*s", KD_ARG(chosen));
    struct sim_message *gone = sim_retained_of(&sim->broker.retained, chosen);
    (void)kd_map_del(&sim->broker.retained, chosen);
    sim_message_drop(gone);
}

void sim_link_init(struct sim *sim, struct sim_link *link, const char *identity, const struct sim_peer *peer, void *owner)
{
    *link = (struct sim_link){ .peer = peer, .owner = owner, .index = sim->link_count, .exact = KD_MAP(1) };
    (void)kd_str_copy(kd_str(identity), link->identity, sizeof link->identity);
    sim->links[sim->link_count++] = link;
}

void sim_link_clear(struct sim_link *link)
{
    link->filter_count = 0;
    kd_map_clear(&link->exact);
    sim_message_drop(KD_TAKE(link->will, NULL));
}

void sim_broker_clear(struct sim *sim)
{
    sim_retained_clear(&sim->broker.retained);
    sim_retained_clear(&sim->broker.saved);
    kd_map_clear(&sim->broker.subscribers);
}
