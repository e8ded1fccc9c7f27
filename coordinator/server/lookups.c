/** Questions to registries: which digest has this chart? Kept in memory, asked again with backoff until they are answered or nobody waits
 *  for them any more; the deployments that wait are in the spec store, so a restart asks again. */
#include "coordinator/server/kinds.h"
#include "coordinator/server/rollouts.h"
#include "coordinator/server/state.h"
#include "shared/base/backoff.h"
#include "shared/model/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>

enum { CO_LOOKUP_BASE_S = 2, CO_LOOKUP_CAP_S = 300, CO_LOOKUPS_AT_ONCE = 8 };

/** The key of the map is "deployment|root url|chart|version": one question per deployment and chart. */
struct co_question {
    uint64_t id; /* 0: not asked at the moment */
    char registry[KD_NAME_MAX + 1];
    struct kd_mono due;
    unsigned attempts;
};

static struct kd_str co_question_key(struct kd_arena *arena, struct kd_str deployment, const struct co_chart *chart)
{
    return kd_arena_printf(arena, "%.*s|%.*s|%.*s|%.*s", KD_ARG(deployment), KD_ARG(chart->root_url), KD_ARG(chart->chart),
                           KD_ARG(chart->version));
}

/** The parts of a key again. */
static struct kd_str co_question_parts(struct kd_str key, struct co_chart *ret)
{
    struct kd_str deployment = kd_str_cut(&key, '|');
    *ret = (struct co_chart){ .root_url = kd_str_cut(&key, '|') };
    ret->chart = kd_str_cut(&key, '|');
    ret->version = key;
    return deployment;
}

void co_lookup_want(struct co_work *work, struct kd_str deployment, const struct co_chart *chart)
{
    struct co_service *service = work->service;
    service->lookups.value_size = sizeof(struct co_question);
    struct kd_str key = co_question_key(work->arena, deployment, chart);
    struct co_question *question = kd_map_put(&service->lookups, key);
    if (!question || question->id)
        return;
    (void)kd_str_copy(chart->registry, question->registry, sizeof question->registry);
    question->due = work->now;
    service->next_lookup = work->now;
}

/** Asks, with what the catalog says of the registry now. False where there is no such registry any more, or nobody waits. */
static bool co_question_ask(struct co_work *work, struct kd_str key, struct co_question *question)
{
    struct co_service *service = work->service;
    struct co_chart chart;
    union co_document registry;
    struct kd_key waiting = CO_KEY2(work->project, co_question_parts(key, &chart));
    if (!kd_txn_has(work->spec, CO_WAITING, kd_key_str(&waiting)) ||
        !co_document_get(work, co_kind_of(KD_STR("registry")), kd_str(question->registry), CO_NONE, &registry) ||
        !kd_str_eq(registry.registry.root_url, chart.root_url))
        return false;
    question->id = ++service->lookup_ids;
    struct co_lookup lookup = { .id = question->id,
                                .root_url = registry.registry.root_url,
                                .user_name = registry.registry.user_name,
                                .auth_token = registry.registry.auth_token,
                                .ca_certs = registry.registry.ca_certs,
                                .chart = chart.chart,
                                .version = chart.version };
    service->ops->resolve(service->ctx, &lookup);
    return true;
}

struct kd_mono co_lookups_tick(struct co_service *service)
{
    struct co_work work;
    struct kd_mono now = service->ops->now(service->ctx);
    if (service->lookups.n == 0 || now.us < service->next_lookup.us || !co_work_read(service, &work))
        return service->lookups.n ? service->next_lookup : KD_NEVER;
    size_t at = 0, asked = 0;
    struct kd_str key;
    void *value;
    service->next_lookup = KD_NEVER;
    while (kd_map_next(&service->lookups, &at, &key, &value)) {
        struct co_question *question = value;
        if (question->id) {
            asked++;
        } else if (question->due.us <= now.us && asked < CO_LOOKUPS_AT_ONCE) {
            if (co_question_ask(&work, key, question))
                asked++;
            else
                (void)kd_map_del(&service->lookups, key);
        } else if (question->due.us > now.us && question->due.us < service->next_lookup.us) {
            service->next_lookup = question->due;
        }
    }
    co_work_abort(&work);
    return service->next_lookup;
}

static struct co_question *co_question_of(struct co_service *service, uint64_t id, struct kd_str *ret_key)
{
    size_t at = 0;
    void *value;
    while (kd_map_next(&service->lookups, &at, ret_key, &value))
        if (((struct co_question *)value)->id == id)
            return value;
    return NULL;
}

void co_service_resolved(struct co_service *service, uint64_t id, enum kd_code code, struct kd_str answer)
{
    struct kd_str key;
    struct co_work work;
    struct co_chart chart;
    struct co_question *question = id ? co_question_of(service, id, &key) : NULL;
    if (!question || !co_work_begin(service, &work))
        return;
    struct kd_str copy = kd_arena_copy(work.arena, key), deployment = co_question_parts(copy, &chart);
    question->id = 0; /* asked again, unless the answer was stored */
    question->due.us = work.now.us + kd_backoff_us(question->attempts++, CO_LOOKUP_BASE_S * KD_US_PER_S,
                                                   CO_LOOKUP_CAP_S * KD_US_PER_S, co_chance(&work));
    if (code != KD_OK)
        co_note(service, LOG_WARNING, "registry.lookup-failed", "deployment=%.*s chart=%.*s version=%.*s why=\"%.*s\"",
                KD_ARG(deployment), KD_ARG(chart.chart), KD_ARG(chart.version), KD_ARG(answer));
    char asked[CO_LOG_LINE];
    bool known = kd_str_copy(key, asked, sizeof asked); /* the map may move */
    service->next_lookup = work.now;                    /* the next ones may be asked now */
    co_rollout_pinned(&work, deployment, &chart, code, answer);
    if (co_work_commit(&work) && code == KD_OK && known)
        (void)kd_map_del(&service->lookups, kd_str(asked));
    (void)co_outbox_pump(service);
}

void co_lookups_clear(struct co_service *service)
{
    kd_map_clear(&service->lookups);
}
