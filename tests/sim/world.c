/** Time, chance, and the trace. */
#include "tests/sim/sim.h"

#include "shared/base/own.h"

#include <stdarg.h>
#include <stdio.h>

enum { SIM_EVENTS_MAX = 1000000 /* of a seed: five times as many as usual */ };

#define SIM_FAULT_AS_TEXT(id, text) [SIM_##id] = text,
const char *const sim_fault_texts[SIM_FAULT_COUNT] = { SIM_FAULTS(SIM_FAULT_AS_TEXT) };

/* ---- messages ---- */

static struct kd_str sim_put(char **at, struct kd_str s)
{
    struct kd_str copy = { *at, s.n };
    if (s.n)
        memcpy(*at, s.p, s.n);
    (*at)[s.n] = '\0';
    *at += s.n + 1;
    return copy;
}

struct sim_message *sim_message_make(enum sim_packet packet, struct kd_str topic, struct kd_str payload,
                                     struct kd_str response_topic, struct kd_str correlation, bool retain, uint64_t token)
{
    struct sim_message *m = malloc(sizeof *m + topic.n + payload.n + response_topic.n + correlation.n + 4);
    if (!m)
        abort();
    char *at = m->bytes;
    m->refs = 1;
    m->packet = packet;
    m->topic = sim_put(&at, topic);
    m->payload = sim_put(&at, payload);
    m->response_topic = sim_put(&at, response_topic);
    m->correlation = sim_put(&at, correlation);
    m->retain = retain;
    m->token = token;
    return m;
}

struct sim_message *sim_message_keep(struct sim_message *message)
{
    message->refs++;
    return message;
}

void sim_message_drop(struct sim_message *message)
{
    if (message && --message->refs == 0)
        free(message);
}

/* ---- the queue: a heap by time, then by order of planning ---- */

static bool sim_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void sim_sift_up(struct sim *sim, size_t at)
{
    struct sim_event *v = sim->queue.v;
    while (at > 0 && sim_before(&v[at], &v[(at - 1) / 2])) {
        struct sim_event swap = v[at];
        v[at] = v[(at - 1) / 2];
        v[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
}

static void sim_sift_down(struct sim *sim, size_t at)
{
    struct sim_event *v = sim->queue.v;
    for (;;) {
        size_t least = at, left = 2 * at + 1, right = left + 1;
        if (left < sim->queue.n && sim_before(&v[left], &v[least]))
            least = left;
        if (right < sim->queue.n && sim_before(&v[right], &v[least]))
            least = right;
        if (least == at)
            return;
        struct sim_event swap = v[at];
        v[at] = v[least];
        v[least] = swap;
        at = least;
    }
}

void sim_at(struct sim *sim, int64_t at, sim_run *run, void *what, uint64_t number, struct sim_message *message)
{
    if (sim->queue.n == sim->queue.cap) {
        sim->queue.cap = sim->queue.cap ? 2 * sim->queue.cap : 1024;
        sim->queue.v = realloc(sim->queue.v, sim->queue.cap * sizeof *sim->queue.v);
        if (!sim->queue.v)
            abort();
    }
    sim->queue.v[sim->queue.n] = (struct sim_event){ at > sim->now ? at : sim->now, sim->order++, run, what, number, message };
    sim_sift_up(sim, sim->queue.n++);
}

static struct sim_event sim_next(struct sim *sim)
{
    struct sim_event first = sim->queue.v[0];
    sim->queue.v[0] = sim->queue.v[--sim->queue.n];
    sim_sift_down(sim, 0);
    return first;
}

/* ---- chance: splitmix64 ---- */

uint64_t sim_chance(struct sim *sim)
{
    uint64_t z = sim->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

bool sim_one_in(struct sim *sim, uint64_t n)
{
    return sim_chance(sim) % n == 0;
}

int64_t sim_between(struct sim *sim, int64_t least, int64_t most)
{
    return least + (int64_t)(sim_chance(sim) % (uint64_t)(most - least + 1));
}

/* ---- the trace ---- */

static void sim_print_time(const struct sim *sim)
{
    int64_t s = sim->now / SIM_S;
    printf("%02lld:%02lld:%02lld.%03lld ", (long long)(s / 3600), (long long)(s / 60 % 60), (long long)(s % 60),
           (long long)(sim->now / 1000 % 1000));
}

void sim_say(struct sim *sim, const char *who, const char *fmt, ...)
{
    va_list args;
    if (!sim->verbose)
        return;
    sim_print_time(sim);
    printf("%-6s ", who);
    va_start(args, fmt);
    (void)vprintf(fmt, args);
    va_end(args);
    (void)putchar('\n');
}

void sim_mix(struct sim *sim, struct kd_str bytes)
{
    uint64_t hash = sim->hash ^ (uint64_t)sim->now;
    for (size_t i = 0; i + 8 <= bytes.n; i += 8) {
        uint64_t word;
        memcpy(&word, bytes.p + i, 8);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    for (size_t i = bytes.n & ~(size_t)7; i < bytes.n; i++)
        hash = (hash ^ (unsigned char)bytes.p[i]) * UINT64_C(0x100000001b3);
    sim->hash = hash;
}

void sim_fail(struct sim *sim, const char *fmt, ...)
{
    va_list args;
    if (sim->failed)
        return;
    sim->failed = true;
    va_start(args, fmt);
    (void)vsnprintf(sim->failure, sizeof sim->failure, fmt, args);
    va_end(args);
    sim_say(sim, "FAIL", "%s", sim->failure);
}

void sim_count(struct sim *sim, enum sim_fault fault)
{
    sim->faults[fault]++;
}

/* ---- the run ---- */

void sim_run_seed(struct sim *sim, uint64_t seed, const struct sim_way *way)
{
    *sim = (struct sim){
        .seed = seed, .state = seed * UINT64_C(0xd1342543de82ef95), .verbose = way->verbose, .faultless = way->faultless
    };
    sim->model.allowed = (struct kd_map)KD_MAP(1);
    sim->heard = (struct kd_map)KD_MAP(sizeof(unsigned));
    sim->versions = (struct kd_map)KD_MAP(sizeof(uint64_t));
    sim->broker.retained = sim->broker.saved = (struct kd_map)KD_MAP(sizeof(struct sim_message *));
    sim->broker.subscribers = (struct kd_map)KD_MAP(sizeof(uint64_t));
    sim_faults_plan(sim);
    while (sim->queue.n && !sim->failed && !*way->stop && sim->queue.v[0].at <= SIM_END) {
        struct sim_event event = sim_next(sim);
        sim->now = event.at;
        if (++sim->events > SIM_EVENTS_MAX)
            sim_fail(sim, "more than %d events: something spins", SIM_EVENTS_MAX);
        event.run(sim, event.what, event.number, event.message);
        sim_message_drop(event.message);
    }
    sim->now = SIM_END;
    if (!sim->failed && !*way->stop)
        sim_check_end(sim);
}

void sim_clear(struct sim *sim)
{
    for (size_t i = 0; i < SIM_EDGES + SIM_CLONES; i++)
        sim_edge_clear(sim, &sim->edges[i]);
    for (size_t i = 0; i < SIM_OPERATORS; i++)
        sim_operator_clear(&sim->operators[i]);
    sim_center_close(sim);
    sim_broker_clear(sim);
    for (size_t i = 0; i < sim->queue.n; i++)
        sim_message_drop(sim->queue.v[i].message);
    free(sim->queue.v);
    kd_map_clear(&sim->model.allowed);
    kd_map_clear(&sim->heard);
    kd_map_clear(&sim->versions);
}
